//! `uhop fit`, `retrieve` and `inspect` on files.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::{documented, fields, stderr, stdout, uhop};

/// Three patterns, each containing the one before, and two damaged queries.
pub(crate) fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("patterns.csv", "1,1,0,0\n1,1,1,0\n1,1,1,1\n");
    write("queries.csv", "0.9,0.8,0.1,0\n1,0.9,0.8,0.9\n");
    write("values.csv", "7\n8\n9\n");
    write("ids.txt", "one\ntwo\nthree\n");
    folder
}

pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    uhop(folder, arguments).output().unwrap()
}

pub(crate) fn json(folder: &Path, arguments: &[&str]) -> Value {
    let output = run(folder, &[arguments, &["--json", "--quiet"]].concat());
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""), "{arguments:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn numbers(path: &Path) -> Vec<Vec<f64>> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.split(',').map(|n| n.parse().unwrap()).collect()).collect()
}

#[test]
fn a_memory_is_fitted_inspected_and_recalls() {
    let folder = folder();
    let folder = folder.path();
    let fitted = json(
        folder,
        &[
            "fit",
            "patterns.csv",
            "-o",
            "m.safetensors",
            "--alpha",
            "2",
            "--beta",
            "4",
            "--ids",
            "ids.txt",
        ],
    );
    assert_eq!(fields(&fitted), documented("fit")[0]);
    assert_eq!((&fitted["n_patterns"], &fitted["dim"]), (&3.into(), &4.into()));
    let inspected = json(folder, &["inspect", "m.safetensors"]);
    assert_eq!(fields(&inspected), documented("inspect")[0]);
    assert_eq!(inspected["separation"], "sparsemax");
    assert_eq!(inspected["has_ids"], true);
    // Δ = ‖ξ_μ‖² − max ⟨ξ_ν,ξ_μ⟩ = 0, 0 and 1.
    assert_eq!(inspected["smallest_separation"], 0.0);
    assert_eq!(inspected["largest_separation"], 1.0);
    let recalled = json(folder, &["retrieve", "m.safetensors", "queries.csv", "-o", "out.csv"]);
    assert_eq!(fields(&recalled), documented("retrieve")[0]);
    assert_eq!(numbers(&folder.join("out.csv"))[1], [1.0, 1.0, 1.0, 1.0]);
}

/// The dot product recalls the largest pattern whatever the query; the learned map does not.
#[test]
fn a_learned_map_recalls_what_the_dot_product_confuses() {
    let folder = folder();
    let folder = folder.path();
    let fit =
        ["fit", "patterns.csv", "-o", "u.safetensors", "--loss", "average", "--features", "8"];
    let fitted = json(folder, &[&fit[..], &["--steps", "300", "--beta", "16"]].concat());
    assert_eq!(fitted["stage1"]["steps"], 300);
    assert!(fitted["stage1"]["last_loss"].as_f64() < fitted["stage1"]["first_loss"].as_f64());
    json(folder, &["retrieve", "u.safetensors", "queries.csv", "-o", "u.csv"]);
    json(folder, &["retrieve", "patterns.csv", "queries.csv", "-o", "plain.csv", "--beta", "16"]);
    let first = |name: &str| numbers(&folder.join(name))[0].clone();
    assert!(first("u.csv")[2] < 0.1, "{:?}", first("u.csv"));
    assert!(first("plain.csv")[2] > 0.5, "{:?}", first("plain.csv"));
    assert_eq!(json(folder, &["inspect", "u.safetensors"])["dim_features"], 8);
}

/// Batches, Adam and a tolerance: what is reported is the loss of the held-out pairs.
#[test]
fn a_map_is_learned_from_batches() {
    let folder = folder();
    let folder = folder.path();
    json(folder, &["sample", "digits/", "--count", "100"]);
    let fit = ["fit", "digits", "-o", "m.safetensors", "--grey", "--loss", "average"];
    let options = ["--features", "16", "--steps", "200", "--batch", "20", "--optimizer", "adam"];
    let fitted = json(folder, &[&fit[..], &options, &["--tolerance", "1e-9"]].concat());
    let stage1 = &fitted["stage1"];
    assert_eq!((&stage1["batch"], &stage1["steps"]), (&20.into(), &200.into()));
    let (first, last) = (&stage1["first_loss"], &stage1["last_loss"]);
    assert!(last.as_f64().unwrap() < first.as_f64().unwrap() - 0.2, "{stage1}");
    assert_eq!(&json(folder, &["inspect", "m.safetensors"])["last_loss"], last);
    // A step of nothing has converged at the second look.
    let still = [&fit[..], &options, &["--rate", "1e-12", "--tolerance", "1e-6"]].concat();
    assert_eq!(json(folder, &still)["stage1"]["steps"], 20);
}

