//! rows.jsonl: every finished task with its rows, as they come.
//!
//! The first line says which experiment, data and version the rows are of. Each later line is a
//! task. A line that a crash cut short is dropped when the file is opened again.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::written::Folder;

/// The name of the file in its folder.
const FILE: &str = "rows.jsonl";

/// What the rows of a folder are of; two runs may share it when these are equal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    version: String,
    experiment: String,
    spec: String,
    data: Vec<(String, String)>,
}

impl Header {
    /// Rows of this version: of an experiment by its name and its specification, which says nothing of the
    /// number of seeds where more may be added, and of data by their names and hashes.
    pub(crate) fn new(
        experiment: &str,
        spec: &impl Serialize,
        data: Vec<(String, String)>,
    ) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            experiment: experiment.to_owned(),
            spec: serde_json::to_string(spec).expect("a specification is plain data"),
            data,
        }
    }
}

/// The rows of a task, `R` being a sequence of them.
#[derive(Serialize, Deserialize)]
struct Line<T, R> {
    #[serde(flatten)]
    task: T,
    rows: R,
}

/// Finished tasks with their rows.
type Finished<T, R> = Vec<(T, Vec<R>)>;

/// The file, open and locked.
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens or starts the journal of a folder; returns it with what is finished.
    pub(crate) fn open<T: DeserializeOwned, R: DeserializeOwned>(
        folder: &Folder<'_>,
        header: &Header,
    ) -> Result<(Self, Finished<T, R>)> {
        let path = folder.path().join(FILE);
        if !path.exists() {
            refuse_trainings(folder.path())?;
        }
        let opened = OpenOptions::new().read(true).append(true).create(true).open(&path);
        let mut file = opened.map_err(|error| Error::write(&path, error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let problem = "another run is writing to it; wait for its end, or choose another \
                               folder";
                return Err(Error::folder(&path, problem));
            }
            Err(TryLockError::Error(error)) => return Err(Error::write(&path, error)),
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(|error| Error::read(&path, error))?;
        let mut journal = Self { path, file };
        // What a run leaves that failed at once binds no other.
        if is_bare(&text) && !folder.has_results() {
            journal.change(|file| file.set_len(0))?;
            text.clear();
        }
        let (finished, whole) = parse(&journal.path, &text, header)?;
        if whole < text.len() {
            journal.change(|file| file.set_len(whole as u64))?;
        }
        if whole == 0 {
            journal.append(header)?;
        }
        Ok((journal, finished))
    }

    /// Adds a finished task; it is on the disk when this returns.
    pub(crate) fn finish(&mut self, task: &impl Serialize, rows: &[impl Serialize]) -> Result<()> {
        self.append(&Line { task, rows })
    }

    fn append(&mut self, line: &impl Serialize) -> Result<()> {
        let mut bytes = serde_json::to_vec(line)
            .map_err(|error| Error::write(&self.path, io::Error::other(error)))?;
        bytes.push(b'\n');
        // One write: a crash leaves all of the line, or a piece without its end.
        self.change(|file| {
            file.seek(SeekFrom::End(0))?;
            file.write_all(&bytes)?;
            file.sync_data()
        })
    }

    fn change(&mut self, change: impl FnOnce(&mut File) -> io::Result<()>) -> Result<()> {
        change(&mut self.file).map_err(|error| Error::write(&self.path, error))
    }
}

/// Refuses a folder whose rows are of trainings, which have checkpoints instead of a journal.
fn refuse_trainings(folder: &Path) -> Result<()> {
    let entries = fs::read_dir(folder).map_err(|error| Error::read(folder, error))?;
    let mut names = entries.filter_map(|entry| Some(entry.ok()?.path()));
    match names.find(|path| path.extension().is_some_and(|ending| ending == "checkpoint")) {
        None => Ok(()),
        Some(path) => Err(Error::folder(&path, "is of a training; choose another folder")),
    }
}

/// Whether no task is finished: there is a header and no other whole line.
fn is_bare(text: &[u8]) -> bool {
    let mut lines = text.split_inclusive(|&byte| byte == b'\n');
    let header = lines.next().and_then(|line| line.strip_suffix(b"\n"));
    let is_header = header.is_some_and(|line| serde_json::from_slice::<Header>(line).is_ok());
    is_header && !lines.any(|line| line.ends_with(b"\n"))
}

/// What is finished, and the length of the whole lines.
fn parse<T: DeserializeOwned, R: DeserializeOwned>(
    path: &Path,
    text: &[u8],
    header: &Header,
) -> Result<(Finished<T, R>, usize)> {
    let mut finished = Vec::new();
    let mut whole = 0;
    for (number, line) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
        // Only the last can be without its end.
        let Some(line) = line.strip_suffix(b"\n") else { break };
        let damaged = |error: serde_json::Error| {
            let problem = format!("line {}: not as it was written: {error}", number + 1);
            Error::folder(
                path,
                format!("{problem}; remove it and the results beside it to start anew"),
            )
        };
        if number == 0 {
            check(path, &serde_json::from_slice(line).map_err(damaged)?, header)?;
        } else {
            let Line { task, rows } = serde_json::from_slice(line).map_err(damaged)?;
            finished.push((task, rows));
        }
        whole += line.len() + 1;
    }
    Ok((finished, whole))
}

/// Refuses rows that are not of this run.
fn check(path: &Path, found: &Header, expected: &Header) -> Result<()> {
    let what = if found.experiment != expected.experiment {
        format!("experiment ({}, not {})", found.experiment, expected.experiment)
    } else if found.version != expected.version {
        format!("version ({}, not {})", found.version, expected.version)
    } else if found.data != expected.data {
        let names = |header: &Header| {
            header.data.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
        };
        let (found, expected) = (names(found), names(expected));
        if found == expected {
            format!("set of images called {found}")
        } else {
            format!("data set ({found}, not {expected})")
        }
    } else if found.spec != expected.spec {
        "specification (--quick and --spec make another one)".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::folder(path, format!("holds rows of another {what}; choose another folder")))
}
