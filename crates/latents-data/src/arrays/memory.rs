//! Images in memory, in arrays of a program, as a data set.

use latents_progress::Monitor;

use super::Failure;
use super::build::{Block, Collected, Numbers};
use super::layout::Layout;
use crate::columns::LabelColumn;
use crate::dataset::Dataset;
use crate::error::Error;
use crate::note::Note;
use crate::npz::ArrayInfo;
use crate::part::Part;
use crate::pictures::Pictures;
use crate::range::Range;

/// The name of a data set whose images were arrays of a program and are nowhere else, so that they cannot be opened again.
pub const IN_MEMORY: &str = "arrays in memory";

/// The shortest side of rows that are taken for square images.
const SMALLEST: usize = 8;

/// Numbers of an array that belongs to someone else, in C order.
#[derive(Clone, Copy, Debug)]
pub enum ArrayNumbers<'a> {
    /// `uint8`.
    U8(&'a [u8]),
    /// `uint16`.
    U16(&'a [u16]),
    /// `float32`.
    F32(&'a [f32]),
    /// `float64`; and whole numbers of any other type.
    F64(&'a [f64]),
}

impl ArrayNumbers<'_> {
    fn len(&self) -> usize {
        match self {
            Self::U8(x) => x.len(),
            Self::U16(x) => x.len(),
            Self::F32(x) => x.len(),
            Self::F64(x) => x.len(),
        }
    }

    /// Whether all numbers are from 0 to 1, or whole numbers from 0 to 255.
    fn are_usual_values(&self) -> bool {
        fn are<T: Copy + Into<f64>>(values: &[T]) -> bool {
            let mut all = values.iter().map(|&x| x.into());
            let is_unit = |x: f64| (0.0..=1.0).contains(&x);
            all.clone().all(is_unit) || all.all(|x| (0.0..=255.0).contains(&x) && x.fract() == 0.0)
        }
        match self {
            Self::U8(_) => true,
            Self::U16(x) => are(x),
            Self::F32(x) => are(x),
            Self::F64(x) => are(x),
        }
    }

    fn dtype(&self) -> &'static str {
        match self {
            Self::U8(_) => "|u1",
            Self::U16(_) => "<u2",
            Self::F32(_) => "<f4",
            Self::F64(_) => "<f8",
        }
    }
}

impl Numbers for ArrayNumbers<'_> {
    fn get(&self, i: usize) -> f64 {
        match self {
            Self::U8(x) => x[i].into(),
            Self::U16(x) => x[i].into(),
            Self::F32(x) => x[i].into(),
            Self::F64(x) => x[i],
        }
    }

    fn is_bytes(&self) -> bool {
        matches!(self, Self::U8(_))
    }

    fn is_words(&self) -> bool {
        matches!(self, Self::U16(_))
    }

    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::U8(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// An array of images in memory, and what is known of each.
#[derive(Clone, Debug)]
pub struct ImageArrays<'a> {
    /// What the array is called in messages.
    pub name: &'a str,
    /// `[n, h, w]`, `[n, c, h, w]`, `[n, h, w, c]`, or rows of numbers `[n, numbers]`.
    pub shape: &'a [usize],
    /// As many numbers as the shape says.
    pub numbers: ArrayNumbers<'a>,
    /// The label of each image, or `None` for one without.
    pub labels: Option<Vec<Option<String>>>,
    /// The name of each image.
    pub names: Option<Vec<String>>,
    /// The part that all of them are in; a part of the images is held out for testing if no array is of the test part.
    pub part: Option<Part>,
}

impl<'a> ImageArrays<'a> {
    /// The bytes of the array, if these are images of this shape `[c, h, w]` as they are: neither their order nor their values would change.
    #[must_use]
    pub fn own_bytes(&self, shape: [usize; 3], settings: &Pictures) -> Option<&'a [u8]> {
        let ArrayNumbers::U8(bytes) = self.numbers else { return None };
        let layout = Layout::of(&self.info(), settings.shape.as_deref()).ok()?;
        let is_own = layout.is_ours() && layout.image() == shape;
        (is_own && settings.keeps_bytes() && !settings.transpose).then_some(bytes)
    }

    /// What rows `[n, numbers]` mean that a program gives without saying so: square images of at least 8x8 pixels, grey or in colour, if their values are in a
    /// range that is usual for images; otherwise the settings become those of images of one row, from the least number to the largest. Arrays
    /// with more axes leave the settings as they are.
    pub fn settle_rows(&self, settings: &mut Pictures) {
        let [_, numbers] = *self.shape else { return };
        if !(is_square(numbers) && self.numbers.are_usual_values()) {
            settings.shape = Some(vec![1, numbers]);
            settings.range = Range::Percentiles([0.0, 100.0]);
        }
    }

    fn info(&self) -> ArrayInfo {
        let dtype = self.numbers.dtype().to_owned();
        ArrayInfo { name: self.name.to_owned(), dtype, shape: self.shape.to_vec() }
    }
}

