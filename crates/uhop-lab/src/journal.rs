//! rows.jsonl: every finished memory set with its rows, as they come.
//!
//! The first line says which experiment, data and version the rows are of. Each later line is a
//! memory set. A line that a crash cut short is dropped when the file is opened again.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::rows::Row;

/// The name of the file in its folder.
pub(crate) const FILE: &str = "rows.jsonl";

/// What the rows of a folder are of; two runs may share it when these are equal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) version: String,
    pub(crate) experiment: String,
    /// The specification but for the number of seeds, so that more can be added.
    pub(crate) spec: String,
    /// Name and hash of each data set.
    pub(crate) data: Vec<(String, String)>,
}

/// Which memory set a line is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct SetId {
    pub(crate) dataset: String,
    pub(crate) n_patterns: usize,
    pub(crate) seed: u64,
}

#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    id: SetId,
    rows: Vec<Row>,
}

/// The file, open and locked.
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens or starts the journal of a folder; returns it with what is finished.
    pub(crate) fn open(
        folder: &Path,
        header: &Header,
    ) -> Result<(Self, BTreeMap<SetId, Vec<Row>>)> {
        let path = folder.join(FILE);
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
        let (finished, whole) = parse(&path, &text, header)?;
        let mut journal = Self { path, file };
        if whole < text.len() {
            journal.change(|file| file.set_len(whole as u64))?;
        }
        if whole == 0 {
            journal.append(header)?;
        }
        Ok((journal, finished))
    }

    /// Adds a finished memory set; it is on the disk when this returns.
    pub(crate) fn finish(&mut self, id: SetId, rows: &[Row]) -> Result<()> {
        self.append(&Line { id, rows: rows.to_vec() })
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

/// What is finished, and the length of the whole lines.
fn parse(path: &Path, text: &[u8], header: &Header) -> Result<(BTreeMap<SetId, Vec<Row>>, usize)> {
    let mut finished = BTreeMap::new();
    let mut whole = 0;
    for (number, line) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
        // Only the last can be without its end.
        let Some(line) = line.strip_suffix(b"\n") else { break };
        let damaged = |error: serde_json::Error| {
            let problem = format!("line {}: not as it was written: {error}", number + 1);
            Error::folder(path, format!("{problem}; remove the file to start anew"))
        };
        if number == 0 {
            check(path, &serde_json::from_slice(line).map_err(damaged)?, header)?;
        } else {
            let Line { id, rows } = serde_json::from_slice(line).map_err(damaged)?;
            finished.insert(id, rows);
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
        format!("data ({}, not this {})", names(found), names(expected))
    } else if found.spec != expected.spec {
        "specification (--quick and --spec make another one)".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::folder(path, format!("holds rows of another {what}; choose another folder")))
}
