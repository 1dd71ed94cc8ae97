//! Errors of rendering and saving figures, tables and pages, and of packing an explorer. Drawing itself never fails: a value that
//! cannot be drawn is skipped or marked in the figure.

use std::path::PathBuf;

/// An error of rendering or saving a [`Figure`](crate::Figure), a [`Table`](crate::Table) or a [`Page`](crate::Page), or of
/// packing an [`Explorer`](crate::Explorer).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be written. An older file of that name is unchanged.
    #[error(transparent)]
    File(#[from] latents_files::FileError),
    /// The name is not a plain file name.
    #[error("{stem:?} is not a file name; give a plain name without folders or extension")]
    Stem {
        /// The given name.
        stem: String,
    },
    /// The path has an extension that a figure cannot be saved as.
    #[error(
        "{}: a figure is saved as .svg or .png; use one of these extensions, or none to save both",
        path.display()
    )]
    Extension {
        /// The given path.
        path: PathBuf,
    },
    /// The PNG would need too much memory.
    #[error(
        "the figure is {width} x {height} pixels, too large for a PNG; draw fewer tiles or curves, or use the SVG"
    )]
    TooLarge {
        /// Width of the PNG in pixels.
        width: u32,
        /// Height of the PNG in pixels.
        height: u32,
    },
    /// The parts of an explorer do not fit together.
    #[error("cannot make an explorer: {reason}")]
    Explorer {
        /// What does not fit.
        reason: String,
    },
    /// The renderer rejected the drawing, which is a bug in this crate.
    #[error(
        "cannot render the figure as PNG: {0}; this is a bug, please report it; the SVG is not affected"
    )]
    Render(String),
}
