//! Figures of runs and studies as SVG and PNG, tables, and the report that holds them.
//!
//! A figure is laid out once, in CSS pixels, with labels measured by the font that is compiled in (Inter), and written
//! as SVG; the PNG is that same SVG rendered at twice the size, its letters turned to outlines. The same input gives
//! the same bytes on every machine.
//!
//! - Of runs: [`curves`] draws losses against epochs, [`strip`] one image through the epochs, [`grid`] rows of images
//!   such as pairs of original and reconstruction, [`scatter`] a map of points by class, [`thumbnails`] the same as images.
//! - Of a hyper-parameter [`Study`]: [`trials`] draws the value of each trial, [`slices`] values against each parameter,
//!   [`parallel_coordinates`] all parameters side by side, [`importances`] how much each of them matters.
//! - Of a classifier: [`confusion`] draws which class was taken for which, [`reliability`] accuracy against confidence.
//! - A [`Table`] is written as Markdown, CSV or JSON.
//! - A [`Page`] is the report: one self-contained HTML file, and the same as Markdown. An [`Explorer`] in it is a map of
//!   latents whose decoder runs in the reader's browser.
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
//! What lives here: drawing and setting. What does not: reading a run's folder or a study, or deciding what to show and say.

mod axis;
mod confusion;
mod curves;
mod error;
mod explorer;
mod figure;
mod font;
mod frame;
mod importances;
mod legend;
mod marks;
mod number;
mod oklab;
mod page;
mod palette;
mod parallel;
mod reliability;
mod scale;
mod scatter;
mod scene;
mod slices;
mod study;
mod table;
mod tiles;
mod trials;

pub use confusion::confusion;
pub use curves::{Curve, curves, log_curves};
pub use error::Error;
pub use explorer::{Explored, ExploredModel, Explorer};
pub use figure::Figure;
pub use importances::importances;
pub use page::{Block, Finding, Page, Picture, Section, Tone};
pub use palette::CATEGORICAL;
pub use parallel::parallel_coordinates;
pub use reliability::{Reliability, reliability};
pub use scatter::{Points, Thumbnail, scatter, thumbnails};
pub use slices::slices;
pub use study::{Direction, Parameter, ParameterKind, Study, Trial, TrialState};
pub use table::{Cell, Show, Table};
pub use tiles::{ImageView, Tile, grid, strip};
pub use trials::trials;

#[cfg(test)]
mod testing;
