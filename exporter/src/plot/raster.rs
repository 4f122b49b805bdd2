//! Pixels for plotters, with smooth edges.

use plotters_backend::{BackendColor, BackendCoord, BackendStyle, DrawingBackend, DrawingErrorKind};
use std::convert::Infallible;
use tiny_skia::{FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, Transform};

/// A backend that draws on a pixmap; nothing it does can fail.
#[derive(Debug)]
pub struct Raster<'a>(pub &'a mut Pixmap);

type Done = Result<(), DrawingErrorKind<Infallible>>;

fn paint(color: BackendColor) -> Paint<'static> {
    let mut paint = Paint::default();
    let (red, green, blue) = color.rgb;
    paint.set_color_rgba8(red, green, blue, (color.alpha * 255.0).round() as u8);
    paint
}

/// The middle of a pixel, so that a line one pixel wide fills its row.
fn middle((x, y): BackendCoord) -> (f32, f32) {
    (x as f32 + 0.5, y as f32 + 0.5)
}

/// A path without points is drawn as nothing.
fn through(points: impl IntoIterator<Item = BackendCoord>, close: bool) -> Option<Path> {
    let mut builder = PathBuilder::new();
    for (index, point) in points.into_iter().enumerate() {
        let (x, y) = middle(point);
        if index == 0 { builder.move_to(x, y) } else { builder.line_to(x, y) }
    }
    if close {
        builder.close();
    }
    builder.finish()
}

impl Raster<'_> {
    fn fill(&mut self, path: Option<Path>, style: &impl BackendStyle) -> Done {
        if let Some(path) = path {
            self.0.fill_path(&path, &paint(style.color()), FillRule::Winding, Transform::identity(), None);
        }
        Ok(())
    }

    fn stroke(&mut self, path: Option<Path>, style: &impl BackendStyle) -> Done {
        if let Some(path) = path {
            let width = style.stroke_width() as f32;
            let stroke = Stroke { width, line_cap: LineCap::Round, line_join: LineJoin::Round, ..Stroke::default() };
            self.0.stroke_path(&path, &paint(style.color()), &stroke, Transform::identity(), None);
        }
        Ok(())
    }
}

impl DrawingBackend for Raster<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (self.0.width(), self.0.height())
    }

    fn ensure_prepared(&mut self) -> Done {
        Ok(())
    }

    fn present(&mut self) -> Done {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Done {
        if let Some(pixel) = Rect::from_xywh(x as f32, y as f32, 1.0, 1.0) {
            self.0.fill_rect(pixel, &paint(color), Transform::identity(), None);
        }
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Done {
        self.stroke(through([from, to], false), style)
    }

    fn draw_rect<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S, fill: bool) -> Done {
        if !fill {
            return self.stroke(through([from, (to.0, from.1), to, (from.0, to.1)], true), style);
        }
        // Whole pixels: neighbours leave no seam between them.
        let (width, height) = ((to.0 - from.0) as f32, (to.1 - from.1) as f32);
        if let Some(rect) = Rect::from_xywh(from.0 as f32, from.1 as f32, width.max(1.0), height.max(1.0)) {
            self.0.fill_rect(rect, &paint(style.color()), Transform::identity(), None);
        }
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Done {
        self.stroke(through(path, false), style)
    }

    fn draw_circle<S: BackendStyle>(&mut self, center: BackendCoord, radius: u32, style: &S, fill: bool) -> Done {
        let (x, y) = middle(center);
        let path = PathBuilder::from_circle(x, y, radius as f32);
        if fill { self.fill(path, style) } else { self.stroke(path, style) }
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, corners: I, style: &S) -> Done {
        self.fill(through(corners, true), style)
    }
}
