//! All settings of a run, as they are kept in its `config.toml`: training with them again repeats the run bit for bit. How settings from
//! several places are merged is in `layer`.

use latents_data::{Dataset, Labelled, Limits, Pictures, Source};
use latents_engine::{Layout, Network, Optimizer, Shape};
use latents_models::ModelConfig;
use latents_progress::Monitor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::encoder;
use crate::error::Error;
use crate::training::TrainingConfig;

/// Settings of a run. [`RunConfig::of_kind`] gives the defaults of a kind of model; `default` gives those of an autoencoder for 28x28 images.
///
/// ```
/// use latents_train::RunConfig;
///
/// let config = RunConfig::of_kind("vae", [3, 64, 64])?;
/// assert_eq!((config.training.epochs, config.training.learning_rate), (50, 2e-4));
/// assert_eq!(config.model.latents().unwrap().dim, 44);
/// # Ok::<(), latents_train::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Which images.
    pub data: DataConfig,
    /// How the model is trained.
    pub training: TrainingConfig,
    /// Which model.
    pub model: ModelConfig,
}

impl RunConfig {
    /// Checks that there can be such a run.
    ///
    /// # Errors
    /// If a setting is out of range, two contradict each other, or the model does not fit the images.
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
    /// If the model does not fit the images.
    pub fn network(&self) -> Result<Network, Error> {
        Ok(self.model.network(self.data.shape, self.data.classes.len())?)
    }

    /// The optimiser of all parameters, before its first step.
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

/// Which images a run is trained on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// The source, such as a data set's name or `folder:DIR`.
    #[schemars(example = "fashion-mnist")]
    pub source: String,
    /// Shape of an image, `[c, h, w]`; the model is built for it.
    #[schemars(extend("readOnly" = true))]
    pub shape: Shape,
    /// SHA-256 of the images that train and validate ([`latents_data::Images::digest`]); a run that is resumed needs the same.
    #[schemars(extend("readOnly" = true))]
    pub digest: String,
    /// The name of each class; empty if the images have no labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("readOnly" = true))]
    pub classes: Vec<String>,
    /// How pictures became images.
    #[serde(skip_serializing_if = "Pictures::is_default")]
    pub pictures: Pictures,
    /// Use only so many training images: the first ones, or for a folder or an `.npz` file evenly spaced ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = 10_000)]
    pub train_limit: Option<usize>,
    /// Use only so many test images.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = 1000)]
    pub test_limit: Option<usize>,
}

impl DataConfig {
    /// The settings by which a data set can be opened again as it is.
    ///
    /// ```
    /// use latents_data::{Dataset, Limits};
    /// use latents_progress::Monitor;
    /// use latents_train::DataConfig;
    ///
    /// let monitor = Monitor::default();
    /// let data = Dataset::open("fashion-mnist-sample", &monitor)?;
    /// let data = data.limited(Limits { train: Some(100), test: None });
    /// let again = DataConfig::of(&data).open(&monitor)?;
    /// assert_eq!(again.train, data.train);
    /// # Ok::<(), latents_train::Error>(())
    /// ```
    #[must_use]
    pub fn of(dataset: &Dataset) -> Self {
        DataConfig {
            source: dataset.name.clone(),
            shape: dataset.shape(),
            digest: dataset.digest(),
            classes: dataset.classes.clone(),
            pictures: dataset.pictures.clone(),
            train_limit: dataset.limits.train,
            test_limit: dataset.limits.test,
        }
    }

    /// How many images of each part are used.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits { train: self.train_limit, test: self.test_limit }
    }

    /// Opens the source and applies the limits. With no source: Fashion-MNIST, or else the built-in sample of it.
    ///
    /// # Errors
    /// If the source cannot be read, or picture settings are given for the default source.
    pub fn open(&self, monitor: &Monitor) -> Result<Dataset, Error> {
        let dataset = if !self.source.is_empty() {
            Dataset::open_with(&self.source, &self.pictures, monitor)?
        } else if self.pictures.is_default() {
            Dataset::open_default(monitor)?
        } else {
            return Err(Error::PicturesWithoutSource);
        };
        Ok(dataset.limited(self.limits()))
    }

    /// Opens a run's own data and checks that the images still have the run's shape.
    ///
    /// # Errors
    /// If the source cannot be read, or its images have another shape now.
    pub fn reopen(&self, monitor: &Monitor) -> Result<Dataset, Error> {
        let dataset = self.open(monitor).map_err(|e| Error::RunData(Box::new(e)))?;
        let shape = dataset.shape();
        if shape == self.shape {
            return Ok(dataset);
        }
        Err(Error::OtherShape { origin: self.source.clone(), shape, run: self.shape })
    }

    /// Opens images from elsewhere for a model of this run: all images of a folder or an `.npz` file, resized to the run's shape; the test
    /// part of a named data set.
    ///
    /// # Errors
    /// If the source cannot be read, or its images have another shape and cannot be resized.
    pub fn open_foreign(&self, source: &str, monitor: &Monitor) -> Result<Labelled, Error> {
        let images = if source.parse::<Source>()?.is_fixed() {
            Dataset::open(source, monitor)?.test
        } else {
            let [channels, h, w] = self.shape;
            let pictures = Pictures {
                size: Some([h, w]),
                grey: channels == 1,
                test_fraction: 0.0,
                ..self.pictures.clone()
            };
            let dataset = Dataset::open_with(source, &pictures, monitor)?;
            if dataset.test.is_empty() { dataset.train } else { dataset.test }
        };
        let shape = images.images.shape();
        if shape == self.shape {
            return Ok(images);
        }
        Err(Error::ForeignShape { origin: source.to_owned(), shape, run: self.shape })
    }
}
