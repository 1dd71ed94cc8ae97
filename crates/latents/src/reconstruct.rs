//! How well a model reconstructs images: mean squared error, and the terms of the evidence bound of a variational model.

use std::fmt;

use latents_data::Labelled;
use latents_engine::Pass;
use latents_explore::metrics::Estimate;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::latents::ImageArray;
use crate::model::{TrainedModel, squared_error};

/// Reconstructions of images, and what was lost.
#[derive(Clone, Debug)]
pub struct Reconstruction {
    /// The reconstructions that were to be kept `[k, c, h, w]`, of the first images.
    pub images: ImageArray,
    /// The number of images that were reconstructed and measured, `n`.
    pub count: usize,
    /// Mean squared error over all pixels from 0 to 1.
    pub mean_squared_error: f64,
    /// Of a variational model, what the evidence bound is made of.
    pub evidence: Option<Evidence>,
}

/// The terms of the evidence bound of a variational autoencoder, in nats per image; latents are drawn once for each image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// -log p(x|z).
    pub reconstruction: f64,
    /// KL(q(z|x) || p(z)).
    pub kl: f64,
    /// The importance-weighted bound on log p(x) (Burda et al., 2016), if draws were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub importance_bound: Option<f64>,
    /// Its standard error over images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub importance_bound_standard_error: Option<f64>,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Evidence { reconstruction, kl, .. } = self;
        write!(
            f,
            "reconstruction {reconstruction:.3} + KL {kl:.3} = {:.3} nats per image",
            reconstruction + kl
        )?;
        if let (Some(bound), Some(error)) =
            (self.importance_bound, self.importance_bound_standard_error)
        {
            write!(f, "\nlog p(x) at least {bound:.3} (standard error {error:.3})")?;
        }
        Ok(())
    }
}

impl TrainedModel {
    /// Reconstructs images, block by block, and measures the loss. The reconstructions of the first `keep` images are kept; pass 0 for
    /// none and [`usize::MAX`] for all, which take four bytes for each number of each image. `draws` asks for the importance-weighted bound of a variational model, with so many draws of each
    /// latent vector.
    ///
    /// # Errors
    /// If the model has no latents, the images have another shape, there are none, or draws are asked of a model without a posterior.
    pub fn reconstruction(
        &mut self,
        images: &Labelled,
        keep: usize,
        draws: Option<u64>,
    ) -> Result<Reconstruction> {
        if draws.is_some() && !self.is_variational() {
            return Err(Error::NotVariational { run: self.dir().to_owned(), kind: self.kind() });
        }
        if images.is_empty() {
            return Err(Error::Invalid("there are no images to reconstruct".into()));
        }
        self.check_shape(images)?;
        let layers = self.layers(self.latent_space()?.reconstruct());
        let pixels = images.images.pixels();
        let kept = keep.min(images.len()) * (pixels.len() / images.len());
        let (mut values, mut sum, mut seen) = (Vec::with_capacity(kept), 0.0, 0);
        self.each_block(pixels, &layers, &mut |block, _| {
            sum += squared_error(&block, pixels.slice(seen..seen + block.len()));
            seen += block.len();
            values.extend_from_slice(&block[..block.len().min(kept - values.len())]);
        })?;
        Ok(Reconstruction {
            images: ImageArray { shape: self.shape(), values },
            count: images.len(),
            mean_squared_error: sum / pixels.len() as f64,
            evidence: self.evidence(images, draws)?,
        })
    }

    /// None if the model has no posterior.
    fn evidence(&mut self, images: &Labelled, draws: Option<u64>) -> Result<Option<Evidence>> {
        if !self.is_variational() {
            return Ok(None);
        }
        let (criterion, seed) = (self.config.model.criterion(), self.config.training.seed);
        let monitor = self.session.monitor().clone();
        let losses = self.losses(images, criterion, Pass::Sample { seed, draw: 0 }, &monitor)?;
        let bound = match draws {
            Some(draws) => {
                let each = self.importance_bounds(images, criterion, seed, draws, &monitor)?;
                Some(Estimate::of(&each))
            }
            None => None,
        };
        Ok(Some(Evidence {
            reconstruction: losses.mean_loss(),
            kl: losses.mean_penalty(),
            importance_bound: bound.map(|bound| bound.value),
            importance_bound_standard_error: bound.map(|bound| bound.error),
        }))
    }
}
