//! What a card is measured from.

use crate::rows::Rows;

/// The arrays that [`Card::measure`](super::Card::measure) evaluates. Images are rows of `c h w` values from 0 to 1.
#[derive(Clone, Copy, Debug)]
pub struct CardInput<'a> {
    /// Test images `[n, c h w]`.
    pub images: Rows<'a>,
    /// Shape of an image, `[c, h, w]`.
    pub shape: [usize; 3],
    /// Labels of the test images `[n]` and the number of classes, if known.
    pub labels: Option<(&'a [u16], usize)>,
    /// Latents of the test images `[n, d]`; of a variational model the posterior means.
    pub latents: Rows<'a>,
    /// Posterior log-variances `[n, d]` of a variational model whose prior is N(0, I).
    pub log_variances: Option<Rows<'a>>,
    /// Reconstructions of the test images `[n, c h w]`.
    pub reconstructions: Rows<'a>,
    /// Training images `[m, c h w]`: principal components are fitted to them, and samples are compared with them.
    pub train: Rows<'a>,
    /// Latents of training images `[t, d]`.
    pub train_latents: Rows<'a>,
    /// Bounds on the log-likelihood of a variational model.
    pub bounds: Option<&'a CardBounds>,
    /// Maps of the test latents: name and coordinates `[n, 2]`.
    pub maps: &'a [(&'a str, Rows<'a>)],
    /// Draws `[n, d]` from the prior of a model that has learned it; of other models N(0, I) takes its place.
    pub prior: Option<Rows<'a>>,
    /// Latents that other samplers than the card's own have drawn: name and draws `[n, d]`.
    pub drawn: &'a [(&'a str, Rows<'a>)],
    /// The bits of the latents of an image, if they are codes. Then new ones are drawn from the prior alone, as no density of numbers is one of
    /// codes, and there are as many principal components as 32-bit numbers have so many bits.
    pub code_bits: Option<f64>,
    /// Seed of all draws.
    pub seed: u64,
}

/// Bounds on the log-likelihood of each test image, in nats.
#[derive(Clone, Debug, Default)]
pub struct CardBounds {
    /// The evidence lower bound `[n]`.
    pub elbo: Vec<f64>,
    /// The importance-weighted bound `[n]`.
    pub iwae: Vec<f64>,
    /// The same with a flow as the prior `[n]`.
    pub with_flow: Option<Vec<f64>>,
    /// Draws of the importance-weighted bounds.
    pub draws: u64,
}
