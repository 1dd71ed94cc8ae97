//! An `.npz` file of images as a data set: which of its arrays are images and which labels, how their axes lie, and what black and
//! white are. All of it is told to the user. How NumPy's files are read is in `npz`.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use image::RgbImage;
use latents_files::FileError;

use crate::folder::note_on_holding_out;
use crate::npz::{About, NpzError, Raw, Reader};
use crate::picture;
use crate::pictures::Pictures;
use crate::split::hold_out;
use crate::{Dataset, Error, Images, Labelled};

/// Names of an array of all images, and of those that train and test; in lower case, best first.
const IMAGES: [&str; 6] = ["image", "images", "x", "pixels", "data", "arr_0"];
const TRAIN_IMAGES: [&str; 3] = ["x_train", "train_images", "images_train"];
const TEST_IMAGES: [&str; 3] = ["x_test", "test_images", "images_test"];
/// Names of their labels.
const LABELS: [&str; 6] = ["label", "labels", "y", "target", "targets", "arr_1"];
const TRAIN_LABELS: [&str; 3] = ["y_train", "train_labels", "labels_train"];
const TEST_LABELS: [&str; 3] = ["y_test", "test_labels", "labels_test"];
/// Names of the names of classes.
const CLASSES: [&str; 4] = ["classes", "class_names", "target_names", "label_names"];
/// The most classes; labels are bytes.
const MAX_CLASSES: usize = 256;

/// Reads a file.
pub(crate) fn load(name: String, path: &Path, settings: &Pictures) -> Result<Dataset, Error> {
    if let Some(problem) = settings.problem() {
        return Err(Error::Setting { problem });
    }
    let file = File::open(path).map_err(FileError::on("read", path)).map_err(NpzError::from)?;
    let origin = format!("NumPy arrays in {}", path.display());
    read(file, settings)
        .map(|read| Dataset { name, origin, ..read })
        .map_err(|reason| Error::Arrays { file: path.into(), reason })
}

/// Which arrays are what.
struct Chosen {
    /// One array, or that which trains and that which tests.
    images: Vec<About>,
    /// As many, or none.
    labels: Vec<About>,
}

/// What a reader gives, still without a name.
pub(crate) fn read(file: impl Read + Seek, settings: &Pictures) -> Result<Dataset, String> {
    let mut reader = Reader::new(file)?;
    let (arrays, broken) = reader.arrays();
    let Chosen { images, labels } = choose(&arrays, &broken)?;
    let layouts = images.iter().map(Layout::of).collect::<Result<Vec<_>, _>>()?;
    if layouts.windows(2).any(|pair| pair[0].image() != pair[1].image()) {
        let shapes: Vec<String> = images.iter().map(describe).collect();
        return Err(format!("{} are of different sizes", shapes.join(" and ")));
    }
    let mut raws = vec![];
    for array in &images {
        raws.push((array, reader.read(&array.name)?));
    }
    let range = Range::of(&raws)?;
    let mut notes: Vec<String> = images
        .iter()
        .zip(&layouts)
        .map(|(array, layout)| {
            let how = layout.describe();
            format!("images from array {}{how}; {}", describe(array), range.describe())
        })
        .collect();
    let mut parts = vec![];
    for ((_, raw), layout) in raws.iter().zip(&layouts) {
        parts.push(layout.planes(raw, &range, settings));
    }
    drop(raws);

    let mut values = vec![];
    for (array, part) in labels.iter().zip(&layouts) {
        let raw = reader.read(&array.name)?;
        let found: usize = raw.shape.iter().product();
        if found != part.n {
            return Err(format!(
                "array {} has {found} labels for {} images",
                describe(array),
                part.n
            ));
        }
        values.push(texts(&raw).map_err(|e| format!("labels in array {}: {e}", describe(array)))?);
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
        notes.push(note_on_holding_out(count, n, labels.is_some()));
        let part = |wanted: bool| {
            let size = channels * h * w;
            let chosen = || held.iter().enumerate().filter(move |(_, held)| **held == wanted);
            let bytes = chosen().flat_map(|(i, _)| &first[i * size..][..size]).copied().collect();
            let labels = labels.as_ref().map(|l| chosen().map(|(i, _)| l[i]).collect());
            Ok::<_, String>(Labelled { images: images(bytes)?, labels, names: None })
        };
        (part(false)?, part(true)?)
    };
    let (name, origin) = (String::new(), String::new());
    Ok(Dataset { name, origin, notes, classes, train, test })
}

