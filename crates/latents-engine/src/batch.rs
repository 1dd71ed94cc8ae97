//! Batches: what goes into a network and what comes out is held against, and how either becomes lanes.

use std::ops::Range;

use crate::error::Error;
use crate::kernels::transpose::{self, bytes_to_lanes};
use crate::number::Number;

/// What goes into a network.
#[derive(Clone, Copy, Debug)]
pub enum Inputs<'a, E> {
    /// Some images of a collection `[n, c, h, w]` of bytes, in the order of `index`; 0 to 255 become 0 to 1.
    Bytes {
        /// The whole collection.
        pixels: &'a [u8],
        /// Which images.
        index: &'a [u32],
    },
    /// Numbers `[n, c, h, w]`.
    Values(&'a [E]),
}

/// What comes out of it is held against this.
#[derive(Clone, Copy, Debug)]
pub enum Targets<'a, E> {
    /// The inputs themselves.
    Inputs,
    /// Numbers of the output's shape, `[n, ...]`.
    Values(&'a [E]),
    /// A class for each sample `[n]`; the network gives one logit for each class.
    Classes(&'a [u8]),
    /// Two classes for each sample `[n]`; the network gives one logit for each class.
    Mixtures(&'a [Mixture]),
}

/// A sample that is partly of one class and partly of another, as mixup (Zhang et al., 2018) and `CutMix` (Yun et al., 2019) make them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mixture {
    /// The two classes; they may be the same.
    pub classes: [u8; 2],
    /// How much of it is of the first, from 0 to 1; the rest is of the second.
    pub weight: f32,
}

/// What a pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Dropout, stochastic depth, noise and latents are drawn for this seed and epoch, and normalisation takes the batch's own
    /// statistics.
    Train {
        /// Seed of the run.
        seed: u64,
        /// Number of the epoch.
        epoch: u64,
    },
    /// No dropout, no noise; a Gaussian's latents are its means, and normalisation takes the running statistics.
    Evaluate,
    /// The same, but with latents drawn from the Gaussian, as if by training.
    Sample {
        /// Seed of the draws.
        seed: u64,
        /// Which of several draws for each sample.
        draw: u64,
    },
    /// The same, and the penalty of a Gaussian is log q(z|x) - log p(z) of the drawn z rather than its expectation, the KL
    /// divergence. With a likelihood as the loss, -(loss + penalty) is the logarithm of an importance weight (Burda et al., 2016).
    Importance {
        /// Seed of the draws, which are those of [`Pass::Sample`].
        seed: u64,
        /// Which of several draws for each sample.
        draw: u64,
    },
}

pub(crate) fn expect_size(what: &'static str, got: usize, expected: usize) -> Result<(), Error> {
    if got == expected { Ok(()) } else { Err(Error::Size { what, expected, got }) }
}

impl<E: Number> Inputs<'_, E> {
    /// The number of samples, where all sizes and indices fit `numbers` a sample.
    pub(crate) fn check(&self, numbers: usize) -> Result<usize, Error> {
        match self {
            Inputs::Bytes { pixels, index } => {
                let images = pixels.len() / numbers;
                expect_size("pixels of the collection", pixels.len(), images * numbers)?;
                match index.iter().max() {
                    Some(&i) if i as usize >= images => {
                        Err(Error::Range { what: "image", got: i as usize, limit: images })
                    }
                    _ => Ok(index.len()),
                }
            }
            Inputs::Values(values) => {
                let samples = values.len() / numbers;
                expect_size("inputs", values.len(), samples * numbers)?;
                Ok(samples)
            }
        }
    }

    pub(crate) fn to_lanes(self, samples: Range<usize>, numbers: usize, lanes: &mut [E]) {
        match self {
            Inputs::Bytes { pixels, index } => {
                let images: Vec<&[u8]> = index[samples]
                    .iter()
                    .map(|&i| &pixels[i as usize * numbers..(i as usize + 1) * numbers])
                    .collect();
                bytes_to_lanes(&images, lanes);
            }
            Inputs::Values(values) => values_to_lanes(values, samples, numbers, lanes),
        }
    }

    /// What dropout knows a sample by: its place in the collection.
    pub(crate) fn identities(&self, samples: Range<usize>) -> Vec<u64> {
        match self {
            Inputs::Bytes { index, .. } => index[samples].iter().map(|&i| u64::from(i)).collect(),
            Inputs::Values(_) => samples.map(|i| i as u64).collect(),
        }
    }
}

pub(crate) fn values_to_lanes<E: Number>(
    values: &[E],
    samples: Range<usize>,
    numbers: usize,
    lanes: &mut [E],
) {
    let samples: Vec<&[E]> =
        values[samples.start * numbers..samples.end * numbers].chunks_exact(numbers).collect();
    transpose::values_to_lanes(&samples, lanes);
}
