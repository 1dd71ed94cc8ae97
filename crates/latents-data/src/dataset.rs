//! A data set in memory: two parts of labelled images, the names of the classes, and how all of it was made. Opening a source is
//! in `open`; pixels are in `images`.

use crate::error::{Error, PartsProblem};
use crate::images::{Images, evenly_spaced};
use crate::note::Note;
use crate::part::Part;
use crate::pictures::Pictures;

/// The largest number of classes; labels are bytes.
pub(crate) const MAX_CLASSES: usize = 256;

/// The range of values of images that are stored as bytes.
pub(crate) const BYTES: [f64; 2] = [0.0, 255.0];

/// One part of a data set: images and, if known, the class of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// The images, `[n, c, h, w]`.
    pub images: Images,
    /// The class of each image, `[n]`, counted from 0; `None` if unknown.
    pub labels: Option<Vec<u8>>,
    /// The name of each image, `[n]`: the path of its file within the folder, with `/` between its components; `None` if
    /// images have no names.
    pub names: Option<Vec<String>>,
}

impl Labelled {
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

    /// Keeps the first `n` images with their labels and names; does nothing if there are no more than that.
    pub fn truncate(&mut self, n: usize) {
        self.images.truncate(n);
        if let Some(labels) = &mut self.labels {
            labels.truncate(n);
        }
        if let Some(names) = &mut self.names {
            names.truncate(n);
        }
    }

    /// Keeps `n` [evenly spaced](evenly_spaced) images with their labels and names; does nothing if there are no more than that.
    pub fn subsample(&mut self, n: usize) {
        if n < self.len() {
            *self = self.at(&evenly_spaced(n, self.len()).collect::<Vec<_>>());
        }
    }

    /// The images at these indices, in this order, with their labels and names.
    ///
    /// # Panics
    /// If an index is not below [`len`](Self::len).
    #[must_use]
    pub fn at(&self, indices: &[usize]) -> Self {
        Labelled {
            images: self.images.at(indices),
            labels: self.labels.as_ref().map(|l| indices.iter().map(|&i| l[i]).collect()),
            names: self.names.as_ref().map(|n| indices.iter().map(|&i| n[i].clone()).collect()),
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

/// A data set in memory. Both parts have images of one shape, and labels below `classes.len()`.
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
    /// The images to train and validate on.
    pub train: Labelled,
    /// The images to measure results on. Never train on them.
    pub test: Labelled,
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
    ///     Ok::<_, latents_data::Error>(Labelled { images, labels: None, names: None })
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
            Part::Test => &self.test,
        }
    }

    /// Whether the classes of all images are known, in both parts.
    #[must_use]
    pub fn is_labelled(&self) -> bool {
        self.train.labels.is_some() && self.test.labels.is_some()
    }

    /// SHA-256 of the training images, as of [`Images::digest`].
    #[must_use]
    pub fn digest(&self) -> String {
        self.train.images.digest()
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
            let index = labels.iter().position(|&label| usize::from(label) == class)?;
            Some((index, name.clone()))
        };
        self.classes.iter().enumerate().filter_map(first).take(most).collect()
    }
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
        let index = labels.iter().position(|&label| usize::from(label) >= classes.len())?;
        let (label, classes) = (labels[index], classes.len());
        Some(PartsProblem::Label { part, index, label, classes })
    })
}

#[cfg(test)]
mod tests;
