//! A run that goes on from a checkpoint is one that was never stopped.

use std::fs;

use burn::module::{Module as _, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use tempfile::TempDir;
use uhop::Threads;
use uhop_nn::train::{OptimizerConfig, Rule, Run, Stage1, Standardization};
use uhop_nn::vision::{BodyConfig, Classification, Preset, Task, ViH};

use crate::{digits, epochs, go_on, preset, stop_after, task, untimed};

/// Runs of every kind, a few steps each.
fn runs() -> [(Classification, usize); 4] {
    // Dropout, and separation before.
    let mut published = preset(Preset::Published, "uhop-dense", 2);
    published.model.set_dim(16);
    published.model.patch_size = 14;
    if let Stage1::Before { epochs, inner } = &mut published.training.stage1 {
        (*epochs, inner.batch_size) = (2, 16);
    }
    published.training.batch_size = 16;
    let mut alternating = preset(Preset::Small, "uhop-sparse", 2);
    alternating.model.set_dim(8);
    if let Stage1::Alternating { steps, .. } = &mut alternating.training.stage1 {
        *steps = 2;
    }
    // What drops out in the first block is in the separation loss of the second.
    let mut deep = alternating.clone();
    let BodyConfig::Blocks { depth, hopfield, .. } = &mut deep.model.body else {
        panic!("the preset has blocks")
    };
    (*depth, hopfield.association.dropout) = (2, 0.3);
    let mut plain = preset(Preset::Small, "dense", 2);
    plain.model.set_dim(8);
    plain.training.stage1 = Stage1::Off;
    plain.training.optimizer =
        OptimizerConfig { rule: Rule::AdamW { weight_decay: 0.1 }, rate: 1e-2 };
    // 40 samples: 3 + 3 + 3 + 3, (2 + 2) · 2 twice, and 2 + 2 steps.
    [(published, 12), (alternating, 8), (deep, 8), (plain, 4)]
}

#[test]
fn a_resumed_run_has_the_bits_of_one_that_was_not_stopped() {
    let (train, test) = (digits(0, 40), digits(40, 30));
    for (classification, n_steps) in runs() {
        let whole = epochs(&classification, &task(&train, &test, 3));
        for stop in 1..n_steps {
            let folder = TempDir::new().unwrap();
            let path = folder.path().join("run.checkpoint");
            let task = Task { checkpoint: Some(&path), ..task(&train, &test, 3) };
            let stopped = classification.start(&task, &mut stop_after(stop)).unwrap();
            assert!(!stopped.finished);
            let resumed = classification.resume(&task, &mut go_on).unwrap();
            assert!(resumed.finished);
            assert_eq!(untimed(&resumed.epochs), whole, "stopped after {stop}");
            let again = classification.resume(&task, &mut go_on).unwrap();
            assert_eq!(again, resumed, "nothing is left to do");
        }
    }
}

/// Stopped twice, and the model itself.
#[test]
fn the_model_of_a_resumed_run_is_the_same() {
    let (train, test) = (digits(0, 40), digits(40, 10));
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("run.checkpoint");
    let device = Device::flex().autodiff();
    for (classification, _) in runs() {
        let run = Run {
            config: &classification.training,
            train: &train,
            test: &test,
            standardization: &Standardization::none(train.shape()),
            seed: 0,
            checkpoint: Some(&path),
            identity: "a model",
        };
        let model = |seed| classification.model.init(seed, &device).unwrap();
        let whole = run.start(model(0), &device, &mut go_on).unwrap().model;
        assert!(!run.start(model(0), &device, &mut stop_after(1)).unwrap().finished);
        assert!(!run.resume(model(1), &device, &mut stop_after(2)).unwrap().finished);
        let resumed = run.resume(model(2), &device, &mut go_on).unwrap().model;
        let parameters = |model: ViH| {
            let mut all = Values::default();
            model.visit(&mut all);
            all.0
        };
        let (whole, resumed) = (parameters(whole), parameters(resumed));
        assert!(whole.len() > 1000 && whole == resumed);
    }
}

/// The values of all parameters.
#[derive(Default)]
struct Values(Vec<f32>);

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.extend(param.val().into_data().try_to_vec::<f32>().unwrap());
    }
}

