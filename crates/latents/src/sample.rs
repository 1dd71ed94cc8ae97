//! New images from random latent vectors.

use std::fmt;
use std::path::Path;

use latents_explore::{GaussianMixture, Rows, samplers};
use latents_report::Figure;

use crate::error::{Error, Result};
use crate::latents::ImageArray;
use crate::model::TrainedModel;

/// Where random latent vectors are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampler {
    /// N(0, I), which a variational autoencoder is trained for.
    Normal,
    /// A mixture of Gaussians fitted to the latents of the training images.
    Mixture {
        /// Gaussians in the mixture.
        components: usize,
    },
    /// Uniformly from the box that the latents of the training images lie in.
    Uniform,
}

impl Sampler {
    /// Its name: `normal`, `mixture` or `uniform`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Sampler::Normal => "normal",
            Sampler::Mixture { .. } => "mixture",
            Sampler::Uniform => "uniform",
        }
    }
}

impl fmt::Display for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sampler::Normal => f.write_str("N(0, I)"),
            Sampler::Mixture { components } => write!(f, "a mixture of {components} Gaussians"),
            Sampler::Uniform => f.write_str("the box of the training latents"),
        }
    }
}

/// New images.
#[derive(Clone, Debug)]
pub struct Samples {
    /// The images `[n, c, h, w]`.
    pub images: ImageArray,
    /// Their latents `[n, d]`.
    pub z: Vec<f32>,
    /// Where the latents were drawn from.
    pub sampler: Sampler,
    /// Bayesian information criterion of a mixture on the training latents.
    pub bic: Option<f64>,
}

impl Samples {
    /// Writes the images; see [`ImageArray::save`].
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.images.save(path)
    }

    /// The first 80 images in rows of ten.
    #[must_use]
    pub fn figure(&self) -> Figure {
        self.images.gallery(&format!("Samples, latents drawn from {}", self.sampler))
    }
}

impl TrainedModel {
    /// Makes `n` new images. A mixture and the box need the latents of the training images, which the run keeps; N(0, I) needs nothing but the weights.
    ///
    /// # Errors
    /// If the model has no latents, the mixture cannot be fitted, or the training latents are needed and missing.
    pub fn sample(&mut self, n: usize, sampler: Sampler, seed: u64) -> Result<Samples> {
        let d = self.latent_space()?.dim;
        let (z, bic) = match sampler {
            Sampler::Normal => (samplers::normal(n, d, seed), None),
            Sampler::Uniform => {
                let latents = self.training_latents()?;
                (samplers::uniform(Rows::new(&latents, d)?, n, seed), None)
            }
            Sampler::Mixture { components } => {
                let latents = self.training_latents()?;
                let rows = Rows::new(&latents, d)?;
                let monitor = self.session.monitor();
                let fitted = self.runtime().run(|| {
                    let mixture = GaussianMixture::fit(rows, components, seed, monitor)?;
                    let bic = mixture.bic(rows)?;
                    Ok::<_, latents_explore::Error>((mixture, bic))
                });
                let (mixture, bic) =
                    fitted.map_err(|e| Error::from(e).context(sampler.to_string()))?;
                (mixture.sample(n, seed), Some(bic))
            }
        };
        Ok(Samples { images: self.decode(&z)?, z, sampler, bic })
    }
}
