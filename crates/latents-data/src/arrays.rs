//! NumPy's files of images as a data set: which arrays are images, labels and names, of which part. Every choice is noted for the
//! user. What names say is in `arrays/names`, the order of axes in `arrays/layout`, labels in `arrays/labels`; `arrays/build` makes the
//! data set, also of tables. NumPy's file formats are in `npz`.

pub(crate) mod build;
pub(crate) mod labels;
pub(crate) mod layout;
mod memory;
mod names;

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use latents_files::FileError;
use latents_progress::{Interrupted, Monitor};

use self::build::{Block, Collected, Numbers};
use self::labels::{Labels, Texts};
use self::layout::Layout;
pub use self::memory::{ArrayNumbers, IN_MEMORY, ImageArrays};
use self::names::{Kind, Role, is_number};
use crate::columns::{ColumnLabels, LabelColumn};
use crate::dataset::Dataset;
use crate::error::Error;
use crate::note::Note;
use crate::npz::{ArrayInfo, Items, NpzError, Reader, Values};
use crate::part::Part;
use crate::pictures::Pictures;

/// The endings of NumPy's files.
pub(crate) const ENDINGS: [&str; 2] = ["npz", "npy"];

/// Whether the name of a file ends as one of NumPy's: `.npz` or `.npy`, in any case.
#[must_use]
pub fn is_array_file(path: &Path) -> bool {
    path.extension().is_some_and(|e| ENDINGS.iter().any(|known| e.eq_ignore_ascii_case(known)))
}

/// Reads a file, or all of NumPy's files in a folder as if they were one.
pub(crate) fn load(
    name: String,
    path: &Path,
    settings: &Pictures,
    monitor: &Monitor,
) -> Result<Dataset, Error> {
    settings.check()?;
    let mut files = vec![];
    for file in files_of(path)? {
        let open =
            File::open(&file).map_err(FileError::on("read", &file)).map_err(NpzError::from)?;
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let reader =
            Reader::new(open).map_err(|reason| Error::Arrays { file: file.clone(), reason })?;
        files.push((stem, reader));
    }
    let origin = format!("NumPy arrays in {}", path.display());
    match read(files, settings, monitor) {
        Ok(read) => Ok(Dataset { name, origin, ..read }),
        Err(Failure::Content(reason)) => Err(Error::Arrays { file: path.into(), reason }),
        Err(Failure::Interrupted(interrupted)) => Err(interrupted.into()),
    }
}

/// The file, or NumPy's files in the folder, in the order of their names.
fn files_of(path: &Path) -> Result<Vec<PathBuf>, Error> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).map_err(Error::io("read the folder", path))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| file.is_file() && is_array_file(file))
        .collect();
    files.sort();
    Ok(files)
}

/// Why a file could not be read.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What is wrong with its content.
    Content(String),
    Interrupted(Interrupted),
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self::Content(reason)
    }
}

impl From<Interrupted> for Failure {
    fn from(interrupted: Interrupted) -> Self {
        Self::Interrupted(interrupted)
    }
}

/// The numbers of an array that was read.
struct FileNumbers<'a> {
    items: Items<'a>,
    dtype: String,
}

impl Numbers for FileNumbers<'_> {
    fn get(&self, i: usize) -> f64 {
        self.items.get(i)
    }

    fn is_bytes(&self) -> bool {
        matches!(self.dtype.get(1..), Some("u1" | "b1"))
    }

    fn is_words(&self) -> bool {
        matches!(self.dtype.get(1..2), Some("u" | "i")) && !self.is_bytes()
    }

    fn bytes(&self) -> Option<&[u8]> {
        self.items.plain_bytes()
    }
}

/// An array of one of the files.
struct Found {
    file: usize,
    /// Its name within its file.
    inner: String,
    info: ArrayInfo,
}

