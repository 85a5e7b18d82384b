//! Colours, markers and dashes.
//!
//! Six hues that are told apart with every kind of colour blindness (Okabe and Ito, without the yellow and
//! the black that one of the two backgrounds swallows), each twice: a full line with a filled marker, and
//! a dashed one with a hollow marker.

use plotters::style::RGBColor;

/// A colour by its purpose; the drawing has the light one, the page both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ink {
    /// The name of its CSS variable.
    pub(super) variable: &'static str,
    pub(super) light: RGBColor,
    pub(super) dark: RGBColor,
}

const fn ink(variable: &'static str, light: (u8, u8, u8), dark: (u8, u8, u8)) -> Ink {
    let light = RGBColor(light.0, light.1, light.2);
    Ink { variable, light, dark: RGBColor(dark.0, dark.1, dark.2) }
}

pub(super) const PAPER: Ink = ink("paper", (255, 255, 255), (20, 23, 28));
pub(super) const TEXT: Ink = ink("ink", (31, 35, 40), (226, 230, 236));
pub(super) const AXIS: Ink = ink("axis", (74, 81, 89), (154, 163, 175));
pub(super) const GRID: Ink = ink("grid", (228, 231, 235), (45, 51, 60));
pub(super) const MINOR: Ink = ink("minor", (243, 244, 246), (31, 36, 43));
pub(super) const FLOOR: Ink = ink("floor", (140, 147, 156), (132, 140, 151));

pub(super) const HUES: [Ink; 6] = [
    ink("blue", (0, 114, 178), (76, 170, 230)),
    ink("vermillion", (213, 94, 0), (242, 130, 48)),
    ink("green", (0, 158, 115), (38, 190, 148)),
    ink("purple", (190, 92, 150), (226, 140, 190)),
    ink("orange", (230, 159, 0), (240, 184, 60)),
    ink("sky", (70, 170, 222), (140, 208, 248)),
];

/// Every colour there is, those of the page first.
pub(super) fn inks() -> impl Iterator<Item = Ink> {
    [PAPER, TEXT, AXIS, GRID, MINOR, FLOOR].into_iter().chain(HUES)
}

/// The shape of a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Circle,
    Square,
    Triangle,
    Diamond,
    TriangleDown,
    Pentagon,
}

const SHAPES: [Shape; 6] = [
    Shape::Circle,
    Shape::Square,
    Shape::Triangle,
    Shape::Diamond,
    Shape::TriangleDown,
    Shape::Pentagon,
];

/// How one of up to twelve series looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) ink: Ink,
    pub(super) shape: Shape,
    pub(super) is_hollow: bool,
}

/// The look of a slot, 0 to 11.
pub(super) fn look(slot: usize) -> Look {
    let i = slot % HUES.len();
    Look { ink: HUES[i], shape: SHAPES[i], is_hollow: !(slot / HUES.len()).is_multiple_of(2) }
}

/// Lengths of strokes and gaps in pixels; empty for a full line.
pub(super) fn dashes(look: Look) -> &'static [f64] {
    if look.is_hollow { &[6.0, 3.0] } else { &[] }
}

/// The dashes of references, which all have one colour.
pub(super) const REFERENCE_DASHES: [&[f64]; 4] =
    [&[2.0, 2.5], &[8.0, 2.5, 2.0, 2.5], &[12.0, 3.0], &[1.0, 4.0]];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::report::drawing::hex;

    /// The contrast of two colours by WCAG 2, from 1 to 21.
    fn contrast(a: RGBColor, b: RGBColor) -> f64 {
        let light = |RGBColor(r, g, b): RGBColor| {
            let linear = |c: u8| {
                let c = f64::from(c) / 255.0;
                if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
        };
        let (a, b) = (light(a) + 0.05, light(b) + 0.05);
        a.max(b) / a.min(b)
    }

    #[test]
    fn text_and_lines_stand_out_by_day_and_by_night() {
        let against =
            |ink: Ink| contrast(ink.light, PAPER.light).min(contrast(ink.dark, PAPER.dark));
        assert!(against(TEXT) >= 12.0);
        assert!(against(AXIS) >= 4.5);
        assert!(against(FLOOR) >= 3.0);
        for hue in HUES {
            assert!(against(hue) >= 2.2, "{}: {}", hue.variable, against(hue));
        }
    }

    #[test]
    fn no_two_colours_and_no_two_looks_are_the_same() {
        // The page finds a colour's purpose by its value.
        let colours: BTreeSet<String> = inks().map(|ink| hex(ink.light)).collect();
        assert_eq!(colours.len(), inks().count());
        for i in 0..12 {
            assert!((0..i).all(|j| look(i) != look(j)));
        }
    }
}
