//! What training makes small, and what a batch came to: a loss of what comes out of the network, plus a weighted penalty of the
//! latents on the way there, which layers such as [`crate::Layer::Gaussian`] bring with them.

use crate::kernels::loss::Loss;

/// What is to be made small: `loss + weight * penalty`, averaged over the batch. A [`Loss`] alone becomes one with weight 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// Holds what comes out against the targets.
    pub loss: Loss,
    /// The loss is taken before so many layers at the end, which only make of it what people want to see (images of logits, say) and
    /// have no parameters.
    pub skip: usize,
    /// Weight of the penalty: the beta of a beta-VAE (Higgins et al., 2017), which warm-up changes from step to step.
    pub weight: f64,
    /// A Gaussian's axis is not pressed below this divergence, in nats: the "free bits" of Kingma et al. (2016), for each sample
    /// and axis.
    pub free_bits: f64,
}

impl Objective {
    /// That loss of what comes out of the whole network, and penalties with weight 1.
    #[must_use]
    pub fn new(loss: Loss) -> Self {
        Objective { loss, skip: 0, weight: 1.0, free_bits: 0.0 }
    }
}

impl From<Loss> for Objective {
    fn from(loss: Loss) -> Self {
        Objective::new(loss)
    }
}

/// The terms of the objective for each sample of a batch, neither weighted nor averaged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Losses {
    /// The loss `[n]`; of a likelihood, -log p(x|z).
    pub fit: Vec<f64>,
    /// The penalty `[n]`, free bits left aside; of a Gaussian, KL(q(z|x) || N(0, I)). Zero for a network without any.
    pub penalty: Vec<f64>,
}

impl Losses {
    pub(crate) fn zeros(n: usize) -> Self {
        Losses { fit: vec![0.0; n], penalty: vec![0.0; n] }
    }

    /// Mean loss; not a number for no samples.
    #[must_use]
    pub fn mean_fit(&self) -> f64 {
        self.fit.iter().sum::<f64>() / self.fit.len() as f64
    }

    /// Mean penalty; not a number for no samples.
    #[must_use]
    pub fn mean_penalty(&self) -> f64 {
        self.penalty.iter().sum::<f64>() / self.penalty.len() as f64
    }
}
