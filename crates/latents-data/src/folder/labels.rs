//! Labels of the pictures of a folder that do not come from sub-folders: from a table beside them, or from the names of the files.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use latents_tables::{TableFile, Values};
use regex_lite::Regex;

use super::listing::{Known, Listing, files_of};
use super::tree::part_of;
use crate::columns::{ColumnLabels, LabelColumn};
use crate::error::Error;
use crate::note::Note;
use crate::part::Part;
use crate::pictures::Pictures;

/// The endings of tables.
const TABLES: [&str; 6] = ["csv", "tsv", "jsonl", "ndjson", "parquet", "pq"];
/// Names of columns of labels, of files and of parts, in lower case.
const LABELS: [&str; 9] =
    ["label", "labels", "class", "category", "target", "y", "cls", "class_name", "class_id"];
const FILES: [&str; 14] = [
    "file_name",
    "filename",
    "file",
    "files",
    "path",
    "filepath",
    "file_path",
    "image",
    "image_path",
    "image_id",
    "img",
    "id",
    "id_code",
    "name",
];
const PARTS: [&str; 7] = ["split", "part", "subset", "set", "usage", "fold", "partition"];

/// Values as text; missing and empty ones are none.
pub(crate) fn texts(values: &Values) -> Vec<Option<String>> {
    match values {
        Values::Text(all) => all.iter().map(|t| t.clone().filter(|t| !t.is_empty())).collect(),
        Values::I64(all) => all.iter().map(|x| x.map(|x| x.to_string())).collect(),
        Values::Bool(all) => all.iter().map(|x| x.map(|x| x.to_string())).collect(),
        Values::F64(all) => all.iter().map(|x| x.map(|x| x.to_string())).collect(),
        Values::F32(all) => all.iter().map(|x| x.map(|x| x.to_string())).collect(),
        other => vec![None; other.len()],
    }
}

/// Whether values can be labels of their own.
fn is_single(values: &Values) -> bool {
    matches!(values, Values::Text(_) | Values::I64(_) | Values::Bool(_))
}

/// Labels the pictures of a folder as the settings say; without settings by a table named `metadata`, or the only table beside them.
pub(super) fn label(
    listing: &mut Listing,
    folder: &Path,
    settings: &Pictures,
) -> Result<(), Error> {
    if let Some(pattern) = &settings.label_pattern {
        return by_pattern(listing, pattern);
    }
    if let Some(table) = &settings.labels {
        let Spec { file, columns } = Spec::parse(table)?;
        let path = if file.exists() { file } else { folder.join(file) };
        return by_table(listing, &path, &columns, settings, true);
    }
    let tables = files_of(folder, &TABLES);
    let metadata = tables.iter().find(|path| path.file_stem().is_some_and(|s| s == "metadata"));
    let only = if tables.len() == 1 { tables.first() } else { None };
    match metadata.or(only) {
        Some(path) => match by_table(listing, path, &Columns::default(), settings, false) {
            Err(Error::Table(error)) => {
                let table = path.display().to_string();
                listing.notes.push(Note::TableIgnored { table, reason: error.to_string() });
                Ok(())
            }
            result => result,
        },
        None if settings.label.is_some() => {
            let problem = "a label is chosen by name, but there is no table of labels".to_owned();
            Err(Error::Setting { problem })
        }
        None => {
            if tables.len() > 1 {
                let name =
                    |path: &PathBuf| path.file_name().map(|n| n.to_string_lossy().into_owned());
                let table = tables.iter().filter_map(name).collect::<Vec<_>>().join(", ");
                let reason = "there are several; name the one that has the labels".to_owned();
                listing.notes.push(Note::TableIgnored { table, reason });
            }
            Ok(())
        }
    }
}

/// Labels from the first group of a regular expression, in the name of each file without its folders.
fn by_pattern(listing: &mut Listing, pattern: &str) -> Result<(), Error> {
    let wrong =
        |why: String| Error::Setting { problem: format!("label_pattern `{pattern}`: {why}") };
    let regex = Regex::new(pattern).map_err(|e| wrong(e.to_string()))?;
    if regex.captures_len() < 2 {
        return Err(wrong("it has no group in parentheses, which would be the label".into()));
    }
    let mut without = 0;
    for file in &mut listing.files {
        let name = file.name.rsplit('/').next().unwrap_or_default();
        let label = regex.captures(name).and_then(|found| found.get(1));
        let label = label.map(|text| text.as_str().to_owned());
        without += usize::from(label.is_none());
        file.known.get_or_insert_default().label = label;
    }
    if without == listing.files.len() {
        return Err(wrong("no file has such a name".into()));
    }
    let labels: HashSet<_> =
        listing.files.iter().filter_map(|f| f.known.as_ref()?.label.as_ref()).collect();
    let classes = labels.len();
    listing.notes.push(Note::ClassesFromNames { classes });
    if without > 0 {
        listing.notes.push(Note::NotInTable { pictures: without });
    }
    Ok(())
}

