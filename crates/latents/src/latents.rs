//! Latent vectors with what is known of the images that they come from, and images that come out of a decoder; both as NumPy's files.

use std::path::{Path, PathBuf};

use latents_data::Part;
use latents_data::npz::{self, Array, Numbers};
use latents_engine::Shape;
use latents_explore::Rows;
use latents_report::{Figure, gallery};

use crate::error::{Error, Result};

/// Latent vectors `[n, d]`, with the labels and names of their images if those are known.
///
/// ```no_run
/// use latents::Latents;
///
/// let z = Latents::load("z.npz")?;
/// println!("{} latents of {} dimensions", z.len(), z.dim);
/// # Ok::<(), latents::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Latents {
    /// The vectors `[n, d]`; of a variational model their means.
    pub z: Vec<f32>,
    /// Number of dimensions, `d`.
    pub dim: usize,
    /// Logarithms of the variances `[n, d]`, of a variational model.
    pub log_variances: Option<Vec<f32>>,
    /// The class of each image `[n]`, from 0, or `None` for an image without one.
    pub labels: Option<Vec<Option<u16>>>,
    /// The name of each image `[n]`.
    pub names: Option<Vec<String>>,
    /// The part of its data set that each image is in `[n]`.
    pub parts: Option<Vec<Part>>,
    /// The name of each class.
    pub classes: Vec<String>,
}

impl Latents {
    /// Vectors `[n, d]` of which nothing else is known.
    ///
    /// # Errors
    /// If the numbers are not a whole number of vectors.
    pub fn new(z: Vec<f32>, dim: usize) -> Result<Self> {
        Rows::new(&z, dim)?;
        Ok(Latents { z, dim, ..Latents::default() })
    }

    /// The number of vectors, `n`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.z.len().checked_div(self.dim).unwrap_or_default()
    }

    /// Whether there is no vector.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The vectors as explorations take them.
    ///
    /// # Errors
    /// If a number is not finite.
    pub fn rows(&self) -> Result<Rows<'_>> {
        Ok(Rows::new(&self.z, self.dim)?)
    }

    /// One vector `[d]`.
    ///
    /// # Errors
    /// If there is no such vector.
    pub fn vector(&self, index: usize) -> Result<&[f32]> {
        let last = self.len().max(1) - 1;
        if index >= self.len() {
            return Err(Error::NoImage { index, last });
        }
        Ok(&self.z[index * self.dim..(index + 1) * self.dim])
    }

    /// Writes an `.npz` file: `z` `[n, d]` (float32) and, if known, `logvar` `[n, d]` (float32), `label` `[n]` (int64), `name` `[n]`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let (n, d) = (self.len(), self.dim);
        let floats = |name: &str, numbers: &[f32]| Array {
            name: name.into(),
            shape: vec![n, d],
            numbers: Numbers::F32(numbers.to_vec()),
        };
        let mut arrays = vec![floats("z", &self.z)];
        arrays.extend(self.log_variances.as_deref().map(|logvar| floats("logvar", logvar)));
        arrays.extend(self.labels.as_deref().map(label_array));
        if let Some(names) = &self.names {
            let numbers = Numbers::Text(names.clone());
            arrays.push(Array { name: "name".into(), shape: vec![n], numbers });
        }
        Ok(npz::write(path.as_ref(), &arrays)?)
    }

    /// Reads an `.npz` file with `z` `[n, d]` and, if it is there, `label` `[n]`; classes are named by their numbers.
    ///
    /// # Errors
    /// If the file cannot be read, has no such array, or the arrays do not fit each other.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let (shape, z) = npz::read_f32(path, "z")?;
        let wrong = |array, found, expected: String| Error::ArrayShape {
            file: path.to_owned(),
            array,
            found,
            expected,
        };
        let [n, dim] = shape[..] else {
            return Err(wrong("z", shape, "latents are [n, d]".into()));
        };
        if dim == 0 {
            return Err(wrong("z", shape, "latents are [n, d]".into()));
        }
        let labels = labels_of(path)?;
        if let Some(labels) = labels.as_ref().filter(|labels| labels.len() != n) {
            return Err(wrong("label", vec![labels.len()], format!("there are {n} latents")));
        }
        let last = labels.iter().flatten().flatten().max();
        let classes = last.map_or(0, |&l: &u16| usize::from(l) + 1);
        let classes = (0..classes).map(|c| c.to_string()).collect();
        Ok(Latents { z, dim, labels, classes, ..Latents::default() })
    }
}

