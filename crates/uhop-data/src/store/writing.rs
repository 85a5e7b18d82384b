//! The one writer of a file: takes the lock, recovers, appends, compacts.

use std::io::{self, Write};

use super::files::Files;
use super::identity::Identity;
use super::journal;
use super::place::{Owner, Place};
use super::problem::{Action, Problem};
use super::reading::{contents, identity};
use super::replacement::{Temporary, put_base, write_all};

/// Holds the lock of a file and knows the state of its journal.
#[derive(Debug)]
pub(super) struct Holder<F: Files> {
    files: F,
    place: Place,
    _lock: F::Lock,
    /// Nothing while there is no base.
    base: Option<Base<F::File>>,
    journal: Journal<F::File>,
    /// A write failed and could not be undone: only opening again tells what is on the disk.
    stopped: bool,
}

/// The base that is, or should be, in place.
#[derive(Debug)]
struct Base<H> {
    file: H,
    /// Once something needed it.
    identity: Option<Identity>,
}

#[derive(Debug)]
enum Journal<H> {
    /// There is none.
    Absent,
    /// It extends the base.
    Live { file: H, end: u64, n_records: u64 },
    /// It extends an earlier base; removing it has failed so far.
    Void,
}

impl<F: Files> Holder<F> {
    /// Takes the lock and recovers from whatever stopped the writers before.
    pub(super) fn open(files: F, place: Place) -> Result<Self, Problem> {
        let path = place.lock();
        let Some(lock) = files.lock(&path).map_err(|e| place.failed(Action::Lock, e))? else {
            let lock = place.shown_companion(&path);
            return Err(Problem::Locked { path: place.shown(), lock });
        };
        let mut holder = Self {
            files,
            place,
            _lock: lock,
            base: None,
            journal: Journal::Absent,
            stopped: false,
        };
        holder.recover()?;
        Ok(holder)
    }

    /// Brings base and journal into a state that is durable and complete.
    fn recover(&mut self) -> Result<(), Problem> {
        // A writer killed between a rename and this call leaves names that are visible and not yet
        // durable. They must be durable before anything is done that relies on them.
        self.sync_folder(Action::Prepare)?;
        self.remove_leftovers().map_err(|e| self.place.failed(Action::Prepare, e))?;
        self.base = match self.files.open(&self.place.base) {
            Ok(file) => Some(Base { file, identity: None }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(self.place.failed(Action::Read, error)),
        };
        let file = match self.files.open_to_append(&self.place.journal()) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(self.place.failed(Action::ReadJournal, error)),
        };
        let bytes =
            contents(&self.files, &file).map_err(|e| self.place.failed(Action::ReadJournal, e))?;
        let shown = self.place.shown_companion(&self.place.journal());
        let damaged = |problem| Problem::Journal { path: shown.clone(), problem };
        let extended = journal::base(&bytes).map_err(damaged)?;
        let base = self.base_identity()?;
        if base != Some(extended) {
            self.journal = Journal::Void;
            return self.remove_journal(Action::Prepare, Action::Prepare);
        }
        let records = journal::records(&bytes, extended).map_err(damaged)?;
        let end = records.end as u64;
        // Durable, so that a record seen from here on is never lost; cut to its whole records
        // before the next append, so that a torn tail is never followed by anything.
        let cut = if records.end < bytes.len() { self.files.truncate(&file, end) } else { Ok(()) };
        cut.and_then(|()| self.files.sync(&file))
            .map_err(|e| self.place.failed(Action::Prepare, e))?;
        self.journal = Journal::Live { file, end, n_records: records.payloads.len() as u64 };
        Ok(())
    }

    /// Removes temporary files of writers that were killed.
    fn remove_leftovers(&self) -> io::Result<()> {
        for name in self.files.names(&self.place.folder)? {
            if self.place.is_left_by_writer(&name) {
                self.files.remove(&self.place.folder.join(name))?;
            }
        }
        Ok(())
    }

