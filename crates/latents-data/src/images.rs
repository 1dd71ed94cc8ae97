//! Images of one shape, 8 or 16 bits for each pixel and channel, in memory or in a mapped file. Labels and data sets are in `dataset`;
//! nothing here knows a file format or a network.

use std::borrow::Cow;
use std::ops::Range;

use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::mapped::Mapped;

/// Images of one shape, `[n, c, h, w]` in row-major order, with 8 or 16 bits for each pixel and channel. Black is 0 and white the
/// largest integer, 255 or 65,535.
///
/// ```
/// use latents_data::Images;
///
/// let images = Images::new(3, 2, 2, (0..24).collect())?;
/// assert_eq!((images.len(), images.shape()), (2, [3, 2, 2]));
/// assert_eq!(images.image(1).to_bytes()[..4], [12, 13, 14, 15]); // the red channel of the second image
/// assert_eq!(images.image_unit(0)[1], 1.0 / 255.0);
/// # Ok::<(), latents_data::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Images {
    shape: [usize; 3],
    stored: Stored,
}

/// The bits of each pixel and channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Depth {
    /// 0 to 255.
    #[default]
    Eight,
    /// 0 to 65,535.
    Sixteen,
}

impl Depth {
    /// Bytes of each pixel and channel.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Eight => 1,
            Self::Sixteen => 2,
        }
    }
}

/// The place of the pixels.
#[derive(Clone, Debug)]
enum Stored {
    Bytes(Vec<u8>),
    Words(Vec<u16>),
    /// A range of bytes of a mapped file; the system keeps in memory what is in use.
    Mapped(Mapped, Range<usize>, Depth),
}

/// Pixels of images, in row-major order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pixels<'a> {
    /// 8 bits: 0 to 255.
    Bytes(&'a [u8]),
    /// 16 bits: 0 to 65,535.
    Words(&'a [u16]),
}

impl<'a> Pixels<'a> {
    /// How many there are.
    #[must_use]
    pub fn len(self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Words(words) => words.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The pixels in a range.
    ///
    /// # Panics
    /// If the range is not within [`len`](Self::len).
    #[must_use]
    pub fn slice(self, range: Range<usize>) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Bytes(&bytes[range]),
            Self::Words(words) => Self::Words(&words[range]),
        }
    }

    /// The pixels from 0 to 1: divided by the largest integer.
    pub fn units(self) -> impl Iterator<Item = f32> + use<'a> {
        let (bytes, words) = match self {
            Self::Bytes(bytes) => (bytes, &[][..]),
            Self::Words(words) => (&[][..], words),
        };
        let words = words.iter().map(|&word| f32::from(word) / 65_535.0);
        bytes.iter().map(|&byte| f32::from(byte) / 255.0).chain(words)
    }

    /// The pixels with 8 bits, rounded if there are 16.
    #[must_use]
    pub fn to_bytes(self) -> Cow<'a, [u8]> {
        match self {
            Self::Bytes(bytes) => Cow::Borrowed(bytes),
            Self::Words(words) => {
                words.iter().map(|&word| ((u32::from(word) + 128) / 257) as u8).collect()
            }
        }
    }
}

impl<T: AsRef<[u8]>> PartialEq<T> for Pixels<'_> {
    fn eq(&self, bytes: &T) -> bool {
        matches!(self, Self::Bytes(own) if *own == bytes.as_ref())
    }
}

impl PartialEq for Images {
    fn eq(&self, other: &Self) -> bool {
        self.shape == other.shape && self.pixels() == other.pixels()
    }
}

impl Eq for Images {}

impl Images {
    /// Images of `channels` × `height` × `width` bytes each, `pixels` being `[n, c, h, w]`; `n` follows from their number.
    ///
    /// # Errors
    /// [`Error::Pixels`] if a dimension is zero, if `pixels` is not a whole number of images, or if there are more than
    /// `u32::MAX` images (samples are numbered with `u32`).
    pub fn new(
        channels: usize,
        height: usize,
        width: usize,
        pixels: Vec<u8>,
    ) -> Result<Self, Error> {
        Self::of(Stored::Bytes(pixels), [channels, height, width])
    }

    /// Images with 16 bits for each pixel and channel, `[n, c, h, w]`.
    ///
    /// # Errors
    /// [`Error::Pixels`], as of [`Images::new`].
    pub fn from_words(
        channels: usize,
        height: usize,
        width: usize,
        pixels: Vec<u16>,
    ) -> Result<Self, Error> {
        Self::of(Stored::Words(pixels), [channels, height, width])
    }

    /// Images of shape `[c, h, w]` in these bytes of a mapped file; 16 bits are in the machine's own order.
    ///
    /// # Errors
    /// [`Error::Pixels`], as of [`Images::new`].
    ///
    /// # Panics
    /// If the range is not within the file, or 16-bit pixels do not start at an even byte.
    pub(crate) fn mapped(
        file: &Mapped,
        bytes: Range<usize>,
        shape: [usize; 3],
        depth: Depth,
    ) -> Result<Self, Error> {
        assert!(bytes.start <= bytes.end && bytes.end <= file.bytes().len());
        assert!(bytes.start.is_multiple_of(depth.bytes()));
        Self::of(Stored::Mapped(file.clone(), bytes, depth), shape)
    }