/// Whether so many numbers are a square image of at least [`SMALLEST`] pixels a side, grey or in colour.
fn is_square(numbers: usize) -> bool {
    [1, 3].into_iter().any(|channels| {
        let side = (numbers / channels).isqrt();
        side >= SMALLEST && side * side * channels == numbers
    })
}

impl Dataset {
    /// A data set of images in memory, understood as those of an `.npz` file are: the order of axes and the range of values are recognised, and every choice
    /// is noted. `name` is free; it need not be a [`Source`](crate::Source). `classes` names the classes, if the labels are their numbers, from 0.
    ///
    /// ```
    /// use latents_data::{ArrayNumbers, Dataset, ImageArrays, Pictures};
    /// use latents_progress::Monitor;
    ///
    /// let numbers: Vec<f32> = (0..10 * 8 * 8 * 3).map(|i| (i % 7) as f32 / 6.0).collect();
    /// let images = ImageArrays {
    ///     name: "X",
    ///     shape: &[10, 8, 8, 3],
    ///     numbers: ArrayNumbers::F32(&numbers),
    ///     labels: None,
    ///     names: None,
    ///     part: None,
    /// };
    /// let settings = Pictures { test_fraction: 0.0, ..Pictures::default() };
    /// let data = Dataset::from_arrays("mine", vec![images], None, &settings, &Monitor::default())?;
    /// assert_eq!((data.shape(), data.train.len(), data.range), ([3, 8, 8], 10, [0.0, 1.0]));
    /// # Ok::<(), latents_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Array`] if an array is not one of images, arrays have images of different sizes, or there are more or fewer labels or names than images;
    /// [`Error::Interrupted`].
    pub fn from_arrays(
        name: impl Into<String>,
        arrays: Vec<ImageArrays<'_>>,
        classes: Option<Vec<String>>,
        settings: &Pictures,
        monitor: &Monitor,
    ) -> Result<Self, Error> {
        settings.check()?;
        let name = name.into();
        let images: usize = arrays.iter().map(|a| a.shape.first().copied().unwrap_or(0)).sum();
        let row = settings.shape.as_deref();
        match collected(arrays, classes, row).and_then(|all| all.dataset(settings, monitor)) {
            Ok(read) => Ok(Dataset { name, origin: format!("{images} images in memory"), ..read }),
            Err(Failure::Content(reason)) => Err(Error::Array { reason }),
            Err(Failure::Interrupted(interrupted)) => Err(interrupted.into()),
        }
    }
}

