//! Names of written images, which never leave their folder.

use std::collections::HashSet;

use super::ArgumentProblem;
use crate::bytes::quoted;

const MAX_LENGTH: usize = 200;

/// Digits of a number when the number of rows is not known.
const N_DIGITS: usize = 6;

/// The names of images in the order of the rows.
pub(super) enum Names {
    Given(Vec<String>),
    /// Numbers of this many digits, so that the order of names is that of the rows.
    Counted(usize),
}

impl Names {
    /// Six digits, or more when there are known to be more rows.
    pub(super) fn counted(n_rows: Option<usize>) -> Self {
        let largest = n_rows.unwrap_or_default().saturating_sub(1);
        Self::Counted(largest.to_string().len().max(N_DIGITS))
    }

    /// The given names as those of PNG files, one per row if their number is known.
    pub(super) fn given(names: &[String], n_rows: Option<usize>) -> Result<Self, ArgumentProblem> {
        if let Some(expected) = n_rows
            && names.len() != expected
        {
            return Err(ArgumentProblem::NameCount { expected, found: names.len() });
        }
        let mut seen = HashSet::new();
        let names = names.iter().map(|name| {
            if !is_plain(name) {
                return Err(ArgumentProblem::Name { found: quoted(name) });
            }
            let folded = name.to_lowercase();
            let file = if folded.ends_with(".png") { name.clone() } else { format!("{name}.png") };
            if !seen.insert(file.to_lowercase()) {
                return Err(ArgumentProblem::NameTwice { found: quoted(name) });
            }
            Ok(file)
        });
        Ok(Self::Given(names.collect::<Result<_, _>>()?))
    }

    /// The name of a row.
    pub(super) fn name(&self, row: usize) -> Result<String, ArgumentProblem> {
        match self {
            Self::Given(names) => names
                .get(row)
                .cloned()
                .ok_or(ArgumentProblem::NameCount { expected: row + 1, found: names.len() }),
            Self::Counted(n_digits) => {
                let name = format!("{row:0n_digits$}.png");
                let n_names = 10_usize.saturating_pow(*n_digits as u32);
                if row < n_names { Ok(name) } else { Err(ArgumentProblem::Digits { n_names }) }
            }
        }
    }

    /// Errors unless every name has been used.
    pub(super) fn check_count(&self, n_rows: usize) -> Result<(), ArgumentProblem> {
        match self {
            Self::Given(names) if names.len() != n_rows => {
                Err(ArgumentProblem::NameCount { expected: n_rows, found: names.len() })
            }
            _ => Ok(()),
        }
    }
}

fn is_plain(name: &str) -> bool {
    (1..=MAX_LENGTH).contains(&name.len())
        && !name.starts_with('.')
        && !name.ends_with(['.', ' '])
        && !name.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|'])
        && !name.contains(char::is_control)
}
