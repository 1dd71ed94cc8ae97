//! How the layers of a recipe become settings: the kind's defaults for the images, files, the encoder's run, and what is set, merged once.

use latents_data::{Dataset, Source};
use latents_engine::Shape;
use latents_models::ModelConfig;
use latents_train::{Run, RunConfig, SettingsLayer, TrainingConfig};

use super::images::is_same_source;
use super::{ASSUMED_SHAPE, Recipe};
use crate::error::{Error, Result};
use crate::session::Session;

/// The images of the reference study, and the sample of them.
const STUDIED: [&str; 2] = ["fashion-mnist", "fashion-mnist-sample"];

impl Recipe {
    /// The kind's defaults: those of the reference study for its images, or if its design is set; otherwise those
    /// that suit the collection.
    fn defaults(&self, data: Option<&Dataset>) -> Result<RunConfig> {
        let layers = || self.files.iter().chain([&self.set]).rev();
        let design = layers().find_map(|layer| layer.text("model.design"));
        let source = match data {
            Some(data) => Some(data.name.as_str()),
            None => layers().find_map(SettingsLayer::source),
        };
        let is_studied = match design {
            Some(design) => design == "study",
            None => source.is_none_or(|source| STUDIED.contains(&source)),
        };
        let shape = data.map_or(ASSUMED_SHAPE, Dataset::shape);
        let studied = RunConfig::of_kind(&self.kind, shape)?;
        if is_studied {
            return Ok(studied);
        }
        let images = data.map_or(0, |data| data.train.len());
        let collection = RunConfig::for_collection(&self.kind, shape, images)?;
        let starts = |config: &RunConfig| config.model.linear_start(shape).is_some();
        // Some settings, such as another likelihood, are of the other design alone.
        let is_other = |whole: &RunConfig| starts(&collection) && !starts(whole);
        let whole = collection.with_layers(self.files.iter().chain([&self.set]));
        Ok(if design.is_none() && whole.is_ok_and(|whole| is_other(&whole)) {
            studied
        } else {
            collection
        })
    }

    /// The model with its default settings.
    pub(crate) fn default_model(&self, data: Option<&Dataset>) -> Result<ModelConfig> {
        match &self.base {
            Some(base) => Ok(base.model.clone()),
            None => Ok(self.defaults(data)?.model),
        }
    }

    /// All settings for some images, but for what only their pixels can tell. Without images, [`ASSUMED_SHAPE`] and no check of the encoder's.
    pub(super) fn resolve(&self, data: Option<&Dataset>, session: &Session) -> Result<RunConfig> {
        let image = data.map(Dataset::shape);
        if let Some(fault) = &self.fault {
            return Err(Error::Invalid(fault.clone()));
        }
        let encoder = self.encoder.as_ref().map(|run| session.run(run));
        let mut config = if let Some(base) = &self.base {
            base.clone()
        } else {
            let mut defaults = self.defaults(data)?;
            let mut layers = vec![];
            if let Some(tuning) = defaults.model.own_tuning().filter(|_| self.trial) {
                let epochs = defaults.training.epochs as f64 * tuning.trial_share;
                defaults.training.epochs = (epochs as u64).max(1);
                layers.push(SettingsLayer::parse("the settings of a trial", tuning.trial)?);
            }
            if let Some(run) = &encoder {
                layers.push(self.encoder_layer(run, &defaults.training)?);
            }
            defaults.with_layers(layers.iter().chain(&self.files))?
        };
        if let Some(file) = self.files.last() {
            self.check_kind(&config, file.origin())?;
        }
        if let Some(run) = &encoder {
            self.take_encoder(&mut config, run, image)?;
        } else if let Some(training) = &config.training.encoder
            && training.weights.is_none()
            && !self.from_scratch
        {
            return Err(Error::EncoderNeeded);
        }
        let mut config = config.with_layers([&self.set])?;
        self.apply_encoder_switches(&mut config);
        Ok(config)
    }

    /// Applies what is asked of the encoder: whether it begins from scratch, and whether it stays frozen.
    pub(super) fn apply_encoder_switches(&self, config: &mut RunConfig) {
        let epochs = config.training.epochs;
        if let Some(training) = &mut config.training.encoder {
            if self.from_scratch {
                (training.weights, training.weights_digest) = (None, String::new());
            }
            if self.freeze_encoder {
                training.frozen_epochs = epochs;
            }
        }
    }

    /// What an encoder's run says of the images and of its training; files and values that are set go before it.
    fn encoder_layer(&self, run: &Run, head: &TrainingConfig) -> Result<SettingsLayer> {
        let of_run = run.config()?.data;
        let mut layer = SettingsLayer::default();
        layer.set("training.encoder", &run.fine_tuning(head)?)?;
        let ours =
            self.set.source().or_else(|| self.files.iter().rev().find_map(SettingsLayer::source));
        match ours {
            Some(ours) if !is_same_source(ours, &of_run.source) => {
                // Other pictures are resized to the shape that the encoder knows.
                if ours.parse::<Source>().is_ok_and(|source| !source.is_fixed()) {
                    let [channels, h, w] = of_run.shape;
                    layer.set("data.pictures.size", &[h, w])?;
                    layer.set("data.pictures.grey", &(channels == 1))?;
                    layer.set("data.pictures.fit", &of_run.pictures.fit)?;
                    layer.set("data.pictures.background", &of_run.pictures.background)?;
                }
                return Ok(layer);
            }
            Some(_) => {}
            None => layer.set("data.source", &of_run.source)?,
        }
        layer.set("data.pictures", &of_run.pictures)?;
        Ok(layer)
    }

    /// The encoder's model, without dropout, and weights, whatever a file says.
    fn take_encoder(&self, config: &mut RunConfig, run: &Run, image: Option<Shape>) -> Result<()> {
        let of_run = run.config()?;
        let kind = of_run.model.kind();
        if of_run.model.latents(of_run.data.shape).is_none() {
            return Err(Error::NoEncoder { run: run.dir().to_owned(), kind });
        }
        if let Some(images) =
            image.filter(|images| *images != of_run.data.shape && !self.from_scratch)
        {
            let encoder = of_run.data.shape;
            return Err(Error::EncoderShape { run: run.dir().to_owned(), encoder, images });
        }
        if let Some(encoder) = config.model.encoder_mut() {
            *encoder = of_run.model.fine_tuned();
        }
        let of_run = run.encoder_training()?;
        let training = config.training.encoder.get_or_insert_with(|| of_run.clone());
        (training.weights, training.weights_digest) = (of_run.weights, of_run.weights_digest);
        Ok(())
    }
}
