//! Model and training as one, without a type of the tensor framework.

use std::path::Path;

use burn::module::Module as _;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::vih::ViHConfig;
use crate::train::{
    DeviceName, Epoch, Observer, Outcome, Result, Run, Samples, Standardization, TrainingConfig,
};

/// Model and training.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use ndarray::Array2;
/// use uhop_nn::train::{DeviceName, ImageShape, Samples};
/// use uhop_nn::vision::{Preset, Task};
///
/// // Images of one grey each; the class says which.
/// let shape = ImageShape { height: 4, width: 4, channels: 1 };
/// let labels: Vec<u32> = (0..40).map(|i| i % 2).collect();
/// let images = Array2::from_shape_fn((40, 16), |(i, _)| labels[i] as f32);
/// let samples = Samples::new(images, labels, shape, 2)?;
///
/// let mut classification = Preset::Small.of("dense".parse()?, shape, 2);
/// classification.training.epochs = 5;
/// let task = Task {
///     train: &samples,
///     test: &samples,
///     seed: 0,
///     device: DeviceName::Cpu,
///     checkpoint: None,
///     data: "greys",
/// };
/// let trained = classification.start(&task, &mut |_| ControlFlow::Continue(()))?;
/// assert_eq!(trained.epochs.last().unwrap().test_accuracy, Some(1.0));
/// # Ok::<(), uhop_nn::train::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classification {
    /// The model.
    pub model: ViHConfig,
    /// How it is trained.
    pub training: TrainingConfig,
}

/// What a [`Classification`] is trained and tested on. Images are standardised by the training images,
/// channel by channel.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    /// To learn from.
    pub train: &'a Samples,
    /// To test on.
    pub test: &'a Samples,
    /// Seed of parameters, order of the samples and dropout.
    pub seed: u64,
    /// Where it is trained: numbers of another device differ by rounding.
    pub device: DeviceName,
    /// The file for checkpoints, if there are to be any.
    pub checkpoint: Option<&'a Path>,
    /// What the data are: a checkpoint of others is refused.
    pub data: &'a str,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// One for each epoch, those before a resumption included.
    pub epochs: Vec<Epoch>,
    /// Whether the run came to its end.
    pub finished: bool,
    /// Parameters that training moved.
    pub n_parameters: usize,
}

impl Classification {
    /// Parameters that training moves.
    ///
    /// # Errors
    /// As [`ViHConfig::init`].
    pub fn n_parameters(&self) -> Result<usize> {
        Ok(self.model.init(0, &DeviceName::Cpu.open()?)?.n_parameters())
    }

    /// Trains from the start.
    ///
    /// # Errors
    /// As [`Run::start`], [`ViHConfig::init`] and [`DeviceName::open`].
    pub fn start(&self, task: &Task<'_>, observer: Observer<'_>) -> Result<Trained> {
        self.run(task, |run, model, device| run.start(model, device, observer))
    }

    /// Goes on from the checkpoint, to the same numbers.
    ///
    /// # Errors
    /// As [`Run::resume`], [`ViHConfig::init`] and [`DeviceName::open`].
    pub fn resume(&self, task: &Task<'_>, observer: Observer<'_>) -> Result<Trained> {
        self.run(task, |run, model, device| run.resume(model, device, observer))
    }

    fn run(
        &self,
        task: &Task<'_>,
        run: impl FnOnce(&Run<'_>, super::ViH, &Device) -> Result<Outcome<super::ViH>>,
    ) -> Result<Trained> {
        let device = task.device.open()?;
        let standardization = Standardization::of(task.train);
        let model = self.model.init(task.seed, &device)?;
        let model_text = serde_json::to_string(&self.model).expect("a configuration is plain data");
        let identity = format!("{}, on {}, {model_text}", task.data, task.device);
        let n_parameters = model.num_params();
        let outcome = run(
            &Run {
                config: &self.training,
                train: task.train,
                test: task.test,
                standardization: &standardization,
                seed: task.seed,
                checkpoint: task.checkpoint,
                identity: &identity,
            },
            model,
            &device,
        )?;
        let Outcome { epochs, finished, .. } = outcome;
        Ok(Trained { epochs, finished, n_parameters })
    }
}
