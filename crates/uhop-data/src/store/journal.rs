//! The bytes of a journal: how records are written and which ones count when read.
//!
//! All numbers are little-endian; a checksum is XXH3-64 with seed 0.
//!
//! | header | content |
//! | --- | --- |
//! | 8 | `uhopjrnl` |
//! | 4 | format version, 1 |
//! | 4 | zero |
//! | 16 | identity of the base: its length (8) and its checksum (8) |
//! | 8 | checksum of the 32 bytes above |
//!
//! | record | content |
//! | --- | --- |
//! | 8 | sequence number: 1, 2, 3, … |
//! | 8 | n, the number of payload bytes |
//! | 8 | checksum of the identity of the base and the 16 bytes above |
//! | n | payload |
//! | 8 | checksum of all bytes of the record above |

use std::ops::Range;

use super::identity::{Identity, checksum};

pub(super) const HEADER: usize = 40;
const VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"uhopjrnl";
const HEAD: usize = 24;
const CHECKSUM: usize = 8;

/// Why a journal cannot be replayed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("not a journal: expected it to start with `uhopjrnl`; move this file elsewhere")]
    Magic,
    #[error("a journal of format version {found}, expected {VERSION}; use a newer uhop")]
    Version { found: u32 },
    #[error(
        "the header of the journal is damaged; restore it from a copy, or remove it and lose the \
         changes it recorded"
    )]
    Header,
    #[error(
        "the journal is damaged: record {sequence} at byte {offset} is unreadable but others \
         follow it; restore it from a copy, or remove it and lose the changes it recorded"
    )]
    Damaged { sequence: u64, offset: usize },
}

/// The header of a new journal.
pub(super) fn header(base: Identity) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER);
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(base.as_bytes());
    bytes.extend(checksum(&bytes).to_le_bytes());
    bytes
}

/// One record.
pub(super) fn record(base: Identity, sequence: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + payload.len() + CHECKSUM);
    bytes.extend(sequence.to_le_bytes());
    bytes.extend((payload.len() as u64).to_le_bytes());
    bytes.extend(head_checksum(base, &bytes).to_le_bytes());
    bytes.extend(payload);
    bytes.extend(checksum(&bytes).to_le_bytes());
    bytes
}

/// The identity of the base that a journal extends.
pub(super) fn base(journal: &[u8]) -> Result<Identity, Problem> {
    let magic = &journal[..journal.len().min(MAGIC.len())];
    if magic != MAGIC {
        return Err(Problem::Magic);
    }
    let Some(header) = journal.first_chunk::<HEADER>() else { return Err(Problem::Header) };
    let (content, check) = header.split_at(HEADER - CHECKSUM);
    if checksum(content) != u64_at(check, 0) {
        return Err(Problem::Header);
    }
    let found = u32::from_le_bytes([content[8], content[9], content[10], content[11]]);
    if found != VERSION {
        return Err(Problem::Version { found });
    }
    let mut identity = [0; Identity::SIZE];
    identity.copy_from_slice(&content[16..]);
    Ok(Identity::from_bytes(identity))
}

/// The records that count.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Records {
    /// Where the payloads are, in order; the first has sequence number 1.
    pub(super) payloads: Vec<Range<usize>>,
    /// The length of the journal up to the end of the last whole record.
    pub(super) end: usize,
}

/// Reads whole records until the journal ends or its last append was cut short.
///
/// An append is durable before the next one begins, so a crash leaves at most one incomplete
/// record and nothing of a later one. Bytes that are no record are therefore a torn tail exactly
/// when nothing that was begun later follows: not the byte after the record, where its head says
/// how long it is, and no head of a later record, where its own head is unreadable. Otherwise a
/// record that was complete has been damaged since.
pub(super) fn records(journal: &[u8], base: Identity) -> Result<Records, Problem> {
    let mut found = Records { payloads: Vec::new(), end: HEADER };
    loop {
        let sequence = found.payloads.len() as u64 + 1;
        let rest = &journal[found.end..];
        let damaged = Problem::Damaged { sequence, offset: found.end };
        match step(rest, base, sequence) {
            Step::Whole { payload } => {
                let start = found.end + HEAD;
                found.end = start + payload + CHECKSUM;
                found.payloads.push(start..start + payload);
            }
            Step::Torn => return Ok(found),
            Step::Damaged => return Err(damaged),
        }
    }
}

enum Step {
    Whole { payload: usize },
    Torn,
    Damaged,
}

fn step(rest: &[u8], base: Identity, sequence: u64) -> Step {
    match head(rest, base) {
        None if later_head_follows(rest, base, sequence) => Step::Damaged,
        None => Step::Torn,
        Some(head) if head.sequence != sequence => Step::Damaged,
        Some(head) => {
            let payload = usize::try_from(head.length).unwrap_or(usize::MAX);
            let Some(end) = payload.checked_add(HEAD + CHECKSUM).filter(|&end| end <= rest.len())
            else {
                return Step::Torn;
            };
            if checksum(&rest[..end - CHECKSUM]) == u64_at(rest, end - CHECKSUM) {
                Step::Whole { payload }
            } else if end == rest.len() {
                Step::Torn
            } else {
                Step::Damaged
            }
        }
    }
}

struct Head {
    sequence: u64,
    length: u64,
}

/// The head that starts here, if its checksum is right.
fn head(bytes: &[u8], base: Identity) -> Option<Head> {
    let head = bytes.get(..HEAD)?;
    (head_checksum(base, &head[..16]) == u64_at(head, 16))
        .then(|| Head { sequence: u64_at(head, 0), length: u64_at(head, 8) })
}

fn later_head_follows(rest: &[u8], base: Identity, sequence: u64) -> bool {
    // Every record takes some bytes, which bounds the numbers worth a checksum.
    let last = sequence + (rest.len() / (HEAD + CHECKSUM)) as u64;
    rest.windows(HEAD).skip(1).any(|window| {
        (sequence + 1..=last).contains(&u64_at(window, 0)) && head(window, base).is_some()
    })
}

fn head_checksum(base: Identity, numbers: &[u8]) -> u64 {
    let mut bytes = [0; Identity::SIZE + 16];
    bytes[..Identity::SIZE].copy_from_slice(base.as_bytes());
    bytes[Identity::SIZE..].copy_from_slice(numbers);
    checksum(&bytes)
}

/// The number in the eight bytes at `offset`, which are there.
fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_le_bytes(number)
}
