//! Loss over training, of every run.

use crate::metrics::Line;
use crate::plot::pareto::{LEGEND, legend_of_recipes, padded, span};
use crate::plot::picture::{Area, Picture};
use crate::plot::style::{GREY, GRID, INK, SANS, category, pale, text};
use crate::recipe::Kind;
use crate::sweep::grid;
use crate::sweep::group::recipes;
use crate::sweep::point::Point;
use anyhow::{Result, ensure};
use plotters::chart::ChartBuilder;
use plotters::element::{PathElement, Text};
use plotters::style::{Color, WHITE};
use plotters_backend::DrawingBackend;
use std::path::Path;

/// Share of a run's tokens whose losses do not set the scale: everything falls steeply at first.
const STEEP: f64 = 0.1;

/// What a run wrote while it trained.
#[derive(Clone, Debug)]
pub struct Trained {
    /// Index of its recipe among those of the sweep.
    pub recipe: usize,
    /// The recipe.
    pub stages: Vec<Kind>,
    /// Its metrics.
    pub lines: Vec<Line>,
}

/// Reads the metrics of every run of sweeps that has a folder in one of `folders`.
///
/// # Errors
/// A folder in which a file is missing or malformed.
pub fn trained(points: &[Point], folders: &[&Path]) -> Result<Vec<Trained>> {
    let names = recipes(points);
    let mut runs: Vec<(usize, u64)> = Vec::new();
    for point in points {
        let recipe = names.iter().position(|name| *name == point.recipe).unwrap_or_default();
        if !runs.contains(&(recipe, point.seed)) {
            runs.push((recipe, point.seed));
        }
    }
    let read = |(recipe, seed): (usize, u64)| {
        let name = format!("{}-s{seed}", names[recipe]);
        let folder = folders.iter().map(|folder| folder.join(&name)).find(|folder| folder.is_dir())?;
        let stages = || Ok(grid::recipe(&folder)?.stages.iter().map(|stage| stage.kind).collect());
        let lines = || crate::metrics::read(&folder.join("metrics.jsonl"));
        Some(stages().and_then(|stages| Ok(Trained { recipe, stages, lines: lines()? })))
    };
    runs.into_iter().filter_map(read).collect()
}

/// The picture.
#[derive(Clone, Debug)]
pub struct Curves {
    recipes: Vec<String>,
    runs: Vec<Curve>,
}

#[derive(Clone, Debug)]
struct Curve {
    recipe: usize,
    training: Vec<(f64, f64)>,   // (thousand tokens, nats)
    validation: Vec<(f64, f64)>, // the same
}

impl Curves {
    /// Of runs whose recipes have these names.
    ///
    /// # Errors
    /// No run has a loss.
    pub fn new(recipes: &[String], runs: &[Trained]) -> Result<Self> {
        let curve = |run: &Trained| {
            let at = |line: &Line, nats: f64| (line.tokens as f64 / 1e3, nats);
            // What routers train on is no cross-entropy.
            let nats = |line: &&Line| run.stages.get(line.stage).is_some_and(|kind| *kind != Kind::Routers);
            Curve {
                recipe: run.recipe,
                training: run.lines.iter().filter(nats).map(|line| at(line, line.loss)).collect(),
                validation: run.lines.iter().filter_map(|line| Some(at(line, line.validation?))).collect(),
            }
        };
        let runs: Vec<Curve> = runs.iter().map(curve).collect();
        ensure!(runs.iter().any(|run| !run.training.is_empty()), "no run has a training loss");
        Ok(Self { recipes: recipes.to_vec(), runs })
    }
}

impl Picture for Curves {
    fn size(&self) -> (u32, u32) {
        (1280, 720)
    }

    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Result<()>
    where
        B::ErrorType: 'static,
    {
        let (left, right) = area.split_horizontally(self.size().0 - LEGEND);
        let all = |run: &Curve| run.training.iter().chain(&run.validation).copied().collect::<Vec<_>>();
        let last = self.runs.iter().flat_map(all).map(|(tokens, _)| tokens).fold(0.0, f64::max);
        let late = self.runs.iter().flat_map(all).filter(|(tokens, _)| *tokens > STEEP * last).map(|(_, nats)| nats);
        let nats = padded(span(late));
        let mut chart = ChartBuilder::on(&left)
            .margin(18)
            .caption("Loss over training", (SANS, 22, &INK))
            .x_label_area_size(56)
            .y_label_area_size(74)
            .build_cartesian_2d(0.0..1.01 * last, nats.clone())?;
        chart
            .configure_mesh()
            .bold_line_style(GRID)
            .light_line_style(WHITE)
            .axis_style(GREY)
            .label_style((SANS, 15, &INK))
            .axis_desc_style((SANS, 16, &INK))
            .x_label_formatter(&|tokens| format!("{tokens:.0}"))
            .x_desc("thousand training tokens")
            .y_desc("loss, nats per character")
            .draw()?;
        let below = |points: &[(f64, f64)]| points.iter().copied().filter(|point| point.1 <= nats.end).collect::<Vec<_>>();
        for run in &self.runs {
            chart.draw_series([PathElement::new(below(&run.training), pale(category(run.recipe)).stroke_width(1))])?;
        }
        for run in &self.runs {
            chart.draw_series([PathElement::new(below(&run.validation), category(run.recipe).stroke_width(2))])?;
        }
        let mut y = legend_of_recipes(&right, &self.recipes, category)? + 24;
        for note in
            ["strong: validation sample,", "full depth or gates, float", "pale: training batches;", "one line for each seed"]
        {
            right.draw(&Text::new(note, (4, y), text(14, GREY)))?;
            y += 22;
        }
        Ok(())
    }
}
