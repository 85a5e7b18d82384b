//! Rows to medians and quartiles over the seeds, beside the Bayes limit.

use std::collections::BTreeMap;

use crate::measure::BAYES;
use crate::rows::Row;
use crate::spec::{Axis, Spec};

/// The error of every contender along the axis of an experiment, all else equal.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// Name of the data set.
    pub dataset: String,
    /// Name of the corruption.
    pub corruption: String,
    /// Its level, unless that is the axis.
    pub level: Option<f64>,
    /// Patterns stored, unless that is the axis.
    pub n_patterns: Option<u64>,
    /// Name of the protocol.
    pub protocol: String,
    /// Where along the axis each column is.
    pub columns: Vec<f64>,
    /// The Bayes limit, then the contenders in the order of the specification.
    pub lines: Vec<Line>,
}

impl Summary {
    /// What it is about, but for the protocol: `mnist, gaussian-std 0.5, 100 patterns`.
    pub fn setting(&self) -> String {
        let mut setting = format!("{}, {}", self.dataset, self.corruption);
        if let Some(level) = self.level {
            setting += &format!(" {level}");
        }
        if let Some(n_patterns) = self.n_patterns {
            setting += &format!(", {n_patterns} patterns");
        }
        setting
    }

    /// Whether a row is one of those that it summarises.
    fn has(&self, row: &Row) -> bool {
        self.dataset == row.dataset
            && self.corruption == row.corruption
            && self.level.is_none_or(|level| level == row.level)
            && self.n_patterns.is_none_or(|n_patterns| n_patterns == row.n_patterns)
            && self.protocol == row.protocol
    }
}

/// One contender.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Line {
    /// Its name.
    pub contender: String,
    /// One for each column; nothing where nothing was measured.
    pub cells: Vec<Option<Cell>>,
}

/// The error of one contender at one place, over the seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Cell {
    /// The error.
    pub error: Spread,
    /// The median divided by that of the Bayes limit, unless it is that one or that is below
    /// [`NEGLIGIBLE`].
    pub ratio: Option<f64>,
    /// The share of queries recalled.
    pub recall_rate: Spread,
    /// The loss of Stage I, where there was one.
    pub stage1_loss: Option<Spread>,
}

/// A limit below this is as good as 0: a thousandth of one pixel wholly wrong. No ratio to it is
/// given.
pub const NEGLIGIBLE: f64 = 1e-3;

/// Median and quartiles.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Spread {
    /// A quarter of the values is below.
    pub lower: f64,
    /// Half of them.
    pub median: f64,
    /// Three quarters.
    pub upper: f64,
}

impl Spread {
    /// Of at least one value; between two values it is linear in the rank.
    ///
    /// ```
    /// use uhop_lab::Spread;
    ///
    /// let spread = Spread::of(&[4.0, 1.0, 2.0, 3.0, 5.0]).unwrap();
    /// assert_eq!((spread.lower, spread.median, spread.upper), (2.0, 3.0, 4.0));
    /// assert_eq!(Spread::of(&[]), None);
    /// ```
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        let last = values.len().checked_sub(1)?;
        let quantile = |share: f64| {
            let place = share * last as f64;
            let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
            below + (above - below) * place.fract()
        };
        Some(Self { lower: quantile(0.25), median: quantile(0.5), upper: quantile(0.75) })
    }
}

/// A number with the three digits that count, for tables.
///
/// ```
/// use uhop_lab::short;
///
/// assert_eq!([0.0, 0.0124, 1.234, 12.34, 1234.5].map(short), ["0", "0.0124", "1.23", "12.3", "1234"]);
/// assert_eq!([0.000_123, 1.5e9].map(short), ["1e-4", "2e9"]);
/// ```
pub fn short(x: f64) -> String {
    match x.abs() {
        0.0 => "0".to_owned(),
        size if size < 1e-3 => format!("{x:.0e}"),
        size if size < 0.1 => format!("{x:.4}"),
        size if size < 10.0 => format!("{x:.2}"),
        size if size < 100.0 => format!("{x:.1}"),
        size if size < 1e6 => format!("{x:.0}"),
        _ => format!("{x:.0e}"),
    }
}

/// Where a row is along an axis; nothing when it is the same everywhere.
fn place(axis: Axis, row: &Row) -> Option<f64> {
    match axis {
        Axis::NPatterns => Some(row.n_patterns as f64),
        Axis::Level => Some(row.level),
        Axis::Steps => row.stage1_steps.map(|steps| steps as f64),
    }
}

