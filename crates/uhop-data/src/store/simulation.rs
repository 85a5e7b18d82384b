//! A disk in memory that can stop a process at any operation and lose what a disk may lose.
//!
//! What a process sees and what is durable are kept apart. A flush of a file makes its content
//! durable, a flush of a folder its names. At a power failure every name operation since the last
//! flush of the folder survives or not, independently of the others, and the content of a file that
//! was not flushed is one of [`Loss`].

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::files::Files;

/// One process on a disk; others can be started on the same disk.
#[derive(Clone)]
pub(super) struct Simulation {
    disk: Rc<RefCell<Contents>>,
    process: Rc<RefCell<Process>>,
}

#[derive(Clone, Default)]
struct Contents {
    files: Vec<Content>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    /// Since the last flush of the folder.
    pending: Vec<NameChange>,
    locked: bool,
}

#[derive(Clone, Default)]
struct Content {
    seen: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Clone)]
enum NameChange {
    Create { name: PathBuf, file: usize },
    Rename { from: PathBuf, to: PathBuf, file: usize },
    Remove { name: PathBuf },
}

#[derive(Default)]
struct Process {
    fault: Option<Fault>,
    /// Runs before each operation, with its number.
    interruption: Option<Box<dyn FnMut(usize)>>,
    dead: bool,
    n_operations: usize,
    /// The operations that change something: how many bytes each writes, or nothing.
    changes: Vec<Option<usize>>,
}

/// What happens at one of the operations that change something, counted from 0.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// The process is killed; of a write, the first bytes are done.
    Kill { at: usize, written: usize },
    /// The operation fails, and so do the following ones of this number.
    Fail { at: usize, n: usize, kind: io::ErrorKind },
    /// A write does this many bytes, the rest of it fails as on a full disk.
    Full { at: usize, written: usize },
}

/// After how many of its bytes a write is stopped.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cuts {
    /// Any number.
    Every,
    /// None, one, some, all but one.
    Some,
}

impl Cuts {
    fn of(self, n_bytes: usize) -> Vec<usize> {
        match self {
            Self::Every => (0..n_bytes.max(1)).collect(),
            Self::Some => {
                let some =
                    [0, 1, n_bytes / 4, n_bytes / 2, 3 * n_bytes / 4, n_bytes.saturating_sub(1)];
                let mut cuts: Vec<usize> =
                    some.into_iter().filter(|&cut| cut == 0 || cut < n_bytes).collect();
                cuts.sort_unstable();
                cuts.dedup();
                cuts
            }
        }
    }
}

/// What a power failure does to content that was not flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// It is all there.
    Kept,
    /// None of it is there.
    Lost,
    /// The first half is there.
    Half,
    /// The file has its length, and zeros where the bytes should be.
    Zeros,
    /// The second half is there, and zeros before it.
    SecondHalf,
    /// Writes are there, a truncation is not.
    NotTruncated,
}

impl Loss {
    pub(super) const ALL: [Self; 6] =
        [Self::Kept, Self::Lost, Self::Half, Self::Zeros, Self::SecondHalf, Self::NotTruncated];

    fn apply(self, content: &Content) -> Vec<u8> {
        let Content { seen, durable } = content;
        let same = seen.iter().zip(durable).take_while(|(a, b)| a == b).count();
        let half = same + (seen.len() - same) / 2;
        let zeros = |from: usize, to: usize| std::iter::repeat_n(0, to - from);
        match self {
            Self::Kept => seen.clone(),
            Self::Lost => durable.clone(),
            Self::Half => seen[..half].to_vec(),
            Self::Zeros => seen[..same].iter().copied().chain(zeros(same, seen.len())).collect(),
            Self::SecondHalf => {
                let mut bytes = seen[..same].to_vec();
                bytes.extend(zeros(same, half));
                bytes.extend(&seen[half..]);
                bytes
            }
            Self::NotTruncated => {
                seen.iter().chain(durable.iter().skip(seen.len())).copied().collect()
            }
        }
    }
}

impl Simulation {
    pub(super) fn new() -> Self {
        Self::on(Contents::default())
    }

    fn on(disk: Contents) -> Self {
        Self { disk: Rc::new(RefCell::new(disk)), process: Rc::default() }
    }

