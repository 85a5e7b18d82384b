//! The loop: inner steps, task steps, test, checkpoint.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::MutexGuard;
use std::time::Instant;

use burn::optim::{AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};

use super::checkpoint::{self, FORMAT, Progress};
use super::classifier::Classifier;
use super::config::{Inner, Moves, Rule, TrainingConfig};
use super::epoch::{Epoch, Stage, Sums};
use super::error::{Error, Place, Result};
use super::plan::{self, EpochPlan, InnerKind};
use super::samples::{Samples, Standardization};
use super::seeds::{self, Use};

/// A training: on what, how, and where its checkpoints go.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// How.
    pub config: &'a TrainingConfig,
    /// To learn from.
    pub train: &'a Samples,
    /// To test on after each epoch.
    pub test: &'a Samples,
    /// What is done to the pixels of both.
    pub standardization: &'a Standardization,
    /// Seed of the order of the samples and of dropout.
    pub seed: u64,
    /// The file for checkpoints, if there are to be any.
    pub checkpoint: Option<&'a Path>,
    /// What model and data are, as one text: a checkpoint with another is refused.
    pub identity: &'a str,
}

/// What an [`Observer`] is told.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A step was made.
    Step(Step),
    /// An epoch has ended, and its checkpoint is written.
    Epoch(&'a Epoch),
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Which stage it is in.
    pub stage: Stage,
    /// The number of its epoch in the stage, from 1.
    pub epoch: usize,
    /// Steps made in the epoch.
    pub step: usize,
    /// Steps of the epoch.
    pub steps: usize,
    /// Steps made in all.
    pub done: u64,
    /// All steps of the run.
    pub all: u64,
    /// The loss before the step.
    pub loss: f64,
    /// Which loss it is: epochs of the task can begin with steps on the separation loss.
    pub loss_of: Stage,
}

/// Told of each step and epoch; stops the run by [`ControlFlow::Break`], which writes a checkpoint first.
pub type Observer<'a> = &'a mut dyn FnMut(Event<'_>) -> ControlFlow<()>;

/// A trained model and what was measured on the way.
#[derive(Debug, Clone)]
pub struct Outcome<M> {
    /// The model.
    pub model: M,
    /// One for each epoch, those before a resumption included.
    pub epochs: Vec<Epoch>,
    /// Whether the run came to its end.
    pub finished: bool,
}

/// Samples tested at once; the result does not depend on it but by rounding.
const TESTED_AT_ONCE: usize = 256;

impl Run<'_> {
    /// Trains a model from the start.
    ///
    /// # Errors
    /// [`is_input`](Error::is_input) for a configuration without meaning, samples of two kinds, a file that
    /// cannot be written; [`is_not_finite`](Error::is_not_finite) when a loss became infinite or NaN.
    pub fn start<M: Classifier>(
        &self,
        model: M,
        device: &Device,
        observer: Observer<'_>,
    ) -> Result<Outcome<M>> {
        self.check()?;
        let progress = Progress {
            format: FORMAT,
            identity: self.identity(),
            epoch: 0,
            step: 0,
            task_updates: 0,
            separation_updates: 0,
            sums: Sums::default(),
            epochs: Vec::new(),
        };
        let optimizer = optimizer(self.config);
        Loop { run: *self, device, progress, optimizer }.until_the_end(model, observer)
    }

    /// Goes on from the checkpoint; `model` is one as [`start`](Self::start) began with, whatever its
    /// parameters.
    ///
    /// # Errors
    /// As [`start`](Self::start), and [`is_input`](Error::is_input) when there is no checkpoint, it is damaged,
    /// or of another run.
    pub fn resume<M: Classifier>(
        &self,
        model: M,
        device: &Device,
        observer: Observer<'_>,
    ) -> Result<Outcome<M>> {
        self.check()?;
        let Some(path) = self.checkpoint else {
            return Err(Error::configuration("there is no file of checkpoints to resume from"));
        };
        let optimizer = optimizer(self.config);
        let (progress, model, optimizer) =
            checkpoint::load(path, &self.identity(), model, optimizer)?;
        Loop { run: *self, device, progress, optimizer }.until_the_end(model, observer)
    }

    fn check(&self) -> Result<()> {
        let (train, test) = (self.train, self.test);
        if train.shape() != test.shape() || train.n_classes() != test.n_classes() {
            let kind = |samples: &Samples| (samples.shape(), samples.n_classes());
            let problem = format!(
                "those to learn from are {:?}, those to test on {:?}",
                kind(train),
                kind(test)
            );
            return Err(Error::samples(problem));
        }
        self.config.check()
    }

    /// Everything that the numbers of the run depend on, but for the pixels.
    fn identity(&self) -> String {
        let config = serde_json::to_string(self.config).expect("a configuration is plain data");
        let Self { seed, identity, .. } = self;
        let (n_train, n_test) = (self.train.len(), self.test.len());
        format!("{identity}, {n_train} + {n_test} samples, seed {seed}, {config}")
    }
}

