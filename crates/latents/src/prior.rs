//! The prior of a model's latents: N(0, I), or what a variational model has learned in its place.

use latents_explore::{GaussianMixture, Rows, samplers};
use latents_models::LearnedPrior;

use crate::error::{Error, Result};
use crate::model::TrainedModel;
use crate::session::Session;

/// A distribution of latents of `d` dimensions.
pub(crate) enum Prior {
    /// N(0, I).
    Normal {
        /// `d`
        dim: usize,
    },
    /// A mixture of normal distributions that was learned with the model.
    Learned(GaussianMixture),
}

impl Prior {
    /// Whether it was learned with the model.
    pub(crate) fn is_learned(&self) -> bool {
        matches!(self, Prior::Learned(_))
    }

    /// `n` draws `[n, d]`. Each depends only on the prior, the seed and its own index.
    pub(crate) fn sample(&self, n: usize, seed: u64) -> Vec<f32> {
        match self {
            Prior::Normal { dim } => samplers::normal(n, *dim, seed),
            Prior::Learned(mixture) => mixture.sample(n, seed),
        }
    }

    /// Logarithm of the density at each row `[n]`, in nats.
    ///
    /// # Errors
    /// If the rows have another number of columns, or the call was interrupted.
    pub(crate) fn log_densities(&self, rows: Rows<'_>, session: &Session) -> Result<Vec<f64>> {
        match self {
            Prior::Normal { .. } => Ok(rows.iter().map(samplers::normal_log_density).collect()),
            Prior::Learned(mixture) => {
                Ok(session.runtime()?.run(|| mixture.posterior(rows, session))?.log_densities)
            }
        }
    }
}

impl TrainedModel {
    /// The prior of the latents. Models that are not variational have none of their own, and N(0, I) stands for it.
    ///
    /// # Errors
    /// If the model has no latents, or the weights of the prior are damaged.
    pub(crate) fn prior(&self) -> Result<Prior> {
        let dim = self.latent_space()?.dim;
        let Some(learned) = LearnedPrior::of(self.engine.layout(), &self.parameters) else {
            return Ok(Prior::Normal { dim });
        };
        let mut covariances = vec![0.0; learned.weights.len() * dim * dim];
        let each = covariances.chunks_exact_mut(dim * dim).zip(learned.variances.chunks_exact(dim));
        for (covariance, variances) in each {
            for (i, variance) in variances.iter().enumerate() {
                covariance[i * dim + i] = *variance;
            }
        }
        let mixture =
            GaussianMixture::from_parameters(&learned.weights, &learned.means, &covariances);
        Ok(Prior::Learned(mixture.map_err(|e| Error::from(e).context("the learned prior"))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mixture_of_one_unit_gaussian_has_the_density_of_the_normal_prior() {
        let z = samplers::normal(50, 3, 1);
        let rows = Rows::new(&z, 3).unwrap();
        let unit: Vec<f64> = (0..9).map(|i| if i % 4 == 0 { 1.0 } else { 0.0 }).collect();
        let mixture = GaussianMixture::from_parameters(&[1.0], &[0.0; 3], &unit).unwrap();
        let session = Session::default();
        let of = |prior: Prior| prior.log_densities(rows, &session).unwrap();
        let (normal, mixture) = (of(Prior::Normal { dim: 3 }), of(Prior::Learned(mixture)));
        assert!(normal.iter().zip(mixture).all(|(a, b)| (a - b).abs() < 1e-9));
    }
}
