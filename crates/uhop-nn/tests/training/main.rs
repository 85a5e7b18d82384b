//! Training: it learns, goes on to the same bits, and says where it fails.

#![expect(clippy::unwrap_used, reason = "helpers of tests, which clippy does not see as tests")]

mod checkpoints;
mod learning;
mod model;

use std::ops::ControlFlow;

use uhop_data::sample;
use uhop_nn::train::{DeviceName, Epoch, Event, ImageShape, Observer, Samples};
use uhop_nn::vision::{Classification, Preset, Task};

const SHAPE: ImageShape = ImageShape { height: 28, width: 28, channels: 1 };

/// The built-in digits from `first` on, `n` of them.
fn digits(first: usize, n: usize) -> Samples {
    let (images, labels) = sample::digits().into_parts();
    let labels = labels.into_iter().map(u32::from).collect();
    let all = Samples::new(images.into_patterns(), labels, SHAPE, 10).unwrap();
    all.select(&(first..first + n).collect::<Vec<_>>()).unwrap()
}

/// A preset for the digits, with so many epochs.
fn preset(preset: Preset, contender: &str, epochs: usize) -> Classification {
    let mut classification = preset.of(contender.parse().unwrap(), SHAPE, 10);
    classification.training.epochs = epochs;
    classification
}

fn task<'a>(train: &'a Samples, test: &'a Samples, seed: u64) -> Task<'a> {
    Task { train, test, seed, device: DeviceName::Cpu, checkpoint: None, data: "digits" }
}

/// An observer that never stops.
fn go_on(_: Event<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// An observer that stops after so many steps.
fn stop_after(mut steps: usize) -> impl FnMut(Event<'_>) -> ControlFlow<()> {
    move |event| {
        if matches!(event, Event::Step(_)) {
            steps -= 1;
        }
        if steps == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Without the time.
fn untimed(epochs: &[Epoch]) -> Vec<Epoch> {
    epochs.iter().map(|epoch| Epoch { seconds: 0.0, ..*epoch }).collect()
}

/// The epochs of a training from the start.
fn epochs(classification: &Classification, task: &Task<'_>) -> Vec<Epoch> {
    let mut observer = go_on;
    let observer: Observer<'_> = &mut observer;
    untimed(&classification.start(task, observer).unwrap().epochs)
}
