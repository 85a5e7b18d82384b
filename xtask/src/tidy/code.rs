//! Rust source with the parts that are not code blanked out.
//!
//! A blanked character becomes a space and line breaks stay, so positions and line numbers hold.
//! This is a reading of characters, not a parser: macros are not expanded, and only the literal
//! attribute `#[cfg(test)]` marks test code, not `cfg(all(test, …))` or `#![cfg(test)]`.

/// The source without comments (doc comments included), strings and character literals.
pub(super) fn without_comments_and_literals(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut code = String::with_capacity(source.len());
    let mut i = 0;
    while i < chars.len() {
        let end = match (at(i), at(i + 1)) {
            ('/', '/') => line_comment_end(&chars, i),
            ('/', '*') => block_comment_end(&chars, i),
            ('"', _) => string_end(&chars, i + 1),
            ('r', '#' | '"') => raw_string_end(&chars, i).unwrap_or(i),
            // The character after the backslash may itself be a quote.
            ('\'', '\\') => find(&chars, i + 3, '\'') + 1,
            ('\'', _) if at(i + 2) == '\'' => i + 3,
            _ => i,
        };
        if end == i {
            code.push(chars[i]);
            i += 1;
        } else {
            let end = end.min(chars.len());
            code.extend(chars[i..end].iter().map(|&c| blank(c)));
            i = end;
        }
    }
    code
}

/// The code without the items marked `#[cfg(test)]`, each with its body.
///
/// The argument has been through [`without_comments_and_literals`], so that braces balance.
pub(super) fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(start) = rest.find(MARK) {
        let body = start + MARK.len();
        let end = body + item_end(&rest[body..]);
        kept.push_str(&rest[..start]);
        kept.extend(rest[start..end].chars().map(blank));
        rest = &rest[end..];
    }
    kept.push_str(rest);
    kept
}

/// Whether the character can be part of an identifier.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The whole identifiers of a text, each with the byte offset it starts at.
pub(super) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + text[from..].find(is_word)?;
        let length = text[start..].find(|c| !is_word(c)).unwrap_or(text.len() - start);
        from = start + length;
        Some((start, &text[start..from]))
    })
}

/// The number of the line that holds this byte offset, counted from 1.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    1 + text[..offset].matches('\n').count()
}

fn blank(c: char) -> char {
    if c == '\n' { '\n' } else { ' ' }
}

/// The position of the next `wanted`, or the end.
fn find(chars: &[char], from: usize, wanted: char) -> usize {
    (from..chars.len()).find(|&i| chars[i] == wanted).unwrap_or(chars.len())
}

fn line_comment_end(chars: &[char], start: usize) -> usize {
    find(chars, start, '\n')
}

fn block_comment_end(chars: &[char], start: usize) -> usize {
    let mut depth = 0;
    let mut i = start;
    while i < chars.len() {
        match chars[i..] {
            ['/', '*', ..] => {
                depth += 1;
                i += 2;
            }
            ['*', '/', ..] => {
                depth -= 1;
                i += 2;
                if depth == 0 {
                    break;
                }
            }
            _ => i += 1,
        }
    }
    i
}

/// `from` is the first character after the opening quote.
fn string_end(chars: &[char], from: usize) -> usize {
    let mut i = from;
    while i < chars.len() {
        match chars[i] {
            '\\' => i += 2,
            '"' => return i + 1,
            _ => i += 1,
        }
    }
    chars.len()
}

/// The end of `r"…"` or `r#"…"#`, or nothing for a raw identifier such as `r#type`.
fn raw_string_end(chars: &[char], start: usize) -> Option<usize> {
    let hashes = chars[start + 1..].iter().take_while(|&&c| c == '#').count();
    let open = start + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let mut i = open + 1;
    loop {
        i = find(chars, i, '"') + 1;
        let closing = chars.get(i..i + hashes);
        if i >= chars.len() || closing.is_some_and(|tail| tail.iter().all(|&c| c == '#')) {
            return Some(i + hashes);
        }
    }
}

/// The length of the item that starts here: up to its `;`, or to the brace that closes its body.
fn item_end(code: &str) -> usize {
    let mut depth = 0_i32;
    for (i, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' => depth -= 1,
            '}' => {
                depth -= 1;
                if depth <= 0 {
                    return i + 1;
                }
            }
            ';' if depth == 0 => return i + 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words that remain, for sources whose positions are checked elsewhere.
    fn remaining(source: &str) -> String {
        let code = without_comments_and_literals(source);
        assert_eq!(code.chars().count(), source.chars().count(), "positions hold in {source:?}");
        assert_eq!(code.matches('\n').count(), source.matches('\n').count());
        code.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_are_blanked() {
        assert_eq!(remaining("a // b\nc /* d /* e */ f */ g"), "a c g");
        assert_eq!(remaining("/// doc `crate::x`\nfn f() {}"), "fn f() {}");
        assert_eq!(remaining("a /* never closed"), "a");
    }

    #[test]
    fn literals_are_blanked() {
        assert_eq!(remaining(r#"f("a // b \" c") + d"#), "f( ) + d");
        assert_eq!(remaining(r###"f(r#"a " b"#, br"c", r#type)"###), "f( , b , r#type)");
        assert_eq!(remaining(r"g('\'', '{', '\u{7d}', 'é')"), "g( , , , )");
        assert_eq!(remaining("\"never closed"), "");
        assert_eq!(remaining("r#\"never closed\""), "");
        assert_eq!(remaining("'\\"), "");
    }

    #[test]
    fn lifetimes_stay() {
        assert_eq!(
            remaining("fn f<'a>(x: &'a str, y: &'a str)"),
            "fn f<'a>(x: &'a str, y: &'a str)"
        );
    }

    #[test]
    fn test_items_are_blanked_with_their_bodies() {
        let code = "a\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n  fn f() { b }\n}\nc\n\
                    #[cfg(test)]\nuse d::e;\ng\n#[cfg(test)]\nconst H: [u8; 1] = [i];\nj";
        let kept = without_tests(code);
        assert_eq!(kept.len(), code.len());
        assert_eq!(kept.split_whitespace().collect::<Vec<_>>(), ["a", "c", "g", "j"]);
    }

    #[test]
    fn words_are_whole_identifiers() {
        let found: Vec<_> = words("a_b+c1::é(2)").collect();
        assert_eq!(found, [(0, "a_b"), (4, "c1"), (8, "é"), (11, "2")]);
        assert_eq!(words("").count(), 0);
    }

    #[test]
    fn lines_count_from_one() {
        assert_eq!([0, 1, 2, 3].map(|offset| line_of("a\nb\n", offset)), [1, 1, 2, 2]);
    }
}