/// A table of labels as settings name it: `FILE` or `FILE:file=COLUMN,label=COLUMN`.
struct Spec {
    file: PathBuf,
    columns: Columns,
}

/// The columns of a table that are named.
#[derive(Default)]
struct Columns {
    file: Option<String>,
    label: Option<String>,
}

impl Spec {
    fn parse(text: &str) -> Result<Self, Error> {
        let Some((file, given)) = text.rsplit_once(':').filter(|(_, given)| given.contains('='))
        else {
            return Ok(Self { file: text.into(), columns: Columns::default() });
        };
        let mut columns = Columns::default();
        for pair in given.split(',') {
            match pair.split_once('=') {
                Some(("file", name)) => columns.file = Some(name.to_owned()),
                Some(("label", name)) => columns.label = Some(name.to_owned()),
                _ => {
                    let problem = format!(
                        "labels = `{text}`: expected FILE or FILE:file=COLUMN,label=COLUMN"
                    );
                    return Err(Error::Setting { problem });
                }
            }
        }
        Ok(Self { file: file.into(), columns })
    }
}

/// Labels from a table that has a row for each picture.
fn by_table(
    listing: &mut Listing,
    path: &Path,
    named: &Columns,
    settings: &Pictures,
    asked: bool,
) -> Result<(), Error> {
    let table = TableFile::open(path)?;
    let single: Vec<&str> = table.fields().iter().map(|field| field.name.as_str()).collect();
    let read = table.read_columns(&single)?;
    let candidates: Vec<(String, Vec<Option<String>>)> = read
        .columns
        .iter()
        .filter(|column| is_single(&column.values))
        .map(|column| (column.name.clone(), texts(&column.values)))
        .collect();
    let names = Names::of(listing);
    let matched = |texts: &[Option<String>]| {
        texts.iter().flatten().filter(|text| names.find(text).is_some()).count()
    };
    let display = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let rank = |name: &str| FILES.iter().position(|known| *known == name.to_lowercase());
    // The column that names most pictures; of several, the one whose name says so.
    let files = match &named.file {
        Some(wanted) => candidates.iter().position(|(name, _)| name == wanted),
        None => (0..candidates.len())
            .map(|i| (matched(&candidates[i].1), i))
            .filter(|&(found, _)| found > 0)
            .max_by_key(|&(found, i)| {
                let rank = rank(&candidates[i].0).map_or(0, |rank| FILES.len() - rank);
                (found, rank, std::cmp::Reverse(i))
            })
            .map(|(_, i)| i),
    };
    let Some(files) = files else {
        let reason = match &named.file {
            Some(wanted) => format!("it has no column `{wanted}`"),
            None => "no column of it names the pictures".to_owned(),
        };
        if asked {
            return Err(Error::Setting { problem: format!("labels = `{display}`: {reason}") });
        }
        listing.notes.push(Note::TableIgnored { table: display, reason });
        return Ok(());
    };
    let rows: Vec<Option<usize>> = {
        let find = |text: &Option<String>| text.as_ref().and_then(|text| names.find(text));
        candidates[files].1.iter().map(find).collect()
    };
    let n = listing.files.len();
    let mut row_of: Vec<Option<usize>> = vec![None; n];
    for (row, place) in rows.iter().enumerate() {
        if let Some(place) = place {
            row_of[*place].get_or_insert(row);
        }
    }
    let missing = rows.iter().filter(|row| row.is_none()).count();
    let without = row_of.iter().filter(|row| row.is_none()).count();
    let of_pictures = |texts: &[Option<String>]| -> Vec<Option<String>> {
        row_of.iter().map(|row| row.and_then(|row| texts[row].clone())).collect()
    };
    let mut columns = vec![];
    let mut parts = None;
    for (i, (name, texts)) in candidates.iter().enumerate() {
        if parts_of_column(name, texts).is_some() {
            parts = Some(of_pictures(texts));
        } else if i != files {
            columns.push((name.clone(), of_pictures(texts)));
        }
    }
    listing.notes.push(Note::LabelTable { table: display });
    let settings = match &named.label {
        Some(label) => &Pictures { label: Some(label.clone()), ..settings.clone() },
        None => settings,
    };
    for (place, file) in listing.files.iter_mut().enumerate() {
        let part = parts.as_ref().and_then(|parts| parts[place].as_deref().and_then(part_of_word));
        file.known = Some(Known { part, label: None });
    }
    listing.choose_label(columns, settings)?;
    if missing > 0 {
        listing.notes.push(Note::LabelsWithoutPicture { labels: missing });
    }
    if without > 0 {
        listing.notes.push(Note::NotInTable { pictures: without });
    }
    Ok(())
}

