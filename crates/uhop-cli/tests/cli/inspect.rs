//! `uhop inspect` on memories small enough to check by hand, and on the awkward ones.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::{documented, fields, stderr, stdout, uhop};

/// Stores `rows` with the model of `options`; answers as JSON and as text.
fn inspect(rows: &str, options: &[&str]) -> (Value, String) {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("rows.csv"), rows).unwrap();
    fs::write(folder.path().join("ids.txt"), "ann\nbob\ncy\n").unwrap();
    fs::write(folder.path().join("values.csv"), "7\n8\n9\n").unwrap();
    let fit = [&["fit", "rows.csv", "-o", "m.safetensors"][..], options].concat();
    succeed(folder.path(), &fit);
    answers(folder.path(), &[])
}

fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let output = uhop(folder, &[arguments, &["--quiet"]].concat()).output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""), "{arguments:?}");
    stdout(&output).to_owned()
}

fn answers(folder: &Path, options: &[&str]) -> (Value, String) {
    let arguments = [&["inspect", "m.safetensors"][..], options].concat();
    let json = succeed(folder, &[&arguments[..], &["--json"]].concat());
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(fields(&json), documented("inspect")[0]);
    let text = succeed(folder, &arguments);
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        assert!(!line.contains("inf") && !line.contains("NaN"), "{line}");
    }
    (json, text)
}

/// The number in a field.
fn at(json: &Value, field: &str) -> f64 {
    json[field].as_f64().unwrap_or_else(|| panic!("{field} is {}", json[field]))
}

/// The text on the line of a label and those that continue it.
fn item(text: &str, label: &str) -> String {
    let mut lines = text.lines().skip_while(|line| !line.starts_with(label));
    let first = lines.next().unwrap_or_else(|| panic!("no {label} in\n{text}"));
    let rest = lines.take_while(|line| line.starts_with("    ")).map(str::trim);
    let first = first[label.len()..].trim();
    [first].into_iter().chain(rest).collect::<Vec<_>>().join(" ")
}

/// (3,0), (1,1), (0,4): Δ = 6, −2, 12; the first two are √5 apart.
#[test]
fn every_number_is_the_one_worked_out_by_hand() {
    let rows = "3,0\n1,1\n0,4\n";
    let (json, text) = inspect(rows, &["--alpha", "2", "--beta", "0.125", "--ids", "ids.txt"]);
    let separations = ["smallest_separation", "median_separation", "largest_separation"];
    assert_eq!(separations.map(|field| at(&json, field)), [-2.0, 6.0, 12.0]);
    let dot = separations.map(|field| at(&json, &field.replace("_sep", "_dot_sep")));
    assert_eq!(dot, [-2.0, 6.0, 12.0]);
    assert_eq!((at(&json, "separable"), at(&json, "certified")), (2.0 / 3.0, 1.0 / 3.0));
    let pair = &json["closest_pair"];
    assert_eq!((&pair["first"], &pair["second"]), (&0.into(), &1.into()));
    assert_eq!((&pair["first_id"], &pair["second_id"]), (&"ann".into(), &"bob".into()));
    assert_eq!(at(pair, "distance"), 5.0_f64.sqrt());
    assert_eq!(at(&json, "radius"), 0.5 * 5.0_f64.sqrt());
    // 2m(M−1)exp(−β(Δ − 2mR)) for the median Δ, m = 4: no more than 2m for Δ = 6 and 12 only.
    let bound = 16.0 * (-0.125 * (6.0 - 4.0 * 5.0_f64.sqrt())).exp();
    assert!((at(&json, "error_bound") / bound - 1.0).abs() < 1e-12);
    let informative = [-2.0, 6.0, 12.0]
        .map(|delta: f64| 16.0 * (-0.125 * (delta - 4.0 * 5.0_f64.sqrt())).exp() < 8.0);
    let informative = informative.iter().filter(|&&is| is).count() as f64;
    assert_eq!(at(&json, "bounded"), informative / 3.0);
    assert_eq!((at(&json, "temperature"), at(&json, "effective_beta")), (8.0, 0.125));
    // 1/((α−1)Δ) for Δ = 6, and 12.
    assert!((at(&json, "suggested_beta") * 6.0 - 1.0).abs() < 1e-15);
    assert!((at(&json, "suggested_beta_half") * 12.0 - 1.0).abs() < 1e-15);
    assert!(item(&text, "closest pair").starts_with("ann and bob; 2.236 apart"), "{text}");
    assert!(item(&text, "certificate").starts_with("1 of 3 patterns (33.3 %)"), "{text}");
    assert!(text.contains("1 of 3 patterns have Δ ≤ 0"), "{text}");
    assert!(text.contains("larger norm") && text.contains("--similarity euclidean"), "{text}");
}

