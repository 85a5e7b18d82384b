//! The specification: which data, which setups of which models, how many seeds.

use serde::{Deserialize, Serialize};
use uhop_data::datasets::Dataset;
use uhop_nn::train::{DeviceName, ImageShape, Rule, Stage1, TrainingConfig};
use uhop_nn::vision::{Classification, Contender, Preset};

use super::data::Data;
use crate::data::missing;
use crate::error::Result;
use crate::spec::{Specification, check, shipped};

/// Which data, which setups of which models, how many seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name.
    #[serde(deserialize_with = "check::name")]
    pub name: String,
    /// One line for lists and titles.
    #[serde(deserialize_with = "check::title")]
    pub title: String,
    /// What is done and how to read it, for reports.
    pub method: String,
    /// The data sets to use of those that are there.
    #[serde(deserialize_with = "check::datasets", serialize_with = "check::names")]
    pub datasets: Vec<Dataset>,
    /// Trainings of each model, by the seeds from 0.
    #[serde(deserialize_with = "check::seeds")]
    pub seeds: usize,
    /// What is trained how.
    #[serde(deserialize_with = "check::some")]
    pub setup: Vec<Setup>,
    /// What is smaller in a quick run.
    pub quick: Quick,
}

/// Models of one preset, and what differs from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// The preset.
    pub preset: Preset,
    /// The models.
    #[serde(deserialize_with = "check::some")]
    pub contenders: Vec<Contender>,
    /// Passes over the samples.
    #[serde(default, deserialize_with = "check::count_if_any")]
    pub epochs: Option<usize>,
    /// Passes of Stage I where it comes before the training.
    #[serde(default, deserialize_with = "check::count_if_any")]
    pub stage1_epochs: Option<usize>,
    /// The rate of the steps on the separation loss, of models that have it.
    #[serde(default, deserialize_with = "check::positive_if_any")]
    pub stage1_rate: Option<f64>,
    /// Samples to learn from: the first.
    #[serde(default, deserialize_with = "check::count_if_any")]
    pub n_train: Option<usize>,
    /// Samples to test on: the first.
    #[serde(default, deserialize_with = "check::count_if_any")]
    pub n_test: Option<usize>,
    /// Width of a token.
    #[serde(default, deserialize_with = "check::width_if_any")]
    pub dim: Option<usize>,
    /// Height and width of a patch.
    #[serde(default, deserialize_with = "check::count_if_any")]
    pub patch_size: Option<usize>,
    /// How gradients of the task become steps.
    #[serde(default)]
    pub optimizer: Option<Rule>,
    /// The rate of the first epoch.
    #[serde(default, deserialize_with = "check::positive_if_any")]
    pub rate: Option<f64>,
    /// Where it is trained.
    #[serde(default)]
    pub device: DeviceName,
}

/// What is smaller in a quick run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quick {
    /// Trainings of each model.
    #[serde(deserialize_with = "check::seeds")]
    pub seeds: usize,
    /// What is trained how.
    #[serde(deserialize_with = "check::some")]
    pub setup: Vec<Setup>,
}

impl Spec {
    /// The specification of the table of accuracies.
    ///
    /// # Errors
    /// None unless the program was built with a wrong one, which a test excludes.
    pub fn classification() -> Result<Self> {
        Self::parse(shipped::CLASSIFICATION, "classification.toml")
    }

    /// The data sets it is for that are not among these.
    pub fn missing(&self, data: &[Data]) -> Vec<Dataset> {
        let there: Vec<&str> = data.iter().map(Data::name).collect();
        missing(&self.datasets, &there)
    }

    /// The specification of the curves of learning.
    ///
    /// # Errors
    /// None unless the program was built with a wrong one, which a test excludes.
    pub fn convergence() -> Result<Self> {
        Self::parse(shipped::CONVERGENCE, "convergence.toml")
    }
}

impl Specification for Spec {
    fn contradiction(&self) -> Option<(&'static str, String)> {
        let all = || self.setup.iter().chain(&self.quick.setup);
        if let Some(error) = all().find_map(|setup| setup.check().err()) {
            return Some(("setup", error.to_string()));
        }
        if let Some((key, why)) = all().find_map(Setup::unused) {
            return Some(("setup", format!("{key}: {why}")));
        }
        let names: Vec<String> = self.setup.iter().map(Setup::name).collect();
        let twice = (1..names.len()).find(|&i| names[..i].contains(&names[i]))?;
        Some(("setup", format!("two are called {:?}; make them one", names[twice])))
    }

