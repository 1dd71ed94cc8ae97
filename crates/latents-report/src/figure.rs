//! A finished drawing and its files. The PNG is rendered from the elements of the SVG, so both show the same.

use std::path::{Path, PathBuf};

use resvg::{tiny_skia, usvg};

use crate::error::Error;
use crate::scene::{Letters, Scene};

/// PNG pixels per CSS pixel.
const SCALE: f64 = 2.0;

/// Largest PNG in pixels: 64 Mi, a drawing surface of 256 MiB.
const MAX_PIXELS: u64 = 1 << 26;

/// A finished drawing.
///
/// ```
/// use latents_report::curves;
///
/// let folder = tempfile::tempdir()?;
/// let figure = curves("Loss", "epoch", "loss", &[]);
/// let paths = figure.save(&folder.path().join("loss.svg"))?;
/// assert_eq!(paths, [folder.path().join("loss.svg")]);
/// let paths = figure.save_both(folder.path(), "loss")?;
/// assert_eq!(paths, ["loss.svg", "loss.png"].map(|name| folder.path().join(name)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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

    /// The figure as an SVG 1.1 document, in CSS pixels. It refers to nothing outside itself and can be placed into an HTML page
    /// as it is. Its letters are text: in Inter if the viewer has that font, else in a similar one.
    #[must_use]
    pub fn svg(&self) -> &str {
        &self.svg
    }

    /// The figure as a PNG, two pixels for each CSS pixel in both directions.
    ///
    /// # Errors
    /// [`Error::TooLarge`] beyond 64 Mi pixels.
    pub fn png(&self) -> Result<Vec<u8>, Error> {
        let (width, height) = ((self.width * SCALE) as u32, (self.height * SCALE) as u32);
        let too_large = Error::TooLarge { width, height };
        if u64::from(width) * u64::from(height) > MAX_PIXELS {
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

    /// Writes `<stem>.svg` and `<stem>.png` into `folder` and returns their paths. The folder is created if it does not exist.
    /// Each file is written whole or not at all.
    ///
    /// # Errors
    /// [`Error::Stem`] if `stem` is not a plain file name, [`Error::File`] if a file cannot be written, and the errors of
    /// [`Figure::png`].
    pub fn save_both(&self, folder: &Path, stem: &str) -> Result<Vec<PathBuf>, Error> {
        let is_plain = Path::new(stem).file_name().is_some_and(|name| name == stem);
        if !is_plain || stem.contains(['/', '\\', '\0']) {
            return Err(Error::Stem { stem: stem.to_owned() });
        }
        self.write(["svg", "png"].map(|kind| folder.join(format!("{stem}.{kind}"))).to_vec())
    }

    /// Writes the figure to `path`: as SVG if the extension is `.svg`, as PNG if it is `.png`, and as both, under the path with
    /// each extension added, if it has none. Returns the paths of the written files. The folder is created if it does not exist.
    /// Each file is written whole or not at all.
    ///
    /// # Errors
    /// [`Error::Extension`] for any other extension, [`Error::Stem`] if the path does not end in a file name, [`Error::File`]
    /// if a file cannot be written, and the errors of [`Figure::png`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<Vec<PathBuf>, Error> {
        let path = path.as_ref();
        let text = path.to_string_lossy();
        if path.file_name().is_none() || text.ends_with(std::path::is_separator) {
            return Err(Error::Stem { stem: text.into_owned() });
        }
        let Some(extension) = path.extension() else {
            let with = |extension: &str| {
                let mut path = path.as_os_str().to_owned();
                path.push(extension);
                PathBuf::from(path)
            };
            return self.write(vec![with(".svg"), with(".png")]);
        };
        if !is_svg(path) && !extension.eq_ignore_ascii_case("png") {
            return Err(Error::Extension { path: path.to_owned() });
        }
        self.write(vec![path.to_owned()])
    }

    /// Writes a file to each path, as SVG or PNG by its extension. Nothing is written if rendering fails.
    fn write(&self, paths: Vec<PathBuf>) -> Result<Vec<PathBuf>, Error> {
        let png = if paths.iter().all(|path| is_svg(path)) { vec![] } else { self.png()? };
        for path in &paths {
            let bytes = if is_svg(path) { self.svg.as_bytes() } else { &png };
            latents_files::write(path, bytes)?;
        }
        Ok(paths)
    }
}

fn is_svg(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("svg"))
}

#[cfg(test)]
mod tests;
