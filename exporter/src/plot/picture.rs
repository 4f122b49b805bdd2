//! One picture, drawn twice: as SVG and as PNG.

use crate::checkpoint::write_whole;
use crate::plot::raster::Raster;
use crate::plot::style;
use anyhow::{Context, Result};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::prelude::SVGBackend;
use plotters::style::WHITE;
use plotters_backend::DrawingBackend;
use std::path::{Path, PathBuf};
use tiny_skia::Pixmap;

/// Where a picture is drawn.
pub type Area<B> = DrawingArea<B, Shift>;

/// Something to look at.
pub trait Picture {
    /// Width and height in pixels.
    fn size(&self) -> (u32, u32);

    /// Draws it on white.
    ///
    /// # Errors
    /// Those of plotters.
    fn draw<B: DrawingBackend>(&self, area: &Area<B>) -> Result<()>
    where
        B::ErrorType: 'static;
}

/// Writes `folder/name.svg` and `folder/name.png`; returns both paths.
///
/// # Errors
/// Those of plotters; a file that cannot be written.
pub fn write(picture: &impl Picture, folder: &Path, name: &str) -> Result<[PathBuf; 2]> {
    style::register();
    let mut svg = String::new();
    drawn(picture, SVGBackend::with_string(&mut svg, picture.size()))?;
    let (width, height) = picture.size();
    let mut pixmap = Pixmap::new(width, height).context("a picture without pixels")?;
    drawn(picture, Raster(&mut pixmap))?;
    let paths = [folder.join(format!("{name}.svg")), folder.join(format!("{name}.png"))];
    write_whole(&paths[0], svg.as_bytes())?;
    write_whole(&paths[1], &pixmap.encode_png().context("cannot encode a picture")?)?;
    Ok(paths)
}

fn drawn<B: DrawingBackend>(picture: &impl Picture, backend: B) -> Result<()>
where
    B::ErrorType: 'static,
{
    let area = backend.into_drawing_area();
    area.fill(&WHITE)?;
    picture.draw(&area)?;
    area.present()?;
    Ok(())
}
