//! All settings of a run, as they are kept in its `config.toml`: running it again repeats the run to the bit.

use std::ops::Range;

use latents_data::{Augmentation, Mix, Pictures};
use latents_engine::{Group, Init, Layout, Network, Optimizer, Rule, Schedule, Shape};
use latents_models::{AutoencoderConfig, ClassifierConfig, CnnConfig, ModelConfig, VaeConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::encoder::{self, EncoderTraining};
use crate::error::Error;

/// Settings of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Which images.
    pub data: DataConfig,
    /// How they are learnt.
    pub training: TrainingConfig,
    /// What learns them.
    pub model: ModelConfig,
}

/// Settings of a run, any of which may be left out.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
// Only to tell what is wrong with a file, and on which line.
struct Given {
    data: DataConfig,
    training: TrainingConfig,
    model: ModelConfig,
}

impl RunConfig {
    /// The settings of a file, any of which may be left out, over these.
    ///
    /// # Errors
    /// Where the file is no TOML, has a setting that is none (the nearest one is named), or one that cannot have its value; with
    /// the line.
    pub fn overlaid(&self, file: &str) -> Result<Self, Error> {
        let fault = |e: &dyn std::fmt::Display| Error::Config(with_nearest(&e.to_string()));
        let given: toml::Table = toml::from_str(file).map_err(|e| fault(&e))?;
        toml::from_str::<Given>(file).map_err(|e| fault(&with_kinds(&e.to_string(), &given)))?;
        let mut table = toml::Table::try_from(self).map_err(|e| fault(&e))?;
        overlay(&mut table, given);
        table.try_into().map_err(|e| fault(&e))
    }

    /// These settings with some others, each by the name that it has in `config.toml`'s sections `model` and `training`.
    ///
    /// # Errors
    /// Where there is no setting of a name, or it cannot have the value.
    pub fn with(
        &self,
        settings: impl IntoIterator<Item = (String, toml::Value)>,
    ) -> Result<Self, Error> {
        let fault = |e: &dyn std::fmt::Display| Error::Config(with_nearest(&e.to_string()));
        let mut table = toml::Table::try_from(self).map_err(|e| fault(&e))?;
        let of_training = fields::<TrainingConfig>();
        let of_model = match &self.model {
            ModelConfig::Ae(_) => fields::<AutoencoderConfig>(),
            ModelConfig::Classifier(_) => fields::<ClassifierConfig>(),
            ModelConfig::Cnn(_) => fields::<CnnConfig>(),
            ModelConfig::Vae(_) => fields::<VaeConfig>(),
        };
        for (name, value) in settings {
            let is_models = of_model.contains(&name);
            if !is_models && !of_training.contains(&name) {
                let known = [&of_training[..], &of_model].concat();
                let nearest = nearest(&name, &known).cloned().unwrap_or_default();
                return Err(Error::Config(format!(
                    "there is no setting `{name}`; did you mean `{nearest}`?"
                )));
            }
            let section = table[if is_models { "model" } else { "training" }].as_table_mut();
            section.map(|section| section.insert(name, value));
        }
        table.try_into().map_err(|e| fault(&e))
    }

    /// Whether there can be such a run.
    ///
    /// # Errors
    /// Where a setting is out of range, two contradict each other, or the model does not fit the images.
    pub fn check(&self) -> Result<(), Error> {
        if let Some(problem) = self.training.problem() {
            return Err(Error::Config(problem));
        }
        self.optimizer(&self.network()?.layout()?)?;
        Ok(())
    }

    /// The model's network for the run's images.
    ///
    /// # Errors
    /// Where the model does not fit the images.
    pub fn network(&self) -> Result<Network, Error> {
        Ok(self.model.network(self.data.shape, self.data.classes.len())?)
    }

