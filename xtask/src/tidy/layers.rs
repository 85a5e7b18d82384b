//! In `crates/uhop/src` data flows one way: a module uses its own parts and earlier layers only.
//!
//! `lib.rs` and test code may use any module. Paths are read where they are written:
//! `crate::name`, `crate::{a, b}`, and `super::` when it reaches the crate root from the file's own
//! module. Not seen are paths that a macro builds and `super::` inside an inline module. A path
//! through a re-export at the crate root would hide the layer, so it is an error here.

use super::Problem;
use super::code::{is_word, line_of, without_tests, words};

/// The modules of `crates/uhop/src` from first to last. A module may use those before it.
const LAYERS: &[&str] = &[
    "error",
    "capacity",
    "threads",
    "scalar",
    "wide",
    "simd",
    "vector_state",
    "product",
    "pairs",
    "neighbours",
    "patterns",
    "channel",
    "feature_map",
    "similarity",
    "screen",
    "separation",
    "readout",
    "stage1",
    "model",
    "memory",
    "energy",
    "update",
    "dynamics",
    "theory",
    "survey",
    "metrics",
    "choice",
    "saved",
];

/// Modules beside the layers, which no layer may use, each with what it may use itself.
const BESIDE: &[(&str, &[&str])] = &[("reference", &["error", "scalar"])];

const SOURCES: &str = "crates/uhop/src/";
const THIS_FILE: &str = "xtask/src/tidy/layers.rs";

/// The edges of one file that point the wrong way. Takes code without comments and literals.
pub(super) fn check(path: &str, code: &str) -> Vec<Problem> {
    let Some(inside) = path.strip_prefix(SOURCES) else { return Vec::new() };
    let parts: Vec<&str> = inside.trim_end_matches(".rs").split('/').collect();
    let own = parts[0];
    if inside == "lib.rs" || parts.contains(&"tests") {
        return Vec::new();
    }
    let Some(allowed) = allowed(own) else {
        let what = format!(
            "module `{own}` has no layer; add it to LAYERS in {THIS_FILE}, \
             after the modules it uses"
        );
        return vec![Problem::new(path, 1, what)];
    };
    let depth = parts.iter().filter(|&&part| part != "mod").count();
    let code = without_tests(code);
    let mut problems = Vec::new();
    for (offset, target) in root_paths(&code, depth) {
        if target == own || allowed.contains(&target) {
            continue;
        }
        let what = if self::allowed(target).is_some() {
            format!(
                "`{own}` uses `crate::{target}`, which is not one of its earlier layers; \
                 move the shared part to an earlier layer, or reorder LAYERS in {THIS_FILE}"
            )
        } else {
            format!(
                "`crate::{target}` names no module with a layer; name the module it lives in, \
                 or add a new module to LAYERS in {THIS_FILE}"
            )
        };
        problems.push(Problem::new(path, line_of(&code, offset), what));
    }
    problems
}

/// What a module may use besides itself, or nothing for a module that is not listed.
fn allowed(module: &str) -> Option<&'static [&'static str]> {
    if let Some(position) = LAYERS.iter().position(|&layer| layer == module) {
        return Some(&LAYERS[..position]);
    }
    BESIDE.iter().find(|(name, _)| *name == module).map(|&(_, allowed)| allowed)
}

/// The first name of every path from the crate root, with its byte offset.
///
/// `depth` is the depth of the file's module: 1 for `a.rs` and `a/mod.rs`, 2 for `a/b.rs`.
fn root_paths(code: &str, depth: usize) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut n_supers = 0;
    let mut super_end = 0;
    for (start, word) in words(code) {
        let end = start + word.len();
        let Some(next) = after_colons(code, end) else { continue };
        let from_root = match word {
            "crate" => true,
            "super" => {
                // A `super` right after another one continues its path.
                n_supers = if start == super_end { n_supers + 1 } else { 1 };
                super_end = next;
                n_supers == depth && !code[next..].starts_with("super")
            }
            _ => false,
        };
        if from_root {
            found.extend(first_names(code, next));
        }
    }
    found
}

/// The offset of what follows a `::` here.
fn after_colons(code: &str, from: usize) -> Option<usize> {
    let rest = code[from..].trim_start().strip_prefix("::")?.trim_start();
    Some(code.len() - rest.len())
}

