//! What has no meaning is refused with one line that says what to do.

use burn::tensor::{Bool, Tensor, TensorData};
use uhop_nn::{
    Beta, HopfieldConfig, HopfieldInput, HopfieldLayerConfig, HopfieldPoolingConfig, Projection,
    SeparationConfig, SeparationLoss, ValueProjection,
};

use crate::common::device;

fn refused(config: &HopfieldConfig) -> String {
    let error = config.init(&device()).unwrap_err();
    assert!(error.is_configuration(), "{error}");
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    text
}

#[test]
fn configurations_without_meaning() {
    let with = |change: &dyn Fn(&mut HopfieldConfig)| {
        let mut config = HopfieldConfig::new(6);
        change(&mut config);
        refused(&config)
    };
    assert_eq!(
        with(&|c| c.projection.n_heads = 4),
        "Hopfield: dim is 6, which 4 heads do not divide; choose n_heads among its divisors, or set head_dim",
    );
    assert_eq!(
        with(&|c| c.projection.n_heads = 0),
        "Hopfield: n_heads is 0; it must be at least 1"
    );
    assert_eq!(with(&|c| c.dim = 0), "Hopfield: dim is 0; it must be at least 1");
    assert_eq!(
        with(&|c| {
            c.projection.head_dim = Some(4);
            c.projection.states = Projection::Static;
        }),
        "Hopfield: states are used as they come, but dim is 6 and n_heads times head_dim is 4; \
         make them equal, or project",
    );
    assert_eq!(
        with(&|c| {
            c.projection.output = Projection::Static;
            c.projection.output_dim = Some(4);
        }),
        "Hopfield: the output is used as it comes, but output_dim is 4 and n_heads times value_head_dim \
         is 6; make them equal, or project",
    );
    assert_eq!(
        with(&|c| c.association.dropout = 1.0),
        "Hopfield: dropout is 1; it must be at least 0 and below 1",
    );
    assert_eq!(
        with(&|c| c.dynamics.max_steps = 0),
        "Hopfield: max_steps is 0; it must be at least 1"
    );
    assert!(with(&|c| c.dynamics.tolerance = f64::NAN).contains("tolerance is NaN"));
    assert!(with(&|c| c.association.beta = Beta::All(0.0)).contains("beta is 0"));
    assert_eq!(
        with(&|c| c.association.beta = Beta::PerHead(vec![1.0, 2.0])),
        "Hopfield: beta has 2 entries for 1 heads; give one for each head, or one for all",
    );
    for separation in [
        SeparationConfig::Entmax { alpha: 0.5 },
        SeparationConfig::LearnedEntmax { alpha: 2.0 },
        SeparationConfig::LearnedEntmax { alpha: f64::NAN },
        SeparationConfig::Normmax { gamma: 1.0 },
        SeparationConfig::TopK { k: 0 },
        SeparationConfig::Polynomial { degree: 0 },
    ] {
        with(&|c| c.association.separation = separation);
    }
    let none = HopfieldPoolingConfig::new(HopfieldConfig::new(6)).with_states(0);
    assert!(none.init(&device()).unwrap_err().is_configuration());
    let none = HopfieldLayerConfig::new(HopfieldConfig::new(6), 0);
    assert!(none.init(&device()).unwrap_err().is_configuration());
    let unequal = with(&|c| {
        c.projection.values = ValueProjection::Connected;
        c.projection.value_dim = Some(4);
    });
    assert!(unequal.contains("value_dim is 4 and pattern_dim 6"), "{unequal}");
}

#[test]
fn shapes_that_do_not_fit() {
    let device = device();
    let rows = |shape: [usize; 3]| Tensor::<3>::zeros(shape, &device);
    let layer = HopfieldConfig::new(6).with_heads(2).init(&device).unwrap();
    let refused = |input: HopfieldInput| {
        let error = layer.forward(input).unwrap_err();
        assert!(error.is_shape_mismatch(), "{error}");
        error.to_string()
    };
    let good = || HopfieldInput::new(rows([2, 3, 6]), rows([2, 4, 6]));
    assert!(layer.forward(good()).is_ok());
    assert_eq!(
        refused(HopfieldInput::new(rows([2, 3, 5]), rows([2, 4, 6]))),
        "Hopfield: the states have shape [2, 3, 5]; their last axis must be dim, 6",
    );
    assert_eq!(
        refused(HopfieldInput::new(rows([2, 3, 6]), rows([1, 4, 6]))),
        "Hopfield: the patterns have shape [1, 4, 6]; \
         for states of shape [2, 3, 6] they must be [2, n_patterns, 6]",
    );
    assert!(
        refused(HopfieldInput::new(rows([2, 3, 6]), rows([2, 0, 6]))).contains("no axis may be 0")
    );
    assert!(refused(HopfieldInput::among(rows([0, 3, 6]))).contains("no axis may be 0"));
    assert!(refused(good().with_values(rows([2, 3, 6]))).contains("they must be [2, 4, 6]"));
    let flags = |n: usize| TensorData::new(vec![false; n], [2, n / 2]);
    let padding = Tensor::<2, Bool>::from_data(flags(6), &device);
    assert!(refused(good().with_padding(padding)).contains("[2, 4]"));
    let blocked = Tensor::<4, Bool>::from_data(
        TensorData::new(vec![false; 2 * 3 * 3 * 4], [2, 3, 3, 4]),
        &device,
    );
    assert!(refused(good().with_blocked(blocked)).contains("[2 or 1, 2 or 1, 3, 4]"));
    let one = layer.separation_loss(rows([2, 1, 6]), None, &SeparationLoss::average());
    assert!(one.unwrap_err().is_shape_mismatch());

    let mut other = HopfieldConfig::new(6);
    other.projection.value_dim = Some(3);
    let other = other.init(&device).unwrap();
    let error = other.forward(good()).unwrap_err().to_string();
    assert!(error.contains("give values"), "{error}");
}

#[test]
fn a_configuration_is_read_as_it_was_written_and_unknown_names_are_refused() {
    let config = HopfieldConfig::new(6)
        .with_separation(SeparationConfig::LearnedEntmax { alpha: 1.3 })
        .until_rest(9, 1e-3);
    let text = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<HopfieldConfig>(&text).unwrap(), config);
    assert_eq!(
        serde_json::from_str::<HopfieldConfig>(r#"{"dim": 6}"#).unwrap(),
        HopfieldConfig::new(6)
    );
    let wrong = r#"{"dim": 6, "association": {"bta": 3}}"#;
    assert!(serde_json::from_str::<HopfieldConfig>(wrong).unwrap_err().to_string().contains("bta"));
}
