//! `uhop train`: what it writes, resumes and refuses.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::{documented, fields, stderr, stdout, uhop};

const RUN: [&str; 12] = [
    "train",
    "classify",
    "--model",
    "dense,uhop-sparse",
    "--epochs",
    "2",
    "--dim",
    "16",
    "--train-images",
    "64",
    "--test-images",
    "40",
];

/// rows.csv without its last column, the seconds.
fn rows(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("uhop-train/rows.csv")).unwrap();
    text.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned()).collect()
}

#[test]
fn a_training_writes_rows_and_checkpoints_and_another_goes_on() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    let output = uhop(here, &[&RUN[..], &["--json"]].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("uhop-sparse, seed 0: epoch 2: train loss"),
        "{}",
        stderr(&output)
    );
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let [top, row] = documented("train classify");
    assert_eq!(fields(&document), top);
    let models = document["rows"].as_array().unwrap();
    assert_eq!(models.len(), 2);
    for model in models {
        assert_eq!(fields(model), row);
    }
    assert_eq!(document["setup"], "small, epochs 2, n_train 64, n_test 40, dim 16");
    let whole = rows(here);
    // A header, and two epochs of each model.
    assert_eq!(whole.len(), 1 + 2 * 2);
    assert!(here.join("uhop-train/rows.parquet").is_file());

    let again = uhop(here, &RUN).output().unwrap();
    assert_eq!(again.status.code(), Some(1));
    assert!(
        stderr(&again).contains("dense-seed-0.checkpoint is there already"),
        "{}",
        stderr(&again)
    );
    fs::remove_file(here.join("uhop-train/uhop-sparse-seed-0.checkpoint")).unwrap();
    let resumed = uhop(here, &[&RUN[..], &["--resume", "--quiet"]].concat()).output().unwrap();
    assert_eq!((resumed.status.code(), stderr(&resumed)), (Some(0), ""));
    assert!(stdout(&resumed).contains("uhop-sparse"), "{}", stdout(&resumed));
    assert_eq!(rows(here), whole);

    for other in [["--patch-size", "7"], ["--optimizer", "adamw"], ["--rate", "0.01"]] {
        let other = [&RUN[..], &["--resume"], &other].concat();
        let other = uhop(here, &other).output().unwrap();
        assert_eq!(other.status.code(), Some(1));
        assert!(stderr(&other).contains("is of another run"), "{}", stderr(&other));
        assert!(stderr(&other).len() < 400, "{}", stderr(&other));
    }
}

/// What one command has written is not replaced by another's.
#[test]
fn a_folder_is_of_one_experiment_or_training() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    let refused = |arguments: &[&str], expected: &str| {
        let output = uhop(here, arguments).output().unwrap();
        assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""), "{arguments:?}");
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
    };
    let basins = ["experiment", "run", "basins", "--quick", "--quiet", "--out"];
    let contribution = ["experiment", "run", "contribution", "--quick", "--quiet", "--out"];
    let of_basins = [&basins[..], &["basins"]].concat();
    for _again in 0..2 {
        assert_eq!(uhop(here, &of_basins).output().unwrap().status.code(), Some(0));
    }
    let rows = fs::read(here.join("basins/rows.csv")).unwrap();
    refused(&[&contribution[..], &["basins"]].concat(), "another experiment (basins, not");
    refused(&[&RUN[..], &["--out", "basins"]].concat(), "rows.jsonl is of an experiment");
    assert_eq!(fs::read(here.join("basins/rows.csv")).unwrap(), rows);
    fs::create_dir(here.join("trained")).unwrap();
    fs::write(here.join("trained/dense-seed-0.checkpoint"), "").unwrap();
    for run in [basins, contribution] {
        refused(&[&run[..], &["trained"]].concat(), "dense-seed-0.checkpoint: is of a training");
        // And left as it was, for the training to go on in.
        assert_eq!(fs::read_dir(here.join("trained")).unwrap().count(), 1);
    }
    fs::create_dir(here.join("other")).unwrap();
    for name in ["rows.jsonl", "report.html"] {
        fs::rename(here.join("basins").join(name), here.join("other").join(name)).unwrap();
    }
    refused(&[&contribution[..], &["other"]].concat(), "another experiment (basins, not");
}

