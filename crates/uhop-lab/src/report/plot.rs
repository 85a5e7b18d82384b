//! A chart as a drawing.

use plotters::element::{PathElement, Polygon};
use plotters::style::Color;

use super::drawing::{Drawing, Failure, Spot, UNIT, dash_attribute, marker, steps, stroke};
use super::frame::{Frame, OVERHANG, Title, fitting, room_below, room_left, room_right, ticks_up};
use super::legend::{Legend, Sample};
use super::model::{Chart, Point, Role, Series};
use super::palette::{self, AXIS, FLOOR, Look, REFERENCE_DASHES};
use super::ruler::Ruler;

/// Markers that are closer than this many pixels hide the line.
const MARKER_GAP: f64 = 9.0;

/// Draws a chart `width` pixels wide; `looks` are of its models in their order.
pub(super) fn draw(
    chart: &Chart,
    looks: &[Look],
    width: f64,
    title: Title,
) -> Result<Drawing, Failure> {
    let is_wide = width >= 600.0;
    let samples = samples(chart, looks);
    let names = legend_names(chart, &samples);
    let legend = if is_wide {
        Legend::beside(names, 0.34 * width)
    } else {
        Legend::under(names, width - 8.0)
    };
    let plot_height = if is_wide { legend.height().max(330.0) } else { 250.0 };
    let y = Ruler::over(chart.y(), chart_ys(chart), ticks_up(plot_height));
    let left = room_left(&y, chart.y().label(), plot_height);
    let beside = if is_wide { legend.width() + 20.0 } else { 0.0 };
    let x_over = |most| Ruler::over(chart.x(), chart_xs(chart), most);
    let x = fitting(width - left - beside - OVERHANG, x_over);
    let right = width - beside - room_right(&x, width - left - beside);
    let top = title.height() + OVERHANG;
    let bottom = top + plot_height;
    let below = room_below(chart.x().label(), right - left);
    let under = if is_wide { 0.0 } else { legend.height() + 12.0 };
    let mut drawing = Drawing::new(width, bottom + below + under + 4.0, label(chart));
    let frame = Frame { left, top, right, bottom, longest: plot_height, x, y };

    title.draw(&mut drawing)?;
    frame.draw(&mut drawing, chart.x().label(), chart.y().label(), true)?;
    let drawn: Vec<_> = chart.series().iter().zip(&samples).collect();
    let by_role = |role: Role| drawn.iter().filter(move |(series, _)| series.role() == role);
    for (series, sample) in by_role(Role::Floor).chain(by_role(Role::Reference)) {
        draw_spread(&mut drawing, &frame, series, sample)?;
        draw_line(&mut drawing, &frame, series, sample)?;
    }
    for (series, sample) in by_role(Role::Model) {
        draw_spread(&mut drawing, &frame, series, sample)?;
    }
    for (series, sample) in by_role(Role::Model) {
        draw_line(&mut drawing, &frame, series, sample)?;
    }
    let (left, top) = if is_wide {
        (right_of(&frame, width, &legend), top)
    } else {
        (4.0, bottom + below + 12.0)
    };
    legend.draw(&mut drawing, left, top)?;
    Ok(drawing)
}

/// Where the legend starts that ends with the drawing.
fn right_of(frame: &Frame, width: f64, legend: &Legend) -> f64 {
    (width - legend.width() - 2.0).max(frame.right + 8.0)
}

/// How each series is drawn, in their order.
fn samples(chart: &Chart, looks: &[Look]) -> Vec<Sample> {
    let mut looks = looks.iter();
    let mut n_references = 0;
    let sample = |series: &Series| match series.role() {
        Role::Floor => Sample::Floor,
        Role::Model => Sample::Model(*looks.next().expect("a look for each model")),
        Role::Reference => {
            n_references += 1;
            Sample::Reference(n_references - 1)
        }
    };
    chart.series().iter().map(sample).collect()
}

