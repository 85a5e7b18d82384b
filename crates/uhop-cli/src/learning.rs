//! Stage I with a live bar: one way for every verb that learns.

use std::ops::ControlFlow;
use std::time::Instant;

use indicatif::ProgressBar;
use ndarray::ArrayView2;
use uhop::stage1::{Denoising, HeldOut, Params, Progress, Report, denoise, learn};
use uhop::{AsymmetricMap, LinearMap, Patterns, Scalar};
use uhop_data::Damage;

use crate::console::Console;
use crate::failure::Failure;
use crate::interrupt;
use crate::words::counted;

/// The released code's rate of gradient descent on the max loss.
pub(crate) const MAX_LOSS_RATE: f64 = 10.0;
/// A constant rate that trains the average loss.
pub(crate) const AVERAGE_LOSS_RATE: f64 = 1.0;
/// Suits a standard normal W, whatever the loss.
pub(crate) const ADAM_RATE: f64 = 0.01;
/// Suits denoising, whose unit it is that scores move by, whatever the data.
pub(crate) const DENOISING_RATE: f64 = 0.1;

/// Learns W by the loss called `loss`, with a bar and a closing note; returns the report and the
/// seconds it took.
pub(crate) fn separated<T: Scalar>(
    loss: &str,
    patterns: &Patterns<T>,
    start: LinearMap<T>,
    params: &Params,
    console: &Console,
) -> Result<(Report<LinearMap<T>>, f64), Failure> {
    let n_patterns = patterns.n_patterns();
    let label = match params.batches() {
        None => format!("Stage I, {loss}, {n_patterns} patterns"),
        Some(batches) => {
            format!("Stage I, {loss}, {} of {n_patterns} patterns a step", batches.size())
        }
    };
    let bar = console.bar(params.max_steps(), &label);
    let started = Instant::now();
    let report = learn(patterns, start, params, |progress| shown(&bar, progress))?;
    let seconds = started.elapsed().as_secs_f64();
    bar.finish_and_clear();
    interrupt::check()?;
    let (first, last) = first_and_last_loss(&report.losses, &report.held_out);
    let of = if report.held_out.is_empty() { "" } else { " of held-out pairs" };
    let steps = counted(report.steps, "step");
    console.note(&format!("{label}: {steps}, loss{of} {first:.3} → {last:.3}, {seconds:.1} s"));
    Ok((report, seconds))
}

/// Learns an asymmetric map from damaged copies, with a bar; returns the report.
pub(crate) fn denoised<T: Scalar>(
    patterns: &Patterns<T>,
    start: AsymmetricMap<T>,
    params: &Denoising,
    damage: &Damage,
    console: &Console,
) -> Result<Report<AsymmetricMap<T>>, Failure> {
    let label = format!("Stage I, denoising, {} patterns", patterns.n_patterns());
    let bar = console.bar(params.max_steps(), &label);
    let corrupt = |rows: ArrayView2<'_, T>, seed: u64| damage.apply(rows, seed);
    let report = denoise(patterns, start, params, corrupt, |progress| shown(&bar, progress))?;
    bar.finish_and_clear();
    interrupt::check()?;
    Ok(report)
}

/// Moves the bar; goes on unless a signal was noted.
fn shown(bar: &ProgressBar, progress: Progress) -> ControlFlow<()> {
    bar.set_position(progress.step as u64);
    bar.set_message(format!("loss {:.3}", progress.loss));
    if interrupt::check().is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}

/// The loss before the first and after the last step: of the held-out pairs, if any were.
pub(crate) fn first_and_last_loss(losses: &[f64], held_out: &[HeldOut]) -> (f64, f64) {
    match held_out {
        [first, .., last] => (first.loss, last.loss),
        [only] => (only.loss, only.loss),
        [] => (losses[0], losses[losses.len() - 1]),
    }
}
