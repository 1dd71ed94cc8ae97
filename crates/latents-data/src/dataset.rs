//! A data set in memory: parts of labelled images, the names of the classes, and how all of it was made. Opening a source is
//! in `open`; pixels are in `images`.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use crate::columns::{ColumnLabels, LabelColumn};
use crate::error::{Error, PartsProblem};
use crate::images::{Images, evenly_spaced, hexadecimal};
use crate::note::Note;
use crate::part::Part;
use crate::pictures::Pictures;
use crate::split::{folds, strata};
use crate::warnings::{Seen, copies};

/// The largest number of classes; labels have 16 bits.
pub(crate) const MAX_CLASSES: usize = 1 << 16;

/// The range of values of images that are stored as bytes.
pub(crate) const BYTES: [f64; 2] = [0.0, 255.0];

/// One part of a data set: images and, if known, the class of each.
///
/// ```
/// use latents_data::Dataset;
/// use latents_progress::Monitor;
///
/// let data = Dataset::open("fashion-mnist-sample", &Monitor::default())?;
/// assert_eq!((data.test.len(), data.test.images.shape()), (500, [1, 28, 28]));
/// assert!(data.test.class_of(0, &data.classes).is_some());
/// # Ok::<(), latents_data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// The images, `[n, c, h, w]`.
    pub images: Images,
    /// The class of each image, `[n]`, counted from 0, or `None` for an image without one; `None` if no image has a label.
    pub labels: Option<Vec<Option<u16>>>,
    /// The name of each image, `[n]`: the path of its file within the folder, with `/` between its components; `None` if
    /// images have no names.
    pub names: Option<Vec<String>>,
    /// The labels of all images in each of several columns of the source, if there are several: for instance the factors of variation that
    /// are known of them. Columns without two or with more than 256 different labels are left out.
    pub columns: Vec<ColumnLabels>,
}

impl Labelled {
    /// Images without labels and names.
    #[must_use]
    pub fn unlabelled(images: Images) -> Self {
        Self { images, labels: None, names: None, columns: vec![] }
    }

    /// No images, of the same shape as these.
    pub(crate) fn none_like(images: &Images) -> Self {
        Self::unlabelled(images.at(&[]))
    }

    /// The images that have labels, and these labels `[n]`; `None` if no image has one.
    #[must_use]
    pub fn with_labels(&self) -> Option<(Cow<'_, Self>, Vec<u16>)> {
        let labels = self.labels.as_ref()?;
        let known: Vec<u16> = labels.iter().copied().flatten().collect();
        if known.len() == labels.len() {
            return (!known.is_empty()).then_some((Cow::Borrowed(self), known));
        }
        let places: Vec<usize> = (0..labels.len()).filter(|&i| labels[i].is_some()).collect();
        (!known.is_empty()).then(|| (Cow::Owned(self.at(&places)), known))
    }

    /// The labels `[n]`, if every image has one.
    #[must_use]
    pub fn all_labels(&self) -> Option<Vec<u16>> {
        self.labels.as_ref()?.iter().copied().collect()
    }

    /// The class of an image by name, if it has one.
    #[must_use]
    pub fn class_of<'a>(&self, i: usize, classes: &'a [String]) -> Option<&'a str> {
        let label = (*self.labels.as_ref()?.get(i)?)?;
        classes.get(usize::from(label)).map(String::as_str)
    }

    /// What an image is called: its name, or its number from 0.
    #[must_use]
    pub fn name_of(&self, i: usize) -> String {
        match self.names.as_ref().and_then(|names| names.get(i)) {
            Some(name) => name.clone(),
            None => i.to_string(),
        }
    }

    /// The image that `text` means: by its name, by the end of its name if no other ends like that, or by its number from 0.
    ///
    /// # Errors
    /// [`Error::NoSuchImage`] if there is none, or there are several.
    pub fn find(&self, text: &str) -> Result<usize, Error> {
        find_image(self.names.as_deref(), self.len(), text)
    }

    /// The number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there are no images.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// Keeps the first `n` images with what is known of them; does nothing if there are no more than that.
    pub fn truncate(&mut self, n: usize) {
        self.images.truncate(n);
        if let Some(labels) = &mut self.labels {
            labels.truncate(n);
        }
        if let Some(names) = &mut self.names {
            names.truncate(n);
        }
        for column in &mut self.columns {
            column.labels.truncate(n);
        }
    }

    /// Keeps `n` [evenly spaced](evenly_spaced) images with what is known of them; does nothing if there are no more than that.
    pub fn subsample(&mut self, n: usize) {
        if n < self.len() {
            *self = self.at(&evenly_spaced(n, self.len()).collect::<Vec<_>>());
        }
    }

    /// The images at these indices, in this order, with what is known of them.
    ///
    /// # Panics
    /// If an index is not below [`len`](Self::len).
    #[must_use]
    pub fn at(&self, indices: &[usize]) -> Self {
        Labelled {
            images: self.images.at(indices),
            labels: self.labels.as_ref().map(|l| indices.iter().map(|&i| l[i]).collect()),
            names: self.names.as_ref().map(|n| indices.iter().map(|&i| n[i].clone()).collect()),
            columns: self.columns.iter().map(|column| column.at(indices)).collect(),
        }
    }
}