/// A map by whitening, its λ given or chosen, follows the patterns: what is added and removed again leaves no trace.
/// What --auto chooses is the first of its table, is what the memory compares by, and is kept in the file.
#[test]
fn auto_chooses_by_the_recall_of_damaged_copies() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    json(folder, &["sample", "digits.npy", "--count", "60"]);
    let fit = ["fit", "digits.npy", "-o", "m.safetensors", "--auto"];
    for (corruption, n_tried) in [(&["--noise", "0.7"][..], 6), (&[], 6)] {
        let choice = json(folder, &[&fit[..], corruption].concat())["choice"].clone();
        let tried = choice["tried"].as_array().unwrap();
        assert_eq!(tried.len(), n_tried, "{choice}");
        let errors: Vec<f64> = tried.iter().map(|t| t["error"].as_f64().unwrap()).collect();
        assert!(errors.windows(2).all(|pair| pair[0] <= pair[1]), "{choice}");
        let inspected = json(folder, &["inspect", "m.safetensors"]);
        let similarity = match tried[0]["similarity"].as_str().unwrap() {
            "whitened" => "kernel",
            "denoised" => "asymmetric",
            name => name,
        };
        assert_eq!(
            (&inspected["similarity"], &inspected["beta"]),
            (&similarity.into(), &tried[0]["beta"])
        );
        assert_eq!(inspected["choice"], choice);
        // Known noise: nothing recalls better than its likelihood.
        assert!(corruption.is_empty() || similarity == "channel", "{choice}");
    }
    // What it chooses is not given as well, and a seed is for what draws.
    for (more, said) in [(&["--auto", "--beta", "1"][..], "--beta"), (&["--seed", "1"], "--auto")] {
        let output = run(folder, &[&fit[..4], more].concat());
        assert!(output.status.code() == Some(1) && stderr(&output).contains(said), "{output:?}");
    }
    let output = run(folder, &[&fit[..], &["--half-mask", "--seed", "3"]].concat());
    let shown = stdout(&output);
    assert!(shown.contains("error of a copy") && shown.contains("stored  60 × 784"), "{shown}");
}

#[test]
fn a_whitened_memory_is_whitened_anew() {
    let folder = folder();
    let folder = folder.path();
    let fit = ["fit", "patterns.csv", "-o", "w.safetensors", "--loss", "whitening"];
    let fitted = json(folder, &[&fit[..], &["--lambda", "0.1"]].concat());
    let stage1 = &fitted["stage1"];
    assert_eq!((&stage1["loss"], &stage1["steps"]), (&"whitening".into(), &0.into()));
    assert_eq!(stage1["lambda"], 0.1);
    let once = fs::read(folder.join("w.safetensors")).unwrap();
    json(folder, &["add", "w.safetensors", "queries.csv"]);
    assert_ne!(fs::read(folder.join("w.safetensors")).unwrap(), once);
    json(folder, &["remove", "w.safetensors", "--rows", "3,4"]);
    assert_eq!(fs::read(folder.join("w.safetensors")).unwrap(), once);
    let added = run(folder, &["add", "w.safetensors", "queries.csv"]);
    assert!(stderr(&added).contains("whitened anew"), "{}", stderr(&added));
    // λ is chosen for the corruption that is named, or for a mix, if it is not given, and β in any case.
    for options in
        [&["--noise", "0.3"][..], &[], &["--lambda", "0.1", "--noise", "0.3"], &["--lambda", "0.1"]]
    {
        let stage1 = json(folder, &[&fit[..], options].concat())["stage1"].clone();
        assert!(stage1["lambda"].as_f64() > Some(0.0) && stage1["last_loss"].is_f64(), "{stage1}");
        let inspected = json(folder, &["inspect", "w.safetensors"]);
        assert_ne!(inspected["beta"], 1.0);
        assert_eq!(inspected["stage1_loss"], "whitening");
    }
    json(folder, &[&fit[..], &["--beta", "3"]].concat());
    assert_eq!(json(folder, &["inspect", "w.safetensors"])["beta"], 3.0);
}

