//! Loss against work per token, of every recipe and every control.

use crate::plot::marks::{Mark, marks};
use crate::plot::picture::{Area, Picture};
use crate::plot::style::{GREY, GRID, INK, SANS, category, pale, text};
use crate::split::Part;
use crate::sweep::group::{Work, groups, recipes};
use crate::sweep::point::{Kind, Point};
use anyhow::{Result, ensure};
use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::style::{Color, RGBColor, ShapeStyle, WHITE};
use plotters_backend::{BackendCoord, DrawingBackend};
use std::ops::Range;

/// Width of the legend in pixels.
pub const LEGEND: u32 = 300;
/// Height of one of its rows in pixels.
const ROW: i32 = 26;

/// The picture.
#[derive(Clone, Debug)]
pub struct Pareto {
    recipes: Vec<String>,
    marks: Vec<Mark>,
    work: Work,
    core: String,
    part: Part,
    seeds: usize,
    alike: bool, // whether every mark is a mean over all of them
    range: (Range<f64>, Range<f64>),
}

impl Pareto {
    /// Of the points of a sweep.
    ///
    /// # Errors
    /// No point has a loss.
    pub fn new(points: &[Point]) -> Result<Self> {
        let work = Work::of(points);
        let all = marks(points, work);
        // A control that is far worse than everything else must not squash the picture.
        let (shown, aside): (Vec<_>, Vec<_>) = all.iter().cloned().partition(|mark| !is_control(mark.kind));
        ensure!(!shown.is_empty(), "there is no loss to draw");
        let nats = span(shown.iter().flat_map(|mark| [mark.nats.least, mark.nats.most]));
        let most = nats.end + 0.3 * (nats.end - nats.start);
        let marks: Vec<Mark> = shown.into_iter().chain(aside.into_iter().filter(|mark| mark.nats.most <= most)).collect();
        let x = padded(span(marks.iter().flat_map(|mark| [mark.work.least, mark.work.most])));
        let y = padded(span(marks.iter().flat_map(|mark| [mark.nats.least, mark.nats.most])));
        let part = points.first().map(|point| point.part).unwrap_or_default();
        let core = points.iter().find_map(|point| point.core.clone()).unwrap_or_default();
        let mut seeds: Vec<u64> = points.iter().map(|point| point.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        let alike = groups(points).iter().all(|group| group.len() == seeds.len());
        Ok(Self { recipes: recipes(points), marks, work, core, part, seeds: seeds.len(), alike, range: (x, y) })
    }
}

const fn is_control(kind: Kind) -> bool {
    matches!(kind, Kind::Static | Kind::Random | Kind::Shuffled | Kind::Confidence)
}

/// From the least to the most.
pub(crate) fn span(values: impl Iterator<Item = f64>) -> Range<f64> {
    values.fold(f64::INFINITY..f64::NEG_INFINITY, |range, value| range.start.min(value)..range.end.max(value))
}

/// Some room on both sides, and never none.
pub(crate) fn padded(range: Range<f64>) -> Range<f64> {
    let room = (0.06 * (range.end - range.start)).max(1e-3 * range.end.abs()).max(1e-6);
    range.start - room..range.end + room
}

impl Picture for Pareto {
    fn size(&self) -> (u32, u32) {
        let entries = (self.recipes.len() + KINDS.len()) as u32;
        (1280, (150 + ROW as u32 * entries).max(780)) // the legend has a row for each
    }

    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Result<()>
    where
        B::ErrorType: 'static,
    {
        let (left, right) = area.split_horizontally(self.size().0 - LEGEND);
        let unit = match self.work {
            Work::Cycles => format!("thousand cycles per token, modelled {}", self.core),
            Work::WeightMacs => "thousand weight multiply-accumulates per token".into(),
        };
        let mut chart = ChartBuilder::on(&left)
            .margin(18)
            .caption("Loss against work per token", (SANS, 22, &INK))
            .x_label_area_size(56)
            .y_label_area_size(74)
            .build_cartesian_2d(self.range.0.clone(), self.range.1.clone())?;
        chart
            .configure_mesh()
            .bold_line_style(GRID)
            .light_line_style(WHITE)
            .axis_style(GREY)
            .label_style((SANS, 15, &INK))
            .axis_desc_style((SANS, 16, &INK))
            .x_desc(unit)
            .y_desc(format!("{} loss, nats per character", self.part.name()))
            .y_label_formatter(&|nats| format!("{nats:.3}"))
            .x_label_formatter(&|work| format!("{work:.0}"))
            .draw()?;
        let dense: Vec<(f64, f64)> = {
            let mut dense: Vec<&Mark> = self.marks.iter().filter(|mark| mark.kind == Kind::Dense).collect();
            dense.sort_by(|a, b| a.work.mean.total_cmp(&b.work.mean));
            dense.iter().map(|mark| (mark.work.mean, mark.nats.mean)).collect()
        };
        chart.draw_series([PathElement::new(dense, INK.stroke_width(2))])?;
        for (recipe, _) in self.recipes.iter().enumerate() {
            for kind in KINDS {
                let of: Vec<&Mark> = self.marks.iter().filter(|mark| (mark.recipe, mark.kind) == (recipe, kind)).collect();
                let color = self.color(recipe);
                let line = if is_control(kind) { pale(color).stroke_width(1) } else { color.stroke_width(3) };
                let path = of.iter().map(|mark| (mark.work.mean, mark.nats.mean)).collect::<Vec<_>>();
                chart.draw_series([PathElement::new(path, line)])?;
                for mark in of {
                    let bar = [(mark.work.mean, mark.nats.least), (mark.work.mean, mark.nats.most)];
                    chart.draw_series([PathElement::new(bar, color.stroke_width(1))])?;
                    let at = chart.backend_coord(&(mark.work.mean, mark.nats.mean));
                    let (x, y) = left.get_base_pixel();
                    symbol(&left, kind, (at.0 - x, at.1 - y), color)?;
                }
            }
        }
        self.legend(&right)
    }
}

/// In the order of the legend, controls first so that they lie below.
const KINDS: [Kind; 9] =
    [Kind::Static, Kind::Random, Kind::Shuffled, Kind::Confidence, Kind::Soft, Kind::Half, Kind::Full, Kind::Routed, Kind::Dense];

const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Dense => "dense model",
        Kind::Full => "routed model, every block",
        Kind::Routed => "routers decide",
        Kind::Half => "gates at 0.5",
        Kind::Soft => "soft gates, nothing saved",
        Kind::SoftInitial => "soft gates before training",
        Kind::Static => "control: last blocks dropped",
        Kind::Random => "control: random halting",
        Kind::Shuffled => "control: depths shuffled",
        Kind::Confidence => "control: confident exit",
    }
}

