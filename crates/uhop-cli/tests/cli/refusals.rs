//! What is refused before anything is lost, and the one line that says why.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use ndarray::{Array2, array};
use tempfile::TempDir;
use uhop_data::{Matrix, npy};

use crate::memory::{json, run};
use crate::{stderr, stdout, uhop};

/// Six patterns, of which the first two are queries, and a memory of them.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let patterns = Array2::from_shape_fn((6, 4), |(i, j)| ((3 * i + 5 * j) % 7) as f32 / 7.0);
    write(folder.path(), "q.npy", patterns.slice(ndarray::s![..2, ..]).to_owned().into());
    write(folder.path(), "p.npy", patterns.into());
    json(folder.path(), &["fit", "p.npy", "-o", "m.safetensors"]);
    folder
}

fn write(folder: &Path, name: &str, matrix: Matrix) {
    npy::write(folder.join(name), &matrix).unwrap();
}

/// Exit code 1, nothing on stdout, one line that says this, and a hint at most.
fn assert_refused(output: &Output, said: &str) {
    let text = stderr(output);
    assert_eq!((output.status.code(), stdout(output)), (Some(1), ""), "{said}: {text}");
    assert!(text.starts_with("error: ") && text.contains(said), "{said}: {text}");
    let is_line = |line: &&str| {
        !line.is_empty() && !line.starts_with("hint: ") && !line.starts_with("For more information")
    };
    assert_eq!(text.lines().filter(is_line).count(), 1, "{said}: {text}");
}

/// The verbs that write, to this file.
fn writers(output: &str) -> [Vec<&str>; 6] {
    [
        vec!["retrieve", "p.npy", "q.npy", "-o", output],
        vec!["retrieve", "p.npy", "q.npy", "-o", "o.npy", "--weights", output],
        vec!["convert", "q.npy", output],
        vec!["corrupt", "q.npy", "-o", output, "--noise", "0.1"],
        vec!["sample", output, "--count", "2"],
        vec!["fit", "p.npy", "-o", output],
    ]
}

#[test]
fn a_memory_that_cannot_be_read_is_not_replaced() {
    let folder = folder();
    let here = folder.path();
    let memory = fs::read(here.join("m.safetensors")).unwrap();
    // As root reads every file, a journal that is none stands for one that another user may read.
    fs::write(here.join("journal.safetensors"), &memory).unwrap();
    fs::create_dir(here.join("journal.safetensors.journal")).unwrap();
    fs::write(here.join("changed.safetensors"), &memory).unwrap();
    fs::write(here.join("changed.safetensors.journal"), "damaged, and longer than a header is")
        .unwrap();
    let mut flipped = memory.clone();
    flipped[20] ^= 1;
    fs::write(here.join("header.safetensors"), &flipped).unwrap();
    for (name, said) in [
        ("journal.safetensors", "journal.safetensors: cannot read its journal"),
        ("changed.safetensors", "changed.safetensors.journal: "),
        ("header.safetensors", "header.safetensors: its header is damaged"),
    ] {
        let before = fs::read(here.join(name)).unwrap();
        for command in writers(name) {
            let output = run(here, &command);
            assert_refused(&output, said);
            assert!(stderr(&output).contains("it may be a memory"), "{}", stderr(&output));
            assert!(fs::read(here.join(name)).unwrap() == before, "{command:?}");
        }
    }
    assert!(here.join("changed.safetensors.journal").is_file() && !here.join("o.npy").exists());
}

/// Nor one that is reached by another name, or has been given one.
#[cfg(unix)]
#[test]
fn a_memory_behind_another_name_is_not_replaced() {
    let folder = folder();
    let here = folder.path();
    let memory = fs::read(here.join("m.safetensors")).unwrap();
    fs::write(here.join("renamed.npy"), &memory).unwrap();
    for link in ["link.npy", "link"] {
        std::os::unix::fs::symlink("m.safetensors", here.join(link)).unwrap();
    }
    for name in ["link.npy", "renamed.npy", "m.safetensors"] {
        // All but `fit`, which writes memories.
        for command in &writers(name)[..5] {
            let said = format!("{name} is a memory, which these rows would replace");
            assert_refused(&run(here, command), &said);
        }
    }
    // A name without an ending is of the kind of the queries.
    for command in &writers("link")[..2] {
        assert_refused(&run(here, command), "link is a memory, which these rows would replace");
    }
    assert!(fs::read(here.join("m.safetensors")).unwrap() == memory);
    assert!(fs::read(here.join("renamed.npy")).unwrap() == memory);
    // Other files are replaced, through links too, and a memory by a memory.
    json(here, &["convert", "q.npy", "rows.safetensors"]);
    json(here, &["convert", "p.npy", "rows.safetensors"]);
    fs::write(here.join("empty.safetensors"), "").unwrap();
    json(here, &["convert", "p.npy", "empty.safetensors"]);
    json(here, &["fit", "q.npy", "-o", "m.safetensors"]);
}

