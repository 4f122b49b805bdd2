//! A sweep as a table: every recipe and control, beside the dense models of equal work.

use crate::soft_metric::operations;
use crate::sweep::group::{Spread, Work, groups};
use crate::sweep::point::{Kind, Point};
use serde::Serialize;
use std::collections::BTreeMap;

/// Name of the schema.
pub const SCHEMA: &str = "fathom-table/1";
/// How much work, as a share of a dense model's, is taken to be as much: a point that is this much dearer than the dearest dense model is still
/// compared with it, and a dense model that is this much dearer than a point is.
const SLACK: f64 = 0.01;

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
    /// Seeds.
    pub seeds: Vec<u64>,
    /// Loss in nats per token; none of kind soft-initial.
    pub nats: Option<Spread>,
    /// Mean gate of kinds soft and soft-initial.
    pub alpha: Option<Spread>,
    /// Share of token-layer operations that soft gates are said to save, by their mean; they save none.
    pub said: Option<Spread>,
    /// Multiply-accumulates with a weight per token, in thousands: routers, and keys and values of blocks that tokens did not run, included.
    pub weight_macs: Spread,
    /// Work per token in thousands of [`Table::work`].
    pub work: Spread,
    /// By how many nats each seed, `[seeds]`, is behind the line through the dense models of that seed; none of dense models themselves, and
    /// where a seed has no dense models on both sides.
    pub behind: Option<Vec<f64>>,
    /// By how many nats each seed, `[seeds]`, is behind the best dense model of that seed that takes no more work, or at most a
    /// hundredth more; none where `behind` is.
    pub behind_best: Option<Vec<f64>>,
}

/// A sweep, as `exporter table --json` prints it.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct Table {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// What work is: `cycles`, or `weight-macs` of a sweep without cycles.
    pub work: Work,
    /// The core of the cycles.
    pub core: Option<String>,
    /// In the order of the points.
    pub rows: Vec<Row>,
}

impl Table {
    /// Of the points of a sweep.
    pub fn new(points: &[Point]) -> Self {
        let core = points.iter().find_map(|point| point.core.clone());
        Self { schema: SCHEMA, work: Work::of(points), core, rows: rows(points) }
    }
}