/// The largest number of images to use of each part; `None` for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Of the training part.
    pub train: Option<usize>,
    /// Of the test part.
    pub test: Option<usize>,
}

/// A data set in memory. All parts have images of one shape, and labels below `classes.len()`.
///
/// ```
/// use latents_data::{Dataset, Limits, Part};
/// use latents_progress::Monitor;
///
/// let data = Dataset::open("fashion-mnist-sample", &Monitor::default())?;
/// assert_eq!((data.shape(), data.train.len(), data.test.len()), ([1, 28, 28], 2_500, 500));
/// let data = data.limited(Limits { train: Some(100), test: None });
/// assert_eq!(data.part(Part::Train).len(), 100);
/// # Ok::<(), latents_data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// The name of the source, as [`Source`](crate::Source) prints it.
    pub name: String,
    /// The origin of the images: one line for people.
    pub origin: String,
    /// What people should know about how the source was read.
    pub notes: Vec<Note>,
    /// The name of each class; empty if no part is labelled.
    pub classes: Vec<String>,
    /// The labels that the source has for each image, of which one gives the classes; empty if they come from folders.
    pub columns: Vec<LabelColumn>,
    /// The images to train on; and to validate on, if `validation` is empty.
    pub train: Labelled,
    /// The images of the source's own validation part; empty if it has none.
    pub validation: Labelled,
    /// The images to measure results on. Never train on them.
    pub test: Labelled,
    /// The images of a part without labels, such as the test part of a competition, if the training part has labels; mostly empty.
    pub unlabelled: Labelled,
    /// The settings that pictures were made into images with. If the source can be read with other settings than the default
    /// ones, `size` and `grey` are what was used, so the same settings give images of the same shape from other pictures.
    pub pictures: Pictures,
    /// The values of the source that became black and white (pixels 0 and 255, 0 and 1 for a network): `[0.0, 255.0]` for
    /// bytes, and what the values of the arrays suggest for an `.npz` file.
    pub range: [f64; 2],
    /// The limits that were applied by [`limited`](Self::limited).
    pub limits: Limits,
    /// Whether the images are in random order, so that the first ones represent all.
    pub(crate) shuffled: bool,
}

impl Dataset {
    /// A data set of images in memory. Its name is free: it need not be a [`Source`](crate::Source). `classes` are the names of
    /// the classes, empty if no part is labelled; the test part may be empty.
    ///
    /// ```
    /// use latents_data::{Dataset, Images, Labelled};
    ///
    /// let part = |n: usize| {
    ///     let images = Images::new(3, 8, 8, vec![0; n * 3 * 8 * 8])?;
    ///     Ok::<_, latents_data::Error>(Labelled::unlabelled(images))
    /// };
    /// let data = Dataset::from_parts("mine", vec![], part(20)?, part(5)?)?;
    /// assert_eq!((data.shape(), data.is_labelled()), ([3, 8, 8], false));
    /// # Ok::<(), latents_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Parts`] if the parts have images of different shapes, a part has more or fewer labels or names than images, a
    /// label is not below `classes.len()`, or there are more than 256 classes.
    pub fn from_parts(
        name: impl Into<String>,
        classes: Vec<String>,
        train: Labelled,
        test: Labelled,
    ) -> Result<Self, Error> {
        let name = name.into();
        if let Some(problem) = problem(&classes, &train, &test) {
            return Err(Error::Parts { name, problem });
        }
        let origin = format!("{} training and {} test images in memory", train.len(), test.len());
        Ok(Self { shuffled: false, ..Self::of_bytes(name, origin, classes, train, test) })
    }

