//! The specifications in the binary.

use super::problem::Problem;
use crate::error::Result;
use crate::{basins, capacity, classification, contribution, metastable};

/// Those on recall, each with its name, in the order of lists.
pub(super) const SPECS: &[(&str, &str)] = &[
    ("memory-size", include_str!("../../specs/memory-size.toml")),
    ("memory-size-large", include_str!("../../specs/memory-size-large.toml")),
    ("memory-size-cifar10", include_str!("../../specs/memory-size-cifar10.toml")),
    ("memory-size-large-cifar10", include_str!("../../specs/memory-size-large-cifar10.toml")),
    ("memory-size-batches-cifar10", include_str!("../../specs/memory-size-batches-cifar10.toml")),
    ("memory-size-tiny-imagenet", include_str!("../../specs/memory-size-tiny-imagenet.toml")),
    (
        "memory-size-large-tiny-imagenet",
        include_str!("../../specs/memory-size-large-tiny-imagenet.toml"),
    ),
    (
        "memory-size-largest-tiny-imagenet",
        include_str!("../../specs/memory-size-largest-tiny-imagenet.toml"),
    ),
    ("noise", include_str!("../../specs/noise.toml")),
    ("noise-cifar10", include_str!("../../specs/noise-cifar10.toml")),
    ("noise-tiny-imagenet", include_str!("../../specs/noise-tiny-imagenet.toml")),
    ("known-corruption", include_str!("../../specs/known-corruption.toml")),
    ("known-corruption-cifar10", include_str!("../../specs/known-corruption-cifar10.toml")),
    ("iterations", include_str!("../../specs/iterations.toml")),
    ("iterations-large-cifar10", include_str!("../../specs/iterations-large-cifar10.toml")),
    (
        "iterations-large-tiny-imagenet",
        include_str!("../../specs/iterations-large-tiny-imagenet.toml"),
    ),
    ("temperature", include_str!("../../specs/temperature.toml")),
];

pub(crate) const METASTABLE: &str = include_str!("../../specs/metastable.toml");
pub(crate) const BASINS: &str = include_str!("../../specs/basins.toml");
pub(crate) const CONTRIBUTION: &str = include_str!("../../specs/contribution.toml");
pub(crate) const CAPACITY: &str = include_str!("../../specs/capacity.toml");
pub(crate) const CLASSIFICATION: &str = include_str!("../../specs/classification.toml");
pub(crate) const CONVERGENCE: &str = include_str!("../../specs/convergence.toml");

/// Those of experiments of their own kind.
const OTHERS: &[(&str, &str)] = &[
    (metastable::NAME, METASTABLE),
    (basins::NAME, BASINS),
    (contribution::NAME, CONTRIBUTION),
    (capacity::NAME, CAPACITY),
    (classification::CLASSIFICATION, CLASSIFICATION),
    (classification::CONVERGENCE, CONVERGENCE),
];

/// The text of the specification of any experiment that comes with the program, as it is read from a file.
///
/// ```
/// assert!(uhop_lab::specification("capacity")?.contains("name = \"capacity\""));
/// assert!(uhop_lab::specification("no-such").is_err());
/// # Ok::<(), uhop_lab::Error>(())
/// ```
///
/// # Errors
/// [`is_input`](crate::Error::is_input) for a name that none has.
pub fn specification(name: &str) -> Result<&'static str> {
    match all().find(|(own, _)| *own == name) {
        Some((_, text)) => Ok(text),
        None => Err(Problem::Unknown { name: name.to_owned() }.into()),
    }
}

/// Whether an experiment reads a specification that others do not.
pub(super) fn has_a_kind_of_its_own(name: &str) -> bool {
    OTHERS.iter().any(|(own, _)| *own == name)
}

/// Every experiment and its specification, in the order of lists.
pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    SPECS.iter().chain(OTHERS).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Spec, Specification as _};

    #[test]
    fn every_specification_is_one_and_has_its_name() {
        for (name, _) in SPECS {
            let spec = Spec::shipped(name).unwrap();
            assert_eq!(spec.name, *name);
            assert!(spec.quick().seeds < spec.seeds);
        }
    }
}
