//! All settings of a run, as written to its `config.toml`. Training again with the same settings repeats the run bit for bit. `layer` merges
//! settings from several sources.

use std::ops::Range;
use std::sync::Arc;

use latents_data::{
    Dataset, IN_MEMORY, ImageArrays, Images, Labelled, Limits, Note, Pictures, Shard, Source,
};
use latents_engine::{Engine, EngineOptions, Layout, Network, Optimizer, Runtime, Schedule, Shape};
use latents_models::ModelConfig;
use latents_progress::{Monitor, count};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::components::fixed;
use crate::encoder;
use crate::error::Error;
use crate::nearest::nearest;
use crate::training::TrainingConfig;

/// All settings of a run. [`RunConfig::of_kind`] returns the defaults for a kind of model; `default` returns those of an autoencoder for 28x28 images.
///
/// ```
/// use latents_train::RunConfig;
///
/// let config = RunConfig::of_kind("vae", [3, 64, 64])?;
/// assert_eq!((config.training.epochs, config.training.learning_rate), (50, 2e-4));
/// assert_eq!(config.model.latents([1, 28, 28]).unwrap().dim, 44);
/// # Ok::<(), latents_train::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Images of the run.
    pub data: DataConfig,
    /// Settings of the training loop.
    pub training: TrainingConfig,
    /// Settings of the model.
    pub model: ModelConfig,
}

impl RunConfig {
    /// Checks the settings.
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

    /// SHA-256 of all settings that results depend on. The paths of the images and of an encoder's weights do not count, because the settings
    /// have digests of their contents.
    ///
    /// # Errors
    /// If the settings cannot be written as TOML.
    pub fn digest(&self) -> Result<String, Error> {
        let text = toml::to_string(&self.with_paths_of(&RunConfig::default()));
        Ok(latents_files::sha256(text.map_err(|e| Error::Config(e.to_string()))?.as_bytes()))
    }

    /// These settings with the paths of the images and of an encoder's weights that others have.
    fn with_paths_of(&self, other: &RunConfig) -> Self {
        let mut config = self.clone();
        config.data.source.clone_from(&other.data.source);
        if let Some(encoder) = &mut config.training.encoder {
            encoder.weights = other.training.encoder.as_ref().and_then(|e| e.weights.clone());
        }
        config
    }

    /// These settings with what a run that began with them may change when it goes on: the places of files, and, if no schedule depends on it, a
    /// larger number of epochs. A run that may go on with `now` has no difference left.
    #[must_use]
    pub fn continued_as(&self, now: &RunConfig) -> RunConfig {
        let mut continued = self.with_paths_of(now);
        if self.training.schedule == Schedule::Constant {
            continued.training.epochs = self.training.epochs.max(now.training.epochs);
        }
        continued
    }

    /// The model's network for images of the run's shape.
    ///
    /// # Errors
    /// If the model does not fit the images.
    pub fn network(&self) -> Result<Network, Error> {
        Ok(self.model.network(self.data.shape, self.data.classes.len())?)
    }

    /// The engine that computes the run's network.
    ///
    /// # Errors
    /// Those of [`RunConfig::network`].
    pub fn engine(&self, runtime: Arc<Runtime>) -> Result<Engine, Error> {
        Ok(Engine::with_options(&self.network()?, runtime, self.engine_options())?)
    }

    fn engine_options(&self) -> EngineOptions {
        EngineOptions { precision: self.training.precision, ..EngineOptions::default() }
    }

    /// Checks, before anything is allocated, that there is memory to train on so many threads: for the buffers of a step, and for the parameters,
    /// their gradient, the state of the optimiser, and the copies that a checkpoint makes of them.
    ///
    /// # Errors
    /// [`Error::Memory`] if it needs more than [`latents_files::memory_limit`], or the errors of [`RunConfig::network`].
    pub fn check_memory(&self, threads: usize) -> Result<(), Error> {
        let network = self.network()?;
        let of_step = Engine::<f32>::step_memory(
            &network,
            self.engine_options(),
            (self.training.batch_size, self.model.draws()),
            threads,
        )?;
        let numbers = network.layout()?.parameter_count() as u64;
        let of_parameters = COPIES * size_of::<f32>() as u64 * numbers;
        let [c, h, w] = self.data.shape;
        let what = format!(
            "training on images of {h}x{w} pixels in {c} channels, with {} parameters,",
            count(numbers)
        );
        Ok(latents_files::check_memory(&what, PROGRAM + of_step + of_parameters)?)
    }

    /// The optimiser for all parameters that are trained, in its initial state.
    pub(crate) fn optimizer(&self, layout: &Layout) -> Result<Optimizer, Error> {
        let count = layout.parameter_count();
        let Some(of_encoder) = &self.training.encoder else {
            let start = self.model.linear_start(self.data.shape);
            let fixed = start.map(|start| fixed(&start, layout)).unwrap_or_default();
            let (mut groups, mut from) = (vec![], 0);
            for Range { start, end } in fixed {
                groups.extend(self.training.groups(layout, from..start));
                from = end;
            }
            groups.extend(self.training.groups(layout, from..count));
            return Ok(Optimizer::new(groups, count)?);
        };
        let mut groups = of_encoder.groups(layout);
        groups.extend(self.training.groups(layout, encoder::encoder(layout).end..count));
        Ok(Optimizer::new(groups, count)?)
    }
}