/// The β that is suggested, stored, keeps what was promised.
#[test]
fn the_suggested_beta_certifies_what_it_says() {
    let rows = "3,0\n1,1\n0,4\n2,5\n";
    for options in [&["--alpha", "1.7"][..], &["--alpha", "2", "--similarity", "euclidean"]] {
        let (json, _) = inspect(rows, options);
        let beta = at(&json, "suggested_beta").to_string();
        let (json, _) = inspect(rows, &[options, &["--beta", &beta]].concat());
        assert_eq!(json["certified"], json["separable"]);
    }
    // Softmax: each of two patterns has a weight of at least 0.99.
    let (json, text) = inspect("1,0\n0,1\n", &[]);
    assert!((at(&json, "suggested_beta") - 99.0_f64.ln()).abs() < 1e-12);
    assert!(item(&text, "suggested β").contains("weight 0.99 at themselves"), "{text}");
    assert!(item(&text, "certificate").starts_with("none"), "{text}");
}

#[test]
fn a_feature_map_shows_both_separations() {
    let rows = "1,1,0,0\n1,1,1,0\n1,1,1,1\n";
    let learn = ["--loss", "average", "--features", "8", "--steps", "200", "--beta", "16"];
    let (json, text) = inspect(rows, &learn);
    assert_eq!(
        (at(&json, "smallest_dot_separation"), at(&json, "largest_dot_separation")),
        (0.0, 1.0)
    );
    assert!(at(&json, "smallest_separation") > 0.0, "Stage I drives them apart");
    // Rows of W have norm 1: tr(WᵀW) = 8, over 4 dimensions.
    assert!((at(&json, "effective_beta") / 32.0 - 1.0).abs() < 1e-12);
    assert!((at(&json, "temperature") * 32.0 - 1.0).abs() < 1e-12);
    for part in ["dot Δ, patterns:", "kernel Δ^Φ, patterns:", "W of 8 × 4", "apart as features"]
    {
        assert!(text.contains(part), "{part} in\n{text}");
    }
}

#[test]
fn one_pattern_is_said_in_words() {
    for options in [&[][..], &["--alpha", "2"], &["--polynomial", "2"], &["--similarity", "cosine"]]
    {
        let (json, text) = inspect("1,2\n", options);
        assert_eq!(json["closest_pair"], Value::Null);
        assert_eq!((&json["radius"], &json["median_separation"]), (&Value::Null, &Value::Null));
        assert_eq!(item(&text, "recall"), "every query recalls the one pattern");
    }
}

/// Strong noise makes 0, 0 the likeliest origin of 1/2, 1/2: no copy of anything, and nothing to remove.
#[test]
fn what_is_likelier_of_another_pattern_is_not_called_a_copy() {
    let options = ["--similarity", "channel", "--noise", "1.4"];
    let (_, text) = inspect("0,0\n0.5,0.5\n1,1\n", &options);
    let text = text.replace('\n', " ");
    assert!(text.contains("1 of 3 patterns have Δ ≤ 0"), "{text}");
    assert!(text.contains("Asked for as it is, another scores as high"), "{text}");
    assert!(!text.contains("more than once") && !text.contains("Remove"), "{text}");
}

#[test]
fn copies_are_out_of_reach_of_any_beta() {
    let rows = "1,2\n3,3\n1,2\n3,3\n";
    for (similarity, cause) in [
        ("dot", "larger norm"),
        ("cosine", "direction of another"),
        ("euclidean", "stored more than once"),
        ("manhattan", "stored more than once"),
    ] {
        let (json, text) = inspect(rows, &["--similarity", similarity, "--alpha", "1.5"]);
        assert_eq!((at(&json, "separable"), at(&json, "certified")), (0.0, 0.0), "{similarity}");
        assert_eq!(json["suggested_beta"], Value::Null);
        assert_eq!(at(&json["closest_pair"], "distance"), 0.0);
        assert_eq!(
            (&json["closest_pair"]["first"], &json["closest_pair"]["second"]),
            (&0.into(), &2.into())
        );
        assert!(text.replace('\n', " ").contains(cause), "{text}");
        assert!(item(&text, "suggested β").starts_with("none: no pattern"), "{text}");
        assert!(item(&text, "closest pair").ends_with("the same patterns"), "{text}");
    }
}