    /// Another process on the same disk.
    pub(super) fn process(&self) -> Self {
        Self { disk: Rc::clone(&self.disk), process: Rc::default() }
    }

    /// A process on a copy of the disk, as after a kill of all others: nothing is lost, and nothing
    /// has become durable.
    pub(super) fn after_kill(&self) -> Self {
        let mut disk = self.disk.borrow().clone();
        disk.locked = false;
        Self::on(disk)
    }

    /// The number of sets of name changes that a power failure may keep.
    pub(super) fn n_name_sets(&self) -> usize {
        let n_pending = self.disk.borrow().pending.len();
        assert!(n_pending <= 6, "{n_pending} unflushed names make too many sets");
        1 << n_pending
    }

    /// A process on a copy of the disk after a power failure that kept the name changes in `kept`.
    pub(super) fn after_power_failure(&self, loss: Loss, kept: usize) -> Self {
        let old = self.disk.borrow();
        let mut names = old.durable_names.clone();
        for (i, change) in old.pending.iter().enumerate() {
            if kept & (1 << i) != 0 {
                apply(change, &mut names);
            }
        }
        let files = old.files.iter().map(|content| {
            let bytes = loss.apply(content);
            Content { seen: bytes.clone(), durable: bytes }
        });
        Self::on(Contents {
            files: files.collect(),
            durable_names: names.clone(),
            names,
            ..Contents::default()
        })
    }

    pub(super) fn with_fault(self, fault: Fault) -> Self {
        self.process.borrow_mut().fault = Some(fault);
        self
    }

    /// Runs something else before each operation, which are counted from 0.
    pub(super) fn interrupted(self, run: impl FnMut(usize) + 'static) -> Self {
        self.process.borrow_mut().interruption = Some(Box::new(run));
        self
    }

    /// Runs something else before the operation with this number.
    pub(super) fn interrupted_at(self, operation: usize, run: impl FnOnce() + 'static) -> Self {
        let mut run = Some(run);
        self.interrupted(move |number| {
            if let Some(run) = run.take_if(|_| number == operation) {
                run();
            }
        })
    }

    pub(super) fn n_operations(&self) -> usize {
        self.process.borrow().n_operations
    }

    /// The changing operations so far: how many bytes each wrote, or nothing for other operations.
    pub(super) fn changes(&self) -> Vec<Option<usize>> {
        self.process.borrow().changes.clone()
    }

    pub(super) fn is_dead(&self) -> bool {
        self.process.borrow().dead
    }

    /// Every point at which this process could have been killed: at each changing operation, and
    /// within each write after some of its bytes.
    pub(super) fn kill_points(&self, cuts: Cuts) -> Vec<Fault> {
        let changes = self.changes();
        let points = changes.iter().enumerate().flat_map(|(at, &n_bytes)| {
            let written = cuts.of(n_bytes.unwrap_or(0));
            written.into_iter().map(move |written| Fault::Kill { at, written })
        });
        points.collect()
    }

    pub(super) fn names(&self) -> Vec<PathBuf> {
        self.disk.borrow().names.keys().cloned().collect()
    }

    fn operation(&self) -> io::Result<()> {
        let (number, interruption) = {
            let mut process = self.process.borrow_mut();
            if process.dead {
                return Err(io::Error::other("killed"));
            }
            let number = process.n_operations;
            process.n_operations += 1;
            (number, process.interruption.take())
        };
        if let Some(mut run) = interruption {
            run(number);
            self.process.borrow_mut().interruption = Some(run);
        }
        Ok(())
    }

    /// Counts an operation that changes something. Returns how many bytes of a write to do before
    /// what error.
    fn change(&self, n_bytes: Option<usize>) -> io::Result<Option<(usize, io::Error)>> {
        self.operation()?;
        let mut process = self.process.borrow_mut();
        let number = process.changes.len();
        process.changes.push(n_bytes);
        match process.fault {
            Some(Fault::Kill { at, written }) if number == at => {
                process.dead = true;
                Ok(Some((written, io::Error::other("killed"))))
            }
            Some(Fault::Fail { at, n, kind }) if (at..at.saturating_add(n)).contains(&number) => {
                Ok(Some((0, kind.into())))
            }
            Some(Fault::Full { at, written }) if number == at => {
                Ok(Some((written, io::ErrorKind::StorageFull.into())))
            }
            _ => Ok(None),
        }
    }

