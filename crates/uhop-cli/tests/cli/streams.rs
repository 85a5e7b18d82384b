//! Queries and results that pass in batches: what is written, and what an error leaves.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Output;

use tempfile::TempDir;

use crate::memory::{json, numbers, run};
use crate::{stderr, stdout, uhop};

/// More than two batches.
const N_QUERIES: usize = 2500;

/// Three patterns and many queries, as CSV and as npy.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("patterns.csv", "1,1,0,0\n1,1,1,0\n1,1,1,1\n");
    let line = |i: usize| format!("{},1,0.{},0.5\n", i % 7, i % 10);
    write("queries.csv", &(0..N_QUERIES).map(line).collect::<String>());
    json(folder.path(), &["convert", "queries.csv", "queries.npy"]);
    folder
}

/// Runs with these bytes as stdin.
fn fed(folder: &Path, arguments: &[&str], bytes: &[u8]) -> Output {
    let path = folder.join(".stdin");
    fs::write(&path, bytes).unwrap();
    uhop(folder, arguments).stdin(fs::File::open(&path).unwrap()).output().unwrap()
}

#[test]
fn every_way_in_and_out_gives_the_same_rows() {
    let folder = folder();
    let folder = folder.path();
    let retrieve = |queries: &str, output: &str| {
        let result = json(folder, &["retrieve", "patterns.csv", queries, "-o", output]);
        assert_eq!(result["n_queries"], N_QUERIES, "{queries} {output}");
    };
    retrieve("queries.csv", "a.csv");
    let expected = numbers(&folder.join("a.csv"));
    assert_eq!(expected.len(), N_QUERIES);
    json(folder, &["convert", "queries.npy", "queries.npz"]);
    json(folder, &["convert", "queries.npz", "queries.safetensors"]);
    for queries in ["queries.npy", "queries.npz", "queries.safetensors"] {
        for output in ["b.npy", "b.npz", "b.safetensors", "b.csv"] {
            retrieve(queries, output);
            json(folder, &["convert", output, "c.csv"]);
            assert_eq!(numbers(&folder.join("c.csv")), expected, "{queries} {output}");
        }
    }
    // Without an ending the kind is that of the queries.
    retrieve("queries.csv", "plain");
    assert_eq!(numbers(&folder.join("plain")), expected);
    // Through pipes: of known length, and of a length that only the end tells.
    let bytes = fs::read(folder.join("queries.npy")).unwrap();
    for queries in ["-", "queries.csv"] {
        let output = fed(folder, &["retrieve", "patterns.csv", queries, "-o", "-"], &bytes);
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""), "{queries}");
        retrieve("queries.npy", "b.npy");
        assert_eq!(output.stdout, fs::read(folder.join("b.npy")).unwrap(), "{queries}");
    }
}

