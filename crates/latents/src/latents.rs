//! Latent vectors with what is known of the images that they come from, and images that come out of a decoder. Vectors are read in
//! `latents/load`, from any file that has some, and written in `latents/save`.

mod load;
mod save;

use std::path::{Path, PathBuf};

use latents_data::Part;
use latents_data::npz::{self, Array, Numbers};
use latents_engine::Shape;
use latents_explore::{Rows, samplers};
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

    /// The vectors of these numbers, with what is known of them.
    ///
    /// # Panics
    /// If there is no vector of a number.
    #[must_use]
    pub fn at(&self, indices: &[usize]) -> Self {
        let rows = |values: &Vec<f32>| {
            indices
                .iter()
                .flat_map(|&i| &values[i * self.dim..(i + 1) * self.dim])
                .copied()
                .collect()
        };
        Latents {
            z: rows(&self.z),
            dim: self.dim,
            log_variances: self.log_variances.as_ref().map(rows),
            labels: self.labels.as_ref().map(|all| indices.iter().map(|&i| all[i]).collect()),
            names: self.names.as_ref().map(|all| indices.iter().map(|&i| all[i].clone()).collect()),
            parts: self.parts.as_ref().map(|all| indices.iter().map(|&i| all[i]).collect()),
            classes: self.classes.clone(),
        }
    }

    /// A draw `[n, d]` of each posterior of a variational model; of another model, the latents themselves. Each draw depends only on its posterior,
    /// the seed and its index.
    ///
    /// # Errors
    /// If a number is not finite.
    pub fn draw(&self, seed: u64) -> Result<Vec<f32>> {
        let Some(logs) = &self.log_variances else { return Ok(self.z.clone()) };
        Ok(samplers::posterior(self.rows()?, Rows::new(logs, self.dim)?, seed)?)
    }

    /// The vectors as explorations take them.
    ///
    /// # Errors
    /// If a number is not finite.
    pub fn rows(&self) -> Result<Rows<'_>> {
        Ok(Rows::new(&self.z, self.dim)?)
    }

    /// The name of the class of a vector, if it has one.
    #[must_use]
    pub fn class_of(&self, i: usize) -> Option<&str> {
        let label = self.labels.as_ref()?.get(i).copied()??;
        self.classes.get(usize::from(label)).map(String::as_str)
    }

    /// The same vectors, all of one of these classes.
    #[must_use]
    pub fn in_class(self, class: u16, classes: &[String]) -> Self {
        let labels = Some(vec![Some(class); self.len()]);
        Latents { labels, classes: classes.to_vec(), ..self }
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
        self.save_with(path.as_ref(), None)
    }

    /// Writes the images and other arrays.
    pub(crate) fn save_with(&self, path: &Path, others: Option<Vec<Array>>) -> Result<()> {
        let [c, h, w] = self.shape;
        let shape = vec![self.len(), c, h, w];
        let numbers = Numbers::F32(self.values.clone());
        let mut arrays = vec![Array { name: "image".into(), shape, numbers }];
        arrays.extend(others.into_iter().flatten());
        Ok(npz::write(path, &arrays)?)
    }

    /// The first 80 images in rows of ten.
    #[must_use]
    pub fn gallery(&self, title: &str) -> Figure {
        gallery(title, &self.values, self.shape)
    }
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