/// Reads a data set from readers, each with the name of its file without the ending, still without name and origin.
pub(crate) fn read<R: Read + Seek>(
    mut files: Vec<(String, Reader<R>)>,
    settings: &Pictures,
    monitor: &Monitor,
) -> Result<Dataset, Failure> {
    let (mut arrays, mut broken) = (vec![], vec![]);
    let several = files.len() > 1;
    for (file, (stem, reader)) in files.iter_mut().enumerate() {
        let (readable, unreadable) = reader.arrays();
        let alone = readable.len() + unreadable.len() == 1;
        // Arrays of several files are called after their files.
        let called = |name: &str| match (several, alone) {
            (true, true) => stem.clone(),
            (true, false) => format!("{stem}/{name}"),
            (false, _) => name.to_owned(),
        };
        arrays.extend(readable.into_iter().map(|info| {
            let name = called(&info.name);
            Found { file, inner: info.name.clone(), info: ArrayInfo { name, ..info } }
        }));
        broken.extend(unreadable.into_iter().map(|(name, why)| (called(&name), why)));
    }
    let images = choose_images(&arrays, &broken)?;
    let mut values_of = |found: &Found| files[found.file].1.read(&found.inner);

    let mut notes = vec![];
    let mut stored = vec![];
    for &(place, _) in &images {
        stored.push(values_of(&arrays[place])?);
    }
    let mut blocks = vec![];
    for (&(place, part), values) in images.iter().zip(&stored) {
        let info = &arrays[place].info;
        let layout = Layout::of(info, settings.shape.as_deref())?;
        notes.push(Note::ImagesFromArray {
            array: info.clone(),
            axes: layout.axes,
            image: layout.image(),
            range: [0.0, 0.0],
        });
        let items = Items::of(values).ok_or_else(|| format!("array {info} has no numbers"))?;
        let numbers = Box::new(FileNumbers { items, dtype: values.dtype() });
        blocks.push(Block { parts: vec![part; layout.n], layout, numbers });
    }
    if blocks.windows(2).any(|pair| pair[0].layout.image() != pair[1].layout.image()) {
        let shapes: Vec<String> = images.iter().map(|&(i, _)| arrays[i].info.to_string()).collect();
        return Err(format!("{} have images of different sizes", shapes.join(" and ")).into());
    }

    let sizes: Vec<usize> = blocks.iter().map(|block| block.layout.n).collect();
    let mut of_kind =
        |wanted: &dyn Fn(Kind) -> bool| -> Result<Vec<Option<(usize, Values)>>, Failure> {
            let mut all = vec![];
            for &(image, part) in &images {
                let place = find(&arrays, wanted, part, image);
                let read =
                    place.map(|i| Ok::<_, String>((i, values_of(&arrays[i])?))).transpose()?;
                all.push(read);
            }
            Ok(all)
        };
    let labels = of_kind(&|kind| matches!(kind, Kind::Labels(_)))?;
    let names = of_kind(&|kind| kind == Kind::Names)?;
    let classes = arrays.iter().find(|array| {
        Role::of(&array.info.name).is_some_and(|role| role.kind == Kind::Classes)
            && array.info.shape.len() == 1
    });
    let classes = classes.and_then(|found| Some(values_of(found).ok()?.texts()));

    let columns = columns(&labels, &arrays, &sizes)?;
    if labels.iter().all(Option::is_none) {
        let object = broken.iter().find(|(name, _)| {
            Role::of(name).is_some_and(|role| matches!(role.kind, Kind::Labels(_)))
        });
        notes.push(match object {
            Some((array, reason)) => {
                Note::UnreadableLabels { array: array.clone(), reason: reason.clone() }
            }
            None => Note::NoLabelArray,
        });
    }
    let Chosen { labels, columns, column_labels } =
        chosen(columns, settings.label.as_deref(), &arrays, &labels, &mut notes)?;
    let names = names_of(&names, &sizes);
    let collected = Collected { blocks, labels, names, classes, columns, column_labels, notes };
    collected.dataset(settings, monitor)
}

/// The arrays of images and their parts: those of several parts, or one.
fn choose_images(
    arrays: &[Found],
    broken: &[(String, String)],
) -> Result<Vec<(usize, Option<Part>)>, String> {
    // The array whose name has precedence; flat images only if there are no others.
    let find = |part: Option<Part>| {
        let rank = |(i, found): (usize, &Found)| {
            let Some(Role { kind: Kind::Images(rank), part: of }) = Role::of(&found.info.name)
            else {
                return None;
            };
            let axes = found.info.shape.len();
            let fits = of == part && (2..=4).contains(&axes) && is_number(&found.info);
            fits.then_some((axes == 2, rank, i))
        };
        arrays.iter().enumerate().filter_map(rank).min().map(|(.., i)| i)
    };
    let parts = [Part::Train, Part::Validation, Part::Test];
    let of_parts: Vec<(usize, Option<Part>)> =
        parts.iter().filter_map(|&part| Some((find(Some(part))?, Some(part)))).collect();
    if of_parts.len() > 1 && of_parts[0].1 == Some(Part::Train) {
        return Ok(of_parts);
    }
    let only = |axes: std::ops::RangeInclusive<usize>| {
        let fits =
            |a: &&(usize, &Found)| axes.contains(&a.1.info.shape.len()) && is_number(&a.1.info);
        let all: Vec<(usize, &Found)> = arrays.iter().enumerate().collect();
        let mut fitting = all.iter().filter(fits);
        match (fitting.next(), fitting.next()) {
            (Some(&(i, _)), None) => Some(i),
            _ => None,
        }
    };
    let unnamed =
        || only(3..=4).or_else(|| only(2..=2).filter(|&i| arrays[i].info.name.is_empty()));
    let one = find(None).or_else(|| of_parts.first().map(|&(i, _)| i)).or_else(unnamed);
    let one = one.ok_or_else(|| {
        let broken = broken.iter().map(|(name, why)| format!("`{name}` (unreadable: {why})"));
        let all: Vec<String> =
            arrays.iter().map(|array| array.info.to_string()).chain(broken).collect();
        let all = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
        format!("it has no array of images: expected `image` [n, h, w], [n, c, h, w] or [n, h, w, c], but its arrays are: {all}")
    })?;
    Ok(vec![(one, None)])
}