#[test]
fn weights_times_patterns_is_what_is_retrieved() {
    let folder = folder();
    let folder = folder.path();
    let retrieve = ["retrieve", "patterns.csv", "queries.npy", "-o", "out.npy"];
    let more = ["--alpha", "1.5", "--max-steps", "3", "--weights", "weights.npz"];
    let result = json(folder, &[&retrieve[..], &more].concat());
    assert_eq!(result["weights"], "weights.npz");
    json(folder, &["convert", "weights.npz", "weights.csv"]);
    json(folder, &["convert", "out.npy", "out.csv"]);
    let (weights, patterns) =
        (numbers(&folder.join("weights.csv")), numbers(&folder.join("patterns.csv")));
    let retrieved = numbers(&folder.join("out.csv"));
    assert_eq!((weights.len(), weights[0].len()), (N_QUERIES, 3));
    for (p, found) in weights.iter().zip(&retrieved) {
        for (j, found) in found.iter().enumerate() {
            let expected: f64 = p.iter().zip(&patterns).map(|(p, pattern)| p * pattern[j]).sum();
            // Three terms of at most 1, summed in another order.
            assert!((expected - found).abs() <= 4.0 * f64::EPSILON, "{expected} {found}");
        }
    }
    // CSV is f64 and so are the weights; one name for both is refused before any work.
    let output = run(folder, &[&retrieve[..], &["--weights", "out.npy"]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("both out.npy"), "{}", stderr(&output));
}

/// An error far behind the first batch names the file and the row in it, and the old results stay.
#[test]
fn a_late_error_changes_nothing_and_names_the_row() {
    let folder = folder();
    let folder = folder.path();
    let text = fs::read_to_string(folder.join("queries.csv")).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines[2100] = "1,NaN,0,0";
    fs::write(folder.join("nan.csv"), lines.join("\n")).unwrap();
    json(folder, &["convert", "nan.csv", "nan.npy"]);
    lines[2100] = "1,0,0";
    fs::write(folder.join("short.csv"), lines.join("\n")).unwrap();
    let bytes = fs::read(folder.join("queries.npy")).unwrap();
    let cut = &bytes[..bytes.len() - 1];
    fs::write(folder.join("cut.npy"), cut).unwrap();
    for name in ["old.npy", "old.npz", "old.csv"] {
        fs::write(folder.join(name), "old").unwrap();
    }
    // Other text under this name could be a damaged memory.
    json(folder, &["convert", "patterns.csv", "old.safetensors"]);
    let old = |name: &str| fs::read(folder.join(name)).unwrap();
    let old_tensors = old("old.safetensors");
    fs::write(folder.join(".stdin"), "").unwrap();
    let files = || fs::read_dir(folder).unwrap().count();
    let n_files = files();
    for (queries, message) in [
        ("nan.csv", "nan.csv: entry [2100, 1] of the queries is NaN"),
        ("nan.npy", "nan.npy: entry [2100, 1] of the queries is NaN"),
        ("short.csv", "short.csv: line 2101: expected 4 numbers as in the first row, found 3"),
        ("cut.npy", "cut.npy: the npy data end early"),
        ("-", "<stdin>: the npy data end early"),
    ] {
        for output in ["old.npy", "old.npz", "old.safetensors", "old.csv", "new/"] {
            let size: &[_] = if output == "new/" { &["--size", "2x2", "--grey"] } else { &[] };
            let weights = ["--weights", "weights.npy"];
            let retrieve = ["retrieve", "patterns.csv", queries, "-o", output];
            let result = fed(folder, &[&retrieve, size, &weights].concat(), cut);
            assert_eq!(
                (result.status.code(), stdout(&result)),
                (Some(1), ""),
                "{queries} {output}"
            );
            assert!(stderr(&result).contains(message), "{}", stderr(&result));
            assert_eq!(files(), n_files, "{queries} {output}");
            if output != "new/" {
                let is_kept = [b"old", &old_tensors[..]].contains(&&old(output)[..]);
                assert!(is_kept, "{queries} {output}");
            }
        }
    }
}

/// Results of images are images of the same names; IDX images know their own size.
#[test]
fn results_of_images_are_named_like_the_queries() {
    let folder = folder();
    let folder = folder.path();
    fs::create_dir(folder.join("damaged")).unwrap();
    for (name, value) in [("cat.png", 200), ("dog.png", 100)] {
        let image = image::GrayImage::from_pixel(2, 2, image::Luma([value]));
        image.save(folder.join("damaged").join(name)).unwrap();
    }
    let names = |folder: &Path| {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    for output in ["recalled/", "plain"] {
        json(folder, &["retrieve", "patterns.csv", "damaged", "-o", output, "--grey"]);
        assert_eq!(names(&folder.join(output)), ["cat.png", "dog.png"]);
    }
    json(folder, &["convert", "damaged", "copied/", "--grey"]);
    assert_eq!(names(&folder.join("copied")), ["cat.png", "dog.png"]);
    let idx = [&[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2][..], &[9; 8]].concat();
    fs::write(folder.join("q.idx"), idx).unwrap();
    json(folder, &["retrieve", "patterns.csv", "q.idx", "-o", "digits/"]);
    assert_eq!(names(&folder.join("digits")), ["000000.png", "000001.png"]);
    // A result that is no image of that size is refused, and nothing is left.
    let output = run(folder, &["retrieve", "patterns.csv", "queries.csv", "-o", "rows/"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("hint: say which with --size WxH"), "{}", stderr(&output));
    assert!(!folder.join("rows").exists());
}

/// 512 MiB of queries within 256 MiB of address space, in which they cannot be read as a whole.
#[cfg(target_os = "linux")]
#[test]
fn memory_holds_a_batch_and_not_the_queries() {
    const DIM: usize = 4096;
    const N_ROWS: usize = 1 << 15;
    const LIMIT_KIB: &str = "262144";
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let row = vec!["0.5"; DIM].join(",");
    fs::write(folder.join("patterns.csv"), format!("{row}\n{}\n", row.replace("0.5", "1")))
        .unwrap();
    fs::write(folder.join("values.csv"), "3\n5\n").unwrap();
    json(folder, &["fit", "patterns.csv", "--values", "values.csv", "-o", "m.safetensors"]);
    let text =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({N_ROWS}, {DIM}), }}\n");
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend((text.len() as u16).to_le_bytes());
    header.extend(text.as_bytes());
    // Zeros that take no room on the disk.
    let mut queries = fs::File::create(folder.join("queries.npy")).unwrap();
    queries.write_all(&header).unwrap();
    queries.set_len((header.len() + 4 * N_ROWS * DIM) as u64).unwrap();

    let limited = |arguments: &[&str]| {
        // One thread and one heap: their number of cores is not what is tested.
        std::process::Command::new("sh")
            .args(["-c", "ulimit -v \"$0\" && exec \"$@\"", LIMIT_KIB, env!("CARGO_BIN_EXE_uhop")])
            .args(arguments)
            .env("RAYON_NUM_THREADS", "1")
            .env("MALLOC_ARENA_MAX", "1")
            .current_dir(folder)
            .output()
            .unwrap()
    };
    let whole = limited(&["fit", "queries.npy", "-o", "x.safetensors"]);
    assert!(!whole.status.success(), "the limit does not hold here: {}", stdout(&whole));
    let output = limited(&["retrieve", "m.safetensors", "queries.npy", "-o", "out.csv"]);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""), "{}", stdout(&output));
    let out = fs::read_to_string(folder.join("out.csv")).unwrap();
    assert_eq!(out.lines().count(), N_ROWS);
    assert!(out.lines().all(|line| line == "4.0"), "equal weights of 3 and 5");
}
