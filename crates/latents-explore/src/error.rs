//! The errors of this crate.

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An error of the engine.
    #[error(transparent)]
    Engine(#[from] latents_engine::Error),
    /// The length of an array does not fit the other arguments.
    #[error("{what} has {got} entries; {expected} are expected")]
    Size {
        /// Name of the array.
        what: &'static str,
        /// Expected length.
        expected: usize,
        /// Actual length.
        got: usize,
    },
    /// A label is not less than the number of classes.
    #[error(
        "label {label} at index {index} is out of range: there are {classes} classes, numbered from 0"
    )]
    Label {
        /// Index of the sample, from 0.
        index: usize,
        /// The label.
        label: u16,
        /// The number of classes.
        classes: usize,
    },
    /// A value is infinite or NaN.
    #[error("the value in row {row}, column {column} is not finite (both are counted from 0)")]
    NotFinite {
        /// Row, from 0.
        row: usize,
        /// Column, from 0.
        column: usize,
    },
    /// There are too few rows.
    #[error("{what} needs at least {needed} rows, but there are {got}")]
    TooFew {
        /// The computation that needs them.
        what: &'static str,
        /// The least number of rows.
        needed: usize,
        /// The actual number of rows.
        got: usize,
    },
    /// A setting is out of range.
    #[error("{what} is {got}, but must be {range}")]
    Range {
        /// Name of the setting.
        what: &'static str,
        /// The allowed range.
        range: &'static str,
        /// The actual value.
        got: f64,
    },
    /// The work was cancelled through its [`Monitor`](latents_progress::Monitor).
    #[error(transparent)]
    Interrupted(#[from] latents_progress::Interrupted),
    /// Arguments are inconsistent, or a computation failed for a reason that the text gives.
    #[error("{0}")]
    Invalid(String),
}
