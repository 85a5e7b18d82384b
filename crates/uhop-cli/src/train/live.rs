//! What a training shows while it goes on: a line for each epoch, curves where the terminal has room,
//! a bar.

use std::time::{Duration, Instant};

use console::{Style, Term};
use ratatui_core::style::Color;
use uhop_nn::train::{Epoch, Stage, Step};

use crate::console::{Console, Live};

use super::curves::{self, Curves};

/// Nobody reads faster.
const BETWEEN_DRAWINGS: Duration = Duration::from_millis(500);

/// Rows that are left to the lines of the epochs.
const OTHER_ROWS: u16 = 8;

/// The columns that curves gain from.
const WIDEST: u16 = 140;

pub(super) struct Training<'a> {
    label: &'a str,
    live: Live,
    curves: Curves,
    drawn: Option<Instant>,
}

impl<'a> Training<'a> {
    pub(super) fn new(console: &Console, label: &'a str) -> Self {
        Self { label, live: console.live(label), curves: Curves::default(), drawn: None }
    }

    pub(super) fn step(&mut self, step: &Step) {
        let of = match step.loss_of {
            Stage::Task => "loss",
            Stage::Separation => "separation loss",
        };
        let message = format!("epoch {}, {of} {:.3}", step.epoch, step.loss);
        self.live.progress(step.done, step.all, message);
        self.curves.step(step);
        if self.drawn.is_none_or(|drawn| drawn.elapsed() > BETWEEN_DRAWINGS) {
            self.draw();
        }
    }

    pub(super) fn epoch(&mut self, epoch: &Epoch) {
        self.live.note(&format!("{}: {}", self.label, line(epoch)));
        self.curves.epoch(epoch);
        self.draw();
    }

    pub(super) fn finish(self) {
        self.live.clear();
    }

    /// The size is asked for anew: a terminal can be made smaller.
    fn draw(&mut self) {
        self.drawn = Some(Instant::now());
        if !self.live.is_visible() {
            return;
        }
        let room = Term::stderr().size_checked();
        let width = room.filter(|&(rows, _)| rows >= curves::HEIGHT + OTHER_ROWS);
        let drawn = width.and_then(|(_, columns)| self.curves.drawn(columns.min(WIDEST)));
        // An empty line first: the ^C that a terminal echoes moves everything up by one, and what stays
        // behind is then nothing.
        let text = drawn.map(|buffer| format!("\n{}", curves::text(&buffer, paint)));
        self.live.show(text.unwrap_or_default());
    }
}

fn paint(text: &str, color: Color) -> String {
    let style = Style::new().for_stderr();
    match color {
        Color::Cyan => style.cyan().apply_to(text).to_string(),
        Color::Yellow => style.yellow().apply_to(text).to_string(),
        _ => text.to_owned(),
    }
}

/// An epoch in one line.
fn line(epoch: &Epoch) -> String {
    let Epoch { stage, epoch: number, seconds, .. } = *epoch;
    let mut parts = Vec::new();
    if let (Some(loss), Some(accuracy)) = (epoch.train_loss, epoch.train_accuracy) {
        parts.push(format!("train loss {loss:.3}, {:.1} %", 100.0 * accuracy));
    }
    if let (Some(loss), Some(accuracy)) = (epoch.test_loss, epoch.test_accuracy) {
        parts.push(format!("test loss {loss:.3}, {:.1} %", 100.0 * accuracy));
    }
    if let Some(loss) = epoch.separation_loss {
        parts.push(format!("separation loss {loss:.3}"));
    }
    parts.push(format!("{seconds:.1} s"));
    let what = match stage {
        Stage::Separation => "Stage I, epoch",
        Stage::Task => "epoch",
    };
    format!("{what} {number}: {}", parts.join("; "))
}