/// A table for each data set, corruption, level, size and protocol, in the order of the rows.
///
/// `rows` are those of [`Finished`](crate::Finished).
pub fn summaries(spec: &Spec, rows: &[Row]) -> Vec<Summary> {
    let mut summaries: Vec<Summary> = Vec::new();
    for row in rows.iter().filter(|row| row.protocol != BAYES) {
        if summaries.iter().any(|summary| summary.has(row)) {
            continue;
        }
        let key = |row: &Row| {
            let level = (spec.axis != Axis::Level).then_some(row.level);
            let n_patterns = (spec.axis != Axis::NPatterns).then_some(row.n_patterns);
            (row.dataset.clone(), row.corruption.clone(), level, n_patterns)
        };
        let (dataset, corruption, level, n_patterns) = key(row);
        let group: Vec<&Row> = rows
            .iter()
            .filter(|other| {
                (other.protocol == row.protocol || other.protocol == BAYES)
                    && key(other) == key(row)
            })
            .collect();
        let protocol = row.protocol.clone();
        let (columns, lines) = table(spec, &group);
        let summary = Summary { dataset, corruption, level, n_patterns, protocol, columns, lines };
        summaries.push(summary);
    }
    summaries
}

/// The places along the axis, and each contender at each.
fn table(spec: &Spec, group: &[&Row]) -> (Vec<f64>, Vec<Line>) {
    let mut columns: Vec<f64> = group.iter().filter_map(|row| place(spec.axis, row)).collect();
    columns.sort_by(f64::total_cmp);
    columns.dedup();
    let at = |contender: &str, column: f64| -> Vec<&Row> {
        let here = |row: &&&Row| {
            row.contender == contender && place(spec.axis, row).is_none_or(|x| x == column)
        };
        group.iter().filter(here).copied().collect()
    };
    let spread = |rows: &[&Row], of: fn(&Row) -> Option<f64>| {
        Spread::of(&rows.iter().filter_map(|row| of(row)).collect::<Vec<_>>())
    };
    let limits: Vec<Option<f64>> = columns
        .iter()
        .map(|&column| Some(spread(&at(BAYES, column), |row| Some(row.error))?.median))
        .collect();
    let cell = |contender: &str, (&column, &limit): (&f64, &Option<f64>)| {
        let rows = at(contender, column);
        let error = spread(&rows, |row| Some(row.error))?;
        let limit = limit.filter(|&limit| limit >= NEGLIGIBLE && contender != BAYES);
        let ratio = limit.map(|limit| error.median / limit);
        let recall_rate = spread(&rows, |row| Some(row.recall_rate))?;
        let stage1_loss = spread(&rows, |row| row.stage1_loss);
        Some(Cell { error, ratio, recall_rate, stage1_loss })
    };
    let names = spec.contenders.iter().map(ToString::to_string);
    let lines = std::iter::once(BAYES.to_owned())
        .chain(names)
        .map(|contender| {
            let cells = columns.iter().zip(&limits).map(|at| cell(&contender, at)).collect();
            Line { contender, cells }
        })
        .filter(|line: &Line| line.cells.iter().any(Option::is_some))
        .collect();
    (columns, lines)
}

/// How far the error of a contender follows the loss of its Stage I.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Correlation {
    /// What it is about, but for the protocol: `mnist, gaussian-std 0.5, 100 patterns`.
    pub setting: String,
    /// Name of the protocol.
    pub protocol: String,
    /// Name of the contender.
    pub contender: String,
    /// Spearman's rank correlation over the steps of a seed, from −1 to 1, of the seeds that have one; nothing when
    /// none has, as loss or error are the same throughout.
    pub rank: Option<Spread>,
}

impl Correlation {
    /// The median and, where they are other, the quartiles; a dash for nothing.
    pub fn shown(&self) -> String {
        let Some(Spread { lower, median, upper }) = self.rank else { return "–".to_owned() };
        let [lower, median, upper] = [lower, median, upper].map(|rank| format!("{rank:.2}"));
        if lower == upper { median } else { format!("{median} ({lower} to {upper})") }
    }
}

/// The correlation of loss and error of every contender that learns, where steps are the axis: of each setting and memory
/// set apart, as errors of different ones differ for other reasons than the loss.
pub fn correlations(spec: &Spec, rows: &[Row]) -> Vec<Correlation> {
    if spec.axis != Axis::Steps {
        return Vec::new();
    }
    let mut correlations: Vec<Correlation> = Vec::new();
    for summary in summaries(spec, rows) {
        for line in &summary.lines {
            let mut of_seeds: BTreeMap<u64, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
            for row in rows.iter().filter(|row| row.contender == line.contender) {
                if let Some(loss) = row.stage1_loss.filter(|_| summary.has(row)) {
                    let (losses, errors) = of_seeds.entry(row.seed).or_default();
                    losses.push(loss);
                    errors.push(row.error);
                }
            }
            if of_seeds.is_empty() {
                continue;
            }
            let rank = |(losses, errors): &(Vec<f64>, Vec<f64>)| {
                correlation(&ranks(losses), &ranks(errors))
            };
            correlations.push(Correlation {
                setting: summary.setting(),
                protocol: summary.protocol.clone(),
                contender: line.contender.clone(),
                rank: Spread::of(&of_seeds.values().filter_map(rank).collect::<Vec<_>>()),
            });
        }
    }
    correlations
}

