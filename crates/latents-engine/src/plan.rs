//! The operations that compute a network, as the planner lays them out: tables, and no numbers.

use std::ops::Range;

use crate::affine::Affine;
use crate::geometry::Windows;
use crate::kernels::elementwise::Activation;
use crate::kernels::latent::Prior;

/// Batch normalisation.
#[derive(Debug)]
pub(crate) struct Normalize {
    pub(crate) input: usize,
    pub(crate) output: usize,
    pub(crate) epsilon: f64,
    /// Scale, shift, running mean and running variance, one after the other.
    pub(crate) parameters: Range<usize>,
    /// Where their gradients are in a shard.
    pub(crate) offset: usize,
    /// Slope below zero of the ReLU that is fused into the output.
    pub(crate) rectify: Option<f64>,
    /// Which of the workspace's statistics it uses.
    pub(crate) statistics: usize,
}

/// Pooling.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) input: usize,
    pub(crate) output: usize,
    pub(crate) windows: Windows,
    /// For the largest of a window, which of the workspace's buffers remembers where it was; none for the mean.
    pub(crate) places: Option<usize>,
    /// Slope below zero of the ReLU that was fused into the input.
    pub(crate) input_rectify: Option<f64>,
}

/// One step of a pass.
#[derive(Debug)]
pub(crate) enum Op {
    Affine(Box<Affine>),
    Normalize(Box<Normalize>),
    Pool(Box<Pool>),
    /// The start of a residual. On the way back, `gradient` is added to that of the input.
    Fork {
        input: usize,
        /// Where the shortcut's layers find the input.
        copy: Option<usize>,
        gradient: usize,
    },
    /// The end of a residual: `output = branch * mask + shortcut`.
    Join {
        branch: usize,
        shortcut: usize,
        output: usize,
        drop: f64,
        layer: usize,
        /// Which of the workspace's masks it uses.
        mask: usize,
        /// Whether the shortcut has layers, which need its gradient.
        differentiate: bool,
    },
    Activation {
        activation: Activation,
        input: usize,
        output: usize,
    },
    Dropout {
        buffer: usize,
        p: f64,
        layer: usize,
        /// Which of the workspace's masks it uses.
        mask: usize,
    },
    Noise {
        buffer: usize,
        deviation: f64,
        layer: usize,
    },
    Latent {
        prior: Prior,
        input: usize,
        output: usize,
        layer: usize,
        /// Which of the workspace's masks holds its draws.
        mask: usize,
    },
}

/// A part of the vector of gradients and where it comes from.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) range: Range<usize>,
    pub(crate) source: Source,
}

#[derive(Debug)]
pub(crate) enum Source {
    /// The sum of all shards from `offset`.
    Shards { offset: usize },
    /// Rows of a matrix, from records; `op` is its operation.
    Rows { op: usize, rows: Range<usize> },
    /// The bias of a matrix, from records.
    Bias { op: usize },
}

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) ops: Vec<Op>,
    /// Numbers in each buffer, lanes included.
    pub(crate) buffers: Vec<usize>,
    /// Numbers in each mask of dropout and stochastic depth, and in the draws of each layer of latents.
    pub(crate) masks: Vec<usize>,
    /// Channels of each normalisation.
    pub(crate) statistics: Vec<usize>,
    /// Numbers that come out of each max pooling.
    pub(crate) places: Vec<usize>,
    /// For the place before each layer and the end: how many operations come before it, and the buffer that holds its value.
    pub(crate) boundaries: Vec<(usize, usize)>,
    /// Numbers in a shard of gradients.
    pub(crate) shard_len: usize,
    /// Numbers in a micro-batch's record.
    pub(crate) record_len: usize,
    /// The whole vector of gradients, in order.
    pub(crate) pieces: Vec<Piece>,
    /// Where the likelihood's scale is, among the parameters and in a shard.
    pub(crate) log_scale: Option<(usize, usize)>,
}
