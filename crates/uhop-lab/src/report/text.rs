//! How wide text is, where its lines break, and what of it can be shown.

use std::borrow::Cow;
use std::sync::OnceLock;

use ttf_parser::Face;

/// The family of every drawing: the last but one is in the program, and no other is wider.
pub(super) const FAMILY: &str = "Helvetica, Arial, 'DejaVu Sans', sans-serif";

/// A weight of the font.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Bold,
}

/// The bytes of the font that draws where the system has none.
pub(super) fn font(weight: Weight) -> &'static [u8] {
    match weight {
        Weight::Regular => dejavu::sans::regular(),
        Weight::Bold => dejavu::sans::bold(),
    }
}

/// The width of one line in the unit of `size`, the height of the font.
pub(super) fn width(text: &str, size: f64, weight: Weight) -> f64 {
    static FACES: OnceLock<[Face<'static>; 2]> = OnceLock::new();
    let faces = FACES.get_or_init(|| {
        [Weight::Regular, Weight::Bold]
            .map(|weight| Face::parse(font(weight), 0).expect("the built-in font is a font"))
    });
    let face = &faces[weight as usize];
    let em = f64::from(face.units_per_em());
    let advance = |c: char| {
        let glyph = face.glyph_index(c).and_then(|glyph| face.glyph_hor_advance(glyph));
        // A glyph of another font: wide enough for any script.
        glyph.map_or(1.1 * em, f64::from)
    };
    text.chars().map(advance).sum::<f64>() / em * size
}

/// Lines no wider than `most`, broken between words where a word fits, inside it where not.
pub(super) fn wrap(text: &str, size: f64, weight: Weight, most: f64) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let joined = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if width(&joined, size, weight) <= most {
            line = joined;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for c in word.chars() {
            line.push(c);
            if width(&line, size, weight) > most && line.chars().count() > 1 {
                line.pop();
                lines.push(std::mem::replace(&mut line, c.to_string()));
            }
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// At most `n_lines` of the lines, the last ending in `…` when some are left out.
pub(super) fn first_lines(
    mut lines: Vec<String>,
    n_lines: usize,
    size: f64,
    weight: Weight,
    most: f64,
) -> Vec<String> {
    if lines.len() > n_lines {
        lines.truncate(n_lines);
        if let Some(last) = lines.last_mut() {
            while !last.is_empty() && width(&format!("{last}…"), size, weight) > most {
                last.pop();
            }
            last.push('…');
        }
    }
    lines
}

/// The text without characters that neither XML nor a reader knows, each replaced by `�`.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    let is_hidden = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    if text.contains(is_hidden) {
        Cow::Owned(text.replace(is_hidden, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_lose_no_letter() {
        let text = "a few words, and averyveryverylongone too";
        for most in [10.0, 40.0, 100.0, 1000.0] {
            let lines = wrap(text, 12.0, Weight::Regular, most);
            let letters = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(letters(&lines.concat()), letters(text));
            for line in &lines {
                assert!(width(line, 12.0, Weight::Regular) <= most || line.chars().count() == 1);
            }
        }
        assert_eq!(wrap("", 12.0, Weight::Regular, 10.0), [""]);
    }

    #[test]
    fn what_is_left_out_is_said() {
        let lines = || vec!["one two".to_owned(), "three".to_owned()];
        let short = |n| first_lines(lines(), n, 12.0, Weight::Regular, 50.0);
        assert_eq!(short(2), lines());
        assert_eq!(short(1).len(), 1);
        assert!(short(1)[0].ends_with('…'));
        assert!(width(&short(1)[0], 12.0, Weight::Regular) <= 50.0);
    }

    #[test]
    fn bold_is_wider() {
        let [regular, bold] = [Weight::Regular, Weight::Bold].map(|w| width("dense", 10.0, w));
        assert!(0.0 < regular && regular < bold);
    }

    #[test]
    fn hidden_characters_are_replaced() {
        assert_eq!(visible("a\0b\u{1b}[31m\u{ffff}"), "a\u{fffd}b\u{fffd}[31m\u{fffd}");
        assert!(matches!(visible("α ≤ 2\n"), Cow::Borrowed(_)));
    }
}
