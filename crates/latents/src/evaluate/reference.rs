//! What the reference study measured of its classifiers on Fashion-MNIST (its table T6), to show next to what is measured here. The classes are in the
//! data set's order.

/// A column of the table.
#[derive(Clone, Copy, Debug)]
pub struct ReferenceColumn {
    /// What it is called.
    pub name: &'static str,
    /// F1 of each class, in percent.
    pub f1: [f64; 10],
    /// In percent.
    pub accuracy: f64,
    /// Epochs of training.
    pub epochs: i128,
    /// Seconds of training on a GPU.
    pub seconds: f64,
}

/// The CNN trained from scratch on augmented images, and the classifier on the autoencoder's encoder.
pub const REFERENCE: [ReferenceColumn; 2] = [
    ReferenceColumn {
        name: "study's CNN",
        f1: [89.21, 99.35, 90.71, 93.31, 90.22, 98.89, 79.94, 97.07, 98.32, 97.55],
        accuracy: 93.51,
        epochs: 26,
        seconds: 1677.0,
    },
    ReferenceColumn {
        name: "study's CL",
        f1: [85.36, 98.24, 83.02, 89.97, 84.04, 97.65, 72.82, 95.77, 97.41, 96.74],
        accuracy: 90.08,
        epochs: 10,
        seconds: 61.0,
    },
];
