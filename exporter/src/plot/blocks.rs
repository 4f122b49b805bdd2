//! Share of the tokens that run each block, over training.

use crate::plot::curves::Trained;
use crate::plot::pareto::padded;
use crate::plot::picture::{Area, Picture};
use crate::plot::style::{GREY, GRID, INK, SANS, sequence, text};
use anyhow::{Result, ensure};
use plotters::chart::ChartBuilder;
use plotters::element::{Circle, PathElement, Text};
use plotters::style::{Color, WHITE};
use plotters_backend::DrawingBackend;

/// Height of a panel in pixels.
const PANEL: u32 = 340;
/// Panels side by side.
const COLUMNS: usize = 2;

/// For each block `[blocks]`, (thousand tokens, share) over training.
type Shares = Vec<Vec<(f64, f64)>>;

/// The picture: a panel for each recipe that trains routers.
#[derive(Clone, Debug)]
pub struct Blocks {
    panels: Vec<(String, Shares)>,
}

impl Blocks {
    /// Of the first run of each recipe.
    ///
    /// # Errors
    /// No run trains routers.
    pub fn new(recipes: &[String], runs: &[Trained]) -> Result<Self> {
        let panel = |(index, name): (usize, &String)| {
            let run = runs.iter().find(|run| run.recipe == index)?;
            let looks: Vec<(f64, &Vec<f64>)> =
                run.lines.iter().filter_map(|line| Some((line.tokens as f64 / 1e3, line.active_blocks.as_ref()?))).collect();
            let blocks = looks.first()?.1.len();
            let line = |block: usize| {
                looks.iter().filter_map(|(tokens, shares)| Some((*tokens, *shares.get(block)?))).collect::<Vec<_>>()
            };
            Some((name.clone(), (0..blocks).map(line).collect()))
        };
        let panels: Vec<_> = recipes.iter().enumerate().filter_map(panel).collect();
        ensure!(!panels.is_empty(), "no run trains routers");
        Ok(Self { panels })
    }
}

impl Picture for Blocks {
    fn size(&self) -> (u32, u32) {
        (1280, 60 + PANEL * self.panels.len().div_ceil(COLUMNS) as u32)
    }

    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Result<()>
    where
        B::ErrorType: 'static,
    {
        let (head, body) = area.split_vertically(60);
        head.draw(&Text::new("Tokens that run each block, over training", (18, 24), text(22, INK)))?;
        let how = "gates, soft or hard: their mean; routers that halt: when they save 40% of the operations of a validation sample; first seed";
        head.draw(&Text::new(how, (18, 48), text(14, GREY)))?;
        let columns = COLUMNS.min(self.panels.len());
        let areas = body.split_evenly((self.panels.len().div_ceil(columns), columns));
        for ((name, blocks), area) in self.panels.iter().zip(areas) {
            let first = blocks.iter().flatten().map(|(tokens, _)| *tokens).fold(f64::INFINITY, f64::min);
            let last = blocks.iter().flatten().map(|(tokens, _)| *tokens).fold(0.0, f64::max);
            let (chart_area, legend) = area.split_horizontally(area.dim_in_pixel().0 - 84);
            let mut chart = ChartBuilder::on(&chart_area)
                .margin(14)
                .caption(name, (SANS, 17, &INK))
                .x_label_area_size(48)
                .y_label_area_size(60)
                .build_cartesian_2d(padded(first..last), 0.0..1.03)?;
            chart
                .configure_mesh()
                .bold_line_style(GRID)
                .light_line_style(WHITE)
                .axis_style(GREY)
                .label_style((SANS, 14, &INK))
                .axis_desc_style((SANS, 15, &INK))
                .x_desc("thousand training tokens")
                .y_desc("share of tokens")
                .x_labels(6)
                .x_label_formatter(&|tokens| format!("{tokens:.0}"))
                .draw()?;
            for (block, line) in blocks.iter().enumerate() {
                // The lightest tones are left out: they vanish on white.
                let color = sequence(0.85 * block as f64 / (blocks.len() - 1).max(1) as f64);
                chart.draw_series([PathElement::new(line.clone(), color.stroke_width(2))])?;
                chart.draw_series(line.iter().map(|point| Circle::new(*point, 3, color.filled())))?;
                let y = 56 + 24 * block as i32;
                legend.draw(&PathElement::new([(0, y), (16, y)], color.stroke_width(4)))?;
                legend.draw(&Text::new(format!("block {block}"), (22, y), text(13, INK)))?;
            }
        }
        Ok(())
    }
}
