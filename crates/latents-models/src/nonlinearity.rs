//! The nonlinearities that a model's settings can name.

use latents_engine::Layer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The nonlinearity between layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Nonlinearity {
    /// `max(x, 0)`.
    #[default]
    Relu,
    /// `x` if `x` is positive, otherwise `0.01 x`.
    LeakyRelu,
    /// `x * sigmoid(x)`.
    Silu,
    /// `x * Phi(x)`.
    Gelu,
}

impl Nonlinearity {
    /// The engine's layer that computes the nonlinearity.
    #[must_use]
    pub fn layer(self) -> Layer {
        match self {
            Nonlinearity::Relu => Layer::Relu,
            Nonlinearity::LeakyRelu => Layer::LeakyRelu { slope: 0.01 },
            Nonlinearity::Silu => Layer::Silu,
            Nonlinearity::Gelu => Layer::Gelu,
        }
    }
}
