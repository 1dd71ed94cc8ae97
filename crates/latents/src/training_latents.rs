//! The latents of the training images, which samplers and traversals along axes need. A run keeps them, so that its folder is enough without the
//! images: `latents.safetensors` has them as `z` `[n, d]`, of a variational model the means, then with the `log_variances` `[n, d]` of the
//! posteriors, of a conditional model the `label` `[n]`; and the SHA-256 of the weights that they were made with.

use latents_models::Tensors;

use crate::error::{Error, Result};
use crate::latents::Latents;
use crate::model::TrainedModel;

/// The note that names the weights.
const WEIGHTS: &str = "weights";
const NAME: &str = "z";
const LOG_VARIANCES: &str = "log_variances";
const LABELS: &str = "label";
/// The name of the file.
const LATENTS: &str = "latents.safetensors";

impl TrainedModel {
    /// The latents `[n, d]` of the training images: those that the run keeps, or those of the run's data.
    ///
    /// # Errors
    /// [`Error::NoTrainingLatents`] if the run keeps none and its data cannot be opened.
    pub fn training_latents(&mut self) -> Result<Vec<f32>> {
        match self.kept_latents()? {
            Some(kept) => Ok(kept.z),
            None => Ok(self.encode_training_images()?.z),
        }
    }

    /// The posteriors of the training images, of a variational model; of another one, their latents. A conditional model gives the classes
    /// of the images too.
    ///
    /// # Errors
    /// As [`TrainedModel::training_latents`].
    pub fn training_posteriors(&mut self) -> Result<Latents> {
        let (variational, conditional) = (self.is_variational(), self.is_conditional());
        let complete = |kept: &Latents| {
            kept.log_variances.is_some() >= variational && kept.labels.is_some() >= conditional
        };
        match self.kept_latents()?.filter(complete) {
            Some(kept) => Ok(kept),
            None => self.encode_training_images(),
        }
    }

    fn encode_training_images(&mut self) -> Result<Latents> {
        let data = self.data().map_err(|e| match e {
            Error::Interrupted(_) => e,
            e => Error::NoTrainingLatents { run: self.dir().to_owned(), source: Box::new(e) },
        })?;
        self.encode(&data.train)
    }

    /// Keeps the latents of the training images in the run's folder.
    pub(crate) fn keep_training_latents(&mut self, train: &latents_data::Labelled) -> Result<()> {
        let Latents { z, dim, log_variances, .. } = self.encode_pixels(train.images.pixels())?;
        let mut tensors = Tensors::default();
        tensors.notes.insert(WEIGHTS.into(), self.run.model_digest()?);
        tensors.push(NAME, &[train.len(), dim], z);
        if let Some(log_variances) = log_variances {
            tensors.push(LOG_VARIANCES, &[train.len(), dim], log_variances);
        }
        if let Some(labels) = train.all_labels().filter(|_| self.is_conditional()) {
            let labels = labels.into_iter().map(f32::from).collect();
            tensors.push(LABELS, &[train.len()], labels);
        }
        tensors.save(&self.run.latents_path())?;
        Ok(self.run.add_to_seal(LATENTS)?)
    }

    /// The latents that the run keeps; none if it keeps none, or some of other weights. A run of an earlier version has no variances.
    fn kept_latents(&self) -> Result<Option<Latents>> {
        let (path, dim) = (self.run.latents_path(), self.latent_space()?.dim);
        if !path.exists() {
            return Ok(None);
        }
        let mut tensors = Tensors::parse(&self.run.read(LATENTS)?, &path)?;
        if tensors.notes.get(WEIGHTS) != Some(&self.run.model_digest()?) {
            return Ok(None);
        }
        // The numbers of a tensor `[n, ..]` whose further dimensions are these.
        let mut take = |name: &str, further: &[usize]| {
            let found = tensors.take(name);
            found.filter(|(shape, _)| shape.get(1..) == Some(further)).map(|(_, numbers)| numbers)
        };
        let Some(z) = take(NAME, &[dim]) else { return Ok(None) };
        let n = z.len() / dim;
        let log_variances = take(LOG_VARIANCES, &[dim]).filter(|logs| logs.len() == z.len());
        let labels = take(LABELS, &[]).filter(|labels| labels.len() == n);
        let labels = labels.map(|labels| labels.iter().map(|&v| Some(v as u16)).collect());
        let classes = self.classes().to_vec();
        Ok(Some(Latents { z, dim, log_variances, labels, classes, ..Latents::default() }))
    }
}
