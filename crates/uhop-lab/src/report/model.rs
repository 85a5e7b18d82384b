//! What a report says, before anything is drawn: every value can be drawn.

mod chart;
mod document;
mod field;
mod grid;
mod problem;
mod table;

pub use chart::{Axis, Chart, Point, Role, Scale, Series};
pub use document::{Block, Document, Section};
pub use field::{Field, Frame};
pub use grid::{Image, ImageGrid};
pub(super) use problem::Problem;
pub use table::{Column, Table};

pub(super) use field::Cells;
pub(crate) use field::MAX_CATEGORIES;

/// The largest number that is drawn, and the inverse of the smallest above 0: all arithmetic on
/// coordinates stays far from overflow.
const LARGEST: f64 = 1e100;

/// A file stem that is safe on every system: small letters, digits, `-` and `_`.
fn check_name(kind: &'static str, name: &str) -> Result<(), Problem> {
    let is_stem = !name.is_empty()
        && name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
    if is_stem { Ok(()) } else { Err(Problem::Name { kind, name: name.to_owned() }) }
}

/// Whether the digits of numbers in this range are too much alike for an axis.
pub(super) fn is_narrow(low: f64, high: f64) -> bool {
    high - low <= (1e-9 * low.abs().max(high.abs())).max(1.0 / LARGEST)
}

/// Text that a reader sees.
fn check_text(part: impl Into<String>, what: &'static str, text: &str) -> Result<(), Problem> {
    if text.trim().is_empty() { Err(Problem::Empty { part: part.into(), what }) } else { Ok(()) }
}

/// A number that has a place on some axis.
fn check_number(part: &str, what: &'static str, value: f64) -> Result<(), Problem> {
    if value.is_finite() && value.abs() <= LARGEST {
        Ok(())
    } else {
        Err(Problem::Number { part: part.to_owned(), what, value })
    }
}
