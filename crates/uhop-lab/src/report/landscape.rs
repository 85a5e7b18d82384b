//! A field as a drawing: cells as a picture under a frame, isolines and points on it.

use std::collections::BTreeSet;

use plotters::element::PathElement;
use plotters::style::RGBColor;

use super::drawing::{Drawing, Failure, failure, outlined, steps};
use super::frame::{
    Frame, OVERHANG, Title, fitting, overhang, room_below, room_left, room_right, ticks_up,
};
use super::isolines::isolines;
use super::legend::{Legend, Sample};
use super::model::{Cells, Field, Image};
use super::palette::{HUES, Look, look};
use super::raster;
use super::ruler::Ruler;
use super::scale_bar::Bar;

/// The least height of a plot, and the longest line of text beside it.
pub(super) const LOWEST: f64 = 170.0;
pub(super) const BLACK: RGBColor = RGBColor(20, 20, 20);
// Not the page's paper, which is dark at night; a picture is not.
pub(super) const WHITE: RGBColor = RGBColor(254, 254, 254);

/// Draws a field `width` pixels wide.
pub(super) fn draw(field: &Field, width: f64, title: Title) -> Result<Drawing, Failure> {
    let is_wide = width >= 600.0;
    let bar = match field.cells() {
        Cells::Scalar { label, values } => Some(Bar::new(label, values)),
        Cells::Categories { .. } => None,
    };
    let names = legend_names(field);
    let has_legend = !names.is_empty();
    let legend = if is_wide {
        Legend::beside(names, 0.3 * width)
    } else {
        Legend::under(names, width - 8.0)
    };
    let (across, up) = (&field.frame().x, &field.frame().y);
    let ratio = ((up.high - up.low) / (across.high - across.low)).clamp(0.4, 2.5);
    let y_at = |height| Ruler::linear(up.low, up.high, ticks_up(height));
    let bar_room = bar.as_ref().map_or(0.0, Bar::width);
    let beside = bar_room + if is_wide && has_legend { legend.width() + 14.0 } else { 0.0 };
    let left = room_left(&y_at(300.0), &up.label, LOWEST);
    let room = width - left - beside;
    let most = f64::min(430.0, 430.0 / ratio);
    let x_at = |most: usize| Ruler::linear(across.low, across.high, most.min(6));
    let x = fitting((room - 16.0).min(most), x_at);
    let plot_width = (room - room_right(&x, room).max(16.0)).min(most).max(60.0);
    let plot_height = (plot_width * ratio).max(LOWEST);
    let y = y_at(plot_height);
    let top = title.height() + OVERHANG;
    let (right, bottom) = (left + plot_width, top + plot_height);
    let below = room_below(&across.label, plot_width);
    let over = overhang(&x, plot_width);
    let under = if has_legend && !is_wide { legend.height() + 12.0 } else { 0.0 };
    let legend_bottom = if is_wide { top + legend.height() } else { 0.0 };
    let height = (bottom + below + under + 4.0).max(legend_bottom + 4.0);
    let total = (right + over.max(beside + 16.0)).min(width).max(if is_wide { 0.0 } else { width });
    let total = total.max(title.width());
    let mut drawing = Drawing::new(total, height, label(field));
    title.draw(&mut drawing)?;

    let frame = Frame { left, top, right, bottom, longest: LOWEST, x, y };
    let cells = picture(field, bar.as_ref())?;
    drawing.raw("cells", "", &raster::placed(&cells, left, top, plot_width, plot_height)?);
    if let (Cells::Scalar { values, .. }, Some(bar)) = (field.cells(), &bar) {
        drawing.group("isolines", "", |area| {
            let spot = |(x, y): (f64, f64)| {
                (steps(left + x * plot_width), steps(bottom - y * plot_height))
            };
            for &level in bar.levels() {
                for line in isolines(values, field.n_columns(), level) {
                    let line: Vec<_> = line.into_iter().map(spot).collect();
                    area.draw(&PathElement::new(line, bar.line(level)))?;
                }
            }
            Ok(())
        })?;
    }
    frame.draw(&mut drawing, &across.label, &up.label, false)?;
    drawing.group("points", "", |area| {
        for (i, group) in field.points().iter().enumerate() {
            let Sample::Point { shape, fill, line } = point_sample(i) else { continue };
            for &(x, y) in &group.points {
                outlined(area, frame.spot(x, y), shape, 4.6, fill, line)?;
            }
        }
        Ok(())
    })?;
    if let Some(bar) = &bar {
        bar.draw(&mut drawing, &frame)?;
    }
    if has_legend {
        let (x, y) =
            if is_wide { (right + bar_room + 14.0, top) } else { (4.0, bottom + below + 12.0) };
        legend.draw(&mut drawing, x, y)?;
    }
    Ok(drawing)
}

/// The names in the legend: categories that are there, then kinds of points that are.
fn legend_names(field: &Field) -> Vec<(Sample, String)> {
    let (names, there) = match field.cells() {
        Cells::Scalar { .. } => (&[][..], BTreeSet::new()),
        Cells::Categories { names, cells } => (&names[..], cells.iter().copied().collect()),
    };
    let patches = there.into_iter().map(|i| (Sample::Patch(tint(i)), names[i].clone()));
    let points = field.points().iter().enumerate().filter(|(_, group)| !group.points.is_empty());
    patches.chain(points.map(|(i, group)| (point_sample(i), group.name.clone()))).collect()
}