/// Digits with their lower half hidden: the dot product knows some of them, a denoiser all.
#[test]
fn a_denoiser_recalls_what_it_was_trained_for() {
    let folder = folder();
    let folder = folder.path();
    json(folder, &["sample", "digits/", "--count", "60"]);
    json(folder, &["corrupt", "digits", "-o", "hidden/", "--grey", "--occlude"]);
    let fit =
        ["fit", "digits", "-o", "d.safetensors", "--grey", "--loss", "denoising", "--occlude"];
    let fitted = json(folder, &[&fit[..], &["--steps", "30", "--batch", "60"]].concat());
    let stage1 = &fitted["stage1"];
    assert_eq!((&stage1["loss"], &stage1["steps"]), (&"denoising".into(), &30.into()));
    assert_eq!((&stage1["batch"], &stage1["lambda"]), (&60.into(), &Value::Null));
    assert!(stage1["last_loss"].as_f64() < Some(0.1), "{stage1}");
    let inspected = json(folder, &["inspect", "d.safetensors"]);
    assert_eq!(
        (&inspected["similarity"], &inspected["stage1_steps"]),
        (&"asymmetric".into(), &30.into())
    );
    let wrong = |memory: &str, out: &str| {
        json(folder, &["retrieve", memory, "hidden", "-o", out, "--grey"]);
        json(folder, &["convert", out, "rows.csv", "--grey"]);
        json(folder, &["convert", "digits", "stored.csv", "--grey"]);
        let rows =
            numbers(&folder.join("rows.csv")).into_iter().zip(numbers(&folder.join("stored.csv")));
        let distance = |(a, b): (Vec<f64>, Vec<f64>)| -> f64 {
            a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b)).sum()
        };
        rows.map(distance).filter(|distance| *distance > 1.0).count()
    };
    assert!(wrong("digits", "plain/") >= 3);
    assert_eq!(wrong("d.safetensors", "learned/"), 0);
    let refused = run(folder, &["add", "d.safetensors", "digits", "--grey"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("fit it again"), "{}", stderr(&refused));
}

#[test]
fn options_change_the_model_for_one_run() {
    let folder = folder();
    let folder = folder.path();
    json(folder, &["fit", "patterns.csv", "-o", "m.safetensors", "--values", "values.csv"]);
    let retrieve = ["retrieve", "m.safetensors", "queries.csv", "-o", "out.csv"];
    let euclidean = ["--similarity", "euclidean", "--alpha", "2", "--beta", "8"];
    json(folder, &[&retrieve[..], &euclidean].concat());
    assert_eq!(numbers(&folder.join("out.csv")), [[7.0], [9.0]]);
    let until = json(
        folder,
        &[&retrieve[..], &["--top", "1", "--tolerance", "1e-9", "--max-steps", "9"]].concat(),
    );
    assert_eq!(until["converged"], 2);
    assert_eq!(until["support_size"], 1.0);
}

#[test]
fn rows_survive_every_kind_of_file() {
    let folder = folder();
    let folder = folder.path();
    let kinds = ["patterns.csv", "a.npy", "b.npz", "c.safetensors", "d.csv"];
    for pair in kinds.windows(2) {
        let converted = json(folder, &["convert", pair[0], pair[1]]);
        assert_eq!(fields(&converted), documented("convert")[0]);
        assert_eq!((&converted["n_rows"], &converted["dim"]), (&3.into(), &4.into()));
    }
    assert_eq!(numbers(&folder.join("d.csv")), numbers(&folder.join("patterns.csv")));
    // A memory with values holds two matrices: one must be named.
    json(folder, &["fit", "a.npy", "-o", "m.safetensors", "--values", "values.csv"]);
    let output = run(folder, &["convert", "m.safetensors", "values.npy"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).ends_with("\nhint: choose one with --member NAME\n"));
    json(folder, &["convert", "m.safetensors", "v.csv", "--member", "values"]);
    assert_eq!(numbers(&folder.join("v.csv")), numbers(&folder.join("values.csv")));
}