fn collected<'a>(
    arrays: Vec<ImageArrays<'a>>,
    classes: Option<Vec<String>>,
    row: Option<&[usize]>,
) -> Result<Collected<'a>, Failure> {
    let (mut blocks, mut notes) = (vec![], vec![]);
    let (mut labels, mut names, mut is_labelled, mut is_named) = (vec![], vec![], false, true);
    for array in arrays {
        let info = array.info();
        let ImageArrays { shape, numbers, labels: of_array, names: called, part, .. } = array;
        let layout = Layout::of(&info, row)?;
        let n = layout.n;
        if shape.iter().product::<usize>() != numbers.len() {
            return Err(format!("array {info} has {} numbers", numbers.len()).into());
        }
        let counts =
            [("labels", of_array.as_ref().map(Vec::len)), ("names", called.as_ref().map(Vec::len))];
        for (what, count) in counts {
            if let Some(count) = count.filter(|&count| count != n) {
                return Err(format!("array {info} has {n} images, but {count} {what}").into());
            }
        }
        notes.push(Note::ImagesFromArray {
            array: info,
            axes: layout.axes,
            image: layout.image(),
            range: [0.0, 0.0],
        });
        is_labelled |= of_array.is_some();
        labels.extend(of_array.unwrap_or_else(|| vec![None; n]));
        match called {
            Some(called) => names.extend(called),
            None => is_named = false,
        }
        blocks.push(Block { parts: vec![part; n], layout, numbers: Box::new(numbers) });
    }
    let Some(first) = blocks.first() else { return Err("there are no arrays".to_owned().into()) };
    if let Some(other) = blocks.iter().find(|b| b.layout.image() != first.layout.image()) {
        let (one, other) = (first.layout.image(), other.layout.image());
        return Err(format!("the arrays have images of shape {one:?} and {other:?}").into());
    }
    let columns = if is_labelled { vec![LabelColumn::of("y".into(), &labels)] } else { vec![] };
    Ok(Collected {
        blocks,
        labels: is_labelled.then_some(labels),
        names: is_named.then_some(names),
        classes,
        columns,
        column_labels: vec![],
        notes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images<'a>(shape: &'a [usize], numbers: ArrayNumbers<'a>) -> ImageArrays<'a> {
        ImageArrays { name: "X", shape, numbers, labels: None, names: None, part: None }
    }

    fn open(arrays: Vec<ImageArrays<'_>>) -> Result<Dataset, Error> {
        let settings = Pictures { test_fraction: 0.0, ..Pictures::default() };
        Dataset::from_arrays("mine", arrays, None, &settings, &Monitor::default())
    }

    #[test]
    fn bytes_stay_as_they_are_in_any_order_of_axes() {
        let bytes: Vec<u8> = (0..2 * 5 * 6 * 3).map(|i| (37 * i % 256) as u8).collect();
        let first = open(vec![images(&[2, 3, 5, 6], ArrayNumbers::U8(&bytes))]).unwrap();
        assert_eq!(first.train.images.pixels(), bytes);
        let last = open(vec![images(&[2, 5, 6, 3], ArrayNumbers::U8(&bytes))]).unwrap();
        assert_eq!(last.shape(), [3, 5, 6]);
        let at = |i: usize, c: usize, p: usize| last.train.images.image(i).to_bytes()[c * 30 + p];
        assert!(
            (0..2)
                .all(|i| (0..3).all(|c| (0..30).all(|p| at(i, c, p) == bytes[i * 90 + p * 3 + c])))
        );
    }

    #[test]
    fn labels_and_parts_are_kept() {
        let bytes = [0, 200, 90, 90, 17, 255, 3, 4];
        let labels = |of: [&str; 2]| Some(of.map(|text| Some(text.to_owned())).to_vec());
        let part = |part, bytes, of| ImageArrays {
            labels: labels(of),
            part: Some(part),
            ..images(&[2, 1, 2], ArrayNumbers::U8(bytes))
        };
        let data = open(vec![
            part(Part::Train, &bytes[..4], ["cat", "dog"]),
            part(Part::Test, &bytes[4..], ["dog", "dog"]),
        ])
        .unwrap();
        assert_eq!((data.train.len(), data.test.len()), (2, 2));
        assert_eq!(data.classes, ["cat", "dog"]);
        assert_eq!(data.test.labels, Some(vec![Some(1), Some(1)]));
    }

    #[test]
    fn bytes_that_are_images_as_they_are_need_no_copy() {
        let (bytes, plain) = ([7; 48], Pictures::default());
        let own = |of: &[usize], shape, settings: &Pictures| {
            images(of, ArrayNumbers::U8(&bytes)).own_bytes(shape, settings).is_some()
        };
        assert!(own(&[3, 4, 4], [1, 4, 4], &plain) && own(&[3, 1, 4, 4], [1, 4, 4], &plain));
        assert!(own(&[3, 4, 4, 1], [1, 4, 4], &plain) && own(&[3, 16], [1, 4, 4], &plain));
        assert!(own(&[1, 3, 4, 4], [3, 4, 4], &plain));
        assert!(!own(&[1, 4, 4, 3], [3, 4, 4], &plain) && !own(&[3, 4, 4], [1, 2, 8], &plain));
        let turned = Pictures { transpose: true, ..Pictures::default() };
        let ranged = Pictures { range: Range::Values(vec![[0.0, 7.0]]), ..Pictures::default() };
        assert!(!own(&[3, 4, 4], [1, 4, 4], &turned) && !own(&[3, 4, 4], [1, 4, 4], &ranged));
        let floats = images(&[3, 4, 4], ArrayNumbers::F32(&[0.5; 48]));
        assert_eq!(floats.own_bytes([1, 4, 4], &plain), None);
    }

    #[test]
    fn rows_are_images_only_if_they_look_like_some() {
        let shape = |numbers: usize, value: f64| {
            let values = vec![value; 2 * numbers];
            let mut settings = Pictures::default();
            images(&[2, numbers], ArrayNumbers::F64(&values)).settle_rows(&mut settings);
            settings.shape
        };
        assert_eq!([shape(64, 0.5), shape(64, 200.0), shape(192, 1.0)], [None, None, None]);
        // Too small, not square, not from 0 to 1, no whole numbers, too large.
        for (numbers, value) in [(49, 0.5), (65, 0.5), (64, -0.1), (64, 1.5), (64, 256.0)] {
            assert_eq!(shape(numbers, value), Some(vec![1, numbers]), "{numbers} {value}");
        }
        assert_eq!(shape(64, f64::NAN), Some(vec![1, 64]));
        let mut settings = Pictures::default();
        images(&[1, 4, 4], ArrayNumbers::F64(&[-5.0; 16])).settle_rows(&mut settings);
        assert!(settings.is_default());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let problem = |arrays| open(arrays).unwrap_err().to_string();
        let few = problem(vec![images(&[2, 2, 2], ArrayNumbers::F32(&[0.5; 4]))]);
        assert!(few.contains("`X` [2, 2, 2] of <f4 has 4 numbers"), "{few}");
        let far = problem(vec![images(&[1, 2, 2], ArrayNumbers::F32(&[0.5, -9.5, 1.0, 7.25]))]);
        assert!(far.contains("values from -9.5 to 7.25"), "{far}");
        let labels = Some(vec![None; 3]);
        let labelled = ImageArrays { labels, ..images(&[2, 1, 2], ArrayNumbers::U8(&[0; 4])) };
        assert!(problem(vec![labelled]).contains("2 images, but 3 labels"));
        let other = images(&[1, 3, 3], ArrayNumbers::U8(&[0; 9]));
        let sizes = problem(vec![images(&[1, 2, 2], ArrayNumbers::U8(&[0; 4])), other]);
        assert!(sizes.contains("[1, 2, 2] and [1, 3, 3]"), "{sizes}");
    }
}
