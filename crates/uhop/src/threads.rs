//! How many threads a call may use.

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Error, Result};

/// A number of threads, which wait for work until they are dropped.
///
/// Every call of this crate made inside [`install`](Self::install) uses these threads and no
/// others; outside of it, as many as the processor has cores (or as `RAYON_NUM_THREADS` says, the
/// pool being rayon's). Results are the same, bit by bit, for any number.
///
/// ```
/// use ndarray::array;
/// use uhop::{Dynamics, Memory, Model, Patterns, Threads};
///
/// let patterns = Patterns::new(array![[1.0, 0.0], [0.0, 1.0]])?;
/// let memory = Memory::new(patterns, Model::dense(4.0)?)?;
/// let query = array![[0.9, 0.2]];
/// let recall = || memory.retrieve(query.view(), &Dynamics::one_step());
/// assert_eq!(Threads::new(2)?.install(recall)?, recall()?);
/// # Ok::<(), uhop::Error>(())
/// ```
#[derive(Debug)]
pub struct Threads {
    pool: ThreadPool,
}

impl Threads {
    /// The most threads that can be asked for: more than the processors of today have, and fewer than
    /// a system refuses.
    pub const MOST: usize = 1024;

    /// Starts `n_threads` threads.
    ///
    /// ```
    /// use uhop::Threads;
    ///
    /// assert_eq!(Threads::new(3)?.count(), 3);
    /// assert!(Threads::new(0).unwrap_err().is_out_of_domain());
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_out_of_domain`](Error::is_out_of_domain) unless `n_threads` is from 1 to
    /// [`MOST`](Self::MOST), and when the system does not start as many.
    pub fn new(n_threads: usize) -> Result<Self> {
        if !(1..=Self::MOST).contains(&n_threads) {
            return Err(domain(n_threads, format!("from 1 to {}", Self::MOST)));
        }
        let pool = ThreadPoolBuilder::new().num_threads(n_threads).build();
        let pool = pool.map_err(|error| {
            domain(n_threads, format!("fewer, as the system starts no more ({error})"))
        })?;
        Ok(Self { pool })
    }

    /// Runs `work` in one of the threads, which share what it does in parallel, and returns what it
    /// returns. A panic of `work` comes back as one.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Patterns, Similarity, Threads};
    ///
    /// let threads = Threads::new(1)?;
    /// let patterns = Patterns::new(array![[1.0, 2.0]])?;
    /// let keys = threads.install(|| Similarity::Dot.bind(&patterns))?;
    /// let scores = threads.install(|| keys.scores(array![[3.0, 4.0]].view()))?;
    /// assert_eq!(scores, array![[11.0]]);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }

    /// The number of threads.
    pub fn count(&self) -> usize {
        self.pool.current_num_threads()
    }
}

fn domain(n_threads: usize, domain: String) -> Error {
    Error::domain("threads", "n_threads", n_threads, domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_runs_in_these_threads_and_no_others() {
        for n_threads in [1, 2, 5] {
            let threads = Threads::new(n_threads).unwrap();
            assert_eq!(threads.install(rayon::current_num_threads), n_threads);
            assert_eq!(threads.count(), n_threads);
        }
    }

    #[test]
    fn none_and_absurdly_many_are_errors() {
        for n_threads in [0, Threads::MOST + 1, usize::MAX] {
            let error = Threads::new(n_threads).unwrap_err();
            assert!(error.is_out_of_domain());
            let expected = format!("threads: n_threads is {n_threads}; it must be from 1 to 1024");
            assert_eq!(error.to_string(), expected);
        }
    }
}
