//! Writes vectors with what is known of their images.

use std::path::Path;

use latents_data::npz::{Array, Numbers};
use latents_tables::ColumnTable;

use super::Latents;
use crate::error::Result;
use crate::outputs::{Origin, save_vectors, vector_table};

impl Latents {
    /// Writes a file in the format of its ending, one of [`VECTOR_ENDINGS`](crate::VECTOR_ENDINGS).
    ///
    /// An `.npz` file has `z` `[n, d]` (float32) and, if known, `logvar` `[n, d]` (float32), `label` `[n]` (int64, -1 for none),
    /// `classes` `[k]`, `part` `[n]` and `name` `[n]` (text). A table has the columns `name`, `part` and `label` (the names of classes)
    /// if known, `z0`, `z1`, ... and `logvar0`, `logvar1`, ... [`Latents::load`] reads them all.
    ///
    /// # Errors
    /// If the ending is unknown or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let shape = vec![self.len(), self.dim];
        let floats = |name: &str, numbers: &[f32]| Array {
            name: name.into(),
            shape: shape.clone(),
            numbers: Numbers::F32(numbers.to_vec()),
        };
        let mut arrays = vec![floats("z", &self.z)];
        arrays.extend(self.log_variances.as_deref().map(|logvar| floats("logvar", logvar)));
        save_vectors(path.as_ref(), arrays, &mut self.columns(), &self.origin())
    }

    /// The columns that a table of them has.
    pub(crate) fn table(&self) -> Result<ColumnTable> {
        vector_table(&mut self.columns(), &self.origin())
    }

    fn columns(&self) -> impl Iterator<Item = (String, Vec<f32>)> {
        let all = [("z", Some(&self.z)), ("logvar", self.log_variances.as_ref())];
        all.into_iter().filter_map(|(name, numbers)| Some((name, numbers?))).flat_map(
            move |(name, numbers)| {
                (0..self.dim).map(move |i| {
                    let column = numbers.iter().skip(i).step_by(self.dim).copied().collect();
                    (format!("{name}{i}"), column)
                })
            },
        )
    }

    fn origin(&self) -> Origin<'_> {
        Origin {
            names: self.names.as_deref(),
            parts: self.parts.as_deref(),
            labels: self.labels.as_deref(),
            classes: &self.classes,
        }
    }
}