/// The names in the legend: the floor first, what a band is last.
fn legend_names(chart: &Chart, samples: &[Sample]) -> Vec<(Sample, String)> {
    let of = |role: Role| {
        let named = chart.series().iter().zip(samples).filter(move |(s, _)| s.role() == role);
        named.map(|(series, sample)| (*sample, series.name().to_owned()))
    };
    let mut names: Vec<_> =
        of(Role::Floor).chain(of(Role::Model)).chain(of(Role::Reference)).collect();
    if chart.series().iter().flat_map(Series::points).any(has_spread) {
        names.push((Sample::Band, "quartiles".to_owned()));
    }
    names
}

fn has_spread(point: &Point) -> bool {
    point.low < point.high
}

fn chart_xs(chart: &Chart) -> impl Iterator<Item = f64> {
    chart.series().iter().flat_map(Series::points).map(|point| point.x)
}

fn chart_ys(chart: &Chart) -> impl Iterator<Item = f64> {
    chart.series().iter().flat_map(Series::points).flat_map(|point| [point.low, point.high])
}

/// What it shows, in a sentence.
fn label(chart: &Chart) -> String {
    let names: Vec<&str> = chart.series().iter().map(Series::name).collect();
    format!(
        "{}: {} against {} for {}",
        chart.title(),
        chart.y().label(),
        chart.x().label(),
        names.join(", ")
    )
}

/// The quartiles: a band along a line, a bar at a single point.
fn draw_spread(
    drawing: &mut Drawing,
    frame: &Frame,
    series: &Series,
    sample: &Sample,
) -> Result<(), Failure> {
    let points = series.points();
    if !points.iter().any(has_spread) {
        return Ok(());
    }
    let ink = ink(sample);
    drawing.group("band", "", |area| {
        let lower = points.iter().map(|point| frame.spot(point.x, point.low));
        let upper = points.iter().rev().map(|point| frame.spot(point.x, point.high));
        let outline: Vec<Spot> = lower.chain(upper).collect();
        if points.len() > 1 {
            Ok(area.draw(&Polygon::new(outline, ink.light.mix(0.16).filled()))?)
        } else {
            Ok(area.draw(&PathElement::new(outline, stroke(ink, 1.4)))?)
        }
    })
}

/// The line, then its markers.
fn draw_line(
    drawing: &mut Drawing,
    frame: &Frame,
    series: &Series,
    sample: &Sample,
) -> Result<(), Failure> {
    let spots: Vec<Spot> =
        series.points().iter().map(|point| frame.spot(point.x, point.y)).collect();
    let (class, dashes, pixels) = match sample {
        Sample::Floor => ("floor", &[][..], 4.5),
        Sample::Model(look) => ("model", palette::dashes(*look), 1.8),
        Sample::Reference(i) => ("reference", REFERENCE_DASHES[*i % REFERENCE_DASHES.len()], 1.4),
        Sample::Band | Sample::Patch(_) | Sample::Point { .. } => return Ok(()),
    };
    let style = stroke(ink(sample), pixels);
    drawing.group(class, &dash_attribute(dashes), |area| match spots[..] {
        // A level is worth a mark wherever it was measured.
        [(x, y)] if !matches!(sample, Sample::Model(_)) => {
            let (half, left, right) = (steps(9.0), steps(frame.left), steps(frame.right));
            let ends = vec![((x - half).max(left), y), ((x + half).min(right), y)];
            Ok(area.draw(&PathElement::new(ends, style))?)
        }
        _ => Ok(area.draw(&PathElement::new(spots.clone(), style))?),
    })?;
    let Sample::Model(look) = sample else { return Ok(()) };
    drawing.group("markers", "", |area| {
        let mut last: Option<Spot> = None;
        for &spot in &spots {
            let is_near = last.is_some_and(|(x, y)| {
                f64::from(spot.0 - x).hypot(f64::from(spot.1 - y)) < MARKER_GAP * UNIT
            });
            if !is_near {
                marker(area, spot, *look, 3.4)?;
                last = Some(spot);
            }
        }
        Ok(())
    })
}