fn optimizer(config: &TrainingConfig) -> ModuleOptimizer {
    // The ε of the paper and of PyTorch, not the one of burn.
    const EPSILON: f32 = 1e-8;
    match config.optimizer.rule {
        Rule::Adam => AdamConfig::new().with_epsilon(EPSILON).init(),
        Rule::AdamW { weight_decay } => {
            AdamWConfig::new().with_epsilon(EPSILON).with_weight_decay(weight_decay as f32).init()
        }
    }
}

/// A run under way.
struct Loop<'a> {
    run: Run<'a>,
    device: &'a Device,
    progress: Progress,
    optimizer: ModuleOptimizer,
}

impl Loop<'_> {
    fn until_the_end<M: Classifier>(
        mut self,
        mut model: M,
        observer: Observer<'_>,
    ) -> Result<Outcome<M>> {
        let plan = plan::epochs(self.run.config, self.run.train.len());
        let all = plan.iter().map(|epoch| epoch.steps() as u64).sum();
        while let Some(epoch) = plan.get(self.progress.epoch) {
            let begun = Instant::now();
            while self.progress.step < epoch.steps() {
                let loss_of = epoch.loss_of(self.progress.step);
                let loss;
                (model, loss) = self.step(model, epoch)?;
                self.progress.step += 1;
                let step = Step {
                    stage: epoch.stage,
                    epoch: epoch.number + 1,
                    step: self.progress.step,
                    steps: epoch.steps(),
                    done: self.progress.task_updates + self.progress.separation_updates,
                    all,
                    loss,
                    loss_of,
                };
                if observer(Event::Step(step)).is_break() {
                    self.progress.sums.seconds += begun.elapsed().as_secs_f64();
                    self.save(&model)?;
                    return Ok(self.outcome(model, false));
                }
            }
            let tested = match epoch.stage {
                Stage::Separation => None,
                Stage::Task => Some(self.test(&model, epoch)?),
            };
            let sums = std::mem::take(&mut self.progress.sums);
            let measured = Epoch {
                stage: epoch.stage,
                epoch: epoch.number + 1,
                separation_loss: sums.separation_loss(),
                train_loss: sums.loss(),
                train_accuracy: sums.accuracy(),
                test_loss: tested.map(|(loss, _)| loss),
                test_accuracy: tested.map(|(_, accuracy)| accuracy),
                rate: self.rate(epoch),
                task_updates: self.progress.task_updates,
                separation_updates: self.progress.separation_updates,
                seconds: sums.seconds + begun.elapsed().as_secs_f64(),
            };
            self.progress.epochs.push(measured);
            self.progress.epoch += 1;
            self.progress.step = 0;
            self.save(&model)?;
            let is_last = self.progress.epoch == plan.len();
            if observer(Event::Epoch(&measured)).is_break() && !is_last {
                return Ok(self.outcome(model, false));
            }
        }
        Ok(self.outcome(model, true))
    }

    fn outcome<M>(self, model: M, finished: bool) -> Outcome<M> {
        Outcome { model, epochs: self.progress.epochs, finished }
    }

    fn save<M: Classifier>(&self, model: &M) -> Result<()> {
        match self.run.checkpoint {
            Some(path) => checkpoint::save(path, &self.progress, model, &self.optimizer),
            None => Ok(()),
        }
    }

    /// The rate that rows show of an epoch.
    fn rate(&self, epoch: &EpochPlan) -> f64 {
        match (epoch.stage, epoch.inner_kind) {
            (Stage::Separation, InnerKind::Separation(inner)) => inner.rate,
            _ => self.run.config.rate(epoch.number),
        }
    }

    /// The next step of the epoch; returns the loss before it.
    fn step<M: Classifier>(&mut self, model: M, epoch: &EpochPlan) -> Result<(M, f64)> {
        let Run { config, train, seed, .. } = self.run;
        let (step, n) = (self.progress.step, train.len());
        let index = self.progress.epoch as u64;
        let inner = step < epoch.inner_steps;
        match epoch.inner_kind {
            InnerKind::Separation(settings) if inner => {
                let batch = seeds::batch(seed, Use::Inner, index, step, n, settings.batch_size);
                self.separation_step(model, epoch, &settings, &batch)
            }
            InnerKind::Task(batch_size) if inner => {
                let batch = seeds::batch(seed, Use::Inner, index, step, n, batch_size);
                self.task_step(model, epoch, &batch)
            }
            _ => {
                let k = step - epoch.inner_steps;
                let batch = seeds::batch(seed, Use::Task, index, k, n, config.batch_size);
                self.task_step(model, epoch, &batch)
            }
        }
    }

    /// W ← W − rate·∇L on the separation loss.
    fn separation_step<M: Classifier>(
        &mut self,
        model: M,
        epoch: &EpochPlan,
        inner: &Inner,
        batch: &[usize],
    ) -> Result<(M, f64)> {
        let images = self.run.train.images_at(batch, self.run.standardization, self.device);
        let loss = {
            // Blocks before the one whose patterns are compared may drop out.
            let _held = self.seeded(&model);
            model.separation_loss(images, &inner.loss)?
        };
        let Some(loss) = loss else {
            let problem =
                "there are steps on the separation loss, and the model has no feature map";
            return Err(Error::configuration(problem));
        };
        let value = self.finite(number(&loss), "separation loss", epoch, inner.rate)?;
        let mut gradients = loss.backward();
        let gradients = match inner.moves {
            Moves::Everything => GradientsParams::from_module(&mut gradients, &model),
            Moves::FeatureMaps => {
                GradientsParams::from_params(&mut gradients, &model, &model.feature_maps())
            }
        };
        // Without momentum there is no state to keep.
        let model = SgdConfig::new().init().step(inner.rate, model, gradients);
        let sums = &mut self.progress.sums;
        sums.separation_loss += value;
        sums.separation_steps += 1;
        self.progress.separation_updates += 1;
        Ok((model, value))
    }

    /// A step of the optimizer on the cross-entropy.
    fn task_step<M: Classifier>(
        &mut self,
        model: M,
        epoch: &EpochPlan,
        batch: &[usize],
    ) -> Result<(M, f64)> {
        let images = self.run.train.images_at(batch, self.run.standardization, self.device);
        let labels = self.run.train.labels_at(batch, self.device);
        let logits = {
            let _held = self.seeded(&model);
            model.logits(images)?
        };
        let correct = correct(&logits, batch, self.run.train);
        let loss = log_softmax(logits, 1).gather(1, labels).mean().neg();
        let rate = self.run.config.rate(epoch.number);
        let value = self.finite(number(&loss), "loss", epoch, rate)?;
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        let model = self.optimizer.step(rate, model, gradients);
        let sums = &mut self.progress.sums;
        sums.loss += value * batch.len() as f64;
        sums.correct += correct;
        sums.samples += batch.len() as u64;
        self.progress.task_updates += 1;
        Ok((model, value))
    }

    /// The generator of the backend, seeded for this step, where the model draws from it.
    fn seeded<M: Classifier>(&self, model: &M) -> Option<MutexGuard<'static, ()>> {
        model.draws().then(|| {
            let held = seeds::hold_generator();
            let Progress { epoch, step, .. } = self.progress;
            self.device.seed(seeds::dropout(self.run.seed, epoch as u64, step as u64));
            held
        })
    }

    fn finite(&self, value: f64, loss: &'static str, epoch: &EpochPlan, rate: f64) -> Result<f64> {
        if value.is_finite() {
            return Ok(value);
        }
        let steps = epoch.steps();
        let step = (self.progress.step + 1).min(steps);
        Err(Error::not_finite(loss, value, Place { epoch: epoch.number + 1, step, steps, rate }))
    }

    /// Cross-entropy and accuracy on the test samples.
    fn test<M: Classifier>(&self, model: &M, epoch: &EpochPlan) -> Result<(f64, f64)> {
        let (model, device) = (model.valid(), self.device.clone().without_autodiff());
        let test = self.run.test;
        let places: Vec<usize> = (0..test.len()).collect();
        let (mut loss, mut right) = (0.0, 0);
        for batch in places.chunks(TESTED_AT_ONCE) {
            let logits = model.logits(test.images_at(batch, self.run.standardization, &device))?;
            right += correct(&logits, batch, test);
            let labels = test.labels_at(batch, &device);
            loss += number(&log_softmax(logits, 1).gather(1, labels).sum().neg());
        }
        let rate = self.run.config.rate(epoch.number);
        let loss =
            self.finite(loss / test.len() as f64, "loss of the test samples", epoch, rate)?;
        Ok((loss, right as f64 / test.len() as f64))
    }
}

/// The value of a loss, `[1]`.
fn number(loss: &Tensor<1>) -> f64 {
    f64::from(loss.clone().detach().into_scalar::<f32>())
}

/// How many samples have their class's score above all before it and none below any after it.
fn correct(logits: &Tensor<2>, batch: &[usize], samples: &Samples) -> u64 {
    let n_classes = logits.dims()[1];
    let scores = logits.clone().detach().into_data().convert::<f32>();
    let scores: Vec<f32> = scores.try_to_vec().expect("just converted to f32");
    let is_right = |(row, &place): (&[f32], &usize)| {
        let best = (1..n_classes).fold(0, |best, i| if row[i] > row[best] { i } else { best });
        best == samples.labels()[place] as usize
    };
    scores.chunks_exact(n_classes).zip(batch).filter(|pair| is_right(*pair)).count() as u64
}
