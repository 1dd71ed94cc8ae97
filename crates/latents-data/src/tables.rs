//! A table as a data set: pictures in a column of bytes, which `folder` reads, or the pixels of an image in each row.

use std::collections::HashSet;
use std::path::Path;

use latents_progress::Monitor;
use latents_tables::{ColumnTable, Field, Kind, TableFile, Values};

use crate::arrays::Failure;
use crate::arrays::build::{Block, Collected, Numbers};
use crate::arrays::labels::Texts;
use crate::arrays::layout::Layout;
use crate::columns::{ColumnLabels, Columns, LabelColumn};
use crate::dataset::Dataset;
use crate::error::Error;
use crate::folder::{self, files_of, picture_column};
use crate::locations::Locations;
use crate::note::Note;
use crate::npz::ArrayInfo;
use crate::pictures::Pictures;

/// The endings of tables.
pub(crate) const ENDINGS: [&str; 6] = ["csv", "tsv", "jsonl", "ndjson", "parquet", "pq"];
/// The fewest columns of numbers that can be pixels.
const FEWEST: usize = 4;
/// Names of columns of labels, in lower case.
const LABELS: [&str; 8] =
    ["label", "labels", "class", "category", "target", "y", "emotion", "digit"];

/// Opens a table, or the tables of a folder.
fn open(path: &Path) -> Result<Vec<TableFile>, Error> {
    let files = files_of(path, &ENDINGS);
    let files = if files.is_empty() { vec![path.to_owned()] } else { files };
    Ok(files.iter().map(|file| TableFile::open(file)).collect::<Result<_, _>>()?)
}

/// Whether the tables have the bytes of pictures rather than pixels.
fn has_pictures(tables: &[TableFile]) -> bool {
    tables.iter().any(|table| picture_column(table).is_some())
}

/// The pictures of tables that have some.
pub(crate) fn pictures(path: &Path, settings: &Pictures) -> Result<Option<folder::Listing>, Error> {
    let tables = open(path)?;
    has_pictures(&tables).then(|| folder::list_tables(tables, settings)).transpose()
}

/// Reads a table, or the tables of a folder as if they were one.
pub(crate) fn load(
    name: String,
    path: &Path,
    settings: &Pictures,
    locations: &Locations,
    monitor: &Monitor,
) -> Result<Dataset, Error> {
    let tables = open(path)?;
    if has_pictures(&tables) {
        let listing = folder::list_tables(tables, settings)?;
        return folder::load(name, path, &listing, settings, locations, monitor);
    }
    settings.check()?;
    let content = |reason| Error::Arrays { file: path.into(), reason };
    let mut collected = Collected {
        blocks: vec![],
        labels: None,
        names: None,
        classes: None,
        columns: vec![],
        column_labels: vec![],
        notes: vec![],
    };
    let mut columns = Columns::default();
    let mut labels: Texts = vec![];
    for table in &tables {
        let part = folder::part_of_file(table.path());
        let read = Rows::of(table)?.map_err(content)?;
        let (n, numbers) = (read.n, read.numbers);
        let info = ArrayInfo {
            name: read.called,
            dtype: "<f4".into(),
            shape: vec![n, numbers.values.len() / n.max(1)],
        };
        let layout = Layout::of(&info, settings.shape.as_deref()).map_err(content)?;
        collected.notes.push(Note::ImagesFromArray {
            array: info,
            axes: layout.axes,
            image: layout.image(),
            range: [0.0, 0.0],
        });
        let of_table = read.labels;
        if let Some(wanted) = &settings.label
            && !of_table.iter().any(|(name, _)| name == wanted)
        {
            let names: Vec<&str> = of_table.iter().map(|(name, _)| name.as_str()).collect();
            let names = names.join(", ");
            return Err(content(format!("it has no label `{wanted}`; it has: {names}")));
        }
        let is_label = |name: &str| match &settings.label {
            Some(wanted) => name == wanted,
            None => LABELS.contains(&name.to_lowercase().as_str()),
        };
        let chosen = of_table
            .iter()
            .position(|(name, _)| is_label(name))
            .or(if of_table.len() == 1 { Some(0) } else { None });
        if collected.columns.is_empty() {
            let column = |(name, texts): &(String, Texts)| LabelColumn::of(name.clone(), texts);
            collected.columns = of_table.iter().map(column).collect();
            collected.notes.push(match chosen.map(|i| &of_table[i]) {
                Some((name, texts)) => Note::ClassesFromColumn {
                    column: name.clone(),
                    classes: LabelColumn::of(String::new(), texts).classes,
                },
                None if of_table.is_empty() => Note::NoLabelArray,
                None => Note::LabelColumns {
                    columns: of_table.iter().map(|(name, _)| name.clone()).collect(),
                },
            });
        }
        for (name, texts) in &of_table {
            columns.add(name, labels.len(), texts.clone()).map_err(content)?;
        }
        match chosen.and_then(|i| of_table.into_iter().nth(i)) {
            Some((_, texts)) => labels.extend(texts),
            None => labels.resize(labels.len() + n, None),
        }
        let parts = read.parts.unwrap_or_else(|| vec![part; n]);
        collected.blocks.push(Block { parts, layout, numbers: Box::new(numbers) });
    }
    collected.column_labels = ColumnLabels::all(&columns.finish(labels.len()));
    collected.labels = labels.iter().any(Option::is_some).then_some(labels);
    let origin = format!("a table of pixels in {}", path.display());
    match collected.dataset(settings, monitor) {
        Ok(read) => Ok(Dataset { name, origin, ..read }),
        Err(Failure::Content(reason)) => Err(content(reason)),
        Err(Failure::Interrupted(interrupted)) => Err(interrupted.into()),
    }
}

