//! An experiment from start to end: memory sets shared among workers, rows in the order of the
//! specification.

use std::fs;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use uhop::Threads;

use crate::data::DataSet;
use crate::error::{Error, Result};
use crate::journal::{Header, Journal, SetId};
use crate::measure::measure;
use crate::rows::{self, Row};
use crate::spec::Spec;

/// What to run, on what, and where its files go.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// The experiment.
    pub spec: &'a Spec,
    /// The data sets, each of which the whole grid is run on.
    pub data: &'a [DataSet],
    /// The folder for rows.csv, rows.parquet and rows.jsonl, made if missing.
    pub out: &'a Path,
    /// Memory sets worked on at once.
    pub jobs: NonZeroUsize,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Work done, in units of about the same time.
    pub done: u64,
    /// All of it.
    pub all: u64,
    /// Memory sets finished, those of earlier runs included.
    pub sets: usize,
    /// All of them.
    pub all_sets: usize,
}

/// What a run leaves.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Finished {
    /// The rows, in the order of the specification: data set, patterns stored, seed, corruption,
    /// level, protocol, contender, steps.
    pub rows: Vec<Row>,
    /// Memory sets that an earlier run had finished.
    pub resumed: usize,
    /// All memory sets.
    pub sets: usize,
    /// Sizes that were left out, because a data set has not as many images.
    pub left_out: Vec<(String, usize)>,
    /// Path of rows.csv.
    pub csv: PathBuf,
    /// Path of rows.parquet.
    pub parquet: PathBuf,
}

impl Run<'_> {
    /// Measures whatever the folder does not hold yet, and writes all rows.
    ///
    /// Finished memory sets go to rows.jsonl as they come, so that a run that was stopped or killed
    /// is gone on with by the same call. Rows do not depend on the number of jobs, but for the
    /// seconds. `observer` is called now and then, from any thread, and stops the run by
    /// [`ControlFlow::Break`].
    ///
    /// ```no_run
    /// use std::num::NonZeroUsize;
    /// use std::ops::ControlFlow;
    /// use uhop_lab::{DataSet, Run, Spec, Specification as _};
    ///
    /// let spec = Spec::shipped("memory-size")?.quick();
    /// let (data, out) = ([DataSet::sample()], std::path::Path::new("results"));
    /// let run = Run { spec: &spec, data: &data, out, jobs: NonZeroUsize::MIN };
    /// let finished = run.run(&|_| ControlFlow::Continue(()))?;
    /// assert_eq!(finished.sets, 3 * 3);
    /// # Ok::<(), uhop_lab::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_input`](Error::is_input) when the folder cannot be written or holds rows of another
    /// specification, data or version, or another run is writing to it;
    /// [`is_stopped`](Error::is_stopped) when the observer stopped it.
    pub fn run(&self, observer: &(dyn Fn(Progress) -> ControlFlow<()> + Sync)) -> Result<Finished> {
        let (sets, left_out) = self.sets()?;
        fs::create_dir_all(self.out).map_err(|error| Error::write(self.out, error))?;
        let (journal, mut finished) = Journal::open(self.out, &self.header())?;
        finished.retain(|id, _| sets.iter().any(|(_, wanted)| wanted == id));
        let resumed = finished.len();
        let mut missing: Vec<_> =
            sets.iter().filter(|(_, id)| !finished.contains_key(id)).collect();
        // The longest first, so that no worker is left alone with one at the end.
        missing.sort_by_key(|(_, id)| std::cmp::Reverse(work(id)));
        let all = sets.iter().map(|(_, id)| work(id)).sum();
        let progress = Progress {
            done: all - missing.iter().map(|(_, id)| work(id)).sum::<u64>(),
            all,
            sets: resumed,
            all_sets: sets.len(),
        };
        let shared = Shared {
            run: self,
            observer,
            missing: &missing,
            next: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            kept: Mutex::new(Kept { journal, rows: finished, progress, failure: None }),
        };
        shared.keep_going();
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let workers = self.jobs.get().min(missing.len());
        let threads = (cores / workers.max(1)).max(1);
        thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| shared.work(threads));
            }
        });
        let kept = shared.kept.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = kept.failure {
            return Err(failure);
        }
        if shared.stop.into_inner() {
            return Err(Error::stopped(kept.rows.len(), sets.len()));
        }
        let mut finished = kept.rows;
        let rows: Vec<Row> =
            sets.iter().flat_map(|(_, id)| finished.remove(id).unwrap_or_default()).collect();
        let (csv, parquet) = (self.out.join("rows.csv"), self.out.join("rows.parquet"));
        rows::write_csv(&csv, &rows)?;
        rows::write_parquet(&parquet, &rows)?;
        Ok(Finished { rows, resumed, sets: sets.len(), left_out, csv, parquet })
    }

    /// The memory sets in the order of the specification, and the sizes left out.
    #[allow(clippy::type_complexity, reason = "two lists")]
    fn sets(&self) -> Result<(Vec<(&DataSet, SetId)>, Vec<(String, usize)>)> {
        let (mut sets, mut left_out) = (Vec::new(), Vec::new());
        for data in self.data {
            for &n_patterns in &self.spec.n_patterns {
                let dataset = data.name().to_owned();
                if n_patterns > data.n_images() {
                    left_out.push((dataset, n_patterns));
                    continue;
                }
                sets.extend(
                    (0..self.spec.seeds as u64)
                        .map(|seed| (data, SetId { dataset: dataset.clone(), n_patterns, seed })),
                );
            }
        }
        if sets.is_empty() {
            let problem = "no data set has as many images as the smallest memory stores";
            return Err(Error::data(&self.spec.name, problem));
        }
        Ok((sets, left_out))
    }

    fn header(&self) -> Header {
        let any_seeds = Spec { seeds: 0, ..self.spec.clone() };
        Header {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            experiment: self.spec.name.clone(),
            spec: serde_json::to_string(&any_seeds).expect("a specification is plain data"),
            data: self
                .data
                .iter()
                .map(|data| (data.name().to_owned(), data.fingerprint().to_owned()))
                .collect(),
        }
    }
}

