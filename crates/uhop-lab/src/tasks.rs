//! An experiment as tasks: shared among workers, each kept in the journal as it is finished.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use serde::Serialize;
use serde::de::DeserializeOwned;
use uhop::Threads;

use crate::error::{Error, Result};
use crate::journal::{Header, Journal};
use crate::written::{Folder, Measured};

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Work done, in units of about the same time.
    pub done: u64,
    /// All of it.
    pub all: u64,
    /// Tasks finished, those of earlier runs included.
    pub tasks: usize,
    /// All of them.
    pub all_tasks: usize,
}

/// Called now and then during a run, from any thread; stops it by [`ControlFlow::Break`].
pub type Observer<'a> = &'a (dyn Fn(Progress) -> ControlFlow<()> + Sync);

/// What is measured and kept as a whole. Its fields say in the journal which one it is.
pub(crate) trait Task: PartialEq + Serialize + DeserializeOwned + Sync {
    /// About how long it takes, in a unit of the experiment.
    fn work(&self) -> u64;
}

/// The tasks of an experiment.
pub(crate) struct Tasks<'a, T> {
    /// Where the journal is.
    pub(crate) folder: &'a Folder<'a>,
    pub(crate) header: Header,
    /// In the order of their rows.
    pub(crate) all: Vec<T>,
    /// Tasks worked on at once.
    pub(crate) jobs: NonZeroUsize,
}

/// Whether to go on with a task, which is told the share of it that is done.
pub(crate) type GoOn<'a> = &'a (dyn Fn(f64) -> bool + Sync);

impl<T: Task> Tasks<'_, T> {
    /// Measures by `measure` whatever the folder does not hold yet.
    ///
    /// `measure` returns the rows of a task, or any error when it was asked to stop. Its rows must
    /// depend neither on other tasks nor on the number of threads: then those of a run depend neither
    /// on the jobs nor on whether it was stopped.
    ///
    /// # Errors
    /// Those of `measure` and of the journal; [`is_stopped`](Error::is_stopped) when the observer
    /// stopped it.
    pub(crate) fn measure<R: Serialize + DeserializeOwned + Send>(
        self,
        measure: impl Fn(&T, GoOn<'_>) -> Result<Vec<R>> + Sync,
        observer: Observer<'_>,
    ) -> Result<Measured<R>> {
        let (journal, mut finished) = Journal::open::<T, R>(self.folder, &self.header)?;
        let mut earlier = |task: &T| {
            let i = finished.iter().rposition(|(other, _)| other == task)?;
            Some(finished.swap_remove(i).1)
        };
        let rows: Vec<Option<Vec<R>>> = self.all.iter().map(&mut earlier).collect();
        let mut missing: Vec<usize> = (0..rows.len()).filter(|&i| rows[i].is_none()).collect();
        let work = |i: &usize| self.all[*i].work();
        // The longest first, so that no worker is left alone with one at the end.
        missing.sort_by_key(|i| std::cmp::Reverse(work(i)));
        let (tasks, resumed) = (rows.len(), rows.len() - missing.len());
        let all = (0..tasks).map(|i| work(&i)).sum();
        let done = all - missing.iter().map(work).sum::<u64>();
        let progress = Progress { done, all, tasks: resumed, all_tasks: tasks };
        let workers = self.jobs.get().min(missing.len());
        let shared = Shared {
            tasks: &self.all,
            measure,
            observer,
            missing,
            next: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            within: (0..workers).map(|_| AtomicU64::new(0)).collect(),
            kept: Mutex::new(Kept { journal, rows, progress, failure: None }),
        };
        shared.keep_going();
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = (cores / workers.max(1)).max(1);
        thread::scope(|scope| {
            for worker in 0..workers {
                let shared = &shared;
                let spawned = thread::Builder::new()
                    .spawn_scoped(scope, move || shared.work(worker, threads));
                if let Err(error) = spawned {
                    let problem = format!("{error}; give fewer jobs than {workers}");
                    shared.fail(Error::data(format!("job {}", worker + 1), problem));
                }
            }
        });
        let kept = shared.kept.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = kept.failure {
            return Err(failure);
        }
        if shared.stop.into_inner() {
            return Err(Error::stopped(kept.progress.tasks, tasks));
        }
        let found = kept.rows.into_iter().flatten().flatten().collect();
        Ok(Measured { found, tasks, resumed })
    }
}

/// What the workers share.
struct Shared<'a, T, R, F> {
    tasks: &'a [T],
    measure: F,
    observer: Observer<'a>,
    /// What is to be done, by the place among the tasks.
    missing: Vec<usize>,
    next: AtomicUsize,
    stop: AtomicBool,
    /// The work that each worker has done of the task it is at.
    within: Vec<AtomicU64>,
    kept: Mutex<Kept<R>>,
}

struct Kept<R> {
    journal: Journal,
    rows: Vec<Option<Vec<R>>>,
    progress: Progress,
    failure: Option<Error>,
}