#[test]
fn what_a_model_does_not_have_is_null_with_a_reason() {
    let rows = "3,0\n1,1\n0,4\n";
    let (json, text) = inspect(rows, &["--polynomial", "3"]);
    for field in ["certified", "error_bound", "bounded", "suggested_beta", "suggested_beta_half"] {
        assert_eq!(json[field], Value::Null, "{field}");
    }
    for label in ["error bound", "certificate", "suggested β"] {
        let words = item(&text, label);
        assert!(words.starts_with("none") && words.contains("polynomial of degree 3"), "{words}");
    }
    let (json, text) = inspect(rows, &["--top", "1", "--similarity", "cosine"]);
    assert_eq!((at(&json, "suggested_beta"), at(&json, "perplexity")), (0.0, 1.0));
    assert!(item(&text, "suggested β").starts_with("any"), "{text}");
    assert!(item(&text, "error bound").contains("not for cosine"), "{text}");
    let (json, text) = inspect(rows, &["--values", "values.csv"]);
    assert_eq!((&json["dim"], &json["dim_out"]), (&2.into(), &1.into()));
    assert!(item(&text, "values").starts_with("of length 1, recalled instead"), "{text}");
    // The dot product overflows, the cosine does not.
    let (json, text) = inspect("1e200,1\n1,1e200\n", &["--similarity", "cosine"]);
    assert_eq!(json["median_dot_separation"], Value::Null);
    assert!(!text.contains("dot Δ"), "{text}");
}

#[test]
fn a_sample_says_that_it_is_one() {
    let folder = TempDir::new().unwrap();
    let rows: String = (0..50).map(|i| format!("{},{}\n", i % 7, i / 7)).collect();
    fs::write(folder.path().join("rows.csv"), rows).unwrap();
    let fit = ["fit", "rows.csv", "-o", "m.safetensors", "--similarity", "euclidean"];
    succeed(folder.path(), &[&fit[..], &["--alpha", "2"]].concat());
    let (all, text) = answers(folder.path(), &[]);
    assert_eq!((&all["n_patterns"], &all["n_sampled"]), (&50.into(), &50.into()));
    assert!(!text.contains("sampled"), "{text}");
    let (some, text) = answers(folder.path(), &["--sample", "20"]);
    assert_eq!((&some["n_patterns"], &some["n_sampled"]), (&50.into(), &20.into()));
    assert!(item(&text, "sampled").starts_with("20 patterns drawn at random"), "{text}");
    assert!(item(&text, "radius").starts_with("at most 0.5"), "{text}");
    // Every point of the grid has a neighbour at distance 1, whichever are drawn: Δ = ½.
    for field in ["smallest_separation", "median_separation", "radius", "certified"] {
        assert_eq!(some[field], all[field], "{field}");
    }
    assert_eq!(answers(folder.path(), &["--sample", "20"]).0, some, "the same in every run");
    assert_eq!(answers(folder.path(), &["--sample", "51"]).0, all);
    let (_, text) = answers(folder.path(), &["--sample", "1"]);
    assert!(item(&text, "sampled").starts_with("1 pattern drawn at random"), "{text}");
    assert!(item(&text, "certificate").starts_with("0 of 1 pattern ("), "{text}");
    let output =
        uhop(folder.path(), &["inspect", "m.safetensors", "--sample", "0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("error: ") && stderr(&output).contains("--sample"));
}

/// A file with two maps, of which no verb makes one: it is shown, shrinks, and grows only where no bias is
/// missing.
#[test]
fn two_maps_are_shown_and_their_biases_kept() {
    let folder = TempDir::new().unwrap();
    let file = include_bytes!("../../../uhop/tests/golden/memory-v3.safetensors");
    fs::write(folder.path().join("m.safetensors"), file).unwrap();
    let (json, text) = answers(folder.path(), &[]);
    assert_eq!(json["similarity"], "asymmetric");
    assert_eq!((&json["dim_features"], &json["has_bias"]), (&3.into(), &true.into()));
    let maps = "of 3 × 2, one for patterns and one for queries, with a bias for each pattern";
    assert_eq!(item(&text, "feature maps"), maps);
    assert!(item(&text, "closest pair").ends_with("apart as patterns"), "{text}");
    assert!(item(&text, "error bound").contains("not for asymmetric"), "{text}");
    fs::write(folder.path().join("one.csv"), "1,2\n").unwrap();
    let add = uhop(folder.path(), &["add", "m.safetensors", "one.csv"]).output().unwrap();
    assert_eq!(add.status.code(), Some(1));
    assert!(stderr(&add).contains("fit it again"), "{}", stderr(&add));
    assert_eq!(fs::read(folder.path().join("m.safetensors")).unwrap(), file);
    succeed(folder.path(), &["remove", "m.safetensors", "--rows", "0"]);
    assert_eq!(answers(folder.path(), &[]).0["n_patterns"], 1);
}
