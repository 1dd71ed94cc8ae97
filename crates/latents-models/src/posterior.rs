//! The layers that give the posterior of a variational autoencoder.

use std::ops::Range;

use latents_engine::{Layer, Layout};

/// The layers that map images `[n, c, h, w]` to the means and the log-variances `[n, 2 d]` of the latents' posterior. `None` if the network is
/// not that of a variational autoencoder. Pass the range to [`Engine::forward_layers`](latents_engine::Engine::forward_layers).
#[must_use]
pub fn posterior(layout: &Layout) -> Option<Range<usize>> {
    let at = layout.layers().position(Layer::is_posterior)?;
    Some(0..at)
}
