//! One consistent version of a file and its journal, without a lock.

use std::io;
use std::ops::Range;

use super::files::Files;
use super::identity::{Hasher, Identity};
use super::journal;
use super::place::Place;
use super::problem::{Action, Problem};

/// How often a reader starts again when the file is replaced under it.
const N_ATTEMPTS: u32 = 10;

/// One version of a stored file.
#[derive(Debug)]
pub(super) struct View<H> {
    /// Open at its start; later replacements do not change it.
    pub(super) base: H,
    /// The bytes of the journal, empty when none extends this base.
    pub(super) journal: Vec<u8>,
    /// Where in the journal the payloads are.
    pub(super) payloads: Vec<Range<usize>>,
}

/// Reads the base and the records that extend it.
///
/// The base is opened first. The version is consistent when the path still names that base after
/// the journal was read: then the journal either extends this base, or was already void when this
/// base took its place. Otherwise the reader starts again. A damaged journal must look damaged each
/// time, because a writer that takes back a failed append can show a reader half of two records.
pub(super) fn read<F: Files>(files: &F, place: &Place) -> Result<View<F::File>, Problem> {
    let mut problem = Problem::Unsettled { path: place.shown(), attempts: N_ATTEMPTS };
    for attempt in 0..N_ATTEMPTS {
        if attempt > 0 {
            files.pause(attempt);
        }
        let failed = |action| move |source| place.failed(action, source);
        let base = files.open(&place.base).map_err(failed(Action::Read))?;
        let journal = read_journal(files, place).map_err(failed(Action::ReadJournal))?;
        if !files.is_at(&base, &place.base).map_err(failed(Action::Read))? {
            continue;
        }
        let Some(journal) = journal else {
            return Ok(View { base, journal: Vec::new(), payloads: Vec::new() });
        };
        let identity = identity(files, &base).map_err(failed(Action::Read))?;
        match payloads(&journal, identity) {
            Ok(Some(payloads)) => return Ok(View { base, journal, payloads }),
            Ok(None) => return Ok(View { base, journal: Vec::new(), payloads: Vec::new() }),
            Err(damage) => {
                let path = place.shown_companion(&place.journal());
                problem = Problem::Journal { path, problem: damage };
            }
        }
    }
    Err(problem)
}

/// The payloads of a journal that extends this base, or nothing when it extends another one.
fn payloads(
    journal: &[u8],
    identity: Identity,
) -> Result<Option<Vec<Range<usize>>>, journal::Problem> {
    if journal::base(journal)? != identity {
        return Ok(None);
    }
    Ok(Some(journal::records(journal, identity)?.payloads))
}

fn read_journal<F: Files>(files: &F, place: &Place) -> io::Result<Option<Vec<u8>>> {
    match files.open(&place.journal()) {
        Ok(file) => contents(files, &file).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// All bytes of a file.
pub(super) fn contents<F: Files>(files: &F, file: &F::File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    files.contents(file, &mut |piece| bytes.extend_from_slice(piece))?;
    Ok(bytes)
}

/// The identity of the content of a file.
pub(super) fn identity<F: Files>(files: &F, file: &F::File) -> io::Result<Identity> {
    let mut hasher = Hasher::new();
    files.contents(file, &mut |piece| hasher.update(piece))?;
    Ok(hasher.identity())
}
