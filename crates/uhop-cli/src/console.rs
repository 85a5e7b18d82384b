//! Everything that is written to the terminal: data, notes, progress, errors.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use indicatif::{
    HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};
use serde::Serialize;

use crate::args::OutputArgs;
use crate::failure::Failure;

/// Writes `error: …` and, if there is a next step, `hint: …` to stderr.
pub(crate) fn report_error(message: &str, hint: Option<&str>) {
    let mut stderr = io::stderr().lock();
    // There is nowhere left to report a stderr that cannot be written.
    let _ = writeln!(stderr, "error: {message}");
    if let Some(hint) = hint {
        let _ = writeln!(stderr, "\nhint: {hint}");
    }
}

/// Removes a bar that is drawn on the line of the cursor; curves above it stay.
#[cfg(unix)]
pub(crate) fn clear_line() {
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        let _ = stderr.write_all(b"\r\x1b[K");
    }
}

/// Where a verb's words go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Console {
    notes: bool,
    bars: bool,
}

impl Console {
    pub(crate) fn new(output: OutputArgs) -> Self {
        let notes = !output.quiet;
        Self { notes, bars: notes && !output.no_progress && io::stderr().is_terminal() }
    }

    /// Data, to stdout.
    pub(crate) fn data(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
            .map_err(|error| Failure::stdout(&error))
    }

    /// One JSON object, as data.
    pub(crate) fn json(&self, document: &impl Serialize) -> Result<(), Failure> {
        let json = serde_json::to_string_pretty(document)
            .map_err(|error| Failure::Ours { message: format!("json: {error}") })?;
        self.data(&(json + "\n"))
    }

    /// A line about the work, to stderr.
    pub(crate) fn note(&self, line: &str) {
        if self.notes {
            let _ = writeln!(io::stderr().lock(), "{line}");
        }
    }

    /// A live bar of `steps` steps on stderr, or a count where the end is not known, or an invisible
    /// one.
    pub(crate) fn bar(&self, steps: impl Into<Option<usize>>, label: &str) -> ProgressBar {
        let steps = steps.into();
        let template = match steps {
            Some(_) => "{prefix} {bar:30} {pos}/{len} {msg}",
            None => "{prefix} {spinner} {pos} {msg}",
        };
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::with_draw_target(steps.map(|steps| steps as u64), self.target())
            .with_style(style)
            .with_prefix(label.to_owned())
    }

    /// A live bar with the time left, for work whose amount is told later. Before anything is done nobody knows it.
    pub(crate) fn timed_bar(&self, label: &str) -> ProgressBar {
        let left = |state: &ProgressState, text: &mut dyn fmt::Write| {
            // A terminal that cannot be written to is seen elsewhere.
            let _ = match state.pos() {
                0 => Ok(()),
                _ => write!(text, ", {:#} left", HumanDuration(state.eta())),
            };
        };
        let style = ProgressStyle::with_template("{prefix} {bar:30} {msg}{left}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        self.bar(1, label).with_style(style.with_key("left", left))
    }

    /// Lines of text that are drawn anew, above a [`timed_bar`](Self::timed_bar).
    pub(crate) fn live(&self, label: &str) -> Live {
        let both = MultiProgress::with_draw_target(self.target());
        let plain =
            ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let lines = both.add(ProgressBar::no_length().with_style(plain));
        let bar = both.add(self.timed_bar(label));
        Live { both, lines, bar, console: *self }
    }

    fn target(&self) -> ProgressDrawTarget {
        if self.bars { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
    }
}

/// What [`Console::live`] shows.
pub(crate) struct Live {
    both: MultiProgress,
    lines: ProgressBar,
    bar: ProgressBar,
    console: Console,
}

impl Live {
    /// Whether anyone sees it.
    pub(crate) fn is_visible(&self) -> bool {
        self.console.bars
    }

    pub(crate) fn progress(&self, done: u64, all: u64, message: String) {
        self.bar.set_length(all);
        self.bar.set_position(done);
        self.bar.set_message(message);
    }

    pub(crate) fn show(&self, text: String) {
        self.lines.set_message(text);
    }

    /// A line about the work, to stderr, above what is drawn anew.
    pub(crate) fn note(&self, line: &str) {
        if self.is_visible() {
            // A terminal that went away is no reason to stop.
            let _ = self.both.println(line);
        } else {
            self.console.note(line);
        }
    }

    pub(crate) fn clear(self) {
        self.lines.finish_and_clear();
        self.bar.finish_and_clear();
    }
}
