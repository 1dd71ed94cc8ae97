//! Opens a study from plain settings: where it is stored, what is tuned, and which sampler and pruner search it.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::direction::Direction;
use crate::driver::OptimizeOptions;
use crate::error::Error;
use crate::pruner::PrunerKind;
use crate::sampler::SamplerKind;
use crate::settings::{SETTINGS, StudySettings, differences};
use crate::space::Space;
use crate::storage;
use crate::study::{Strategy, Study};

/// The file of a study in its folder.
const STUDY_FILE: &str = "study.db";

/// Where a study is stored, and how it is searched.
///
/// ```
/// use latents_tune::{SamplerKind, Space, StudyConfig, StudyTarget};
///
/// # let folder = std::env::temp_dir().join(format!("latents-tune-doc-{}", std::process::id()));
/// let space: Space = serde_json::from_str(r#"{"lr": {"float": [1e-5, 0.1], "log": true}}"#)?;
/// let config = StudyConfig { trials: 100, sampler: SamplerKind::Random, ..StudyConfig::default() };
/// let study = config.open(&folder, &StudyTarget::new("mine"), &space)?; // stored in study.db in the folder
/// assert_eq!(study.name(), "mine");
/// # std::fs::remove_dir_all(&folder).ok();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StudyConfig {
    /// URL of the storage, as [`storage::open`] takes it. All workers that use the same URL and name work on the same study.
    /// Default: `study.db` in the folder given to [`open`](Self::open).
    pub url: Option<String>,
    /// Name of the study in the storage. Default: the kind of objective.
    pub name: Option<String>,
    /// Total number of trials, including those that the study already has. Default: 20.
    pub trials: u64,
    /// Number of trials that run at the same time in this process. Default: 1.
    pub workers: usize,
    /// Makes trials reproducible with several workers: each trial uses only results that are guaranteed to be complete when it
    /// starts. Default: false.
    pub deterministic: bool,
    /// The sampler. Default: TPE.
    pub sampler: SamplerKind,
    /// The pruner. Default: the median rule.
    pub pruner: PrunerKind,
    /// The step before which the median and percentile pruners stop no trial. Default: 0.
    pub pruner_warmup: u64,
    /// With it, a trial is stopped only if it has not improved within its last so many reports. Default: none.
    pub pruner_patience: Option<usize>,
}

impl Default for StudyConfig {
    fn default() -> Self {
        StudyConfig {
            url: None,
            name: None,
            trials: 20,
            workers: 1,
            deterministic: false,
            sampler: SamplerKind::default(),
            pruner: PrunerKind::default(),
            pruner_warmup: 0,
            pruner_patience: None,
        }
    }
}

/// What a study tunes.
#[derive(Clone, Debug, PartialEq)]
pub struct StudyTarget {
    /// The kind of objective; the study's default name.
    pub kind: String,
    /// What the values of trials are called, for people.
    pub label: String,
    /// Which values are better.
    pub direction: Direction,
    /// Seed of all random draws. Without it, the study's own, or 0 for a new study.
    pub seed: Option<u64>,
    /// All that the values depend on besides a trial's parameters.
    pub settings: Json,
}

impl StudyTarget {
    /// An objective to minimise, without a label, a seed or settings of its own.
    pub fn new(kind: impl Into<String>) -> Self {
        StudyTarget {
            kind: kind.into(),
            label: "objective".into(),
            direction: Direction::Minimize,
            seed: None,
            settings: Json::Null,
        }
    }
}

impl StudyConfig {
    /// How many trials to run, and how many at once.
    #[must_use]
    pub fn options(&self) -> OptimizeOptions {
        OptimizeOptions {
            trials: Some(self.trials),
            workers: self.workers,
            ..OptimizeOptions::default()
        }
    }

    /// URL of the storage, by default a file in `folder`.
    #[must_use]
    pub fn url(&self, folder: &Path) -> String {
        let default = || format!("sqlite:///{}", folder.join(STUDY_FILE).display());
        self.url.clone().unwrap_or_else(default)
    }

    /// Opens the study, or creates it. `folder` is created if the study is stored there. The first worker stores the settings of
    /// the study, and the others must have the same ones; the number of trials and of workers may differ.
    ///
    /// # Errors
    /// [`Error::OtherSettings`], [`Error::OtherDirection`] or [`Error::OtherSeed`] if the study was begun with others; the error of
    /// the sampler or the pruner if it does not support these settings; or the storage's error.
    pub fn open(&self, folder: &Path, target: &StudyTarget, space: &Space) -> Result<Study, Error> {
        let url = self.url(folder);
        let strategy = Strategy {
            sampler: self.sampler.build(Some(space))?,
            pruner: self.pruner.build(self.pruner_warmup, self.pruner_patience)?,
            seed: target.seed,
            lockstep: self.deterministic.then_some(self.workers.max(1) as u64),
        };
        if self.url.is_none() {
            latents_files::create_folder(folder)?;
        }
        let name = self.name.as_deref().unwrap_or(&target.kind);
        let study = Study::open(storage::open(&url)?, name, target.direction, strategy)?;
        let ours = serde_json::json!(self.settings(target, space));
        let stored = study.agree(SETTINGS, &ours)?;
        if stored != ours {
            let differences = differences(&stored, &ours);
            return Err(Error::OtherSettings { study: name.into(), differences });
        }
        Ok(study)
    }

