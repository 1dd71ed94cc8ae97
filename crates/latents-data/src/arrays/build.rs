//! From numbers, labels and names to a data set: black and white, size, depth, parts and classes. The source of the
//! numbers (NumPy's files, tables) does not matter here.

use image::RgbImage;
use latents_progress::Monitor;

use super::Failure;
use super::labels::Texts;
use super::layout::Layout;
use crate::arrange::{Arranged, Described, classes};
use crate::columns::{ColumnLabels, LabelColumn};
use crate::dataset::{BYTES, Dataset, Labelled, Limits, MAX_CLASSES};
use crate::images::Images;
use crate::note::Note;
use crate::part::Part;
use crate::picture::{self, Plane};
use crate::pictures::{Fit, Pictures};
use crate::range::{Histogram, Range, of_floats, of_words, word};
use crate::warnings::{self, Seen};

/// Numbers of images that are somewhere in memory.
pub(crate) trait Numbers: Sync {
    fn get(&self, i: usize) -> f64;
    /// Whether they are bytes.
    fn is_bytes(&self) -> bool;
    /// Whether they are integers of more than 8 bits.
    fn is_words(&self) -> bool;
    /// All of them, if they are bytes side by side in memory.
    fn bytes(&self) -> Option<&[u8]> {
        None
    }
}

/// Images of a source that are in one array or table.
pub(crate) struct Block<'a> {
    /// The part of each.
    pub(crate) parts: Vec<Option<Part>>,
    pub(crate) layout: Layout,
    pub(crate) numbers: Box<dyn Numbers + 'a>,
}

/// Everything that a source says.
pub(crate) struct Collected<'a> {
    pub(crate) blocks: Vec<Block<'a>>,
    /// The label of each image of all blocks; `None` if there are none.
    pub(crate) labels: Option<Texts>,
    /// The name of each image.
    pub(crate) names: Option<Vec<String>>,
    /// The names of the classes, if the labels are their numbers.
    pub(crate) classes: Option<Vec<String>>,
    pub(crate) columns: Vec<LabelColumn>,
    /// The labels of all images in several columns.
    pub(crate) column_labels: Vec<ColumnLabels>,
    /// What is known of the range before: of arrays of whole numbers, and so on.
    pub(crate) notes: Vec<Note>,
}

