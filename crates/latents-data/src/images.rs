//! Images of one shape as bytes, in memory or in a mapped file. Labels and data sets are in `dataset`; nothing here knows a file
//! format or a network.

use std::ops::Range;

use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::mapped::Mapped;

/// Images of one shape, `[n, c, h, w]` in row-major order, with one byte for each pixel and channel.
///
/// ```
/// use latents_data::Images;
///
/// let images = Images::new(3, 2, 2, (0..24).collect())?;
/// assert_eq!((images.len(), images.shape()), (2, [3, 2, 2]));
/// assert_eq!(images.image(1)[..4], [12, 13, 14, 15]); // the red channel of the second image
/// assert_eq!(images.image_unit(0)[1], 1.0 / 255.0);
/// # Ok::<(), latents_data::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Images {
    shape: [usize; 3],
    pixels: Pixels,
}

/// The place of the pixels.
#[derive(Clone, Debug)]
enum Pixels {
    Memory(Vec<u8>),
    /// A range of bytes of a mapped file; the system keeps in memory what is in use.
    Mapped(Mapped, Range<usize>),
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
        Self::of(Pixels::Memory(pixels), [channels, height, width])
    }

    /// Images of shape `[c, h, w]` in these bytes of a mapped file.
    ///
    /// # Errors
    /// [`Error::Pixels`], as of [`Images::new`].
    ///
    /// # Panics
    /// If the range is not within the file.
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
    /// If `i` is not below [`len`](Self::len).
    #[must_use]
    pub fn image(&self, i: usize) -> &[u8] {
        let size = self.image_bytes();
        &self.pixels()[i * size..(i + 1) * size]
    }

    /// SHA-256 of the shape (`c`, `h`, `w` as little-endian 64-bit integers) and the pixels, in hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut sum = Sha256::new();
        for size in self.shape {
            sum.update((size as u64).to_le_bytes());
        }
        sum.update(self.pixels());
        hexadecimal(&sum.finalize())
    }

    /// Keeps the first `n` images; does nothing if there are no more than that.
    pub fn truncate(&mut self, n: usize) {
        let size = self.image_bytes();
        let bytes = n.saturating_mul(size).min(self.pixels().len());
        match &mut self.pixels {
            Pixels::Memory(pixels) => pixels.truncate(bytes),
            Pixels::Mapped(_, range) => range.end = range.start + bytes,
        }
    }

    /// The images at these indices, in this order, in memory.
    ///
    /// # Panics
    /// If an index is not below [`len`](Self::len).
    #[must_use]
    pub fn at(&self, indices: &[usize]) -> Self {
        let pixels = indices.iter().flat_map(|&i| self.image(i)).copied().collect();
        Images { shape: self.shape, pixels: Pixels::Memory(pixels) }
    }

    /// All pixels scaled to `[0, 1]` (divided by 255), `[n, c, h, w]`.
    #[must_use]
    pub fn to_unit(&self) -> Vec<f32> {
        self.pixels().iter().copied().map(unit).collect()
    }

    /// The pixels of image `i` scaled to `[0, 1]` (divided by 255), `[c, h, w]`.
    ///
    /// # Panics
    /// If `i` is not below [`len`](Self::len).
    #[must_use]
    pub fn image_unit(&self, i: usize) -> Vec<f32> {
        self.image(i).iter().copied().map(unit).collect()
    }

    fn image_bytes(&self) -> usize {
        self.shape.iter().product()
    }
}

/// A byte scaled to `[0, 1]`.
fn unit(byte: u8) -> f32 {
    f32::from(byte) / 255.0
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
}