fn rows(points: &[Point]) -> Vec<Row> {
    let work = Work::of(points);
    let dense = Dense::new(points, work);
    let row = |group: Vec<&Point>| {
        let spread = |value: &dyn Fn(&Point) -> f64| Spread::of(&group.iter().map(|point| value(point)).collect::<Vec<_>>());
        let compared = group[0].kind != Kind::Dense;
        let behind = |loss: &dyn Fn(u64, f64) -> Option<f64>| -> Option<Vec<f64>> {
            let distance = |point: &&Point| Some(point.nats? - loss(point.seed, work.thousands(point))?);
            if compared { group.iter().map(distance).collect() } else { None }
        };
        let on_line = behind(&|seed, work| dense.nats(seed, work));
        let behind_best = on_line.as_ref().and_then(|_| behind(&|seed, work| dense.best(seed, work)));
        Row {
            recipe: group[0].recipe.clone(),
            kind: group[0].kind,
            target: group[0].target,
            depth: group[0].depth,
            saved: spread(&|point| point.saved),
            seeds: group.iter().map(|point| point.seed).collect(),
            nats: Spread::of_some(group.iter().map(|point| point.nats)),
            alpha: Spread::of_some(group.iter().map(|point| point.alpha)),
            said: Spread::of_some(group.iter().map(|point| Some(1.0 - operations(point.alpha?, point.blocks)))),
            weight_macs: spread(&|point| Work::WeightMacs.thousands(point)),
            work: spread(&|point| work.thousands(point)),
            behind: on_line,
            behind_best,
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

    /// The loss for that much work, between the two models around it.
    fn nats(&self, seed: u64, work: f64) -> Option<f64> {
        let line = self.0.get(&seed)?;
        match line.iter().position(|(dearer, _)| *dearer > work) {
            Some(0) => None,
            Some(after) => {
                let ((low, from), (high, to)) = (line[after - 1], line[after]);
                Some(from + (to - from) * (work - low) / (high - low))
            }
            None => line.last().filter(|(dearest, _)| work <= dearest * (1.0 + SLACK)).map(|(_, nats)| *nats),
        }
    }

    /// The least loss of the models that take no more work, or so little more that it is taken to be as much.
    fn best(&self, seed: u64, work: f64) -> Option<f64> {
        let fits = self.0.get(&seed)?.iter().filter(|(needs, _)| *needs <= work * (1.0 + SLACK));
        fits.map(|(_, nats)| *nats).min_by(f64::total_cmp)
    }
}

/// The mean, in brackets each seed's.
fn distances(behind: Option<&[f64]>) -> String {
    let behind = behind.unwrap_or_default();
    let each: Vec<String> = behind.iter().map(|nats| format!("{nats:+.4}")).collect();
    match &each[..] {
        [] => String::new(),
        [one] => one.clone(),
        all => format!("{:+.4} ({})", Spread::of(behind).mean, all.join(", ")),
    }
}

/// The mean, in brackets least and most where they differ.
fn spread(Spread { mean, least, most }: Spread, digits: usize) -> String {
    if least < most { format!("{mean:.digits$} ({least:.digits$} to {most:.digits$})") } else { format!("{mean:.digits$}") }
}

/// The table in Markdown: means, in brackets least and most, and of the distances from dense models each seed's.
pub fn markdown(table: &Table) -> String {
    let unit = match (table.work, &table.core) {
        (Work::Cycles, Some(core)) => format!("thousand cycles, {core}"),
        (Work::Cycles, None) => "thousand cycles".into(),
        (Work::WeightMacs, _) => "thousand weight MACs".into(),
    };
    let macs = if table.work == Work::Cycles { " thousand weight MACs |" } else { "" };
    let mut text = format!(
        "| recipe | seeds | who decides | saved | loss, nats |{macs} {unit} | behind dense | behind the best dense |\n|---|---|---|---|---|"
    );
    text += if macs.is_empty() { "---|---|---|\n" } else { "---|---|---|---|\n" };
    for row in &table.rows {
        let who = match (row.target, row.depth, row.alpha, row.said) {
            (Some(target), ..) => format!("{} at {:.0}%", row.kind.name(), 100.0 * target),
            (None, Some(depth), ..) => format!("{}, {depth} blocks", row.kind.name()),
            (None, None, Some(alpha), Some(said)) => {
                format!("{}, alpha {}, said to save {:.1}%", row.kind.name(), spread(alpha, 3), 100.0 * said.mean)
            }
            _ => row.kind.name().into(),
        };
        let nats = row.nats.map_or_else(String::new, |nats| spread(nats, 4));
        let (behind, best) = (distances(row.behind.as_deref()), distances(row.behind_best.as_deref()));
        let (recipe, seeds, saved, work) = (&row.recipe, row.seeds.len(), 100.0 * row.saved.mean, row.work.mean);
        let macs = if macs.is_empty() { String::new() } else { format!(" {:.1} |", row.weight_macs.mean) };
        text += &format!("| {recipe} | {seeds} | {who} | {saved:.1}% | {nats} |{macs} {work:.1} | {behind} | {best} |\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::point::tests::point;

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
        let table = Table::new(&points());
        let rows = &table.rows;
        assert_eq!((rows.len(), &rows[2].seeds[..]), (3, &[1, 2][..]));
        let behind: Vec<f64> = rows[2].behind.iter().flatten().map(|nats| (nats * 1e6).round() / 1e6).collect();
        assert_eq!(behind, [-0.1, 0.05]);
        assert!(rows[..2].iter().all(|row| row.behind.is_none()));
        let text = markdown(&table);
        assert!(text.contains("| large | 2 | dense | 0.0% | 1.1000 (1.0000 to 1.2000) | 3.0 |  |  |\n"), "{text}");
        let routed = "| routed | 2 | routed at 50% | 50.0% | 1.4500 (1.4000 to 1.5000) | 2.2 | -0.0250 (-0.1000, +0.0500) | -0.6500 (-0.6000, -0.7000) |\n";
        assert!(text.ends_with(routed), "{text}");
    }

    #[test]
    fn beside_cycles_there_are_weight_macs() {
        let modelled = |point: Point| Point { cycles: Some(2.0 * point.weight_macs), ..point };
        let text = markdown(&Table::new(&points().into_iter().map(modelled).collect::<Vec<_>>()));
        assert!(
            text.starts_with("| recipe | seeds | who decides | saved | loss, nats | thousand weight MACs | thousand cycles |")
        );
        assert!(text.contains("|\n|---|---|---|---|---|---|---|---|---|\n"), "{text}");
        assert!(text.contains("| large | 2 | dense | 0.0% | 1.1000 (1.0000 to 1.2000) | 3.0 | 6.0 |  |  |\n"), "{text}");
    }

    #[test]
    fn what_has_no_dense_model_on_both_sides_is_not_compared() {
        let of = |seed: u64, work: f64| {
            let mut points = points();
            points.push(point("other", seed, Kind::Full, None, work, 1.0));
            rows(&points).pop().unwrap().behind
        };
        assert_eq!(of(1, 1000.0), Some(vec![-1.0]));
        assert_eq!((of(1, 999.0), of(3, 2000.0)), (None, None));
        assert_eq!(of(1, 3000.0), Some(vec![0.0]));
        // As dear as the dearest, for all that a router takes.
        assert_eq!((of(1, 3029.0), of(1, 3031.0)), (Some(vec![0.0]), None));
    }

    #[test]
    fn the_best_dense_model_that_fits_is_no_dearer_than_the_point_but_for_a_hundredth() {
        let of = |work: f64| {
            let mut points = points();
            points.push(point("larger and worse", 1, Kind::Dense, None, 4000.0, 1.1));
            points.push(point("other", 1, Kind::Full, None, work, 1.0));
            rows(&points).pop().unwrap().behind_best
        };
        assert_eq!((of(2900.0), of(2980.0), of(3500.0)), (Some(vec![-1.0]), Some(vec![0.0]), Some(vec![0.0])));
        assert_eq!((of(4039.0), of(4041.0), of(999.0)), (Some(vec![0.0]), None, None));
    }

    #[test]
    fn soft_gates_have_their_mean_and_before_training_no_loss() {
        let gates = |seed, kind, nats, alpha| Point { nats, alpha, ..point("soft", seed, kind, None, 9000.0, 0.0) };
        let points = [
            gates(1, Kind::SoftInitial, None, Some(0.73)),
            gates(1, Kind::Soft, Some(1.5), Some(0.625)),
            gates(2, Kind::Soft, Some(1.5), Some(0.75)),
        ];
        let text = markdown(&Table::new(&points));
        assert!(text.contains("| soft | 1 | soft-initial, alpha 0.730, said to save 13.5% | 0.0% |  | 9.0 |  |  |\n"), "{text}");
        let trained = "| soft | 2 | soft, alpha 0.688 (0.625 to 0.750), said to save 15.6% | 0.0% | 1.5000 | 9.0 |  |  |\n";
        assert!(text.contains(trained), "{text}");
    }

    #[test]
    fn kinds_are_named_as_in_the_record() {
        for kind in [Kind::Dense, Kind::Routed, Kind::SoftInitial, Kind::Confidence, Kind::Half] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}
