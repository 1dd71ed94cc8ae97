//! The latents of the training images, which samplers and traversals along axes need. A run keeps them, so that its folder is enough without the
//! images: `latents.safetensors` has them as `z` `[n, d]`, with the SHA-256 of the weights that they were made with.

use latents_models::Tensors;

use crate::error::{Error, Result};
use crate::model::TrainedModel;

/// The note that names the weights.
const WEIGHTS: &str = "weights";
const NAME: &str = "z";
/// The name of the file.
const LATENTS: &str = "latents.safetensors";

impl TrainedModel {
    /// The latents `[n, d]` of the training images: those that the run keeps, or those of the run's data.
    ///
    /// # Errors
    /// [`Error::NoTrainingLatents`] if the run keeps none and its data cannot be opened.
    pub fn training_latents(&mut self) -> Result<Vec<f32>> {
        let dim = self.latent_space()?.dim;
        if let Some(kept) = self.kept_latents(dim)? {
            return Ok(kept);
        }
        let data = self.data().map_err(|e| match e {
            Error::Interrupted(_) => e,
            e => Error::NoTrainingLatents { run: self.dir().to_owned(), source: Box::new(e) },
        })?;
        self.latent_means(&data.train)
    }

    /// Keeps the latents of the training images in the run's folder.
    pub(crate) fn keep_training_latents(&mut self, train: &latents_data::Labelled) -> Result<()> {
        let (z, dim) = (self.latent_means(train)?, self.latent_space()?.dim);
        let mut tensors = Tensors::default();
        tensors.notes.insert(WEIGHTS.into(), self.run.model_digest()?);
        tensors.push(NAME, &[train.len(), dim], z);
        tensors.save(&self.run.latents_path())?;
        Ok(self.run.add_to_seal(LATENTS)?)
    }

    /// The latents that the run keeps; none if it keeps none, or some of other weights.
    fn kept_latents(&self, dim: usize) -> Result<Option<Vec<f32>>> {
        let path = self.run.latents_path();
        if !path.exists() {
            return Ok(None);
        }
        let mut tensors = Tensors::parse(&self.run.read(LATENTS)?, &path)?;
        if tensors.notes.get(WEIGHTS) != Some(&self.run.model_digest()?) {
            return Ok(None);
        }
        Ok(tensors
            .take(NAME)
            .filter(|(shape, _)| shape.len() == 2 && shape[1] == dim)
            .map(|(_, z)| z))
    }
}
