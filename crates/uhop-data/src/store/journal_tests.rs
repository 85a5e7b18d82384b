//! Which bytes count as records, as a torn tail and as damage.

use proptest::prelude::*;

use super::identity::{Hasher, Identity};
use super::journal::{HEADER, Problem, base, header, record, records};

fn identity(bytes: &[u8]) -> Identity {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher.identity()
}

const PAYLOADS: [&[u8]; 4] = [b"first", b"", &[0; 40], b"the last of them"];

/// A journal of all payloads, and where each record ends.
fn journal() -> (Identity, Vec<u8>, Vec<usize>) {
    let base = identity(b"base");
    let mut bytes = header(base);
    let mut ends = vec![bytes.len()];
    for (sequence, payload) in (1..).zip(PAYLOADS) {
        bytes.extend(record(base, sequence, payload));
        ends.push(bytes.len());
    }
    (base, bytes, ends)
}

fn payloads(bytes: &[u8], base: Identity) -> Result<Vec<Vec<u8>>, Problem> {
    let found = records(bytes, base)?;
    Ok(found.payloads.into_iter().map(|range| bytes[range].to_vec()).collect())
}

#[test]
fn the_bytes_are_as_documented() {
    let (identity, bytes, _) = journal();
    assert_eq!(&bytes[..8], b"uhopjrnl");
    assert_eq!(bytes[8..16], [1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes[16..24], 4_u64.to_le_bytes());
    assert_eq!(&bytes[16..32], identity.as_bytes());
    assert_eq!(bytes[40..56], [1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(&bytes[64..69], b"first");
    // Every bit, so that a journal on a disk stays readable.
    let hex: String = bytes[..77].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, GOLDEN);
}

/// Computed with Python's `struct` and `xxhash`.
const GOLDEN: &str = "75686f706a726e6c0100000000000000\
    0400000000000000cd2f095eb89a6283\
    cae391ca57f55d8b\
    0100000000000000050000000000000037d872945f75f5ac66697273744df6b9520c2f2d41";

#[test]
fn what_was_written_is_read() {
    let (identity, bytes, _) = journal();
    assert_eq!(base(&bytes), Ok(identity));
    assert_eq!(payloads(&bytes, identity).unwrap(), PAYLOADS);
    assert_eq!(records(&bytes, identity).unwrap().end, bytes.len());
}

#[test]
fn a_journal_cut_anywhere_has_the_records_before_the_cut() {
    let (identity, bytes, ends) = journal();
    for length in HEADER..=bytes.len() {
        let found = records(&bytes[..length], identity).unwrap();
        let n_whole = ends.iter().filter(|&&end| end <= length).count() - 1;
        assert_eq!(found.payloads.len(), n_whole, "{length}");
        assert_eq!(found.end, ends[n_whole], "{length}");
    }
}

#[test]
fn the_last_record_with_anything_wrong_is_a_torn_tail() {
    let (identity, bytes, ends) = journal();
    let start = ends[PAYLOADS.len() - 1];
    for offset in start..bytes.len() {
        for bits in [0x01, 0x80, 0xff] {
            let mut torn = bytes.clone();
            torn[offset] ^= bits;
            let found = records(&torn, identity).unwrap();
            assert_eq!(found.end, start, "{offset}");
        }
        let mut zeros = bytes.clone();
        zeros[offset..].fill(0);
        assert_eq!(records(&zeros, identity).unwrap().end, start, "zeros from {offset}");
    }
}

#[test]
fn an_earlier_record_with_any_bit_wrong_is_damage() {
    let (identity, bytes, ends) = journal();
    for (i, window) in ends.windows(2).enumerate().take(PAYLOADS.len() - 1) {
        for offset in window[0]..window[1] {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[offset] ^= 1 << bit;
                let expected = Problem::Damaged { sequence: i as u64 + 1, offset: window[0] };
                assert_eq!(records(&damaged, identity), Err(expected), "byte {offset} bit {bit}");
            }
        }
    }
}

#[test]
fn a_record_missing_from_the_middle_or_twice_in_it_is_damage() {
    let (identity, bytes, ends) = journal();
    let cut = |from: usize, to: usize| [&bytes[..from], &bytes[to..]].concat();
    assert!(records(&cut(ends[0], ends[1]), identity).is_err());
    assert!(records(&cut(ends[1], ends[3]), identity).is_err());
    let twice = [&bytes[..ends[2]], &bytes[ends[1]..]].concat();
    assert!(records(&twice, identity).is_err());
}

#[test]
fn a_header_with_any_bit_wrong_is_an_error() {
    let (_, bytes, _) = journal();
    for offset in 0..HEADER {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[offset] ^= 1 << bit;
            let expected = if offset < 8 { Problem::Magic } else { Problem::Header };
            assert_eq!(base(&damaged), Err(expected), "byte {offset} bit {bit}");
        }
    }
    for length in 0..HEADER {
        let expected = if length < 8 { Problem::Magic } else { Problem::Header };
        assert_eq!(base(&bytes[..length]), Err(expected), "{length} bytes");
    }
}

#[test]
fn a_later_version_is_refused_by_its_number() {
    let (_, mut bytes, _) = journal();
    bytes[8] = 2;
    let check = super::identity::checksum(&bytes[..32]).to_le_bytes();
    bytes[32..40].copy_from_slice(&check);
    let problem = base(&bytes).unwrap_err();
    assert_eq!(problem, Problem::Version { found: 2 });
    assert_eq!(problem.to_string(), "a journal of format version 2, expected 1; use a newer uhop");
}

#[test]
fn records_of_another_base_do_not_count() {
    let (_, bytes, _) = journal();
    assert_eq!(records(&bytes, identity(b"other")).unwrap().payloads, []);
}

#[test]
fn huge_lengths_are_a_torn_tail_without_an_allocation() {
    let base = identity(b"base");
    for length in [u64::MAX, u64::MAX - 31, 1 << 60, 1] {
        let mut bytes = header(base);
        let mut numbers = base.as_bytes().to_vec();
        numbers.extend(1_u64.to_le_bytes());
        numbers.extend(length.to_le_bytes());
        bytes.extend(&numbers[16..]);
        bytes.extend(super::identity::checksum(&numbers).to_le_bytes());
        let found = records(&bytes, base).unwrap();
        assert_eq!((found.payloads.len(), found.end), (0, HEADER));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_records_a_torn_tail_or_an_error(
        tail in prop::collection::vec(any::<u8>(), 0..200),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        with_journal in any::<bool>(),
    ) {
        let (identity, journal, ends) = journal();
        let mut bytes = if with_journal { journal } else { Vec::new() };
        bytes.extend(&tail);
        bytes.truncate(cut.index(bytes.len() + 1));
        for (index, bits) in flips {
            if !bytes.is_empty() {
                let offset = index.index(bytes.len());
                bytes[offset] ^= bits;
            }
        }
        let _ = base(&bytes);
        if bytes.len() >= HEADER && let Ok(found) = records(&bytes, identity) {
            // Nothing counts that was not written.
            prop_assert_eq!(found.end, ends[found.payloads.len()]);
            for (payload, range) in PAYLOADS.iter().zip(found.payloads) {
                prop_assert_eq!(&bytes[range], *payload);
            }
        }
    }
}