#[test]
fn numbers_depend_neither_on_threads_nor_on_what_else_draws() {
    let (train, test) = (digits(0, 40), digits(40, 10));
    for (classification, _) in runs() {
        let task = task(&train, &test, 0);
        let one = Threads::new(1).unwrap().install(|| epochs(&classification, &task));
        let four = Threads::new(4).unwrap().install(|| epochs(&classification, &task));
        assert_eq!(one, four);
        let other = Task { seed: 1, ..task };
        assert_ne!(epochs(&classification, &other), one);
    }
}

#[test]
fn a_loss_that_is_not_finite_ends_the_run_and_keeps_the_checkpoint() {
    let (train, test) = (digits(0, 40), digits(40, 10));
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("run.checkpoint");
    let (mut classification, _) = runs().into_iter().next_back().unwrap();
    classification.training.optimizer = OptimizerConfig { rule: Rule::Adam, rate: 1e30 };
    let task = Task { checkpoint: Some(&path), ..task(&train, &test, 0) };
    let error = classification.start(&task, &mut go_on).unwrap_err();
    assert!(error.is_not_finite() && !error.is_input());
    let text = error.to_string();
    assert!(
        text.contains("epoch 1, step 2 of 2, at rate 1000000000000000000000000000000"),
        "{text}"
    );
    assert!(!path.exists());
}

#[test]
fn checkpoints_of_other_runs_and_damaged_ones_are_refused() {
    let (train, test) = (digits(0, 40), digits(40, 10));
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("run.checkpoint");
    let (classification, _) = runs().into_iter().next_back().unwrap();
    let own = Task { checkpoint: Some(&path), ..task(&train, &test, 0) };
    let missing = classification.resume(&own, &mut go_on).unwrap_err().to_string();
    assert!(missing.contains("run.checkpoint"), "{missing}");
    let nowhere = Task { checkpoint: None, ..own };
    assert!(classification.resume(&nowhere, &mut go_on).unwrap_err().is_input());
    classification.start(&own, &mut go_on).unwrap();

    let mut longer = classification.clone();
    longer.training.epochs += 1;
    let other_data = Task { data: "letters", ..own };
    let other_seed = Task { seed: 1, ..own };
    let refused = [
        longer.resume(&own, &mut go_on),
        classification.resume(&other_data, &mut go_on),
        classification.resume(&other_seed, &mut go_on),
    ];
    for refused in refused {
        let error = refused.unwrap_err();
        assert!(error.is_input() && error.to_string().contains("is of another run"), "{error}");
    }

    let whole = fs::read(&path).unwrap();
    for (n, byte) in [(10, None), (whole.len() - 1, None), (whole.len(), Some(20))] {
        let mut bytes = whole[..n].to_vec();
        if let Some(place) = byte {
            bytes[place] ^= 0xff;
        }
        fs::write(&path, bytes).unwrap();
        let error = classification.resume(&own, &mut go_on).unwrap_err().to_string();
        assert!(error.contains("not a checkpoint as it was written"), "{error}");
    }
}

/// One bit of the parameters or moments, which look like any others, or of what was measured.
#[test]
fn a_flipped_bit_in_a_checkpoint_is_found() {
    let (train, test) = (digits(0, 40), digits(40, 10));
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("run.checkpoint");
    let (classification, _) = runs().into_iter().next_back().unwrap();
    let task = Task { checkpoint: Some(&path), ..task(&train, &test, 0) };
    classification.start(&task, &mut go_on).unwrap();
    let whole = fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let text = std::str::from_utf8(&whole[8..header]).unwrap();
    let name = text.find("train_loss").unwrap();
    // A digit of a number behind its point.
    let measured = 8 + name + text[name..].find("0.").unwrap() + 5;
    let places = (header..whole.len()).step_by((whole.len() - header) / 20).chain([measured]);
    for place in places {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        fs::write(&path, bytes).unwrap();
        let error = classification.resume(&task, &mut go_on).unwrap_err().to_string();
        assert!(error.contains("not a checkpoint as it was written"), "{place}: {error}");
    }
    fs::write(&path, whole).unwrap();
    assert!(classification.resume(&task, &mut go_on).is_ok());
}
