//! Merges settings from several sources: each layer overrides the layers before it. The settings themselves are in `config` and `training`;
//! messages about unknown names are in `hints`.

use latents_data::Augmentation;
use latents_engine::Shape;
use latents_models::ModelConfig;
use serde::{Deserialize, Serialize};

use crate::config::{DataConfig, RunConfig};
use crate::error::Error;
use crate::hints::{fields, with_kinds, with_nearest};
use crate::nearest::nearest;
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
        self.get(path).is_some()
    }

    /// The text of the setting at a path, if the layer has it.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        self.get(path)?.as_str()
    }

    /// The value of the setting at a path, if the layer has it.
    fn get(&self, path: &str) -> Option<&toml::Value> {
        let (sections, name) = path.rsplit_once('.').unwrap_or(("", path));
        let mut sections = sections.split('.').filter(|part| !part.is_empty());
        let section = sections.try_fold(&self.settings, |table, part| table.get(part)?.as_table());
        section?.get(name)
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

    /// The section `data` alone.
    fn of_data(&self) -> Self {
        let settings = self.settings.iter().filter(|(section, _)| *section == "data");
        let settings = settings.map(|(section, values)| (section.clone(), values.clone()));
        let unset = self.unset.iter().filter(|path| path.starts_with("data.")).cloned();
        let origin = self.origin.clone();
        SettingsLayer { origin, settings: settings.collect(), unset: unset.collect() }
    }

    /// The source of the images, if the layer names one.
    #[must_use]
    pub fn source(&self) -> Option<&str> {
        let source = self.settings.get("data")?.get("source")?.as_str()?;
        Some(source).filter(|source| !source.is_empty())
    }
}

/// Whether images `[c, h, w]` are of one row or column, such as vectors of numbers: shifted or flipped, they would be others.
pub(crate) fn is_line([_, h, w]: Shape) -> bool {
    h == 1 || w == 1
}

impl DataConfig {
    /// Applies the section `data` of layers to these settings. Each layer overrides the ones before it. All other sections are left alone, so that
    /// images can be opened before the settings that depend on their shape are known.
    ///
    /// ```
    /// use latents_train::{DataConfig, SettingsLayer};
    ///
    /// let file = SettingsLayer::parse("my.toml", "[data]\ntest_limit = 5\n[training]\nepochs = 3")?;
    /// assert_eq!(DataConfig::default().with_layers([&file])?.test_limit, Some(5));
    /// # Ok::<(), latents_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a value is invalid.
    pub fn with_layers<'a>(
        &self,
        layers: impl IntoIterator<Item = &'a SettingsLayer>,
    ) -> Result<Self, Error> {
        let layers: Vec<_> = layers.into_iter().map(SettingsLayer::of_data).collect();
        let config = RunConfig { data: self.clone(), ..RunConfig::default() };
        Ok(config.with_layers(&layers)?.data)
    }
}

impl RunConfig {
    /// The defaults of a kind of model (`ae`, `vae`, ...) for images of shape `[c, h, w]`: a model of suitable size, and the training settings
    /// of the kind's recipe.
    ///
    /// # Errors
    /// If there is no such kind.
    pub fn of_kind(kind: &str, image: Shape) -> Result<Self, Error> {
        Self::of_model(ModelConfig::for_images(kind, image)?, ModelConfig::recipe(kind)?)
    }

    /// The settings that suit a kind of model on a collection of `images` training images of shape `[c, h, w]`. They may differ from
    /// [`RunConfig::of_kind`], which are those of the reference study.
    ///
    /// # Errors
    /// If there is no such kind.
    pub fn for_collection(kind: &str, image: Shape, images: usize) -> Result<Self, Error> {
        let (model, recipe) = ModelConfig::for_collection(kind, image, images)?;
        let mut config = Self::of_model(model, &recipe)?;
        if is_line(image) {
            config.training.augmentation = Augmentation::default();
        }
        Ok(config)
    }

    /// The defaults with a model and its recipe.
    fn of_model(model: ModelConfig, recipe: &str) -> Result<Self, Error> {
        let base = RunConfig { model, ..RunConfig::default() };
        base.with_layers([&SettingsLayer::parse_unnamed(recipe)?])
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

    /// Replaces settings of the sections `model` and `training` of `config.toml`, each given by its name; a dot leads into a table of a
    /// section, such as `refiner.blocks`.
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
            let first = name.split('.').next().unwrap_or_default().to_owned();
            let section = if of_model.contains(&first) {
                "model"
            } else if of_training.contains(&first) {
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
mod tests;
