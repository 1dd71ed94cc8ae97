//! An `.npz` file of images as a data set: which of its arrays are images and which are labels. Every choice is noted for the user.
//! The order of axes is in `arrays/layout`, black and white and labels in `arrays/values`, NumPy's file format in `npz`.

mod layout;
mod values;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use latents_files::FileError;
use latents_progress::{Interrupted, Monitor};

use self::layout::Layout;
use self::values::{Range, texts};
use crate::dataset::{Dataset, Labelled, Limits, MAX_CLASSES};
use crate::error::Error;
use crate::images::Images;
use crate::note::Note;
use crate::npz::{ArrayInfo, NpzError, Reader};
use crate::picture;
use crate::pictures::Pictures;
use crate::split::hold_out;

/// Names of an array of all images, of training images and of test images, in lower case; earlier ones take precedence.
const IMAGES: [&str; 6] = ["image", "images", "x", "pixels", "data", "arr_0"];
const TRAIN_IMAGES: [&str; 3] = ["x_train", "train_images", "images_train"];
const TEST_IMAGES: [&str; 3] = ["x_test", "test_images", "images_test"];
/// Names of the arrays of their labels.
const LABELS: [&str; 6] = ["label", "labels", "y", "target", "targets", "arr_1"];
const TRAIN_LABELS: [&str; 3] = ["y_train", "train_labels", "labels_train"];
const TEST_LABELS: [&str; 3] = ["y_test", "test_labels", "labels_test"];
/// Names of an array of the names of classes.
const CLASSES: [&str; 4] = ["classes", "class_names", "target_names", "label_names"];

