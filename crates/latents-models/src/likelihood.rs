//! The distribution of pixels given latents, in place of the mean squared error.

use latents_engine::{Layer, Loss};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The distribution p(x|z) of a pixel x in [0, 1] given the decoder's output. The loss is -log p(x|z), summed over an image, in nats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Likelihood {
    /// Bernoulli: the binary cross-entropy. It is not a density for grey pixels, but most papers report it. Images are sigmoids of the
    /// decoder's logits.
    #[default]
    Bernoulli,
    /// Continuous Bernoulli (Loaiza-Ganem and Cunningham, 2019): Bernoulli with the constant that makes it a density. Images are its means.
    ContinuousBernoulli,
    /// Normal, with the sigmoid of the decoder's output as its mean.
    Gaussian,
}

impl Likelihood {
    /// The layers from the decoder's numbers to the image. `sigma` is the standard deviation of a normal likelihood; learnt if there is none.
    pub(crate) fn layers(self, sigma: Option<f64>) -> Vec<Layer> {
        match self {
            Likelihood::Bernoulli => vec![Layer::Sigmoid],
            Likelihood::ContinuousBernoulli => vec![Layer::ContinuousBernoulliMean],
            Likelihood::Gaussian if sigma.is_some() => vec![Layer::Sigmoid],
            Likelihood::Gaussian => vec![Layer::Sigmoid, Layer::LogScale],
        }
    }

    /// The loss, and the number of those layers that come after it.
    pub(crate) fn loss(self, sigma: Option<f64>) -> (Loss, usize) {
        match self {
            Likelihood::Bernoulli => (Loss::Bernoulli, 1),
            Likelihood::ContinuousBernoulli => (Loss::ContinuousBernoulli, 1),
            Likelihood::Gaussian => (Loss::Gaussian { deviation: sigma }, 0),
        }
    }

    /// Refuses a standard deviation that it cannot have.
    pub(crate) fn check(self, sigma: Option<f64>) -> Result<(), Error> {
        if sigma.is_some() && self != Likelihood::Gaussian {
            return Err(Error::setting("sigma", "sigma belongs to the likelihood gaussian"));
        }
        if sigma.is_some_and(|s| !(s > 0.0 && s.is_finite())) {
            return Err(Error::setting("sigma", "sigma must be more than 0"));
        }
        Ok(())
    }
}