impl<T: Task, R: Serialize, F: Fn(&T, GoOn<'_>) -> Result<Vec<R>> + Sync> Shared<'_, T, R, F> {
    /// One worker, with a pool of its own: takes the next task until there is none.
    fn work(&self, worker: usize, threads: usize)
    where
        R: Send,
    {
        let pool = match Threads::new(threads) {
            Ok(pool) => pool,
            Err(error) => return self.fail(Error::memory("the threads", error)),
        };
        while self.keep_going() {
            let next = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(&i) = self.missing.get(next) else { return };
            let task = &self.tasks[i];
            let go_on = |share: f64| {
                let done = (share * task.work() as f64) as u64;
                self.within[worker].store(done, Ordering::Relaxed);
                self.keep_going()
            };
            let measured = pool.install(|| (self.measure)(task, &go_on));
            match measured.and_then(|rows| self.finish(worker, i, rows)) {
                Ok(()) => {}
                Err(error) if error.is_stopped() => return,
                Err(error) => return self.fail(error),
            }
        }
    }

    fn finish(&self, worker: usize, i: usize, rows: Vec<R>) -> Result<()> {
        let mut kept = self.kept();
        kept.journal.finish(&self.tasks[i], &rows)?;
        kept.rows[i] = Some(rows);
        kept.progress.done += self.tasks[i].work();
        kept.progress.tasks += 1;
        self.within[worker].store(0, Ordering::Relaxed);
        Ok(())
    }

    /// Tells the observer, and whether nobody has asked to stop.
    fn keep_going(&self) -> bool {
        if self.stop.load(Ordering::Relaxed) {
            return false;
        }
        let mut progress = self.kept().progress;
        progress.done += self.within.iter().map(|done| done.load(Ordering::Relaxed)).sum::<u64>();
        progress.done = progress.done.min(progress.all);
        let asked = (self.observer)(progress).is_break();
        if asked {
            self.stop.store(true, Ordering::Relaxed);
        }
        !asked
    }

    fn fail(&self, error: Error) {
        self.kept().failure.get_or_insert(error);
        self.stop.store(true, Ordering::Relaxed);
    }

    fn kept(&self) -> MutexGuard<'_, Kept<R>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use serde::Deserialize;

    use super::*;

    #[derive(Serialize, Deserialize, PartialEq)]
    struct Square {
        of: u64,
    }

    impl Task for Square {
        fn work(&self) -> u64 {
            10 * self.of
        }
    }

    fn tasks<'a>(folder: &'a Folder<'a>, all: &[u64]) -> Tasks<'a, Square> {
        let all = all.iter().map(|&of| Square { of }).collect();
        let header = Header::new("squares", &"", Vec::new());
        Tasks { folder, header, all, jobs: NonZeroUsize::MIN }
    }

    fn square(task: &Square, _: GoOn<'_>) -> Result<Vec<u64>> {
        Ok(vec![task.of * task.of])
    }

    const GO_ON: Observer<'_> = &|_| ControlFlow::Continue(());

    /// What fails ends a run, and keeps what was finished before it.
    #[test]
    fn a_failure_keeps_what_is_finished() {
        let out = tempfile::tempdir().unwrap();
        let folder = Folder::make(out.path()).unwrap();
        let fails = |task: &Square, go_on: GoOn<'_>| match task.of {
            2 => Err(Error::data("2", "fails")),
            _ => square(task, go_on),
        };
        let error = tasks(&folder, &[1, 2, 3]).measure(fails, GO_ON).err().unwrap();
        assert_eq!(error.to_string(), "2: fails");
        // The longest came first.
        let measured = tasks(&folder, &[1, 2, 3]).measure(square, GO_ON).unwrap();
        assert_eq!((measured.tasks, measured.resumed), (3, 1));
        assert_eq!(measured.found, [1, 4, 9]);
    }

    /// Tasks that were not asked for are kept for those who ask.
    #[test]
    fn other_tasks_stay_in_the_journal() {
        let out = tempfile::tempdir().unwrap();
        let folder = Folder::make(out.path()).unwrap();
        let counts = [&[5, 7][..], &[7, 2], &[2, 5, 7]].map(|all| {
            let measured = tasks(&folder, all).measure(square, GO_ON).unwrap();
            assert_eq!(measured.found, all.iter().map(|of| of * of).collect::<Vec<_>>());
            measured.resumed
        });
        assert_eq!(counts, [0, 1, 3]);
    }

    #[test]
    fn the_observer_is_told_what_is_done_of_a_task() {
        let out = tempfile::tempdir().unwrap();
        let folder = Folder::make(out.path()).unwrap();
        let seen = Mutex::new(Vec::new());
        let halves = |task: &Square, go_on: GoOn<'_>| {
            assert!(go_on(0.5));
            square(task, go_on)
        };
        let note = |progress: Progress| {
            seen.lock().unwrap().push((progress.done, progress.tasks));
            ControlFlow::Continue(())
        };
        tasks(&folder, &[1, 2]).measure(halves, &note).unwrap();
        // At the start, before each task, amid it, and at the end.
        let expected = [(0, 0), (0, 0), (10, 0), (20, 1), (25, 1), (30, 2)];
        assert_eq!(seen.into_inner().unwrap(), expected);
    }

    #[test]
    fn lines_that_are_no_tasks_are_refused() {
        let out = tempfile::tempdir().unwrap();
        let folder = Folder::make(out.path()).unwrap();
        tasks(&folder, &[1]).measure(square, GO_ON).unwrap();
        let journal: &Path = &out.path().join("rows.jsonl");
        let text = fs::read_to_string(journal).unwrap();
        assert!(text.ends_with("{\"of\":1,\"rows\":[1]}\n"), "{text}");
        fs::write(journal, text.replace("[1]", "1")).unwrap();
        let error = tasks(&folder, &[1]).measure(square, GO_ON).err().unwrap().to_string();
        assert!(error.contains("rows.jsonl: line 2: not as it was written"), "{error}");
    }
}
