//! Every way in which text fails to be a table of numbers.

#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error(
        "line {line}, column {column}: expected a number, found {found}; \
         expected one row of numbers per line, separated by commas, and names in the first line only"
    )]
    NotANumber { line: u64, column: usize, found: String },
    #[error(
        "line {line}: expected {expected} numbers as in the first row, found {found}; \
         complete the line or remove it"
    )]
    Length { line: u64, expected: usize, found: usize },
    #[error("no numbers: expected at least one line of numbers separated by commas, found none")]
    Empty,
}
