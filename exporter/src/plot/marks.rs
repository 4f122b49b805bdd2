//! Points of a sweep as marks on a plane: means over the seeds of a recipe.

use crate::sweep::point::{Kind, Point};

/// Mean, least and most over seeds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Least.
    pub least: f64,
    /// Most.
    pub most: f64,
}

impl Spread {
    /// Of at least one value.
    pub fn of(values: &[f64]) -> Self {
        Self {
            mean: values.iter().sum::<f64>() / values.len().max(1) as f64,
            least: values.iter().copied().fold(f64::INFINITY, f64::min),
            most: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

/// What work is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Modelled cycles per token.
    Cycles,
    /// Multiply-accumulates with a weight per token.
    WeightMacs,
}

impl Work {
    /// Cycles, if every point has them.
    pub fn of(points: &[Point]) -> Self {
        if points.iter().all(|point| point.cycles.is_some()) { Self::Cycles } else { Self::WeightMacs }
    }

    /// Of a point, in thousands.
    fn thousands(self, point: &Point) -> f64 {
        match self {
            Self::Cycles => point.cycles.unwrap_or_default() / 1e3,
            Self::WeightMacs => point.weight_macs / 1e3,
        }
    }
}

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

/// Names of the recipes, in the order of their first points.
pub fn recipes(points: &[Point]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for point in points {
        if !names.contains(&point.recipe) {
            names.push(point.recipe.clone());
        }
    }
    names
}

/// Marks by recipe and kind, from little work to much. Points that differ in their seed alone are one mark; points without a loss are none.
pub fn marks(points: &[Point], work: Work) -> Vec<Mark> {
    let names = recipes(points);
    let mut groups: Vec<(&Point, Vec<&Point>)> = Vec::new();
    for point in points.iter().filter(|point| point.nats.is_some()) {
        let same = |other: &Point| {
            (&other.recipe, other.kind, other.target, other.depth) == (&point.recipe, point.kind, point.target, point.depth)
        };
        match groups.iter_mut().find(|(first, _)| same(first)) {
            Some((_, group)) => group.push(point),
            None => groups.push((point, vec![point])),
        }
    }
    let mark = |(first, group): (&Point, Vec<&Point>)| Mark {
        recipe: names.iter().position(|name| *name == first.recipe).unwrap_or_default(),
        kind: first.kind,
        work: Spread::of(&group.iter().map(|point| work.thousands(point)).collect::<Vec<_>>()),
        nats: Spread::of(&group.iter().filter_map(|point| point.nats).collect::<Vec<_>>()),
    };
    let mut marks: Vec<Mark> = groups.into_iter().map(mark).collect();
    marks.sort_by(|a, b| (a.recipe, a.kind).cmp(&(b.recipe, b.kind)).then(a.work.mean.total_cmp(&b.work.mean)));
    marks
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::sweep::point::SCHEMA;

    /// A point with these fields and nothing remarkable in the others.
    pub(crate) fn point(recipe: &str, seed: u64, kind: Kind, target: Option<f64>, work: f64, nats: f64) -> Point {
        Point {
            schema: SCHEMA.into(),
            recipe: recipe.into(),
            seed,
            corpus: "text.txt".into(),
            split: Default::default(),
            training_tokens: 1,
            blocks: 2,
            element: "int8".into(),
            kind,
            target,
            depth: None,
            nats: Some(nats),
            bits_per_character: Some(nats / std::f64::consts::LN_2),
            saved: target.unwrap_or_default(),
            alpha: None,
            weight_macs: work,
            cycles: None,
            core: None,
            active: vec![1.0, 1.0],
            depths: vec![0, 0, 1],
            evaluated_tokens: 1,
            calibration_tokens: 1,
        }
    }

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
