//! Stage I with a live bar: one way for every verb that learns.

use std::ops::ControlFlow;
use std::time::Instant;

use uhop::stage1::{Params, Progress, Report, learn};
use uhop::{LinearMap, Patterns, Scalar};

use crate::console::Console;
use crate::failure::Failure;
use crate::interrupt;

/// The released code's rate of gradient descent on the max loss.
pub(crate) const MAX_LOSS_RATE: f64 = 10.0;
/// A constant rate that trains the average loss.
pub(crate) const AVERAGE_LOSS_RATE: f64 = 1.0;

/// Learns W by the loss called `loss`, with a bar and a closing note; returns the report and the
/// seconds it took.
pub(crate) fn stage1<T: Scalar>(
    loss: &str,
    patterns: &Patterns<T>,
    start: LinearMap<T>,
    params: &Params,
    console: &Console,
) -> Result<(Report<T>, f64), Failure> {
    let label = format!("Stage I, {loss}, {} patterns", patterns.n_patterns());
    let bar = console.bar(params.max_steps(), &label);
    let show = |progress: Progress| {
        bar.set_position(progress.step as u64);
        bar.set_message(format!("loss {:.3}", progress.loss));
        if interrupt::check().is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let started = Instant::now();
    let report = learn(patterns, start, params, show)?;
    let seconds = started.elapsed().as_secs_f64();
    bar.finish_and_clear();
    interrupt::check()?;
    let (first, last) = (report.losses[0], report.losses[report.steps]);
    let steps = report.steps;
    console.note(&format!("{label}: {steps} steps, loss {first:.3} → {last:.3}, {seconds:.1} s"));
    Ok((report, seconds))
}