/// What is stored, what is asked and what was observed can each come through a pipe, one of them at a time; of
/// two outputs one can go through one.
#[test]
fn a_pipe_is_of_one_file() {
    let folder = folder();
    let here = folder.path();
    let fed = |arguments: &[&str], file: &str| {
        let stdin = fs::File::open(here.join(file)).unwrap();
        uhop(here, arguments).stdin(stdin).output().unwrap()
    };
    let piped = fed(&["retrieve", "-", "q.npy", "-o", "piped.npy"], "p.npy");
    assert_eq!((piped.status.code(), stderr(&piped)), (Some(0), ""));
    json(here, &["retrieve", "p.npy", "q.npy", "-o", "named.npy"]);
    let rows = |name: &str| fs::read(here.join(name)).unwrap();
    assert!(rows("piped.npy") == rows("named.npy"));
    for (arguments, said) in [
        (
            &["retrieve", "-", "-", "-o", "o.npy"][..],
            "the stored patterns and the queries are both stdin",
        ),
        (
            &["retrieve", "-", "q.npy", "-o", "o.npy", "--observed", "-"],
            "the stored patterns and --observed are both stdin",
        ),
        (
            &["retrieve", "m.safetensors", "-", "-o", "o.npy", "--observed", "-"],
            "the queries and --observed are both stdin",
        ),
        (
            &["fit", "-", "--values", "-", "-o", "x.safetensors"],
            "the patterns and --values are both stdin",
        ),
        (
            &["add", "m.safetensors", "-", "--values", "-"],
            "the patterns and --values are both stdin",
        ),
        (
            &["retrieve", "m.safetensors", "q.npy", "-o", "-", "--weights", "-"],
            "--output and --weights are both stdout",
        ),
    ] {
        assert_refused(&fed(arguments, "q.npy"), said);
    }
    assert!(!here.join("o.npy").exists() && !here.join("x.safetensors").exists());
}

/// Numbers that no machine can serve are refused, not tried.
#[test]
fn large_counts_have_a_bound() {
    let folder = folder();
    let here = folder.path();
    let (denoising, train) = (
        ["fit", "p.npy", "-o", "x.safetensors", "--loss", "denoising"],
        [
            "train",
            "classify",
            "--out",
            "o",
            "--train-images",
            "8",
            "--test-images",
            "1",
            "--dim",
            "8",
        ],
    );
    let published = ["--preset", "published", "--model", "uhop-dense"];
    for large in ["99999999999999", "18446744073709551615"] {
        let batch = run(here, &[&denoising[..], &["--batch", large]].concat());
        assert_refused(&batch, &format!("{large}; it must be from 1 to 65536"));
        for options in [
            &["--model", "dense", "--epochs", large][..],
            &[&published[..], &["--stage1-epochs", large]].concat(),
        ] {
            let output = run(here, &[&train[..], options].concat());
            assert_refused(&output, "give a whole number from 1 to 100000");
        }
    }
    assert!(!here.join("o").exists() && !here.join("x.safetensors").exists());
}

