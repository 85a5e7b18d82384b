//! What is wrong with a specification, in one line.

use std::ops::Range;

use super::shipped;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("no experiment is called {name}; there are {}", names())]
    Unknown { name: String },
    #[error(
        "{file} is of the experiment {name}, not {experiment}: {}",
        what_to_do(name, experiment)
    )]
    Another { file: String, name: String, experiment: String },
    #[error("{file}:{line}: {}{problem}", Key(.key))]
    Text { file: String, line: usize, key: Option<String>, problem: String },
}

fn names() -> String {
    shipped::all().map(|(name, _)| name).collect::<Vec<_>>().join(", ")
}

/// An experiment of a kind of its own is run by its own name alone.
fn what_to_do(name: &str, experiment: &str) -> String {
    if shipped::has_a_kind_of_its_own(experiment) && !shipped::all().any(|(own, _)| own == name) {
        return format!("write name = \"{experiment}\" in the file");
    }
    "give the name that stands in the file".to_owned()
}

impl Problem {
    /// What the parser says, with the line and the key of its place in `text`.
    pub(crate) fn toml(file: &str, text: &str, error: &toml::de::Error) -> Self {
        let place = error.span().unwrap_or(0..0);
        let line = line_of(text, &place);
        let problem = error.message().lines().collect::<Vec<_>>().join(" ");
        // What is missing from the whole is at no key of it.
        let is_all = place.start == 0 && place.end >= text.trim_end().len();
        let key = if is_all { None } else { key_at(text, &place) };
        Self::Text { file: file.to_owned(), line, key, problem }
    }

    /// A problem of the first line that begins with this key, or else has it in a table of one line.
    pub(crate) fn at_key(file: &str, text: &str, key: &str, problem: String) -> Self {
        let starts = |line: &str| line.trim_start().trim_start_matches('[').starts_with(key);
        let has = |line: &str| {
            let ends_with_it = |before: &str| before.rsplit(['{', ',', ' ']).next() == Some(key);
            let mut befores = line.match_indices('=').map(|(place, _)| line[..place].trim_end());
            !line.trim_start().starts_with('#') && befores.any(ends_with_it)
        };
        let line = text.lines().position(starts).or_else(|| text.lines().position(has));
        let line = line.map_or(1, |i| i + 1);
        Self::Text { file: file.to_owned(), line, key: Some(key.to_owned()), problem }
    }
}

/// The line of a place, counted from 1.
fn line_of(text: &str, place: &Range<usize>) -> usize {
    1 + text.bytes().take(place.start).filter(|&byte| byte == b'\n').count()
}

/// The key that a place is at or is the value of, or the table that it begins.
fn key_at(text: &str, place: &Range<usize>) -> Option<String> {
    let (before, rest) = text.split_at_checked(place.start)?;
    let before = before.rsplit('\n').next()?;
    if rest.starts_with('[') && before.trim().is_empty() {
        return Some(rest.lines().next()?.trim().trim_matches(['[', ']']).to_owned());
    }
    let is_key = |word: &&str| {
        !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
    };
    let own = rest.split_once('=').map(|(key, _)| key.trim_matches(' ')).filter(is_key);
    let of_value = || before.rsplit_once('=')?.0.trim_end().rsplit(['{', ',', ' ']).next();
    own.or_else(|| of_value().filter(is_key)).map(str::to_owned)
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
