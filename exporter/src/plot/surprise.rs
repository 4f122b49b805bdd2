//! Depth against the surprise of a character, and against its place in its word.

use crate::plot::pareto::{padded, span};
use crate::plot::picture::{Area, Picture};
use crate::plot::reading::{Character, Reading};
use crate::plot::style::{GREY, GRID, INK, SANS, category, text};
use anyhow::Result;
use plotters::chart::ChartBuilder;
use plotters::element::{Circle, PathElement, Rectangle, Text};
use plotters::style::{Color, WHITE};
use plotters_backend::DrawingBackend;
use std::ops::Range;

/// Groups of equally many characters, from the least surprising to the most.
const GROUPS: usize = 20;
/// Places in a word that are told apart; later ones count as the last.
const PLACES: usize = 10;
/// Width of an interval in standard errors: 95%.
const INTERVAL: f64 = 1.96;

/// A mean depth.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Depth {
    at: f64,
    mean: f64,
    /// Half of its interval.
    error: f64,
}

/// How a value of an axis is written.
type Label<'a> = &'a dyn Fn(&f64) -> String;

/// The picture.
#[derive(Clone, Debug)]
pub struct Surprise {
    title: String,
    by_surprise: Vec<Depth>,
    by_place: Vec<Depth>,
}

impl Surprise {
    /// Of a whole text.
    pub fn new(reading: &Reading) -> Self {
        let Reading { run, saved, characters, .. } = reading;
        let title = format!("{run}: {} characters, {:.1}% of token-layer operations saved", characters.len(), 100.0 * saved);
        Self { title, by_surprise: by_surprise(characters), by_place: by_place(characters) }
    }
}

fn by_surprise(characters: &[Character]) -> Vec<Depth> {
    let mut sorted: Vec<&Character> = characters.iter().collect();
    sorted.sort_by(|a, b| a.nats.total_cmp(&b.nats));
    let groups = sorted.chunks(sorted.len().div_ceil(GROUPS).max(1));
    groups.map(|group| depth(group, group.iter().map(|character| character.nats).sum::<f64>() / group.len() as f64)).collect()
}

fn by_place(characters: &[Character]) -> Vec<Depth> {
    let at = |place: usize| characters.iter().filter(|character| character.place.min(PLACES) == place).collect::<Vec<_>>();
    (0..=PLACES)
        .map(|place| (place, at(place)))
        .filter(|(_, at)| !at.is_empty())
        .map(|(place, at)| depth(&at, place as f64))
        .collect()
}

fn depth(characters: &[&Character], at: f64) -> Depth {
    let count = characters.len() as f64;
    let mean = characters.iter().map(|character| character.depth as f64).sum::<f64>() / count;
    let variance = characters.iter().map(|character| (character.depth as f64 - mean).powi(2)).sum::<f64>() / count;
    Depth { at, mean, error: INTERVAL * (variance / count).sqrt() }
}

fn range(depths: &[Depth]) -> Range<f64> {
    padded(span(depths.iter().flat_map(|depth| [depth.mean - depth.error, depth.mean + depth.error])))
}

impl Picture for Surprise {
    fn size(&self) -> (u32, u32) {
        (1280, 560)
    }

    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Result<()>
    where
        B::ErrorType: 'static,
    {
        let (head, body) = area.split_vertically(62);
        head.draw(&Text::new(self.title.clone(), (18, 26), text(20, INK)))?;
        let how = format!("means with 95% intervals; left: {GROUPS} groups of equally many characters");
        head.draw(&Text::new(how, (18, 50), text(14, GREY)))?;
        let (left, right) = body.split_horizontally(self.size().0 / 2);
        let depths = range(&[self.by_surprise.clone(), self.by_place.clone()].concat());
        let surprise = padded(0.0..self.by_surprise.iter().map(|depth| depth.at).fold(0.0, f64::max));
        let places = |place: &f64| match place.round() {
            p if (p - place).abs() > 1e-6 => String::new(),
            0.0 => "none".into(),
            p if p >= PLACES as f64 => format!("{PLACES}+"),
            p => format!("{p}"),
        };
        let surprises = |nats: &f64| format!("{nats:.1}");
        let (surprises, places): (Label<'_>, Label<'_>) = (&surprises, &places);
        let sides = [
            (left, &self.by_surprise, surprise, "surprise of the character, nats", surprises),
            (right, &self.by_place, -0.6..PLACES as f64 + 0.6, "place of the letter in its word", places),
        ];
        for (side, (area, points, x, name, labels)) in sides.into_iter().enumerate() {
            let mut chart = ChartBuilder::on(&area)
                .margin(16)
                .x_label_area_size(54)
                .y_label_area_size(66)
                .build_cartesian_2d(x, depths.clone())?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .bold_line_style(GRID)
                .light_line_style(WHITE)
                .axis_style(GREY)
                .label_style((SANS, 15, &INK))
                .axis_desc_style((SANS, 16, &INK))
                .x_labels(PLACES + 3)
                .x_label_formatter(labels)
                .y_label_formatter(&|depth| format!("{depth:.2}"))
                .x_desc(name)
                .y_desc("mean blocks run to predict it")
                .draw()?;
            let color = category(side);
            if side == 0 {
                let line = points.iter().map(|depth| (depth.at, depth.mean)).collect::<Vec<_>>();
                chart.draw_series([PathElement::new(line, color.stroke_width(2))])?;
                chart.draw_series(points.iter().map(|depth| Circle::new((depth.at, depth.mean), 5, color.filled())))?;
            } else {
                let bar = |depth: &Depth| [(depth.at - 0.36, depths.start), (depth.at + 0.36, depth.mean)];
                chart.draw_series(points.iter().map(|depth| Rectangle::new(bar(depth), color.mix(0.75).filled())))?;
            }
            let error = |depth: &Depth| [(depth.at, depth.mean - depth.error), (depth.at, depth.mean + depth.error)];
            chart.draw_series(points.iter().map(|depth| PathElement::new(error(depth), INK.stroke_width(2))))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surprise_is_grouped_evenly_and_places_by_letter() {
        let of = |i: usize| Character { byte: b'a', depth: 1 + i / 50, nats: (99 - i) as f64, place: i % 20 };
        let characters: Vec<Character> = (0..100).map(of).collect();
        let found = by_surprise(&characters);
        assert_eq!(found.len(), GROUPS);
        assert_eq!((found[0], found[19]), (Depth { at: 2.0, mean: 2.0, error: 0.0 }, Depth { at: 97.0, mean: 1.0, error: 0.0 }));
        let places = by_place(&characters);
        assert_eq!(places.len(), PLACES + 1);
        assert_eq!((places[1].at, places[1].mean), (1.0, 1.4));
    }
}
