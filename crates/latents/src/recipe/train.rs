//! What a recipe does with images: it gives all settings of a run, trains it, and resumes it.

use std::path::Path;

use latents_data::{Dataset, Source};
use latents_train::{DataConfig, Run, RunConfig, choose_augmentation, seconds_per_epoch};

use super::Recipe;
use super::images::{check_open, check_out_of, open_for};
use super::runs::{check_continued, train_model};
use crate::error::{Error, Result};
use crate::model::TrainedModel;
use crate::session::Session;

impl Recipe {
    /// Opens the images that the settings name, for results that go to `out`. With no source named: Fashion-MNIST, or else the built-in sample of it.
    ///
    /// # Errors
    /// If the images cannot be read, or `out` lies among the pictures.
    pub fn open_data(&self, out: &Path, session: &Session) -> Result<Dataset> {
        open_for(&self.data_config(session)?, out, session)
    }

    /// All settings of a run on these images.
    ///
    /// # Errors
    /// If a setting is wrong, an encoder does not fit the images, or [`Error::ImagesOpen`] if a setting of the images is not the one that these were
    /// opened with: [`Recipe::open_data`] opens them with the recipe's settings.
    pub fn config(&self, data: &Dataset, session: &Session) -> Result<RunConfig> {
        let (config, of_data) = (self.resolve(data, session)?, DataConfig::of(data));
        let layers = self.files.iter().chain([&self.set]);
        check_open(&layers, &config.data, &of_data)?;
        let mut config = RunConfig { data: of_data, ..config };
        let mut layers = self.files.iter().chain([&self.set]);
        let is_chosen = self.base.is_some() || layers.any(|l| l.has("training.augmentation"));
        if !is_chosen && config.model.linear_start(config.data.shape).is_some() {
            // Components of images too large would be computed first.
            config.check_memory(session.thread_count())?;
            let chosen =
                session.runtime()?.run(|| choose_augmentation(&config, data, session.monitor()))?;
            if let Some(augmentation) = chosen {
                config.training.augmentation = augmentation;
            }
        }
        if let Some(minutes) = self.minutes {
            config.training.epochs = epochs_in(minutes, &config, data, session)?;
        }
        Ok(config)
    }

    /// All settings of a run in a folder. If it was begun there for some minutes, it keeps its number of epochs, so that the same call resumes it.
    ///
    /// # Errors
    /// As [`Recipe::config`].
    pub fn config_in(&self, run: &Run, data: &Dataset, session: &Session) -> Result<RunConfig> {
        if self.minutes.is_none() || !run.exists() {
            return self.config(data, session);
        }
        let epochs = run.config()?.training.epochs;
        Recipe { minutes: None, ..self.clone() }.epochs(epochs).config(data, session)
    }

    /// Trains the model and keeps everything in the folder `out`. A run with the same settings that was stopped there is resumed; a finished one is opened.
    ///
    /// # Errors
    /// As [`Recipe::config`]; if the folder lies among the pictures or holds a run with other settings, or training fails or is interrupted.
    pub fn train(
        &self,
        data: &Dataset,
        out: impl AsRef<Path>,
        session: &Session,
    ) -> Result<TrainedModel> {
        let run = Run::at(out);
        check_out_of(data, run.dir())?;
        match train_model(&run, &self.config_in(&run, data, session)?, data.into(), session)?.1 {
            Some(model) => Ok(model),
            None => TrainedModel::open(run.dir(), session),
        }
    }

    /// The settings of a run that is resumed, and its images, after checking that neither differs from what the run began with.
    ///
    /// # Errors
    /// If there is no run, it is of another kind, or the images or a setting that may not change differ ([`RunConfig::continued_as`]).
    pub fn resume(&self, run: &Run, session: &Session) -> Result<(RunConfig, Dataset)> {
        let kept = run.config()?;
        kept.check().map_err(|e| latents_train::Error::Settings {
            origin: run.config_path().display().to_string(),
            problem: e.to_string(),
        })?;
        // `config.toml` may have been edited; the checkpoint has the settings that the run began with.
        let began = run.begun_with().unwrap_or_else(|| kept.clone());
        self.check_kind(began.model.kind(), &run.dir().display().to_string())?;
        let mut config = kept.with_layers([&self.set])?;
        self.apply_encoder_switches(&mut config);
        if let Some(source) = self.set.source() {
            config.data.source = source.parse::<Source>()?.to_string();
        }
        check_continued(run, &began, &config)?;
        let data = config.data.open(session)?;
        if data.digest() != config.data.digest {
            let (origin, run) = (config.data.source, run.dir().to_owned());
            return Err(Error::OtherImages { origin, run });
        }
        Ok((config, data))
    }
}

/// The number of epochs that some minutes are enough for, by the measured time of a step; at least 1.
///
/// # Errors
/// If the settings do not fit the data, or the call was interrupted.
pub(crate) fn epochs_in(
    minutes: f64,
    config: &RunConfig,
    data: &Dataset,
    session: &Session,
) -> Result<u64> {
    let runtime = session.runtime()?;
    let seconds = seconds_per_epoch(config, data, &runtime, session.monitor())?;
    Ok(((60.0 * minutes / seconds) as u64).max(1))
}
