//! Image collections: sources, data sets, splits and augmentation.
//!
//! [`Dataset::open`] reads a [`Source`] as a [`Dataset`]: [`Images`] `[n, c, h, w]` as bytes, with labels and names if there are
//! any, in a training and a test part. [`Pictures`] has the settings for pictures of any size, and [`Locations`] the folders and
//! mirrors to search. [`catalogue`] lists the known sources, and [`fetch`] downloads ahead of use. [`split`] and [`epoch_order`]
//! choose samples by number, and [`Augmentation`] changes images at random; both depend only on a seed, so they are repeatable.
//! Whatever takes long reports to a [`Monitor`](latents_progress::Monitor), and stops when that is cancelled. Networks and batches
//! are not known here.
//!
//! ```
//! use latents_data::{Dataset, epoch_order, split};
//! use latents_progress::Monitor;
//!
//! let data = Dataset::open("fashion-mnist-sample", &Monitor::default())?;
//! let (train, validation) = split(data.train.len(), 0.2, 1);
//! assert_eq!((train.len(), validation.len()), (2_000, 500));
//! for sample in epoch_order(&train, 1, 0).into_iter().take(256) {
//!     assert_eq!(data.train.images.image(sample as usize).len(), 28 * 28);
//! }
//! # Ok::<(), latents_data::Error>(())
//! ```

mod arrange;
mod arrays;
mod augment;
mod catalogue;
mod columns;
mod dataset;
mod error;
mod fashion;
mod fetch;
mod fingerprint;
mod folder;
pub mod idx;
mod idx_folder;
mod images;
mod locations;
mod mapped;
mod note;
pub mod npz;
mod open;
mod part;
mod picture;
mod pictures;
mod range;
mod sample;
mod shapes;
mod shard;
mod source;
mod split;
mod tables;
mod warnings;

pub use arrange::{TooMany as TooManyClasses, classes as classes_of};
pub use arrays::{ArrayNumbers, IN_MEMORY, ImageArrays, is_array_file};
pub use augment::{Augmentation, Augmented, Border, Mix};
pub use catalogue::{Entry, Place, catalogue, fetch};
pub use columns::{ColumnLabels, LabelColumn};
pub use dataset::{Dataset, Labelled, Limits, find_image};
pub use error::{Error, IdxProblem, PartsProblem};
pub use fashion::CLASSES as FASHION_MNIST_CLASSES;
pub use fingerprint::{Fingerprint, Fingerprints, THUMBNAIL, Unreadable};
pub use folder::PictureShard;
pub use images::{Depth, Images, Pixels, evenly_spaced};
pub use locations::Locations;
pub use note::{AxisOrder, Note};
pub use open::load_default;
pub use part::{Part, UnknownPart};
pub use picture::read_picture;
pub use pictures::{Colour, Fit, Pages, Pictures, parse_shape, parse_size};
pub use range::{Range, Scale};
pub use shard::Shard;
pub use source::Source;
pub use split::{epoch_order, folds, hold_out, split};

/// Compiles and runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
