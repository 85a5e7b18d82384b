//! Drawings in SVG: layers that the plotting crate draws, in groups with names.

use std::fmt::Write as _;
use std::io;

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color, FontFamily, FontStyle, FontTransform, IntoFont, RGBColor, ShapeStyle, TextStyle,
};
use plotters_svg::SVGBackend;

use super::palette::{self, Ink, Look, PAPER, Shape};
use super::text::{self, Weight};

/// Steps of the drawing's grid in a pixel: the plotting crate places on whole steps.
pub(super) const UNIT: f64 = 10.0;

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// Why a drawing failed: never for what it holds.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Plot(#[from] DrawingAreaErrorKind<io::Error>),
    #[error(transparent)]
    Picture(Box<dyn std::error::Error + Send + Sync>),
}

/// What went wrong outside the plotting crate.
pub(super) fn failure(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::Picture(Box::new(error))
}

/// The paper around a drawing that is a file of its own, in pixels.
const BORDER: f64 = 10.0;

/// A point of the drawing in steps.
pub(super) type Spot = (i32, i32);

/// A finished drawing.
#[derive(Debug, Clone)]
pub(super) struct Drawing {
    /// In pixels.
    width: f64,
    height: f64,
    /// What a reader who does not see it is told.
    label: String,
    groups: String,
}

/// Pixels to steps.
pub(super) fn steps(pixels: f64) -> i32 {
    (pixels * UNIT).round() as i32
}

impl Drawing {
    pub(super) fn new(width: f64, height: f64, label: String) -> Self {
        Self { width, height, label, groups: String::new() }
    }

    /// Draws a group; `attributes` are ours, never a user's text.
    pub(super) fn group(
        &mut self,
        class: &str,
        attributes: &str,
        draw: impl FnOnce(&Area<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut svg = String::new();
        {
            let size = (steps(self.width) as u32, steps(self.height) as u32);
            let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            draw(&area)?;
            area.present()?;
        }
        // The elements alone, without what is the same in all of them.
        let inner = svg.split_once('\n').map_or("", |(_, rest)| rest).trim_end();
        let inner = inner.strip_suffix("</svg>").unwrap_or(inner);
        let inner = inner.replace(" opacity=\"1\"", "").replace(" font-family=\"sans-serif\"", "");
        // The middle of small letters and digits alike, in every font.
        let inner = inner.replace(" dy=\"0.5ex\"", " dy=\"0.35em\"");
        self.raw(class, attributes, &inner);
        Ok(())
    }

    /// Adds a group of elements that are written already.
    pub(super) fn raw(&mut self, class: &str, attributes: &str, inner: &str) {
        let space = if attributes.is_empty() { "" } else { " " };
        let _ = writeln!(self.groups, "<g class=\"{class}\"{space}{attributes}>\n{inner}</g>");
    }

    pub(super) fn size(&self) -> (f64, f64) {
        (self.width, self.height)
    }

    /// In pixels, with its border.
    pub(super) fn file_size(&self) -> (f64, f64) {
        (self.width + 2.0 * BORDER, self.height + 2.0 * BORDER)
    }

    /// A file of its own: light, on paper.
    pub(super) fn file(&self) -> String {
        let (width, height) = self.file_size();
        let size = format!("width=\"{width}\" height=\"{height}\"");
        let border = steps(BORDER);
        let paper = hex(PAPER.light);
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}<rect x=\"-{border}\" y=\"-{border}\" \
             width=\"{}\" height=\"{}\" fill=\"{paper}\"/>\n{}</svg>\n",
            self.head(&size, BORDER),
            steps(width),
            steps(height),
            self.groups
        )
    }

    /// A part of the page, which has the colours; at most `scale` times as wide as drawn.
    pub(super) fn inline(&self, class: &str, scale: f64) -> String {
        let mut groups = self.groups.clone();
        for ink in palette::inks() {
            // Quotes of users' text are escaped: what is found is an attribute.
            let fixed = format!("\"{}\"", hex(ink.light));
            groups = groups.replace(&fixed, &format!("\"var(--{})\"", ink.variable));
        }
        let most = (self.width * scale).round();
        let head = self.head(&format!("class=\"{class}\" style=\"max-width:{most}px\""), 0.0);
        format!("{head}{groups}</svg>\n")
    }

    fn head(&self, attributes: &str, border: f64) -> String {
        format!(
            "<svg {attributes} viewBox=\"{} {} {} {}\" xmlns=\"http://www.w3.org/2000/svg\" \
             role=\"img\" aria-label=\"{}\" font-family=\"{}\" stroke-linejoin=\"round\">\n",
            -steps(border),
            -steps(border),
            steps(self.width + 2.0 * border),
            steps(self.height + 2.0 * border),
            escape(&self.label),
            text::FAMILY,
        )
    }
}

