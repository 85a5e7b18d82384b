//! The `uhop` command: associative memory from the terminal.
//!
//! stdout is data; progress, notes and errors go to stderr. Exit codes: 0 done, 1 the input (with
//! one line that says what to change), 2 a fault of the program, 128 and its number for a signal:
//! 130 for Ctrl-C, 143 for SIGTERM.

mod add;
mod args;
mod changing;
mod choosing;
mod console;
mod convert;
mod corrupt;
mod damage;
mod demo;
mod experiment;
mod failure;
mod fit;
mod input;
mod inspect;
mod interrupt;
mod learning;
mod numbers;
mod observed;
mod output;
mod precision;
mod remove;
mod retrieve;
mod sample;
mod shell;
mod tables;
mod there;
mod train;
mod words;

use std::process::ExitCode;

use clap::Parser;
use uhop::Threads;

use args::{Cli, ComputeArgs, Verb};
use failure::Failure;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        // Then it is about a damaged file and becomes an error.
        if uhop_data::parquet::is_decoding() {
            return;
        }
        console::report_error(&format!("internal error, please report it: {panic}"), None);
    }));
    interrupt::watch();
    let done = std::panic::catch_unwind(|| match Cli::try_parse() {
        Ok(cli) => finish(run(cli)),
        Err(answer) => answered(&answer),
    });
    ExitCode::from(done.unwrap_or(failure::OURS))
}

/// Help and version are answers, the rest are errors; clap prints each where it belongs. An error stays one
/// where nobody can read it.
fn answered(answer: &clap::Error) -> u8 {
    let printed = answer.print();
    if answer.use_stderr() {
        return failure::USER;
    }
    finish(printed.map_err(|error| Failure::stdout(&error)))
}

fn run(cli: Cli) -> Result<(), Failure> {
    match cli.verb {
        None => in_threads(cli.demo.compute, || demo::run(&cli.demo)),
        Some(Verb::Demo(args)) => in_threads(args.compute, || demo::run(&args)),
        Some(Verb::Fit(args)) => in_threads(args.compute, || fit::run(&args)),
        Some(Verb::Add(args)) => in_threads(args.compute, || add::run(&args)),
        Some(Verb::Remove(args)) => in_threads(args.compute, || remove::run(&args)),
        Some(Verb::Retrieve(args)) => in_threads(args.compute, || retrieve::run(&args)),
        Some(Verb::Inspect(args)) => in_threads(args.compute, || inspect::run(&args)),
        Some(Verb::Convert(args)) => convert::run(&args),
        Some(Verb::Corrupt(args)) => corrupt::run(&args),
        Some(Verb::Sample(args)) => sample::run(&args),
        Some(Verb::Experiment(args)) => experiment::run(&args),
        Some(Verb::Train(args)) => train::run(&args),
        Some(Verb::Completions(args)) => shell::completions(&args),
        Some(Verb::Man(args)) => shell::man(&args),
    }
}

/// Runs a verb in the threads that were asked for.
fn in_threads(
    compute: ComputeArgs,
    run: impl FnOnce() -> Result<(), Failure> + Send,
) -> Result<(), Failure> {
    match compute.threads.map_or_else(threads_by_variable, |n_threads| Ok(Some(n_threads)))? {
        Some(n_threads) => Threads::new(n_threads)?.install(run),
        None => run(),
    }
}

/// What the environment says, as long as it says something.
fn threads_by_variable() -> Result<Option<usize>, Failure> {
    const VARIABLE: &str = "RAYON_NUM_THREADS";
    let Some(text) = std::env::var_os(VARIABLE).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let text = text.to_string_lossy();
    let refused = |hint: String| Failure::user(format!("{VARIABLE} is {text:?}")).hint(&hint);
    numbers::threads(&text).map(Some).map_err(refused)
}

fn finish(result: Result<(), Failure>) -> u8 {
    match result {
        Ok(()) => failure::DONE,
        Err(failure) => {
            if let Some((message, hint)) = failure.text() {
                console::report_error(&message, hint);
            }
            failure.code()
        }
    }
}
