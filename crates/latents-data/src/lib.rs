//! Image collections: where they come from, and how they are split and ordered for training.
//!
//! A [`Source`] names a data set and loads it as a [`Dataset`]: bytes in memory, `[n, c, h, w]`, with labels. [`Locations`]
//! says where to look on this machine and where to download from; [`catalogue`] lists what is known, [`fetch`] downloads
//! ahead of use. [`split`] and [`epoch_order`] choose samples by number, and [`Augmentation`] changes images, repeatably.
//! Networks, floats and batches laid out for them are the engine's and the trainer's matter.
//!
//! ```
//! use latents_data::{Locations, Source, epoch_order, split};
//!
//! let source: Source = "fashion-mnist-sample".parse()?;
//! let data = source.load(&Locations::nowhere(), &mut |_| {})?;
//! let (train, validation) = split(data.train.len(), 0.2, 1);
//! assert_eq!((train.len(), validation.len()), (2_000, 500));
//! for sample in epoch_order(&train, 1, 0).into_iter().take(256) {
//!     assert_eq!(data.train.images.image(sample as usize).len(), 28 * 28);
//! }
//! # Ok::<(), latents_data::Error>(())
//! ```

mod arrays;
mod augment;
mod catalogue;
mod error;
mod fashion;
mod fetch;
mod folder;
pub mod idx;
mod images;
mod locations;
mod mapped;
pub mod npz;
mod picture;
mod pictures;
mod sample;
mod source;
mod split;

pub use augment::{Augmentation, Augmented, Mix};
pub use catalogue::{Entry, Place, catalogue, fetch};
pub use error::{Error, IdxProblem};
pub use fashion::CLASSES as FASHION_MNIST_CLASSES;
pub use fetch::Progress;
pub use images::{Dataset, Images, Labelled, spread};
pub use locations::Locations;
pub use picture::read_picture;
pub use pictures::{Colour, Fit, Pictures, parse_size};
pub use source::{Source, load_default};
pub use split::{epoch_order, split};
