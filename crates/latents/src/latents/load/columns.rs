//! Vectors in tables: CSV, JSON lines, Parquet.

use std::path::Path;

use latents_tables::{Field, Kind, TableFile, Values};

use super::{CLASSES, Found, LABELS, NAMES, PARTS, VECTORS, class_text};
use crate::error::{Error, Result};

/// Rows that are read at a time.
const BATCH: usize = 1 << 12;
/// Names of columns that number the rows.
const INDICES: [&str; 3] = ["index", "unnamed: 0", "__index_level_0__"];

/// The place of the vectors among the columns.
enum Vectors {
    /// A column for each dimension.
    Columns(Vec<String>),
    /// A column of lists.
    Lists(String),
}

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<Found> {
    let table = TableFile::open(path)?;
    let mut found = Found::default();
    let fields = table.fields();
    let named = |words: &[&str], fits: &dyn Fn(Kind) -> bool| {
        let is =
            |word: &&str| fields.iter().find(|f| f.name.to_lowercase() == **word && fits(f.kind));
        words.iter().find_map(is).map(|field| field.name.clone())
    };
    let single = |kind: Kind| kind.is_number() || kind == Kind::Text;
    let label = named(&LABELS, &single).filter(|name| !is_coordinate(name, fields));
    let name = named(&NAMES, &|kind| kind == Kind::Text || kind == Kind::I64);
    let part = named(&PARTS, &|kind| kind == Kind::Text);
    let taken: Vec<&String> = [&label, &name, &part].into_iter().flatten().collect();
    let vectors = vectors(path, &table, &taken, &mut found)?;
    let logvar = family(path, fields, "logvar")?;

    found.z = match &vectors {
        Vectors::Columns(columns) => {
            found.dim = columns.len();
            numbers(&table, columns)?
        }
        Vectors::Lists(column) => {
            let (z, dim) = lists(&table, column)?;
            found.dim = dim;
            z
        }
    };
    if let Some(columns) = logvar.filter(|columns| columns.len() == found.dim) {
        found.log_variances = Some(numbers(&table, &columns)?);
    }
    if let Some(name) = label {
        found.labels = labels(&table, &name)?;
        found.classes = table.class_names(&name);
        match &found.labels {
            None => {
                found
                    .notes
                    .push(format!("column `{name}` is left out: its numbers are no classes"));
            }
            Some(_) if name != "label" => {
                found.notes.push(format!("the labels are column `{name}`"));
            }
            Some(_) => {}
        }
    }
    if let Some(name) = name {
        let texts = texts(&table, &name)?;
        found.names = Some(texts.into_iter().map(Option::unwrap_or_default).collect());
    }
    if let Some(name) = part {
        found.parts = Some(texts(&table, &name)?);
    }
    Ok(found)
}

/// Whether a column is one of the two coordinates `x` and `y`.
fn is_coordinate(name: &str, fields: &[Field]) -> bool {
    let has = |wanted: &str| fields.iter().any(|f| f.name == wanted && f.kind.is_number());
    name == "y" && has("x") && has("y")
}

/// The columns `PREFIX0`, `PREFIX1`, ... in the order of their numbers, which begin with 0 or 1 and lack none.
fn family(path: &Path, fields: &[Field], prefix: &str) -> Result<Option<Vec<String>>> {
    let number = |field: &Field| {
        let rest = field.name.strip_prefix(prefix)?.trim_start_matches(['_', '.', '-']);
        let number: usize = rest.parse().ok()?;
        field.kind.is_number().then(|| (number, field.name.clone()))
    };
    let mut members: Vec<(usize, String)> = fields.iter().filter_map(number).collect();
    members.sort();
    let Some(&(first, _)) = members.first() else { return Ok(None) };
    let gap = members.iter().enumerate().find(|(i, (number, _))| *number != first + i || first > 1);
    if let Some((i, (_, name))) = gap {
        let expected = if first > 1 { 0 } else { first + i };
        return Err(Error::Invalid(format!(
            "{}: there is a column `{name}`, but no or no single column `{prefix}{expected}`",
            path.display()
        )));
    }
    Ok(Some(members.into_iter().map(|(_, name)| name).collect()))
}

