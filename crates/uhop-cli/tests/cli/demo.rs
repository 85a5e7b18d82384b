//! `uhop demo`: the table, the files, and what they claim.

use std::fs;
use std::process::Output;
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::{documented, fields, stderr, stdout, uhop};

/// One run, `--json`, seed 0, shared by the tests that only read it.
fn demo() -> &'static (TempDir, Output, Value) {
    static DEMO: OnceLock<(TempDir, Output, Value)> = OnceLock::new();
    DEMO.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let output = uhop(folder.path(), &["demo", "--json", "--no-progress"]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let document = serde_json::from_slice(&output.stdout).unwrap();
        (folder, output, document)
    })
}

fn rows(document: &Value, n_patterns: u64) -> Vec<&Value> {
    let rows = document["rows"].as_array().unwrap().iter();
    rows.filter(|row| row["n_patterns"] == n_patterns).collect()
}

fn number(document: &Value, n_patterns: u64, model: &str, field: &str) -> f64 {
    let rows = rows(document, n_patterns);
    let row = rows.iter().find(|row| row["model"] == model);
    row.unwrap_or_else(|| panic!("no row {model}"))[field].as_f64().unwrap()
}

#[test]
fn the_json_has_every_documented_field_and_no_other() {
    let (_, _, document) = demo();
    let [top, row] = documented("demo");
    assert_eq!(fields(document), top);
    assert_eq!(rows(document, 100).len(), 11);
    assert_eq!(rows(document, 500).len(), 11);
    for value in document["rows"].as_array().unwrap() {
        assert_eq!(fields(value), row);
    }
}

/// What the demo is there to show, on this seed: U-Hop beats the dot-product models by a wide
/// margin, and a correctly signed distance does better still.
#[test]
fn learned_maps_beat_dot_products_and_euclidean_beats_both() {
    let (_, _, document) = demo();
    for n_patterns in [100, 500] {
        let error = |model: &str| number(document, n_patterns, model, "error");
        for plain in ["dense", "sparse", "polynomial-10"] {
            for learned in ["U-Hop dense", "U-Hop sparse", "U-Hop dense, average loss"] {
                assert!(3.0 * error(learned) < error(plain), "{n_patterns}: {learned}, {plain}");
            }
            assert!(error(plain) < error("corrupted query itself"));
        }
        assert!(3.0 * error("euclidean") < error("U-Hop dense"));
        assert!(3.0 * error("cosine") < error("U-Hop dense"));
    }
}

#[test]
fn supports_tell_softmax_from_sparsemax() {
    let (_, _, document) = demo();
    assert_eq!(number(document, 500, "dense", "support_size"), 500.0);
    let perplexity = number(document, 500, "dense", "perplexity");
    assert!(perplexity > 1.0 && perplexity < 5.0, "{perplexity}");
    assert!(number(document, 500, "sparse", "support_size") < 5.0);
    assert!(number(document, 500, "U-Hop sparse", "support_size") < 5.0);
}

#[test]
fn table_and_picture_are_where_it_says() {
    let (folder, output, document) = demo();
    let csv = folder.path().join(document["table"].as_str().unwrap());
    let lines: Vec<String> = fs::read_to_string(csv).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 1 + 22);
    assert!(lines[0].starts_with("n_patterns,dim,model,beta,error,"), "{}", lines[0]);
    let picture = image::open(folder.path().join(document["picture"].as_str().unwrap())).unwrap();
    // Twelve columns and ten rows of digits three times their size.
    assert!(picture.width() > 12 * 84 && picture.height() > 10 * 84);
    let grey = picture.to_luma8();
    assert!(grey.pixels().any(|p| p.0[0] == 0) && grey.pixels().any(|p| p.0[0] == 255));
    // Progress bars are for terminals; the notes of Stage I remain.
    assert_eq!(stderr(output).lines().count(), 4, "{}", stderr(output));
    assert!(stderr(output).contains("Stage I, max loss, 250 patterns: 100 steps"));
}

/// The same seed gives the same numbers, in text as in JSON; `--out` and `--quiet` do what they say.
#[test]
fn a_seed_fixes_every_number_but_the_times() {
    let (_, _, document) = demo();
    let folder = TempDir::new().unwrap();
    let again = uhop(folder.path(), &["--out", "a/b", "--quiet"]).output().unwrap();
    assert_eq!((again.status.code(), stderr(&again)), (Some(0), ""));
    assert!(folder.path().join("a/b/demo.png").is_file());
    let mut text = stdout(&again).lines();
    for n_patterns in [100, 500] {
        let title = format!("{n_patterns} digits of 784 pixels stored");
        text.find(|line| *line == title).unwrap_or_else(|| panic!("no line `{title}`"));
        for row in rows(document, n_patterns) {
            let model = row["model"].as_str().unwrap();
            let name = format!(" {model}  ");
            let line = text.find(|line| line.starts_with(&name));
            let line = line.unwrap_or_else(|| panic!("no row {model}"));
            let error = format!(" {:.3} ", row["error"].as_f64().unwrap());
            assert!(line.contains(&error), "{line}: {error}");
        }
    }
    assert!(stdout(&again).ends_with("\ntable    a/b/demo.csv\npicture  a/b/demo.png\n"));
}