/// A colour as the plotting crate writes it.
pub(super) fn hex(RGBColor(r, g, b): RGBColor) -> String {
    format!("#{r:02X}{g:02X}{b:02X}")
}

/// Text for an attribute or an element.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text::visible(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Strokes in an attribute of a group; nothing for a full line.
pub(super) fn dash_attribute(pixels: &[f64]) -> String {
    if pixels.is_empty() {
        return String::new();
    }
    let lengths: Vec<String> = pixels.iter().map(|&length| steps(length).to_string()).collect();
    format!("stroke-dasharray=\"{}\"", lengths.join(" "))
}

pub(super) fn stroke(ink: Ink, pixels: f64) -> ShapeStyle {
    ink.light.stroke_width(steps(pixels) as u32)
}

/// Text around a point; `size` in pixels.
#[derive(Clone, Copy)]
pub(super) struct Font {
    pub(super) size: f64,
    pub(super) weight: Weight,
    pub(super) ink: Ink,
    pub(super) anchor: HPos,
    pub(super) is_upright: bool,
}

impl Font {
    pub(super) fn new(size: f64, ink: Ink, anchor: HPos) -> Self {
        Self { size, weight: Weight::Regular, ink, anchor, is_upright: true }
    }

    pub(super) fn width(&self, text: &str) -> f64 {
        text::width(text, self.size, self.weight)
    }

    pub(super) fn style(&self) -> TextStyle<'_> {
        let style = match self.weight {
            Weight::Regular => FontStyle::Normal,
            Weight::Bold => FontStyle::Bold,
        };
        // The plotting crate divides by this number again.
        let font = (FontFamily::SansSerif, self.size * UNIT * 1.24, style).into_font();
        let turned = if self.is_upright { FontTransform::None } else { FontTransform::Rotate270 };
        let style = TextStyle::from(font.transform(turned)).color(&self.ink.light);
        style.pos(Pos::new(self.anchor, VPos::Center))
    }

    /// One line, its middle at the height of `at`.
    pub(super) fn draw(&self, area: &Area<'_>, line: &str, at: Spot) -> Result<(), Failure> {
        Ok(area.draw_text(&text::visible(line), &self.style(), at)?)
    }
}

/// The outline of a marker around a point; a circle has none.
fn corners(shape: Shape, (x, y): Spot, radius: f64) -> Option<Vec<Spot>> {
    let at = |dx: f64, dy: f64| {
        (x + (dx * radius * UNIT).round() as i32, y + (dy * radius * UNIT).round() as i32)
    };
    Some(match shape {
        Shape::Circle => return None,
        Shape::Square => vec![at(-0.88, -0.88), at(0.88, -0.88), at(0.88, 0.88), at(-0.88, 0.88)],
        Shape::Triangle => vec![at(0.0, -1.2), at(1.1, 0.75), at(-1.1, 0.75)],
        Shape::TriangleDown => vec![at(0.0, 1.2), at(1.1, -0.75), at(-1.1, -0.75)],
        Shape::Diamond => vec![at(0.0, -1.3), at(1.1, 0.0), at(0.0, 1.3), at(-1.1, 0.0)],
        Shape::Pentagon => (0..5)
            .map(|i| (f64::from(i) * 0.4 - 0.5) * std::f64::consts::PI)
            .map(|angle| at(1.15 * angle.cos(), 1.15 * angle.sin()))
            .collect(),
    })
}

/// A marker of `radius` pixels.
pub(super) fn marker(area: &Area<'_>, at: Spot, look: Look, radius: f64) -> Result<(), Failure> {
    let fill = if look.is_hollow { PAPER.light } else { look.ink.light };
    outlined(area, at, look.shape, radius, fill, look.ink.light)
}

/// A marker with a fill and an outline.
pub(super) fn outlined(
    area: &Area<'_>,
    at: Spot,
    shape: Shape,
    radius: f64,
    fill: RGBColor,
    line: RGBColor,
) -> Result<(), Failure> {
    let line = line.stroke_width(steps(1.4) as u32);
    match corners(shape, at, radius) {
        None => {
            let radius = steps(radius);
            area.draw(&Circle::new(at, radius, fill.filled()))?;
            Ok(area.draw(&Circle::new(at, radius, line))?)
        }
        Some(mut outline) => {
            area.draw(&Polygon::new(outline.clone(), fill.filled()))?;
            let first = outline[0];
            outline.push(first);
            // Over the first side again, so that the last corner is joined too.
            outline.push(outline[1]);
            Ok(area.draw(&PathElement::new(outline, line))?)
        }
    }
}