/// Vectors of as many numbers as there are parameters: they themselves, their gradient, the optimiser's two moments and the best ones so far; and while checkpoints are written and
/// read, copies of them as tensors, as bytes and in buffers. As many as were measured.
const COPIES: u64 = 24;
/// Bytes of the program itself.
const PROGRAM: u64 = 20_000_000;

/// The part of the values of other images that may lie outside the range of a run; more of them mean another range.
const MOST_CLIPPED: f64 = 0.25;

/// Images of another source than a run's own.
#[derive(Clone, Debug)]
pub struct Foreign {
    /// The images, in the run's shape.
    pub images: Labelled,
    /// The names of their own classes.
    pub classes: Vec<String>,
    /// The shape that they had in an array or a table, `[c, h, w]`, before they were resized.
    pub array_shape: Option<Shape>,
}

/// One of several pieces of the images of another source than a run's own.
#[derive(Clone, Debug)]
pub struct ForeignShard {
    /// The images of the piece, with the classes of all.
    pub foreign: Foreign,
    /// The number of the first of them among all, if they have no names.
    pub first: usize,
    /// SHA-256 of what tells this collection from others: the names of all its pictures, or its pixels.
    pub collection: String,
}

/// The images of a run: source, shape and limits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// Source of the images: the name of a data set, `folder:DIR`, `npz:FILE` or `idx:DIR`.
    #[schemars(example = "fashion-mnist")]
    pub source: String,
    /// Shape of an image, `[c, h, w]`. The model is built for this shape.
    #[schemars(extend("readOnly" = true))]
    pub shape: Shape,
    /// SHA-256 of the training and validation images ([`latents_data::Images::digest`]). A run can be resumed only with the same images.
    #[schemars(extend("readOnly" = true))]
    pub digest: String,
    /// Names of the classes; empty if the images have no labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("readOnly" = true))]
    pub classes: Vec<String>,
    /// Settings for reading picture files.
    #[serde(skip_serializing_if = "Pictures::is_default")]
    pub pictures: Pictures,
    /// Number of training images to use: the first ones, or evenly spaced ones for a folder or an `.npz` file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = 10_000)]
    pub train_limit: Option<usize>,
    /// Number of test images to use.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = 1000)]
    pub test_limit: Option<usize>,
}

impl DataConfig {
    /// The settings that open the same data set again.
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

    /// The number of the class of this name, from 0.
    ///
    /// # Errors
    /// [`Error::UnknownClass`], with the most similar name.
    pub fn class_named(&self, name: &str) -> Result<u16, Error> {
        match self.classes.iter().position(|class| class == name) {
            Some(class) => Ok(class as u16),
            None => Err(Error::UnknownClass {
                name: name.to_owned(),
                nearest: nearest(name, &self.classes).cloned().unwrap_or_default(),
                known: self.classes.clone(),
            }),
        }
    }

