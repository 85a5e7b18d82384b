//! `peer THREADS`: the worker on stdin and stdout, with that many threads.

use std::io::{self, Write};
use std::process::ExitCode;

use uhop::Threads;

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
        [word] => word.parse().ok(),
        _ => None,
    };
    let Some(n_threads) = n_threads else {
        return Err(format!(
            "expected the number of threads, found {:?}; start it with: peer 2",
            words.join(" ")
        ));
    };
    let threads = Threads::new(n_threads).map_err(|error| error.to_string())?;
    threads
        .install(|| uhop_bench::worker::serve(io::stdin().lock(), io::stdout()))
        .map_err(|error| format!("the pipe broke: {error}"))
}
