//! Counts in bins with round edges, as bars of characters.

use std::fmt::Write as _;

/// Bins, at most.
const BINS: usize = 12;
/// Characters of the longest bar.
const BAR: usize = 40;

/// A bar for each bin of sorted values; nothing unless all are finite.
///
/// The edges are multiples of 1, 2 or 5 times a power of ten, so that 0 is one of them.
pub(super) fn bars(sorted: &[f64]) -> String {
    let (Some(&low), Some(&high)) = (sorted.first(), sorted.last()) else { return String::new() };
    let width = width(low, high);
    let first = (low / width).floor();
    let n_bins = (high / width).floor() - first + 1.0;
    // Not for infinities, nor where the values differ by less than can be told apart.
    if !(n_bins >= 1.0 && n_bins <= BINS as f64 + 1.0) {
        return String::new();
    }
    let mut counts = vec![0_usize; n_bins as usize];
    for value in sorted {
        counts[((value / width).floor() - first) as usize] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(1);
    let digits = (-width.log10().floor()).max(0.0) as usize;
    let largest = low.abs().max(high.abs());
    let edge = |bin: usize| {
        let edge = (first + bin as f64) * width;
        if digits <= 6 && largest < 1e8 {
            return format!("{edge:.digits$}");
        }
        // As many digits as tell neighbours apart.
        let digits = (largest / width).log10().ceil().max(1.0) as usize;
        format!("{edge:.digits$e}")
    };
    let mut text = String::new();
    for (bin, &count) in counts.iter().enumerate() {
        let bar = "█".repeat((BAR * count).div_ceil(most));
        let line = format!("  {:>10} to {:>10}  {bar} {count}", edge(bin), edge(bin + 1));
        let _ = writeln!(text, "{line}");
    }
    text
}

/// The smallest round width that needs no more than [`BINS`] bins.
fn width(low: f64, high: f64) -> f64 {
    let (range, largest) = (high - low, low.abs().max(high.abs()));
    // Values that are equal up to rounding fill one bin, of a tenth of their size.
    let least = if range > 1e-3 * largest { range / (BINS - 1) as f64 } else { 0.1 * largest };
    let power = if least > 0.0 { 10.0_f64.powf(least.log10().floor()) } else { 0.1 };
    let widths = [1.0, 2.0, 5.0].map(|step| step * power);
    widths.into_iter().find(|width| *width >= least).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(text: &str) -> Vec<usize> {
        text.lines().map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect()
    }

    #[test]
    fn every_value_is_counted_in_few_short_lines() {
        for (low, high) in [
            (0.0, 1.0),
            (-3.0, 99.0),
            (-1e6, 5.0),
            (1e-9, 2e-9),
            (7.0, 7.0),
            (0.0, 0.0),
            (-1e30, 1e30),
            (-2.5, -2.4),
            (123_456.0, 9_876_543.0),
        ] {
            let mut values: Vec<f64> =
                (0..500).map(|i| low + (high - low) * f64::from(i * i) / 249_001.0).collect();
            values[499] = high;
            let text = bars(&values);
            assert_eq!(counts(&text).iter().sum::<usize>(), 500, "{low} {high}:\n{text}");
            assert!(text.lines().count() <= BINS + 1, "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
            assert!(text.lines().any(|line| line.matches('█').count() == BAR), "{text}");
        }
    }

    #[test]
    fn edges_differ() {
        for low in [1e-9_f64, -3e-5, 0.29, 7.0, 123_456.0, 1e12, -1e30] {
            for relative in [0.0, 1e-16, 1e-5, 2e-3, 0.1, 30.0] {
                let high = low + relative * low.abs();
                let text = bars(&[low, 0.5 * (low + high), high]);
                assert_eq!(counts(&text).iter().sum::<usize>(), 3, "{low} {high}");
                for line in text.lines() {
                    let words: Vec<_> = line.split_whitespace().collect();
                    assert_ne!(words[0], words[2], "{text}");
                    assert!(line.chars().count() <= 80, "{text}");
                }
            }
        }
    }

    #[test]
    fn zero_is_an_edge() {
        let text = bars(&[-0.7, -0.1, 0.0, 0.2, 1.9]);
        assert!(
            text.lines().any(|line| line.starts_with("         0.0 to        0.5  ")),
            "{text}"
        );
    }

    #[test]
    fn infinities_have_no_bars() {
        assert_eq!(bars(&[f64::INFINITY]), "");
        assert_eq!(bars(&[1.0, f64::INFINITY]), "");
        assert_eq!(bars(&[f64::NEG_INFINITY, 1.0]), "");
        assert_eq!(bars(&[]), "");
    }
}
