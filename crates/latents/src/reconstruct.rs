//! How well a model reconstructs images: mean squared error, and the terms of the evidence bound of a variational model.

use std::fmt;

use latents_data::Labelled;
use latents_engine::{Criterion, Losses, Pass, Targets};
use latents_explore::metrics::Estimate;
use latents_models::importance_bound;
use latents_progress::Monitor;
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
    /// -log p(x|z); of a conditional model, -log p(x|z, y).
    pub reconstruction: f64,
    /// KL(q(z|x) || p(z)).
    pub kl: f64,
    /// The importance-weighted bound on log p(x) (Burda et al., 2016), if draws were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub importance_bound: Option<f64>,
    /// Its standard error over images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub importance_bound_standard_error: Option<f64>,
    /// Whether the model is conditional: its bounds are then on log p(x|y), where y is the class of the image.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub conditional: bool,
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
            let x = if self.conditional { "x|y" } else { "x" };
            write!(f, "\nlog p({x}) at least {bound:.3} (standard error {error:.3})")?;
        }
        Ok(())
    }
}

impl TrainedModel {
    /// The reconstructions `[n, c, h, w]` of images. A conditional model decodes each as an image of its class: labels are numbers of the
    /// model's classes, as those of its own data are ([`in_own_classes`](Self::in_own_classes) finds those of others).
    ///
    /// # Errors
    /// If the model has no latents, the images have another shape, or a conditional model does not know the class of one.
    pub fn reconstruct(&mut self, images: &Labelled) -> Result<ImageArray> {
        self.check_shape(images)?;
        let layers = self.layers(self.latent_space()?.reconstruct());
        let (given, mut values) = (self.conditions(images)?, vec![]);
        self.each_block(images.images.pixels(), &layers, &given, &mut |block, _| {
            values.extend(block);
        })?;
        Ok(ImageArray { shape: self.shape(), values })
    }

    /// The mean squared error of each image's reconstruction `[n]`, over pixels from 0 to 1.
    ///
    /// # Errors
    /// As [`TrainedModel::reconstruct`].
    pub fn reconstruction_errors(&mut self, images: &Labelled) -> Result<Vec<f32>> {
        self.check_shape(images)?;
        let layers = self.layers(self.latent_space()?.reconstruct());
        let numbers: usize = self.shape().iter().product();
        let (given, mut errors) = (self.conditions(images)?, Vec::with_capacity(images.len()));
        self.each_block(images.images.pixels(), &layers, &given, &mut |block, index| {
            errors.extend(block.chunks_exact(numbers).zip(index).map(|(image, &i)| {
                let original = images.images.image(i as usize);
                (squared_error(image, original) / numbers as f64) as f32
            }));
        })?;
        Ok(errors)
    }

    /// Reconstructs images, block by block, and measures the loss, as [`reconstruct`](Self::reconstruct) does. The reconstructions of the first `keep` images are kept; pass 0 for
    /// none and [`usize::MAX`] for all, which take four bytes for each number of each image. `draws` asks for the importance-weighted bound of a variational model, with so many draws of each
    /// latent vector.
    ///
    /// # Errors
    /// If the model has no latents, the images have another shape, there are none, draws are asked of a model without a posterior, or a conditional model does
    /// not know the class of an image.
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
        let (pixels, given) = (images.images.pixels(), self.conditions(images)?);
        let kept = keep.min(images.len()) * (pixels.len() / images.len());
        let (mut values, mut sum, mut seen) = (Vec::with_capacity(kept), 0.0, 0);
        self.each_block(pixels, &layers, &given, &mut |block, _| {
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

    /// The loss and the penalty of each image `[n]`, in blocks.
    pub(crate) fn losses(
        &mut self,
        images: &Labelled,
        criterion: Criterion,
        pass: Pass,
        monitor: &Monitor,
    ) -> Result<Losses> {
        let (given, pixels) = (self.conditions(images)?, images.images.pixels());
        let mut all = Losses { loss: vec![], penalty: vec![] };
        self.each_batch(pixels, &given, &mut |engine, parameters, batch, _| {
            monitor.check()?;
            let some = engine.losses(parameters, batch, Targets::Inputs, criterion, pass)?;
            all.loss.extend(some.loss);
            all.penalty.extend(some.penalty);
            Ok(())
        })?;
        Ok(all)
    }

    /// The importance-weighted bound of each image `[n]` with so many draws, in blocks.
    pub(crate) fn importance_bounds(
        &mut self,
        images: &Labelled,
        criterion: Criterion,
        seed: u64,
        draws: u64,
        monitor: &Monitor,
    ) -> Result<Vec<f64>> {
        let (given, pixels) = (self.conditions(images)?, images.images.pixels());
        let mut all = Vec::with_capacity(images.len());
        self.each_batch(pixels, &given, &mut |engine, parameters, batch, _| {
            all.extend(importance_bound(
                engine, parameters, batch, criterion, seed, draws, monitor,
            )?);
            Ok(())
        })?;
        Ok(all)
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
            conditional: self.is_conditional(),
        }))
    }
}