    /// A change that is done wholly or not at all.
    fn whole_change(&self) -> io::Result<()> {
        match self.change(None)? {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        self.disk.borrow().names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn rename_names(&self, change: NameChange) {
        let mut disk = self.disk.borrow_mut();
        apply(&change, &mut disk.names);
        disk.pending.push(change);
    }
}

fn apply(change: &NameChange, names: &mut BTreeMap<PathBuf, usize>) {
    match change {
        NameChange::Create { name, file } => {
            names.insert(name.clone(), *file);
        }
        NameChange::Rename { from, to, file } => {
            names.remove(from);
            names.insert(to.clone(), *file);
        }
        NameChange::Remove { name } => {
            names.remove(name);
        }
    }
}

/// Gives the lock back when dropped.
pub(super) struct Lock(Rc<RefCell<Contents>>);

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.borrow_mut().locked = false;
    }
}

impl Files for Simulation {
    type File = usize;
    type Lock = Lock;

    fn open(&self, path: &Path) -> io::Result<usize> {
        self.operation()?;
        self.find(path)
    }

    fn open_to_append(&self, path: &Path) -> io::Result<usize> {
        self.open(path)
    }

    fn create(&self, path: &Path, _like: &Path) -> io::Result<usize> {
        self.whole_change()?;
        if self.find(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = self.disk.borrow().files.len();
        self.disk.borrow_mut().files.push(Content::default());
        self.rename_names(NameChange::Create { name: path.to_owned(), file });
        Ok(file)
    }

    fn contents(&self, file: &usize, visit: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        self.operation()?;
        visit(&self.disk.borrow().files[*file].seen);
        Ok(())
    }

    fn write(&self, file: &usize, bytes: &[u8]) -> io::Result<usize> {
        let fault = self.change(Some(bytes.len()))?;
        let n = fault.as_ref().map_or(bytes.len(), |(n, _)| *n);
        self.disk.borrow_mut().files[*file].seen.extend(&bytes[..n]);
        match fault {
            // A system reports what it wrote and fails at the next call; for us it is the same.
            Some((_, error)) => Err(error),
            None => Ok(n),
        }
    }

    fn truncate(&self, file: &usize, length: u64) -> io::Result<()> {
        self.whole_change()?;
        self.disk.borrow_mut().files[*file].seen.truncate(usize::try_from(length).unwrap());
        Ok(())
    }

    fn sync(&self, file: &usize) -> io::Result<()> {
        let result = self.whole_change();
        // A flush that fails may have written everything all the same. (A kill before a flush is the
        // other case.)
        if !self.is_dead() {
            let content = &mut self.disk.borrow_mut().files[*file];
            content.durable = content.seen.clone();
        }
        result
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.whole_change()?;
        let file = self.find(from)?;
        self.rename_names(NameChange::Rename { from: from.to_owned(), to: to.to_owned(), file });
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.whole_change()?;
        self.find(path)?;
        self.rename_names(NameChange::Remove { name: path.to_owned() });
        Ok(())
    }

    fn sync_folder(&self, _folder: &Path) -> io::Result<()> {
        self.whole_change()?;
        let mut disk = self.disk.borrow_mut();
        disk.durable_names = disk.names.clone();
        disk.pending.clear();
        Ok(())
    }

    fn names(&self, _folder: &Path) -> io::Result<Vec<OsString>> {
        self.operation()?;
        let disk = self.disk.borrow();
        Ok(disk.names.keys().filter_map(|path| path.file_name()).map(Into::into).collect())
    }

    fn is_at(&self, file: &usize, path: &Path) -> io::Result<bool> {
        self.operation()?;
        Ok(self.find(path).ok() == Some(*file))
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        self.whole_change()?;
        if self.find(path).is_err() {
            let file = self.disk.borrow().files.len();
            self.disk.borrow_mut().files.push(Content::default());
            self.rename_names(NameChange::Create { name: path.to_owned(), file });
        }
        if std::mem::replace(&mut self.disk.borrow_mut().locked, true) {
            return Ok(None);
        }
        Ok(Some(Lock(Rc::clone(&self.disk))))
    }

    fn pause(&self, _attempt: u32) {}
}
