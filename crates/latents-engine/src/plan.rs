//! The operations that compute a network, as the planner lays them out. A plan has tables but no parameters or activations.

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
    /// Range of scale, shift, running mean and running variance among the parameters.
    pub(crate) parameters: Range<usize>,
    /// Offset of their gradients in a shard.
    pub(crate) offset: usize,
    /// Slope below zero of the ReLU that is fused into the output.
    pub(crate) rectify: Option<f64>,
    /// Index of its statistics in the workspace.
    pub(crate) statistics: usize,
}

/// Latents with a learned prior.
#[derive(Debug)]
pub(crate) struct MixturePrior {
    pub(crate) input: usize,
    pub(crate) output: usize,
    pub(crate) layer: usize,
    pub(crate) components: usize,
    /// Whether the weights depend on the condition.
    pub(crate) conditional: bool,
    /// Whether all weights are the same, and no parameters.
    pub(crate) uniform: bool,
    /// Index of the mask in the workspace that holds its draws.
    pub(crate) mask: usize,
    /// Index of the mask that holds latents, responsibilities and weights.
    pub(crate) kept: usize,
    /// Range of the mixture among the parameters.
    pub(crate) parameters: Range<usize>,
    /// Offset of their gradients in a shard.
    pub(crate) offset: usize,
}

/// Vectors that are replaced by codes.
#[derive(Debug)]
pub(crate) struct Quantize {
    pub(crate) input: usize,
    pub(crate) output: usize,
    pub(crate) codes: Codes,
    /// The penalty of a sample if all codes are as likely; 0 if there is a prior, which follows.
    pub(crate) uniform: f64,
    /// Index of the workspace's buffer of the numbers of the codes.
    pub(crate) places: usize,
}

/// The codes of a quantiser.
#[derive(Debug)]
pub(crate) enum Codes {
    Learned {
        commitment: f64,
        /// Index of the mask that holds the distances from the codes.
        kept: usize,
        /// Range of the codes among the parameters.
        parameters: Range<usize>,
        /// Offset of their gradients in a shard.
        offset: usize,
    },
    /// The number of levels of each channel.
    Levels(Vec<usize>),
}

/// Pooling.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) input: usize,
    pub(crate) output: usize,
    pub(crate) windows: Windows,
    /// For max pooling, the index of the workspace's buffer of the positions of the maxima; `None` for the mean.
    pub(crate) places: Option<usize>,
    /// Slope below zero of the ReLU that is fused into the input.
    pub(crate) input_rectify: Option<f64>,
}

/// One operation of a pass. Buffers are named by their indices.
#[derive(Debug)]
pub(crate) enum Op {
    Affine(Box<Affine>),
    Normalize(Box<Normalize>),
    Pool(Box<Pool>),
    /// The start of a residual. The backward pass adds `gradient` to the gradient of the input.
    Fork {
        input: usize,
        /// The copy of the input for the layers of the shortcut, if it has any.
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
        /// Index of its mask in the workspace.
        mask: usize,
        /// Whether the shortcut has layers, which need its gradient.
        differentiate: bool,
    },
    /// A copy at the start of a section, for the gradient of its input.
    Copy {
        input: usize,
        output: usize,
        /// Slope below zero of the ReLU that is fused into the input.
        rectify: Option<f64>,
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
        /// Index of its mask in the workspace.
        mask: usize,
    },
    Noise {
        buffer: usize,
        deviation: f64,
        layer: usize,
    },
    /// Appends the conditions to the channels of the input.
    Condition {
        input: usize,
        output: usize,
    },
    MixturePrior(Box<MixturePrior>),
    Quantize(Box<Quantize>),
    /// A copy that has no gradient, for the operations of a prior. They are left out if the penalty is not needed.
    Detach {
        input: usize,
        output: usize,
        /// The number of these operations, which follow.
        ops: usize,
    },
    /// The likelihood of codes given the logits of a prior.
    CodeLoss {
        logits: usize,
        /// Index of the workspace's buffer of the numbers of the codes.
        places: usize,
    },
    Latent {
        prior: Prior,
        input: usize,
        output: usize,
        layer: usize,
        /// Index of the mask in the workspace that holds its draws.
        mask: usize,
    },
}

/// A part of the vector of gradients, and its source.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) range: Range<usize>,
    pub(crate) source: Source,
}

#[derive(Debug)]
pub(crate) enum Source {
    /// The sum of all shards from `offset`.
    Shards { offset: usize },
    /// Rows of the weight of a linear layer, from records; `op` is its operation.
    Rows { op: usize, rows: Range<usize> },
    /// The bias of a linear layer, from records.
    Bias { op: usize },
    /// Zero: no operation of a pass has this gradient.
    Nothing,
}

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) ops: Vec<Op>,
    /// Size of each buffer, including lanes.
    pub(crate) buffers: Vec<usize>,
    /// Size of each mask: of dropout, stochastic depth, and what layers of latents draw or keep.
    pub(crate) masks: Vec<usize>,
    /// Channels of each normalisation.
    pub(crate) statistics: Vec<usize>,
    /// Size of the output of each max pooling, and the pixels of each quantiser.
    pub(crate) places: Vec<usize>,
    /// Before each layer, and after the last: the number of operations so far, and the buffer of the activation.
    pub(crate) boundaries: Vec<(usize, usize)>,
    /// Size of a shard of gradients.
    pub(crate) shard_len: usize,
    /// Size of the record of a micro-batch.
    pub(crate) record_len: usize,
    /// For each buffer, the slope below zero of the ReLU that is fused into its activation. The buffer's gradient must include the
    /// derivative of this ReLU.
    pub(crate) fused: Vec<Option<f64>>,
    /// Size of the condition of each sample.
    pub(crate) condition: usize,
    /// In a plan with input gradients: the first layer of each section, and the buffer of the copy of its input, which ends up with the
    /// gradient.
    pub(crate) copies: Vec<(usize, usize)>,
    /// The pieces of the vector of gradients, in order.
    pub(crate) pieces: Vec<Piece>,
    /// Offset of the scale of the likelihood among the parameters and in a shard.
    pub(crate) log_scale: Option<(usize, usize)>,
}
