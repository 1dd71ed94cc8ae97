//! A trained model, ready to compute: images to latents and back, in blocks. What else it can do is in files of their own (`sample`,
//! `traverse`, `outliers`, `predict`, ...), each an `impl TrainedModel`.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use latents_data::{Dataset, ImageArrays, Labelled, Pixels};
use latents_engine::{Batch, Engine, Inputs, Runtime, Shape};
use latents_models::{LatentSpace, code_bits, posterior};
use latents_progress::Monitor;
use latents_train::{Foreign, Run, RunConfig};

use crate::conditions::Conditions;
use crate::error::{Error, Result};
use crate::latents::{ImageArray, Latents};
use crate::session::Session;

/// Images that go through the network at once.
pub(crate) const BLOCK: usize = 4096;

/// A trained model: the weights of a run, and the session that it computes in.
///
/// ```no_run
/// use latents::{Sampler, Session, TrainedModel};
///
/// let mut model = TrainedModel::open("runs/vae", &Session::default())?;
/// let data = model.data()?; // the images that it was trained on
/// let z = model.encode(&data.test)?;
/// let again = model.decode(&z.z)?;
/// model.sample(100, Sampler::Normal, 1)?.images.save("new.npz")?;
/// # Ok::<(), latents::Error>(())
/// ```
#[derive(Debug)]
pub struct TrainedModel {
    pub(crate) run: Run,
    pub(crate) config: RunConfig,
    pub(crate) engine: Engine,
    pub(crate) parameters: Vec<f32>,
    pub(crate) session: Session,
}

impl TrainedModel {
    /// Opens the model of a finished run. Its data are not read.
    ///
    /// # Errors
    /// If there is no run in the folder, it has not finished, its files are damaged, or they have changed since (see [`Session::accept_changes`]).
    pub fn open(dir: impl AsRef<Path>, session: &Session) -> Result<Self> {
        let run = session.run(dir);
        let config = run.config()?;
        let engine = config.engine(session.runtime()?)?;
        let parameters = run.parameters(&engine)?;
        Ok(TrainedModel { run, config, engine, parameters, session: session.clone() })
    }

