//! What the reference study measured of its classifiers on Fashion-MNIST (its table T6), to stand beside what is measured here. The order of
//! the classes is the data set's.

/// A column of the table: percentages.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) f1: [f64; 10],
    pub(crate) accuracy: f64,
    pub(crate) epochs: i128,
    /// On a GPU.
    pub(crate) seconds: f64,
}

/// The CNN trained from scratch on augmented images, and the classifier on the autoencoder's encoder.
pub(crate) const COLUMNS: [Column; 2] = [
    Column {
        name: "study's CNN",
        f1: [89.21, 99.35, 90.71, 93.31, 90.22, 98.89, 79.94, 97.07, 98.32, 97.55],
        accuracy: 93.51,
        epochs: 26,
        seconds: 1677.0,
    },
    Column {
        name: "study's CL",
        f1: [85.36, 98.24, 83.02, 89.97, 84.04, 97.65, 72.82, 95.77, 97.41, 96.74],
        accuracy: 90.08,
        epochs: 10,
        seconds: 61.0,
    },
];