/// Two small pictures are stored, the lower half of one is painted over, and it comes back.
#[test]
fn images_are_recalled_as_images() {
    let folder = folder();
    let folder = folder.path();
    let save = |path: &str, pixel: fn(u32, u32) -> u8| {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::GrayImage::from_fn(6, 4, |x, y| image::Luma([pixel(x, y)])).save(path).unwrap();
    };
    save("stored/bars.png", |x, _| if x % 2 == 0 { 255 } else { 0 });
    save("stored/slope.png", |x, y| (40 * x + 10 * y) as u8);
    save("damaged/slope.png", |x, y| if y < 2 { (40 * x + 10 * y) as u8 } else { 0 });
    let fit = ["fit", "stored", "-o", "m.safetensors", "--grey", "--similarity", "euclidean"];
    json(folder, &[&fit[..], &["--alpha", "2", "--beta", "9"]].concat());
    json(folder, &["retrieve", "m.safetensors", "damaged", "-o", "recalled/", "--grey"]);
    let recalled: Vec<_> = fs::read_dir(folder.join("recalled")).unwrap().collect();
    assert_eq!(recalled.len(), 1);
    let recalled = image::open(recalled[0].as_ref().unwrap().path()).unwrap().to_luma8();
    assert_eq!(recalled, image::open(folder.join("stored/slope.png")).unwrap().to_luma8());
    // Rows that do not come from images need their size.
    json(folder, &["convert", "stored", "rows.npy", "--grey"]);
    let output = run(folder, &["convert", "rows.npy", "back/"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("hint: say which with --size WxH"), "{}", stderr(&output));
    json(folder, &["convert", "rows.npy", "back/", "--size", "6x4", "--grey"]);
    assert_eq!(fs::read_dir(folder.join("back")).unwrap().count(), 2);
}

/// Images of an IDX file are read in their own size, and another one is not passed over.
#[test]
fn idx_images_are_not_resized() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    json(folder, &["sample", "digits.idx", "--count", "3"]);
    json(folder, &["convert", "digits.idx", "same.npy", "--size", "28x28"]);
    for verb in [
        &["convert", "digits.idx", "small.npy"][..],
        &["corrupt", "digits.idx", "-o", "small.npy", "--occlude"],
        &["fit", "digits.idx", "-o", "small.safetensors"],
    ] {
        let output = uhop(folder, &[verb, &["--size", "14x14"]].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{verb:?}");
        let text = stderr(&output);
        assert!(text.starts_with("error: digits.idx: its images are 28x28"), "{text}");
    }
    assert!(!folder.join("small.npy").exists() && !folder.join("small.safetensors").exists());
}

/// Grey images of an IDX file come back as such, byte for byte, and need no size.
#[test]
fn idx_images_stay_idx_images() {
    let folder = folder();
    let folder = folder.path();
    let header = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3];
    let digits = [&header[..], &[255, 0, 0, 255, 0, 0], &[0, 0, 128, 0, 0, 255]].concat();
    fs::write(folder.join("digits-idx3-ubyte"), &digits).unwrap();
    json(folder, &["convert", "digits-idx3-ubyte", "copy.idx"]);
    assert_eq!(fs::read(folder.join("copy.idx")).unwrap(), digits);
    let retrieve = ["retrieve", "copy.idx", "copy.idx", "-o", "recalled.idx", "--top", "1"];
    json(folder, &[&retrieve[..], &["--similarity", "euclidean"]].concat());
    assert_eq!(fs::read(folder.join("recalled.idx")).unwrap(), digits);
    json(folder, &["convert", "copy.idx", "pictures/"]);
    assert_eq!(fs::read_dir(folder.join("pictures")).unwrap().count(), 2);
    json(folder, &["convert", "pictures", "back.idx.gz", "--grey"]);
    json(folder, &["convert", "back.idx.gz", "back.idx"]);
    assert_eq!(fs::read(folder.join("back.idx")).unwrap(), digits);
    // Rows that are no images are written as floats.
    json(folder, &["convert", "patterns.csv", "rows.idx"]);
    json(folder, &["convert", "rows.idx", "rows.csv"]);
    assert_eq!(numbers(&folder.join("rows.csv")), numbers(&folder.join("patterns.csv")));
}

