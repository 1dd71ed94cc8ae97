//! Reads vectors from files of any origin: NumPy's arrays (`load/arrays`), and tables in CSV, JSON lines and Parquet (`load/columns`).
//! What a file says beside its vectors is understood here: labels, classes, parts.

mod arrays;
mod columns;
#[cfg(test)]
mod tests;

use std::path::Path;

use latents_data::{Part, classes_of};
use latents_progress::Monitor;

use super::Latents;
use crate::error::{Error, Result};

/// Names of vectors, of labels, of the names of vectors, of parts and of the names of classes, in lower case; earlier ones take
/// precedence.
const VECTORS: [&str; 14] = [
    "z",
    "latents",
    "latent",
    "embeddings",
    "embedding",
    "features",
    "feature",
    "vectors",
    "vector",
    "codes",
    "representations",
    "x",
    "data",
    "arr_0",
];
const LABELS: [&str; 7] = ["label", "labels", "y", "target", "targets", "class", "arr_1"];
const NAMES: [&str; 13] = [
    "name",
    "names",
    "file",
    "files",
    "file_name",
    "file_names",
    "filename",
    "filenames",
    "path",
    "paths",
    "id",
    "ids",
    "image",
];
const PARTS: [&str; 4] = ["part", "parts", "split", "splits"];
const CLASSES: [&str; 4] = ["classes", "class_names", "target_names", "label_names"];

/// What a file says.
#[derive(Default)]
struct Found {
    z: Vec<f32>,
    dim: usize,
    log_variances: Option<Vec<f32>>,
    /// Labels as text; numbers in decimal digits.
    labels: Option<Vec<Option<String>>>,
    names: Option<Vec<String>>,
    parts: Option<Vec<Option<String>>>,
    classes: Option<Vec<String>>,
    /// What was guessed or left out.
    notes: Vec<String>,
}

impl Latents {
    /// Reads vectors and what is known of them from a file.
    ///
    /// - **`.npz` and `.npy`:** the array `z` `[n, d]`, or another name of vectors such as `embeddings`, or the only array `[n, d]`; with
    ///   `label`, `labels`, `y` or `target` (numbers or words, -1 or nothing for no label), `classes`, `part`, `name` and `logvar`.
    /// - **`.csv`, `.tsv`, `.jsonl`, `.parquet`:** the columns `z0`, `z1`, ..., or a column of lists, or else all columns of numbers that
    ///   are not known as something else; with columns named as the arrays.
    ///
    /// Labels become classes in the natural order of their texts, in which 2 comes before 10; whole numbers from 0 to 255 stay as they
    /// are.
    ///
    /// # Errors
    /// If the file cannot be read, has no vectors, or its arrays or columns do not fit each other.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_with(path, &Monitor::default())
    }

    /// Like [`Latents::load`]; what was guessed or left out is reported as notes.
    ///
    /// # Errors
    /// As for [`Latents::load`].
    pub fn load_with(path: impl AsRef<Path>, monitor: &Monitor) -> Result<Self> {
        let path = path.as_ref();
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        let is_table =
            ending.is_some_and(|ending| latents_tables::READ_ENDINGS.contains(&ending.as_str()));
        let found = if is_table { columns::read(path)? } else { arrays::read(path)? };
        let (latents, notes) = found.understood();
        if let Some(at) = latents.z.iter().position(|x| !x.is_finite()) {
            let (row, column) = (at / latents.dim, at % latents.dim);
            let wrong = latents_explore::Error::NotFinite { row, column };
            return Err(Error::from(wrong).context(path.display().to_string()));
        }
        for note in &notes {
            monitor.note(&format!("{}: {note}", path.display()));
        }
        Ok(latents)
    }
}

impl Found {
    /// The vectors with labels as classes, and the notes.
    fn understood(self) -> (Latents, Vec<String>) {
        let mut notes = self.notes;
        let (mut labels, mut classes) = (None, vec![]);
        if let Some(texts) = self.labels {
            match classes_of(&without_none(texts), self.classes) {
                Ok((names, numbers)) => (classes, labels) = (names, Some(numbers)),
                Err(many) => notes.push(format!(
                    "the labels are left out, because {} different ones are more than there can be classes",
                    many.0
                )),
            }
        }
        let parts = self.parts.and_then(|texts| {
            let parts: Option<Vec<Part>> =
                texts.iter().map(|text| part(text.as_deref()?)).collect();
            if parts.is_none() {
                notes.push(
                    "the parts are left out, because not all are train, validation or test".into(),
                );
            }
            parts
        });
        let latents = Latents {
            z: self.z,
            dim: self.dim,
            log_variances: self.log_variances,
            labels,
            names: self.names,
            parts,
            classes,
        };
        (latents, notes)
    }
}

/// Labels, of which no text, and -1 among numbers from 0 on, are none.
fn without_none(mut labels: Vec<Option<String>>) -> Vec<Option<String>> {
    let counts = |label: &String| label == "-1" || label.bytes().all(|b| b.is_ascii_digit());
    let counted = labels.iter().flatten().all(counts);
    for label in &mut labels {
        if label.as_ref().is_some_and(|label| label.is_empty() || counted && label == "-1") {
            *label = None;
        }
    }
    labels
}

/// A number that stands for a class as text; `None` if it is not whole.
#[allow(clippy::option_option)] // No class, and no number of a class, are different.
fn class_text(x: f64) -> Option<Option<String>> {
    if x.is_nan() {
        return Some(None);
    }
    (x.fract() == 0.0 && x.abs() < 1e15).then(|| Some(format!("{}", x as i64)))
}

fn part(text: &str) -> Option<Part> {
    match text.to_lowercase().as_str() {
        "training" => Some(Part::Train),
        "val" | "valid" | "dev" => Some(Part::Validation),
        "testing" => Some(Part::Test),
        known => known.parse().ok(),
    }
}

fn wrong(path: &Path, array: &str, found: &[usize], expected: impl Into<String>) -> Error {
    Error::ArrayShape {
        file: path.to_owned(),
        array: array.into(),
        found: found.to_vec(),
        expected: expected.into(),
    }
}
