//! Why something cannot be drawn.

#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("{part}: its {what} is empty; give it one")]
    Empty { part: String, what: &'static str },
    #[error(
        "{kind} `{name}`: its name becomes a file's; use up to 64 small letters, digits, `-` and \
         `_`, with a letter or digit first"
    )]
    Name { kind: &'static str, name: String },
    #[error("document: two figures are named `{name}`; names become files, give each its own")]
    Twice { name: String },
    #[error("{part}: {what} is {value}; give a finite number of magnitude at most 1e100")]
    Number { part: String, what: &'static str, value: f64 },
    #[error("{part}: {expected} expected, {found} found")]
    Count { part: String, expected: String, found: String },
    #[error(
        "{part}: {what} {value} has no place on a logarithmic axis; give numbers above 0 or a symmetric logarithm"
    )]
    NotPositive { part: String, what: &'static str, value: f64 },
    #[error("{part}: x goes from {before} to {after}; sort the points by x, one at each x")]
    Order { part: String, before: f64, after: f64 },
    #[error(
        "{part}: at x = {x} the band from {low} to {high} does not hold y = {y}; give low ≤ y ≤ high"
    )]
    Band { part: String, x: f64, y: f64, low: f64, high: f64 },
    #[error(
        "{part}: the range from {low} to {high} is too narrow; give low < high, apart by more than 1e-9 of either"
    )]
    Range { part: String, low: f64, high: f64 },
}

impl Problem {
    /// One thing expected, another found.
    pub(super) fn count(part: String, expected: String, found: String) -> Self {
        Self::Count { part, expected, found }
    }
}
