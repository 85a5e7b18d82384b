//! The binary `peer` from outside: what it answers, and what it refuses.

#![expect(clippy::unwrap_used, reason = "helpers of tests, which clippy does not see as tests")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use ndarray::{Array2, array};
use serde_json::{Value, json};
use uhop_data::{Matrix, npy};

struct Peer {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_peer"))
            .arg("2")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, answers }
    }

    fn ask(&mut self, command: Value) -> Value {
        self.ask_line(&command.to_string())
    }

    fn ask_line(&mut self, line: &str) -> Value {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    /// Closing its input ends it.
    fn finish(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

fn n_seconds(answer: &Value) -> usize {
    let seconds = answer["seconds"].as_array().unwrap_or_else(|| panic!("{answer}"));
    assert!(seconds.iter().all(|second| second.as_f64().unwrap() >= 0.0));
    seconds.len()
}

fn save(folder: &Path, name: &str, rows: Array2<f32>) -> String {
    let path = folder.join(name);
    npy::write(&path, &Matrix::from(rows)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn read(path: &Path) -> Array2<f32> {
    npy::read(path).unwrap().into_f32()
}

#[test]
fn it_recalls_learns_and_streams() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let patterns = save(
        folder.path(),
        "patterns.npy",
        array![[1.0, 1.0, 0.0], [0.0, 0.0, 2.0], [0.0, 1.0, 0.0]],
    );
    let queries = save(folder.path(), "queries.npy", array![[3.0, 0.0, 0.0], [0.0, 0.0, 3.0]]);
    let map = save(folder.path(), "map.npy", Array2::eye(3));

    let mut peer = Peer::start();
    for (name, file) in [("all", &patterns), ("queries", &queries), ("map", &map)] {
        let answer = peer.ask(json!({"do": "load", "array": name, "path": file}));
        assert_eq!(n_seconds(&answer), 1);
    }
    peer.ask(json!({"do": "first", "array": "patterns", "of": "all", "n_rows": 2}));
    let answer = peer.ask(json!({
        "do": "memory", "memory": "m", "patterns": "patterns", "similarity": {"kernel": "map"},
        "separation": {"entmax": 2.0}, "beta": 1.0,
    }));
    assert_eq!(n_seconds(&answer), 1);

    let recalled = array![[1.0, 1.0, 0.0], [0.0, 0.0, 2.0]];
    let answer = peer.ask(json!({
        "do": "retrieve", "memory": "m", "queries": "queries", "max_steps": 2, "repetitions": 3,
        "result": path("together.npy"),
    }));
    assert_eq!(n_seconds(&answer), 3);
    assert_eq!(read(&path("together.npy")), recalled);
    let answer = peer.ask(json!({
        "do": "retrieve_singly", "memory": "m", "queries": "queries", "result": path("singly.npy"),
    }));
    assert_eq!(n_seconds(&answer), 2);
    assert_eq!(read(&path("singly.npy")), recalled);

    peer.ask(json!({
        "do": "scores", "memory": "m", "queries": "queries", "repetitions": 1,
        "result": path("scores.npy"),
    }));
    assert_eq!(read(&path("scores.npy")), array![[3.0, 0.0], [0.0, 6.0]]);
    peer.ask(json!({
        "do": "product", "a": "queries", "b": "patterns", "repetitions": 1,
        "result": path("product.npy"),
    }));
    assert_eq!(read(&path("product.npy")), array![[3.0, 0.0], [0.0, 6.0]]);

    // Unit features (1,1,0)/√2 and (0,0,1): squared distance 2, t = 2.
    let answer = peer.ask(json!({
        "do": "loss", "patterns": "patterns", "map": "map", "over": "max", "repetitions": 2,
        "result": path("gradient.npy"),
    }));
    assert_eq!(n_seconds(&answer), 2);
    assert!((answer["value"].as_f64().unwrap() + 4.0).abs() < 1e-5, "{answer}");
    assert_eq!(read(&path("gradient.npy")).dim(), (3, 3));

    // A step along that gradient.
    let answer = peer.ask(json!({
        "do": "learn", "patterns": "patterns", "map": "map", "over": "max", "steps": 1, "rate": 0.5,
        "repetitions": 2, "result": path("weight.npy"),
    }));
    assert_eq!(n_seconds(&answer), 2);
    assert!(answer["value"].as_f64().unwrap() < -4.0, "{answer}");
    let expected = read(&path("map.npy")) - 0.5 * read(&path("gradient.npy"));
    let off =
        (read(&path("weight.npy")) - expected).iter().fold(0.0_f32, |off, x| off.max(x.abs()));
    // Entries below 2, some ten roundings each.
    assert!(off < 20.0 * f32::EPSILON, "{off}");

    let answer = peer.ask(json!({"do": "stream", "array": "all", "repetitions": 2}));
    assert_eq!((n_seconds(&answer), &answer["value"]), (2, &json!(5.0)));
    peer.finish();
}

#[test]
fn what_it_refuses_is_said_and_it_goes_on() {
    let mut peer = Peer::start();
    for (line, said) in [
        ("", "command"),
        (r#"{"do": "sing"}"#, "sing"),
        (r#"{"do": "forget", "name": "x", "loudly": true}"#, "loudly"),
        (r#"{"do": "stream", "array": "x", "repetitions": 1}"#, "array `x`"),
        (r#"{"do": "load", "array": "x", "path": "no-such-file.npy"}"#, "no-such-file.npy"),
    ] {
        let answer = peer.ask_line(line);
        let error = answer["error"].as_str().unwrap_or_else(|| panic!("{line}: {answer}"));
        assert!(error.contains(said) && !error.contains('\n'), "{line}: {error}");
    }
    assert_eq!(n_seconds(&peer.ask(json!({"do": "forget", "name": "x"}))), 0);
    peer.finish();
}

#[test]
fn it_needs_a_number_of_threads() {
    for words in [&[][..], &["0"], &["two"], &["1", "2"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_peer")).args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with("peer: ") && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn it_trains_layers_and_classifiers() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (n, dim) = (6, 8);
    let tokens = Array2::from_shape_fn((n, dim), |(i, j)| ((3 * i + j) % 5) as f32 - 2.0);
    let images = Array2::from_shape_fn((3, 3072), |(i, j)| ((i + j) % 7) as f32 - 3.0);
    let mut peer = Peer::start();
    for (name, rows) in [("tokens", tokens), ("images", images)] {
        let path = save(folder.path(), &format!("{name}.npy"), rows);
        peer.ask(json!({"do": "load", "array": name, "path": path}));
    }
    peer.ask(json!({
        "do": "layer", "trainee": "layer", "tokens": "tokens", "n_samples": 2, "n_heads": 4,
        "separation": {"entmax": {"alpha": 1.5}}, "parameters": path("layer.npy"),
    }));
    // Four maps with their biases.
    assert_eq!(read(&path("layer.npy")).dim(), (1, 4 * (dim + 1) * dim));
    let mut step = |trainee: &str, repetitions: usize| {
        let answer = peer.ask(json!({
            "do": "step", "trainee": trainee, "repetitions": repetitions,
            "result": path("output.npy"),
        }));
        assert_eq!(n_seconds(&answer), repetitions);
        read(&path("output.npy"))
    };
    let mean_square = |rows: &Array2<f32>| rows.mapv(|x| x * x).mean().unwrap();
    let first = step("layer", 1);
    assert_eq!(first.dim(), (n, dim));
    assert!(mean_square(&step("layer", 20)) < mean_square(&first));

    let answer = peer.ask(json!({
        "do": "layer", "trainee": "layer", "tokens": "tokens", "n_samples": 4, "n_heads": 4,
        "separation": "softmax", "parameters": path("layer.npy"),
    }));
    assert!(answer["error"].as_str().unwrap().contains("6 rows"), "{answer}");
    peer.ask(json!({
        "do": "classifier", "trainee": "model", "images": "images", "model": "sparse",
        "parameters": path("model.npy"),
    }));
    let answer = peer.ask(json!({
        "do": "step", "trainee": "model", "repetitions": 1, "result": path("output.npy"),
    }));
    assert_eq!((n_seconds(&answer), read(&path("output.npy")).dim()), (1, (3, 10)));
    peer.finish();
}
