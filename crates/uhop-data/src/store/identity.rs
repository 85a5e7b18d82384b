//! Which version of a file a journal belongs to, and the checksum of everything stored.

use std::hash::Hasher as _;

use twox_hash::XxHash3_64;

/// The identity of a sequence of bytes: its length and its XXH3-64 checksum, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity([u8; Identity::SIZE]);

impl Identity {
    pub(super) const SIZE: usize = 16;

    pub(super) fn from_bytes(bytes: [u8; Self::SIZE]) -> Self {
        Self(bytes)
    }

    pub(super) fn as_bytes(&self) -> &[u8; Self::SIZE] {
        &self.0
    }
}

/// Computes an identity piece by piece.
pub(super) struct Hasher {
    length: u64,
    checksum: XxHash3_64,
}

impl Hasher {
    pub(super) fn new() -> Self {
        Self { length: 0, checksum: XxHash3_64::new() }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        self.checksum.write(bytes);
    }

    pub(super) fn identity(&self) -> Identity {
        let mut bytes = [0; Identity::SIZE];
        bytes[..8].copy_from_slice(&self.length.to_le_bytes());
        bytes[8..].copy_from_slice(&self.checksum.finish().to_le_bytes());
        Identity(bytes)
    }
}

/// The XXH3-64 checksum of some bytes.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(pieces: &[&[u8]]) -> Identity {
        let mut hasher = Hasher::new();
        pieces.iter().for_each(|piece| hasher.update(piece));
        hasher.identity()
    }

    #[test]
    fn the_checksum_is_the_published_one() {
        // From the test vectors of the reference implementation: the empty input, seed 0.
        assert_eq!(checksum(b""), 0x2d06_8005_38d3_94c2);
    }

    #[test]
    fn an_identity_depends_on_the_bytes_and_not_on_the_pieces() {
        let bytes: Vec<u8> = (0..1000_u32).map(|i| (i * 7) as u8).collect();
        let whole = identity(&[&bytes]);
        assert_eq!(identity(&[&bytes[..300], b"", &bytes[300..]]), whole);
        assert_eq!(whole.as_bytes()[..8], 1000_u64.to_le_bytes());
        assert_eq!(whole.as_bytes()[8..], checksum(&bytes).to_le_bytes());
        assert_ne!(identity(&[&bytes[1..]]), whole);
    }
}
