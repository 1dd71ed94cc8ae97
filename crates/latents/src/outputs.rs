//! The files of vectors and tables that are written: their endings, and what is known of the images that the rows come from.

use std::path::Path;

use latents_data::Part;
use latents_data::npz::{self, Array, Numbers};
use latents_tables::{Column, ColumnTable, Values};

use crate::error::{Error, Result};

/// The endings of files of vectors and maps.
pub const VECTOR_ENDINGS: [&str; 4] = ["npz", "csv", "tsv", "parquet"];
/// The endings of files of search results.
pub const SEARCH_ENDINGS: [&str; 4] = ["json", "npz", "csv", "md"];
/// The endings of files of copies.
pub const DUPLICATE_ENDINGS: [&str; 4] = ["csv", "tsv", "parquet", "json"];
/// The endings of files of outliers.
pub const OUTLIER_ENDINGS: [&str; 4] = ["json", "csv", "tsv", "parquet"];
/// The endings of files of shards.
pub const SHARD_ENDINGS: [&str; 1] = ["parquet"];
/// The endings of files of predictions.
pub const PREDICTION_ENDINGS: [&str; 5] = ["csv", "tsv", "parquet", "json", "md"];

/// Checks the ending of a file before there is anything to write, and returns it in lower case.
///
/// # Errors
/// [`Error::OutputIsFigure`] if it is that of the figure next to the file, [`Error::OutputEnding`] if it is not one of `known`, or
/// [`Error::Table`] if it needs the feature `parquet` and this build lacks it.
pub fn check_output(out: &Path, known: &'static [&'static str]) -> Result<String> {
    let ending = out.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    if ending == "svg" || ending == "png" {
        return Err(Error::OutputIsFigure { out: out.to_owned() });
    }
    if !known.contains(&ending.as_str()) {
        return Err(Error::OutputEnding { out: out.to_owned(), known });
    }
    if ending == "parquet" && !cfg!(feature = "parquet") {
        return Err(latents_tables::Error::NoParquet { path: out.to_owned() }.into());
    }
    Ok(ending)
}

/// What is known of the images that rows come from.
pub(crate) struct Origin<'a> {
    pub(crate) names: Option<&'a [String]>,
    pub(crate) parts: Option<&'a [Part]>,
    pub(crate) labels: Option<&'a [Option<u16>]>,
    pub(crate) classes: &'a [String],
}

impl Origin<'_> {
    /// `label` `[n]` (int64, -1 for none), `classes` `[k]`, `part` `[n]` and `name` `[n]`.
    pub(crate) fn arrays(&self) -> Vec<Array> {
        let texts = |name: &str, texts: Vec<String>| Array {
            name: name.into(),
            shape: vec![texts.len()],
            numbers: Numbers::Text(texts),
        };
        let mut arrays = vec![];
        if let Some(labels) = self.labels {
            let numbers = labels.iter().map(|label| label.map_or(-1, i64::from)).collect();
            let numbers = Numbers::I64(numbers);
            arrays.push(Array { name: "label".into(), shape: vec![labels.len()], numbers });
            if !self.classes.is_empty() {
                arrays.push(texts("classes", self.classes.to_vec()));
            }
        }
        let parts = self.parts.map(|parts| parts.iter().map(Part::to_string).collect());
        arrays.extend(parts.map(|parts| texts("part", parts)));
        arrays.extend(self.names.map(|names| texts("name", names.to_vec())));
        arrays
    }

    /// The columns `name`, `part` and `label`, which has the names of classes.
    fn columns(&self) -> Vec<Column> {
        let mut columns = vec![];
        let mut add = |name: &str, texts: Vec<Option<String>>| {
            columns.push(Column::new(name, Values::Text(texts)));
        };
        if let Some(names) = self.names {
            add("name", names.iter().cloned().map(Some).collect());
        }
        if let Some(parts) = self.parts {
            add("part", parts.iter().map(|part| Some(part.to_string())).collect());
        }
        if let Some(labels) = self.labels {
            let name = |label: u16| {
                let known = self.classes.get(usize::from(label)).cloned();
                known.unwrap_or_else(|| label.to_string())
            };
            add("label", labels.iter().map(|label| label.map(name)).collect());
        }
        columns
    }
}

/// Writes arrays, or the same numbers as columns, and what is known of the images.
pub(crate) fn save_vectors(
    path: &Path,
    mut arrays: Vec<Array>,
    columns: &mut dyn Iterator<Item = (String, Vec<f32>)>,
    origin: &Origin<'_>,
) -> Result<()> {
    if check_output(path, &VECTOR_ENDINGS)? == "npz" {
        arrays.extend(origin.arrays());
        return Ok(npz::write(path, &arrays)?);
    }
    Ok(latents_tables::write(path, &vector_table(columns, origin)?)?)
}

/// Columns of numbers, after what is known of the images.
pub(crate) fn vector_table(
    columns: &mut dyn Iterator<Item = (String, Vec<f32>)>,
    origin: &Origin<'_>,
) -> Result<ColumnTable> {
    let mut all = origin.columns();
    all.extend(columns.map(|(name, numbers)| {
        Column::new(name, Values::F32(numbers.into_iter().map(Some).collect()))
    }));
    Ok(ColumnTable::new(all)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_checked_before_the_work() {
        let check = |out: &str| check_output(Path::new(out), &VECTOR_ENDINGS);
        assert_eq!(check("a/b.NPZ").unwrap(), "npz");
        let said = check("z.h5").unwrap_err().to_string();
        assert_eq!(said, "z.h5: unknown ending; known are .npz, .csv, .tsv, .parquet");
        assert!(matches!(check("z").unwrap_err(), Error::OutputEnding { .. }));
        assert!(matches!(check("z.png").unwrap_err(), Error::OutputIsFigure { .. }));
        assert_eq!(check("z.parquet").is_ok(), cfg!(feature = "parquet"));
    }
}