/// Draws the symbol of a kind around a pixel.
fn symbol<B: DrawingBackend>(area: &DrawingArea<B, Shift>, kind: Kind, (x, y): BackendCoord, color: RGBColor) -> Result<()>
where
    B::ErrorType: 'static,
{
    let full = ShapeStyle { filled: true, ..color.stroke_width(1) };
    let open = color.stroke_width(2);
    let cross = |points: [BackendCoord; 2]| PathElement::new(points.map(|(dx, dy)| (x + dx, y + dy)), open);
    match kind {
        Kind::Dense => area.draw(&Rectangle::new([(x - 6, y - 6), (x + 6, y + 6)], full))?,
        Kind::Routed => area.draw(&Circle::new((x, y), 6, full))?,
        Kind::Full => {
            area.draw(&Circle::new((x, y), 7, WHITE.filled()))?;
            area.draw(&Circle::new((x, y), 7, open))?;
        }
        Kind::Soft | Kind::SoftInitial | Kind::Half => {
            let corners = vec![(x, y - 8), (x + 7, y + 5), (x - 7, y + 5)];
            area.draw(&Polygon::new(corners, if kind == Kind::Half { full } else { color.mix(0.5).filled() }))?;
        }
        Kind::Static => {
            area.draw(&Rectangle::new([(x - 4, y - 4), (x + 4, y + 4)], WHITE.filled()))?;
            area.draw(&Rectangle::new([(x - 4, y - 4), (x + 4, y + 4)], open))?;
        }
        Kind::Random => {
            area.draw(&cross([(-4, -4), (4, 4)]))?;
            area.draw(&cross([(-4, 4), (4, -4)]))?;
        }
        Kind::Shuffled => {
            area.draw(&cross([(-5, 0), (5, 0)]))?;
            area.draw(&cross([(0, -5), (0, 5)]))?;
        }
        Kind::Confidence => {
            area.draw(&Polygon::new(vec![(x, y - 6), (x + 6, y), (x, y + 6), (x - 6, y)], color.mix(0.6).filled()))?
        }
    }
    Ok(())
}

impl Pareto {
    /// Ink of a recipe that is measured as a dense model, else one of the categories.
    fn color(&self, recipe: usize) -> RGBColor {
        let is_dense = |recipe: usize| self.marks.iter().any(|mark| (mark.recipe, mark.kind) == (recipe, Kind::Dense));
        if is_dense(recipe) { INK } else { category((0..recipe).filter(|before| !is_dense(*before)).count()) }
    }

    fn legend<B: DrawingBackend>(&self, area: &Area<B>) -> Result<()>
    where
        B::ErrorType: 'static,
    {
        let mut y = legend_of_recipes(area, &self.recipes, |recipe| self.color(recipe))? + 24;
        for kind in KINDS.iter().rev().filter(|kind| self.marks.iter().any(|mark| mark.kind == **kind)) {
            symbol(area, *kind, (14, y), GREY)?;
            area.draw(&Text::new(name(*kind), (34, y + 2), text(15, INK)))?;
            y += ROW;
        }
        y += 16;
        let notes = match self.seeds {
            1 => vec!["one seed".to_owned()],
            seeds => {
                let most = if self.alike { "" } else { "up to " };
                vec![format!("means over {most}{seeds} seeds;"), "bars from the least to the most".into()]
            }
        };
        for note in notes {
            area.draw(&Text::new(note, (4, y), text(14, GREY)))?;
            y += 22;
        }
        Ok(())
    }
}

/// A colour for each recipe; returns the pixel below the last.
pub(crate) fn legend_of_recipes<B: DrawingBackend>(
    area: &Area<B>,
    recipes: &[String],
    color: impl Fn(usize) -> RGBColor,
) -> Result<i32>
where
    B::ErrorType: 'static,
{
    let mut y = 70;
    for (index, recipe) in recipes.iter().enumerate() {
        area.draw(&Rectangle::new([(4, y - 6), (24, y + 6)], color(index).filled()))?;
        area.draw(&Text::new(recipe.clone(), (34, y + 2), text(15, INK)))?;
        y += ROW;
    }
    Ok(y)
}
