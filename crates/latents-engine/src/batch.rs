//! Batches: the inputs, conditions and targets of a network, and their conversion to lanes.

use crate::error::Error;
use crate::lanes::{self, bytes_to_lanes, words_to_lanes};
use crate::number::Number;

/// The pixels of a collection of images `[n, c, h, w]`; black is 0 and white the largest integer, and they become 0 to 1.
#[derive(Clone, Copy, Debug)]
pub enum InputPixels<'a> {
    /// 0 to 255.
    Bytes(&'a [u8]),
    /// 0 to 65,535.
    Words(&'a [u16]),
}

impl<'a> From<&'a [u8]> for InputPixels<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a [u16]> for InputPixels<'a> {
    fn from(words: &'a [u16]) -> Self {
        Self::Words(words)
    }
}

impl InputPixels<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Words(words) => words.len(),
        }
    }
}

/// The inputs of a network.
#[derive(Clone, Copy, Debug)]
pub enum Inputs<'a, E> {
    /// Images of a collection `[n, c, h, w]`, in the order of `index`.
    Images {
        /// The whole collection.
        pixels: InputPixels<'a>,
        /// The indices of the images in the collection.
        index: &'a [u32],
    },
    /// Numbers `[n, c, h, w]`.
    Values(&'a [E]),
}

/// Inputs with their conditions. [`Inputs`] convert to a batch without conditions.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a, E> {
    /// The inputs of `n` samples.
    pub inputs: Inputs<'a, E>,
    /// The vectors that each [`crate::Layer::Condition`] of the network appends, `[n, features]`; empty if it has none.
    pub conditions: &'a [E],
}

impl<'a, E> From<Inputs<'a, E>> for Batch<'a, E> {
    fn from(inputs: Inputs<'a, E>) -> Self {
        inputs.with_conditions(&[])
    }
}

impl<'a, E> Inputs<'a, E> {
    /// A batch of these inputs with the conditions `[n, features]`.
    #[must_use]
    pub fn with_conditions(self, conditions: &'a [E]) -> Batch<'a, E> {
        Batch { inputs: self, conditions }
    }
}

/// The targets that a loss compares the output with.
#[derive(Clone, Copy, Debug)]
pub enum Targets<'a, E> {
    /// The inputs themselves.
    Inputs,
    /// Numbers of the shape of the output, `[n, c, h, w]`.
    Values(&'a [E]),
    /// One class for each sample `[n]`; the network outputs one logit for each class.
    Classes(&'a [u16]),
    /// Two weighted classes for each sample `[n]`; the network outputs one logit for each class.
    Mixup(&'a [Mixup]),
}

/// The target of a sample that is mixed from two classes, as mixup (Zhang et al., 2018) and `CutMix` (Yun et al., 2019) make them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mixup {
    /// The two classes; they may be the same.
    pub classes: [u16; 2],
    /// The share of the first class, from 0 to 1; the rest is the share of the second.
    pub weight: f32,
}

/// The mode of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Training: dropout, stochastic depth, noise and latents are drawn for this seed and epoch, and batch normalisation uses the
    /// statistics of the batch.
    Train {
        /// Seed of the run.
        seed: u64,
        /// Number of the epoch.
        epoch: u64,
    },
    /// Evaluation: no dropout and no noise; the latents of a Gaussian are its means, and batch normalisation uses the running
    /// statistics.
    Evaluate,
    /// Evaluation, but latents are drawn from the Gaussian as in training.
    Sample {
        /// Seed of the draws.
        seed: u64,
        /// Number of the draw, if several are made for each sample.
        draw: u64,
    },
    /// As [`Pass::Sample`], but the penalty of a Gaussian is log q(z|x) - log p(z) of the drawn z instead of its expectation, the KL
    /// divergence. If the loss is a likelihood, -(loss + penalty) is the logarithm of an importance weight (Burda et al., 2016). The gradient
    /// of the penalty is then its path derivative: that through z, while the parameters of q stay (Roeder et al., 2017).
    Importance {
        /// Seed of the draws; they are the same as those of [`Pass::Sample`].
        seed: u64,
        /// Number of the draw, if several are made for each sample.
        draw: u64,
    },
}

pub(crate) fn expect_size(what: &'static str, got: usize, expected: usize) -> Result<(), Error> {
    if got == expected { Ok(()) } else { Err(Error::Size { what, expected, got }) }
}

impl<E: Number> Inputs<'_, E> {
    /// The number of samples, if sizes and indices are valid for `numbers` numbers per sample.
    pub(crate) fn check(&self, numbers: usize) -> Result<usize, Error> {
        match self {
            Inputs::Images { pixels, index } => {
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

    pub(crate) fn to_lanes(
        self,
        samples: impl Iterator<Item = usize>,
        numbers: usize,
        lanes: &mut [E],
    ) {
        match self {
            Inputs::Images { pixels: InputPixels::Bytes(bytes), index } => {
                bytes_to_lanes(&chosen(bytes, samples.map(|i| index[i] as usize), numbers), lanes);
            }
            Inputs::Images { pixels: InputPixels::Words(words), index } => {
                words_to_lanes(&chosen(words, samples.map(|i| index[i] as usize), numbers), lanes);
            }
            Inputs::Values(values) => values_to_lanes(values, samples, numbers, lanes),
        }
    }

    /// The identity by which the draws of a sample are keyed: its index in the collection, or its position in the batch.
    pub(crate) fn identity(&self, sample: usize) -> u64 {
        match self {
            Inputs::Images { index, .. } => u64::from(index[sample]),
            Inputs::Values(_) => sample as u64,
        }
    }
}

/// Some rows of `numbers` numbers each.
fn chosen<T>(all: &[T], rows: impl Iterator<Item = usize>, numbers: usize) -> Vec<&[T]> {
    rows.map(|i| &all[i * numbers..(i + 1) * numbers]).collect()
}

pub(crate) fn values_to_lanes<E: Number>(
    values: &[E],
    samples: impl Iterator<Item = usize>,
    numbers: usize,
    lanes: &mut [E],
) {
    lanes::values_to_lanes(&chosen(values, samples, numbers), lanes);
}
