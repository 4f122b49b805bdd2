//! A sweep as a table: every recipe and control, beside the dense models of equal work.

use crate::sweep::group::{Spread, Work, groups};
use crate::sweep::point::{Kind, Point};
use serde::Serialize;
use std::collections::BTreeMap;

/// One way of measuring one recipe, over its seeds.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct Row {
    /// Name of the recipe.
    pub recipe: String,
    /// Who decided on depth.
    pub kind: Kind,
    /// Share that was to be saved, of kinds that have a target.
    pub target: Option<f64>,
    /// Blocks that every token ran, of kind static.
    pub depth: Option<usize>,
    /// Share of token-layer operations saved.
    pub saved: Spread,
    /// Loss in nats per token.
    pub nats: Spread,
    /// Work per token in thousands: cycles, or weight multiply-accumulates of a sweep without cycles.
    pub work: Spread,
    /// By how many nats each seed is behind the line through the dense models of that seed, in the order of the seeds; none of dense models
    /// themselves, and where a seed has no dense model of so little work.
    pub behind: Vec<f64>,
}

/// Rows in the order of the points.
pub fn rows(points: &[Point]) -> Vec<Row> {
    let work = Work::of(points);
    let dense = Dense::new(points, work);
    let row = |group: Vec<&Point>| {
        let spread = |value: &dyn Fn(&Point) -> f64| Spread::of(&group.iter().map(|point| value(point)).collect::<Vec<_>>());
        let behind = |point: &&Point| Some(point.nats? - dense.nats(point.seed, work.thousands(point))?);
        let compared = group[0].kind != Kind::Dense;
        let behind: Option<Vec<f64>> = if compared { group.iter().map(behind).collect() } else { None };
        Row {
            recipe: group[0].recipe.clone(),
            kind: group[0].kind,
            target: group[0].target,
            depth: group[0].depth,
            saved: spread(&|point| point.saved),
            nats: spread(&|point| point.nats.unwrap_or_default()),
            work: spread(&|point| work.thousands(point)),
            behind: behind.unwrap_or_default(),
        }
    };
    groups(points).into_iter().map(row).collect()
}

/// Lines through the dense models of each seed.
struct Dense(BTreeMap<u64, Vec<(f64, f64)>>);

impl Dense {
    fn new(points: &[Point], work: Work) -> Self {
        let mut seeds: BTreeMap<u64, Vec<(f64, f64)>> = BTreeMap::new();
        for point in points.iter().filter(|point| point.kind == Kind::Dense) {
            if let Some(nats) = point.nats {
                seeds.entry(point.seed).or_default().push((work.thousands(point), nats));
            }
        }
        seeds.values_mut().for_each(|line| line.sort_by(|a, b| a.0.total_cmp(&b.0)));
        Self(seeds)
    }

    /// The loss for that much work: between the two models around it, beyond the dearest the dearest's.
    fn nats(&self, seed: u64, work: f64) -> Option<f64> {
        let line = self.0.get(&seed)?;
        match line.iter().position(|(dearer, _)| *dearer > work) {
            Some(0) => None,
            Some(after) => {
                let ((low, from), (high, to)) = (line[after - 1], line[after]);
                Some(from + (to - from) * (work - low) / (high - low))
            }
            None => line.last().map(|(_, nats)| *nats),
        }
    }
}

/// The rows in Markdown: means, in brackets least and most, and of the distances from dense models each seed's.
pub fn markdown(rows: &[Row], work: Work) -> String {
    let unit = match work {
        Work::Cycles => "thousand cycles",
        Work::WeightMacs => "thousand weight MACs",
    };
    let mut text = format!("| recipe | who decides | saved | loss, nats | {unit} | behind dense |\n|---|---|---|---|---|---|\n");
    for row in rows {
        let who = match (row.target, row.depth) {
            (Some(target), _) => format!("{} at {:.0}%", row.kind.name(), 100.0 * target),
            (None, Some(depth)) => format!("{}, {depth} blocks", row.kind.name()),
            (None, None) => row.kind.name().into(),
        };
        let Spread { mean, least, most } = row.nats;
        let nats = if least < most { format!("{mean:.4} ({least:.4} to {most:.4})") } else { format!("{mean:.4}") };
        let behind: Vec<String> = row.behind.iter().map(|nats| format!("{nats:+.4}")).collect();
        let behind = match &behind[..] {
            [] => String::new(),
            [one] => one.clone(),
            all => format!("{:+.4} ({})", Spread::of(&row.behind).mean, all.join(", ")),
        };
        let (recipe, saved, work) = (&row.recipe, 100.0 * row.saved.mean, row.work.mean);
        text += &format!("| {recipe} | {who} | {saved:.1}% | {nats} | {work:.1} | {behind} |\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::marks::tests::point;

    fn points() -> Vec<Point> {
        vec![
            point("small", 1, Kind::Dense, None, 1000.0, 2.0),
            point("large", 1, Kind::Dense, None, 3000.0, 1.0),
            point("small", 2, Kind::Dense, None, 1000.0, 2.2),
            point("large", 2, Kind::Dense, None, 3000.0, 1.2),
            point("routed", 1, Kind::Routed, Some(0.5), 2000.0, 1.4),
            point("routed", 2, Kind::Routed, Some(0.5), 2500.0, 1.5),
        ]
    }

    #[test]
    fn each_seed_is_compared_with_its_own_dense_models() {
        let rows = rows(&points());
        assert_eq!(rows.len(), 3);
        let behind: Vec<f64> = rows[2].behind.iter().map(|nats| (nats * 1e6).round() / 1e6).collect();
        assert_eq!(behind, [-0.1, 0.05]);
        assert!(rows[..2].iter().all(|row| row.behind.is_empty()));
        let text = markdown(&rows, Work::WeightMacs);
        assert!(text.contains("| large | dense | 0.0% | 1.1000 (1.0000 to 1.2000) | 3.0 |  |\n"), "{text}");
        let routed = "| routed | routed at 50% | 50.0% | 1.4500 (1.4000 to 1.5000) | 2.2 | -0.0250 (-0.1000, +0.0500) |\n";
        assert!(text.ends_with(routed), "{text}");
    }

    #[test]
    fn beyond_the_dearest_dense_model_it_stands_and_below_the_cheapest_nothing_does() {
        let of = |work: f64| {
            let mut points = points();
            points.push(point("other", 1, Kind::Full, None, work, 1.0));
            rows(&points).pop().unwrap().behind
        };
        assert_eq!(of(9000.0), [0.0]);
        assert_eq!(of(3000.0), [0.0]);
        assert_eq!(of(1000.0), [-1.0]);
        assert!(of(999.0).is_empty());
        let mut points = points();
        points.push(point("other", 3, Kind::Full, None, 2000.0, 1.0));
        assert!(rows(&points).pop().unwrap().behind.is_empty());
    }
}