#[test]
fn parquet_is_read() {
    let folder = folder();
    let folder = folder.path();
    let lists = include_bytes!("../../../uhop-data/tests/corpus/parquet/zstd");
    fs::write(folder.join("lists.parquet"), lists).unwrap();
    let converted = json(folder, &["convert", "lists.parquet", "rows.csv", "--member", "a"]);
    assert_eq!((&converted["n_rows"], &converted["dim"]), (&100.into(), &8.into()));
    assert_eq!(numbers(&folder.join("rows.csv"))[1], [2.0, 2.25, 2.5, 2.75, 3.0, 3.25, 3.5, 3.75]);

    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/tiny-imagenet");
    let images = shared.join("data/valid-00000-of-00001.parquet");
    if !images.exists() {
        eprintln!("skipped: {} is not there", images.display());
        return;
    }
    json(folder, &["convert", images.to_str().unwrap(), "a.idx", "--grey", "--size", "4x3"]);
    let header = [0, 0, 8, 3, 0, 0, 5, 0xdc, 0, 0, 0, 3, 0, 0, 0, 4];
    assert_eq!(fs::read(folder.join("a.idx")).unwrap()[..16], header);
}

#[test]
fn npy_goes_through_pipes() {
    let folder = folder();
    let folder = folder.path();
    json(folder, &["retrieve", "patterns.csv", "queries.csv", "-o", "q.npy", "--top", "1"]);
    let mut child = uhop(folder, &["retrieve", "patterns.csv", "-", "-o", "-", "--quiet"])
        .stdin(fs::File::open(folder.join("q.npy")).unwrap())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut child.stdout.take().unwrap(), &mut bytes).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(bytes.starts_with(b"\x93NUMPY"));
}