    /// Makes a record durable and returns its sequence number.
    pub(super) fn append(&mut self, payload: &[u8]) -> Result<u64, Problem> {
        self.check()?;
        let base = match self.base_identity()? {
            Some(base) => base,
            None => return Err(Problem::NoBase { path: self.place.shown() }),
        };
        let Journal::Live { file, end, n_records } = &mut self.journal else {
            return self.start_journal(base, payload);
        };
        let sequence = *n_records + 1;
        let record = journal::record(base, sequence, payload);
        let appended = write_all(&self.files, file, &record).and_then(|()| self.files.sync(file));
        if let Err(error) = appended {
            let undone = self.files.truncate(file, *end).and_then(|()| self.files.sync(file));
            self.stopped = undone.is_err();
            let action = if self.stopped { Action::UndoAppend } else { Action::Append };
            return Err(self.place.failed(action, error));
        }
        *end += record.len() as u64;
        *n_records = sequence;
        Ok(sequence)
    }

    /// Creates the journal with its first record, under its name only when complete.
    fn start_journal(&mut self, base: Identity, payload: &[u8]) -> Result<u64, Problem> {
        let mut bytes = journal::header(base);
        bytes.extend(journal::record(base, 1, payload));
        let file = self.put_journal(&bytes).map_err(|e| self.place.failed(Action::Append, e))?;
        self.stopped = true;
        self.sync_folder(Action::SyncFolder)?;
        self.stopped = false;
        self.journal = Journal::Live { file, end: bytes.len() as u64, n_records: 1 };
        Ok(1)
    }

    fn put_journal(&self, bytes: &[u8]) -> io::Result<F::File> {
        let mut temporary = Temporary::create(&self.files, &self.place, Owner::Writer)?;
        temporary.fill(|out| out.write_all(bytes))?;
        temporary.sync()?;
        temporary.rename(&self.place.journal())
    }

    /// Replaces the base and ends its journal.
    pub(super) fn compact(
        &mut self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Problem> {
        self.check()?;
        if matches!(self.journal, Journal::Void) {
            // It could extend the new base, if that brings back an earlier version.
            self.remove_journal(Action::RemoveJournal, Action::RemoveJournal)?;
        }
        let (file, new) = put_base(&self.files, &self.place, Owner::Writer, write)?;
        // The old journal goes only once the new base is durable.
        self.stopped = true;
        self.sync_folder(Action::SyncFolder)?;
        self.stopped = false;
        let old = self.base.replace(Base { file, identity: Some(new) });
        if matches!(self.journal, Journal::Live { .. }) {
            let removed = self.remove_journal(Action::RemoveJournal, Action::SyncFolder);
            if removed.is_err() && old.and_then(|base| base.identity) == Some(new) {
                // The same bytes again, which the journal still extends.
                self.stopped = true;
                return removed;
            }
        }
        Ok(())
    }

    /// Removes the journal durably. After a failure it may still be there, or come back in a crash.
    fn remove_journal(&mut self, remove: Action, sync: Action) -> Result<(), Problem> {
        self.journal = Journal::Void;
        match self.files.remove(&self.place.journal()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(self.place.failed(remove, error));
            }
            _ => {}
        }
        self.sync_folder(sync)?;
        self.journal = Journal::Absent;
        Ok(())
    }

    fn sync_folder(&self, action: Action) -> Result<(), Problem> {
        self.files
            .sync_folder(&self.place.folder)
            .map_err(|source| self.place.failed(action, source))
    }

    /// The identity of the base, or nothing when there is no base.
    fn base_identity(&mut self) -> Result<Option<Identity>, Problem> {
        let Some(base) = &mut self.base else { return Ok(None) };
        if base.identity.is_none() {
            let identity = identity(&self.files, &base.file)
                .map_err(|source| self.place.failed(Action::Read, source))?;
            base.identity = Some(identity);
        }
        Ok(base.identity)
    }

    /// Refuses to go on from a state that is not the one on the disk.
    fn check(&self) -> Result<(), Problem> {
        if self.stopped {
            return Err(Problem::Stopped { path: self.place.shown() });
        }
        if let Some(base) = &self.base {
            let in_place = self
                .files
                .is_at(&base.file, &self.place.base)
                .map_err(|source| self.place.failed(Action::Read, source))?;
            if !in_place {
                return Err(Problem::Replaced { path: self.place.shown() });
            }
        }
        Ok(())
    }

    /// The number of records and of bytes in the journal.
    pub(super) fn journal_size(&self) -> (u64, u64) {
        match &self.journal {
            Journal::Live { end, n_records, .. } => (*n_records, *end),
            Journal::Absent | Journal::Void => (0, 0),
        }
    }

    pub(super) fn files(&self) -> &F {
        &self.files
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }
}