/// What is no whole number is told what is, and a minus sign is part of it.
#[test]
fn whole_numbers_are_told_what_they_can_be() {
    let folder = folder();
    let here = folder.path();
    let fit = ["fit", "p.npy", "-o", "x.safetensors", "--loss", "max"];
    let retrieve = ["retrieve", "m.safetensors", "q.npy", "-o", "o.npy"];
    let corrupt = ["corrupt", "p.npy", "-o", "o.npy"];
    let above_zero = "give a whole number above 0";
    let too_large = "give a whole number from 1 to 18446744073709551615";
    for (command, option, values, said) in [
        (&fit[..], "--steps", &["-1", "x", "1.5", "0"][..], above_zero),
        (&fit, "--steps", &["99999999999999999999"], too_large),
        (&fit, "--features", &["-1", "x"], above_zero),
        (&fit, "--batch", &["-1", "x", "0"], above_zero),
        (&fit, "--seed", &["-1", "x"], "give a whole number from 0 to 18446744073709551615"),
        (&retrieve, "--top", &["-1", "x", "0"], above_zero),
        (&retrieve, "--polynomial", &["-1", "x", "0"], "give a whole number from 1 to 4294967295"),
        (&retrieve, "--max-steps", &["-1", "x", "0"], above_zero),
        (&retrieve, "--beta", &["x", "-", "-.x"], "give a number, such as 0.5"),
        (
            &["remove", "m.safetensors"],
            "--rows",
            &["-1", "x", "-1,2"],
            "give a whole number, 0 or above",
        ),
        (&["inspect", "m.safetensors"], "--sample", &["-1", "x", "0"], above_zero),
        (
            &["experiment", "run", "noise"],
            "--jobs",
            &["-1", "x", "0", "1025"],
            "give a whole number from 1 to 1024",
        ),
        (
            &["experiment", "run", "noise"],
            "--seeds",
            &["-1"],
            "give a whole number from 1 to 10000",
        ),
        (&["train", "classify"], "--epochs", &["-1", "x"], "give a whole number from 1 to 100000"),
        (&["train", "classify"], "--dim", &["-1"], "give a whole number from 1 to 16384"),
        (
            &["sample", "o.npy"],
            "--count",
            &["-1", "x", "1001"],
            "give a whole number from 1 to 1000",
        ),
        (&["convert", "p.npy", "o/"], "--size", &["-5x5"], "give width and height above 0"),
        (&corrupt, "--occlude-region", &["-1x5+9+0"], "such as 10x5+0+3"),
    ] {
        for value in values {
            let output = run(here, &[command, &[option, value]].concat());
            assert_refused(&output, said);
            let first = value.split(',').next().unwrap();
            assert!(
                stderr(&output).contains(&format!("'{first}' for '{option}")),
                "{}",
                stderr(&output)
            );
        }
    }
}

/// Scores of these have no 0 to be above: all patterns would weigh alike.
#[test]
fn a_polynomial_asks_for_scores_with_a_zero() {
    let folder = folder();
    let retrieve = ["retrieve", "p.npy", "q.npy", "-o", "o.npy", "--polynomial", "3"];
    for similarity in ["euclidean", "manhattan"] {
        let output = run(folder.path(), &[&retrieve[..], &["--similarity", similarity]].concat());
        assert_refused(&output, &format!("those of {similarity} similarity have no such place"));
    }
    let channel = ["--similarity", "channel", "--half-mask"];
    let output = run(folder.path(), &[&retrieve[..], &channel].concat());
    assert_refused(&output, "those of channel similarity have no such place");
    let cosine = run(folder.path(), &[&retrieve[..], &["--similarity", "cosine"]].concat());
    assert_eq!(cosine.status.code(), Some(0), "{}", stderr(&cosine));
}

/// What is said is what the file holds, not what it is rounded to.
#[test]
fn a_number_beyond_f32_is_named_as_it_is() {
    let folder = folder();
    let here = folder.path();
    let mut rows = Array2::<f64>::from_elem((6, 4), 0.5);
    rows[[3, 2]] = 1e300;
    write(here, "big.npy", rows.into());
    let of_memory = "big.npy: entry [3, 2] is 1e300, too large for f32, which the memory has";
    for (command, said) in [
        (&["add", "m.safetensors", "big.npy"][..], of_memory),
        (&["retrieve", "m.safetensors", "big.npy", "-o", "o.npy"], of_memory),
        (&["fit", "p.npy", "-o", "x.safetensors", "--values", "big.npy"], of_memory),
        (
            &["corrupt", "big.npy", "-o", "o.npy", "--noise", ".1"],
            "big.npy: entry [3, 2] is 1e300, too large for f32, in which damage is computed",
        ),
    ] {
        assert_refused(&run(here, command), said);
    }
    assert!(!here.join("o.npy").exists() && !here.join("x.safetensors").exists());
    // In f64 it fits, and where it was not observed it does not matter.
    json(here, &["fit", "big.npy", "-o", "double.safetensors", "--similarity", "cosine"]);
    write(here, "seen.npy", array![[1.0_f32, 1.0, 0.0, 1.0]].into());
    let seen = ["--observed", "seen.npy", "--similarity", "euclidean"];
    json(here, &[&["retrieve", "m.safetensors", "big.npy", "-o", "o.npy"][..], &seen].concat());
}

