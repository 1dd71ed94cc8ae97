//! The variational autoencoder and its family: the autoencoder's two halves, with latents that are held against N(0, I) on the way
//! and a likelihood in place of the mean squared error. How it is trained is not here.

use std::ops::Range;

use latents_engine::{
    Element, Engine, Inputs, Layer, Layout, Loss, Network, Objective, Pass, Shape, Targets,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::autoencoder::{AutoencoderConfig, DECODER, ENCODER};
use crate::error::Error;

/// What holds the latents together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Regularizer {
    /// KL(q(z|x) || N(0, I)) of a normal distribution that the encoder gives, from which latents are drawn: the variational
    /// autoencoder (Kingma and Welling, 2014; Rezende et al., 2014).
    #[default]
    Kl,
    /// The maximum mean discrepancy of latents from N(0, I): the Wasserstein autoencoder (WAE-MMD; Tolstikhin et al., 2018).
    Mmd,
    /// Half the squared norm of a latent vector: the regularised autoencoder (RAE-L2; Ghosh et al., 2020), whose other half is weight
    /// decay. Its samples come from a density that is fitted to the latents afterwards.
    L2,
}

/// How a pixel x in [0, 1] is distributed, given what the decoder gives; -log p(x|z) is summed over an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Likelihood {
    /// Bernoulli: the binary cross-entropy. For grey pixels it is no density, but it is what most write; images are sigmoids.
    #[default]
    Bernoulli,
    /// Continuous Bernoulli (Loaiza-Ganem and Cunningham, 2019): the same with the constant that makes it a density; images are its
    /// means.
    ContinuousBernoulli,
    /// Normal around a sigmoid.
    Gaussian,
}

/// Settings of a variational autoencoder and its relatives. The defaults are the reference study's (its table T7), with the
/// likelihood that it leaves open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VaeConfig {
    /// Its two halves, as an autoencoder has them.
    #[serde(flatten)]
    pub halves: AutoencoderConfig,
    /// What holds the latents together.
    pub regularizer: Regularizer,
    /// Weight of the regulariser; with the KL divergence and a weight above 1, a beta-VAE (Higgins et al., 2017).
    pub beta: f64,
    /// Epochs over which the weight rises evenly from 0 (Bowman et al., 2016; Sonderby et al., 2016).
    pub warmup_epochs: f64,
    /// Nats of divergence that each latent has free of charge, for each image (Kingma et al., 2016).
    pub free_bits: f64,
    /// How pixels are distributed.
    pub likelihood: Likelihood,
    /// Standard deviation of the normal likelihood; learnt where there is none (sigma-VAE: Rybkin et al., 2021).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = 0.1)]
    pub sigma: Option<f64>,
}

impl Default for VaeConfig {
    fn default() -> Self {
        VaeConfig {
            halves: AutoencoderConfig {
                latent_dim: 44,
                dropout: 0.0,
                ..AutoencoderConfig::default()
            },
            regularizer: Regularizer::Kl,
            beta: 1.0,
            warmup_epochs: 0.0,
            free_bits: 0.0,
            likelihood: Likelihood::Bernoulli,
            sigma: None,
        }
    }
}

impl VaeConfig {
    /// The network for images of a shape `[c, h, w]`. Its sections are those of an autoencoder: the encoder gives latents (means,
    /// unless they are drawn), the decoder images; what the likelihood is taken of comes before the decoder's last layer.
    ///
    /// # Errors
    /// Where a setting is out of range, or the stages do not fit the images, naming the layer and both shapes.
    pub fn network(&self, image: Shape) -> Result<Network, Error> {
        self.check()?;
        let latents = self.halves.latent_dim;
        let (given, layer) = match self.regularizer {
            Regularizer::Kl => (2 * latents, Layer::Gaussian),
            Regularizer::Mmd => (latents, Layer::Discrepancy),
            Regularizer::L2 => (latents, Layer::SquaredNorm),
        };
        let mut network = self.halves.halves(image, given)?;
        network.sections[ENCODER].layers.push(layer);
        let decoder = &mut network.sections[DECODER].layers;
        match self.likelihood {
            Likelihood::Bernoulli => decoder.push(Layer::Sigmoid),
            Likelihood::ContinuousBernoulli => decoder.push(Layer::ContinuousBernoulliMean),
            Likelihood::Gaussian => {
                decoder.push(Layer::Sigmoid);
                if self.sigma.is_none() {
                    decoder.push(Layer::LogScale);
                }
            }
        }
        network.layout()?;
        Ok(network)
    }