    /// What steps the parameters, before its first step.
    pub(crate) fn optimizer(&self, layout: &Layout) -> Result<Optimizer, Error> {
        let count = layout.parameter_count();
        let Some(of_encoder) = &self.training.encoder else {
            return Ok(Optimizer::new(self.training.groups(layout, 0..count), count)?);
        };
        let mut groups = of_encoder.groups(layout);
        groups.extend(self.training.groups(layout, encoder::encoder(layout).end..count));
        Ok(Optimizer::new(groups, count)?)
    }
}

/// Puts settings over others, section by section. Where a section is of another kind, none of its settings remains: it would not be
/// understood.
fn overlay(settings: &mut toml::Table, given: toml::Table) {
    let is_alike = |of: &toml::Table, given: &toml::Table| {
        given.get("kind").is_none_or(|kind| of.get("kind") == Some(kind))
    };
    for (name, value) in given {
        match (settings.get_mut(&name), value) {
            (Some(toml::Value::Table(section)), toml::Value::Table(given))
                if is_alike(section, &given) =>
            {
                overlay(section, given);
            }
            (_, value) => {
                settings.insert(name, value);
            }
        }
    }
}

/// A message of serde's in plain words; about a name that is unknown, with the known one that is nearest to it.
pub(crate) fn with_nearest(message: &str) -> String {
    let mut message = message.trim_end().to_owned();
    for (of_rust, plain) in [
        ("expected u64", "expected a whole number of at least 0"),
        ("expected usize", "expected a whole number of at least 0"),
        ("expected f64", "expected a number"),
        ("expected a boolean", "expected true or false"),
    ] {
        message = message.replace(of_rust, plain);
    }
    let Some((_, names)) =
        message.split_once("unknown field").or_else(|| message.split_once("unknown variant"))
    else {
        return message;
    };
    let mut names = names.split('`').skip(1).step_by(2);
    let unknown = names.next().unwrap_or_default();
    let mut known: Vec<String> = names.map(str::to_owned).collect();
    if known.is_empty() {
        // A model whose settings are partly those of another does not list them.
        names_in(&schemars::schema_for!(RunConfig).to_value(), &mut known);
    }
    match nearest(unknown, &known) {
        Some(nearest) => format!("{message}\ndid you mean `{nearest}`?"),
        None => message,
    }
}

/// A message of serde's about settings that do not say their kind, with the kinds that there are where they stand.
fn with_kinds(message: &str, given: &toml::Table) -> String {
    const MISSING: &str = "missing field `kind`";
    let places: [(&[&str], Vec<String>); 4] = [
        (&["model"], kinds::<ModelConfig>()),
        (&["model", "encoder"], kinds::<ModelConfig>()),
        (&["training", "schedule"], kinds::<Schedule>()),
        (&["training", "augmentation", "mix"], kinds::<Mix>()),
    ];
    let untold = places.into_iter().find(|(path, _)| {
        let mut names = path.iter();
        let section = names.try_fold(given, |section, &name| section.get(name)?.as_table());
        section.is_some_and(|section| !section.contains_key("kind"))
    });
    match untold {
        Some((path, kinds)) if message.contains(MISSING) => {
            let names: Vec<_> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
            let said = format!(
                "{MISSING}, one of {}\nadd it to `{}`, such as kind = \"{}\"",
                names.join(", "),
                path.join("."),
                kinds[0]
            );
            message.replace(MISSING, &said)
        }
        _ => message.to_owned(),
    }
}

/// The kinds of settings of which there are several.
fn kinds<T: JsonSchema>() -> Vec<String> {
    let schema = schemars::schema_for!(T).to_value();
    let kinds = schema["oneOf"].as_array().into_iter().flatten();
    kinds
        .filter_map(|kind| kind["properties"]["kind"]["const"].as_str())
        .map(str::to_owned)
        .collect()
}

fn nearest<'a>(unknown: &str, known: &'a [String]) -> Option<&'a String> {
    known.iter().min_by_key(|known| strsim::levenshtein(unknown, known))
}

/// The names of the settings of a kind.
fn fields<T: JsonSchema>() -> Vec<String> {
    properties(&schemars::schema_for!(T).to_value())
}

