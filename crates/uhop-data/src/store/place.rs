//! Where a stored file and the files beside it are.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::problem::{Action, Problem};

/// A stored file and its companions, after links were followed.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The path as the caller wrote it, for messages.
    shown: PathBuf,
    pub(super) base: PathBuf,
    pub(super) folder: PathBuf,
    name: OsString,
}

impl Place {
    /// Finds a file that must exist.
    pub(super) fn of_existing(path: &Path) -> Result<Self, Problem> {
        let base = fs::canonicalize(path).map_err(|source| failed(path, Action::Read, source))?;
        let metadata = fs::metadata(&base).map_err(|source| failed(path, Action::Read, source))?;
        if !metadata.is_file() {
            return Err(Problem::NotAFile { path: path.to_owned() });
        }
        Self::new(path, base)
    }

    /// Finds a file that may be replaced or created.
    pub(super) fn for_writing(path: &Path) -> Result<Self, Problem> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() && metadata.permissions().readonly() => {
                Err(Problem::ReadOnly { path: path.to_owned() })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::of_missing(path),
            Err(source) => Err(failed(path, Action::CreateTemporary, source)),
            Ok(_) => Self::of_existing(path),
        }
    }

    fn of_missing(path: &Path) -> Result<Self, Problem> {
        if fs::symlink_metadata(path).is_ok() {
            return Err(Problem::DanglingLink { path: path.to_owned() });
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Problem::NoName { path: path.to_owned() });
        };
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        let folder = fs::canonicalize(parent)
            .map_err(|source| failed(path, Action::CreateTemporary, source))?;
        Self::new(path, folder.join(name))
    }

    /// A place whose base is known to be no link.
    pub(super) fn new(shown: &Path, base: PathBuf) -> Result<Self, Problem> {
        let (Some(folder), Some(name)) = (base.parent(), base.file_name()) else {
            return Err(Problem::NoName { path: shown.to_owned() });
        };
        Ok(Self { shown: shown.to_owned(), folder: folder.to_owned(), name: name.to_owned(), base })
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.companion(".journal")
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.companion(".lock")
    }

    fn companion(&self, suffix: &str) -> PathBuf {
        let mut name = self.name.clone();
        name.push(suffix);
        self.folder.join(name)
    }

    /// The path of a temporary file: hidden, beside the file.
    pub(super) fn temporary(&self, owner: Owner, number: u64) -> PathBuf {
        let mut name = OsString::from(".");
        name.push(&self.name);
        name.push(format!(".{number:016x}{}", owner.suffix()));
        self.folder.join(name)
    }

    /// Whether a name in the folder is that of a temporary file which a writer of this file left.
    pub(super) fn is_left_by_writer(&self, name: &OsStr) -> bool {
        name.as_encoded_bytes()
            .strip_prefix(b".")
            .and_then(|rest| rest.strip_prefix(self.name.as_encoded_bytes()))
            .and_then(|rest| rest.strip_prefix(b"."))
            .and_then(|rest| rest.strip_suffix(Owner::Writer.suffix().as_bytes()))
            .is_some_and(|number| number.len() == 16 && number.iter().all(u8::is_ascii_hexdigit))
    }

    pub(super) fn failed(&self, action: Action, source: io::Error) -> Problem {
        failed(&self.shown, action, source)
    }

    pub(super) fn shown(&self) -> PathBuf {
        self.shown.clone()
    }

    /// The path of a companion as the caller would write it, for messages.
    pub(super) fn shown_companion(&self, path: &Path) -> PathBuf {
        match (self.shown.parent(), path.file_name()) {
            (Some(parent), Some(name)) if self.shown.file_name() == Some(&self.name) => {
                parent.join(name)
            }
            // Reached through a link: the companions are beside its target.
            _ => path.to_owned(),
        }
    }
}

/// Who creates a temporary file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Owner {
    /// Holds the lock: what it leaves behind in a crash, the next holder removes.
    Writer,
    /// Holds no lock.
    Anyone,
}

impl Owner {
    fn suffix(self) -> &'static str {
        match self {
            Self::Writer => ".new",
            Self::Anyone => ".tmp",
        }
    }
}

fn failed(path: &Path, action: Action, source: io::Error) -> Problem {
    Problem::Io { path: path.to_owned(), action, source }
}
