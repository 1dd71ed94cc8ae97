//! Merges settings from several sources: each layer overrides the layers before it. The settings themselves are in `config` and `training`;
//! messages about unknown names are in `hints`.

use latents_engine::Shape;
use latents_models::ModelConfig;
use serde::{Deserialize, Serialize};

use crate::config::{DataConfig, RunConfig};
use crate::error::Error;
use crate::hints::{fields, nearest, with_kinds, with_nearest};
use crate::training::TrainingConfig;

/// Settings from one source, such as a file, a command line or a program. Any setting may be missing.
///
/// ```
/// use latents_train::{SettingsLayer, RunConfig};
///
/// let file = SettingsLayer::parse("my.toml", "[training]\nepochs = 5\nseed = 3")?;
/// let mut flags = SettingsLayer::default();
/// flags.set("training.seed", &7)?;
/// let config = RunConfig::of_kind("ae", [1, 28, 28])?.with_layers([&file, &flags])?;
/// assert_eq!((config.training.epochs, config.training.seed), (5, 7));
/// # Ok::<(), latents_train::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SettingsLayer {
    /// Name of the source, for messages; may be empty.
    origin: String,
    settings: toml::Table,
    /// Paths of settings that the layer removes.
    unset: Vec<String>,
}

/// Settings of a run, any of which may be missing.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
// Parsed only to report errors with their line; the fields are not used.
struct Partial {
    data: DataConfig,
    training: TrainingConfig,
    model: ModelConfig,
}

fn fault(e: impl std::fmt::Display) -> Error {
    Error::Config(with_nearest(&e.to_string()))
}

impl SettingsLayer {
    /// Parses the settings of a TOML file with the name `origin`.
    ///
    /// # Errors
    /// If the text is not TOML, a setting does not exist, or a value is invalid. The message gives the file's name and the line, and the nearest known
    /// name for an unknown setting.
    pub fn parse(origin: &str, text: &str) -> Result<Self, Error> {
        let named = |e: Error| match e {
            Error::Config(problem) => Error::Settings { origin: origin.to_owned(), problem },
            e => e,
        };
        Self::parse_unnamed(text)
            .map(|layer| SettingsLayer { origin: origin.into(), ..layer })
            .map_err(named)
    }

    fn parse_unnamed(text: &str) -> Result<Self, Error> {
        let settings: toml::Table = toml::from_str(text).map_err(fault)?;
        toml::from_str::<Partial>(text)
            .map_err(|e| fault(with_kinds(&e.to_string(), &settings)))?;
        Ok(SettingsLayer { settings, ..SettingsLayer::default() })
    }

    /// Sets the setting at a path in `config.toml`, such as `training.schedule.kind`.
    ///
    /// # Errors
    /// If the value cannot be represented in TOML, or a part of the path is a setting and not a section.
    pub fn set(&mut self, path: &str, value: &impl Serialize) -> Result<(), Error> {
        let value = toml::Value::try_from(value).map_err(|e| {
            Error::Config(format!("`{path}`: {}", e.to_string().replace("u64 value", "the number")))
        })?;
        let mut section = &mut self.settings;
        let (sections, name) = path.rsplit_once('.').unwrap_or(("", path));
        for part in sections.split('.').filter(|part| !part.is_empty()) {
            let entry = section.entry(part).or_insert_with(|| toml::Table::new().into());
            let toml::Value::Table(table) = entry else {
                return Err(Error::Config(format!("`{path}`: `{part}` is not a section")));
            };
            section = table;
        }
        section.insert(name.to_owned(), value);
        Ok(())
    }

    /// Removes the setting at a path if an earlier layer has set it.
    pub fn unset(&mut self, path: &str) {
        self.unset.push(path.to_owned());
    }