/// The labels of a file's array `label` `[n]` of whole numbers; -1 for none.
fn labels_of(path: &Path) -> Result<Option<Vec<Option<u16>>>> {
    let mut archive = npz::open(path)?;
    if !archive.arrays().iter().any(|array| array.name == "label") {
        return Ok(None);
    }
    let values = archive.read("label")?;
    let label = |label: i64| match label {
        -1 => Some(None),
        label => u16::try_from(label).ok().map(Some),
    };
    let labels = values.i64s().and_then(|labels| labels.into_iter().map(label).collect());
    labels.map(Some).ok_or_else(|| Error::ArrayShape {
        file: path.to_owned(),
        array: "label",
        found: values.shape().to_vec(),
        expected: "labels are whole numbers from -1 (none) to 65535".into(),
    })
}

/// Labels as an array `label` `[n]` (int64); -1 for none.
pub(crate) fn label_array(labels: &[Option<u16>]) -> Array {
    Array {
        name: "label".into(),
        shape: vec![labels.len()],
        numbers: Numbers::I64(labels.iter().map(|l| l.map_or(-1, i64::from)).collect()),
    }
}

/// Images `[n, c, h, w]` of numbers from 0 to 1, as a decoder makes them.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageArray {
    /// Shape of an image, `[c, h, w]`.
    pub shape: Shape,
    /// The numbers `[n, c, h, w]`.
    pub values: Vec<f32>,
}

impl ImageArray {
    /// The number of images, `n`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len() / self.shape.iter().product::<usize>().max(1)
    }

    /// Whether there is no image.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes an `.npz` file with `image` `[n, c, h, w]` (float32).
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let [c, h, w] = self.shape;
        let shape = vec![self.len(), c, h, w];
        let numbers = Numbers::F32(self.values.clone());
        Ok(npz::write(path.as_ref(), &[Array { name: "image".into(), shape, numbers }])?)
    }

    /// The first 80 images in rows of ten.
    #[must_use]
    pub fn gallery(&self, title: &str) -> Figure {
        gallery(title, &self.values, self.shape)
    }
}

/// Refuses a file for numbers whose ending is that of their figure.
///
/// # Errors
/// [`Error::OutputIsFigure`].
pub fn check_numbers_file(out: &Path) -> Result<()> {
    let ending = out.extension().map(std::ffi::OsStr::to_ascii_lowercase);
    if ending.is_some_and(|ending| ending == "svg" || ending == "png") {
        return Err(Error::OutputIsFigure { out: out.to_owned() });
    }
    Ok(())
}

/// Writes a figure as SVG and PNG next to `out`, under its name and a suffix; returns both files.
///
/// # Errors
/// If `out` names no file, or a file cannot be written.
pub fn save_beside(figure: &Figure, out: &Path, suffix: &str) -> Result<Vec<PathBuf>> {
    let Some(stem) = out.file_stem() else {
        return Err(Error::Invalid(format!("{} names no file", out.display())));
    };
    let stem = format!("{}{suffix}", stem.to_string_lossy());
    Ok(figure.save_both(out.parent().unwrap_or(Path::new("")), &stem)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latents_come_back_from_their_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("z.npz");
        let mut z = Latents::new(vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0], 2).unwrap();
        z.labels = Some([0, 2, 1].map(Some).to_vec());
        z.save(&path).unwrap();
        let again = Latents::load(&path).unwrap();
        assert_eq!((again.len(), again.vector(1).unwrap()), (3, &[2.0, 3.0][..]));
        assert_eq!((again.labels, again.classes.len()), (Some([0, 2, 1].map(Some).to_vec()), 3));
        let said = z.vector(3).unwrap_err().to_string();
        assert_eq!(said, "there is no image 3: images are numbered from 0 to 2");
    }
}