/// The pixels of a table, and what else its rows say.
struct Rows {
    n: usize,
    /// The columns of the pixels, for people.
    called: String,
    numbers: Pixels,
    labels: Vec<(String, Texts)>,
    parts: Option<Vec<Option<crate::Part>>>,
}

/// Numbers of a table.
struct Pixels {
    values: Vec<f32>,
    /// Whether all are whole numbers from 0 to 255.
    bytes: bool,
    whole: bool,
}

impl Numbers for Pixels {
    fn get(&self, i: usize) -> f64 {
        self.values[i].into()
    }

    fn is_bytes(&self) -> bool {
        self.bytes
    }

    fn is_words(&self) -> bool {
        self.whole && !self.bytes
    }
}

impl Rows {
    /// Reads a table: numbers in columns of their own, in lists, or in text with spaces between them.
    fn of(table: &TableFile) -> Result<Result<Self, String>, Error> {
        let fields = table.fields();
        let named_label = |field: &Field| LABELS.contains(&field.name.to_lowercase().as_str());
        let numbers: Vec<&str> = fields
            .iter()
            .filter(|field| field.kind.is_number() && !named_label(field))
            .map(|field| field.name.as_str())
            .collect();
        let lists: Vec<&str> = fields
            .iter()
            .filter(|field| field.kind.is_list())
            .map(|field| field.name.as_str())
            .collect();
        let n = table.rows();
        let (called, values, used): (String, Vec<f32>, Vec<String>) = if let [column] = lists[..] {
            let read = table.read_columns(&[column])?;
            let rows = read.columns[0].values.lists().unwrap_or_default();
            match flat(rows) {
                Ok(values) => (column.to_owned(), values, vec![column.to_owned()]),
                Err(reason) => return Ok(Err(reason)),
            }
        } else if let Some((column, values)) = spaced(table)? {
            (column.clone(), values, vec![column])
        } else if numbers.len() >= FEWEST {
            // A first column of labels without a name that says so, as in tables without a line of names.
            let alone = !table.is_named() && !square(numbers.len()) && square(numbers.len() - 1);
            let pixels = if alone { &numbers[1..] } else { &numbers[..] };
            let read = table.read_columns(pixels)?;
            let Some(values) = rows(&read, n) else {
                return Ok(Err("a pixel is missing; every row needs all of them".into()));
            };
            let called = format!("{} to {}", pixels[0], pixels[pixels.len() - 1]);
            (called, values, pixels.iter().map(|&name| name.to_owned()).collect())
        } else {
            let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
            return Ok(Err(format!(
                "it has neither pictures nor pixels: expected a column of the bytes of pictures, or columns of pixels; it has: {}",
                names.join(", ")
            )));
        };
        let single = |kind: Kind| matches!(kind, Kind::Text | Kind::I64 | Kind::Bool);
        let used: HashSet<String> = used.into_iter().collect();
        let others: Vec<&str> = fields
            .iter()
            .filter(|field| single(field.kind) && !used.contains(&field.name))
            .map(|field| field.name.as_str())
            .collect();
        let read = table.read_columns(&others)?;
        let mut labels = vec![];
        let mut parts = None;
        for column in read.columns {
            let texts = folder::texts(&column.values);
            match folder::parts_of_column(&column.name, &texts) {
                Some(found) => parts = Some(found),
                None => labels.push((column.name, texts)),
            }
        }
        let whole = values.iter().all(|x| x.fract() == 0.0);
        let bytes = whole && values.iter().all(|x| (0.0..=255.0).contains(x));
        Ok(Ok(Self { n, called, numbers: Pixels { values, bytes, whole }, labels, parts }))
    }
}

fn square(n: usize) -> bool {
    n.isqrt().pow(2) == n
}

/// Numbers in columns, row by row; `None` if one is missing.
fn rows(table: &ColumnTable, n: usize) -> Option<Vec<f32>> {
    let columns: Vec<Vec<Option<f32>>> =
        table.columns.iter().map(|column| column.values.f32s()).collect::<Option<_>>()?;
    (0..n).flat_map(|row| columns.iter().map(move |column| column[row])).collect()
}

/// Lists of the same length, one after the other.
fn flat(rows: Vec<Option<Vec<f32>>>) -> Result<Vec<f32>, String> {
    let length = rows.iter().flatten().map(Vec::len).next().unwrap_or(0);
    let mut all = Vec::with_capacity(length * rows.len());
    for (i, row) in rows.into_iter().enumerate() {
        let row = row.unwrap_or_default();
        if row.len() != length || length == 0 {
            return Err(format!("row {i} has {} pixels, but the first {length}", row.len()));
        }
        all.extend(row);
    }
    Ok(all)
}

/// A column of text in which each cell is the pixels of an image with spaces between them.
fn spaced(table: &TableFile) -> Result<Option<(String, Vec<f32>)>, Error> {
    for field in table.fields().iter().filter(|field| field.kind == Kind::Text) {
        let read = table.read_columns(&[field.name.as_str()])?;
        let Values::Text(texts) = &read.columns[0].values else { continue };
        let numbers = |text: &str| -> Option<Vec<f32>> {
            text.split_whitespace().map(|number| number.parse().ok()).collect()
        };
        let first = texts.iter().flatten().next().and_then(|text| numbers(text));
        if first.is_none_or(|first| first.len() < FEWEST) {
            continue;
        }
        let all: Vec<Option<Vec<f32>>> =
            texts.iter().map(|text| text.as_ref().and_then(|text| numbers(text))).collect();
        if let Ok(values) = flat(all) {
            return Ok(Some((field.name.clone(), values)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