    /// A data set whose source has images of one shape as bytes, in random order.
    pub(crate) fn of_bytes(
        name: String,
        origin: String,
        classes: Vec<String>,
        train: Labelled,
        test: Labelled,
    ) -> Self {
        Self {
            name,
            origin,
            notes: vec![],
            classes,
            columns: vec![],
            validation: Labelled::none_like(&train.images),
            unlabelled: Labelled::none_like(&train.images),
            train,
            test,
            pictures: Pictures::default(),
            range: BYTES,
            limits: Limits::default(),
            shuffled: true,
        }
    }

    /// The shape of one image, `[c, h, w]`.
    #[must_use]
    pub fn shape(&self) -> [usize; 3] {
        self.train.images.shape()
    }

    /// One part.
    #[must_use]
    pub fn part(&self, part: Part) -> &Labelled {
        match part {
            Part::Train => &self.train,
            Part::Validation => &self.validation,
            Part::Test => &self.test,
            Part::Unlabelled => &self.unlabelled,
        }
    }

    /// The images of all parts, and the part of each; in the order of [`Part::ALL`].
    #[must_use]
    pub fn all(&self) -> (Labelled, Vec<Part>) {
        let parts: Vec<(Part, &Labelled)> = Part::ALL
            .into_iter()
            .map(|part| (part, self.part(part)))
            .filter(|(_, labelled)| !labelled.is_empty())
            .collect();
        let images: Vec<&Images> = parts.iter().map(|(_, labelled)| &labelled.images).collect();
        let images = Images::concat(&images).unwrap_or_else(|| self.train.images.clone());
        let labels = parts.iter().any(|(_, l)| l.labels.is_some()).then(|| {
            let of = |l: &Labelled| l.labels.clone().unwrap_or_else(|| vec![None; l.len()]);
            parts.iter().flat_map(|(_, labelled)| of(labelled)).collect()
        });
        let names = parts.iter().map(|(_, labelled)| labelled.names.clone());
        let names = names.collect::<Option<Vec<_>>>().map(|names| names.concat());
        let each = parts.iter().flat_map(|(part, l)| std::iter::repeat_n(*part, l.len()));
        let columns: Vec<&[ColumnLabels]> =
            parts.iter().map(|(_, labelled)| labelled.columns.as_slice()).collect();
        let columns = ColumnLabels::concat(&columns);
        (Labelled { images, labels, names, columns }, each.collect())
    }

    /// Divides the images of the training, validation and test parts into [folds](crate::folds), and gives for each fold a
    /// data set that tests on it and trains on the others. Copies of one picture are in one fold.
    ///
    /// # Panics
    /// If `count` is 0.
    #[must_use]
    pub fn folds(&self, count: usize, seed: u64) -> Vec<Self> {
        let (all, parts) = self.all();
        let known: Vec<usize> = (0..all.len()).filter(|&i| parts[i] != Part::Unlabelled).collect();
        let all = all.at(&known);
        let seen: Vec<Seen> = (0..all.len()).map(|i| Seen::of(all.images.image(i))).collect();
        let label = |i: usize| all.labels.as_ref().and_then(|labels| labels[i]);
        let strata = strata((0..all.len()).map(label));
        let fold_of = folds(&strata, &copies(&seen), count, seed);
        let part = |fold: usize, inside: bool| {
            let members = (0..all.len()).filter(|&i| (fold_of[i] == fold) == inside);
            all.at(&members.collect::<Vec<_>>())
        };
        let one = |fold| Self {
            train: part(fold, false),
            test: part(fold, true),
            validation: Labelled::none_like(&self.train.images),
            ..self.clone()
        };
        (0..count).map(one).collect()
    }

    /// Whether both training and test images have labels.
    #[must_use]
    pub fn is_labelled(&self) -> bool {
        self.train.labels.is_some() && self.test.labels.is_some()
    }