/// The names of the fields of a schema itself.
fn properties(schema: &serde_json::Value) -> Vec<String> {
    let fields = schema["properties"].as_object();
    fields.into_iter().flat_map(|fields| fields.keys().cloned()).collect()
}

/// The names of all fields in a schema.
fn names_in(schema: &serde_json::Value, to: &mut Vec<String>) {
    to.extend(properties(schema));
    let inner = schema.as_object().map(|object| object.values().collect());
    let inner = inner.or_else(|| schema.as_array().map(|array| array.iter().collect::<Vec<_>>()));
    inner.into_iter().flatten().for_each(|schema| names_in(schema, to));
}

/// Which images a run is trained on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// The source, as the command line names it.
    #[schemars(example = "fashion-mnist")]
    pub source: String,
    /// Shape of an image, `[c, h, w]`; what the model is built for.
    #[schemars(extend("readOnly" = true))]
    pub shape: Shape,
    /// SHA-256 of the images that train and validate ([`latents_data::Images::digest`]); a run that goes on needs the same.
    #[schemars(extend("readOnly" = true))]
    pub digest: String,
    /// The name of each class; empty where the images have no labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("readOnly" = true))]
    pub classes: Vec<String>,
    /// How pictures became images.
    #[serde(skip_serializing_if = "Pictures::is_default")]
    pub pictures: Pictures,
    /// Only so many images of the training part: the first, or of a folder or an `.npz` file some that are spread over all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = 10_000)]
    pub train_limit: Option<usize>,
    /// Only so many images of the test part.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = 1000)]
    pub test_limit: Option<usize>,
}

/// The kinds of optimiser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// Adam with weight decay in the gradient (`torch.optim.Adam`).
    #[default]
    Adam,
    /// Adam with weight decay of the parameters themselves (`torch.optim.AdamW`).
    Adamw,
    /// Stochastic gradient descent (`torch.optim.SGD`).
    Sgd,
}

impl OptimizerKind {
    /// Its rule.
    pub(crate) fn rule(self, weight_decay: f64, momentum: f64, nesterov: bool) -> Rule {
        let (betas, epsilon) = ([0.9, 0.999], 1e-8);
        match self {
            OptimizerKind::Adam => Rule::Adam { betas, epsilon, weight_decay },
            OptimizerKind::Adamw => Rule::AdamW { betas, epsilon, weight_decay },
            OptimizerKind::Sgd => Rule::Sgd { momentum, nesterov, weight_decay },
        }
    }
}

/// How a model is trained. The defaults are the reference study's, where it names them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// Seed of everything random: split, initial weights, order, dropout.
    pub seed: u64,
    /// Passes over the training images.
    pub epochs: u64,
    /// Images in a step.
    pub batch_size: usize,
    /// Part of the training images that is kept for validation, in `[0, 1)`; with 0 all train and none validates.
    pub validation_fraction: f64,
    /// Which optimiser.
    pub optimizer: OptimizerKind,
    /// Base learning rate.
    pub learning_rate: f64,
    /// Weight decay, as the optimiser's kind defines it.
    pub weight_decay: f64,
    /// Momentum of SGD.
    pub momentum: f64,
    /// Nesterov's momentum for SGD.
    pub nesterov: bool,
    /// Initial weights.
    pub init: Init,
    /// Largest Euclidean norm of a step's gradient.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = 1.0)]
    pub clip_norm: Option<f64>,
    /// Stop when the validation loss has not improved for this many epochs, and keep the best weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = 5)]
    pub patience: Option<u64>,
    /// How the learning rate goes over the run.
    pub schedule: Schedule,
    /// This much of each label is spread evenly over all classes (Szegedy et al., 2016), in `[0, 1)`.
    pub label_smoothing: f64,
    /// How images are changed while they are trained on.
    pub augmentation: Augmentation,
    /// How a classifier's encoder begins and is trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder: Option<EncoderTraining>,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        TrainingConfig {
            seed: 0,
            epochs: 42,
            batch_size: 256,
            validation_fraction: 0.2,
            optimizer: OptimizerKind::Adam,
            learning_rate: 5e-4,
            weight_decay: 1e-4,
            momentum: 0.0,
            nesterov: false,
            init: Init::KaimingNormal,
            clip_norm: None,
            patience: None,
            schedule: Schedule::Constant,
            label_smoothing: 0.0,
            augmentation: Augmentation::default(),
            encoder: None,
        }
    }
}

