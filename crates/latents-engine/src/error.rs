//! The errors of the engine.

/// An error of the engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A layer does not fit its input.
    #[error("layer {layer} cannot take {input:?} ([channels, height, width]): {reason}")]
    Layer {
        /// Position and kind of the layer, such as `encoder.3 (conv2d)`.
        layer: String,
        /// The shape of the input, `[c, h, w]`.
        input: [usize; 3],
        /// The cause, and what would fit.
        reason: String,
    },
    /// The network cannot be built, or cannot be used in this way.
    #[error("network: {0}")]
    Network(String),
    /// A batch, target, gradient or parameter vector has the wrong size.
    #[error("{what}: expected {expected} numbers, got {got}")]
    Size {
        /// The argument.
        what: &'static str,
        /// The required number of numbers.
        expected: usize,
        /// The actual number of numbers.
        got: usize,
    },
    /// The conditions for a [`crate::Layer::Condition`] have the wrong size.
    #[error(
        "layer {layer}: expected conditions of {samples} samples with {features} features each, got {got} numbers"
    )]
    Conditions {
        /// Position and kind of the layer, such as `decoder.0 (condition)`.
        layer: String,
        /// Samples in the batch.
        samples: usize,
        /// Required numbers for each sample.
        features: usize,
        /// Given numbers in all.
        got: usize,
    },
    /// An index or a label is out of range.
    #[error("{what} {got} is out of range: there are {limit}")]
    Range {
        /// The kind of index.
        what: &'static str,
        /// The index.
        got: usize,
        /// The number of items; a valid index is smaller.
        limit: usize,
    },
    /// The instruction set is unknown, or this machine does not have it.
    #[error("instruction set `{name}` is not available; this machine has: {available}")]
    Isa {
        /// The requested name.
        name: String,
        /// The available names.
        available: String,
    },
    /// The worker threads could not be started.
    #[error("cannot start {threads} worker threads: {reason}; try fewer")]
    Threads {
        /// The requested number of threads.
        threads: usize,
        /// The reason that the system gives.
        reason: String,
    },
    /// A setting is out of range.
    #[error("{name} = {value} is out of range: {expected}")]
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// Its value.
        value: f64,
        /// The valid range.
        expected: &'static str,
    },
}