/// Finds the vectors.
fn vectors(
    path: &Path,
    table: &TableFile,
    taken: &[&String],
    found: &mut Found,
) -> Result<Vectors> {
    let fields = table.fields();
    if let Some(columns) = family(path, fields, "z")? {
        return Ok(Vectors::Columns(columns));
    }
    let list_of =
        |word: &&str| fields.iter().find(|f| f.kind.is_list() && f.name.to_lowercase() == **word);
    let mut lists = fields.iter().filter(|f| f.kind.is_list());
    let only = match (lists.next(), lists.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    };
    if let Some(list) = VECTORS.iter().find_map(list_of).or(only) {
        if list.name != "z" {
            found.notes.push(format!("the vectors are the lists in column `{}`", list.name));
        }
        return Ok(Vectors::Lists(list.name.clone()));
    }
    let is_index = |(i, field): (usize, &Field)| {
        // A column without a name, before others that have some, numbers the rows.
        let unnamed =
            table.is_named() && i == 0 && field.name == "column 1" && field.kind == Kind::I64;
        unnamed || INDICES.contains(&field.name.to_lowercase().as_str())
    };
    let is_known = |name: &String| {
        let word = name.to_lowercase();
        let known = [&LABELS[..], &NAMES, &PARTS, &CLASSES].concat();
        taken.contains(&name) || known.contains(&word.as_str()) && !is_coordinate(name, fields)
    };
    let numbers = fields.iter().enumerate().filter(|&(i, field)| {
        let number = matches!(field.kind, Kind::F32 | Kind::F64 | Kind::I64);
        number && !is_known(&field.name) && !is_index((i, field))
    });
    let columns: Vec<String> = numbers.map(|(_, field)| field.name.clone()).collect();
    let (Some(first), Some(last)) = (columns.first(), columns.last()) else {
        let all: Vec<String> =
            fields.iter().map(|f| format!("`{}` ({})", f.name, f.kind)).collect();
        let found = if all.is_empty() { "nothing".to_owned() } else { all.join(", ") };
        return Err(Error::NoVectors { file: path.to_owned(), found });
    };
    found.notes.push(match columns.len() {
        1 => format!("the vectors are column `{first}`"),
        n => format!("the vectors are {n} columns, `{first}` to `{last}`"),
    });
    Ok(Vectors::Columns(columns))
}

/// Columns of numbers as vectors `[n, d]`.
fn numbers(table: &TableFile, columns: &[String]) -> Result<Vec<f32>> {
    let names: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut all = Vec::new();
    for batch in table.batches(&names, BATCH)? {
        let batch = batch?;
        let columns: Vec<_> =
            batch.columns.iter().map(|c| c.values.f32s().unwrap_or_default()).collect();
        for row in 0..batch.rows() {
            for (column, name) in columns.iter().zip(&names) {
                let number = column[row];
                all.push(number.ok_or_else(|| missing(table, name, all.len() / names.len()))?);
            }
        }
    }
    Ok(all)
}

/// A column of lists as vectors `[n, d]`, and `d`.
fn lists(table: &TableFile, name: &str) -> Result<(Vec<f32>, usize)> {
    let (mut all, mut dim, mut row) = (vec![], 0, 0);
    for batch in table.batches(&[name], BATCH)? {
        for list in batch?.columns.remove(0).values.lists().unwrap_or_default() {
            let list = list.ok_or_else(|| missing(table, name, row))?;
            if row == 0 {
                dim = list.len();
            }
            if list.len() != dim || dim == 0 {
                return Err(Error::Invalid(format!(
                    "{}: column `{name}` has a list of {} numbers in row {row}, but vectors have the same number of them, here {dim}",
                    table.path().display(),
                    list.len()
                )));
            }
            all.extend(list);
            row += 1;
        }
    }
    Ok((all, dim))
}

fn missing(table: &TableFile, column: &str, row: usize) -> Error {
    let file = table.path().display();
    Error::Invalid(format!("{file}: column `{column}` has no value in row {row} (counted from 0)"))
}

/// Labels as text; `None` if they are numbers that are not whole.
fn labels(table: &TableFile, name: &str) -> Result<Option<Vec<Option<String>>>> {
    let values = table.read_columns(&[name])?.columns.remove(0).values;
    let whole = |numbers: Vec<Option<f64>>| {
        numbers.into_iter().map(|x| x.map_or(Some(None), class_text)).collect()
    };
    Ok(match values {
        Values::F32(numbers) => whole(numbers.into_iter().map(|x| x.map(f64::from)).collect()),
        Values::F64(numbers) => whole(numbers),
        other => other.texts(),
    })
}

fn texts(table: &TableFile, name: &str) -> Result<Vec<Option<String>>> {
    Ok(table.read_columns(&[name])?.columns.remove(0).values.texts().unwrap_or_default())
}
