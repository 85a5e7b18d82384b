//! The specifications in the binary.

/// Each with its name, in the order of lists.
pub(super) const SPECS: &[(&str, &str)] = &[
    ("memory-size", include_str!("../../specs/memory-size.toml")),
    ("memory-size-large", include_str!("../../specs/memory-size-large.toml")),
    ("memory-size-cifar10", include_str!("../../specs/memory-size-cifar10.toml")),
    ("memory-size-tiny-imagenet", include_str!("../../specs/memory-size-tiny-imagenet.toml")),
    ("noise", include_str!("../../specs/noise.toml")),
    ("noise-cifar10", include_str!("../../specs/noise-cifar10.toml")),
    ("noise-tiny-imagenet", include_str!("../../specs/noise-tiny-imagenet.toml")),
    ("known-corruption", include_str!("../../specs/known-corruption.toml")),
    ("known-corruption-cifar10", include_str!("../../specs/known-corruption-cifar10.toml")),
    ("iterations", include_str!("../../specs/iterations.toml")),
    ("temperature", include_str!("../../specs/temperature.toml")),
];

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