    /// SHA-256 of the training images, as of [`Images::digest`], and then of the validation part if there is one.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut sum = Sha256::new();
        self.train.images.add_to(&mut sum);
        if !self.validation.is_empty() {
            self.validation.images.add_to(&mut sum);
        }
        hexadecimal(&sum.finalize())
    }

    /// Keeps no more images than `limits` says, and records it in [`limits`](Self::limits): the first ones of a source whose
    /// images are in random order (Fashion-MNIST, IDX files); [evenly spaced](evenly_spaced) ones of any other, which may be in
    /// the order of its classes.
    #[must_use]
    pub fn limited(mut self, limits: Limits) -> Self {
        for (part, limit) in [(&mut self.train, limits.train), (&mut self.test, limits.test)] {
            match limit {
                Some(limit) if self.shuffled => part.truncate(limit),
                Some(limit) => part.subsample(limit),
                None => {}
            }
        }
        let both = |before: Option<usize>, now| before.into_iter().chain(now).min();
        self.limits = Limits {
            train: both(self.limits.train, limits.train),
            test: both(self.limits.test, limits.test),
        };
        self
    }

    /// Name, origin and notes as text for people, one line each; lines after the first are indented by two spaces.
    #[must_use]
    pub fn describe(&self) -> String {
        self.describe_with(Note::to_string)
    }

    /// As [`describe`](Self::describe), with a text of the caller's for each note.
    #[must_use]
    pub fn describe_with(&self, note: impl FnMut(&Note) -> String) -> String {
        let mut lines = vec![format!("{}: {}", self.name, self.origin)];
        lines.extend(self.notes.iter().map(note));
        lines.join("\n  ")
    }

    /// Index and caption of some test images to show, at most `most`: the first image of each class, with the name of the class;
    /// without labels the first images, with the names of their files or their numbers.
    #[must_use]
    pub fn one_of_each(&self, most: usize) -> Vec<(usize, String)> {
        let Some(labels) = &self.test.labels else {
            let name = |i: usize| match &self.test.names {
                Some(names) => names[i].rsplit('/').next().unwrap_or_default().to_owned(),
                None => format!("image {i}"),
            };
            return (0..self.test.len().min(most)).map(|i| (i, name(i))).collect();
        };
        let first = |(class, name): (usize, &String)| {
            let index = labels.iter().position(|&label| label.map(usize::from) == Some(class))?;
            Some((index, name.clone()))
        };
        self.classes.iter().enumerate().filter_map(first).take(most).collect()
    }
}

/// The image among `n`, with these names, that `text` means, as of [`Labelled::find`].
///
/// # Errors
/// [`Error::NoSuchImage`].
pub fn find_image(names: Option<&[String]>, n: usize, text: &str) -> Result<usize, Error> {
    let names = names.unwrap_or_default();
    if let Some(i) = names.iter().position(|name| name == text) {
        return Ok(i);
    }
    let text = text.strip_prefix("./").unwrap_or(text);
    let ends = |name: &str| {
        name.strip_suffix(text).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    };
    let mut ending = (0..names.len()).filter(|&i| !text.is_empty() && ends(&names[i]));
    match (ending.next(), ending.next()) {
        (Some(i), None) => return Ok(i),
        (Some(a), Some(b)) => {
            let several = Some([names[a].clone(), names[b].clone()]);
            return Err(Error::NoSuchImage { text: text.to_owned(), images: n, several });
        }
        _ => {}
    }
    let number = text.parse().ok().filter(|&i: &usize| i < n);
    let none = || Error::NoSuchImage { text: text.to_owned(), images: n, several: None };
    number.ok_or_else(none)
}

/// Labels of images that all have one.
pub(crate) fn known<L: Into<u16>>(labels: Vec<L>) -> Vec<Option<u16>> {
    labels.into_iter().map(|label| Some(label.into())).collect()
}

/// Why these parts are not a data set.
fn problem(classes: &[String], train: &Labelled, test: &Labelled) -> Option<PartsProblem> {
    let shapes = [train.images.shape(), test.images.shape()];
    if shapes[0] != shapes[1] {
        return Some(PartsProblem::Shapes { train: shapes[0], test: shapes[1] });
    }
    if classes.len() > MAX_CLASSES {
        return Some(PartsProblem::TooManyClasses { classes: classes.len(), limit: MAX_CLASSES });
    }
    [(Part::Train, train), (Part::Test, test)].into_iter().find_map(|(part, labelled)| {
        let images = labelled.len();
        if let Some(names) = labelled.names.as_ref().map(Vec::len).filter(|&n| n != images) {
            return Some(PartsProblem::Names { part, names, images });
        }
        let labels = labelled.labels.as_ref()?;
        if labels.len() != images {
            return Some(PartsProblem::Labels { part, labels: labels.len(), images });
        }
        let outside = |label: &Option<u16>| label.is_some_and(|l| usize::from(l) >= classes.len());
        let index = labels.iter().position(outside)?;
        let (label, classes) = (labels[index].unwrap_or_default(), classes.len());
        Some(PartsProblem::Label { part, index, label, classes })
    })
}

#[cfg(test)]
mod tests;