    fn of(stored: Stored, shape: [usize; 3]) -> Result<Self, Error> {
        let bytes = match &stored {
            Stored::Bytes(bytes) => bytes.len(),
            Stored::Words(words) => 2 * words.len(),
            Stored::Mapped(_, range, _) => range.len(),
        };
        let images = Self { shape, stored };
        let depth = images.depth().bytes();
        let size = shape.iter().try_fold(depth, |product, &side| product.checked_mul(side));
        let whole = size.filter(|&size| size > 0 && bytes.is_multiple_of(size));
        match whole {
            Some(size) if u32::try_from(bytes / size).is_ok() => Ok(images),
            _ => Err(Error::Pixels { shape, bytes }),
        }
    }

    /// The number of images, `n`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pixels().len() / self.numbers()
    }

    /// Whether there are no images.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pixels().is_empty()
    }

    /// The shape of one image, `[c, h, w]`.
    #[must_use]
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The bits of each pixel and channel.
    #[must_use]
    pub fn depth(&self) -> Depth {
        match &self.stored {
            Stored::Bytes(_) => Depth::Eight,
            Stored::Words(_) => Depth::Sixteen,
            Stored::Mapped(_, _, depth) => *depth,
        }
    }

    /// All pixels, `[n, c, h, w]`.
    #[must_use]
    pub fn pixels(&self) -> Pixels<'_> {
        match &self.stored {
            Stored::Bytes(bytes) => Pixels::Bytes(bytes),
            Stored::Words(words) => Pixels::Words(words),
            Stored::Mapped(file, range, Depth::Eight) => {
                Pixels::Bytes(&file.bytes()[range.clone()])
            }
            Stored::Mapped(file, range, Depth::Sixteen) => {
                Pixels::Words(bytemuck::cast_slice(&file.bytes()[range.clone()]))
            }
        }
    }

    /// The pixels of image `i`, `[c, h, w]`.
    ///
    /// # Panics
    /// If `i` is not below [`len`](Self::len).
    #[must_use]
    pub fn image(&self, i: usize) -> Pixels<'_> {
        let size = self.numbers();
        self.pixels().slice(i * size..(i + 1) * size)
    }

    /// SHA-256 of the shape (`c`, `h`, `w` as little-endian 64-bit integers) and the pixels (16 bits in little-endian order), in
    /// hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut sum = Sha256::new();
        self.add_to(&mut sum);
        hexadecimal(&sum.finalize())
    }

    /// Adds shape and pixels to a sum, as of [`digest`](Self::digest).
    pub(crate) fn add_to(&self, sum: &mut Sha256) {
        for size in self.shape {
            sum.update((size as u64).to_le_bytes());
        }
        match self.pixels() {
            Pixels::Bytes(bytes) => sum.update(bytes),
            Pixels::Words(words) => words.iter().for_each(|word| sum.update(word.to_le_bytes())),
        }
    }

    /// Keeps the first `n` images; does nothing if there are no more than that.
    pub fn truncate(&mut self, n: usize) {
        let numbers = n.saturating_mul(self.numbers()).min(self.pixels().len());
        match &mut self.stored {
            Stored::Bytes(bytes) => bytes.truncate(numbers),
            Stored::Words(words) => words.truncate(numbers),
            Stored::Mapped(_, range, depth) => range.end = range.start + numbers * depth.bytes(),
        }
    }

    /// The images at these indices, in this order, in memory.
    ///
    /// # Panics
    /// If an index is not below [`len`](Self::len).
    #[must_use]
    pub fn at(&self, indices: &[usize]) -> Self {
        fn of<T: Copy>(pixels: &[T], indices: &[usize], size: usize) -> Vec<T> {
            let mut chosen = Vec::with_capacity(indices.len() * size);
            for &i in indices {
                chosen.extend_from_slice(&pixels[i * size..(i + 1) * size]);
            }
            chosen
        }
        let size = self.numbers();
        let stored = match self.pixels() {
            Pixels::Bytes(bytes) => Stored::Bytes(of(bytes, indices, size)),
            Pixels::Words(words) => Stored::Words(of(words, indices, size)),
        };
        Images { shape: self.shape, stored }
    }

    /// All images of several collections of one shape and depth, in memory; of the first ones only, if others differ.
    pub(crate) fn concat(parts: &[&Self]) -> Option<Self> {
        let first = parts.first()?;
        let mut stored = match first.depth() {
            Depth::Eight => Stored::Bytes(vec![]),
            Depth::Sixteen => Stored::Words(vec![]),
        };
        for part in parts {
            match (&mut stored, part.pixels()) {
                (Stored::Bytes(all), Pixels::Bytes(bytes)) => all.extend_from_slice(bytes),
                (Stored::Words(all), Pixels::Words(words)) => all.extend_from_slice(words),
                // An empty part may have been made with the other depth.
                (_, pixels) if pixels.is_empty() => {}
                _ => return None,
            }
        }
        Some(Self { shape: first.shape, stored })
    }

    /// The images with rows and columns exchanged, in memory: `[n, c, w, h]`.
    #[must_use]
    pub fn transposed(&self) -> Self {
        fn of<T: Copy>(pixels: &[T], [h, w]: [usize; 2]) -> Vec<T> {
            let plane = |plane: &[T]| -> Vec<T> {
                (0..w).flat_map(|x| (0..h).map(move |y| y * w + x)).map(|i| plane[i]).collect()
            };
            pixels.chunks_exact(h * w).flat_map(plane).collect()
        }
        let [c, h, w] = self.shape;
        let stored = match self.pixels() {
            Pixels::Bytes(bytes) => Stored::Bytes(of(bytes, [h, w])),
            Pixels::Words(words) => Stored::Words(of(words, [h, w])),
        };
        Images { shape: [c, w, h], stored }
    }

    /// Images of one channel with that channel three times, as colours, in memory: `[n, 3, h, w]`. Images of more channels stay as they are.
    #[must_use]
    pub fn coloured(&self) -> Self {
        let [1, h, w] = self.shape else { return self.clone() };
        let stored = match self.pixels() {
            Pixels::Bytes(bytes) => {
                Stored::Bytes(bytes.chunks_exact(h * w).flat_map(|plane| plane.repeat(3)).collect())
            }
            Pixels::Words(words) => {
                Stored::Words(words.chunks_exact(h * w).flat_map(|plane| plane.repeat(3)).collect())
            }
        };
        Images { shape: [3, h, w], stored }
    }

    /// All pixels scaled to `[0, 1]` (divided by the largest integer), `[n, c, h, w]`.
    #[must_use]
    pub fn to_unit(&self) -> Vec<f32> {
        self.pixels().units().collect()
    }

    /// The pixels of image `i` scaled to `[0, 1]` (divided by the largest integer), `[c, h, w]`.
    ///
    /// # Panics
    /// If `i` is not below [`len`](Self::len).
    #[must_use]
    pub fn image_unit(&self, i: usize) -> Vec<f32> {
        self.image(i).units().collect()
    }

    /// The number of pixels and channels of an image.
    fn numbers(&self) -> usize {
        self.shape.iter().product()
    }
}

