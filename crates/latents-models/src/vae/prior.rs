//! The prior of the latents of a variational autoencoder: what it can be, and what a trained model has learned of it.

use std::iter::repeat;
use std::ops::Range;

use latents_engine::{Element, Layer, Layout};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::condition_value;

/// The distribution p(z) of latents, which the regularizer [`Kl`](crate::Regularizer::Kl) draws the posteriors towards, and from which
/// new images are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum LatentPrior {
    /// N(0, I).
    #[default]
    Normal,
    /// A mixture of normal distributions with diagonal covariances that is learned with the model (Dilokthanakul et al., 2016). It takes the form of the latents, instead of the latents its own, so fewer of them remain unused. Of a conditional
    /// model it is p(z|y): the weights depend on the class.
    Mixture {
        /// Number of normal distributions.
        #[serde(default = "components")]
        components: usize,
    },
    /// The mean of the posteriors of pseudo-inputs, images that are learned with the model (`VampPrior`: Tomczak and Welling, 2018). They begin
    /// as training images. Of a conditional model it is refused.
    Vamp {
        /// Number of pseudo-inputs.
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

    /// The layer that draws latents, from twice as many numbers. `features` is the size of the condition; 0 if there is none.
    pub(super) fn layer(self, features: usize) -> Layer {
        match self {
            LatentPrior::Normal => Layer::Gaussian,
            LatentPrior::Mixture { components } => Layer::MixturePrior { components, features },
            LatentPrior::Vamp { components } => Layer::VampPrior { components },
        }
    }
}

/// The prior that a trained model has learned: a mixture of `k` normal distributions of `d` dimensions with diagonal covariances.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnedPrior {
    /// Weights `[c, k]` of the distributions given each of `c` classes, which add up to 1; of a model that is not conditional `[1, k]`.
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
        if let Some(prior) = layout.pseudo_inputs() {
            let values =
                |range: Range<usize>| Some(parameters.get(range)?.iter().map(|x| x.to_f64()));
            let components = prior.count(layout);
            return Some(Self {
                weights: vec![1.0 / components as f64; components],
                means: values(prior.means)?.collect(),
                variances: values(prior.log_variances)?.map(libm::exp).collect(),
            });
        }
        let at = layout.layers().position(|layer| matches!(layer, Layer::MixturePrior { .. }))?;
        let all = parameters.get(layout.parameters_of(at..at + 1))?;
        let &Layer::MixturePrior { components, features } = layout.layers().nth(at)? else {
            return None;
        };
        let numbers = (all.len() - components * (1 + features)) / 2;
        let values = |from: usize, n: usize| all[from..from + n].iter().map(|x| x.to_f64());
        let logits: Vec<f64> = values(2 * numbers, components).collect();
        let slopes: Vec<f64> = values(2 * numbers + components, components * features).collect();
        let one = condition_value(layout);
        let weights = (0..features.max(1)).flat_map(|class| {
            let of_class = slopes.iter().skip(class).step_by(features.max(1));
            let of_class = of_class.map(|slope| one * slope).chain(repeat(0.0));
            let all: Vec<f64> = logits.iter().zip(of_class).map(|(logit, of)| logit + of).collect();
            softmax(&all)
        });
        Some(Self {
            weights: weights.collect(),
            means: values(0, numbers).collect(),
            variances: values(numbers, numbers).map(libm::exp).collect(),
        })
    }
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logits.iter().map(|logit| libm::exp(logit - largest)).collect();
    let total: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / total).collect()
}