    /// The limits on the number of training and test images.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits { train: self.train_limit, test: self.test_limit }
    }

    /// Opens the source and applies the limits. Without a source, opens Fashion-MNIST, or its built-in sample if Fashion-MNIST is not available.
    ///
    /// # Errors
    /// If the source cannot be read, or picture settings are given for the default source.
    pub fn open(&self, monitor: &Monitor) -> Result<Dataset, Error> {
        if self.source == IN_MEMORY {
            return Err(Error::InMemory);
        }
        let dataset = if !self.source.is_empty() {
            Dataset::open_with(&self.source, &self.pictures, monitor)?
        } else if self.pictures.is_default() {
            Dataset::open_default(monitor)?
        } else {
            return Err(Error::PicturesWithoutSource);
        };
        Ok(dataset.limited(self.limits()))
    }

    /// Opens the run's own data and checks that the images still have the run's shape.
    ///
    /// # Errors
    /// If the source cannot be read, or its images now have another shape.
    pub fn reopen(&self, monitor: &Monitor) -> Result<Dataset, Error> {
        let dataset = self.open(monitor).map_err(|error| match error {
            plain @ (Error::Interrupted(_) | Error::InMemory) => plain,
            error => Error::RunData(Box::new(error)),
        })?;
        let shape = dataset.shape();
        if shape == self.shape {
            return Ok(dataset);
        }
        Err(Error::OtherShape { origin: self.source.clone(), shape, run: self.shape })
    }

    /// Opens images of another source for this run's model, resized to the run's shape and with its range of values: all images of a
    /// source, or the test part of a named data set. Warnings about them go to `monitor`.
    ///
    /// # Errors
    /// If the source cannot be read, its images have another shape and cannot be resized, or most of their values are outside the run's
    /// range.
    pub fn open_foreign(&self, source: &str, monitor: &Monitor) -> Result<Foreign, Error> {
        if source.parse::<Source>()?.is_fixed() {
            let Dataset { test, classes, .. } = Dataset::open(source, monitor)?;
            return self.checked(source, Foreign { images: test, classes, array_shape: None });
        }
        let dataset = Dataset::open_with(source, &self.foreign_pictures(), monitor)?;
        self.foreign(source, dataset, monitor)
    }

    /// Opens one of several pieces of the images of another source, as [`DataConfig::open_foreign`] opens all. If each picture of the source is in
    /// a file, a row or an entry of its own, the others are not read.
    ///
    /// # Errors
    /// As of [`DataConfig::open_foreign`].
    pub fn open_foreign_shard(
        &self,
        source: &str,
        shard: Shard,
        monitor: &Monitor,
    ) -> Result<ForeignShard, Error> {
        let pictures = self.foreign_pictures();
        let Some(read) = source.parse::<Source>()?.load_shard(&pictures, shard, monitor)? else {
            let foreign = self.open_foreign(source, monitor)?;
            let mut digests = foreign.images.images.digest();
            digests.extend(foreign.images.names.iter().flatten().map(|name| format!("\n{name}")));
            let range = shard.range(foreign.images.len());
            let first = range.start;
            let images = foreign.images.at(&range.collect::<Vec<_>>());
            let collection = latents_files::sha256(digests.as_bytes());
            return Ok(ForeignShard { foreign: Foreign { images, ..foreign }, first, collection });
        };
        let mut foreign = if let Some(dataset) = read.dataset {
            self.foreign(source, dataset, monitor)?
        } else {
            if !read.broken.is_empty() {
                let note = Note::Unreadable { pictures: read.broken };
                monitor.warning(&format!("{source}: {note}"));
            }
            let [c, h, w] = self.shape;
            let none = Labelled::unlabelled(Images::new(c, h, w, vec![])?);
            let images = Labelled { names: Some(vec![]), ..none };
            Foreign { images, classes: vec![], array_shape: None }
        };
        foreign.classes = read.classes;
        if !foreign.classes.is_empty() && foreign.images.labels.is_none() {
            // Images of other pieces have labels.
            foreign.images.labels = Some(vec![None; foreign.images.len()]);
        }
        Ok(ForeignShard { foreign, first: 0, collection: read.collection })
    }

    /// Takes images in memory for this run's model, as [`DataConfig::open_foreign`] takes those of a file.
    ///
    /// # Errors
    /// As of [`DataConfig::open_foreign`], and those of [`Dataset::from_arrays`].
    pub fn foreign_arrays(
        &self,
        arrays: ImageArrays<'_>,
        monitor: &Monitor,
    ) -> Result<Foreign, Error> {
        let name = arrays.name;
        let dataset =
            Dataset::from_arrays(name, vec![arrays], None, &self.foreign_pictures(), monitor)?;
        self.foreign(name, dataset, monitor)
    }

    /// The settings that make images of the run's shape from others.
    fn foreign_pictures(&self) -> Pictures {
        let [channels, h, w] = self.shape;
        Pictures {
            size: Some([h, w]),
            grey: channels == 1,
            test_fraction: 0.0,
            label: None,
            ..self.pictures.clone()
        }
    }

    /// All images of a data set that was read with [`DataConfig::foreign_pictures`].
    fn foreign(&self, source: &str, dataset: Dataset, monitor: &Monitor) -> Result<Foreign, Error> {
        for note in &dataset.notes {
            match note {
                Note::Clipped { values, of } if *values as f64 > MOST_CLIPPED * *of as f64 => {
                    let (origin, range) = (source.to_owned(), self.pictures.range.to_string());
                    return Err(Error::ForeignRange { origin, range });
                }
                Note::Clipped { .. } | Note::UnusedRange { .. } | Note::Unreadable { .. } => {
                    monitor.warning(&format!("{source}: {note}"));
                }
                // What was taken for black and white.
                Note::ImagesFromArray { .. } | Note::RangeOfValues { .. } => {
                    monitor.note(&format!("{source}: {note}"));
                }
                _ => {}
            }
        }
        let array_shape = dataset.notes.iter().find_map(|note| match note {
            Note::ImagesFromArray { image, .. } => Some(*image),
            _ => None,
        });
        let (images, classes) = (dataset.all().0, dataset.classes);
        self.checked(source, Foreign { images, classes, array_shape })
    }

    /// The images, if they have the run's shape; grey ones as colours, if the run's have some.
    fn checked(&self, source: &str, mut foreign: Foreign) -> Result<Foreign, Error> {
        if self.shape[0] == 3 && foreign.images.images.shape()[0] == 1 {
            foreign.images.images = foreign.images.images.coloured();
        }
        let shape = foreign.images.images.shape();
        if shape != self.shape {
            return Err(Error::ForeignShape { origin: source.to_owned(), shape, run: self.shape });
        }
        Ok(foreign)
    }
}
