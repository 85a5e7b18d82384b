//! Every way in which a stored file cannot be read or written.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::journal;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("{}: cannot {action}: {source}; {}{}", path.display(), action.outcome(), next(*action, source))]
    Io { path: PathBuf, action: Action, source: io::Error },
    #[error(
        "{}: another process is writing to this file (it holds {}); \
         try again when it has finished",
        path.display(), lock.display()
    )]
    Locked { path: PathBuf, lock: PathBuf },
    #[error(
        "{}: the file was replaced during each of {attempts} attempts to read it; \
         try again when it is written less often",
        path.display()
    )]
    Unsettled { path: PathBuf, attempts: u32 },
    #[error(
        "{}: another program replaced the file while it was open for writing; \
         open it again and repeat the change",
        path.display()
    )]
    Replaced { path: PathBuf },
    #[error("{}: not a regular file; name a file, not a folder or a device", path.display())]
    NotAFile { path: PathBuf },
    #[error(
        "{}: a link to a file that does not exist; remove the link or create its target",
        path.display()
    )]
    DanglingLink { path: PathBuf },
    #[error(
        "{}: the file is marked read-only; make it writable or write to another file",
        path.display()
    )]
    ReadOnly { path: PathBuf },
    #[error("{}: the path does not end in a file name; name a file", path.display())]
    NoName { path: PathBuf },
    #[error("{}: nothing to append to, the file does not exist; write it first", path.display())]
    NoBase { path: PathBuf },
    #[error(
        "{}: an earlier write failed halfway; open the file again before writing to it",
        path.display()
    )]
    Stopped { path: PathBuf },
    #[error("{}: {problem}", path.display())]
    Journal { path: PathBuf, problem: journal::Problem },
}

impl Problem {
    pub(crate) fn is_io(&self) -> bool {
        matches!(
            self,
            Self::Io { .. }
                | Self::NotAFile { .. }
                | Self::DanglingLink { .. }
                | Self::ReadOnly { .. }
                | Self::Stopped { .. }
        )
    }

    pub(crate) fn is_busy(&self) -> bool {
        matches!(self, Self::Locked { .. } | Self::Unsettled { .. } | Self::Replaced { .. })
    }

    pub(crate) fn is_format(&self) -> bool {
        matches!(self, Self::Journal { .. })
    }

    pub(crate) fn is_invalid_argument(&self) -> bool {
        matches!(self, Self::NoName { .. } | Self::NoBase { .. })
    }
}

/// What was being done when the system refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Read,
    ReadJournal,
    Prepare,
    Lock,
    CreateTemporary,
    Write,
    Rename,
    SyncFolder,
    Append,
    UndoAppend,
    RemoveJournal,
}

impl Action {
    /// What holds for the file after the failure.
    fn outcome(self) -> &'static str {
        match self {
            Self::Read | Self::ReadJournal | Self::Lock => "",
            Self::Prepare
            | Self::CreateTemporary
            | Self::Write
            | Self::Rename
            | Self::Append
            | Self::RemoveJournal => "what was stored is unchanged; ",
            Self::UndoAppend => "the record may or may not have been kept; ",
            Self::SyncFolder => "the change is in place but a crash could undo it; ",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read it",
            Self::ReadJournal => "read its journal",
            Self::Prepare => "prepare its folder for writing",
            Self::Lock => "lock it against other writers",
            Self::CreateTemporary => "create a temporary file beside it",
            Self::Write => "write its new version",
            Self::Rename => "put its new version in place",
            Self::SyncFolder => "flush its folder to disk",
            Self::Append | Self::UndoAppend => "append to its journal",
            Self::RemoveJournal => "remove its old journal",
        })
    }
}

/// What the user can do about it.
fn next(action: Action, source: &io::Error) -> &'static str {
    use io::ErrorKind as Kind;
    let reading = matches!(action, Action::Read | Action::ReadJournal);
    match source.kind() {
        Kind::NotFound if reading => "check the path",
        Kind::NotFound | Kind::NotADirectory => "check that its folder exists",
        Kind::PermissionDenied if reading => "ask for permission to read it",
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => {
            "choose a folder in which you may create files"
        }
        Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => {
            "free some space or choose another disk"
        }
        Kind::InvalidFilename => "choose a shorter or simpler file name",
        Kind::Unsupported => "choose a disk whose file system supports it",
        _ if reading => "try again",
        _ => "try again or choose another folder",
    }
}