impl Listing {
    /// The label of each picture, from one of several columns: the one that the settings name, one whose name says that it is the
    /// label, or the only one.
    pub(super) fn choose_label(
        &mut self,
        columns: Vec<(String, Vec<Option<String>>)>,
        settings: &Pictures,
    ) -> Result<(), Error> {
        let known = columns.iter().map(|(name, texts)| LabelColumn::of(name.clone(), texts));
        self.columns = known.collect();
        self.column_labels = ColumnLabels::all(&columns);
        let place = match &settings.label {
            Some(wanted) => {
                let place = columns.iter().position(|(name, _)| name == wanted);
                Some(place.ok_or_else(|| {
                    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
                    let problem = format!(
                        "there is no label `{wanted}`; there are: {}",
                        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
                    );
                    Error::Setting { problem }
                })?)
            }
            None => columns.iter().position(|(name, _)| is_label(name)).or(if columns.len() == 1 {
                Some(0)
            } else {
                None
            }),
        };
        let Some(place) = place else {
            if columns.len() > 1 {
                let names = columns.iter().map(|(name, _)| name.clone()).collect();
                self.notes.push(Note::LabelColumns { columns: names });
            }
            return Ok(());
        };
        let Some((name, texts)) = columns.into_iter().nth(place) else { return Ok(()) };
        self.classes = self.class_names.remove(&name);
        let classes = self.columns[place].classes;
        self.notes.push(Note::ClassesFromColumn { column: name, classes });
        for (file, text) in self.files.iter_mut().zip(texts) {
            let known = file.known.get_or_insert_default();
            known.label = text;
        }
        Ok(())
    }
}

/// Whether a column's name says that it has the labels.
fn is_label(name: &str) -> bool {
    LABELS.contains(&name.to_lowercase().as_str())
}

/// The part of each picture, if a column says it.
pub(crate) fn parts_of_column(name: &str, texts: &[Option<String>]) -> Option<Vec<Option<Part>>> {
    let is_part = PARTS.contains(&name.to_lowercase().as_str())
        && texts.iter().flatten().next().is_some()
        && texts.iter().flatten().all(|text| part_of_word(text).is_some());
    is_part.then(|| texts.iter().map(|text| part_of_word(text.as_deref()?)).collect())
}

/// The part that a word in a table means, such as `train`, `Training`, `PublicTest` or `val`.
fn part_of_word(text: &str) -> Option<Part> {
    let lower = text.to_lowercase();
    part_of(text).map(|(part, _)| part).or_else(|| lower.ends_with("test").then_some(Part::Test))
}

/// The pictures by their names, by the ends of their names, and without endings; ambiguous ones are left out.
struct Names(HashMap<String, Option<usize>>);

impl Names {
    fn of(listing: &Listing) -> Self {
        let mut all: HashMap<String, Option<usize>> = HashMap::new();
        let mut whole: HashMap<&str, usize> = HashMap::new();
        for (i, file) in listing.files.iter().enumerate() {
            whole.insert(&file.name, i);
            let mut end = file.name.as_str();
            loop {
                let stem = end.rsplit_once('.').map(|(stem, _)| stem).filter(|s| !s.is_empty());
                for name in [Some(end), stem].into_iter().flatten() {
                    let place = all.entry(name.to_owned()).or_insert(Some(i));
                    if *place != Some(i) {
                        *place = None;
                    }
                }
                match end.split_once('/') {
                    Some((_, rest)) => end = rest,
                    None => break,
                }
            }
        }
        for (name, i) in whole {
            all.insert(name.to_owned(), Some(i));
        }
        Self(all)
    }

    fn find(&self, text: &str) -> Option<usize> {
        let text = text.replace('\\', "/");
        let text = text.strip_prefix("./").unwrap_or(&text);
        let by_name = |text: &str| self.0.get(text).copied().flatten();
        // A table may have been made in another place: the end of its path decides then.
        by_name(text).or_else(|| by_name(text.rsplit('/').next()?))
    }
}
