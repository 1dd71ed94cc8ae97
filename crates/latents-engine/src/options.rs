//! What an engine is made for.

use crate::precision::Precision;

/// What an [`Engine`](crate::Engine) is made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineOptions {
    /// The numbers that products are computed in.
    pub precision: Precision,
    /// Whether [`Engine::backward`](crate::Engine::backward) also returns the gradient of the inputs. A training step takes slightly longer then; the results are the same bits.
    pub input_gradients: bool,
}