/// The rank of each value from 0; equal ones share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let below = |x: f64| values.iter().filter(|&&y| y < x).count() as f64;
    let equal = |x: f64| values.iter().filter(|&&y| y == x).count() as f64;
    values.iter().map(|&x| below(x) + (equal(x) - 1.0) / 2.0).collect()
}

/// Pearson's correlation.
fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
        a.iter().zip(b).map(|(x, y)| f(x - mean_a, y - mean_b)).sum()
    };
    let (both, of_a, of_b) = (sum(&|x, y| x * y), sum(&|x, _| x * x), sum(&|_, y| y * y));
    (of_a > 0.0 && of_b > 0.0).then(|| both / (of_a.sqrt() * of_b.sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(contender: &str, protocol: &str, level: f64, error: f64) -> Row {
        Row {
            experiment: "noise".to_owned(),
            dataset: "d".to_owned(),
            provenance: String::new(),
            n_patterns: 100,
            dim: 784,
            corruption: "gaussian-std".to_owned(),
            level,
            contender: contender.to_owned(),
            protocol: protocol.to_owned(),
            seed: 0,
            error,
            recall_rate: 0.5,
            beta: None,
            effective_beta: None,
            stage1_steps: None,
            stage1_loss: None,
            seconds: 0.0,
        }
    }

    /// Ratios stand beside contenders, where there is a limit to speak of.
    #[test]
    fn ratios_are_to_the_limit_and_not_of_it() {
        let spec = Spec::shipped("noise").unwrap();
        let rows = [
            row(BAYES, BAYES, 0.5, 1e-4),
            row("dense", "paper", 0.5, 8.0),
            row(BAYES, BAYES, 1.0, 2.0),
            row("dense", "paper", 1.0, 8.0),
        ];
        let [summary] = &summaries(&spec, &rows)[..] else { panic!("one setting") };
        assert_eq!((summary.columns.as_slice(), summary.n_patterns), (&[0.5, 1.0][..], Some(100)));
        let ratios = |line: usize| -> Vec<Option<f64>> {
            summary.lines[line].cells.iter().map(|cell| cell.unwrap().ratio).collect()
        };
        assert_eq!((ratios(0), ratios(1)), (vec![None, None], vec![None, Some(4.0)]));
    }

    #[test]
    fn ranks_of_equal_values_are_their_mean() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 0.0]), [2.5, 1.0, 2.5, 0.0]);
    }

    #[test]
    fn correlation_is_one_for_what_rises_together() {
        let rank = |a: &[f64], b: &[f64]| correlation(&ranks(a), &ranks(b));
        // Sums of whole numbers and halves; two roots and a quotient are rounded.
        let near = |found: Option<f64>, expected: f64| (found.unwrap() - expected).abs() < 1e-15;
        assert!(near(rank(&[1.0, 2.0, 9.0], &[-3.0, 0.0, 100.0]), 1.0));
        assert!(near(rank(&[1.0, 2.0, 9.0], &[3.0, 2.0, 1.0]), -1.0));
        assert_eq!(rank(&[1.0, 1.0], &[3.0, 2.0]), None);
    }

    /// The error rises with the loss at each level and of each seed, and is so much larger at the second level, and of the
    /// second seed, where the loss is the same, that of all rows together it does so less.
    #[test]
    fn loss_and_error_are_correlated_setting_by_setting() {
        let spec = Spec::shipped("iterations").unwrap();
        let learned = |level: f64, steps: u64, loss: f64, error: f64| Row {
            stage1_steps: Some(steps),
            stage1_loss: Some(loss),
            ..row("uhop-dense-max", "paper", level, error)
        };
        let rows = [
            row("dense", "paper", 0.5, 9.0),
            learned(0.5, 1, -1.0, 2.0),
            learned(0.5, 2, -2.0, 1.0),
            Row { seed: 1, ..learned(0.5, 1, -2.0, 20.0) },
            Row { seed: 1, ..learned(0.5, 2, -3.0, 10.0) },
            learned(1.0, 1, -1.0, 20.0),
            learned(1.0, 2, -2.0, 10.0),
            // Another protocol, where it falls.
            Row { protocol: "fair".to_owned(), ..learned(0.5, 1, -1.0, 1.0) },
            Row { protocol: "fair".to_owned(), ..learned(0.5, 2, -2.0, 2.0) },
        ];
        let found: Vec<(String, String, f64)> = correlations(&spec, &rows)
            .into_iter()
            .map(|of| (of.setting, of.protocol, of.rank.unwrap().lower.round()))
            .collect();
        let at = |level: &str, protocol: &str, rank: f64| {
            (format!("d, gaussian-std {level}, 100 patterns"), protocol.to_owned(), rank)
        };
        let expected = [at("0.5", "paper", 1.0), at("1", "paper", 1.0), at("0.5", "fair", -1.0)];
        assert_eq!(found, expected);
    }
}