/// The first name of a path, or of every path in a `{…}` group.
fn first_names(code: &str, from: usize) -> Vec<(usize, &str)> {
    if !code[from..].starts_with('{') {
        return vec![first_name(code, from)];
    }
    let mut names = Vec::new();
    let mut depth = 0;
    let mut at_start = false;
    for (i, c) in code[from..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth == 1 && matches!(c, '{' | ',') {
            at_start = true;
        } else if at_start && !c.is_whitespace() {
            names.push(first_name(code, from + i));
            at_start = false;
        }
    }
    names
}

/// The word that starts here, or the one character when it is none (`*`).
fn first_name(code: &str, from: usize) -> (usize, &str) {
    let rest = &code[from..];
    let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    let one = rest.chars().next().map_or(0, char::len_utf8);
    (from, &rest[..length.max(one)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::code::without_comments_and_literals;

    /// The lines with a problem in a file of `crates/uhop/src`.
    fn lines(file: &str, source: &str) -> Vec<usize> {
        check(&format!("{SOURCES}{file}"), &without_comments_and_literals(source))
            .iter()
            .map(|problem| problem.line)
            .collect()
    }

    #[test]
    fn earlier_layers_and_the_own_module_pass() {
        let source = "use crate::error::Error;\nuse crate::{patterns::Patterns, separation::{self, \
                      softmax}};\nfn f() -> crate::similarity::S {}\npub(crate) fn g() {}\n";
        assert_eq!(lines("separation/mod.rs", source), []);
        assert_eq!(lines("dynamics.rs", "use crate::energy::energy;"), []);
    }

    #[test]
    fn later_layers_fail_wherever_they_are_named() {
        assert_eq!(lines("patterns.rs", "\nuse crate::dynamics::Params;"), [2]);
        assert_eq!(
            lines("patterns.rs", "use crate::{\n  error::Error,\n  memory::Memory,\n};"),
            [3]
        );
        assert_eq!(lines("patterns.rs", "fn f() { crate::readout::read() }"), [1]);
        assert_eq!(lines("separation/sparsemax.rs", "use crate::readout;"), [1]);
        assert_eq!(lines("energy.rs", "use crate::dynamics;"), [1]);
    }

    #[test]
    fn super_counts_when_it_reaches_the_root() {
        assert_eq!(lines("patterns.rs", "use super::memory::Memory;"), [1]);
        assert_eq!(lines("patterns.rs", "use super::{error::Error, memory};"), [1]);
        assert_eq!(lines("separation/sparsemax.rs", "use super::memory;"), []);
        assert_eq!(lines("separation/sparsemax.rs", "use super::super::memory;"), [1]);
        assert_eq!(lines("separation/mod.rs", "use super::similarity;"), []);
    }

    #[test]
    fn comments_strings_and_tests_are_free() {
        let source = "//! See [`crate::memory`].\n/// [`crate::dynamics`]\nfn f() { g(\"crate::memory\") \
                      }\n#[cfg(test)]\nmod tests {\n    use crate::memory::Memory;\n}\n";
        assert_eq!(lines("error.rs", source), []);
        assert_eq!(lines("error.rs", &format!("{source}use crate::memory;")), [8]);
        assert_eq!(lines("separation/tests.rs", "use crate::memory;"), []);
        assert_eq!(lines("lib.rs", "pub use crate::memory::Memory;"), []);
    }

    #[test]
    fn the_reference_stands_beside_the_layers() {
        assert_eq!(lines("reference.rs", "use crate::{error::Error, scalar::Scalar};"), []);
        assert_eq!(lines("reference.rs", "use crate::patterns;"), [1]);
        assert_eq!(lines("metrics.rs", "use crate::reference;"), [1]);
    }

    #[test]
    fn names_without_a_layer_fail() {
        assert_eq!(lines("metrics.rs", "use crate::Error;"), [1]);
        assert_eq!(lines("metrics.rs", "use crate::*;"), [1]);
        assert_eq!(lines("helpers.rs", "fn f() {}"), [1]);
        let what = &check("crates/uhop/src/helpers/a.rs", "")[0].what;
        assert!(what.contains("add it to LAYERS"), "{what}");
    }

    #[test]
    fn other_crates_have_no_layers() {
        assert_eq!(check("crates/uhop-data/src/idx.rs", "use crate::anything;"), []);
        assert_eq!(check("crates/uhop/tests/laws.rs", "use crate::anything;"), []);
    }

    #[test]
    fn the_order_names_each_module_once() {
        let mut names: Vec<&str> =
            LAYERS.iter().copied().chain(BESIDE.iter().map(|(name, _)| *name)).collect();
        let n_names = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), n_names);
    }
}
