//! Which steps there are, in which order.

use super::config::{Inner, Stage1, TrainingConfig};
use super::epoch::Stage;

/// The steps of one epoch: inner ones, then task ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct EpochPlan {
    pub(super) stage: Stage,
    /// Within the stage, from 0.
    pub(super) number: usize,
    pub(super) inner_steps: usize,
    pub(super) inner_kind: InnerKind,
    pub(super) task_steps: usize,
}

/// What inner steps are on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum InnerKind {
    /// There are none.
    None,
    /// On the separation loss.
    Separation(Inner),
    /// On the task loss, with batches of this size.
    Task(usize),
}

/// All epochs of a training on so many samples.
pub(super) fn epochs(config: &TrainingConfig, n_samples: usize) -> Vec<EpochPlan> {
    let mut plan = Vec::new();
    if let Stage1::Before { epochs, inner } = config.stage1 {
        plan.extend((0..epochs).map(|number| EpochPlan {
            stage: Stage::Separation,
            number,
            inner_steps: n_samples.div_ceil(inner.batch_size),
            inner_kind: InnerKind::Separation(inner),
            task_steps: 0,
        }));
    }
    let task_steps = n_samples.div_ceil(config.batch_size);
    plan.extend((0..config.epochs).map(|number| {
        let (inner_steps, inner_kind) = match config.stage1 {
            Stage1::Alternating { steps, epochs, inner } if number < epochs => {
                (steps, InnerKind::Separation(inner))
            }
            Stage1::Task { steps, epochs, batch_size } if number < epochs => {
                (steps, InnerKind::Task(batch_size))
            }
            _ => (0, InnerKind::None),
        };
        EpochPlan { stage: Stage::Task, number, inner_steps, inner_kind, task_steps }
    }));
    plan
}

impl EpochPlan {
    pub(super) fn steps(&self) -> usize {
        self.inner_steps + self.task_steps
    }

    /// Which loss a step is on.
    pub(super) fn loss_of(&self, step: usize) -> Stage {
        match self.inner_kind {
            InnerKind::Separation(_) if step < self.inner_steps => Stage::Separation,
            _ => Stage::Task,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeparationLoss;
    use crate::train::Moves;

    const INNER: fn() -> Inner = || Inner {
        batch_size: 4,
        rate: 0.1,
        loss: SeparationLoss::average(),
        moves: Moves::FeatureMaps,
    };

    fn steps(stage1: Stage1) -> Vec<(usize, usize)> {
        let config =
            TrainingConfig { epochs: 3, batch_size: 3, stage1, ..TrainingConfig::default() };
        let plan = epochs(&config, 10);
        plan.iter().map(|epoch| (epoch.inner_steps, epoch.task_steps)).collect()
    }

    #[test]
    fn inner_steps_come_first_or_before_the_first_epochs() {
        assert_eq!(steps(Stage1::Off), [(0, 4); 3]);
        let before = Stage1::Before { epochs: 2, inner: INNER() };
        assert_eq!(steps(before), [(3, 0), (3, 0), (0, 4), (0, 4), (0, 4)]);
        let alternating = Stage1::Alternating { steps: 5, epochs: 2, inner: INNER() };
        let task = Stage1::Task { steps: 5, epochs: 2, batch_size: 4 };
        assert_eq!(steps(alternating), [(5, 4), (5, 4), (0, 4)]);
        // Where they are on the task loss there are as many.
        assert_eq!(steps(task), steps(alternating));
    }

    #[test]
    fn steps_are_on_the_loss_of_their_kind() {
        let losses = |stage1| {
            let config =
                TrainingConfig { epochs: 2, batch_size: 5, stage1, ..TrainingConfig::default() };
            let of = |epoch: EpochPlan| (0..epoch.steps()).map(move |step| epoch.loss_of(step));
            epochs(&config, 10).into_iter().flat_map(of).collect::<Vec<_>>()
        };
        let (task, separation) = ([Stage::Task; 2], [Stage::Separation; 3]);
        let alternating = Stage1::Alternating { steps: 3, epochs: 1, inner: INNER() };
        assert_eq!(losses(alternating), [&separation[..], &task, &task].concat());
        let before = Stage1::Before { epochs: 1, inner: INNER() };
        assert_eq!(losses(before), [&separation[..], &task, &task].concat());
        let all_task = Stage1::Task { steps: 3, epochs: 1, batch_size: 4 };
        assert_eq!(losses(all_task), [Stage::Task; 7]);
    }
}