fn is_named(array: &About, names: &[&str]) -> bool {
    names.contains(&array.name.to_lowercase().as_str())
}

fn describe(array: &About) -> String {
    format!("`{}` {:?} of {}", array.name, array.shape, array.kind)
}

fn choose(arrays: &[About], broken: &[(String, String)]) -> Result<Chosen, String> {
    // The best name that any array has; images that lie flat only where there are no others.
    let find = |names: &[&str], ranks: std::ops::RangeInclusive<usize>| {
        let named = |name: &&str| {
            let mut all = arrays.iter().filter(|a| a.name.to_lowercase() == *name);
            all.find(|a| ranks.contains(&a.shape.len()) && is_number(&a.kind))
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
        arrays.iter().filter(|a| (3..=4).contains(&a.shape.len()) && is_number(&a.kind));
    let only = match (unnamed.next(), unnamed.next()) {
        (Some(only), None) => Some(only.clone()),
        _ => None,
    };
    let images = images(&IMAGES).or_else(|| images(&TRAIN_IMAGES)).or(only).ok_or_else(|| {
        let broken = broken.iter().map(|(name, why)| format!("`{name}`, which cannot be read: {why}"));
        let all: Vec<String> = arrays.iter().map(describe).chain(broken).collect();
        let all = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
        format!("it has no array of images, `image` [n, h, w], [n, c, h, w] or [n, h, w, c]; its arrays: {all}")
    })?;
    let labels =
        labels(&LABELS).or_else(|| labels(&TRAIN_LABELS)).filter(|l| l.name != images.name);
    Ok(Chosen { images: vec![images], labels: labels.into_iter().collect() })
}

fn is_number(kind: &str) -> bool {
    matches!(kind.get(1..2), Some("b" | "u" | "i" | "f"))
}

/// How the axes of an array of images lie.
#[derive(Clone, Copy)]
struct Layout {
    n: usize,
    channels: usize,
    size: [usize; 2],
    /// From one item to the next: channel, row, column.
    steps: [usize; 3],
    /// What was made out, where it could have been otherwise.
    guess: Guess,
}

#[derive(Clone, Copy)]
enum Guess {
    None,
    Flat,
    ChannelsFirst,
    ChannelsLast,
}

impl Layout {
    fn of(array: &About) -> Result<Self, String> {
        let unclear =
            |why: &str| Err(format!("array {} is no array of images: {why}", describe(array)));
        let is_channels = |c: usize| matches!(c, 1 | 3 | 4);
        let layout = match array.shape[..] {
            [n, h, w] => {
                Self { n, channels: 1, size: [h, w], steps: [0, w, 1], guess: Guess::None }
            }
            [n, a, b, c] if is_channels(c) && (!is_channels(a) || b != c) => Self {
                n,
                channels: c,
                size: [a, b],
                steps: [1, b * c, c],
                guess: Guess::ChannelsLast,
            },
            [n, c, h, w] if is_channels(c) => Self {
                n,
                channels: c,
                size: [h, w],
                steps: [h * w, w, 1],
                guess: Guess::ChannelsFirst,
            },
            [n, numbers] => {
                let square = |numbers: usize| Some(numbers.isqrt()).filter(|s| s * s == numbers);
                let colour =
                    || square(numbers / 3).filter(|_| numbers.is_multiple_of(3)).map(|s| (s, 3));
                let Some((side, channels)) = square(numbers).map(|s| (s, 1)).or_else(colour) else {
                    return unclear("its rows are no squares, grey or coloured");
                };
                let steps = [side * side, side, 1];
                Self { n, channels, size: [side, side], steps, guess: Guess::Flat }
            }
            _ => return unclear("neither its second nor its last axis has 1, 3 or 4 channels"),
        };
        if layout.n == 0 || layout.size.contains(&0) {
            return unclear("it is empty");
        }
        Ok(layout)
    }

    /// What both parts of a data set must agree in.
    fn image(&self) -> (usize, [usize; 2]) {
        (self.channels, self.size)
    }

    fn describe(&self) -> String {
        let [h, w] = self.size;
        match self.guess {
            Guess::None => String::new(),
            Guess::Flat => format!(", each row {} x {h} x {w}", self.channels),
            Guess::ChannelsFirst => format!(", channels first: {} x {h} x {w}", self.channels),
            Guess::ChannelsLast => format!(", channels last: {h} x {w} x {}", self.channels),
        }
    }

    /// All images as bytes, `[n, 1 or 3, h, w]`: three planes where they have colours and are not made grey.
    fn planes(&self, raw: &Raw, range: &Range, settings: &Pictures) -> Vec<u8> {
        let items = Items::of(raw);
        let [h, w] = self.size;
        let one = |i: usize| {
            let at = |c: usize, y: usize, x: usize| {
                let [channel, row, column] = self.steps;
                let item = i * self.channels * h * w + c * channel + y * row + x * column;
                range.byte(items.get(item))
            };
            let pixel = |x: u32, y: u32| {
                let (x, y) = (x as usize, y as usize);
                let colour = match self.channels {
                    1 => [at(0, y, x); 3],
                    _ => [0, 1, 2].map(|c| at(c, y, x)),
                };
                if self.channels < 4 {
                    return image::Rgb(colour);
                }
                let alpha = at(3, y, x);
                let background = settings.background.0;
                image::Rgb([0, 1, 2].map(|c| picture::over(colour[c], background[c], alpha)))
            };
            let image = RgbImage::from_fn(w as u32, h as u32, pixel);
            let size = settings.size.unwrap_or(self.size);
            let planes =
                picture::planes(&picture::fit(image, size, settings.fit, settings.background.0));
            match self.channels {
                1 => planes[..planes.len() / 3].to_vec(),
                _ if settings.grey => picture::grey(&planes),
                _ => planes,
            }
        };
        (0..self.n).flat_map(one).collect()
    }
}

/// Items of an array, by number.
struct Items<'a> {
    bytes: &'a [u8],
    size: usize,
    read: fn(&[u8]) -> f64,
}

impl<'a> Items<'a> {
    fn of(raw: &'a Raw) -> Self {
        macro_rules! reader {
            ($kind:ty, $from:ident) => {
                |b| {
                    // One macro for all kinds, also for those that fit a double.
                    #[allow(clippy::cast_lossless)]
                    b.try_into().map_or(0.0, |b| <$kind>::$from(b) as f64)
                }
            };
        }
        let (letter, size) =
            (raw.kind.get(1..2).unwrap_or_default(), raw.kind.get(2..).unwrap_or_default());
        let big = raw.kind.starts_with('>');
        let read: fn(&[u8]) -> f64 = match (letter, size, big) {
            ("i", "1", _) => reader!(i8, from_le_bytes),
            ("u", "2", false) => reader!(u16, from_le_bytes),
            ("u", "2", true) => reader!(u16, from_be_bytes),
            ("i", "2", false) => reader!(i16, from_le_bytes),
            ("i", "2", true) => reader!(i16, from_be_bytes),
            ("u", "4", false) => reader!(u32, from_le_bytes),
            ("u", "4", true) => reader!(u32, from_be_bytes),
            ("i", "4", false) => reader!(i32, from_le_bytes),
            ("i", "4", true) => reader!(i32, from_be_bytes),
            ("u", "8", false) => reader!(u64, from_le_bytes),
            ("u", "8", true) => reader!(u64, from_be_bytes),
            ("i", "8", false) => reader!(i64, from_le_bytes),
            ("i", "8", true) => reader!(i64, from_be_bytes),
            ("f", "4", false) => |b| b.try_into().map_or(0.0, |b| f32::from_le_bytes(b).into()),
            ("f", "4", true) => |b| b.try_into().map_or(0.0, |b| f32::from_be_bytes(b).into()),
            ("f", _, false) => |b| b.try_into().map_or(0.0, f64::from_le_bytes),
            ("f", _, true) => |b| b.try_into().map_or(0.0, f64::from_be_bytes),
            _ => |b| b[0].into(),
        };
        Self { bytes: &raw.bytes, size: size.parse().unwrap_or(1), read }
    }

    fn get(&self, i: usize) -> f64 {
        (self.read)(&self.bytes[i * self.size..(i + 1) * self.size])
    }

    fn all(&self) -> impl Iterator<Item = f64> {
        self.bytes.chunks_exact(self.size).map(self.read)
    }
}

/// What black and white are.
struct Range {
    black: f64,
    white: f64,
}

impl Range {
    /// Reads it off the least and the largest number.
    fn of(arrays: &[(&About, Raw)]) -> Result<Self, String> {
        let (mut least, mut most, mut whole) = (f64::INFINITY, f64::NEG_INFINITY, true);
        for (array, raw) in arrays {
            for (i, x) in Items::of(raw).all().enumerate() {
                if !x.is_finite() {
                    let array = describe(array);
                    return Err(format!("array {array}: number {i} is {x}; images have none such"));
                }
                (least, most) = (least.min(x), most.max(x));
                whole &= x.fract() == 0.0;
            }
        }
        let little = 1e-6;
        let (black, white) = match () {
            () if least >= 0.0 && most <= 1.0 + little => (0.0, 1.0),
            () if least >= -1.0 - little && most <= 1.0 + little => (-1.0, 1.0),
            () if least >= 0.0 && most <= 16.0 && whole => (0.0, 16.0),
            () if least >= 0.0 && most <= 255.0 => (0.0, 255.0),
            () if least >= 0.0 && most <= 65535.0 && whole => (0.0, 65535.0),
            () => {
                return Err(format!(
                    "its images have numbers from {least} to {most}; \
                     from 0 to 1, -1 to 1, 0 to 16 (whole), 0 to 255, or 0 to 65535 (whole) is expected"
                ));
            }
        };
        Ok(Self { black, white })
    }

    fn byte(&self, x: f64) -> u8 {
        ((x - self.black) * 255.0 / (self.white - self.black)).round() as u8
    }

    fn describe(&self) -> String {
        format!("{} is black and {} white", self.black, self.white)
    }
}

/// Labels as texts: names as they are, whole numbers in digits.
fn texts(raw: &Raw) -> Result<Vec<String>, String> {
    let size = raw.kind.get(2..).and_then(|size| size.parse().ok()).unwrap_or(1);
    match (raw.kind.get(..1), raw.kind.get(1..2)) {
        (_, Some("S")) => {
            let text =
                |item: &[u8]| String::from_utf8_lossy(item).trim_end_matches('\0').to_owned();
            Ok(raw.bytes.chunks_exact(size).map(text).collect())
        }
        (Some("<"), Some("U")) => {
            let text = |item: &[u8]| {
                let points = item.as_chunks().0.iter().map(|&b| u32::from_le_bytes(b));
                let points = points.take_while(|&point| point != 0);
                points.map(|p| char::from_u32(p).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
            };
            Ok(raw.bytes.chunks_exact(4 * size).map(text).collect())
        }
        (_, Some("U")) => Err("text in this order of bytes is not read".into()),
        _ => {
            let whole = |x: f64| {
                let fits = x.fract() == 0.0 && x.abs() < 1e15;
                fits.then(|| format!("{}", x as i64)).ok_or_else(|| format!("{x} is no class"))
            };
            Items::of(raw).all().map(whole).collect()
        }
    }
}

/// The classes, and each label as the number of its class. Where labels count from 0, classes have their numbers or `names`.
fn classes(
    parts: &[Vec<String>],
    names: Option<Vec<String>>,
    arrays: &[About],
    notes: &mut Vec<String>,
) -> (Vec<String>, Vec<Vec<u8>>) {
    let Some(array) = arrays.first() else {
        notes.push("no array of labels (`label` [n]), so no labels".into());
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
            let n = classes.len();
            notes.push(format!(
                "no labels: array {} has {n} different ones, and there are at most {MAX_CLASSES} classes",
                describe(array)
            ));
            return (vec![], vec![]);
        }
        let number = |text: &String| classes.binary_search(text).unwrap_or_default() as u8;
        let labels = parts.iter().map(|part| part.iter().map(number).collect()).collect();
        (classes, labels)
    };
    notes.push(format!("{} classes from array {}", classes.len(), describe(array)));
    (classes, labels)
}

#[cfg(test)]
mod tests;
