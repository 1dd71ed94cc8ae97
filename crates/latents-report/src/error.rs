//! What can go wrong with a figure once it is drawn, rendering it to pixels and writing it, and with a page. Drawing itself never fails;
//! values that cannot be drawn are skipped or marked in the figure.

/// An error of rendering or saving a [`Figure`](crate::Figure) or a [`Page`](crate::Page), or of packing an
/// [`Explorer`](crate::Explorer).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be written; the file of that name, if there was one, is as it was.
    #[error(transparent)]
    File(#[from] latents_files::FileError),
    /// The name is not a plain file name.
    #[error(
        "{stem:?} cannot name a figure's files; give a plain file name without folders or extension"
    )]
    Stem {
        /// The name that was given.
        stem: String,
    },
    /// The PNG would be too large to draw in memory.
    #[error(
        "the figure is {width} x {height} pixels, too large for a PNG; draw fewer tiles or curves, or use the SVG"
    )]
    TooLarge {
        /// Width of the PNG in pixels.
        width: u32,
        /// Height of the PNG in pixels.
        height: u32,
    },
    /// The data of an explorer does not fit together.
    #[error("cannot make an explorer: {reason}")]
    Explorer {
        /// What does not fit.
        reason: String,
    },
    /// The renderer did not take the drawing, which is a defect of this crate.
    #[error("cannot render the figure as PNG: {0}; please report this, the SVG is complete")]
    Render(String),
}
