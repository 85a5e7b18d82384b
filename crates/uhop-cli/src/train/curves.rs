//! Losses and accuracies of a training as charts of text.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::{Alignment, Constraint, Layout, Rect};
use ratatui_core::style::Color;
use ratatui_core::symbols::Marker;
use ratatui_core::text::{Line, Span};
use ratatui_core::widgets::Widget;
use ratatui_widgets::block::Block;
use ratatui_widgets::chart::{Axis, Chart, Dataset, GraphType};
use uhop_lab::short;
use uhop_nn::train::{Epoch, Stage, Step};

/// Rows that the charts take.
pub(super) const HEIGHT: u16 = 12;

/// Columns that a title and the labels of the axes need.
const NARROWEST: u16 = 32;

/// Columns between charts.
const SPACE: u16 = 2;

const TRAINING: Color = Color::Cyan;
const TEST: Color = Color::Yellow;

/// What is known of a run so far, by the steps made in all.
#[derive(Debug, Default)]
pub(super) struct Curves {
    all: u64,
    loss: Thinned,
    separation_loss: Thinned,
    accuracy: Vec<(f64, f64)>,
    test_loss: Vec<(f64, f64)>,
    test_accuracy: Vec<(f64, f64)>,
}

impl Curves {
    pub(super) fn step(&mut self, step: &Step) {
        self.all = step.all;
        match step.loss_of {
            Stage::Task => self.loss.push(step.done, step.loss),
            Stage::Separation => self.separation_loss.push(step.done, step.loss),
        }
    }

    pub(super) fn epoch(&mut self, epoch: &Epoch) {
        let done = epoch.task_updates + epoch.separation_updates;
        let at = |value: Option<f64>, scale: f64| value.map(|y| (done as f64, scale * y));
        self.accuracy.extend(at(epoch.train_accuracy, 100.0));
        self.test_loss.extend(at(epoch.test_loss, 1.0));
        self.test_accuracy.extend(at(epoch.test_accuracy, 100.0));
    }

    /// The charts side by side: of those that there is something to show in, as many as fit. Nothing
    /// where none does.
    pub(super) fn drawn(&self, width: u16) -> Option<Buffer> {
        let panels = [
            Panel { title: "loss", training: &self.loss.points, test: &self.test_loss },
            Panel { title: "accuracy, %", training: &self.accuracy, test: &self.test_accuracy },
            Panel { title: "separation loss", training: &self.separation_loss.points, test: &[] },
        ];
        let mut panels: Vec<_> = panels.into_iter().filter(|panel| !panel.is_empty()).collect();
        panels.truncate(usize::from((width + SPACE) / (NARROWEST + SPACE)));
        if panels.is_empty() {
            return None;
        }
        let area = Rect::new(0, 0, width, HEIGHT);
        let mut buffer = Buffer::empty(area);
        let equal = Layout::horizontal(panels.iter().map(|_| Constraint::Fill(1)));
        for (panel, &area) in panels.iter().zip(equal.spacing(SPACE).split(area).iter()) {
            panel.draw(self.all, area, &mut buffer);
        }
        Some(buffer)
    }
}

/// One chart.
struct Panel<'a> {
    title: &'a str,
    training: &'a [(f64, f64)],
    test: &'a [(f64, f64)],
}

impl Panel<'_> {
    fn is_empty(&self) -> bool {
        self.training.is_empty() && self.test.is_empty()
    }

    fn draw(&self, all: u64, area: Rect, buffer: &mut Buffer) {
        let mut title = vec![Span::from(self.title), Span::from("  ")];
        let mut datasets = Vec::new();
        if !self.training.is_empty() {
            title.push(Span::styled("⠒ training  ", TRAINING));
            let line = Dataset::default().graph_type(GraphType::Line).marker(Marker::Braille);
            datasets.push(line.style(TRAINING).data(self.training));
        }
        if !self.test.is_empty() {
            title.push(Span::styled("• test", TEST));
            datasets.push(Dataset::default().marker(Marker::Dot).style(TEST).data(self.test));
        }
        let values = || self.training.iter().chain(self.test).map(|&(_, y)| y);
        let least = values().fold(f64::INFINITY, f64::min);
        let most = values().fold(f64::NEG_INFINITY, f64::max);
        // Of one value an axis about it.
        let room = if most > least { 0.0 } else { least.abs().max(1.0) / 10.0 };
        let bounds = [least - room, most + room];
        Chart::new(datasets)
            .block(Block::new().title(Line::from(title)))
            .x_axis(axis([0.0, all.max(1) as f64], ["0".to_owned(), format!("step {all}")]))
            .y_axis(axis(bounds, bounds.map(short)))
            .render(area, buffer);
    }
}