impl Collected<'_> {
    /// The data set, still without name and origin.
    pub(crate) fn dataset(
        mut self,
        settings: &Pictures,
        monitor: &Monitor,
    ) -> Result<Dataset, Failure> {
        if settings.transpose {
            for block in &mut self.blocks {
                block.layout = block.layout.transposed();
            }
        }
        let layout = self.blocks[0].layout;
        let range = self.range(settings)?;
        let mut clipped = 0;
        let pixels = if range.natural {
            Stored::Bytes(self.bytes(settings, monitor)?)
        } else {
            let words = self.words(&range.ends, settings, monitor, &mut clipped)?;
            Stored::narrow(words)
        };
        let [h, w] = settings.size.unwrap_or(layout.size);
        let planes = planes(layout.channels, settings);
        let (pixels, channels) = pixels.without_colour(planes, h * w);
        if clipped > 0 {
            let of =
                (self.blocks.iter().map(|b| b.layout.n).sum::<usize>() * planes * h * w) as u64;
            self.notes.push(Note::Clipped { values: clipped, of });
        }
        let n = pixels.len() / (channels * h * w);
        let images = match pixels {
            Stored::Bytes(bytes) => Images::new(channels, h, w, bytes),
            Stored::Words(words) => Images::from_words(channels, h, w, words),
        };
        let images = images.map_err(|e| e.to_string())?;
        let texts = self.labels.take().unwrap_or_else(|| vec![None; n]);
        let (classes, labels) = match classes(&texts, self.classes.take()) {
            Ok(found) => found,
            Err(too_many) => {
                let (labels, limit) = (too_many.0, MAX_CLASSES);
                self.notes.retain(|note| !note.counts_classes());
                self.notes.push(Note::TooManyLabels { labels, limit });
                (vec![], vec![None; n])
            }
        };
        for note in &mut self.notes {
            note.set_classes(classes.len());
        }
        let seen: Vec<Seen> = (0..n).map(|i| Seen::of(images.image(i))).collect();
        let parts = self.blocks.iter().flat_map(|block| block.parts.iter().copied());
        let copies = warnings::copies(&seen);
        let described = Described { parts: parts.collect(), labels: &labels, copies };
        let Arranged(parts) = described.arrange(settings, &mut self.notes);
        self.notes.extend(warnings::of(
            &parts,
            &labels,
            &classes,
            &described.copies,
            &seen,
            settings,
        ));
        let part = |places: &Vec<usize>| {
            let labels: Vec<Option<u16>> = places.iter().map(|&i| labels[i]).collect();
            Labelled {
                images: images.at(places),
                labels: Some(labels).filter(|labels| labels.iter().any(Option::is_some)),
                names: self
                    .names
                    .as_ref()
                    .map(|names| places.iter().map(|&i| names[i].clone()).collect()),
                columns: self.column_labels.iter().map(|column| column.at(places)).collect(),
            }
        };
        let [train, validation, test, unlabelled] = parts.each_ref().map(part);
        Ok(Dataset {
            name: String::new(),
            origin: String::new(),
            notes: self.notes,
            classes,
            columns: self.columns,
            train,
            validation,
            test,
            unlabelled,
            pictures: Pictures {
                transpose: settings.transpose,
                ..settings.pinned([channels, h, w]).pinned_range(&range.ends)
            },
            range: range.ends.first().copied().unwrap_or(BYTES),
            limits: Limits::default(),
            shuffled: false,
        })
    }

    /// The values that become black and white.
    fn range(&mut self, settings: &Pictures) -> Result<Ends, Failure> {
        let channels = self.blocks[0].layout.channels;
        let mut found = vec![[f64::INFINITY, f64::NEG_INFINITY]; channels];
        let mut whole = true;
        for block in &self.blocks {
            if let Some(bytes) = block.numbers.bytes().filter(|_| channels == 1) {
                let ends = [bytes.iter().min(), bytes.iter().max()];
                let [least, most] = ends.map(|end| end.copied().unwrap_or_default().into());
                found[0] = [found[0][0].min(least), found[0][1].max(most)];
                continue;
            }
            let [h, w] = block.layout.size;
            for i in 0..block.layout.n {
                for (c, ends) in found.iter_mut().enumerate() {
                    for place in 0..h * w {
                        let item = block.layout.item(i, c, place / w, place % w);
                        let x = block.numbers.get(item);
                        if !x.is_finite() {
                            return Err(format!(
                                "image value {item} is {x}; images must be finite"
                            )
                            .into());
                        }
                        *ends = [ends[0].min(x), ends[1].max(x)];
                        whole &= x.fract() == 0.0;
                    }
                }
            }
        }
        let bytes = self.blocks.iter().all(|block| block.numbers.is_bytes());
        let words = self.blocks.iter().all(|block| block.numbers.is_words());
        let all = merged(&found);
        let natural = |[least, most]: [f64; 2]| -> Result<[f64; 2], Failure> {
            if bytes {
                return Ok(if most <= 1.0 { [0.0, 1.0] } else { BYTES });
            }
            let usual = of_floats(least, most, whole).filter(|ends| ends[1] <= 255.0);
            if let Some(usual) = usual {
                return Ok(usual);
            }
            if least >= 0.0 && most <= 65_535.0 && (whole || words) {
                return Ok(of_words(most));
            }
            Err(format!(
                "its images have values from {least} to {most}, but without a range are expected: \
                 0 to 1, -1 to 1, 0 to 16 (whole), 0 to 255, or 0 to 65535 (whole)"
            )
            .into())
        };
        let mut ends = match &settings.range {
            Range::Values(ends) => {
                if ends.len() != 1 && ends.len() != channels {
                    let n = ends.len();
                    return Err(format!(
                        "the range has {n} pairs of values, but the images have {channels} channels"
                    )
                    .into());
                }
                // Images of a model that were saved by another program: from 0 to 1, or as bytes.
                match ends[..] {
                    [BYTES] if !bytes && !whole && all[0] >= 0.0 && all[1] <= 1.0 => {
                        vec![[0.0, 1.0]]
                    }
                    [[0.0 | -1.0, 1.0]] if bytes && all[1] > 1.0 => vec![BYTES],
                    _ => ends.clone(),
                }
            }
            Range::Percentiles(percent) => {
                let groups: Vec<Vec<usize>> = if settings.range_per_channel {
                    (0..channels).map(|c| vec![c]).collect()
                } else {
                    vec![(0..channels).collect()]
                };
                groups.iter().map(|group| self.percentiles(group, &found, *percent)).collect()
            }
            Range::Auto if settings.range_per_channel => {
                found.iter().map(|&ends| natural(ends)).collect::<Result<_, _>>()?
            }
            Range::Auto => vec![natural(all)?],
        };
        for ends in &mut ends {
            // The exact same value.
            #[allow(clippy::float_cmp)]
            if ends[0] == ends[1] {
                ends[1] = ends[0] + 1.0;
            }
        }
        for note in &mut self.notes {
            if let Note::ImagesFromArray { range, .. } = note {
                *range = ends[0];
            }
        }
        let settings = settings.pinned_range(&ends);
        let plain = bytes && ends == [BYTES] && settings.keeps_bytes();
        let usual = matches!(self.blocks[0].layout.channels, 1 | 3 | 4);
        Ok(Ends { natural: plain && usual, ends })
    }

    fn percentiles(&self, channels: &[usize], found: &[[f64; 2]], percent: [f64; 2]) -> [f64; 2] {
        let ends: Vec<[f64; 2]> = channels.iter().map(|&c| found[c]).collect();
        let mut histogram = Histogram::new(merged(&ends));
        for block in &self.blocks {
            let [h, w] = block.layout.size;
            for i in 0..block.layout.n {
                for &c in channels {
                    let item = |place: usize| block.layout.item(i, c, place / w, place % w);
                    histogram.add((0..h * w).map(|place| block.numbers.get(item(place))));
                }
            }
        }
        percent.map(|percent| histogram.percentile(percent))
    }

    /// Images of bytes, `[n, 1 or 3, h, w]`.
    fn bytes(&self, settings: &Pictures, monitor: &Monitor) -> Result<Vec<u8>, Failure> {
        let mut all = vec![];
        for Block { layout, numbers, .. } in &self.blocks {
            let [h, w] = layout.size;
            let size = settings.size.unwrap_or(layout.size);
            if let Some(bytes) = numbers.bytes().filter(|_| layout.is_ours() && size == layout.size)
                && (layout.channels == 1 || (layout.channels == 3 && !settings.grey))
            {
                all.extend_from_slice(bytes);
                continue;
            }
            for i in 0..layout.n {
                monitor.check()?;
                let at = |c: usize, y: usize, x: usize| numbers.get(layout.item(i, c, y, x)) as u8;
                let pixel = |x: u32, y: u32| {
                    let (x, y) = (x as usize, y as usize);
                    let colour = match layout.channels {
                        1 => [at(0, y, x); 3],
                        _ => [0, 1, 2].map(|c| at(c, y, x)),
                    };
                    if layout.channels < 4 {
                        return image::Rgb(colour);
                    }
                    let (alpha, background) = (at(3, y, x), settings.background.0);
                    image::Rgb([0, 1, 2].map(|c| picture::over(colour[c], background[c], alpha)))
                };
                let image = RgbImage::from_fn(w as u32, h as u32, pixel);
                let fit = fit(settings, layout.channels == 4);
                let planes =
                    picture::planes(&picture::fit(image, size, fit, settings.background.0));
                match layout.channels {
                    1 => all.extend(&planes[..planes.len() / 3]),
                    _ if settings.grey => all.extend(picture::grey(&planes)),
                    _ => all.extend(planes),
                }
            }
        }
        Ok(all)
    }

    /// Images of 16 bits, `[n, c, h, w]`.
    fn words(
        &self,
        ends: &[[f64; 2]],
        settings: &Pictures,
        monitor: &Monitor,
        clipped: &mut u64,
    ) -> Result<Vec<u16>, Failure> {
        let mut all = vec![];
        for Block { layout, numbers, .. } in &self.blocks {
            let [h, w] = layout.size;
            let size = settings.size.unwrap_or(layout.size);
            let fit = fit(settings, layout.channels == 4);
            let colours = if layout.channels == 4 { 3 } else { layout.channels };
            for i in 0..layout.n {
                monitor.check()?;
                let plane = |c: usize| {
                    let value = |place| numbers.get(layout.item(i, c, place / w, place % w)) as f32;
                    let values = (0..h * w).map(value).collect();
                    Plane { width: w as u32, height: h as u32, values }
                };
                let mut fitted: Vec<Vec<f32>> = vec![];
                for c in 0..colours {
                    let [black, white] = picture::range_of(ends, c);
                    let shade = f64::from(settings.background.0[c.min(2)]) / 255.0;
                    let background = (black + shade * (white - black)) as f32;
                    let mut plane = plane(c);
                    if layout.channels == 4 {
                        let [clear, opaque] = picture::range_of(ends, 3).map(|x| x as f32);
                        for (place, x) in plane.values.iter_mut().enumerate() {
                            let alpha = numbers.get(layout.item(i, 3, place / w, place % w)) as f32;
                            let alpha = ((alpha - clear) / (opaque - clear)).clamp(0.0, 1.0);
                            *x = *x * alpha + background * (1.0 - alpha);
                        }
                    }
                    fitted.push(plane.fit(size, fit, background));
                }
                let mut push = |x: f64, ends: [f64; 2]| {
                    let (word, outside) = word(x, ends, settings.scale);
                    *clipped += u64::from(outside);
                    all.push(word);
                };
                if settings.grey && colours == 3 {
                    for place in 0..size[0] * size[1] {
                        let at = |c: usize| f64::from(fitted[c][place]);
                        let luma = (299.0 * at(0) + 587.0 * at(1) + 114.0 * at(2)) / 1000.0;
                        push(luma, ends[0]);
                    }
                    continue;
                }
                for (c, plane) in fitted.iter().enumerate() {
                    let ends = picture::range_of(ends, c);
                    for &x in plane {
                        push(x.into(), ends);
                    }
                }
            }
        }
        Ok(all)
    }
}

