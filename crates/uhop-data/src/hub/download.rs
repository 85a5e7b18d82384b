//! A download that is watched: told how far it is, and given up when nothing comes.
//!
//! The client waits for as long as the system does, and cannot be stopped. It works in a thread of its own,
//! which is left behind when it is given up.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use hf_hub::api::Progress;
use hf_hub::api::sync::ApiRepo;

/// How far a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Download<'a> {
    /// The file, as the hub calls it.
    pub file: &'a str,
    /// Bytes that are there, those of an earlier download included.
    pub done: u64,
    /// All of them.
    pub all: u64,
}

/// What the client says.
enum Word {
    /// A file of so many bytes begins, or begins again.
    Size(u64),
    /// So many more have come.
    Bytes(u64),
    End(Result<PathBuf, String>),
}

struct Reporter(Sender<Word>);

impl Reporter {
    fn say(&self, word: Word) {
        // Nobody listens to a download that was given up.
        let _ = self.0.send(word);
    }
}

impl Progress for Reporter {
    fn init(&mut self, size: usize, _: &str) {
        self.say(Word::Size(size as u64));
    }

    fn update(&mut self, size: usize) {
        self.say(Word::Bytes(size as u64));
    }

    fn finish(&mut self) {}
}

/// Downloads a file, and returns its path in the cache, or why there is none.
pub(super) fn watched(
    repo: ApiRepo,
    file: &'static str,
    patience: Duration,
    mut show: impl FnMut(Download<'_>),
) -> Result<PathBuf, String> {
    let (words, heard) = mpsc::channel();
    let work = move || {
        let reporter = Reporter(words.clone());
        // A redirection to nowhere is one answer on which the client panics.
        let end = catch_unwind(AssertUnwindSafe(|| repo.download_with_progress(file, reporter)));
        let end = match end {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(_) => Err("its answer makes no sense".to_owned()),
        };
        Reporter(words).say(Word::End(end));
    };
    thread::Builder::new().spawn(work).map_err(|error| error.to_string())?;
    let (mut done, mut all) = (0, 0);
    loop {
        match heard.recv_timeout(patience) {
            Ok(Word::Size(size)) => (done, all) = (0, size),
            Ok(Word::Bytes(more)) => {
                done += more;
                show(Download { file, done, all });
            }
            Ok(Word::End(end)) => return end,
            Err(RecvTimeoutError::Timeout) => {
                return Err(format!("nothing came for {} s", patience.as_secs_f64()));
            }
            Err(RecvTimeoutError::Disconnected) => return Err("it ended without a word".to_owned()),
        }
    }
}
