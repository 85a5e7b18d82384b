//! `peer THREADS`: the worker on stdin and stdout, in a pool of that many threads.

use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(line) => {
            // A closed standard error leaves the exit code to speak.
            let _ = writeln!(io::stderr(), "peer: {line}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let n_threads = match &words[..] {
        [word] => word.parse().ok().filter(|&n: &usize| n > 0),
        _ => None,
    };
    let Some(n_threads) = n_threads else {
        return Err(format!(
            "expected the number of threads, at least 1, found {:?}; start it with: peer 2",
            words.join(" ")
        ));
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(n_threads)
        .build()
        .map_err(|error| format!("cannot start {n_threads} threads: {error}"))?;
    pool.install(|| uhop_bench::worker::serve(io::stdin().lock(), io::stdout()))
        .map_err(|error| format!("the pipe broke: {error}"))
}
