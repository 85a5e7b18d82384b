//! An experiment on recall from start to end: memory sets as tasks, rows in the order of the
//! specification.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::data::DataSet;
use crate::error::{Error, Result};
use crate::examples::Measurement;
use crate::journal::Header;
use crate::measure::measure;
use crate::rows::Row;
use crate::spec::{Quick, Spec};
use crate::tasks::{Observer, Task, Tasks};
use crate::written::{Folder, Measured};

/// A memory set drawn from a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SetId {
    pub(crate) dataset: String,
    pub(crate) n_patterns: usize,
    pub(crate) seed: u64,
}

impl Task for SetId {
    /// Stage I grows with the patterns, from what it takes to move W.
    fn work(&self) -> u64 {
        25 + self.n_patterns as u64
    }
}

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

/// What a run leaves.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Finished {
    /// The rows, in the order of the specification: data set, patterns stored, seed, corruption,
    /// level, protocol, contender, steps.
    pub rows: Vec<Row>,
    /// Memory sets, which are the tasks of this experiment.
    pub tasks: usize,
    /// Of these, finished by an earlier run.
    pub resumed: usize,
    /// Sizes that were left out, because a data set has not as many images.
    pub left_out: Vec<(String, usize)>,
    /// Path of rows.csv.
    pub csv: PathBuf,
    /// Path of rows.parquet.
    pub parquet: PathBuf,
    /// What the report shows of what was recalled.
    pub(crate) shown: Vec<Measurement>,
}

impl Run<'_> {
    /// Measures whatever the folder does not hold yet, and writes all rows.
    ///
    /// Finished memory sets go to rows.jsonl as they come, with what a report shows of them, so that a
    /// run that was stopped or killed is gone on with by the same call. Rows do not depend on
    /// the number of jobs, but for the seconds.
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
    /// assert_eq!(finished.tasks, 3 * 3);
    /// # Ok::<(), uhop_lab::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_input`](Error::is_input) when the folder cannot be written or holds rows of another
    /// specification, data or version, another run is writing to it, or two data sets have one name;
    /// [`is_stopped`](Error::is_stopped) when the observer stopped it.
    pub fn run(&self, observer: Observer<'_>) -> Result<Finished> {
        let (all, left_out) = self.sets()?;
        let folder = Folder::make(self.out)?;
        // What no row depends on: runs that differ in it alone add to each other.
        let quick = Quick { seeds: 0, n_patterns: None, steps: None };
        let spec = Spec { seeds: 0, quick, ..self.spec.clone() };
        let header =
            Header::new(&self.spec.name, &spec, self.data.iter().map(DataSet::id).collect());
        let tasks = Tasks { folder: &folder, header, all, jobs: self.jobs };
        let measured = tasks
            .measure(|set, go_on| measure(self.spec, self.data_of(set), set, go_on), observer)?;
        let Measured { found, tasks, resumed } = measured;
        let shown = found.iter().filter(|found| found.shown.is_some()).cloned().collect();
        let rows: Vec<Row> = found.into_iter().map(|found| found.row).collect();
        let (csv, parquet) = folder.write_rows(&rows)?;
        Ok(Finished { rows, tasks, resumed, left_out, csv, parquet, shown })
    }

    /// The memory sets in the order of the specification, and the sizes left out.
    #[allow(clippy::type_complexity, reason = "two lists")]
    fn sets(&self) -> Result<(Vec<SetId>, Vec<(String, usize)>)> {
        let (mut sets, mut left_out) = (Vec::new(), Vec::new());
        for (i, data) in self.data.iter().enumerate() {
            if self.data[..i].iter().any(|other| other.name() == data.name()) {
                let problem = "two data sets have this name, which rows tell them apart by";
                return Err(Error::data(data.name(), problem));
            }
            for &n_patterns in &self.spec.n_patterns {
                let dataset = data.name().to_owned();
                if n_patterns > data.n_images() {
                    left_out.push((dataset, n_patterns));
                    continue;
                }
                sets.extend((0..self.spec.seeds as u64).map(|seed| SetId {
                    dataset: dataset.clone(),
                    n_patterns,
                    seed,
                }));
            }
        }
        if sets.is_empty() {
            let smallest = self.spec.n_patterns.first().copied().unwrap_or(0);
            let there =
                self.data.iter().map(|data| format!("{} has {}", data.name(), data.n_images()));
            let there = there.collect::<Vec<_>>().join(", ");
            let problem = format!(
                "its smallest memory stores {smallest} images, {there}; name a folder with more, or give smaller sizes"
            );
            return Err(Error::data(&self.spec.name, problem));
        }
        Ok((sets, left_out))
    }

    fn data_of(&self, set: &SetId) -> &DataSet {
        let data = self.data.iter().find(|data| data.name() == set.dataset);
        data.expect("every set is drawn from one of the data sets")
    }
}
