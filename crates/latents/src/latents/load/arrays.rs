//! Vectors in NumPy's `.npz` and `.npy` files.

use std::path::Path;

use latents_data::npz::{self, Archive, ArrayInfo, Values};

use super::{CLASSES, Found, LABELS, NAMES, PARTS, VECTORS, class_text, wrong};
use crate::error::{Error, Result};

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<Found> {
    let mut archive = npz::open(path)?;
    let arrays = archive.arrays().to_vec();
    let mut found = Found::default();
    let place = vectors(path, &archive)?;
    let info = &arrays[place];
    let values = archive.read(&info.name)?;
    let z =
        values.f32s().ok_or_else(|| wrong(path, &info.name, &info.shape, "latents are numbers"))?;
    let (n, dim) = match info.shape[..] {
        [n, dim, ref rest @ ..] if dim > 0 && rest.iter().all(|&size| size == 1) => (n, dim),
        _ => return Err(wrong(path, &info.name, &info.shape, "latents are [n, d]")),
    };
    if !matches!(info.name.as_str(), "z" | "") {
        found.notes.push(format!("the vectors are array {info}"));
    }
    (found.z, found.dim) = (z, dim);

    let others: Vec<&ArrayInfo> =
        arrays.iter().enumerate().filter(|(i, _)| *i != place).map(|(_, array)| array).collect();
    let named =
        |words: &[&str]| words.iter().find_map(|word| others.iter().find(|a| is(a, word)).copied());
    if let Some(array) = named(&["logvar"]) {
        let values = archive.read(&array.name)?;
        if values.shape() != info.shape {
            return Err(wrong(
                path,
                &array.name,
                values.shape(),
                format!("there are {n} latents [n, {dim}]"),
            ));
        }
        found.log_variances = values.f32s();
    }
    if let Some(array) = named(&LABELS) {
        labels(path, &archive.read(&array.name)?, array, n, &mut found)?;
    } else if let Some((name, why)) = unreadable(&archive, &LABELS) {
        found.notes.push(format!("array `{name}` is left out: {why}"));
    }
    if let Some(array) = named(&NAMES) {
        found.names = one_each(path, &archive.read(&array.name)?, array, n)?
            .map(latents_data::npz::Values::texts);
    }
    if let Some(array) = named(&PARTS) {
        let values = archive.read(&array.name)?;
        let texts = one_each(path, &values, array, n)?.filter(|values| values.is_text());
        found.parts = texts.map(|values| values.texts().into_iter().map(Some).collect());
    }
    if let Some(array) = named(&CLASSES).filter(|array| array.shape.len() == 1) {
        found.classes = Some(archive.read(&array.name)?.texts());
    }
    Ok(found)
}

/// Whether an array has a name, in any case.
fn is(array: &ArrayInfo, word: &str) -> bool {
    array.name.to_lowercase() == word
}

fn unreadable<'a>(archive: &'a Archive, words: &[&str]) -> Option<&'a (String, String)> {
    archive.unreadable().iter().find(|(name, _)| words.contains(&name.to_lowercase().as_str()))
}

/// The place of the array of vectors.
fn vectors(path: &Path, archive: &Archive) -> Result<usize> {
    let arrays = archive.arrays();
    // An array of the name itself, and the array of a `.npy` file, are meant to be the vectors, whatever their shapes.
    if let Some(place) = arrays.iter().position(|array| array.name == "z" || array.name.is_empty())
    {
        return Ok(place);
    }
    let is_matrix = |array: &ArrayInfo| {
        let number = matches!(array.dtype.get(1..2), Some("b" | "u" | "i" | "f"));
        number && array.shape.len() >= 2 && array.shape[2..].iter().all(|&size| size == 1)
    };
    let named = |word: &&str| arrays.iter().position(|array| is(array, word) && is_matrix(array));
    if let Some(place) = VECTORS.iter().find_map(named) {
        return Ok(place);
    }
    let others = [&LABELS[..], &NAMES, &PARTS, &CLASSES, &["logvar"]].concat();
    let is_other = |array: &ArrayInfo| others.iter().any(|word| is(array, word));
    let mut matrices =
        (0..arrays.len()).filter(|&i| is_matrix(&arrays[i]) && !is_other(&arrays[i]));
    if let (Some(only), None) = (matrices.next(), matrices.next()) {
        return Ok(only);
    }
    let broken =
        archive.unreadable().iter().map(|(name, why)| format!("`{name}` (unreadable: {why})"));
    let all: Vec<String> = arrays.iter().map(ArrayInfo::to_string).chain(broken).collect();
    let found = if all.is_empty() { "nothing".to_owned() } else { all.join(", ") };
    Err(Error::NoVectors { file: path.to_owned(), found })
}

/// An array with one value for each vector, `[n]` or `[n, 1]`; `None` if it has several.
fn one_each<'a>(
    path: &Path,
    values: &'a Values,
    array: &ArrayInfo,
    n: usize,
) -> Result<Option<&'a Values>> {
    if values.len() == n {
        return Ok(Some(values));
    }
    if array.shape.first() == Some(&n) && array.shape.len() > 1 {
        return Ok(None);
    }
    Err(wrong(path, &array.name, &array.shape, format!("there are {n} latents")))
}

/// Understands the labels: numbers, words, or rows with one 1.
fn labels(
    path: &Path,
    values: &Values,
    array: &ArrayInfo,
    n: usize,
    found: &mut Found,
) -> Result<()> {
    let texts = match one_each(path, values, array, n)? {
        Some(values) if values.is_float() => {
            values.f64s().unwrap_or_default().into_iter().map(class_text).collect()
        }
        Some(values) => Some(values.texts().into_iter().map(Some).collect()),
        None => one_hot(values, n),
    };
    if texts.is_none() {
        found
            .notes
            .push(format!("array {array} is left out: it has not one class for each vector"));
    }
    if array.name != "label" && texts.is_some() {
        found.notes.push(format!("the labels are array {array}"));
    }
    found.labels = texts;
    Ok(())
}

/// The place of the 1 in each row, if all else is 0.
fn one_hot(values: &Values, n: usize) -> Option<Vec<Option<String>>> {
    let numbers = values.i64s()?;
    let place = |row: &[i64]| {
        let ones = row.iter().filter(|&&x| x == 1).count();
        let zeros = row.iter().filter(|&&x| x == 0).count();
        let place = row.iter().position(|&x| x == 1)?;
        (ones == 1 && zeros + 1 == row.len()).then(|| Some(place.to_string()))
    };
    numbers.chunks_exact((numbers.len() / n.max(1)).max(1)).map(place).collect()
}
