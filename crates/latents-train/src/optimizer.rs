//! The optimisers that a run can use, and the engine's update rule for each.

use latents_engine::Rule;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Optimiser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// Adam with L2 regularisation in the gradient (`torch.optim.Adam`).
    #[default]
    Adam,
    /// Adam with decoupled weight decay (`torch.optim.AdamW`).
    Adamw,
    /// Stochastic gradient descent (`torch.optim.SGD`).
    Sgd,
}

impl OptimizerKind {
    /// The engine's update rule.
    pub(crate) fn rule(self, weight_decay: f64, momentum: f64, nesterov: bool) -> Rule {
        let (betas, epsilon) = ([0.9, 0.999], 1e-8);
        match self {
            OptimizerKind::Adam => Rule::Adam { betas, epsilon, weight_decay },
            OptimizerKind::Adamw => Rule::AdamW { betas, epsilon, weight_decay },
            OptimizerKind::Sgd => Rule::Sgd { momentum, nesterov, weight_decay },
        }
    }
}
