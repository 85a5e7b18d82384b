//! From numbers to places along an axis, and the ticks on it.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::model::{Axis, Scale, is_narrow};
use super::number;

/// How much longer the axis is than what is drawn, on either side.
const MARGIN: f64 = 0.03;

/// An axis with a range and ticks.
#[derive(Debug, Clone)]
pub(super) struct Ruler {
    scale: Scale,
    /// The ends, as places.
    low: f64,
    high: f64,
    ticks: Vec<f64>,
    /// Lines between ticks, without labels.
    minor: Vec<f64>,
    labels: Vec<String>,
}

impl Ruler {
    /// The axis over `values` with at most about `most` ticks.
    pub(super) fn over(axis: &Axis, values: impl IntoIterator<Item = f64>, most: usize) -> Self {
        let scale = axis.scale();
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.into_iter().chain(axis.included().iter().copied()) {
            low = low.min(value);
            high = high.max(value);
        }
        // An end that was asked for is where the axis ends.
        let is_asked = |end: f64| axis.included().contains(&end);
        let (mut start, mut end) = (place(scale, low), place(scale, high));
        if is_narrow(start, end) {
            let half = if scale == Scale::Linear { (0.5 * low.abs()).max(1e-100) } else { 0.5 };
            let half = if low == 0.0 && scale == Scale::Linear { 0.5 } else { half };
            (start, end) = (start - half, end + half);
        } else {
            let margin = MARGIN * (end - start);
            start -= if is_asked(low) { 0.0 } else { margin };
            end += if is_asked(high) { 0.0 } else { margin };
        }
        Self::between(scale, start, end, most)
    }

    /// A linear axis from `low` to `high`.
    pub(super) fn linear(low: f64, high: f64, most: usize) -> Self {
        Self::between(Scale::Linear, low, high, most)
    }

    fn between(scale: Scale, low: f64, high: f64, most: usize) -> Self {
        let most = most.max(2);
        let (ticks, minor, labels) = match scale {
            Scale::Linear => {
                let (ticks, labels) = linear_ticks(low, high, most);
                (ticks, Vec::new(), labels)
            }
            Scale::Log => log_ticks(low, high, most),
            Scale::SymmetricLog { linear_below } => symmetric_ticks(linear_below, low, high, most),
        };
        Self { scale, low, high, ticks, minor, labels }
    }

    /// Where `value` is, 0 at the lower end and 1 at the upper.
    pub(super) fn share(&self, value: f64) -> f64 {
        (place(self.scale, value) - self.low) / (self.high - self.low)
    }

    /// The labels with their ticks, from the lower end.
    pub(super) fn ticks(&self) -> impl Iterator<Item = (f64, &str)> {
        self.ticks.iter().copied().zip(self.labels.iter().map(String::as_str))
    }
}

