//! Figures of a run as SVG and PNG.
//!
//! A figure is laid out once, in CSS pixels, with labels measured by the font that is compiled in (Inter), and written
//! as SVG; the PNG is that same SVG rendered at twice the size, its letters turned to outlines. The same input gives
//! the same bytes on every machine. [`curves`] draws losses against epochs, [`strip`] one image through the epochs,
//! [`grid`] rows of images such as pairs of original and reconstruction.
//!
//! ```
//! use latents_report::{Curve, curves};
//!
//! let points = vec![(1.0, 0.0562), (2.0, 0.0342), (5.0, 0.0263)];
//! let adam = Curve { name: "Adam, train".into(), points, dashed: false, group: 0 };
//! let figure = curves("Reconstruction loss", "epoch", "mean squared error", &[adam]);
//! assert!(figure.svg().starts_with("<svg"));
//! ```
//!
//! What lives here: drawing. What does not: reading a run's folder or deciding which epochs to show.

mod curves;
mod error;
mod figure;
mod font;
mod frame;
mod legend;
mod palette;
mod scale;
mod scene;
mod tiles;

pub use curves::{Curve, curves};
pub use error::Error;
pub use figure::Figure;
pub use palette::CATEGORICAL;
pub use tiles::{ImageView, Tile, grid, strip};

#[cfg(test)]
mod testing;