/// The range that was found.
struct Ends {
    /// Of all channels or of each.
    ends: Vec<[f64; 2]>,
    /// Whether bytes stay as they are.
    natural: bool,
}

fn merged(ends: &[[f64; 2]]) -> [f64; 2] {
    let both = |a: [f64; 2], b: &[f64; 2]| [a[0].min(b[0]), a[1].max(b[1])];
    ends.iter().fold([f64::INFINITY, f64::NEG_INFINITY], both)
}

fn fit(settings: &Pictures, transparent: bool) -> Fit {
    match settings.fit {
        Fit::Auto if transparent => Fit::Contain,
        Fit::Auto => Fit::Crop,
        fit => fit,
    }
}

/// Channels of the images that are made of arrays with so many.
fn planes(channels: usize, settings: &Pictures) -> usize {
    match channels {
        3 | 4 if settings.grey => 1,
        4 => 3,
        channels => channels,
    }
}

/// Pixels of all images.
enum Stored {
    Bytes(Vec<u8>),
    Words(Vec<u16>),
}

impl Stored {
    /// Bytes, if 8 bits hold all values exactly.
    fn narrow(words: Vec<u16>) -> Self {
        if words.iter().all(|word| word.is_multiple_of(257)) {
            return Self::Bytes(words.into_iter().map(|word| (word / 257) as u8).collect());
        }
        Self::Words(words)
    }

    fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Words(words) => words.len(),
        }
    }

    /// One channel of three, if all three are the same in all images; and the number of channels.
    fn without_colour(self, planes: usize, plane: usize) -> (Self, usize) {
        fn is_grey<T: PartialEq>(pixels: &[T], plane: usize) -> bool {
            let mut images = pixels.chunks_exact(3 * plane);
            images.all(|i| i[..plane] == i[plane..2 * plane] && i[..plane] == i[2 * plane..])
        }
        fn first<T: Copy>(pixels: &[T], plane: usize) -> Vec<T> {
            pixels.chunks_exact(3 * plane).flat_map(|image| &image[..plane]).copied().collect()
        }
        match self {
            Self::Bytes(bytes) if planes == 3 && is_grey(&bytes, plane) => {
                (Self::Bytes(first(&bytes, plane)), 1)
            }
            Self::Words(words) if planes == 3 && is_grey(&words, plane) => {
                (Self::Words(first(&words, plane)), 1)
            }
            stored => (stored, planes),
        }
    }
}
