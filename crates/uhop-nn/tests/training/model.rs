//! The model and its configuration.

use burn::tensor::{Device, Distribution, Tensor};
use ndarray::Array2;
use uhop_nn::SeparationLoss;
use uhop_nn::train::{Classifier as _, ImageShape, Samples};
use uhop_nn::vision::{Body, BodyConfig, Preset};

use crate::{digits, go_on, preset, task};

const RGB: ImageShape = ImageShape { height: 4, width: 6, channels: 3 };

/// A patch is a rectangle of pixels: with the identity in place of the embedding, tokens are the pixels.
#[test]
fn patches_are_rectangles_of_pixels() {
    let device = Device::flex();
    let mut config = Preset::Small.of("dense".parse().unwrap(), RGB, 2).model;
    config.positions = false;
    config.patch_size = 2;
    config.set_dim(12);
    let BodyConfig::Blocks { hopfield, .. } = &mut config.body else {
        panic!("the small preset has blocks");
    };
    hopfield.projection.n_heads = 4;
    let mut model = config.init(0, &device).unwrap();
    model.embedding.weight = burn::module::Param::from_tensor(Tensor::eye(12, &device));
    model.embedding.bias = None;
    let numbers: Vec<f32> = (0..72).map(|i| i as f32).collect();
    let image = Tensor::<1>::from_floats(numbers.as_slice(), &device).reshape([1, 72]);
    let tokens = model.tokens(image).unwrap();
    assert_eq!(tokens.dims(), [1, 7, 12]);
    // Row 2 and 3, columns 2 and 3: the fifth patch, behind the class token.
    let fifth: Vec<f32> = tokens.narrow(1, 5, 1).into_data().try_to_vec().unwrap();
    let pixel =
        |row: usize, column: usize| (0..3).map(move |c| ((row * 6 + column) * 3 + c) as f32);
    let expected: Vec<f32> =
        [(2, 2), (2, 3), (3, 2), (3, 3)].into_iter().flat_map(|(r, c)| pixel(r, c)).collect();
    assert_eq!(fifth, expected);
}

/// Φ starts as the identity in the fair preset, so that models with it start as those without.
#[test]
fn parameters_are_by_the_seed_alone() {
    let images = digits(0, 5);
    let logits = |contender, seed| {
        let device = Device::flex();
        // Whatever the device would draw.
        let _ = Tensor::<1>::random([3], Distribution::Default, &device);
        let model =
            Preset::Small.of(contender, images.shape(), 10).model.init(seed, &device).unwrap();
        let pixels: Vec<f32> = images.images().iter().copied().collect();
        let pixels = Tensor::<1>::from_floats(pixels.as_slice(), &device).reshape([5, 784]);
        model.logits(pixels).unwrap().into_data().try_to_vec::<f32>().unwrap()
    };
    let dense = "dense".parse().unwrap();
    assert_eq!(logits(dense, 7), logits(dense, 7));
    assert_eq!(logits(dense, 7), logits("uhop-dense".parse().unwrap(), 7));
    assert_ne!(logits(dense, 7), logits(dense, 8));
}

#[test]
fn the_feature_maps_are_found_where_there_are_some() {
    let device = Device::flex();
    for (preset, n_of_uhop) in [(Preset::Published, 2), (Preset::Small, 1)] {
        for (contender, n) in [("dense", 0), ("map-sparse", n_of_uhop), ("uhop-dense", n_of_uhop)] {
            let mut config = preset.of(contender.parse().unwrap(), digits(0, 1).shape(), 10).model;
            config.set_dim(16);
            let model = config.init(0, &device).unwrap();
            assert_eq!(model.feature_maps().len(), n, "{contender}");
            let image = Tensor::zeros([1, 784], &device);
            let loss = model.separation_loss(image, &SeparationLoss::average()).unwrap();
            assert_eq!(loss.is_some(), n > 0, "{contender}");
            assert_eq!(matches!(model.body, Body::Pooling(_)), preset == Preset::Published);
        }
    }
}

#[test]
fn what_has_no_meaning_is_refused() {
    let device = Device::flex();
    let mut good = Preset::Small.of("dense".parse().unwrap(), RGB, 2).model;
    good.patch_size = 2;
    let changed = |change: fn(&mut uhop_nn::vision::ViHConfig)| {
        let mut config = good.clone();
        change(&mut config);
        config.init(0, &device).unwrap_err().to_string()
    };
    let tile = changed(|config| config.patch_size = 3);
    assert!(tile.contains("3 x 3 pixels do not tile images of 4 x 6"), "{tile}");
    assert!(changed(|config| config.patch_size = 0).contains("0 x 0"));
    assert!(changed(|config| config.n_classes = 0).contains("n_classes is 0"));
    assert!(changed(|config| config.dim = 8).contains("make them equal"));
    let depth = changed(|config| {
        if let BodyConfig::Blocks { depth, .. } = &mut config.body {
            *depth = 0;
        }
    });
    assert!(depth.contains("depth is 0"), "{depth}");
    let model = good.init(0, &device).unwrap();
    let error = model.logits(Tensor::zeros([1, 70], &device)).unwrap_err();
    assert!(error.is_shape_mismatch());

    let other = Samples::new(Array2::zeros((2, 72)), vec![0, 1], RGB, 2).unwrap();
    let classification = preset(Preset::Small, "dense", 1);
    let train = digits(0, 4);
    let error = classification.start(&task(&train, &other, 0), &mut go_on).unwrap_err();
    assert!(
        error.is_input() && error.to_string().contains("samples: those to learn from"),
        "{error}"
    );
}