/// Numbers from 0 to 255 would all be white; what is recalled or damaged may lie outside of [0, 1].
#[test]
fn images_hold_numbers_from_0_to_1() {
    let folder = folder();
    let here = folder.path();
    let bytes = Array2::from_shape_fn((10, 16), |(i, j)| ((16 * i + j) % 236) as f32);
    write(here, "bytes.npy", bytes.into());
    for output in ["images/", "images.idx"] {
        let images = ["--size", "4x4", "--grey"];
        let refused = run(here, &[&["convert", "bytes.npy", output][..], &images].concat());
        assert_refused(&refused, "expected numbers from 0 to 1, found 159 in row 9 at position 15");
        assert!(stderr(&refused).contains("divide them by 255"), "{}", stderr(&refused));
        assert!(!here.join(output).exists());
        // However strong it is, noise is limited to what images hold.
        json(here, &["convert", "p.npy", "grey/", "--size", "2x2", "--grey"]);
        let noise = ["--noise-norm", "100", "--grey"];
        json(here, &[&["corrupt", "grey", "-o", output][..], &noise].concat());
        fs::remove_dir_all(here.join("grey")).unwrap();
    }
    let written = image::open(here.join("images/000000.png")).unwrap().to_luma8();
    assert!(written.iter().all(|value| [0, 255].contains(value)));
    // As numbers they are what they are.
    json(here, &["corrupt", "p.npy", "-o", "noisy.csv", "--noise-norm", "100"]);
    let noisy = crate::memory::numbers(&here.join("noisy.csv"));
    assert!(noisy.iter().flatten().any(|value| value.abs() > 2.0));
}

/// Each message names the files that it is about, and the option that mends it.
#[test]
fn messages_name_files_and_options() {
    let folder = folder();
    let here = folder.path();
    for (name, colour) in [("grey", true), ("rgb", false)] {
        fs::create_dir(here.join(name)).unwrap();
        let path = here.join(name).join("one.png");
        match colour {
            true => image::GrayImage::from_pixel(2, 2, image::Luma([9])).save(path).unwrap(),
            false => image::RgbImage::from_pixel(2, 2, image::Rgb([9; 3])).save(path).unwrap(),
        }
    }
    let colours = run(here, &["retrieve", "m.safetensors", "rgb", "-o", "o/"]);
    let said =
        "rgb: expected queries of 4 numbers, as the patterns of m.safetensors have, found 12";
    assert_refused(&colours, said);
    assert!(stderr(&colours).ends_with("\nhint: add --grey\n"), "{}", stderr(&colours));
    let added = run(here, &["add", "m.safetensors", "rgb"]);
    assert_refused(&added, "rgb into m.safetensors: add: the added patterns of shape [1, 12]");
    assert!(stderr(&added).ends_with("\nhint: add --grey\n"), "{}", stderr(&added));
    json(here, &["fit", "rgb", "-o", "rgb.safetensors"]);
    let grey = run(here, &["retrieve", "rgb.safetensors", "grey", "-o", "o/", "--grey"]);
    assert!(stderr(&grey).ends_with("\nhint: leave out --grey\n"), "{}", stderr(&grey));

    fs::write(here.join("ids.txt"), "1\n2\n3\n4\n5\n6\n").unwrap();
    fs::write(here.join("more.txt"), "7\n2\n").unwrap();
    fs::write(here.join("three.txt"), "7\n8\n9\n").unwrap();
    json(here, &["fit", "p.npy", "-o", "ids.safetensors", "--ids", "ids.txt"]);
    json(
        here,
        &["fit", "p.npy", "-o", "channel.safetensors", "--similarity", "channel", "--mask", "0.5"],
    );
    fs::create_dir(here.join("dir.safetensors")).unwrap();
    let add = ["add", "ids.safetensors", "q.npy", "--ids"];
    for (command, said) in [
        (
            [&add[..], &["more.txt"]].concat(),
            r#"more.txt: a pattern of ids.safetensors has the id "2""#,
        ),
        ([&add[..], &["three.txt"]].concat(), "three.txt: add: the ids of shape [3] do not fit"),
        (
            vec!["add", "ids.safetensors", "q.npy"],
            "q.npy into ids.safetensors: add: ids is missing",
        ),
        (
            vec!["add", "m.safetensors", "q.npy", "--values", "p.npy"],
            "p.npy: add: the values of shape",
        ),
        (vec!["remove", "ids.safetensors", "--ids", "1,"], "ids.safetensors: ids: an id is empty;"),
        (
            vec!["remove", "ids.safetensors", "--ids", "77"],
            "an id is unknown to the memory (id 77);",
        ),
        (
            vec!["remove", "ids.safetensors", "--ids", "1,1"],
            "an id is there twice (id 1); it must be given once",
        ),
        (vec!["inspect", "dir.safetensors"], "dir.safetensors is a folder, not a memory file"),
        (vec!["add", "dir.safetensors", "q.npy"], "dir.safetensors is a folder, not a memory file"),
        (
            vec!["train", "classify", "--dim", "15"],
            "--dim 15: expected a multiple of 8, the number of heads",
        ),
    ] {
        assert_refused(&run(here, &command), said);
    }
    let comma = run(here, &["remove", "ids.safetensors", "--ids", "1,"]);
    assert!(stderr(&comma).contains("hint: leave out the comma"), "{}", stderr(&comma));
}

