//! Why the program stops early, and with which exit code.

use std::borrow::Cow;
use std::fmt::Display;
use std::io;
use std::path::Path;

/// Exit code: done.
pub(crate) const DONE: u8 = 0;
/// Exit code: the user's input.
pub(crate) const USER: u8 = 1;
/// Exit code: our fault.
pub(crate) const OURS: u8 = 2;
/// Exit code: a signal, whose number is added, as shells have it.
pub(crate) const SIGNAL: u8 = 128;

/// Why a verb did not finish.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The input: what is wrong with it, and a next step.
    User { message: String, hint: Option<String> },
    /// The program: an error that no input should reach.
    Ours { message: String },
    /// Whoever read stdout went away. They have what they wanted: no message, exit code 0.
    Closed,
    /// A signal, and what it left.
    Interrupted { signal: u8, left: &'static str },
}

impl Failure {
    /// A fault of the input.
    pub(crate) fn user(message: String) -> Self {
        Self::User { message, hint: None }
    }

    /// With a next step to try.
    pub(crate) fn hint(self, hint: &str) -> Self {
        match self {
            Self::User { message, .. } => Self::User { message, hint: Some(hint.to_owned()) },
            other => other,
        }
    }

    /// With a next step to try where it helps.
    pub(crate) fn hint_if(self, helps: bool, hint: &str) -> Self {
        if helps { self.hint(hint) } else { self }
    }

    /// As a fault of the program, where it chose the input itself.
    pub(crate) fn ours(self) -> Self {
        match self {
            Self::User { message, .. } => Self::Ours { message },
            other => other,
        }
    }

    /// A file or folder that cannot be written.
    pub(crate) fn unwritable(path: &Path, error: &dyn Display) -> Self {
        Self::User {
            message: format!("cannot write {}: {error}", path.display()),
            hint: Some("choose another folder with --out DIR".to_owned()),
        }
    }

    /// Data that cannot be written to stdout.
    pub(crate) fn stdout(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::Closed
        } else {
            Self::User { message: format!("cannot write to stdout: {error}"), hint: None }
        }
    }

    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::User { .. } => USER,
            Self::Ours { .. } => OURS,
            Self::Closed => DONE,
            Self::Interrupted { signal, .. } => SIGNAL + signal,
        }
    }

    pub(crate) fn text(&self) -> Option<(Cow<'_, str>, Option<&str>)> {
        match self {
            Self::User { message, hint } => Some((message.into(), hint.as_deref())),
            Self::Ours { message } => Some((message.into(), None)),
            Self::Closed => None,
            Self::Interrupted { left, .. } => Some((format!("interrupted; {left}").into(), None)),
        }
    }
}

/// What the library refuses is what the user gave it.
impl From<uhop::Error> for Failure {
    fn from(error: uhop::Error) -> Self {
        Self::user(error.to_string())
    }
}

impl From<uhop_lab::Error> for Failure {
    fn from(error: uhop_lab::Error) -> Self {
        Self::user(error.to_string())
    }
}

impl From<uhop_data::Error> for Failure {
    fn from(error: uhop_data::Error) -> Self {
        Self::user(error.to_string())
    }
}

impl From<uhop_nn::train::Error> for Failure {
    fn from(error: uhop_nn::train::Error) -> Self {
        Self::user(error.to_string())
    }
}