/// Reads a file.
pub(crate) fn load(
    name: String,
    path: &Path,
    settings: &Pictures,
    monitor: &Monitor,
) -> Result<Dataset, Error> {
    if let Some(problem) = settings.problem() {
        return Err(Error::Setting { problem });
    }
    let file = File::open(path).map_err(FileError::on("read", path)).map_err(NpzError::from)?;
    let origin = format!("NumPy arrays in {}", path.display());
    match read(file, settings, monitor) {
        Ok(read) => Ok(Dataset { name, origin, ..read }),
        Err(Failure::Content(reason)) => Err(Error::Arrays { file: path.into(), reason }),
        Err(Failure::Interrupted(interrupted)) => Err(interrupted.into()),
    }
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

/// The arrays of a data set.
struct Chosen {
    /// One array, or the training array and the test array.
    images: Vec<ArrayInfo>,
    /// As many arrays, or none.
    labels: Vec<ArrayInfo>,
}

/// Reads a data set from a reader, still without name and origin.
pub(crate) fn read(
    file: impl Read + Seek,
    settings: &Pictures,
    monitor: &Monitor,
) -> Result<Dataset, Failure> {
    let mut reader = Reader::new(file)?;
    let (arrays, broken) = reader.arrays();
    let Chosen { images, labels } = choose(&arrays, &broken)?;
    let layouts = images.iter().map(Layout::of).collect::<Result<Vec<_>, _>>()?;
    if layouts.windows(2).any(|pair| pair[0].image() != pair[1].image()) {
        let shapes: Vec<String> = images.iter().map(ArrayInfo::to_string).collect();
        return Err(format!("{} have images of different sizes", shapes.join(" and ")).into());
    }
    let mut raws = vec![];
    for array in &images {
        raws.push((array, reader.read(&array.name)?));
    }
    let range = Range::of(&raws)?;
    let note = |(array, layout): (&ArrayInfo, &Layout)| Note::ImagesFromArray {
        array: array.clone(),
        axes: layout.axes,
        image: layout.image(),
        range: range.ends(),
    };
    let mut notes: Vec<Note> = images.iter().zip(&layouts).map(note).collect();
    let mut parts = vec![];
    for ((_, raw), layout) in raws.iter().zip(&layouts) {
        parts.push(layout.planes(raw, &range, settings, monitor)?);
    }
    drop(raws);

    let mut values = vec![];
    for (array, part) in labels.iter().zip(&layouts) {
        let raw = reader.read(&array.name)?;
        let found: usize = raw.shape.iter().product();
        if found != part.n {
            let n = part.n;
            return Err(format!("array {array} has {found} labels for {n} images").into());
        }
        values.push(texts(&raw).map_err(|e| format!("labels in array {array}: {e}"))?);
    }
    let names = arrays.iter().find(|a| is_named(a, &CLASSES) && a.shape.len() == 1);
    let names = names.and_then(|array| texts(&reader.read(&array.name).ok()?).ok());
    let (classes, mut labels) = classes(&values, names, &labels, &mut notes);

    let [h, w] = settings.size.unwrap_or(layouts[0].size);
    let coloured = layouts[0].channels > 1
        && !settings.grey
        && parts.iter().any(|part| part.chunks_exact(3 * h * w).any(picture::is_coloured));
    let planes = if layouts[0].channels > 1 && !settings.grey { 3 } else { 1 };
    let channels = if coloured { 3 } else { 1 };
    let mut parts = parts.into_iter().map(|bytes| {
        if channels == planes {
            return bytes;
        }
        bytes.chunks_exact(planes * h * w).flat_map(|image| &image[..h * w]).copied().collect()
    });
    let images = |bytes| Images::new(channels, h, w, bytes).map_err(|e| e.to_string());
    let (first, second) = (parts.next().unwrap_or_default(), parts.next());
    let (train, test) = if let Some(second) = second {
        let test = labels.pop().filter(|_| !labels.is_empty());
        let part = |bytes, labels| {
            Ok::<_, String>(Labelled { images: images(bytes)?, labels, names: None })
        };
        (part(first, labels.pop())?, part(second, test)?)
    } else {
        let labels = labels.pop();
        let n = layouts[0].n;
        let all = labels.clone().unwrap_or_else(|| vec![0; n]);
        let held = hold_out(&all, settings.test_fraction, settings.split_seed);
        let count = held.iter().filter(|&&held| held).count();
        notes.push(Note::HeldOut { held_out: count, of: n, stratified: labels.is_some() });
        let part = |wanted: bool| {
            let size = channels * h * w;
            let chosen = || held.iter().enumerate().filter(move |(_, held)| **held == wanted);
            let bytes = chosen().flat_map(|(i, _)| &first[i * size..][..size]).copied().collect();
            let labels = labels.as_ref().map(|l| chosen().map(|(i, _)| l[i]).collect());
            Ok::<_, String>(Labelled { images: images(bytes)?, labels, names: None })
        };
        (part(false)?, part(true)?)
    };
    Ok(Dataset {
        name: String::new(),
        origin: String::new(),
        notes,
        classes,
        train,
        test,
        pictures: settings.pinned([channels, h, w]),
        range: range.ends(),
        limits: Limits::default(),
        shuffled: false,
    })
}

fn is_named(array: &ArrayInfo, names: &[&str]) -> bool {
    names.contains(&array.name.to_lowercase().as_str())
}

fn choose(arrays: &[ArrayInfo], broken: &[(String, String)]) -> Result<Chosen, String> {
    // The first name that an array has; flat images only if there are no others.
    let find = |names: &[&str], ranks: std::ops::RangeInclusive<usize>| {
        let named = |name: &&str| {
            let mut all = arrays.iter().filter(|a| a.name.to_lowercase() == *name);
            all.find(|a| ranks.contains(&a.shape.len()) && is_number(&a.dtype))
        };
        names.iter().find_map(named).cloned()
    };
    let images = |names: &[&str]| find(names, 3..=4).or_else(|| find(names, 2..=2));
    let labels = |names: &[&str]| {
        let named = |name: &&str| arrays.iter().find(|a| a.name.to_lowercase() == *name);
        names.iter().find_map(named).filter(|a| (1..=2).contains(&a.shape.len())).cloned()
    };
    if let (Some(train), Some(test)) = (images(&TRAIN_IMAGES), images(&TEST_IMAGES)) {
        let labels = [labels(&TRAIN_LABELS), labels(&TEST_LABELS)];
        let labels = labels.into_iter().collect::<Option<Vec<_>>>().unwrap_or_default();
        return Ok(Chosen { images: vec![train, test], labels });
    }
    let mut unnamed =
        arrays.iter().filter(|a| (3..=4).contains(&a.shape.len()) && is_number(&a.dtype));
    let only = match (unnamed.next(), unnamed.next()) {
        (Some(only), None) => Some(only.clone()),
        _ => None,
    };
    let images = images(&IMAGES).or_else(|| images(&TRAIN_IMAGES)).or(only).ok_or_else(|| {
        let broken = broken.iter().map(|(name, why)| format!("`{name}` (unreadable: {why})"));
        let all: Vec<String> = arrays.iter().map(ArrayInfo::to_string).chain(broken).collect();
        let all = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
        format!("it has no array of images: expected `image` [n, h, w], [n, c, h, w] or [n, h, w, c], but its arrays are: {all}")
    })?;
    let labels =
        labels(&LABELS).or_else(|| labels(&TRAIN_LABELS)).filter(|l| l.name != images.name);
    Ok(Chosen { images: vec![images], labels: labels.into_iter().collect() })
}

fn is_number(kind: &str) -> bool {
    matches!(kind.get(1..2), Some("b" | "u" | "i" | "f"))
}

/// The names of the classes, and each label as the number of its class. If the labels are numbers from 0 to 255, they are kept, and
/// classes are named by `names` or their numbers.
fn classes(
    parts: &[Vec<String>],
    names: Option<Vec<String>>,
    arrays: &[ArrayInfo],
    notes: &mut Vec<Note>,
) -> (Vec<String>, Vec<Vec<u8>>) {
    let Some(array) = arrays.first() else {
        notes.push(Note::NoLabelArray);
        return (vec![], vec![]);
    };
    let numbers = |part: &Vec<String>| part.iter().map(|text| text.parse::<u8>().ok()).collect();
    let counted: Option<Vec<Vec<u8>>> = parts.iter().map(numbers).collect();
    let (classes, labels) = if let Some(labels) = counted {
        let last = labels.iter().flatten().max().copied().unwrap_or(0);
        let names =
            names.filter(|names| (usize::from(last) + 1..=MAX_CLASSES).contains(&names.len()));
        (names.unwrap_or_else(|| (0..=last).map(|c| c.to_string()).collect()), labels)
    } else {
        let classes: BTreeSet<&String> = parts.iter().flatten().collect();
        let classes: Vec<String> = classes.into_iter().cloned().collect();
        if classes.len() > MAX_CLASSES {
            let (array, labels) = (array.clone(), classes.len());
            notes.push(Note::TooManyLabels { array, labels, limit: MAX_CLASSES });
            return (vec![], vec![]);
        }
        let number = |text: &String| classes.binary_search(text).unwrap_or_default() as u8;
        let labels = parts.iter().map(|part| part.iter().map(number).collect()).collect();
        (classes, labels)
    };
    notes.push(Note::ClassesFromArray { array: array.clone(), classes: classes.len() });
    (classes, labels)
}

#[cfg(test)]
mod tests;