/// Rows that no journal and no checkpoint can bring back.
#[test]
fn results_of_something_else_are_kept() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    for name in ["rows.csv", "report.html"] {
        fs::create_dir(here.join(name)).unwrap();
        fs::write(here.join(name).join(name), "mine").unwrap();
        let basins = ["experiment", "run", "basins", "--quick", "--quiet", "--out", name];
        assert_refused(
            &run(here, &basins),
            &format!("{name} is there already, with no rows.jsonl"),
        );
        assert_eq!(fs::read_dir(here.join(name)).unwrap().count(), 1);
    }
    let train = |model: &str, more: &[&str]| {
        let small = ["--epochs", "1", "--dim", "8", "--train-images", "8", "--test-images", "1"];
        let words = ["train", "classify", "--quiet", "--model", model];
        run(here, &[&words[..], &small, more].concat())
    };
    assert_refused(
        &train("dense", &["--out", "rows.csv"]),
        "rows.csv is there already, and not of a training",
    );
    assert_eq!(train("dense", &[]).status.code(), Some(0));
    let rows = || fs::read(here.join("uhop-train/rows.csv")).unwrap();
    let before = rows();
    let checkpoint = here.join("uhop-train/dense-seed-0.checkpoint");
    fs::rename(&checkpoint, here.join("away")).unwrap();
    let same = train("dense", &[]);
    assert_refused(&same, "rows.csv is there already, of these models and seeds");
    assert!(stderr(&same).contains("or remove it to train anew"), "{}", stderr(&same));
    fs::rename(here.join("away"), &checkpoint).unwrap();
    assert_refused(&train("sparse", &[]), "rows.csv is there already, of another training");
    assert_refused(
        &train("sparse", &["--resume"]),
        "rows.csv has rows of dense, seed 0, which are not asked for",
    );
    assert!(rows() == before);
    assert_eq!(train("dense,sparse", &["--resume"]).status.code(), Some(0));
    assert!(rows().starts_with(&before));
}

/// An error is one even where it cannot be read, and an answer that is not written is none.
#[cfg(target_os = "linux")]
#[test]
fn a_full_device_is_no_success() {
    let folder = TempDir::new().unwrap();
    let full = || Stdio::from(fs::File::options().write(true).open("/dev/full").unwrap());
    for arguments in [&["fit", "--bogus"][..], &["bogus"], &["fit", "none.npy", "-o", "m.npy"]] {
        let status = uhop(folder.path(), arguments).stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(1), "{arguments:?}");
    }
    for arguments in [&["fit", "--help"][..], &["--version"], &["help"]] {
        let output = uhop(folder.path(), arguments).stdout(full()).output().unwrap();
        assert_refused(&output, "cannot write to stdout");
    }
}
