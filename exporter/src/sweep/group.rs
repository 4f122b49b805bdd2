//! Points of a sweep that differ in their seed alone.

use crate::sweep::point::Point;
use serde::Serialize;

/// Mean, least and most over seeds.
#[derive(Clone, Copy, Debug, Default, Serialize, PartialEq)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Least.
    pub least: f64,
    /// Most.
    pub most: f64,
}

impl Spread {
    /// Of the values that there are; none of none.
    pub fn of_some(values: impl Iterator<Item = Option<f64>>) -> Option<Self> {
        let values: Vec<f64> = values.flatten().collect();
        (!values.is_empty()).then(|| Self::of(&values))
    }

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
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
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
    pub fn thousands(self, point: &Point) -> f64 {
        match self {
            Self::Cycles => point.cycles.unwrap_or_default() / 1e3,
            Self::WeightMacs => point.weight_macs / 1e3,
        }
    }
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

/// Points by recipe, kind, target and depth, in the order of the first of each.
pub fn groups(points: &[Point]) -> Vec<Vec<&Point>> {
    let mut groups: Vec<Vec<&Point>> = Vec::new();
    for point in points {
        let same = |group: &&mut Vec<&Point>| {
            let other = group[0];
            (&other.recipe, other.kind, other.target, other.depth) == (&point.recipe, point.kind, point.target, point.depth)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(point),
            None => groups.push(vec![point]),
        }
    }
    groups
}