#[test]
fn bad_input_is_one_line_that_names_the_file() {
    let folder = folder();
    let folder = folder.path();
    json(folder, &["fit", "patterns.csv", "-o", "m.safetensors"]);
    let kept = fs::read(folder.join("m.safetensors")).unwrap();
    fs::write(folder.join("short.csv"), "1,2\n").unwrap();
    fs::write(folder.join("nan.csv"), "1,NaN,0,0\n").unwrap();
    fs::write(folder.join("text.parquet"), "text").unwrap();
    fs::create_dir(folder.join("d.safetensors")).unwrap();
    // One whose decoder panics.
    let panics = include_bytes!("../../../uhop-data/tests/corpus/parquet/panic-in-the-decoder");
    fs::write(folder.join("panics.parquet"), panics).unwrap();
    fs::write(folder.join("damaged.safetensors"), &kept[..kept.len() - 1]).unwrap();
    for (arguments, expected) in [
        (&["fit", "none.csv", "-o", "x.safetensors"][..], "none.csv"),
        (&["fit", "nan.csv", "-o", "m.safetensors"], "nan.csv"),
        (&["fit", "patterns.csv", "-o", "m.safetensors", "--beta", "-1"], "beta is -1"),
        (&["fit", "patterns.csv", "-o", "m.safetensors", "--values", "queries.csv"], "[2, 4]"),
        (&["fit", "patterns.csv", "-o", "no/such/m.safetensors"], "no/such"),
        (
            &["fit", "patterns.csv", "-o", "m.safetensors", "--loss", "average", "--batch", "4"],
            "at most the number of patterns, 3",
        ),
        (
            &["fit", "patterns.csv", "-o", "m.safetensors", "--loss", "max", "--batch", "2"],
            "use the average loss",
        ),
        (
            &["fit", "patterns.csv", "-o", "m.safetensors", "--loss", "max", "--tolerance", "-1"],
            "tolerance is -1",
        ),
        (&["fit", "patterns.csv", "-o", "m.safetensors", "--noise", "1"], "channel alone"),
        (
            &["fit", "patterns.csv", "-o", "m.safetensors", "--loss", "max", "--lambda", "1"],
            "--lambda has no meaning",
        ),
        (
            &["fit", "patterns.csv", "-o", "m.safetensors", "--loss", "whitening", "--steps", "1"],
            "--steps has no meaning",
        ),
        (
            &[
                "fit",
                "patterns.csv",
                "-o",
                "m.safetensors",
                "--loss",
                "whitening",
                "--lambda",
                "-1",
            ],
            "a ridge is -1",
        ),
        (
            &["fit", "patterns.csv", "-o", "m.safetensors", "--loss", "denoising", "--keep-rows"],
            "--keep-rows has no meaning",
        ),
        (
            &["fit", "patterns.csv", "-o", "m.safetensors", "--loss", "denoising", "--occlude"],
            "--occlude needs images",
        ),
        (
            &["fit", "patterns.csv", "-o", "m.safetensors", "--auto", "--lambda", "1"],
            "--lambda has",
        ),
        (&["fit", "patterns.csv", "-o", "m.safetensors", "--auto", "--steps", "1"], "--steps has"),
        (
            &["fit", "patterns.csv", "-o", "m.safetensors", "--auto", "--keep-rows"],
            "--keep-rows has",
        ),
        (
            &["fit", "patterns.csv", "-o", "m.safetensors", "--member", "x"],
            "--member has no meaning",
        ),
        (&["convert", "patterns.csv", "o.npy", "--member", "x"], "--member has no meaning"),
        (&["convert", "patterns.csv", "o.npy", "--grey"], "--grey has no meaning"),
        (&["convert", "-", "o.npy", "--size", "2x2"], "--size has no meaning"),
        (&["convert", "no-such-folder", "o.npy", "--grey"], "cannot read: No such file"),
        (&["corrupt", "patterns.csv", "-o", "o.csv", "--mask", "1", "--grey"], "--grey has no"),
        (&["add", "m.safetensors", "patterns.csv", "--grey"], "--grey has no meaning"),
        (&["fit", "patterns.csv", "-o", "m.safetensors", "--size", "2x2"], "--size has no meaning"),
        (
            &["retrieve", "m.safetensors", "patterns.csv", "-o", "o.csv", "--size", "2x2"],
            "--size has no meaning",
        ),
        (&["convert", "no-such-folder", "o.npy"], "no-such-folder: cannot read: No such file"),
        (&["fit", "patterns.csv", "-o", "d.safetensors"], "d.safetensors is a folder"),
        (&["fit", "patterns.csv", "-o", "m.safetensors", "--top", "9"], "k is 9"),
        (&["fit", "patterns.txt", "-o", "m.safetensors"], "patterns.txt"),
        (&["fit", "patterns.csv", "-o", "m.csv"], "m.csv"),
        (&["retrieve", "m.safetensors", "short.csv", "-o", "o.csv"], "short.csv: expected"),
        (&["retrieve", "m.safetensors", "queries.csv", "-o", "o.txt"], "o.txt"),
        (&["retrieve", "damaged.safetensors", "queries.csv", "-o", "o.csv"], "damaged.safetensors"),
        (&["inspect", "damaged.safetensors"], "damaged.safetensors"),
        (&["inspect", "patterns.csv"], "patterns.csv"),
        (&["convert", "patterns.csv", "x.idx", "--size", "2x2"], "x.idx"),
        (&["convert", "patterns.csv", "x.parquet"], "x.parquet"),
        (&["convert", "text.parquet", "o.npy"], "text.parquet"),
        (&["convert", "panics.parquet", "o.npy"], "panics.parquet"),
        (&["convert", "patterns.csv", "-", "--json"], "stdout"),
    ] {
        let output = run(folder, &[arguments, &["--quiet"]].concat());
        assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""), "{arguments:?}");
        let text = stderr(&output);
        assert!(text.starts_with("error: ") && text.contains(expected), "{arguments:?}: {text}");
        assert!(!text.contains("panicked"), "{text}");
        let errors = text.lines().filter(|line| !line.is_empty() && !line.starts_with("hint: "));
        assert_eq!(errors.count(), 1, "{text}");
        assert_eq!(fs::read(folder.join("m.safetensors")).unwrap(), kept, "{arguments:?}");
    }
}

/// A sample of the bits, each of which the library's own tests flip.
#[test]
fn a_flipped_bit_in_a_memory_file_is_one_line() {
    let folder = folder();
    let folder = folder.path();
    json(folder, &["fit", "patterns.csv", "-o", "m.safetensors", "--ids", "ids.txt"]);
    let good = fs::read(folder.join("m.safetensors")).unwrap();
    let last = good.len() - 1;
    let sample = (0..24).chain((24..last).step_by(37)).chain([last]);
    for (position, bit) in sample.zip((0..8).cycle()) {
        let mut damaged = good.clone();
        damaged[position] ^= 1 << bit;
        fs::write(folder.join("d.safetensors"), damaged).unwrap();
        let output = run(folder, &["inspect", "d.safetensors"]);
        let text = stderr(&output);
        assert_eq!(
            (output.status.code(), stdout(&output)),
            (Some(1), ""),
            "byte {position}: {text}"
        );
        assert!(text.starts_with("error: d.safetensors"), "byte {position}, bit {bit}: {text}");
        let errors = text.lines().filter(|line| !line.is_empty() && !line.starts_with("hint: "));
        assert_eq!(errors.count(), 1, "byte {position}, bit {bit}: {text}");
    }
}
