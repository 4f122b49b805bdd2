//! Points of a sweep as marks on a plane: means over the seeds of a recipe.

use crate::sweep::group::{Spread, Work, groups, recipes};
use crate::sweep::point::{Kind, Point};

/// One way of measuring one recipe.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Index of the recipe in [`recipes`].
    pub recipe: usize,
    /// Who decided on depth.
    pub kind: Kind,
    /// Work per token, in thousands.
    pub work: Spread,
    /// Loss in nats per token.
    pub nats: Spread,
}

/// Marks by recipe and kind, from little work to much. Points that differ in their seed alone are one mark; points without a loss are none.
pub fn marks(points: &[Point], work: Work) -> Vec<Mark> {
    let names = recipes(points);
    let mark = |group: Vec<&Point>| {
        Some(Mark {
            recipe: names.iter().position(|name| *name == group[0].recipe).unwrap_or_default(),
            kind: group[0].kind,
            work: Spread::of(&group.iter().map(|point| work.thousands(point)).collect::<Vec<_>>()),
            nats: Spread::of_some(group.iter().map(|point| point.nats))?,
        })
    };
    let mut marks: Vec<Mark> = groups(points).into_iter().filter_map(mark).collect();
    marks.sort_by(|a, b| (a.recipe, a.kind).cmp(&(b.recipe, b.kind)).then(a.work.mean.total_cmp(&b.work.mean)));
    marks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::point::tests::point;

    #[test]
    fn seeds_become_one_mark_and_targets_do_not() {
        let points = [
            point("b", 1, Kind::Routed, Some(0.5), 3000.0, 1.0),
            point("b", 2, Kind::Routed, Some(0.5), 5000.0, 3.0),
            point("b", 1, Kind::Routed, Some(0.7), 2000.0, 4.0),
            point("a", 1, Kind::Dense, None, 9000.0, 0.5),
            Point { nats: None, ..point("a", 1, Kind::SoftInitial, None, 9000.0, 0.0) },
        ];
        assert_eq!(recipes(&points), ["b", "a"]);
        let marks = marks(&points, Work::of(&points));
        let found: Vec<_> = marks.iter().map(|mark| (mark.recipe, mark.kind, mark.work.mean, mark.nats.mean)).collect();
        assert_eq!(found, [(0, Kind::Routed, 2.0, 4.0), (0, Kind::Routed, 4.0, 2.0), (1, Kind::Dense, 9.0, 0.5)]);
        assert_eq!(marks[1].nats, Spread { mean: 2.0, least: 1.0, most: 3.0 });
    }
}
