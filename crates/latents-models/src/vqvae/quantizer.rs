//! The codes of a VQ-VAE.

use latents_engine::{CodeTable, Layer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The codes that take the place of what the encoder returns for each place of an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Quantizer {
    /// A grid: some levels in each channel, evenly spaced (finite scalar quantisation: Mentzer et al., 2024). All codes are in use from the
    /// start.
    Levels {
        /// Number of levels of each channel. Their product is the number of codes.
        levels: Vec<usize>,
    },
    /// A table that is learned with the model (van den Oord et al., 2017). Codes that are far from what the encoder returns remain unused.
    Table {
        /// Number of codes.
        #[serde(default = "codes")]
        codes: usize,
        /// Number of channels of a code.
        #[serde(default = "dim")]
        dim: usize,
        /// Weight of the distance of the encoder's vectors from their codes.
        #[serde(default = "commitment")]
        commitment: f64,
    },
}

fn codes() -> usize {
    512
}

fn dim() -> usize {
    16
}

fn commitment() -> f64 {
    0.25
}

impl Default for Quantizer {
    fn default() -> Self {
        Quantizer::Levels { levels: vec![8; 3] }
    }
}

impl Quantizer {
    /// Number of channels of a code.
    pub(super) fn channels(&self) -> usize {
        match self {
            Quantizer::Levels { levels } => levels.len(),
            Quantizer::Table { dim, .. } => *dim,
        }
    }

    /// The layer that brings the encoder's numbers to the scale of the codes.
    pub(super) fn scaling(&self) -> Layer {
        match self {
            Quantizer::Levels { .. } => Layer::Tanh,
            Quantizer::Table { .. } => Layer::BatchNorm2d { momentum: 0.1, epsilon: 1e-5 },
        }
    }

    pub(super) fn table(&self) -> CodeTable {
        match *self {
            Quantizer::Levels { ref levels } => CodeTable::Levels { levels: levels.clone() },
            Quantizer::Table { codes, commitment, .. } => CodeTable::Learned { codes, commitment },
        }
    }
}