    /// Whether the layer sets the setting at a path.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        let (sections, name) = path.rsplit_once('.').unwrap_or(("", path));
        let mut sections = sections.split('.').filter(|part| !part.is_empty());
        let section = sections.try_fold(&self.settings, |table, part| table.get(part)?.as_table());
        section.is_some_and(|section| section.contains_key(name))
    }

    /// The text of the setting at a path, if the layer has it.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        let (sections, name) = path.rsplit_once('.').unwrap_or(("", path));
        let mut sections = sections.split('.').filter(|part| !part.is_empty());
        let section = sections.try_fold(&self.settings, |table, part| table.get(part)?.as_table());
        section?.get(name)?.as_str()
    }

    /// Each setting of the layer, in the order of their paths: its path in `config.toml`, such as `training.schedule.kind`, and its value.
    ///
    /// ```
    /// use latents_train::SettingsLayer;
    ///
    /// let layer = SettingsLayer::parse("a.toml", "[training]\nschedule = { kind = \"cosine\" }")?;
    /// assert_eq!(layer.settings(), [("training.schedule.kind".into(), "cosine".into())]);
    /// # Ok::<(), latents_train::Error>(())
    /// ```
    #[must_use]
    pub fn settings(&self) -> Vec<(String, toml::Value)> {
        fn walk(section: &toml::Table, before: &str, found: &mut Vec<(String, toml::Value)>) {
            for (name, value) in section {
                match value {
                    toml::Value::Table(section) => {
                        walk(section, &format!("{before}{name}."), found);
                    }
                    value => found.push((format!("{before}{name}"), value.clone())),
                }
            }
        }
        let mut found = vec![];
        walk(&self.settings, "", &mut found);
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        found
    }

    /// Name of the layer's source; empty if none was given.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The source of the images, if the layer names one.
    #[must_use]
    pub fn source(&self) -> Option<&str> {
        let source = self.settings.get("data")?.get("source")?.as_str()?;
        Some(source).filter(|source| !source.is_empty())
    }
}

impl RunConfig {
    /// The defaults of a kind of model (`ae`, `vae`, ...) for images of shape `[c, h, w]`: a model of suitable size, and the training settings
    /// of the kind's recipe.
    ///
    /// # Errors
    /// If there is no such kind.
    pub fn of_kind(kind: &str, image: Shape) -> Result<Self, Error> {
        let base =
            RunConfig { model: ModelConfig::for_images(kind, image)?, ..RunConfig::default() };
        base.with_layers([&SettingsLayer::parse_unnamed(ModelConfig::recipe(kind)?)?])
    }

    /// The settings that suit a kind of model on a collection of `images` training images of shape `[c, h, w]`. They may differ from
    /// [`RunConfig::of_kind`], which are those of the reference study.
    ///
    /// # Errors
    /// If there is no such kind.
    pub fn for_collection(kind: &str, image: Shape, images: usize) -> Result<Self, Error> {
        let (model, recipe) = ModelConfig::for_collection(kind, image, images)?;
        let base = RunConfig { model, ..RunConfig::default() };
        base.with_layers([&SettingsLayer::parse_unnamed(&recipe)?])
    }

    /// Applies layers to these settings. Each layer overrides the ones before it.
    ///
    /// # Errors
    /// If a setting does not exist or a value is invalid.
    pub fn with_layers<'a>(
        &self,
        layers: impl IntoIterator<Item = &'a SettingsLayer>,
    ) -> Result<Self, Error> {
        let base = toml::Table::try_from(self).map_err(fault)?;
        let layers: Vec<&SettingsLayer> = layers.into_iter().collect();
        merged(&base, &layers).map_err(|e| {
            let problem = e.to_string();
            // The layer to blame is the last one with which the problem is there even without the layers before it.
            let is_enough = |&first: &usize| {
                let alone = merged(&base, &layers[first..]).map_err(|e| e.to_string());
                alone.is_err_and(|other| is_same_problem(&other, &problem))
            };
            let culprit = (0..layers.len()).rev().find(is_enough).map(|i| layers[i].origin());
            match (fault(e), culprit.unwrap_or_default()) {
                (Error::Config(problem), origin) if !origin.is_empty() => {
                    Error::Settings { origin: origin.to_owned(), problem }
                }
                (e, _) => e,
            }
        })
    }

    /// Replaces settings of the sections `model` and `training` of `config.toml`, each given by its name.
    ///
    /// # Errors
    /// If a name does not exist (the message gives the nearest one), or a value is invalid.
    pub fn with(
        &self,
        settings: impl IntoIterator<Item = (String, toml::Value)>,
    ) -> Result<Self, Error> {
        let (of_training, of_model) = (fields::<TrainingConfig>(), self.model.setting_names());
        let mut layer = SettingsLayer::default();
        for (name, value) in settings {
            let section = if of_model.contains(&name) {
                "model"
            } else if of_training.contains(&name) {
                "training"
            } else {
                let known = [&of_training[..], &of_model].concat();
                let nearest = nearest(&name, &known).cloned().unwrap_or_default();
                return Err(Error::Config(format!(
                    "there is no setting `{name}`; did you mean `{nearest}`?"
                )));
            };
            layer.set(&format!("{section}.{name}"), &value)?;
        }
        self.with_layers([&layer])
    }
}

