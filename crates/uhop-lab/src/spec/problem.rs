//! What is wrong with a specification, in one line.

use std::ops::Range;

use super::shipped;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("no experiment is called {name}; there are {}", names())]
    Unknown { name: String },
    #[error(
        "{file} is of the experiment {name}, not {experiment}: give the name that stands in the file"
    )]
    Another { file: String, name: String, experiment: String },
    #[error("{file}:{line}: {}{problem}", Key(.key))]
    Text { file: String, line: usize, key: Option<String>, problem: String },
}

fn names() -> String {
    shipped::all().map(|(name, _)| name).collect::<Vec<_>>().join(", ")
}

impl Problem {
    /// What the parser says, with the line and the key of its place in `text`.
    pub(crate) fn toml(file: &str, text: &str, error: &toml::de::Error) -> Self {
        let place = error.span().unwrap_or(0..0);
        let line = line_of(text, &place);
        let key = key_of(text, line);
        let problem = error.message().lines().collect::<Vec<_>>().join(" ");
        Self::Text { file: file.to_owned(), line, key, problem }
    }

    /// A problem of the first line with this key.
    pub(crate) fn at_key(file: &str, text: &str, key: &str, problem: String) -> Self {
        let starts = |line: &str| line.trim_start().trim_start_matches('[').starts_with(key);
        let line = text.lines().position(starts).map_or(1, |i| i + 1);
        Self::Text { file: file.to_owned(), line, key: Some(key.to_owned()), problem }
    }
}

/// The line of a place, counted from 1.
fn line_of(text: &str, place: &Range<usize>) -> usize {
    1 + text.bytes().take(place.start).filter(|&byte| byte == b'\n').count()
}

/// The key or table that a line is about.
fn key_of(text: &str, line: usize) -> Option<String> {
    let line = text.lines().nth(line - 1)?.trim();
    if line.starts_with('[') {
        return Some(line.trim_matches(['[', ']']).to_owned());
    }
    Some(line.split_once('=')?.0.trim().to_owned())
}

/// `key: `, or nothing.
struct Key<'a>(&'a Option<String>);

impl std::fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(key) => write!(f, "{key}: "),
            None => Ok(()),
        }
    }
}