fn axis(bounds: [f64; 2], labels: [String; 2]) -> Axis<'static> {
    Axis::default().bounds(bounds).labels(labels).labels_alignment(Alignment::Right)
}

/// Points of a curve, about as many as a chart has columns: means of ever more neighbours.
#[derive(Debug)]
struct Thinned {
    points: Vec<(f64, f64)>,
    /// How many values a point is the mean of.
    a_point: usize,
    /// Those since the last point, and their sum.
    pending: (usize, f64),
}

impl Default for Thinned {
    fn default() -> Self {
        Self { points: Vec::new(), a_point: 1, pending: (0, 0.0) }
    }
}

impl Thinned {
    const MOST: usize = 64;

    fn push(&mut self, step: u64, value: f64) {
        let (n, sum) = &mut self.pending;
        *n += 1;
        *sum += value;
        if *n < self.a_point {
            return;
        }
        self.points.push((step as f64, *sum / *n as f64));
        self.pending = (0, 0.0);
        if self.points.len() == Self::MOST {
            let pair = |pair: &[(f64, f64)]| (pair[1].0, f64::midpoint(pair[0].1, pair[1].1));
            self.points = self.points.chunks_exact(2).map(pair).collect();
            self.a_point *= 2;
        }
    }
}

/// The text of a buffer, its colours as `paint` gives them.
pub(super) fn text(buffer: &Buffer, paint: impl Fn(&str, Color) -> String) -> String {
    let row = |cells: &[ratatui_core::buffer::Cell]| {
        let runs = cells.chunk_by(|a, b| a.fg == b.fg);
        let painted = runs.map(|run| {
            let text: String = run.iter().map(|cell| cell.symbol()).collect();
            paint(&text, run[0].fg)
        });
        painted.collect::<String>().trim_end().to_owned()
    };
    let width = usize::from(buffer.area.width).max(1);
    buffer.content().chunks(width).map(row).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(done: u64, loss_of: Stage, loss: f64) -> Step {
        let (epoch, step, steps, all) = (1, 1, 10, 100);
        Step { stage: Stage::Task, epoch, step, steps, done, all, loss, loss_of }
    }

    fn epoch(done: u64, accuracy: f64, test_loss: f64) -> Epoch {
        Epoch {
            stage: Stage::Task,
            epoch: 1,
            separation_loss: None,
            train_loss: Some(test_loss),
            train_accuracy: Some(accuracy),
            test_loss: Some(test_loss),
            test_accuracy: Some(accuracy / 2.0),
            rate: 1e-3,
            task_updates: done,
            separation_updates: 0,
            seconds: 1.0,
        }
    }

    fn plain(buffer: &Buffer) -> String {
        text(buffer, |text, _| text.to_owned())
    }

    /// 40 of 100 steps, four epochs.
    const EXPECTED: &str = "\
loss  ⠒ training  • test                 accuracy, %  ⠒ training  • test
40.0│⢸                                   80.0│            ⢀⠎
    │⢸                                       │           ⡠⠃
    │⢸                                       │         ⢀⠜
    │⢸                                       │        ⢠⠊
    │⢸                                       │       ⡔⠁
    │⠘⡄                                      │     ⢀⠎      •
    │ ⢣                                      │    ⢠⠊    •
    │ ⠘⢄                                     │   ⠠⠃  •
1.00│   •⠒⠤⠤•⢤⣀•⣀⣀•                      10.0│   •
    └──────────────────────────────────      └──────────────────────────────────
    0                          step 100      0                          step 100";

    #[test]
    fn curves_are_drawn_where_they_fit() {
        let mut curves = Curves::default();
        assert_eq!(curves.drawn(200), None);
        for done in 1..=40 {
            curves.step(&step(done, Stage::Task, 40.0 / done as f64));
            if done % 10 == 0 {
                curves.epoch(&epoch(done, 0.02 * done as f64, 2.0));
            }
        }
        assert_eq!(curves.drawn(NARROWEST - 1), None);
        let narrow = plain(&curves.drawn(2 * NARROWEST - 1).unwrap());
        assert!(narrow.starts_with("loss  ⠒ training  • test") && !narrow.contains("accuracy"));
        let wide = plain(&curves.drawn(80).unwrap());
        assert_eq!(wide, EXPECTED);
        curves.step(&step(41, Stage::Separation, -1.5));
        assert!(plain(&curves.drawn(120).unwrap()).contains("separation loss"));
    }

    /// However many charts there are, and with numbers as wide as they get.
    #[test]
    fn nothing_is_cut_where_charts_are_narrowest() {
        let mut curves = Curves::default();
        for (loss, loss_of) in
            [(-123.4, Stage::Separation), (-1e-30, Stage::Separation), (1e300, Stage::Task)]
        {
            curves.step(&Step { all: 9_999_999, ..step(1, loss_of, loss) });
        }
        curves.epoch(&epoch(1, 1.0, 12.34));
        for n in 1..=3 {
            let width = n * NARROWEST + (n - 1) * SPACE;
            let text = plain(&curves.drawn(width).unwrap());
            let count = |part: &str| text.matches(part).count() as u16;
            assert_eq!(count("⠒ training"), n, "{text}");
            assert_eq!(count("step 9999999"), n, "{text}");
            assert_eq!(count("• test"), n.min(2), "{text}");
            assert!(text.contains("1e300│") && text.contains("12.3│"), "{text}");
            assert_eq!((count("100│"), count("-123│")), (n / 2, n / 3), "{text}");
        }
    }

    /// Whatever is known, and however wide the terminal.
    #[test]
    fn any_curves_can_be_drawn() {
        for values in [&[][..], &[0.0], &[1e300, -1e300], &[2.0, 2.0], &[1e-310]] {
            let mut curves = Curves::default();
            for (i, &value) in values.iter().enumerate() {
                curves.step(&step(i as u64 + 1, Stage::Task, value));
                curves.step(&step(i as u64 + 1, Stage::Separation, value));
                curves.epoch(&epoch(i as u64 + 1, 0.5, value));
            }
            for width in 0..200 {
                let drawn = curves.drawn(width);
                assert_eq!(drawn.is_some(), width >= NARROWEST && !values.is_empty());
            }
        }
    }

    #[test]
    fn long_curves_keep_their_mean_and_their_end() {
        let mut curve = Thinned::default();
        for i in 1..=10_240 {
            curve.push(i, i as f64);
            assert!(curve.points.len() < Thinned::MOST);
        }
        assert_eq!(curve.points.last().map(|point| point.0), Some(10_240.0));
        let mean =
            curve.points.iter().map(|point| point.1).sum::<f64>() / curve.points.len() as f64;
        assert_eq!(mean, 5_120.5);
    }

    #[test]
    fn colours_are_those_of_the_words_that_explain_them() {
        let mut curves = Curves::default();
        curves.step(&step(1, Stage::Task, 1.0));
        curves.epoch(&epoch(1, 0.5, 2.0));
        let marked = |text: &str, color| match color {
            TRAINING => format!("<{text}>"),
            TEST => format!("[{text}]"),
            _ => text.to_owned(),
        };
        let text = text(&curves.drawn(40).unwrap(), marked);
        assert!(text.contains("<⠒ training  >[• test]") && text.contains("[•]"), "{text}");
    }
}