    fn quick(&self) -> Self {
        let Quick { seeds, setup } = self.quick.clone();
        Self { seeds, setup, ..self.clone() }
    }
}

impl Setup {
    /// A preset as it is.
    pub fn of(preset: Preset, contenders: Vec<Contender>) -> Self {
        Self {
            preset,
            contenders,
            epochs: None,
            stage1_epochs: None,
            stage1_rate: None,
            n_train: None,
            n_test: None,
            dim: None,
            patch_size: None,
            optimizer: None,
            rate: None,
            device: DeviceName::Cpu,
        }
    }

    /// The preset and what differs from it, for rows.
    ///
    /// ```
    /// use uhop_lab::classification::Setup;
    /// use uhop_nn::vision::Preset;
    ///
    /// let setup = Setup { epochs: Some(5), dim: Some(64), ..Setup::of(Preset::Fair, vec![]) };
    /// assert_eq!(setup.name(), "fair, epochs 5, dim 64");
    /// ```
    pub fn name(&self) -> String {
        let differs = [
            ("epochs", self.epochs),
            ("stage1_epochs", self.stage1_epochs),
            ("n_train", self.n_train),
            ("n_test", self.n_test),
            ("dim", self.dim),
            ("patch_size", self.patch_size),
        ];
        let sizes = differs.into_iter().filter_map(|(key, n)| Some(format!("{key} {}", n?)));
        let mut parts = vec![self.preset.name().to_owned()];
        parts.extend(sizes);
        parts.extend(self.optimizer.map(|rule| match rule {
            Rule::Adam => "adam".to_owned(),
            Rule::AdamW { weight_decay } => format!("adamw {weight_decay}"),
        }));
        parts.extend(self.rate.map(|rate| format!("rate {rate}")));
        parts.extend(self.stage1_rate.map(|rate| format!("stage1_rate {rate}")));
        if self.device != DeviceName::Cpu {
            parts.push(format!("on {}", self.device));
        }
        parts.join(", ")
    }

    /// What its trainings would refuse whatever the images.
    ///
    /// # Errors
    /// Those of [`TrainingConfig::check`].
    pub fn check(&self) -> uhop_nn::train::Result<()> {
        self.trainings().try_for_each(|training| training.check())
    }

    /// A key that is given and changes none of its trainings, and why.
    pub fn unused(&self) -> Option<(&'static str, &'static str)> {
        let is_before = |stage1: Stage1| matches!(stage1, Stage1::Before { .. });
        if self.stage1_rate.is_some() && self.trainings().all(|of| of.stage1.inner().is_none()) {
            Some(("stage1_rate", "no model has the separation loss; add a uhop- model"))
        } else if self.stage1_epochs.is_some() && !self.trainings().any(|of| is_before(of.stage1)) {
            let why =
                "no model has Stage I before its training; uhop- models of the published preset do";
            Some(("stage1_epochs", why))
        } else {
            None
        }
    }

    /// How its models are trained, which depends neither on the images nor on their classes.
    fn trainings(&self) -> impl Iterator<Item = TrainingConfig> {
        let image = ImageShape { height: 32, width: 32, channels: 3 };
        self.contenders.iter().map(move |&of| self.classification(of, image, 10).training)
    }

    /// Model and training of a contender.
    pub fn classification(
        &self,
        contender: Contender,
        image: ImageShape,
        n_classes: usize,
    ) -> Classification {
        let mut classification = self.preset.of(contender, image, n_classes);
        if let Some(dim) = self.dim {
            classification.model.set_dim(dim);
        }
        if let Some(patch_size) = self.patch_size {
            classification.model.patch_size = patch_size;
        }
        let training = &mut classification.training;
        if let Some(epochs) = self.epochs {
            training.epochs = epochs;
        }
        if let Some(rule) = self.optimizer {
            training.optimizer.rule = rule;
        }
        if let Some(rate) = self.rate {
            training.optimizer.rate = rate;
        }
        // Before each epoch, however many there are.
        if let Stage1::Alternating { epochs, .. } | Stage1::Task { epochs, .. } =
            &mut training.stage1
        {
            *epochs = training.epochs;
        }
        if let (Some(passes), Stage1::Before { epochs, .. }) =
            (self.stage1_epochs, &mut training.stage1)
        {
            *epochs = passes;
        }
        if let (Some(rate), Stage1::Before { inner, .. } | Stage1::Alternating { inner, .. }) =
            (self.stage1_rate, &mut training.stage1)
        {
            inner.rate = rate;
        }
        classification
    }
}

