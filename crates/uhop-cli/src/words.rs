//! Numbers with their nouns.

/// "1 pattern", "2 patterns", "2 queries".
pub(crate) fn counted(n: usize, noun: &str) -> String {
    match noun.strip_suffix('y') {
        _ if n == 1 => format!("1 {noun}"),
        Some(stem) => format!("{n} {stem}ies"),
        None => format!("{n} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        let counted = [(0, "step"), (1, "step"), (1, "query"), (2, "query")]
            .map(|(n, noun)| counted(n, noun));
        assert_eq!(counted, ["0 steps", "1 step", "1 query", "2 queries"]);
    }
}