/// `min(n, of)` ascending, evenly spaced indices below `of`: `i * of / n`. Of images in the order of their classes, these are a
/// fair share of each class.
pub fn evenly_spaced(n: usize, of: usize) -> impl Iterator<Item = usize> {
    let n = n.min(of);
    (0..n).map(move |i| i * of / n)
}

/// Bytes as hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
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
    fn pixels_are_scaled_to_the_unit_interval() {
        let images = Images::new(1, 1, 2, vec![0, 255, 51, 1]).unwrap();
        assert_eq!(images.to_unit(), [0.0, 1.0, 0.2, 1.0 / 255.0]);
        assert_eq!(images.image_unit(1), [0.2, 1.0 / 255.0]);
    }

    #[test]
    fn rows_and_columns_are_exchanged() {
        let images = Images::new(1, 2, 3, (0..12).collect()).unwrap().transposed();
        assert_eq!(images.shape(), [1, 3, 2]);
        assert_eq!(images.pixels(), [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
        let words = Images::from_words(2, 1, 2, vec![1, 2, 3, 4]).unwrap().transposed();
        assert_eq!(words, Images::from_words(2, 2, 1, vec![1, 2, 3, 4]).unwrap());
    }

    #[test]
    fn sixteen_bits_stay_sixteen_bits() {
        let ramp = Images::from_words(1, 256, 256, (0..=u16::MAX).collect()).unwrap();
        assert_eq!((ramp.len(), ramp.depth()), (1, Depth::Sixteen));
        let mut units = ramp.image_unit(0);
        assert_eq!((units[0], units[65_535]), (0.0, 1.0));
        units.dedup();
        assert_eq!(units.len(), 65_536);
        // From Python: hashlib.sha256(struct.pack("<3Q2H", 1, 1, 2, 258, 65535)).hexdigest()
        let expected = "3234fe773ad5a76e8b727843498dd3cde926e6825782d0717938c17962a4072c";
        let two = Images::from_words(1, 1, 2, vec![258, 65_535]).unwrap();
        assert_eq!(two.digest(), expected);
        assert_eq!(*two.pixels().to_bytes(), [1, 255]);
        let error = Images::from_words(1, 1, 3, vec![0; 4]).unwrap_err();
        assert!(matches!(error, Error::Pixels { bytes: 8, .. }), "{error}");
    }
}
