//! Rows to means and spreads over the seeds.

use super::row::Row;

/// One model in one setup on one data set, over the seeds.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Line {
    /// Name of the data set.
    pub dataset: String,
    /// What was trained how.
    pub setup: String,
    /// Name of the model.
    pub contender: String,
    /// Seeds there are.
    pub seeds: usize,
    /// Epochs on the task loss.
    pub epochs: u64,
    /// Parameters that training moved.
    pub n_parameters: u64,
    /// Steps on the task loss and on the separation loss.
    pub updates: (u64, u64),
    /// The largest training accuracy of a seed's epochs, in percent.
    pub best_train: MeanSpread,
    /// The largest test accuracy of a seed's epochs, in percent.
    pub best_test: MeanSpread,
    /// The test accuracy after the last epoch, in percent.
    pub last_test: MeanSpread,
    /// The separation loss of the last epoch that has one.
    pub separation_loss: Option<MeanSpread>,
    /// Time of a seed, in seconds.
    pub seconds: MeanSpread,
}

/// Mean and standard deviation over seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanSpread {
    /// The mean.
    pub mean: f64,
    /// The standard deviation, by n − 1; nothing for one seed.
    pub deviation: Option<f64>,
}

impl MeanSpread {
    /// Of at least one value.
    ///
    /// ```
    /// use uhop_lab::classification::MeanSpread;
    ///
    /// let spread = MeanSpread::of(&[1.0, 2.0, 3.0]).unwrap();
    /// assert_eq!((spread.mean, spread.deviation), (2.0, Some(1.0)));
    /// assert_eq!(MeanSpread::of(&[4.0]).unwrap().deviation, None);
    /// assert_eq!(MeanSpread::of(&[]), None);
    /// ```
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
        match values.len() {
            0 => None,
            1 => Some(Self { mean, deviation: None }),
            _ => Some(Self { mean, deviation: Some((squares / (n - 1.0)).sqrt()) }),
        }
    }

    /// As text with one digit after the point.
    ///
    /// ```
    /// use uhop_lab::classification::MeanSpread;
    ///
    /// assert_eq!(MeanSpread::of(&[51.0, 53.0]).unwrap().shown(), "52.0 ± 1.4");
    /// assert_eq!(MeanSpread::of(&[51.0]).unwrap().shown(), "51.0");
    /// ```
    pub fn shown(&self) -> String {
        match self.deviation {
            None => format!("{:.1}", self.mean),
            Some(deviation) => format!("{:.1} ± {deviation:.1}", self.mean),
        }
    }
}

/// A line for each data set, setup and model, in the order of the rows.
pub fn lines(rows: &[Row]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for row in rows {
        let is_of = |line: &Line| {
            (&line.dataset, &line.setup, &line.contender)
                == (&row.dataset, &row.setup, &row.contender)
        };
        if !lines.iter().any(is_of) {
            lines.extend(line(rows, row));
        }
    }
    lines
}

/// The line that a row is of.
fn line(rows: &[Row], of: &Row) -> Option<Line> {
    let own: Vec<&Row> = rows
        .iter()
        .filter(|row| {
            (&row.dataset, &row.setup, &row.contender) == (&of.dataset, &of.setup, &of.contender)
        })
        .collect();
    let mut seeds: Vec<u64> = own.iter().map(|row| row.seed).collect();
    seeds.dedup();
    let of_seed = |seed: u64| own.iter().copied().filter(move |row| row.seed == seed);
    let over_seeds = |value: &dyn Fn(u64) -> Option<f64>| {
        MeanSpread::of(&seeds.iter().filter_map(|&seed| value(seed)).collect::<Vec<_>>())
    };
    let percent = |share: f64| 100.0 * share;
    let best = |of: fn(&Row) -> Option<f64>| {
        over_seeds(&|seed| of_seed(seed).filter_map(of).reduce(f64::max).map(percent))
    };
    let last = |of: fn(&Row) -> Option<f64>| over_seeds(&|seed| of_seed(seed).rev().find_map(of));
    let end = own.last()?;
    Some(Line {
        dataset: of.dataset.clone(),
        setup: of.setup.clone(),
        contender: of.contender.clone(),
        seeds: seeds.len(),
        epochs: own.iter().filter(|row| row.stage == "task").map(|row| row.epoch).max()?,
        n_parameters: of.n_parameters,
        updates: (end.task_updates, end.separation_updates),
        best_train: best(|row| row.train_accuracy)?,
        best_test: best(|row| row.test_accuracy)?,
        last_test: last(|row| row.test_accuracy.map(|share| 100.0 * share))?,
        separation_loss: last(|row| row.separation_loss),
        seconds: over_seeds(&|seed| Some(of_seed(seed).map(|row| row.seconds).sum()))?,
    })
}