#[cfg(test)]
mod tests {
    use uhop_nn::train::OptimizerConfig;

    use super::*;

    /// Before the first training, and whether the quick run has it or the other.
    #[test]
    fn an_optimizer_that_cannot_be_is_refused_with_the_specification() {
        let good = shipped::CLASSIFICATION;
        let first = good.find("[[setup]]").unwrap() + "[[setup]]".len();
        let last = good.rfind("[[quick.setup]]").unwrap() + "[[quick.setup]]".len();
        for at in [first, last] {
            let (before, after) = good.split_at(at);
            let decay = "optimizer = { adam_w = { weight_decay = -1.0 } }";
            let error = Spec::parse(&format!("{before}\n{decay}{after}"), "a.toml").unwrap_err();
            let said = error.to_string();
            assert!(error.is_input() && said.contains("weight_decay is -1; it must be"), "{said}");
        }
    }

    /// No option is left out of account without a word.
    #[test]
    fn what_changes_no_training_is_said() {
        let of = |preset, models: &[&str]| {
            Setup::of(preset, models.iter().map(|model| model.parse().unwrap()).collect())
        };
        for (preset, models, epochs, rate) in [
            (Preset::Fair, &["dense", "map-dense"][..], true, true),
            (Preset::Fair, &["dense", "uhop-dense"], true, false),
            (Preset::Published, &["dense"], true, true),
            (Preset::Published, &["dense", "uhop-sparse"], false, false),
        ] {
            let setup = Setup { stage1_epochs: Some(2), ..of(preset, models) };
            assert_eq!(setup.unused().is_some(), epochs, "{preset:?} {models:?}");
            let setup = Setup { stage1_rate: Some(0.5), ..of(preset, models) };
            assert_eq!(setup.unused().is_some(), rate, "{preset:?} {models:?}");
            assert_eq!(of(preset, models).unused(), None);
        }
        let text = shipped::CLASSIFICATION.replacen("stage1_epochs = 2", "stage1_rate = 0.5", 1);
        assert!(Spec::parse(&text, "a.toml").is_ok());
        let text = text.replace("\"dense\", \"uhop-dense\"]", "\"dense\"]");
        let error = Spec::parse(&text, "a.toml").unwrap_err().to_string();
        assert!(error.contains("stage1_rate: no model has the separation loss"), "{error}");
    }

    #[test]
    fn the_specifications_are_some_and_smaller_in_quick_runs() {
        for (spec, name) in [
            (Spec::classification().unwrap(), "classification"),
            (Spec::convergence().unwrap(), "convergence"),
        ] {
            assert_eq!(spec.name, name);
            assert!(spec.quick().seeds <= spec.seeds);
            assert_eq!(spec.contradiction(), None);
            assert_eq!(spec.quick().contradiction(), None);
        }
    }

    #[test]
    fn what_differs_from_a_preset_reaches_model_and_training() {
        let image = ImageShape { height: 32, width: 32, channels: 3 };
        let mut setup = Setup::of(Preset::Published, vec![]);
        (setup.epochs, setup.stage1_epochs) = (Some(3), Some(2));
        (setup.dim, setup.patch_size) = (Some(48), Some(16));
        (setup.optimizer, setup.rate) = (Some(Rule::AdamW { weight_decay: 0.5 }), Some(0.25));
        setup.stage1_rate = Some(0.125);
        let made = setup.classification("uhop-dense".parse().unwrap(), image, 10);
        assert_eq!((made.model.dim, made.model.n_patches().unwrap()), (48, 4));
        assert!(matches!(made.training.stage1, Stage1::Before { epochs: 2, .. }));
        assert_eq!(made.training.epochs, 3);
        let rule = Rule::AdamW { weight_decay: 0.5 };
        assert_eq!(made.training.optimizer, OptimizerConfig { rule, rate: 0.25 });
        assert!(
            setup.name().ends_with(", patch_size 16, adamw 0.5, rate 0.25, stage1_rate 0.125"),
            "{}",
            setup.name()
        );
        assert_eq!(made.training.stage1.inner().unwrap().rate, 0.125);
        assert!(made.n_parameters().is_ok());
        let fair = Setup { epochs: Some(3), ..Setup::of(Preset::Fair, vec![]) };
        let made = fair.classification("dense".parse().unwrap(), image, 10);
        assert!(matches!(made.training.stage1, Stage1::Task { epochs: 3, .. }));
    }
}
