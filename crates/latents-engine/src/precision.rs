//! The numbers that products of convolutions and linear layers are computed in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The numbers that the products of convolutions and linear layers are computed in. Results depend on it, but not on how a machine computes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Precision {
    /// The numbers of the engine: `f32`, or `f64` to check gradients.
    #[default]
    #[serde(rename = "f32")]
    Full,
    /// Numbers rounded to bfloat16 (8 bits of precision, the range of `f32`), in layers that are large enough. Their sums and everything else (normalisation, losses, parameters, the optimiser) are as before. Much faster on
    /// processors with AMX ([`crate::Isa::Amx`]), slower on all others, which compute the same bits.
    #[serde(rename = "bf16")]
    Bf16,
}

impl Precision {
    /// Whether it is the default.
    #[must_use]
    pub fn is_full(&self) -> bool {
        *self == Precision::Full
    }
}
