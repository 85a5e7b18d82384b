//! Reading bytes: full buffers, and telling a failing reader from a damaged stream.

use std::io::{self, Read};

use crate::Error;
use crate::error::FormatProblem;

/// Why decoding stopped: the reader failed, or the bytes are wrong.
pub(crate) enum Failure<P> {
    Read(io::Error),
    Problem(P),
}

impl<P> From<io::Error> for Failure<P> {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

impl<P: Into<FormatProblem>> From<Failure<P>> for Error {
    fn from(failure: Failure<P>) -> Self {
        match failure {
            Failure::Read(error) => Self::io(error),
            Failure::Problem(problem) => Self::format(problem),
        }
    }
}

/// Reads until `buffer` is full or the stream ends, and returns the number of bytes read.
pub(crate) fn read_full(stream: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut n_read = 0;
    while n_read < buffer.len() {
        match stream.read(&mut buffer[n_read..]) {
            Ok(0) => break,
            Ok(n) => n_read += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(n_read)
}

/// A reader that remembers whether it failed: decoders report their own errors and those of their
/// reader by the same type.
pub(crate) struct Watched<R> {
    pub(crate) reader: R,
    pub(crate) failed: bool,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let outcome = self.reader.read(buffer);
        if let Err(error) = &outcome
            && error.kind() != io::ErrorKind::Interrupted
        {
            self.failed = true;
        }
        outcome
    }
}

/// Text from a file for a message: quoted, escaped to one line, and cut to 40 characters.
pub(crate) fn quoted(text: &str) -> String {
    quoted_up_to(text, 40)
}

/// As [`quoted`], cut to so many characters.
pub(crate) fn quoted_up_to(text: &str, n_chars: usize) -> String {
    let start: String = text.chars().take(n_chars).collect();
    let more = if start.len() < text.len() { "..." } else { "" };
    format!("{start:?}{more}")
}

/// The first names, quoted.
pub(crate) fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names = names.map(quoted);
    let mut first: Vec<String> = names.by_ref().take(8).collect();
    if names.next().is_some() {
        first.push("...".to_owned());
    }
    if first.is_empty() { "none".to_owned() } else { first.join(", ") }
}