/// About how long a memory set takes: Stage I grows with the patterns, from what it takes to move W.
fn work(id: &SetId) -> u64 {
    25 + id.n_patterns as u64
}

/// What the workers share.
struct Shared<'a> {
    run: &'a Run<'a>,
    observer: &'a (dyn Fn(Progress) -> ControlFlow<()> + Sync),
    missing: &'a [&'a (&'a DataSet, SetId)],
    next: AtomicUsize,
    stop: AtomicBool,
    kept: Mutex<Kept>,
}

struct Kept {
    journal: Journal,
    rows: std::collections::BTreeMap<SetId, Vec<Row>>,
    progress: Progress,
    failure: Option<Error>,
}

impl Shared<'_> {
    /// One worker, with a pool of its own: takes the next memory set until there is none.
    fn work(&self, threads: usize) {
        let pool = match Threads::new(threads) {
            Ok(pool) => pool,
            Err(error) => return self.fail(Error::memory("the threads", error)),
        };
        while self.keep_going() {
            let Some((data, id)) = self.missing.get(self.next.fetch_add(1, Ordering::Relaxed))
            else {
                return;
            };
            let spec = self.run.spec;
            let measured = pool.install(|| measure(spec, data, id, &|| self.keep_going()));
            match measured.and_then(|rows| self.finish(id, rows)) {
                Ok(()) => {}
                Err(error) if error.is_stopped() => return,
                Err(error) => return self.fail(error),
            }
        }
    }

    fn finish(&self, id: &SetId, rows: Vec<Row>) -> Result<()> {
        let mut kept = self.kept();
        kept.journal.finish(id.clone(), &rows)?;
        kept.rows.insert(id.clone(), rows);
        kept.progress.done += work(id);
        kept.progress.sets += 1;
        Ok(())
    }

    /// Tells the observer, and whether nobody has asked to stop.
    fn keep_going(&self) -> bool {
        if self.stop.load(Ordering::Relaxed) {
            return false;
        }
        let progress = self.kept().progress;
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

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