/// A width that no memory holds is refused before it is asked for.
#[test]
fn a_width_has_a_bound() {
    let folder = TempDir::new().unwrap();
    let output = uhop(folder.path(), &["train", "classify", "--dim", "1000000"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("from 1 to 16384"), "{}", stderr(&output));
}

/// Rows would say that more were used than there are.
#[test]
fn no_more_images_are_asked_for_than_there_are() {
    let folder = TempDir::new().unwrap();
    for (option, most) in
        [("--train-images", "has 800 images"), ("--test-images", "has 200 images")]
    {
        let output = uhop(folder.path(), &["train", "classify", option, "801"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(most), "{}", stderr(&output));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn an_optimizer_is_chosen_and_named() {
    let folder = TempDir::new().unwrap();
    let train = |options: &[&str]| {
        let run = [&RUN[..], &["--json", "--quiet"], options].concat();
        uhop(folder.path(), &run).output().unwrap()
    };
    let mut losses = Vec::new();
    for (out, options, named) in [
        ("none", &[][..], ", dim 16"),
        ("adam", &["--optimizer", "adam"], ", dim 16, adam"),
        ("decay", &["--optimizer", "adamw"], ", dim 16, adamw 0.01"),
        ("more", &["--optimizer", "adamw", "--weight-decay", "9"], ", dim 16, adamw 9"),
        ("rate", &["--rate", "0.01"], ", dim 16, rate 0.01"),
        ("inner", &["--stage1-rate", "0.01"], ", dim 16, stage1_rate 0.01"),
    ] {
        let output = train(&[options, &["--out", out]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(document["setup"].as_str().unwrap().ends_with(named), "{document}");
        let csv = fs::read_to_string(folder.path().join(out).join("rows.csv")).unwrap();
        let mut lines = csv.lines();
        // From the end: the name of the setup has commas.
        let loss = lines.next().unwrap().rsplit(',').position(|name| name == "train_loss").unwrap();
        losses.push(lines.last().unwrap().rsplit(',').nth(loss).unwrap().to_owned());
    }
    // Adam is what the preset has; everything else learns differently.
    assert_eq!(losses[0], losses[1]);
    losses.remove(0);
    let n = losses.len();
    losses.sort();
    losses.dedup();
    assert_eq!(losses.len(), n, "{losses:?}");
    for (options, said) in [
        (&["--weight-decay", "1"][..], "--weight-decay means nothing to adam"),
        (&["--optimizer", "adam", "--weight-decay", "1"], "--weight-decay means nothing to adam"),
        (&["--optimizer", "adamw", "--weight-decay", "-1"], "weight_decay is -1"),
        (&["--rate", "0"], "rate is 0; it must be above 0"),
        (&["--stage1-epochs", "2"], "--stage1-epochs: no model has Stage I before its training"),
        (&["--stage1-rate", "-1"], "the rate of inner steps is -1; it must be above 0"),
    ] {
        // Said before it is seen that there are no data.
        let output = train(&[options, &["--out", "refused", "--data", "mnist"]].concat());
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_training_keeps_what_it_learned() {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    let folder = TempDir::new().unwrap();
    let here = folder.path();
    let run = ["train", "classify", "--model", "dense", "--epochs", "99999", "--quiet"];
    let child = uhop(here, &run).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let checkpoint = here.join("uhop-train/dense-seed-0.checkpoint");
    while !checkpoint.exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let line = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let expected = "error: interrupted; what was learned is kept, and the same command with --resume goes on from it\n";
    assert_eq!((output.status.code(), stderr(&output)), (Some(130), expected));
    assert!(rows(here).len() > 1);
}

#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
#[test]
fn a_device_that_the_program_was_built_without_is_one_error() {
    for (device, said) in [("cuda", "--features cuda"), ("wgpu", "--features wgpu")] {
        let folder = TempDir::new().unwrap();
        // Before the data, of which there are none.
        let words =
            [&RUN[..], &["--device", device, "--data", "mnist", "--data-dir", "x"]].concat();
        let output = uhop(folder.path(), &words).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let errors = stderr(&output);
        let errors: Vec<_> = errors.lines().filter(|line| line.starts_with("error")).collect();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].contains(said), "{errors:?}");
    }
}