    /// The run's folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.run.dir()
    }

    /// The run, for its metrics and snapshots.
    #[must_use]
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// All settings of the run.
    #[must_use]
    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    /// The kind of model, such as `vae`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.config.model.kind()
    }

    /// Shape of an image, `[c, h, w]`.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.config.data.shape
    }

    /// The names of the classes of its images; empty if they have no labels.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.config.data.classes
    }

    /// The number of parameters.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.engine.layout().parameter_count()
    }

    /// The parameters, in the order of the network's layout.
    #[must_use]
    pub fn parameters(&self) -> &[f32] {
        &self.parameters
    }

    /// The session that it computes in.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Reports to another reporter from now on, and stops when another token is cancelled. The threads stay the same.
    pub fn set_monitor(&mut self, monitor: Monitor) {
        self.session = self.session.with_monitor(monitor);
    }

    pub(crate) fn runtime(&self) -> Arc<Runtime> {
        Arc::clone(self.engine.runtime())
    }

    /// Where the network has its latents.
    ///
    /// # Errors
    /// [`Error::NoLatents`] if the model has none that can be decoded.
    pub fn latent_space(&self) -> Result<LatentSpace> {
        let space = self.config.model.latents(self.shape());
        space.ok_or_else(|| Error::NoLatents { run: self.dir().to_owned(), kind: self.kind() })
    }

    /// Whether its latents have a posterior distribution, as those of a variational autoencoder do.
    #[must_use]
    pub fn is_variational(&self) -> bool {
        posterior(self.engine.layout()).is_some()
    }

    /// The bits of the latents of an image, if they are codes, as those of a VQ-VAE are.
    #[must_use]
    pub fn code_bits(&self) -> Option<f64> {
        code_bits(self.engine.layout())
    }

    /// Opens the images that the run was trained on, and those held out for testing.
    ///
    /// # Errors
    /// If they cannot be read, or have another shape now.
    pub fn data(&self) -> Result<Dataset> {
        Ok(self.config.data.reopen(&self.session)?)
    }

    /// Opens images from elsewhere, resized to the model's shape: a folder, an `.npz` file, or the test part of a named data set.
    ///
    /// # Errors
    /// If they cannot be read, or have another shape and cannot be resized.
    pub fn foreign_data(&self, source: &str) -> Result<Foreign> {
        Ok(self.config.data.open_foreign(source, &self.session)?)
    }

    /// The latents `[n, d]` of images, with their labels and names.
    ///
    /// # Errors
    /// If the model has no latents, or the images have another shape.
    pub fn encode(&mut self, images: &Labelled) -> Result<Latents> {
        self.check_shape(images)?;
        let (labels, names) = (images.labels.clone(), images.names.clone());
        let classes = self.classes().to_vec();
        Ok(Latents { labels, names, classes, ..self.encode_pixels(images.images.pixels())? })
    }

    /// The latents `[n, d]` of images `[n, c, h, w]` of which nothing else is known. The pixels are not copied.
    ///
    /// # Errors
    /// If the model has no latents, or the pixels are not a whole number of its images.
    pub fn encode_pixels(&mut self, pixels: Pixels<'_>) -> Result<Latents> {
        let (d, n) = (self.latent_space()?.dim, self.count(pixels)?);
        let mut z = Vec::with_capacity(n * d);
        let mut log_variances = self.is_variational().then(|| Vec::with_capacity(n * d));
        self.each_latent_block(pixels, &mut |means, logs| {
            z.extend_from_slice(means);
            if let Some(all) = &mut log_variances {
                all.extend_from_slice(logs);
            }
        })?;
        Ok(Latents { z, dim: d, log_variances, ..Latents::default() })
    }

    /// Takes images in memory for this model: they are resized to its shape, and have its range of values.
    ///
    /// # Errors
    /// If they are not images, or most of their values are outside the model's range.
    pub fn foreign_arrays(&self, arrays: ImageArrays<'_>) -> Result<Foreign> {
        Ok(self.config.data.foreign_arrays(arrays, &self.session)?)
    }

    /// The latents `[n, d]` of images in memory. Bytes of the model's own shape are not copied.
    ///
    /// # Errors
    /// As [`TrainedModel::foreign_arrays`] and [`TrainedModel::encode`].
    pub fn encode_arrays(&mut self, arrays: ImageArrays<'_>) -> Result<Latents> {
        if let Some(bytes) = arrays.own_bytes(self.shape(), &self.config.data.pictures) {
            return self.encode_pixels(Pixels::Bytes(bytes));
        }
        let foreign = self.foreign_arrays(arrays)?;
        self.encode(&foreign.images)
    }

    /// The number of images that these pixels are.
    fn count(&self, pixels: Pixels<'_>) -> Result<usize> {
        let numbers = self.shape().iter().product::<usize>();
        if pixels.len().is_multiple_of(numbers) {
            return Ok(pixels.len() / numbers);
        }
        let (found, shape) = (pixels.len(), self.shape());
        Err(Error::Invalid(format!("{found} pixels are no whole number of images {shape:?}")))
    }

    /// The latents `[n, d]` of images, and nothing else of them: of a variational model, the means.
    pub(crate) fn latent_means(&mut self, images: &Labelled) -> Result<Vec<f32>> {
        self.check_shape(images)?;
        let mut z = Vec::with_capacity(images.len() * self.latent_space()?.dim);
        self.each_latent_block(images.images.pixels(), &mut |means, _| z.extend_from_slice(means))?;
        Ok(z)
    }

    /// Gives the latents of all images, piece by piece in their order: latents, and as many log-variances or none.
    fn each_latent_block(
        &mut self,
        pixels: Pixels<'_>,
        each: &mut dyn FnMut(&[f32], &[f32]),
    ) -> Result<()> {
        // No encoder is given a class.
        let (space, none) = (self.latent_space()?, Conditions::default());
        let Some(layers) = posterior(self.engine.layout()) else {
            let layers = self.layers(space.encode);
            return self.each_block(pixels, &layers, &none, &mut |block, _| each(&block, &[]));
        };
        self.each_block(pixels, &layers, &none, &mut |block, _| {
            // Means, then log-variances, of each image.
            for both in block.chunks_exact(2 * space.dim) {
                let (means, logs) = both.split_at(space.dim);
                each(means, logs);
            }
        })
    }

    /// The latents `[n, d]` of images `[n, c, h, w]` of numbers from 0 to 1.
    ///
    /// # Errors
    /// If the model has no latents, or the numbers are not a whole number of images.
    pub fn encode_values(&mut self, images: &[f32]) -> Result<Vec<f32>> {
        let space = self.latent_space()?;
        Ok(self.engine.forward(&self.parameters, Inputs::Values(images), space.encode)?)
    }

    /// The images `[n, c, h, w]` of latents `[n, d]`.
    ///
    /// # Errors
    /// If the model has no latents, the numbers are not a whole number of vectors, or [`Error::ClassNeeded`] if the model is conditional:
    /// [`TrainedModel::decode_as`] takes the classes.
    pub fn decode(&mut self, z: &[f32]) -> Result<ImageArray> {
        if self.is_conditional() {
            return Err(self.class_needed());
        }
        self.decode_given(z, &Conditions::default())
    }

    /// The images `[n, c, h, w]` of latents that may be from elsewhere. A conditional model decodes them as images of the classes that their
    /// labels name.
    ///
    /// # Errors
    /// If the model has no latents, these have another number of dimensions, or a conditional model does not know the class of one.
    pub fn decode_latents(&mut self, latents: &Latents) -> Result<ImageArray> {
        let dim = self.latent_space()?.dim;
        if latents.dim != dim {
            return Err(Error::LatentDim { found: latents.dim, expected: dim });
        }
        self.decode_labelled(latents)
    }

    /// Checks, before anything is allocated, that there is memory for so many latent vectors and their images.
    pub(crate) fn check_room(&self, n: usize) -> Result<()> {
        let numbers = self.latent_space()?.dim + self.shape().iter().product::<usize>();
        let bytes = (n as u64).saturating_mul((numbers * size_of::<f32>()) as u64);
        Ok(latents_files::check_memory(&format!("making {n} images"), bytes)?)
    }

    /// Refuses images of another shape than the model's.
    pub(crate) fn check_shape(&self, images: &Labelled) -> Result<()> {
        let (shape, run) = (images.images.shape(), self.shape());
        if shape == run {
            return Ok(());
        }
        let origin = "these".into();
        Err(latents_train::Error::ForeignShape { origin, shape, run }.into())
    }

    /// The layers of some sections.
    pub(crate) fn layers(&self, sections: Range<usize>) -> Range<usize> {
        let layout = self.engine.layout();
        layout.section(sections.start).start..layout.section(sections.end - 1).end
    }

    /// Gives what comes out of some layers for all images, a block at a time, with the numbers of its images.
    pub(crate) fn each_block(
        &mut self,
        pixels: Pixels<'_>,
        layers: &Range<usize>,
        given: &Conditions,
        each: &mut dyn FnMut(Vec<f32>, &[u32]),
    ) -> Result<()> {
        let run = self.dir().to_owned();
        self.each_batch(pixels, given, &mut |engine, parameters, batch, index| {
            let block = engine.forward_layers(parameters, batch, layers.clone())?;
            check_finite(&run, &block, index.len(), index.first().map_or(0, |&i| i as usize))?;
            each(block, index);
            Ok(())
        })
    }

    /// Calls a function with the engine, its parameters, and each block of images as a batch with the numbers of its images.
    #[allow(clippy::type_complexity)] // A function of four arguments.
    pub(crate) fn each_batch(
        &mut self,
        pixels: Pixels<'_>,
        given: &Conditions,
        each: &mut dyn FnMut(&mut Engine, &[f32], Batch<'_, f32>, &[u32]) -> Result<()>,
    ) -> Result<()> {
        let index: Vec<u32> = (0..self.count(pixels)? as u32).collect();
        for (i, index) in index.chunks(BLOCK).enumerate() {
            self.session.check()?;
            let conditions = given.of(i * BLOCK..i * BLOCK + index.len());
            let inputs = Inputs::Images { pixels: latents_train::pixels(pixels), index };
            each(&mut self.engine, &self.parameters, inputs.with_conditions(&conditions), index)?;
        }
        Ok(())
    }
}

/// Checks what the model of a run computed of `count` things, of which the first has the number `first`.
pub(crate) fn check_finite(run: &Path, values: &[f32], count: usize, first: usize) -> Result<()> {
    let Some(at) = values.iter().position(|x| !x.is_finite()) else { return Ok(()) };
    let index = first + at / (values.len() / count.max(1)).max(1);
    Err(Error::NotFinite { run: run.to_owned(), index })
}

/// The sum of squared errors of numbers from 0 to 1 against as many pixels.
pub(crate) fn squared_error(image: &[f32], pixels: Pixels<'_>) -> f64 {
    let square = |(&x, original): (&f32, f64)| (f64::from(x) - original).powi(2);
    match pixels {
        Pixels::Bytes(bytes) => {
            let unit = |&byte: &u8| f64::from(byte) / 255.0;
            image.iter().zip(bytes.iter().map(unit)).map(square).sum()
        }
        Pixels::Words(words) => {
            let unit = |&word: &u16| f64::from(word) / 65_535.0;
            image.iter().zip(words.iter().map(unit)).map(square).sum()
        }
    }
}