impl TrainingConfig {
    /// The parameter groups of what is trained by these settings.
    pub(crate) fn groups(&self, layout: &Layout, within: Range<usize>) -> Vec<Group> {
        let rule = self.optimizer.rule(self.weight_decay, self.momentum, self.nesterov);
        Group::of(layout, within, rule, self.learning_rate)
    }

    /// What is wrong with these settings, if anything is.
    pub(crate) fn problem(&self) -> Option<String> {
        let momentum = self.momentum != 0.0 || self.nesterov;
        let warmup = match self.schedule {
            Schedule::WarmupCosine { warmup } => !(0.0..=1.0).contains(&warmup),
            Schedule::OneCycle { peak } => !(peak > 0.0 && peak < 1.0),
            Schedule::Constant | Schedule::Cosine => false,
        };
        let checks = [
            (self.epochs == 0, "epochs must be at least 1".to_owned()),
            (self.batch_size == 0, "batch_size must be at least 1".into()),
            (
                !(0.0..1.0).contains(&self.validation_fraction),
                format!(
                    "validation_fraction = {} must be at least 0 and less than 1",
                    self.validation_fraction
                ),
            ),
            (
                self.validation_fraction == 0.0 && self.patience.is_some(),
                "patience needs images to validate on: validation_fraction is 0".into(),
            ),
            (
                momentum && self.optimizer != OptimizerKind::Sgd,
                "momentum and nesterov belong to the optimiser sgd".into(),
            ),
            (
                self.clip_norm.is_some_and(|c| !(c > 0.0 && c.is_finite())),
                "clip_norm must be more than 0".into(),
            ),
            (
                !(0.0..1.0).contains(&self.label_smoothing),
                format!(
                    "label_smoothing = {} must be at least 0 and less than 1",
                    self.label_smoothing
                ),
            ),
            (self.patience == Some(0), "patience must be at least 1".into()),
            (
                warmup,
                "the schedule's warmup or peak must be a fraction of the run between 0 and 1"
                    .into(),
            ),
        ];
        let first = checks.into_iter().find_map(|(wrong, message)| wrong.then_some(message));
        let encoder = || self.encoder.as_ref().and_then(EncoderTraining::problem);
        first.or_else(|| self.augmentation.problem()).or_else(encoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_leave_settings_out() {
        let mut base = RunConfig::default();
        base.training.epochs = 7;
        assert_eq!(base.overlaid("").unwrap(), base);
        let file = "[training]\nseed = 3\nclip_norm = 1.0\n[data.pictures]\nsize = [4, 5]\n";
        let config = base.overlaid(file).unwrap();
        assert_eq!((config.training.epochs, config.training.seed), (7, 3));
        assert_eq!(config.training.clip_norm, Some(1.0));
        assert_eq!(config.data.pictures.size, Some([4, 5]));
        assert_eq!(config.model, base.model);
        // What a run left is the same again, whatever it is put over.
        let text = toml::to_string(&config).unwrap();
        assert_eq!(RunConfig::default().overlaid(&text).unwrap(), config);
        base.training.augmentation = Augmentation { flip: 0.5, shift: 2, ..Default::default() };
        base.training.schedule = Schedule::OneCycle { peak: 0.2 };
        assert_eq!(base.overlaid(&text).unwrap(), config);
        // A section within one leaves what it does not name, unless it is of another kind.
        let config = base.overlaid("[training.augmentation]\nflip = 0.1\n").unwrap();
        let training = &config.training;
        assert_eq!((training.augmentation.flip, training.augmentation.shift), (0.1, 2));
        assert_eq!(training.schedule, Schedule::OneCycle { peak: 0.2 });
        let file = "[training]\nschedule = { kind = \"warmup-cosine\", warmup = 0.3 }\n";
        let schedule = base.overlaid(file).unwrap().training.schedule;
        assert_eq!(schedule, Schedule::WarmupCosine { warmup: 0.3 });
        for (file, expected) in [
            ("[training]\nepoch = 3", "line 2", "did you mean `epochs`?"),
            ("[trainings]", "line 1", "did you mean `training`?"),
            ("[data.pictures]\nsise = 3", "line 2", "did you mean `size`?"),
            ("[training]\noptimizer = \"adamm\"", "line 2", "did you mean `adam`?"),
            ("[model]\nkind = \"vae\"\nlatent_dims = 3", "line 1", "did you mean `latent_dim`?"),
            ("[model]\nkind = \"vae\"\nbetta = 3", "line 1", "did you mean `beta`?"),
            ("[training]\nseed = \"one\"", "line 2", "invalid type"),
            ("[data", "line 1", "TOML parse error"),
            (
                "[training]\nseed = 1\n[model]\nlatent_dim = 3",
                "line 3",
                "missing field `kind`, one of `ae`, `classifier`, `cnn`, `vae`\nadd it to `model`, such as kind = \"ae\"",
            ),
            (
                "[model]\nkind = \"classifier\"\n[model.encoder]\nlatent_dim = 3",
                "line 1",
                "add it to `model.encoder`",
            ),
            ("[training.schedule]\nwarmup = 0.1", "line 1", "`warmup-cosine`"),
            ("[training.augmentation]\nmix = { alpha = 1.0 }", "line 2", "`cutmix`"),
        ]
        .map(|(file, line, expected)| (file, [line, expected]))
        {
            let said = base.overlaid(file).unwrap_err().to_string();
            assert!(expected.iter().all(|text| said.contains(text)), "{file}: {said}");
        }
    }

    #[test]
    fn settings_are_replaced_by_name() {
        let with = |name: &str, value: toml::Value| {
            RunConfig::default().with([(name.to_owned(), value)]).map_err(|e| e.to_string())
        };
        let model = with("latent_dim", 185.into()).unwrap().model;
        assert_eq!(model.latents().map(|l| l.dim), Some(185));
        assert_eq!(
            with("learning_rate", 0.0058.into()).map(|c| c.training.learning_rate),
            Ok(0.0058)
        );
        assert_eq!(with("optimizer", "sgd".into()).unwrap().training.optimizer, OptimizerKind::Sgd);
        assert_eq!(with("clip_norm", 1.0.into()).unwrap().training.clip_norm, Some(1.0));
        for (name, value, expected) in [
            ("latent_dims", 185.into(), "no setting `latent_dims`; did you mean `latent_dim`?"),
            ("latent_dim", 1.5.into(), "invalid type"),
            ("optimizer", "lbfgs".into(), "unknown variant `lbfgs`"),
            ("source", "elsewhere".into(), "no setting `source`"),
        ] {
            let said = with(name, value).unwrap_err();
            assert!(said.contains(expected), "{name}: {said}");
        }
    }

    #[test]
    fn a_setting_without_a_value_is_known_all_the_same() {
        let likelihood = latents_models::Likelihood::Gaussian;
        let model = ModelConfig::Vae(VaeConfig { likelihood, ..VaeConfig::default() });
        let config = RunConfig { model, ..RunConfig::default() };
        let with = |name: &str| config.with([(name.to_owned(), 0.2.into())]);
        match with("sigma").unwrap().model {
            ModelConfig::Vae(model) => assert_eq!(model.sigma, Some(0.2)),
            other => panic!("{other:?}"),
        }
        assert!(with("sigmas").unwrap_err().to_string().contains("did you mean `sigma`"));
    }
}
