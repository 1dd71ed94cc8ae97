//! A finished drawing and its two files. The PNG is rendered from the SVG's own elements, so that both show the same.

use std::path::Path;

use resvg::{tiny_skia, usvg};

use crate::error::Error;
use crate::scene::{Letters, Scene};

/// Device pixels of the PNG for one CSS pixel.
const SCALE: f64 = 2.0;

/// The most pixels that a PNG may have: 64 Mi, a drawing surface of 256 MiB.
const MOST_PIXELS: u64 = 1 << 26;

/// A finished drawing, held as SVG.
pub struct Figure {
    width: f64,
    height: f64,
    scene: Scene,
    svg: String,
}

impl std::fmt::Debug for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Figure")
            .field("width", &self.width)
            .field("height", &self.height)
            .finish_non_exhaustive()
    }
}

impl Figure {
    pub(crate) fn new(width: f64, height: f64, scene: Scene) -> Self {
        let (width, height) = (width.ceil(), height.ceil());
        let svg = scene.svg(width, height, Letters::Text);
        Self { width, height, scene, svg }
    }

    /// The figure as an SVG 1.1 document, in CSS pixels. It refers to nothing outside itself; its letters are text, in
    /// Inter where the viewer has it and in a similar font elsewhere. It can be placed into an HTML page as it is.
    #[must_use]
    pub fn svg(&self) -> &str {
        &self.svg
    }

    /// The figure as a PNG of twice the SVG's size in each direction.
    ///
    /// # Errors
    /// [`Error::TooLarge`] beyond 64 Mi pixels.
    pub fn png(&self) -> Result<Vec<u8>, Error> {
        let (width, height) = ((self.width * SCALE) as u32, (self.height * SCALE) as u32);
        let too_large = Error::TooLarge { width, height };
        if u64::from(width) * u64::from(height) > MOST_PIXELS {
            return Err(too_large);
        }
        let svg = self.scene.svg(self.width, self.height, Letters::Outlines);
        let tree = usvg::Tree::from_str(&svg, &usvg::Options::default())
            .map_err(|e| Error::Render(e.to_string()))?;
        let mut pixmap = tiny_skia::Pixmap::new(width, height).ok_or(too_large)?;
        let scale = tiny_skia::Transform::from_scale(SCALE as f32, SCALE as f32);
        resvg::render(&tree, scale, &mut pixmap.as_mut());
        pixmap.encode_png().map_err(|e| Error::Render(e.to_string()))
    }

    /// Writes `<stem>.svg` and `<stem>.png` into `dir`, which is made where it is missing. Each file appears whole or
    /// not at all.
    ///
    /// # Errors
    /// [`Error::Stem`] where `stem` is not a plain file name, [`Error::File`] where the system refuses, and those of
    /// [`Figure::png`].
    pub fn save(&self, dir: &Path, stem: &str) -> Result<(), Error> {
        let plain = Path::new(stem).file_name().is_some_and(|name| name == stem);
        if !plain || stem.contains(['/', '\\', '\0']) {
            return Err(Error::Stem { stem: stem.to_owned() });
        }
        let png = self.png()?;
        latents_files::write(&dir.join(format!("{stem}.svg")), self.svg.as_bytes())?;
        latents_files::write(&dir.join(format!("{stem}.png")), &png)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
