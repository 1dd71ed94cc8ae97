//! How the layers of a recipe become settings: the kind's defaults for the images, the encoder's run, files, and what is set, merged once. Only the
//! section `data` is known before, to open the images.

use latents_data::{Dataset, Source};
use latents_models::ModelConfig;
use latents_train::{DataConfig, Run, RunConfig, SettingsLayer};

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

    /// What is wrong with the recipe whatever the images are.
    fn check(&self) -> Result<()> {
        if let Some(fault) = &self.fault {
            return Err(Error::Invalid(fault.clone()));
        }
        if let Some(file) = self.files.iter().rev().find(|file| file.has("model.kind")) {
            self.check_kind(file.text("model.kind").unwrap_or_default(), file.origin())?;
        }
        let lacks_weights = if let Some(base) = &self.base {
            base.training.encoder.as_ref().is_some_and(|encoder| encoder.weights.is_none())
        } else {
            let has_weights = |file: &SettingsLayer| file.has("training.encoder.weights");
            ModelConfig::kinds_on_an_encoder().contains(&self.kind.as_str())
                && !self.files.iter().any(has_weights)
        };
        if lacks_weights && self.encoder.is_none() && !self.from_scratch {
            return Err(Error::EncoderNeeded);
        }
        Ok(())
    }

    /// The run of the encoder, and its settings.
    fn encoder_run(&self, session: &Session) -> Result<Option<(Run, RunConfig)>> {
        let Some(run) = &self.encoder else { return Ok(None) };
        let run = session.run(run);
        let of_run = run.config()?;
        if of_run.model.latents(of_run.data.shape).is_none() {
            return Err(Error::NoEncoder { run: run.dir().to_owned(), kind: of_run.model.kind() });
        }
        Ok(Some((run, of_run)))
    }

    /// The settings of the images, which do not depend on their shape.
    pub(super) fn data_config(&self, session: &Session) -> Result<DataConfig> {
        self.check()?;
        let encoder = self.encoder_run(session)?;
        if let Some(base) = &self.base {
            return Ok(base.data.with_layers([&self.set])?);
        }
        let encoder = encoder.map(|(_, of_run)| self.images_layer(&of_run.data)).transpose()?;
        let layers = encoder.iter().chain(&self.files).chain([&self.set]);
        Ok(DataConfig::default().with_layers(layers)?)
    }

    /// All settings for some images, but for what only their pixels can tell.
    pub(super) fn resolve(&self, data: &Dataset, session: &Session) -> Result<RunConfig> {
        self.check()?;
        let encoder = self.encoder_run(session)?;
        let mut config = if let Some(base) = &self.base {
            base.clone()
        } else {
            let mut defaults = self.defaults(Some(data))?;
            let mut layers = vec![];
            if let Some(tuning) = defaults.model.own_tuning().filter(|_| self.trial) {
                let epochs = defaults.training.epochs as f64 * tuning.trial_share;
                defaults.training.epochs = (epochs as u64).max(1);
                layers.push(SettingsLayer::parse("the settings of a trial", tuning.trial)?);
            }
            if let Some((run, of_run)) = &encoder {
                let mut layer = self.images_layer(&of_run.data)?;
                layer.set("training.encoder", &run.fine_tuning(&defaults.training)?)?;
                layers.push(layer);
            }
            defaults.with_layers(layers.iter().chain(&self.files))?
        };
        if let Some(encoder) = &encoder {
            self.take_encoder(&mut config, encoder, data)?;
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

    /// What an encoder's run says of the images; files and values that are set go before it.
    fn images_layer(&self, of_run: &DataConfig) -> Result<SettingsLayer> {
        let mut layer = SettingsLayer::default();
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
    fn take_encoder(
        &self,
        config: &mut RunConfig,
        (run, of_run): &(Run, RunConfig),
        data: &Dataset,
    ) -> Result<()> {
        let (encoder, images) = (of_run.data.shape, data.shape());
        if images != encoder && !self.from_scratch {
            return Err(Error::EncoderShape { run: run.dir().to_owned(), encoder, images });
        }
        if let Some(encoder) = config.model.encoder_mut() {
            *encoder = of_run.model.clone().fine_tuned();
        }
        let of_run = run.encoder_training()?;
        let training = config.training.encoder.get_or_insert_with(|| of_run.clone());
        (training.weights, training.weights_digest) = (of_run.weights, of_run.weights_digest);
        Ok(())
    }
}
