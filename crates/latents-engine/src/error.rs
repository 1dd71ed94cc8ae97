//! What can be wrong with a network or with what it is given.

/// An error of the engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A layer does not fit what comes into it.
    #[error("layer {layer} cannot take {input:?} ([channels, height, width]): {reason}")]
    Layer {
        /// The layer's place and kind, such as `encoder.3 (conv2d)`.
        layer: String,
        /// The shape that comes in.
        input: [usize; 3],
        /// What is wrong and what would fit.
        reason: String,
    },
    /// The network as a whole cannot be built.
    #[error("network: {0}")]
    Network(String),
    /// A batch, target or parameter vector of the wrong size.
    #[error("{what}: expected {expected} numbers, got {got}")]
    Size {
        /// Which of the arguments.
        what: &'static str,
        /// How many it should have.
        expected: usize,
        /// How many it has.
        got: usize,
    },
    /// An index or a label beyond the end.
    #[error("{what} {got} is out of range: there are {limit}")]
    Range {
        /// What was counted.
        what: &'static str,
        /// The offending number.
        got: usize,
        /// How many there are.
        limit: usize,
    },
    /// An instruction set that is unknown or not to be had here.
    #[error("instruction set `{name}` is not available; this machine has: {available}")]
    Isa {
        /// What was asked for.
        name: String,
        /// What there is.
        available: String,
    },
    /// The worker threads could not be started.
    #[error("cannot start {threads} worker threads: {reason}; try fewer")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// The system's reason.
        reason: String,
    },
    /// An optimiser setting outside its range.
    #[error("{name} = {value} is out of range: {expected}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        expected: &'static str,
    },
}