    /// What is made small, with the whole weight; see [`VaeConfig::weight`].
    #[must_use]
    pub fn objective(&self) -> Objective {
        let (loss, skip) = match self.likelihood {
            Likelihood::Bernoulli => (Loss::Bernoulli, 1),
            Likelihood::ContinuousBernoulli => (Loss::ContinuousBernoulli, 1),
            Likelihood::Gaussian => (Loss::Gaussian { deviation: self.sigma }, 0),
        };
        Objective { loss, skip, weight: self.beta, free_bits: self.free_bits }
    }

    /// The regulariser's weight in the midst of training, after so many epochs and parts of one.
    #[must_use]
    pub fn weight(&self, epochs: f64) -> f64 {
        if epochs < self.warmup_epochs {
            self.beta * epochs / self.warmup_epochs
        } else {
            self.beta
        }
    }

    fn check(&self) -> Result<(), Error> {
        let problem = if !(self.beta >= 0.0 && self.beta.is_finite()) {
            format!("beta = {} must be at least 0", self.beta)
        } else if !(self.warmup_epochs >= 0.0 && self.warmup_epochs.is_finite()) {
            format!("warmup_epochs = {} must be at least 0", self.warmup_epochs)
        } else if !(self.free_bits >= 0.0 && self.free_bits.is_finite()) {
            format!("free_bits = {} must be at least 0", self.free_bits)
        } else if self.free_bits > 0.0 && self.regularizer != Regularizer::Kl {
            "free_bits belong to the regularizer kl".into()
        } else if self.sigma.is_some() && self.likelihood != Likelihood::Gaussian {
            "sigma belongs to the likelihood gaussian".into()
        } else if self.sigma.is_some_and(|s| !(s > 0.0 && s.is_finite())) {
            "sigma must be more than 0".into()
        } else {
            return Ok(());
        };
        Err(Error::Config(problem))
    }
}

/// The layers of a network that take images to the means and log-variances `[n, 2 d]` of its latents, where it gives any.
#[must_use]
pub fn posterior(layout: &Layout) -> Option<Range<usize>> {
    let at = layout.layers().position(|layer| *layer == Layer::Gaussian)?;
    Some(0..at)
}

/// The importance-weighted bound on log p(x) of each image `[n]`, in nats: the logarithm of the mean of p(x|z) p(z) / q(z|x) over
/// so many draws of z from q(z|x) (Burda et al., 2016). It does not fall on average as the draws increase; with one, it is the
/// evidence bound that training raises.
///
/// An image's draws are addressed by the seed and its place in the collection, so that the bound of an image does not depend on the
/// others.
///
/// # Errors
/// Those of [`Engine::losses`], and where the loss is no likelihood or no draw is asked for.
pub fn importance_bound<E: Element>(
    engine: &mut Engine<E>,
    parameters: &[E],
    inputs: Inputs<'_, E>,
    objective: Objective,
    seed: u64,
    draws: u64,
) -> Result<Vec<f64>, Error> {
    let likelihood = matches!(
        objective.loss,
        Loss::Bernoulli | Loss::ContinuousBernoulli | Loss::Gaussian { .. }
    );
    if !likelihood || posterior(engine.layout()).is_none() || draws == 0 {
        return Err(Error::Config(
            "an importance-weighted bound needs a variational autoencoder and at least one draw"
                .into(),
        ));
    }
    // Of each image, the largest weight so far, and the sum of all as multiples of it.
    let mut sums: Vec<(f64, f64)> = vec![];
    for draw in 0..draws {
        let pass = Pass::Importance { seed, draw };
        let losses = engine.losses(parameters, inputs, Targets::Inputs, objective, pass)?;
        sums.resize(losses.fit.len(), (f64::NEG_INFINITY, 0.0));
        let weights = losses.fit.iter().zip(&losses.penalty).map(|(fit, penalty)| -fit - penalty);
        for ((largest, sum), weight) in sums.iter_mut().zip(weights) {
            let above = largest.max(weight);
            *sum = *sum * libm::exp(*largest - above) + libm::exp(weight - above);
            *largest = above;
        }
    }
    let draws = libm::log(draws as f64);
    Ok(sums.into_iter().map(|(largest, sum)| largest + libm::log(sum) - draws).collect())
}

#[cfg(test)]
mod tests;
