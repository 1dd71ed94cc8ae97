//! What every source becomes: images of one size as bytes, with labels where they are known. Nothing here knows a file
//! format, a network or a place on disk; turning bytes into floating-point lanes is the engine's work.

use std::ops::Range;

use sha2::{Digest, Sha256};

use crate::Error;
use crate::mapped::Mapped;

/// Images of one size, `[n, c, h, w]`, one byte a pixel, row by row within a channel, channel by channel within an image.
#[derive(Clone, Debug)]
pub struct Images {
    shape: [usize; 3],
    pixels: Pixels,
}

/// Where the pixels are.
#[derive(Clone, Debug)]
enum Pixels {
    Memory(Vec<u8>),
    /// In a file, of which the system keeps in memory what is in use.
    Mapped(Mapped, Range<usize>),
}

impl PartialEq for Images {
    fn eq(&self, other: &Self) -> bool {
        self.shape == other.shape && self.pixels() == other.pixels()
    }
}

impl Eq for Images {}

impl Images {
    /// Images of `channels` × `height` × `width` bytes each; their number follows from the number of `pixels`.
    ///
    /// # Errors
    /// [`Error::Pixels`] where a dimension is zero, where `pixels` is not a whole number of images, or where there are
    /// more than `u32::MAX` of them (samples are numbered with `u32`).
    pub fn new(
        channels: usize,
        height: usize,
        width: usize,
        pixels: Vec<u8>,
    ) -> Result<Self, Error> {
        Self::of(Pixels::Memory(pixels), [channels, height, width])
    }

    /// Images `[c, h, w]` in these bytes of a file.
    ///
    /// # Errors
    /// [`Error::Pixels`], as of [`Images::new`].
    ///
    /// # Panics
    /// Where the file has not all of the bytes.
    pub(crate) fn mapped(
        file: &Mapped,
        bytes: Range<usize>,
        shape: [usize; 3],
    ) -> Result<Self, Error> {
        assert!(bytes.start <= bytes.end && bytes.end <= file.bytes().len());
        Self::of(Pixels::Mapped(file.clone(), bytes), shape)
    }

    fn of(pixels: Pixels, shape: [usize; 3]) -> Result<Self, Error> {
        let images = Self { shape, pixels };
        let bytes = images.pixels().len();
        let size = shape.iter().try_fold(1usize, |product, &side| product.checked_mul(side));
        let whole = size.filter(|&size| size > 0 && bytes.is_multiple_of(size));
        match whole {
            Some(size) if u32::try_from(bytes / size).is_ok() => Ok(images),
            _ => Err(Error::Pixels { shape, bytes }),
        }
    }

    /// The number of images, `n`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pixels().len() / self.image_bytes()
    }

    /// Whether there is no image.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pixels().is_empty()
    }

    /// The shape of one image, `[c, h, w]`.
    #[must_use]
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// All pixels, `[n, c, h, w]`.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        match &self.pixels {
            Pixels::Memory(pixels) => pixels,
            Pixels::Mapped(file, range) => &file.bytes()[range.clone()],
        }
    }

    /// The pixels of image `i`, `[c, h, w]`.
    ///
    /// # Panics
    /// Where `i` is not below [`len`](Self::len).
    #[must_use]
    pub fn image(&self, i: usize) -> &[u8] {
        let size = self.image_bytes();
        &self.pixels()[i * size..(i + 1) * size]
    }

    /// SHA-256 of the shape and the pixels, in hexadecimal digits: equal for equal images only.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut sum = Sha256::new();
        for size in self.shape {
            sum.update((size as u64).to_le_bytes());
        }
        sum.update(self.pixels());
        hexadecimal(&sum.finalize())
    }

    /// Keeps the first `n` images; does nothing where there are no more than that.
    pub fn truncate(&mut self, n: usize) {
        let size = self.image_bytes();
        let bytes = n.saturating_mul(size).min(self.pixels().len());
        match &mut self.pixels {
            Pixels::Memory(pixels) => pixels.truncate(bytes),
            Pixels::Mapped(_, range) => range.end = range.start + bytes,
        }
    }

    /// The images at some places, in their order, in memory.
    ///
    /// # Panics
    /// Where one is not below [`len`](Self::len).
    #[must_use]
    pub fn at(&self, places: &[usize]) -> Self {
        let pixels = places.iter().flat_map(|&i| self.image(i)).copied().collect();
        Images { shape: self.shape, pixels: Pixels::Memory(pixels) }
    }

    fn image_bytes(&self) -> usize {
        self.shape.iter().product()
    }
}

/// At most `n` of so many places, evenly spread: of what is in the order of its classes, a part of each.
pub fn spread(n: usize, of: usize) -> impl Iterator<Item = usize> {
    let n = n.min(of);
    (0..n).map(move |i| i * of / n)
}

/// Bytes as hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// One part of a data set: images and, where known, the class of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// The images, `[n, c, h, w]`.
    pub images: Images,
    /// The class of each image, `[n]`, counted from 0; `None` where unknown.
    pub labels: Option<Vec<u8>>,
    /// What each image is called, `[n]`: the path of its file within the folder, with `/` between its parts; `None` where
    /// images have no names.
    pub names: Option<Vec<String>>,
}

