//! Numbers as a reader writes them.

/// `factor · 10^power`, rounded once.
pub(super) fn decimal(factor: f64, power: i32) -> f64 {
    if power < 0 { factor / 10f64.powi(-power) } else { factor * 10f64.powi(power) }
}

/// Labels of evenly spaced ticks, whose last digit is that of 10^`power`.
pub(super) fn labels(ticks: &[f64], power: i32) -> Vec<String> {
    let largest = ticks.iter().fold(0.0, |most: f64, tick| most.max(tick.abs()));
    let exponent = if largest > 0.0 { largest.log10().floor() as i32 } else { 0 };
    if (-4..6).contains(&exponent) && power > -7 {
        let digits = usize::try_from(-power).unwrap_or(0);
        return ticks.iter().map(|&tick| plain(tick, digits)).collect();
    }
    let digits = usize::try_from(exponent - power).unwrap_or(0);
    let one = |&tick: &f64| {
        if tick == 0.0 {
            "0".to_owned()
        } else {
            scaled(decimal(tick, -exponent), digits, exponent)
        }
    };
    ticks.iter().map(one).collect()
}

/// Labels of ticks that are small multiples of powers of ten.
pub(super) fn log_labels(ticks: &[f64]) -> Vec<String> {
    let sizes = || ticks.iter().map(|tick| tick.abs()).filter(|&size| size > 0.0);
    let is_plain = sizes().all(|size| (0.999e-4..1.001e5).contains(&size));
    let one = |&tick: &f64| {
        if tick == 0.0 {
            return "0".to_owned();
        }
        let power = (tick.abs().log10() + 1e-9).floor() as i32;
        if is_plain {
            return plain(tick, usize::try_from(-power).unwrap_or(0));
        }
        scaled(decimal(tick, -power), 0, power)
    };
    ticks.iter().map(one).collect()
}

/// A measured number with three significant digits.
pub(super) fn measured(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let exponent = value.abs().log10().floor() as i32;
    if (-4..6).contains(&exponent) {
        plain(value, usize::try_from(2 - exponent).unwrap_or(0))
    } else {
        scaled(decimal(value, -exponent), 2, exponent)
    }
}

/// A number of an experimenter's choosing, all its digits.
pub(super) fn exact(value: f64) -> String {
    let exponent = if value == 0.0 { 0 } else { value.abs().log10().floor() as i32 };
    let text = if (-5..9).contains(&exponent) { value.to_string() } else { format!("{value:e}") };
    text.replace('-', "−")
}

/// Digits in groups of three, a true minus sign.
fn plain(value: f64, digits: usize) -> String {
    let text = format!("{:.digits$}", value.abs());
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let is_zero = text.bytes().all(|b| matches!(b, b'0' | b'.'));
    let mut grouped = if value < 0.0 && !is_zero { "−".to_owned() } else { String::new() };
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

/// `mantissa · 10^exponent`, without a mantissa of one.
fn scaled(mantissa: f64, digits: usize, exponent: i32) -> String {
    let raised: String = exponent.to_string().chars().map(superscript).collect();
    match plain(mantissa, digits).as_str() {
        "1" => format!("10{raised}"),
        "−1" => format!("−10{raised}"),
        text => format!("{text}×10{raised}"),
    }
}

fn superscript(digit: char) -> char {
    match digit {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit => digit.to_digit(10).and_then(|d| char::from_u32(0x2070 + d)).unwrap_or(digit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(labels(&[-0.5, 0.0, 0.5], -1), ["−0.5", "0.0", "0.5"]);
        assert_eq!(labels(&[0.0, 20_000.0], 4), ["0", "20,000"]);
        assert_eq!(labels(&[0.0, 2e9, 1e10], 9), ["0", "0.2×10¹⁰", "1.0×10¹⁰"]);
        assert_eq!(log_labels(&[1e-6, 2e-6, 1e3]), ["10⁻⁶", "2×10⁻⁶", "10³"]);
        assert_eq!(log_labels(&[0.002, 1000.0]), ["0.002", "1,000"]);
        assert_eq!([0.0, 0.43, 18.04, 1234.5].map(measured), ["0", "0.430", "18.0", "1,234"]);
        assert_eq!(measured(-2.5e-9), "−2.50×10⁻⁹");
        assert_eq!([10_000.0, 0.7].map(exact), ["10000", "0.7"]);
    }
}