/// The cells as a picture, the lowest y at the bottom.
fn picture(field: &Field, bar: Option<&Bar>) -> Result<Image, Failure> {
    let n_columns = field.n_columns();
    let colours: Vec<RGBColor> = match (field.cells(), bar) {
        (Cells::Scalar { values, .. }, Some(bar)) => {
            values.iter().map(|&value| bar.colour(value)).collect()
        }
        (Cells::Scalar { .. }, None) => Vec::new(),
        (Cells::Categories { cells, .. }, _) => cells.iter().map(|&cell| tint(cell)).collect(),
    };
    let n_rows = colours.len() / n_columns;
    let samples = colours
        .chunks(n_columns)
        .rev()
        .flatten()
        .flat_map(|&RGBColor(r, g, b)| [r, g, b])
        .collect();
    Image::rgb(n_rows, n_columns, samples).map_err(failure)
}

/// The colour of a category: light, the second six dark.
fn tint(category: usize) -> RGBColor {
    let RGBColor(r, g, b) = HUES[category % HUES.len()].light;
    let (other, share) = if category < HUES.len() { (255.0, 0.45) } else { (0.0, 0.35) };
    let mix = |c: u8| (f64::from(c) * (1.0 - share) + other * share).round() as u8;
    RGBColor(mix(r), mix(g), mix(b))
}

/// White points with black edges, the second six the other way round.
fn point_sample(group: usize) -> Sample {
    let Look { shape, is_hollow, .. } = look(group);
    let (fill, line) = if is_hollow { (BLACK, WHITE) } else { (WHITE, BLACK) };
    Sample::Point { shape, fill, line }
}

/// What it shows, in a sentence.
fn label(field: &Field) -> String {
    let what = match field.cells() {
        Cells::Scalar { label, .. } => label.clone(),
        Cells::Categories { names, .. } => names.join(", "),
    };
    let (x, y) = (&field.frame().x.label, &field.frame().y.label);
    format!("{}: {what} over {x} and {y}", field.title())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::check::{number, text_outside, texts};
    use crate::report::model;

    fn fields() -> impl Strategy<Value = Field> {
        let span = || {
            (-6.0..6.0f64, -6.0..6.0f64).prop_map(|(low, size)| {
                let low = if low < 0.0 { -10f64.powf(low.abs()) } else { 10f64.powf(low) };
                (low, low + 10f64.powf(size).max(1e-6 * low.abs()))
            })
        };
        let cells = prop_oneof![
            (prop::collection::vec(-1e9..1e9f64, 6), texts()).prop_map(Ok),
            prop::collection::vec(texts(), 1..=12).prop_map(Err),
        ];
        let groups = prop::collection::vec((texts(), 0.0..=1.0f64, 0.0..=1.0f64), 0..=12);
        (texts(), texts(), texts(), span(), span(), cells, groups).prop_map(
            |(title, x_label, y_label, x, y, cells, groups)| {
                let frame = model::Frame::new((&x_label, x.0, x.1), (&y_label, y.0, y.1)).unwrap();
                let field = match cells {
                    Ok((values, label)) => {
                        Field::scalar("field", title, "Caption.", frame, 3, label, values)
                    }
                    Err(names) => {
                        let cells = (0..6).map(|i| i % names.len()).collect();
                        Field::categories("field", title, "Caption.", frame, 3, names, cells)
                    }
                };
                groups.into_iter().fold(field.unwrap(), |field, (name, across, up)| {
                    let within = |(low, high): (f64, f64), share: f64| {
                        (low + share * (high - low)).min(high)
                    };
                    field.with_points(name, vec![(within(x, across), within(y, up))]).unwrap()
                })
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

        #[test]
        fn every_field_has_its_points_in_the_plot_and_its_text_in_the_drawing(
            field in fields(),
            width in prop_oneof![Just(360.0), Just(780.0)],
        ) {
            let drawing = draw(&field, width, Title::new(field.title(), width)).unwrap();
            prop_assert!(drawing.size().0 <= width + 1e-6);
            prop_assert_eq!(text_outside(&drawing), Vec::<String>::new());
            let svg = drawing.file();
            let tree = roxmltree::Document::parse(&svg).unwrap();
            let of_class = |class: &'static str| {
                let group = tree.descendants().find(|node| node.attribute("class") == Some(class));
                group.unwrap().children().filter(|node| node.is_element())
            };
            let area = of_class("plot-area").next().unwrap();
            let right = number(area, "x") + number(area, "width");
            let bottom = number(area, "y") + number(area, "height");
            for circle in of_class("points").filter(|node| node.has_tag_name("circle")) {
                prop_assert!((number(area, "x")..=right).contains(&number(circle, "cx")));
                prop_assert!((number(area, "y")..=bottom).contains(&number(circle, "cy")));
            }
        }
    }
}