fn ink(sample: &Sample) -> palette::Ink {
    match sample {
        Sample::Floor => FLOOR,
        Sample::Model(look) => look.ink,
        _ => AXIS,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::check::{number, text_outside, texts};
    use crate::report::{Axis, Scale};

    fn scales() -> impl Strategy<Value = Scale> {
        prop_oneof![
            Just(Scale::Linear),
            Just(Scale::Log),
            (-3i32..3).prop_map(|p| Scale::SymmetricLog { linear_below: 10f64.powi(p) }),
        ]
    }

    /// A point's x and y, and how far its quartiles are, as powers of ten.
    type Draws = (f64, f64, f64, f64);

    /// Any number of models up to all that a chart may have, a floor and two references.
    fn charts() -> impl Strategy<Value = Chart> {
        let point = (0.0..0.999f64, -30.0..30.0f64, 0.0..3.0f64, 0.0..3.0f64);
        let points = prop::collection::vec(point, 1..6);
        let series = prop::collection::vec((texts(), points), 1..=15);
        (scales(), scales(), texts(), texts(), texts(), series, -6.0..6.0f64).prop_map(
            |(x_scale, y_scale, title, x_label, y_label, series, reach)| {
                let power = |p: f64| 10f64.powf(p);
                let line = |(i, (name, points)): (usize, (String, Vec<Draws>))| {
                    let role = match i {
                        12 => Role::Floor,
                        13 | 14 => Role::Reference,
                        _ => Role::Model,
                    };
                    let point = |(j, (x, y, down, up)): (usize, Draws)| Point {
                        x: power(reach * (j as f64 + x)).max(1e-30)
                            + if reach < 0.0 { 0.0 } else { 1.0 },
                        y: power(y),
                        low: power(y - down),
                        high: power(y + up),
                    };
                    let mut points: Vec<Point> =
                        points.into_iter().enumerate().map(point).collect();
                    points.sort_by(|a, b| a.x.total_cmp(&b.x));
                    points.dedup_by(|a, b| a.x == b.x);
                    Series::new(format!("{i} {name}"), role, points).unwrap()
                };
                let series = series.into_iter().enumerate().map(line).collect();
                let x = Axis::new(x_label, x_scale).unwrap();
                let y = Axis::new(y_label, y_scale).unwrap();
                Chart::new("chart", title, "Caption.", x, y, series).unwrap()
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

        #[test]
        fn every_chart_is_xml_with_its_points_in_the_plot_and_its_text_in_the_drawing(
            chart in charts(),
            width in prop_oneof![Just(360.0), Just(780.0)],
        ) {
            let looks: Vec<Look> = (0..12).map(palette::look).collect();
            let title = Title::new(chart.title(), width);
            let drawing = draw(&chart, &looks, width, title).unwrap();
            let svg = drawing.file();
            let tree = roxmltree::Document::parse(&svg).unwrap();
            let of_class = |class: &'static str| {
                tree.descendants().filter(move |node| node.attribute("class") == Some(class))
            };
            let area = of_class("plot-area").next().unwrap().first_element_child().unwrap();
            let (left, top) = (number(area, "x"), number(area, "y"));
            let (right, bottom) = (left + number(area, "width"), top + number(area, "height"));
            prop_assert!(right - left > 1000.0, "{left} to {right}");
            let mut n_lines = 0;
            for class in ["floor", "model", "reference", "band"] {
                for line in of_class(class).flat_map(|group| group.children()) {
                    let Some(points) = line.attribute("points") else { continue };
                    n_lines += 1;
                    for point in points.split_whitespace() {
                        let (x, y) = point.split_once(',').unwrap();
                        let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
                        prop_assert!((left..=right).contains(&x) && (top..=bottom).contains(&y));
                    }
                }
            }
            prop_assert!(n_lines > 0);
            prop_assert_eq!(text_outside(&drawing), Vec::<String>::new());
        }
    }
}
