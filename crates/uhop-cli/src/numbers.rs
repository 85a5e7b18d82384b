//! Numbers as typed, and one clear sentence for what is none.

use std::num::NonZeroUsize;

use uhop::Threads;
use uhop_lab::{MOST_SEEDS, MOST_WIDTH};
use uhop_nn::train::MOST_EPOCHS;

/// The built-in digits.
const N_DIGITS: usize = 1000;

/// Any number; whether it has a meaning is said by what it is for.
pub(crate) fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| "give a number, such as 0.5".to_owned())
}

/// A whole number above 0.
pub(crate) fn count(text: &str) -> Result<NonZeroUsize, String> {
    not_zero(text, usize::MAX)
}

/// A whole number above 0.
pub(crate) fn above_zero(text: &str) -> Result<usize, String> {
    whole(text, 1, usize::MAX)
}

/// A whole number, 0 too.
pub(crate) fn from_zero(text: &str) -> Result<usize, String> {
    whole(text, 0, usize::MAX)
}

/// A degree of a polynomial.
pub(crate) fn degree(text: &str) -> Result<u32, String> {
    // It is in range.
    whole(text, 1, u32::MAX as usize).map(|degree| degree as u32)
}

/// A number of the built-in digits.
pub(crate) fn digits(text: &str) -> Result<usize, String> {
    whole(text, 1, N_DIGITS)
}

/// As many memory sets as a specification may ask for.
pub(crate) fn seeds(text: &str) -> Result<usize, String> {
    whole(text, 1, MOST_SEEDS)
}

/// A width that a specification may ask for.
pub(crate) fn width(text: &str) -> Result<NonZeroUsize, String> {
    not_zero(text, MOST_WIDTH)
}

/// As many passes as a training may make.
pub(crate) fn epochs(text: &str) -> Result<NonZeroUsize, String> {
    not_zero(text, MOST_EPOCHS)
}

/// As many threads as [`Threads::new`] takes.
pub(crate) fn threads(text: &str) -> Result<usize, String> {
    whole(text, 1, Threads::MOST)
}

/// As many jobs as there may be threads.
pub(crate) fn jobs(text: &str) -> Result<NonZeroUsize, String> {
    not_zero(text, Threads::MOST)
}

/// Any seed.
pub(crate) fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("give a whole number from 0 to {}", u64::MAX))
}

fn not_zero(text: &str, most: usize) -> Result<NonZeroUsize, String> {
    let number = whole(text, 1, most)?;
    NonZeroUsize::new(number).ok_or_else(|| expected(text, 1, most))
}

/// A whole number from `least` to `most`.
fn whole(text: &str, least: usize, most: usize) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| expected(text, least, most))
}

/// What to give instead of `text`. A bound that only the machine sets is named to whoever is beyond it.
fn expected(text: &str, least: usize, most: usize) -> String {
    let is_whole = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_too_large = is_whole && text.parse::<usize>().is_err();
    match (least, most) {
        (0, usize::MAX) if !is_too_large => "give a whole number, 0 or above".to_owned(),
        (1, usize::MAX) if !is_too_large => "give a whole number above 0".to_owned(),
        _ => format!("give a whole number from {least} to {most}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_whole_number_is_told_what_is() {
        for text in ["x", "-1", "1.5", "", "0", " 1"] {
            assert_eq!(above_zero(text).unwrap_err(), "give a whole number above 0", "{text:?}");
            assert_eq!(count(text).unwrap_err(), "give a whole number above 0", "{text:?}");
            assert_eq!(epochs(text).unwrap_err(), "give a whole number from 1 to 100000");
        }
        assert_eq!(from_zero("-1").unwrap_err(), "give a whole number, 0 or above");
        assert_eq!(from_zero("0"), Ok(0));
        let too_large = format!("{}0", usize::MAX);
        for text in [above_zero(&too_large), from_zero(&too_large)] {
            assert!(text.unwrap_err().ends_with(&format!(" to {}", usize::MAX)));
        }
        assert_eq!(above_zero(&usize::MAX.to_string()), Ok(usize::MAX));
        assert_eq!((degree("4294967296").is_err(), degree("7")), (true, Ok(7)));
    }
}
