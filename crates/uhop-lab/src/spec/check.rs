//! Values checked as they are read, so that an error knows its line.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::Serializer;
use uhop_data::datasets::Dataset;

/// A word that can stand in a file name.
pub(crate) fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.is_empty() && name.chars().all(plain) {
        Ok(name)
    } else {
        Err(D::Error::custom(format!("expected a name of a-z, 0-9 and -, found {name:?}")))
    }
}

/// One line of text: reports and lists have no other.
pub(crate) fn title<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let title = String::deserialize(deserializer)?;
    if !title.trim().is_empty() && !title.chars().any(char::is_control) {
        Ok(title)
    } else {
        Err(D::Error::custom(format!("expected one line of text, found {title:?}")))
    }
}

/// A number above 0.
pub(crate) fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let number = f64::deserialize(deserializer)?;
    if number.is_finite() && number > 0.0 {
        Ok(number)
    } else {
        Err(D::Error::custom(format!("expected a number above 0, found {number}")))
    }
}

/// [`positive`], where it may be left out.
pub(crate) fn positive_if_any<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<f64>, D::Error> {
    positive(deserializer).map(Some)
}

/// The largest whole number of a specification: steps, patterns or queries are no more, and no sum of them
/// overflows.
const MOST: usize = 1_000_000_000;

/// Memory sets of one size, at most.
///
/// ```
/// use uhop_lab::{MOST_SEEDS, Spec, Specification as _};
///
/// assert!(Spec::shipped("memory-size")?.seeds <= MOST_SEEDS);
/// # Ok::<(), uhop_lab::Error>(())
/// ```
pub const MOST_SEEDS: usize = 10_000;

/// A whole number from 1 to [`MOST`], which says so when it is something else.
#[derive(PartialEq)]
struct Count(usize);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Expected;

        impl Visitor<'_> for Expected {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number above 0")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Count, E> {
                match usize::try_from(number) {
                    Ok(0) | Err(_) => {
                        let problem = format!("expected a whole number above 0, found {number}");
                        Err(E::custom(problem))
                    }
                    Ok(count) => at_most(count, MOST).map(Count),
                }
            }

            // As JSON has it.
            fn visit_u64<E: Error>(self, number: u64) -> Result<Count, E> {
                self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
            }
        }

        deserializer.deserialize_i64(Expected)
    }
}

fn at_most<E: Error>(count: usize, most: usize) -> Result<usize, E> {
    if count <= most {
        Ok(count)
    } else {
        Err(E::custom(format!("expected at most {most}, found {count}")))
    }
}

/// A whole number from 1 to `MOST`, for sizes of what is held in memory or cannot be interrupted.
pub(crate) fn up_to<'de, D: Deserializer<'de>, const MOST: usize>(
    deserializer: D,
) -> Result<usize, D::Error> {
    at_most(count(deserializer)?, MOST)
}

/// Width of a model, at most: its parameters are about 12 times the square.
///
/// ```
/// assert!(uhop_lab::MOST_WIDTH > 512);
/// ```
pub const MOST_WIDTH: usize = 16_384;

/// A width, where it may be left out.
pub(crate) fn width_if_any<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<usize>, D::Error> {
    up_to::<D, MOST_WIDTH>(deserializer).map(Some)
}

/// A number of memory sets.
pub(crate) fn seeds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    up_to::<D, MOST_SEEDS>(deserializer)
}

/// A whole number above 0.
pub(crate) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    Count::deserialize(deserializer).map(|count| count.0)
}

/// A whole number from 0 up.
pub(crate) fn seed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = i64::deserialize(deserializer)?;
    let problem = || format!("expected a whole number from 0 up, found {number}");
    u64::try_from(number).map_err(|_| D::Error::custom(problem()))
}

/// [`count`], where it may be left out.
pub(crate) fn count_if_any<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<usize>, D::Error> {
    count(deserializer).map(Some)
}

/// At least one thing, none of them twice.
pub(crate) fn some<'de, D: Deserializer<'de>, T: Deserialize<'de> + PartialEq>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    match distinct(deserializer)? {
        things if things.is_empty() => Err(D::Error::custom("expected at least one, found none")),
        things => Ok(things),
    }
}

/// Things of which none is there twice.
pub(crate) fn distinct<'de, D: Deserializer<'de>, T: Deserialize<'de> + PartialEq>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let things = Vec::<T>::deserialize(deserializer)?;
    match (1..things.len()).find(|&i| things[..i].contains(&things[i])) {
        None => Ok(things),
        Some(i) => Err(D::Error::custom(format!("number {} is there twice", i + 1))),
    }
}

/// Whole numbers above 0, each larger than the one before.
pub(crate) fn counts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<usize>, D::Error> {
    let counts: Vec<usize> = some(deserializer)?.into_iter().map(|Count(count)| count).collect();
    if counts.is_sorted() {
        Ok(counts)
    } else {
        Err(D::Error::custom(format!("expected rising whole numbers, found {counts:?}")))
    }
}

/// [`counts`], where they may be left out.
pub(crate) fn counts_if_any<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<usize>>, D::Error> {
    counts(deserializer).map(Some)
}

/// Numbers from 0 up, each larger than the one before.
pub(crate) fn levels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let levels = some::<D, f64>(deserializer)?;
    if levels[0] >= 0.0 && levels.is_sorted() && levels.iter().all(|level| level.is_finite()) {
        Ok(levels)
    } else {
        Err(D::Error::custom(format!("expected rising numbers from 0 up, found {levels:?}")))
    }
}

/// At least one name of a data set, none of them twice.
pub(crate) fn datasets<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Dataset>, D::Error> {
    let names = some::<D, String>(deserializer)?;
    names.iter().map(|name| name.parse().map_err(D::Error::custom)).collect()
}

/// Data sets by their names.
pub(crate) fn names<S: Serializer>(datasets: &[Dataset], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(datasets.iter().map(|dataset| dataset.name()))
}
