//! A memory that knows how queries are damaged, and queries of which a part was observed.

use std::fs;

use tempfile::TempDir;
use uhop::{Channel, Dynamics, Memory, Model, Patterns};
use uhop_data::{Kind, ReadOptions};

use crate::memory::{folder, json, numbers, run};
use crate::{stderr, stdout};

/// What the verbs recall is what the library does, from a memory file and from patterns.
#[test]
fn a_channel_is_fitted_shown_and_recalls() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    json(folder, &["sample", "digits.npy", "--count", "60"]);
    json(folder, &["corrupt", "digits.npy", "-o", "noisy.npy", "--noise", "0.7"]);
    let channel = ["--similarity", "channel", "--noise", "0.7"];
    json(folder, &[&["fit", "digits.npy", "-o", "m.safetensors"], &channel[..]].concat());
    let inspected = json(folder, &["inspect", "m.safetensors"]);
    assert_eq!(inspected["similarity"], "channel");
    assert_eq!(inspected["channel"], "Gaussian noise, std 0.7, folded and clamped");
    let text = run(folder, &["inspect", "m.safetensors"]);
    assert!(stdout(&text).contains("channel       Gaussian noise, std 0.7"), "{}", stdout(&text));
    json(folder, &["retrieve", "m.safetensors", "noisy.npy", "-o", "r.npy"]);
    json(
        folder,
        &[&["retrieve", "digits.npy", "noisy.npy", "-o", "same.npy"], &channel[..]].concat(),
    );
    let rows =
        |name: &str| Kind::Npy.read(folder.join(name), &ReadOptions::default()).unwrap().into_f32();
    let model = Model::bayes(Channel::folded_gaussian(0.7).unwrap());
    let memory = Memory::new(Patterns::new(rows("digits.npy")).unwrap(), model).unwrap();
    let expected = memory.retrieve(rows("noisy.npy").view(), &Dynamics::one_step()).unwrap();
    assert_eq!(rows("r.npy"), expected.retrieved);
    assert_eq!(rows("same.npy"), expected.retrieved);
    let apart = (&rows("r.npy") - &rows("digits.npy")).mapv(|d| d * d).sum() / 60.0;
    assert!(apart < 5.0, "{apart}");
}

/// Damage that is known by the shape of images, as of queries where the memory file has none.
#[test]
fn covered_images_are_recalled_by_the_rest() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    json(folder, &["sample", "digits.npy", "--count", "30"]);
    let images = ["--size", "28x28", "--grey"];
    let occlude = ["--occlude-region", "28x20+0+0"];
    json(folder, &[&["corrupt", "digits.npy", "-o", "q.npy"], &occlude[..], &images].concat());
    json(folder, &["fit", "digits.npy", "-o", "m.safetensors"]);
    let recall = ["retrieve", "m.safetensors", "q.npy", "-o", "r.npy", "--similarity", "channel"];
    json(folder, &[&recall[..], &occlude, &images].concat());
    assert_eq!(
        fs::read(folder.join("r.npy")).unwrap(),
        fs::read(folder.join("digits.npy")).unwrap()
    );
}

#[test]
fn a_channel_without_a_corruption_is_one_error() {
    let folder = folder();
    let folder = folder.path();
    let channel = "--similarity channel";
    for (options, expected) in [
        (channel.to_owned(), "--similarity channel needs a corruption"),
        ("--noise 0.5".to_owned(), "add --similarity channel"),
        ("--similarity dot --noise 0.5".to_owned(), "add --similarity channel"),
        (format!("{channel} --noise 0.5 --half-mask"), "cannot be used with"),
        (format!("{channel} --noise=-1"), "found -1"),
        (format!("{channel} --occlude"), "--size WxH"),
        (
            format!("{channel} --occlude --size 3x2 --grey"),
            "3x2 in grey are rows of 6 numbers, found rows of 4",
        ),
        (format!("{channel} --noise 0.5 --loss max"), "cannot be used with"),
    ] {
        let fit = format!("fit patterns.csv -o m.safetensors {options}");
        let output = run(folder, &fit.split(' ').collect::<Vec<_>>());
        assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""), "{options}");
        assert!(stderr(&output).contains(expected), "{options}: {}", stderr(&output));
        assert!(!folder.join("m.safetensors").exists());
    }
}

/// Of the second pattern only its third number is known, of the third the last.
#[test]
fn what_was_not_observed_does_not_matter() {
    let folder = folder();
    let folder = folder.path();
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    write("rows.csv", "0,0,1,0\n0,0,0,1\n1,1,0,0\n");
    write("q.csv", "9,9,1,-5\n7,7,7,1\n");
    write("mask.csv", "0,0,1,0\n0,0,0,1\n");
    write("one.csv", "0,0,1,0\n");
    let recall = |mask: &str| {
        let retrieve = ["retrieve", "rows.csv", "q.csv", "-o", "r.csv", "--observed", mask];
        let model = ["--similarity", "euclidean", "--beta", "9", "--alpha", "2"];
        json(folder, &[&retrieve[..], &model].concat());
        numbers(&folder.join("r.csv"))
    };
    assert_eq!(recall("mask.csv"), [[0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]);
    assert_eq!(recall("one.csv")[0], [0.0, 0.0, 1.0, 0.0]);
    // As missing numbers often are; where a number should be, they are refused with their place.
    write("q.csv", "NaN,inf,1,NaN\nNaN,NaN,NaN,1\n");
    assert_eq!(recall("mask.csv"), [[0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]);
    let output =
        run(folder, &["retrieve", "rows.csv", "q.csv", "-o", "r.csv", "--observed", "one.csv"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""));
    assert!(
        stderr(&output).contains("q.csv: entry [1, 2] of the queries is NaN"),
        "{}",
        stderr(&output)
    );
    write("q.csv", "9,9,1,-5\n7,7,7,1\n");
    for (mask, text, expected) in [
        ("wide.csv", "1,1\n", "expected rows of 4 numbers, as the queries have, found 2"),
        ("half.csv", "1,0,0.5,1\n1,1,1,1\n", "entry [0, 2] is 0.5; give 1 for what was observed"),
        ("long.csv", "1,1,1,1\n1,1,1,1\n1,1,1,1\n", "one row for each query, or one for all"),
        ("none.csv", "", "none.csv"),
    ] {
        write(mask, text);
        write("r.csv", "old");
        let output =
            run(folder, &["retrieve", "rows.csv", "q.csv", "-o", "r.csv", "--observed", mask]);
        assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""), "{mask}");
        assert!(stderr(&output).contains(expected), "{mask}: {}", stderr(&output));
        assert_eq!(fs::read_to_string(folder.join("r.csv")).unwrap(), "old");
    }
    // Features are of all numbers of a query.
    json(folder, &["fit", "rows.csv", "-o", "m.safetensors", "--loss", "max", "--steps", "1"]);
    let retrieve = ["retrieve", "m.safetensors", "q.csv", "-o", "s.csv", "--observed", "mask.csv"];
    let output = run(folder, &retrieve);
    assert!(stderr(&output).contains("kernel similarity compares features"), "{}", stderr(&output));
}
