//! Names of written images, which never leave their folder.

use std::collections::HashSet;

use super::ArgumentProblem;
use crate::bytes::quoted;

const MAX_LENGTH: usize = 200;

/// Six digits, or more when there are more rows, so that the order of names is that of the rows.
pub(super) fn counted(n_rows: usize) -> Vec<String> {
    let n_digits = (n_rows - 1).to_string().len().max(6);
    (0..n_rows).map(|row| format!("{row:0n_digits$}.png")).collect()
}

/// The given names as those of PNG files.
pub(super) fn given(names: &[String], n_rows: usize) -> Result<Vec<String>, ArgumentProblem> {
    if names.len() != n_rows {
        return Err(ArgumentProblem::NameCount { expected: n_rows, found: names.len() });
    }
    let mut seen = HashSet::new();
    names
        .iter()
        .map(|name| {
            if !is_plain(name) {
                return Err(ArgumentProblem::Name { found: quoted(name) });
            }
            let folded = name.to_lowercase();
            let file = if folded.ends_with(".png") { name.clone() } else { format!("{name}.png") };
            if !seen.insert(file.to_lowercase()) {
                return Err(ArgumentProblem::NameTwice { found: quoted(name) });
            }
            Ok(file)
        })
        .collect()
}

fn is_plain(name: &str) -> bool {
    (1..=MAX_LENGTH).contains(&name.len())
        && !name.starts_with('.')
        && !name.ends_with(['.', ' '])
        && !name.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|'])
        && !name.contains(char::is_control)
}
