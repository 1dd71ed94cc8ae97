//! The prior of a model's latents: N(0, I), or what a variational model or a VQ-VAE has learned in its place.

use latents_explore::GaussianMixture;
use latents_explore::samplers::{self, Temperature};
use latents_models::{CodePrior, LearnedPrior};
use latents_progress::Monitor;

use crate::code_sampler::CodeSampler;
use crate::conditions::Conditions;
use crate::error::{Error, Result};
use crate::model::TrainedModel;

/// A distribution of latents of `d` dimensions.
pub(crate) enum Prior {
    /// N(0, I).
    Normal {
        /// `d`
        dim: usize,
    },
    /// A mixture of `k` normal distributions that was learned with the model.
    Learned {
        /// The mixture for the first class; of a model that is not conditional, for all images.
        mixture: GaussianMixture,
        /// Its weights for each class `[c, k]`.
        weights: Vec<f64>,
    },
    /// The prior of the codes of a VQ-VAE.
    Codes(Box<CodeSampler>),
}

impl Prior {
    /// Whether it was learned with the model.
    pub(crate) fn is_learned(&self) -> bool {
        !matches!(self, Prior::Normal { .. })
    }

    /// `n` draws `[n, d]`; of a conditional model with the conditions of as many images, and of others there are none. Each depends only on the
    /// prior, the temperature, the seed, its class and its own index.
    ///
    /// # Errors
    /// If the call was interrupted, as drawing many codes takes a while.
    pub(crate) fn sample(
        &mut self,
        n: usize,
        given: &Conditions,
        temperature: Temperature,
        seed: u64,
        monitor: &Monitor,
    ) -> Result<Vec<f32>> {
        let classes = given.classes();
        let (mixture, weights) = match self {
            Prior::Normal { dim } => {
                return Ok(temperature.scaled(samplers::normal(n, *dim, seed)));
            }
            Prior::Codes(codes) => return codes.sample(n, given, temperature, seed, monitor),
            Prior::Learned { mixture, weights } => (mixture.clone().tempered(temperature), weights),
        };
        if classes.is_empty() {
            return Ok(mixture.sample(n, seed));
        }
        let mut z: Vec<f32> = vec![];
        for (class, weights) in weights.chunks_exact(mixture.weights().len()).enumerate() {
            if !classes.iter().any(|&own| usize::from(own) == class) {
                continue;
            }
            // As many draws as if all images were of this class, so that an image's draw depends on its own place.
            let of_class = mixture.clone().with_weights(weights).sample(n, seed);
            z.resize(of_class.len(), 0.0);
            let dim = of_class.len() / n;
            for i in (0..n).filter(|&i| usize::from(classes[i]) == class) {
                z[i * dim..(i + 1) * dim].copy_from_slice(&of_class[i * dim..(i + 1) * dim]);
            }
        }
        Ok(z)
    }
}

impl TrainedModel {
    /// The prior of the latents. Models that are not variational have none of their own, and N(0, I) stands for it.
    ///
    /// # Errors
    /// If the model has no latents, or the weights of the prior are damaged.
    pub(crate) fn prior(&self) -> Result<Prior> {
        let dim = self.latent_space()?.dim;
        if let Some(prior) = CodePrior::of(self.engine.layout(), &self.parameters) {
            let codes = CodeSampler::new(prior, self.engine.runtime())?;
            return Ok(Prior::Codes(Box::new(codes)));
        }
        let Some(learned) = LearnedPrior::of(self.engine.layout(), &self.parameters) else {
            return Ok(Prior::Normal { dim });
        };
        let components = learned.means.len() / dim;
        let mut covariances = vec![0.0; components * dim * dim];
        let each = covariances.chunks_exact_mut(dim * dim).zip(learned.variances.chunks_exact(dim));
        for (covariance, variances) in each {
            for (i, variance) in variances.iter().enumerate() {
                covariance[i * dim + i] = *variance;
            }
        }
        let weights = learned.weights;
        let first = &weights[..components];
        let mixture = GaussianMixture::from_parameters(first, &learned.means, &covariances)
            .map_err(|e| Error::from(e).context("the learned prior"))?;
        Ok(Prior::Learned { mixture, weights })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two far components, and classes that are of one, of the other, and of both.
    #[test]
    fn an_image_has_the_weights_of_its_class_and_the_draw_of_its_place() {
        let unit = [1.0, 0.0, 0.0, 1.0].repeat(2);
        let means = [-50.0, 0.0, 50.0, 0.0];
        let mixture = GaussianMixture::from_parameters(&[1.0, 0.0], &means, &unit).unwrap();
        let mut prior = Prior::Learned { mixture, weights: vec![1.0, 0.0, 0.0, 1.0, 0.5, 0.5] };
        let mut sample = |n, given: &Conditions| {
            prior.sample(n, given, Temperature::default(), 4, &Monitor::default()).unwrap()
        };
        let given = |classes: &[u16]| Conditions::new(classes.to_vec(), 3, 1.0);
        let classes: Vec<u16> = (0..90).map(|i| i % 3).collect();
        let z = sample(90, &given(&classes));
        let mut of_both = [0, 0];
        for (class, z) in classes.iter().zip(z.chunks_exact(2)) {
            match class {
                0 => assert!(z[0] < -40.0),
                1 => assert!(z[0] > 40.0),
                _ => of_both[usize::from(z[0] > 0.0)] += 1,
            }
        }
        assert!(of_both.iter().all(|&n| n > 5), "{of_both:?}");
        assert_eq!(sample(90, &given(&[1; 90]))[2..4], z[2..4]);
        assert!(sample(20, &given(&[])).chunks_exact(2).all(|z| z[0] < -40.0));
    }
}
