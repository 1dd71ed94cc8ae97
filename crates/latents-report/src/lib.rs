//! Figures of runs and studies as SVG and PNG, tables, and the report that contains them.
//!
//! A figure is laid out once, in CSS pixels. Its labels are measured with the embedded font (Inter), and it is written as SVG. The
//! PNG is that SVG rendered at twice the size, with text as outlines. The same input gives the same bytes on every machine.
//!
//! - Runs: [`curves`] draws losses by epoch, [`strip`] one image through the epochs, [`grid`] rows of images such as originals and
//!   reconstructions, [`gallery`] many images, [`scatter`] a map of points coloured by class, [`thumbnails`] a map of images.
//! - Hyperparameter studies ([`StudyView`]): [`trials`] draws the value of each trial, [`slices`] the values against each
//!   parameter, [`parallel_coordinates`] all parameters side by side, [`importances`] the importance of each parameter.
//! - Classifiers: [`confusion`] draws a confusion matrix, [`reliability`] accuracy against confidence.
//! - A [`Table`] is written as Markdown, CSV or JSON.
//! - A [`Page`] is the report: one self-contained HTML file, and the same content as Markdown. An [`Explorer`] in it is a map of
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
//! This crate draws and formats. It does not read runs or studies, and does not decide what a report shows or says.

mod axis;
mod confusion;
mod curves;
mod dark;
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
mod raster;
mod reliability;
mod scale;
mod scatter;
mod scene;
mod slices;
mod study;
mod svg;
mod table;
mod tiles;
mod trials;

pub use confusion::confusion;
pub use curves::{Curve, curves, log_curves};
pub use error::Error;
pub use explorer::{Explorer, ExplorerInput, ExplorerModel};
pub use figure::Figure;
pub use importances::importances;
pub use page::{Block, Finding, Page, PageSection, Picture, Tone};
pub use palette::CATEGORICAL;
pub use parallel::parallel_coordinates;
pub use raster::ImageView;
pub use reliability::{Reliability, reliability};
pub use scatter::{PointGroup, Thumbnail, scatter, scatter_by_class, thumbnails};
pub use slices::slices;
pub use study::{ParameterKind, ParameterView, StudyView, TrialOutcome, TrialView};
pub use table::{Cell, Show, Table};
pub use tiles::{Tile, gallery, grid, strip, tiles};
pub use trials::trials;

#[cfg(test)]
mod testing;

/// The example in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
