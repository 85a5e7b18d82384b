//! It learns.

use uhop_nn::train::{Stage, Stage1};
use uhop_nn::vision::{BodyConfig, Preset};

use crate::{digits, epochs, preset, task};

/// On 200 digits that they have not seen, after 800 that they have.
#[test]
fn small_models_learn_the_digits() {
    let (train, test) = (digits(0, 800), digits(800, 200));
    for contender in ["dense", "uhop-sparse"] {
        let measured = epochs(&preset(Preset::Small, contender, 12), &task(&train, &test, 0));
        let (first, last) = (measured[0], measured[11]);
        let best = measured.iter().filter_map(|epoch| epoch.test_accuracy).fold(0.0, f64::max);
        assert!(best > 0.9, "{contender}: {best}");
        assert!(last.train_loss.unwrap() < 0.2 * first.train_loss.unwrap(), "{contender}");
        assert!(last.test_loss.unwrap() < first.test_loss.unwrap(), "{contender}");
        if contender.starts_with("uhop") {
            let [first, last] = [first, last].map(|epoch| epoch.separation_loss.unwrap());
            assert!(last < first, "{first} {last}");
        }
    }
}

/// In the published preset the image and the class token go apart, until opposite: ‖φ − φ'‖² = 4, L = −8.
#[test]
fn the_published_passes_drive_one_patch_and_the_class_token_apart() {
    let (train, test) = (digits(0, 200), digits(200, 50));
    let mut classification = preset(Preset::Published, "uhop-dense", 1);
    classification.model.set_dim(32);
    assert_eq!(classification.model.n_patches().unwrap(), 1);
    let Stage1::Before { epochs: passes, inner } = &mut classification.training.stage1 else {
        panic!("the published preset separates before it trains");
    };
    (*passes, inner.batch_size) = (20, 20);
    let measured = epochs(&classification, &task(&train, &test, 0));
    let losses: Vec<f64> = measured.iter().filter_map(|epoch| epoch.separation_loss).collect();
    assert_eq!((measured.len(), losses.len(), measured[20].stage), (21, 20, Stage::Task));
    assert!(losses.is_sorted_by(|a, b| a > b), "{losses:?}");
    assert!((-8.0..-7.0).contains(&losses[19]), "{losses:?}");
    assert_eq!(measured[20].separation_updates, 20 * 10);
}

/// Where there is one patch, its weight is 1, whatever makes weights of scores.
#[test]
fn with_one_patch_sparse_is_dense() {
    let (train, test) = (digits(0, 60), digits(60, 20));
    let of = |contender, patch_size| {
        let mut classification = preset(Preset::Published, contender, 2);
        classification.model.set_dim(16);
        classification.model.patch_size = patch_size;
        epochs(&classification, &task(&train, &test, 0))
    };
    assert_eq!(of("dense", 28), of("sparse", 28));
    assert_ne!(of("dense", 7), of("sparse", 7));
}

/// All models of the fair presets make as many steps, those with Φ on as many parameters.
#[test]
fn the_fair_presets_are_fair() {
    let made = |contender| preset(Preset::Fair, contender, 25);
    let n_parameters = |contender| made(contender).n_parameters().unwrap();
    assert_eq!(n_parameters("dense"), n_parameters("sparse"));
    assert_eq!(n_parameters("map-dense"), n_parameters("uhop-dense"));
    // 8 heads of width 64.
    assert_eq!(n_parameters("map-dense") - n_parameters("dense"), 8 * 64 * 64);
    let BodyConfig::Blocks { hopfield: with, .. } = made("uhop-dense").model.body else { panic!() };
    let BodyConfig::Blocks { hopfield: without, .. } = made("dense").model.body else { panic!() };
    assert_eq!(with.projection, without.projection);

    let (train, test) = (digits(0, 100), digits(100, 20));
    let updates = |contender| {
        let mut classification = preset(Preset::Small, contender, 1);
        classification.model.set_dim(8);
        let last = epochs(&classification, &task(&train, &test, 0))[0];
        (last.task_updates, last.separation_updates)
    };
    assert_eq!(["dense", "map-dense", "uhop-dense"].map(updates), [(14, 0), (14, 0), (4, 10)]);
}