/// The array of a kind for images of a part.
fn find(
    arrays: &[Found],
    wanted: &dyn Fn(Kind) -> bool,
    part: Option<Part>,
    image: usize,
) -> Option<usize> {
    let rank = |(i, found): (usize, &Found)| {
        let role = Role::of(&found.info.name)?;
        let of_part = role.part == part || (part.is_none() && role.part == Some(Part::Train));
        let rank = if let Kind::Labels(rank) = role.kind { rank } else { 0 };
        (i != image && wanted(role.kind) && of_part).then_some((role.part != part, rank, i))
    };
    arrays.iter().enumerate().filter_map(rank).min().map(|(.., i)| i)
}

/// The columns of labels of all images: one, or several for each image. Blocks without labels have none.
fn columns(
    labels: &[Option<(usize, Values)>],
    arrays: &[Found],
    sizes: &[usize],
) -> Result<Vec<Texts>, String> {
    let mut blocks = vec![];
    for (found, &n) in labels.iter().zip(sizes) {
        blocks.push(match found {
            Some((i, values)) => match Labels::of(values, &arrays[*i].info, n)? {
                Labels::One(texts) => vec![texts],
                Labels::Several(columns) => columns,
            },
            None => vec![],
        });
    }
    let most = blocks.iter().map(Vec::len).max().unwrap_or(0);
    let mut all = vec![vec![]; most];
    for (block, &n) in blocks.into_iter().zip(sizes) {
        let block = if block.len() == most { block } else { vec![vec![None; n]; most] };
        all.iter_mut().zip(block).for_each(|(column, part)| column.extend(part));
    }
    Ok(all)
}

/// The labels of all images.
#[derive(Default)]
struct Chosen {
    /// The column that gives the classes.
    labels: Option<Texts>,
    columns: Vec<LabelColumn>,
    column_labels: Vec<ColumnLabels>,
}

/// The column of labels that the settings choose, or the only one; and what is known of all columns.
fn chosen(
    columns: Vec<Texts>,
    wanted: Option<&str>,
    arrays: &[Found],
    labels: &[Option<(usize, Values)>],
    notes: &mut Vec<Note>,
) -> Result<Chosen, String> {
    let Some(array) = labels.iter().flatten().next().map(|(i, _)| &arrays[*i].info) else {
        return match wanted {
            Some(wanted) => Err(format!("it has no labels, so there is no label `{wanted}`")),
            None => Ok(Chosen::default()),
        };
    };
    let several = columns.len() > 1;
    let name = |i: usize| if several { i.to_string() } else { array.name.clone() };
    let mut columns: Vec<(String, Texts)> =
        columns.into_iter().enumerate().map(|(i, texts)| (name(i), texts)).collect();
    let known: Vec<LabelColumn> =
        columns.iter().map(|(name, texts)| LabelColumn::of(name.clone(), texts)).collect();
    let column_labels = ColumnLabels::all(&columns);
    let place = match wanted {
        Some(wanted) => {
            let place = known.iter().position(|column| column.name == wanted);
            let names = || known.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
            Some(place.ok_or_else(|| format!("it has no label `{wanted}`; it has: {}", names()))?)
        }
        None if several => {
            notes.push(Note::SeveralLabels { array: array.clone(), labels: columns.len() });
            None
        }
        None => Some(0),
    };
    let labels = place.map(|place| std::mem::take(&mut columns[place].1));
    if let Some(texts) = &labels {
        let classes = LabelColumn::of(String::new(), texts).classes;
        notes.push(Note::ClassesFromArray { array: array.clone(), classes });
    }
    Ok(Chosen { labels, columns: known, column_labels })
}

/// The names of all images, if every block has as many names as images.
fn names_of(names: &[Option<(usize, Values)>], sizes: &[usize]) -> Option<Vec<String>> {
    let mut all = vec![];
    for (found, &n) in names.iter().zip(sizes) {
        let texts = found.as_ref()?.1.texts();
        if texts.len() != n {
            return None;
        }
        all.extend(texts);
    }
    Some(all)
}

#[cfg(test)]
mod tests;
