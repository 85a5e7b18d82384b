//! Ctrl-C and SIGTERM: they end the program at once until an output is open, and in good order after.
//!
//! A thread receives the signals. Until [`hold`] it reports and exits, whatever the work is doing.
//! After it a signal is noted, so that the work can remove its temporary file: [`check`] ends it
//! between two steps, and an output that is being put in place is finished. A second signal ends
//! the program at once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::failure::Failure;

struct State {
    #[cfg_attr(not(unix), expect(dead_code, reason = "asked when a signal is received"))]
    output: Output,
    /// The signal that waits for [`check`].
    noted: Option<u8>,
}

/// What a signal finds of the output.
#[derive(Clone, Copy)]
enum Output {
    Untouched,
    /// Readers may have seen a part of it.
    Partial,
    /// A temporary file, or one that is just taking its name.
    Held,
}

static STATE: Mutex<State> = Mutex::new(State { output: Output::Untouched, noted: None });

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From here on signals are only noted; called before a temporary file is made.
pub(crate) fn hold() {
    state().output = Output::Held;
}

/// From here on an interrupted output is a part of itself: a folder of images, or stdout.
pub(crate) fn partial() {
    state().output = Output::Partial;
}

/// Ends the work if a signal was noted.
pub(crate) fn check() -> Result<(), Failure> {
    check_leaving("nothing was written")
}

/// Ends the work if a signal was noted, and says what it leaves.
pub(crate) fn check_leaving(left: &'static str) -> Result<(), Failure> {
    match state().noted {
        Some(signal) => Err(Failure::Interrupted { signal, left }),
        None => Ok(()),
    }
}

/// Receives signals from now on.
#[cfg(unix)]
pub(crate) fn watch() {
    use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};

    // SIGXFSZ is received to be ignored: a file beyond the limit is then an error of its writing.
    if let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGXFSZ]) {
        std::thread::spawn(move || {
            for signal in signals.forever().filter(|&signal| signal != SIGXFSZ) {
                receive(signal as u8);
            }
        });
    }
}

/// Leaves signals to the system, which ends the program at once.
#[cfg(not(unix))]
pub(crate) fn watch() {}

#[cfg(unix)]
fn receive(signal: u8) {
    // Locked to the end, so that no output is opened meanwhile.
    let mut state = state();
    if let Some(left) = state.answer(signal) {
        crate::console::clear_line();
        std::process::exit(crate::finish(Err(Failure::Interrupted { signal, left })).into());
    }
}

#[cfg(unix)]
impl State {
    /// What an exit at once leaves, or nothing when the signal is noted instead.
    fn answer(&mut self, signal: u8) -> Option<&'static str> {
        match self.output {
            Output::Untouched => Some("nothing was written"),
            Output::Partial => Some("the output is incomplete"),
            Output::Held if self.noted.is_some() => {
                Some("a temporary file may be left beside the output")
            }
            Output::Held => {
                self.noted = Some(signal);
                None
            }
        }
    }
}
