//! A seed of its own for each use, so that no two draw the same numbers.

/// What is drawn for a memory set.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Use {
    Memory,
    Queries,
    /// Queries by which β is tuned.
    Tuning,
    /// The W that Stage I starts from.
    Start,
    /// Corrupted copies by which a similarity is chosen.
    Choice,
    /// Corrupted copies to learn from.
    Steps,
    /// Batches of patterns to learn from.
    Batches,
}

/// The seed of one use in the memory set of `seed`: four uses lie side by side, the next four far away.
pub(crate) fn seed_of(seed: u64, use_: Use) -> u64 {
    let (block, place) = (use_ as u64 / 4, use_ as u64 % 4);
    seed.wrapping_mul(4).wrapping_add(place).wrapping_add(block << 62)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_uses_share_a_seed() {
        let uses = [
            Use::Memory,
            Use::Queries,
            Use::Tuning,
            Use::Start,
            Use::Choice,
            Use::Steps,
            Use::Batches,
        ];
        let mut seeds: Vec<_> = (0..10).flat_map(|seed| uses.map(|u| seed_of(seed, u))).collect();
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 70);
    }
}