impl Labelled {
    /// The number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there is no image.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// Keeps the first `n` images and their labels; does nothing where there are no more than that.
    pub fn truncate(&mut self, n: usize) {
        self.images.truncate(n);
        if let Some(labels) = &mut self.labels {
            labels.truncate(n);
        }
        if let Some(names) = &mut self.names {
            names.truncate(n);
        }
    }

    /// Keeps `n` images, evenly [`spread`] over all; does nothing where there are no more than that.
    pub fn thin(&mut self, n: usize) {
        if n < self.len() {
            *self = self.at(&spread(n, self.len()).collect::<Vec<_>>());
        }
    }

    /// The images at some places, in their order, with their labels and names.
    ///
    /// # Panics
    /// Where one is not below [`len`](Self::len).
    #[must_use]
    pub fn at(&self, places: &[usize]) -> Self {
        Labelled {
            images: self.images.at(places),
            labels: self.labels.as_ref().map(|l| places.iter().map(|&i| l[i]).collect()),
            names: self.names.as_ref().map(|n| places.iter().map(|&i| n[i].clone()).collect()),
        }
    }
}

/// A data set in memory. Both parts have images of one shape, and labels below `classes.len()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// The name by which it was asked for, as [`Source`](crate::Source) prints it.
    pub name: String,
    /// Where it came from: one line for people.
    pub origin: String,
    /// What else people should know of it, a line each: what was chosen for them, and what was left out.
    pub notes: Vec<String>,
    /// The name of each class; empty where no part is labelled.
    pub classes: Vec<String>,
    /// What to learn from.
    pub train: Labelled,
    /// What to measure with; never to be learnt from.
    pub test: Labelled,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_cut_at_their_own_borders() {
        let images = Images::new(2, 1, 3, (0..24).collect()).unwrap();
        assert_eq!((images.len(), images.shape()), (4, [2, 1, 3]));
        assert_eq!(images.image(2), [12, 13, 14, 15, 16, 17]);
        assert!(!images.is_empty());
    }

    #[test]
    fn digests_tell_images_apart() {
        let digest = |h, w, pixels| Images::new(1, h, w, pixels).unwrap().digest();
        // From Python: hashlib.sha256(struct.pack("<3Q", 1, 2, 1) + bytes([7, 8])).hexdigest()
        let expected = "765d71362a85f84cebccb5590ca9657183d985eaac55f0437a9ff6029faac265";
        assert_eq!(digest(2, 1, vec![7, 8]), expected);
        assert_ne!(digest(1, 2, vec![7, 8]), expected);
        assert_ne!(digest(2, 1, vec![7, 9]), expected);
    }

    #[test]
    fn wrong_sizes_are_refused() {
        for (c, h, w, bytes) in [(1, 2, 2, 5), (0, 2, 2, 4), (1, 0, 2, 0), (usize::MAX, 2, 2, 4)] {
            let error = Images::new(c, h, w, vec![0; bytes]).unwrap_err();
            assert!(
                matches!(error, Error::Pixels { shape, bytes: b } if shape == [c, h, w] && b == bytes),
                "{error}"
            );
        }
        assert_eq!(Images::new(3, 2, 2, Vec::new()).unwrap().len(), 0);
    }

    #[test]
    fn truncating_cuts_images_and_labels_alike() {
        let images = Images::new(1, 1, 2, vec![1, 2, 3, 4, 5, 6]).unwrap();
        let mut part = Labelled {
            images,
            labels: Some(vec![7, 8, 9]),
            names: Some(["a", "b", "c"].map(str::to_owned).into()),
        };
        part.truncate(usize::MAX);
        assert_eq!(part.len(), 3);
        part.truncate(2);
        assert_eq!(part.images.pixels(), [1, 2, 3, 4]);
        assert_eq!(part.labels, Some(vec![7, 8]));
        assert_eq!(part.names.unwrap(), ["a", "b"]);
    }

    #[test]
    fn thinning_keeps_some_of_every_class() {
        let images = Images::new(1, 1, 1, (0..10).collect()).unwrap();
        let labels = Some(vec![0, 0, 0, 1, 1, 1, 2, 2, 2, 2]);
        let names = Some((0..10).map(|i| i.to_string()).collect());
        let whole = Labelled { images, labels, names };
        let thin = |n| {
            let mut part = whole.clone();
            part.thin(n);
            part
        };
        assert_eq!((thin(10), thin(99)), (whole.clone(), whole.clone()));
        assert_eq!(thin(4).images.pixels(), [0, 2, 5, 7]);
        assert_eq!(thin(4).labels, Some(vec![0, 0, 1, 2]));
        assert_eq!(thin(4).names.unwrap(), ["0", "2", "5", "7"]);
        assert!(thin(0).is_empty());
        assert_eq!(spread(3, 0).count(), 0);
    }
}