/// Settings with layers over them.
fn merged(base: &toml::Table, layers: &[&SettingsLayer]) -> Result<RunConfig, toml::de::Error> {
    let mut settings = base.clone();
    for layer in layers {
        for path in &layer.unset {
            remove(&mut settings, path);
        }
        overlay(&mut settings, layer.settings.clone());
    }
    settings.try_into()
}

/// Whether two messages are about the same setting and value. What is expected instead may differ, since it may depend on other settings.
fn is_same_problem(one: &str, other: &str) -> bool {
    let what = |message: &str| message.split(", ").next().map(str::to_owned);
    let place = |message: &str| message.lines().skip(1).collect::<Vec<_>>().join("\n");
    (what(one), place(one)) == (what(other), place(other))
}

/// Overrides settings, section by section. If a section's `kind` changes, the old section is replaced as a whole, since its settings belong to
/// the old kind.
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

/// Removes the setting at a path, if it exists.
fn remove(settings: &mut toml::Table, path: &str) {
    match path.split_once('.') {
        None => {
            settings.remove(path);
        }
        Some((section, rest)) => {
            if let Some(toml::Value::Table(section)) = settings.get_mut(section) {
                remove(section, rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use latents_data::Augmentation;
    use latents_engine::Schedule;
    use latents_models::{
        AutoencoderConfig, ClassifierConfig, CnnConfig, Likelihood, Model, VaeConfig,
    };

    use super::*;
    use crate::encoder::EncoderTraining;
    use crate::optimizer::OptimizerKind;

    /// Applies the settings of a file to `base`.
    fn overlaid(base: &RunConfig, file: &str) -> Result<RunConfig, Error> {
        base.with_layers([&SettingsLayer::parse("", file)?])
    }

    #[test]
    fn a_file_may_leave_settings_out() {
        let mut base = RunConfig::default();
        base.training.epochs = 7;
        assert_eq!(overlaid(&base, "").unwrap(), base);
        let file = "[training]\nseed = 3\nclip_norm = 1.0\n[data.pictures]\nsize = [4, 5]\n";
        let config = overlaid(&base, file).unwrap();
        assert_eq!((config.training.epochs, config.training.seed), (7, 3));
        assert_eq!(config.training.clip_norm, Some(1.0));
        assert_eq!(config.data.pictures.size, Some([4, 5]));
        assert_eq!(config.model, base.model);
        // A file with all settings of a run overrides every setting of the base.
        let text = toml::to_string(&config).unwrap();
        assert_eq!(overlaid(&RunConfig::default(), &text).unwrap(), config);
        base.training.augmentation = Augmentation { flip: 0.5, shift: 2, ..Default::default() };
        base.training.schedule = Schedule::OneCycle { peak: 0.2 };
        assert_eq!(overlaid(&base, &text).unwrap(), config);
        // A section keeps the settings that are not in the file, unless its kind changes.
        let config = overlaid(&base, "[training.augmentation]\nflip = 0.1\n").unwrap();
        let training = &config.training;
        assert_eq!((training.augmentation.flip, training.augmentation.shift), (0.1, 2));
        assert_eq!(training.schedule, Schedule::OneCycle { peak: 0.2 });
        let file = "[training]\nschedule = { kind = \"warmup-cosine\", warmup = 0.3 }\n";
        let schedule = overlaid(&base, file).unwrap().training.schedule;
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
            let said = SettingsLayer::parse("my.toml", file).unwrap_err().to_string();
            assert!(expected.iter().all(|text| said.contains(text)), "{file}: {said}");
            assert!(said.starts_with("my.toml: settings: "), "{said}");
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
    fn an_optional_setting_without_a_value_is_known() {
        let likelihood = Likelihood::Gaussian;
        let model = ModelConfig::Vae(VaeConfig { likelihood, ..VaeConfig::default() });
        let config = RunConfig { model, ..RunConfig::default() };
        let with = |name: &str| config.with([(name.to_owned(), 0.2.into())]);
        match with("sigma").unwrap().model {
            ModelConfig::Vae(model) => assert_eq!(model.sigma, Some(0.2)),
            other => panic!("{other:?}"),
        }
        assert!(with("sigmas").unwrap_err().to_string().contains("did you mean `sigma`"));
    }

    #[test]
    fn the_defaults_of_a_kind_are_its_model_and_its_recipe() {
        for image in [[1, 28, 28], [3, 64, 64]] {
            let ae = AutoencoderConfig::for_images(image);
            let of_kind = |kind: &str| RunConfig::of_kind(kind, image).unwrap();
            assert_eq!(
                of_kind("ae"),
                RunConfig { model: ae.clone().into(), ..RunConfig::default() }
            );

            let mut vae = VaeConfig::default();
            vae.autoencoder.latent_dim = vae.autoencoder.latent_dim.min(ae.latent_dim);
            (vae.autoencoder.stages, vae.autoencoder.hidden) = (ae.stages, ae.hidden);
            let training = TrainingConfig {
                learning_rate: 2e-4,
                weight_decay: 1.8e-3,
                epochs: 50,
                ..TrainingConfig::default()
            };
            let expected = RunConfig { model: vae.into(), training, ..RunConfig::default() };
            assert_eq!(of_kind("vae"), expected);

            let training = TrainingConfig {
                epochs: 10,
                batch_size: 128,
                optimizer: OptimizerKind::Adamw,
                learning_rate: 6e-3,
                weight_decay: 0.02,
                schedule: Schedule::OneCycle { peak: 0.3 },
                validation_fraction: 0.0,
                encoder: Some(EncoderTraining::default()),
                ..TrainingConfig::default()
            };
            let model = ClassifierConfig::default().into();
            let expected = RunConfig { training, model, ..RunConfig::default() };
            assert_eq!(of_kind("classifier"), expected);

            let augmentation =
                Augmentation { flip: 0.5, shift: 2, erase: 0.25, ..Augmentation::default() };
            let training = TrainingConfig {
                epochs: 25,
                batch_size: 128,
                optimizer: OptimizerKind::Adamw,
                learning_rate: 4e-3,
                weight_decay: 0.05,
                validation_fraction: 0.0,
                label_smoothing: 0.1,
                schedule: Schedule::OneCycle { peak: 0.2 },
                augmentation,
                ..TrainingConfig::default()
            };
            let model = CnnConfig::for_images(image).into();
            let expected = RunConfig { training, model, ..RunConfig::default() };
            assert_eq!(of_kind("cnn"), expected);
        }
        assert!(RunConfig::of_kind("gan", [1, 28, 28]).is_err());
    }

    #[test]
    fn a_kind_is_tuned_with_settings_of_its_own() {
        for (kind, trial, refit) in [
            ("ae", (10, 0.2, Schedule::Constant), (42, 0.2, Schedule::Cosine)),
            ("vae", (10, 0.2, Schedule::Constant), (50, 0.2, Schedule::Cosine)),
            (
                "classifier",
                (10, 0.2, Schedule::OneCycle { peak: 0.3 }),
                (10, 0.0, Schedule::OneCycle { peak: 0.3 }),
            ),
        ] {
            let tuning = ModelConfig::tuning(kind).unwrap().unwrap();
            let base = RunConfig::of_kind(kind, [1, 28, 28]).unwrap();
            let trial_layer = SettingsLayer::parse("trial.toml", tuning.trial).unwrap();
            let refit_layer = SettingsLayer::parse("refit.toml", tuning.refit).unwrap();
            let of_trial = base.with_layers([&trial_layer]).unwrap();
            let of_refit = of_trial.with_layers([&refit_layer]).unwrap();
            let settings = |config: &RunConfig| {
                let training = &config.training;
                (training.epochs, training.validation_fraction, training.schedule)
            };
            assert_eq!((settings(&of_trial), settings(&of_refit)), (trial, refit), "{kind}");
        }
        assert_eq!(ModelConfig::tuning("cnn").unwrap(), None);
    }

    #[test]
    fn layers_are_merged_in_their_order() {
        let file = SettingsLayer::parse(
            "a.toml",
            "[data]\nsource = \"x\"\n[training]\nseed = 1\nclip_norm = 1.0",
        )
        .unwrap();
        assert_eq!((file.origin(), file.source()), ("a.toml", Some("x")));
        assert!(file.has("training.seed") && file.has("data.source"));
        assert!(!file.has("training.epochs") && !file.has("model.kind") && !file.has("seed"));
        let mut flags = SettingsLayer::default();
        flags.set("training.seed", &2).unwrap();
        flags.set("training.schedule.kind", &"cosine").unwrap();
        flags.unset("training.clip_norm");
        let merge = |layers: &[&SettingsLayer]| {
            let config = RunConfig::default().with_layers(layers.iter().copied()).unwrap();
            (config.training.seed, config.training.clip_norm, config.training.schedule)
        };
        assert_eq!(merge(&[&file, &flags]), (2, None, Schedule::Cosine));
        assert_eq!(merge(&[&flags, &file]), (1, Some(1.0), Schedule::Cosine));

        let error = flags.set("training.seed.low", &2).unwrap_err().to_string();
        assert!(error.contains("`seed` is not a section"), "{error}");
        flags.set("training.epoch", &3).unwrap();
        let error = RunConfig::default().with_layers([&file, &flags]).unwrap_err().to_string();
        assert!(error.contains("did you mean `epochs`?"), "{error}");
        assert!(error.starts_with("settings: "), "the file is not to blame: {error}");
    }

    #[test]
    fn the_last_layer_that_sets_a_wrong_value_is_named() {
        let layer = |origin: &str, settings: &[(&str, toml::Value)]| {
            let mut layer = SettingsLayer { origin: origin.into(), ..SettingsLayer::default() };
            for (path, value) in settings {
                layer.set(path, value).unwrap();
            }
            layer
        };
        let fine = |name: &str| layer(name, &[("training.epochs", 3.into())]);
        let unknown = |name: &str| layer(name, &[("training.epoch", 3.into())]);
        let wrong = |name: &str| layer(name, &[("training.seed", "x".into())]);
        let rise = |name: &str| layer(name, &[("training.schedule.peak", 0.2.into())]);
        let cycle = |name: &str| layer(name, &[("training.schedule.kind", "one-cycle".into())]);
        let cosine =
            |name: &str| layer(name, &[("training.schedule.kind", "warmup-cosine".into())]);
        for (layers, culprit) in [
            (vec![fine("a"), wrong("b"), fine("c")], "b"),
            (vec![wrong("a"), fine("b")], "a"),
            (vec![wrong("a"), wrong("b"), fine("c")], "b"),
            (vec![fine("a"), unknown("b")], "b"),
            (vec![fine("a"), cosine("b"), rise("c")], "c"),
            // The rise needs the cycle before it, which is fine: the wrong seed is not its fault.
            (vec![wrong("a"), cycle("b"), rise("c")], "a"),
        ] {
            let error = RunConfig::default().with_layers(&layers).unwrap_err();
            let Error::Settings { origin, problem } = &error else { panic!("{error}") };
            assert_eq!(origin, culprit, "{problem}");
        }
    }
}
