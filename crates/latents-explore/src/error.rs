//! What can be wrong with what is to be explored.

/// An error of an exploration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The engine refuses what it was given.
    #[error(transparent)]
    Engine(#[from] latents_engine::Error),
    /// Two lists that belong together differ in length.
    #[error("{what} has {got} entries; {expected} are expected")]
    Size {
        /// Which of them.
        what: &'static str,
        /// How many it should have.
        expected: usize,
        /// How many it has.
        got: usize,
    },
    /// A label that is none of the classes.
    #[error("label {label} at place {place} is none of {classes} classes (from 0)")]
    Label {
        /// Where it is, from 0.
        place: usize,
        /// The label.
        label: u8,
        /// How many classes there are.
        classes: usize,
    },
    /// A number that is infinite or none.
    #[error("row {row} has a number that is not finite in column {column}")]
    NotFinite {
        /// From 0.
        row: usize,
        /// From 0.
        column: usize,
    },
    /// More rows are needed.
    #[error("{what} needs at least {needed} rows, but there are {got}")]
    TooFew {
        /// What needs them.
        what: &'static str,
        /// How many.
        needed: usize,
        /// How many there are.
        got: usize,
    },
    /// A setting is out of its range.
    #[error("{what} is {got}, but must be {range}")]
    Range {
        /// Which setting.
        what: &'static str,
        /// What it should be.
        range: &'static str,
        /// What it is.
        got: f64,
    },
    /// The caller asked to stop.
    #[error("stopped")]
    Stopped,
    /// What was asked for makes no sense, or cannot be had from so few samples.
    #[error("{0}")]
    Invalid(String),
}
