//! The prior of the latents of a variational autoencoder: what it can be, and what a trained model has learned of it.

use latents_engine::{Element, Layer, Layout};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The distribution p(z) of latents, which the regularizer [`Kl`](crate::Regularizer::Kl) draws the posteriors towards, and from which
/// new images are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum LatentPrior {
    /// N(0, I).
    #[default]
    Normal,
    /// A mixture of normal distributions with diagonal covariances that is learned with the model (Dilokthanakul et al., 2016; Tomczak and
    /// Welling, 2018). It takes the form of the latents, instead of the latents its own, so fewer of them remain unused.
    Mixture {
        /// Number of normal distributions.
        #[serde(default = "components")]
        components: usize,
    },
}

fn components() -> usize {
    100
}

impl LatentPrior {
    /// Whether it is N(0, I), which settings files do not mention.
    #[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
    pub(super) fn is_normal(&self) -> bool {
        *self == LatentPrior::Normal
    }

    /// The layer that draws latents, from twice as many numbers.
    pub(super) fn layer(self) -> Layer {
        match self {
            LatentPrior::Normal => Layer::Gaussian,
            LatentPrior::Mixture { components } => Layer::MixturePrior { components },
        }
    }
}

/// The prior that a trained model has learned: a mixture of `k` normal distributions of `d` dimensions with diagonal covariances.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnedPrior {
    /// Weights `[k]`, which add up to 1.
    pub weights: Vec<f64>,
    /// Means `[k, d]`.
    pub means: Vec<f64>,
    /// Variances `[k, d]`.
    pub variances: Vec<f64>,
}

impl LearnedPrior {
    /// The prior among the parameters of a network. `None` if the network has not learned one.
    #[must_use]
    pub fn of<E: Element>(layout: &Layout, parameters: &[E]) -> Option<Self> {
        let at = layout.layers().position(|layer| matches!(layer, Layer::MixturePrior { .. }))?;
        let all = parameters.get(layout.parameters_of(at..at + 1))?;
        let Layer::MixturePrior { components } = *layout.layers().nth(at)? else { return None };
        let numbers = (all.len() - components) / 2;
        let values = |from: usize, n: usize| all[from..from + n].iter().map(|x| x.to_f64());
        let variances = values(numbers, numbers).map(libm::exp).collect();
        let logits: Vec<f64> = values(2 * numbers, components).collect();
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = logits.iter().map(|logit| libm::exp(logit - largest)).collect();
        let total: f64 = weights.iter().sum();
        Some(Self {
            weights: weights.iter().map(|weight| weight / total).collect(),
            means: values(0, numbers).collect(),
            variances,
        })
    }
}