impl Ranged for Ruler {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let (from, to) = (f64::from(limit.0), f64::from(limit.1));
        (from + self.share(*value) * (to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { self.minor.clone() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        number_at(self.scale, self.low)..number_at(self.scale, self.high)
    }
}

impl ValueFormatter<f64> for Ruler {
    fn format_ext(&self, value: &f64) -> String {
        let label = self.ticks().find(|(tick, _)| tick == value).map(|(_, label)| label);
        label.unwrap_or_default().to_owned()
    }
}

/// The place of a number, in units in which the axis is even.
fn place(scale: Scale, value: f64) -> f64 {
    match scale {
        Scale::Linear => value,
        Scale::Log => value.log10(),
        Scale::SymmetricLog { linear_below } => {
            let ratio = value.abs() / linear_below;
            let place = if ratio <= 1.0 { ratio } else { 1.0 + ratio.log10() };
            place.copysign(value)
        }
    }
}

/// The inverse of [`place`].
fn number_at(scale: Scale, place: f64) -> f64 {
    match scale {
        Scale::Linear => place,
        Scale::Log => 10f64.powf(place),
        Scale::SymmetricLog { linear_below } => {
            let size = place.abs();
            let ratio = if size <= 1.0 { size } else { 10f64.powf(size - 1.0) };
            (ratio * linear_below).copysign(place)
        }
    }
}

/// Multiples of 1, 2 or 5 times a power of ten.
fn linear_ticks(low: f64, high: f64, most: usize) -> (Vec<f64>, Vec<String>) {
    let rough = (high - low) / most as f64;
    let power = rough.log10().floor() as i32;
    let unit = 10f64.powi(power);
    let (factor, power) = match rough / unit {
        ratio if ratio <= 1.0 => (1.0, power),
        ratio if ratio <= 2.0 => (2.0, power),
        ratio if ratio <= 5.0 => (5.0, power),
        _ => (1.0, power + 1),
    };
    let step = factor * 10f64.powi(power);
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    if last - first < 1.0 {
        // Of few, a step may leave out more than half; one of six or more never leaves one.
        return linear_ticks(low, high, most + 2);
    }
    let multiples = (0..=(last - first) as usize).map(|i| first + i as f64);
    // Divided where that rounds once only.
    let at = |multiple: f64| {
        if power < 0 { multiple * factor / 10f64.powi(-power) } else { multiple * step }
    };
    let ticks: Vec<f64> = multiples.map(at).collect();
    let labels = number::labels(&ticks, power);
    (ticks, labels)
}

/// Powers of ten, with 2 and 5 times them where few are in range; between the ends as places.
fn log_ticks(low: f64, high: f64, most: usize) -> (Vec<f64>, Vec<f64>, Vec<String>) {
    let powers = (low.floor() as i32)..=(high.ceil() as i32);
    let inside = |value: &f64| (low - 1e-9..=high + 1e-9).contains(&value.log10());
    let multiples = |factors: &[i32]| -> Vec<f64> {
        let all = powers.clone().flat_map(|power| factors.iter().map(move |&f| (f, power)));
        all.map(|(factor, power)| number::decimal(f64::from(factor), power))
            .filter(inside)
            .collect()
    };
    let tens = multiples(&[1]);
    // At least two remain of any two or more.
    let every = tens.len().div_ceil(most + 1);
    let minor = if tens.len() <= 8 { multiples(&[1, 2, 3, 4, 5, 6, 7, 8, 9]) } else { Vec::new() };
    let ticks = if tens.len() > most {
        tens.into_iter().filter(|ten| ten.log10().round() as i32 % every as i32 == 0).collect()
    } else if tens.len() >= 3 {
        tens
    } else {
        let candidates = [&[1, 2, 5][..], &[1, 2, 3, 5, 7], &[1, 2, 3, 4, 5, 6, 7, 8, 9]];
        let mut ticks = tens;
        for factors in candidates {
            let more = multiples(factors);
            if ticks.len() < 3 && more.len() <= most.max(3) {
                ticks = more;
            }
        }
        ticks
    };
    if ticks.len() < 2 {
        let (ticks, labels) = linear_ticks(10f64.powf(low), 10f64.powf(high), most);
        return (ticks, Vec::new(), labels);
    }
    let labels = number::log_labels(&ticks);
    (ticks, minor, labels)
}

/// 0 and the powers of ten on either side, from `linear_below` on.
fn symmetric_ticks(
    linear_below: f64,
    low: f64,
    high: f64,
    most: usize,
) -> (Vec<f64>, Vec<f64>, Vec<String>) {
    // Powers of ten inside the logarithmic parts, wherever these start.
    let from = (linear_below.log10() - 1e-9).ceil() as i32;
    let reach = |end: f64| {
        let largest = number_at(Scale::SymmetricLog { linear_below }, end.max(0.0)).log10();
        // At least one less: none, where the end is in the linear part.
        (largest + 1e-9).floor().max(f64::from(from - 1)) as i32
    };
    let (down, up) = (reach(-low), reach(high));
    let scale = Scale::SymmetricLog { linear_below };
    let inside = |value: f64| (low - 1e-9..=high + 1e-9).contains(&place(scale, value));
    let powers = |to: i32, sign: f64| -> Vec<i32> {
        (from..=to).filter(|&power| inside(sign * number::decimal(1.0, power))).collect()
    };
    let (negative, positive) = (powers(down, -1.0), powers(up, 1.0));
    let every = (negative.len() + positive.len()).div_ceil(most + 1) as i32;
    let kept = |powers: Vec<i32>, sign: f64| {
        let powers = powers.into_iter().filter(move |power| (power - from) % every == 0);
        powers.map(move |power| sign * number::decimal(1.0, power))
    };
    let zero = Some(0.0).filter(|&zero| inside(zero));
    let ticks = kept(negative, -1.0).chain(zero).chain(kept(positive, 1.0));
    let mut ticks: Vec<f64> = ticks.collect();
    ticks.sort_by(f64::total_cmp);
    if ticks.len() < 2 {
        let (ticks, labels) = linear_ticks(number_at(scale, low), number_at(scale, high), most);
        return (ticks, Vec::new(), labels);
    }
    let labels = number::log_labels(&ticks);
    (ticks, Vec::new(), labels)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(scale: Scale, values: &[f64], most: usize) -> Vec<String> {
        let axis = Axis::new("a", scale).unwrap();
        let ruler = Ruler::over(&axis, values.iter().copied(), most);
        ruler.ticks().map(|(_, label)| label.to_owned()).collect()
    }

    #[test]
    fn ticks_are_what_a_reader_expects() {
        assert_eq!(
            labels(Scale::Linear, &[0.0, 1.0], 6),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(labels(Scale::Linear, &[-3.0, 40.0], 6), ["0", "10", "20", "30", "40"]);
        assert_eq!(labels(Scale::Log, &[10.0, 10_000.0], 6), ["10", "100", "1,000", "10,000"]);
        assert_eq!(labels(Scale::Log, &[10.0, 50.0], 6), ["10", "20", "50"]);
        assert_eq!(labels(Scale::Log, &[1e-8, 1e-4], 6), ["10⁻⁸", "10⁻⁷", "10⁻⁶", "10⁻⁵", "10⁻⁴"]);
        let symmetric = Scale::SymmetricLog { linear_below: 0.01 };
        assert_eq!(labels(symmetric, &[0.0, 10.0], 8), ["0", "0.01", "0.1", "1", "10"]);
        assert_eq!(
            labels(symmetric, &[-1.0, 1.0], 8),
            ["−1", "−0.1", "−0.01", "0", "0.01", "0.1", "1"]
        );
    }

    #[test]
    fn an_end_that_was_asked_for_is_the_end() {
        let axis = Axis::new("share", Scale::Linear).unwrap().including(0.0).unwrap();
        let ruler = Ruler::over(&axis, [0.5, 0.9], 5);
        assert_eq!(ruler.share(0.0), 0.0);
        assert!(ruler.share(0.9) < 1.0);
    }

    fn scales() -> impl Strategy<Value = Scale> {
        prop_oneof![
            Just(Scale::Linear),
            Just(Scale::Log),
            (-99i32..99).prop_map(|p| Scale::SymmetricLog { linear_below: 10f64.powi(p) }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn every_number_and_tick_is_on_the_axis(
            scale in scales(),
            values in prop::collection::vec((-100f64..100.0, any::<bool>()), 1..9),
            most in 2usize..12,
        ) {
            let values: Vec<f64> = values
                .into_iter()
                .map(|(power, is_negative)| {
                    let size = 10f64.powf(power);
                    if is_negative && scale != Scale::Log { -size } else { size }
                })
                .collect();
            let axis = Axis::new("a", scale).unwrap();
            let ruler = Ruler::over(&axis, values.iter().copied(), most);
            for value in values {
                prop_assert!((0.0..=1.0).contains(&ruler.share(value)));
            }
            let ticks: Vec<_> = ruler.ticks().collect();
            prop_assert!((1..=2 * most + 3).contains(&ticks.len()), "{ticks:?}");
            for pair in ticks.windows(2) {
                prop_assert!(pair[0].0 < pair[1].0 && pair[0].1 != pair[1].1, "{ticks:?}");
            }
            for (tick, label) in ticks {
                prop_assert!((-1e-6..=1.0 + 1e-6).contains(&ruler.share(tick)));
                prop_assert!(!label.is_empty());
            }
        }
    }
}