    /// The settings of the study for a kind of objective, if it has been begun.
    ///
    /// # Errors
    /// [`Error::DamagedSettings`], or the storage's error.
    pub fn begun(&self, folder: &Path, kind: &str) -> Result<Option<StudySettings>, Error> {
        let url = self.url(folder);
        if self.url.is_none() && !folder.join(STUDY_FILE).exists() {
            return Ok(None);
        }
        let storage = storage::open(&url)?;
        let name = self.name.as_deref().unwrap_or(kind);
        match storage.study(name)? {
            Some(record) => StudySettings::of(&*storage, &record),
            None => Ok(None),
        }
    }

    /// The settings of the study that all workers share.
    fn settings(&self, target: &StudyTarget, space: &Space) -> StudySettings {
        let mut objective = serde_json::Map::new();
        objective.insert(target.kind.clone(), target.settings.clone());
        StudySettings {
            objective: objective.into(),
            label: target.label.clone(),
            space: space.clone(),
            sampler: self.sampler,
            pruner: self.pruner,
            pruner_warmup: self.pruner_warmup,
            pruner_patience: self.pruner_patience,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn space() -> Space {
        serde_json::from_str(r#"{"width": {"int": [1, 8]}}"#).unwrap()
    }

    #[test]
    fn settings_are_stored_as_ever() {
        let config = StudyConfig {
            url: Some("memory:".into()),
            sampler: SamplerKind::TpeGroup,
            pruner_warmup: 2,
            ..StudyConfig::default()
        };
        let target = StudyTarget { settings: json!({"epochs": 5}), ..StudyTarget::new("ae") };
        let study = config.open(Path::new("."), &target, &space()).unwrap();
        let record = study.storage().study("ae").unwrap().unwrap();
        let stored = study.storage().study_attr(record.id, "latents:settings").unwrap().unwrap();
        assert_eq!(
            stored.to_string(),
            r#"{"label":"objective","objective":{"ae":{"epochs":5}},"pruner":"median","pruner_patience":null,"#
                .to_owned()
                + r#""pruner_warmup":2,"sampler":"tpe-group","space":{"width":{"int":[1,8]}}}"#
        );
        let settings = StudySettings::of(&**study.storage(), &record).unwrap().unwrap();
        assert_eq!(settings, config.settings(&target, &space()));
    }

    #[test]
    fn a_study_in_a_folder_is_found_again_with_the_same_settings_only() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("new");
        let open = |config: &StudyConfig, seed| {
            let target = StudyTarget { seed, ..StudyTarget::new("ae") };
            config.open(&folder, &target, &space()).map(drop)
        };
        let config = StudyConfig::default();
        let no_grid: Space = serde_json::from_str(r#"{"x": {"float": [0, 1]}}"#).unwrap();
        let grid = StudyConfig { sampler: SamplerKind::Grid, ..config.clone() };
        assert!(grid.open(&folder, &StudyTarget::new("ae"), &no_grid).is_err());
        assert!(!folder.exists(), "nothing is made for settings that make no sense");

        assert_eq!(config.begun(&folder, "ae").unwrap(), None);
        open(&config, Some(3)).unwrap();
        assert_eq!(config.begun(&folder, "ae").unwrap().unwrap().space, space());
        assert_eq!(config.begun(&folder, "vae").unwrap(), None);
        open(&StudyConfig { trials: 50, workers: 0, deterministic: true, ..config.clone() }, None)
            .unwrap();
        assert!(matches!(open(&config, Some(4)), Err(Error::OtherSeed { seed: 3, .. })));
        let other = StudyConfig { pruner: PrunerKind::None, ..config.clone() };
        let error = open(&other, None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "study `ae` was begun with other settings; use the same settings, or another study name:\n  \
             pruner was \"median\", is \"none\""
        );
        assert!(matches!(error, Error::OtherSettings { .. }));
        open(&StudyConfig { name: Some("second".into()), ..other }, None).unwrap();

        let url = config.url(&folder);
        let Err(Error::WhichStudy { studies, .. }) = storage::find(&url) else { panic!("two") };
        assert_eq!(studies, ["ae", "second"]);
        let (storage, record) = storage::find(&format!("{url}#second")).unwrap();
        let settings = StudySettings::of(&*storage, &record).unwrap().unwrap();
        assert_eq!(settings.pruner, PrunerKind::None);
    }
}
