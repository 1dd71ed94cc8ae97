//! Augmentation: random changes of training images. Every choice depends only on seed, epoch and sample, so neither the order of
//! work nor a resume changes a pixel. Geometry is in integers. Nothing here knows labels: if two images are mixed, their shares
//! are returned.

use latents_random::{Purpose, Stream, stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::images::{Depth, Images, Pixels};

/// How training images are changed. A step whose setting is 0 or `None` is left out; by default, all are.
///
/// ```
/// use latents_data::{Augmentation, Augmented, Images};
///
/// let images = Images::new(1, 1, 3, vec![1, 2, 3])?;
/// let mirror = Augmentation { flip: 1.0, ..Augmentation::default() };
/// let mut batch = Augmented::default();
/// mirror.apply(&images, &[0], 1, 0, &mut batch);
/// assert_eq!(batch.pixels(), [3, 2, 1]);
/// # Ok::<(), latents_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// Probability of a horizontal flip.
    pub flip: f64,
    /// Largest shift in each direction, in pixels (pad and crop).
    pub shift: usize,
    /// Largest rotation around the centre in either direction, in degrees; bilinear.
    pub rotation: f64,
    /// What a shift or a rotation uncovers at the border.
    #[serde(skip_serializing_if = "Border::is_black")]
    #[schemars(example = Border::Edge)]
    pub border: Border,
    /// Probability that a random rectangle is set to 0, as by `RandomErasing` of `torchvision` with its defaults (Zhong et al., 2020).
    pub erase: f64,
    /// Mixes each image with another of its batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = USUAL_MIX)]
    pub mix: Option<Mix>,
}

/// What lies beyond the border of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Border {
    /// Black: 0.
    #[default]
    Black,
    /// The nearest pixel of the image.
    Edge,
}

impl Border {
    // serde needs a reference.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    fn is_black(&self) -> bool {
        *self == Border::Black
    }
}

/// The example in the schema of the settings.
const USUAL_MIX: Mix = Mix::Mixup { alpha: 0.2 };

/// How two images are mixed. The share of the first is drawn from a Beta distribution with both parameters `alpha`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Mix {
    /// Mixup: a weighted mean of all pixels (Zhang et al., 2018).
    Mixup {
        /// More than 0; 0.2 is usual.
        alpha: f64,
    },
    /// `CutMix`: a rectangle of the second image replaces that of the first (Yun et al., 2019).
    Cutmix {
        /// More than 0; 1 is usual.
        alpha: f64,
    },
}

/// A batch of augmented images; reuse it from batch to batch.
#[derive(Clone, Debug, Default)]
pub struct Augmented {
    bytes: Buffers<u8>,
    words: Buffers<u16>,
    depth: Depth,
    /// Index in the batch of the image that each was mixed with, `[n]`; empty without mixing.
    pub partners: Vec<u32>,
    /// The share of its own image and label in each, `[n]`, in `[0, 1]`; empty without mixing.
    pub shares: Vec<f32>,
}

impl Augmented {
    /// The images, `[n, c, h, w]`.
    #[must_use]
    pub fn pixels(&self) -> Pixels<'_> {
        match self.depth {
            Depth::Eight => Pixels::Bytes(&self.bytes.pixels),
            Depth::Sixteen => Pixels::Words(&self.words.pixels),
        }
    }
}

/// Augmented images, and the same images before mixing.
#[derive(Clone, Debug, Default)]
struct Buffers<T> {
    pixels: Vec<T>,
    unmixed: Vec<T>,
}

/// A pixel of 8 or 16 bits.
trait Sample: Copy + Default + Into<i64> {
    /// An integer that fits.
    fn of(value: i64) -> Self;
}

impl Sample for u8 {
    fn of(value: i64) -> Self {
        value as u8
    }
}

impl Sample for u16 {
    fn of(value: i64) -> Self {
        value as u16
    }
}

/// Range of the area of the erased rectangle, as a fraction of the image's.
const ERASED_AREA: [f64; 2] = [0.02, 0.33];
/// Range of height / width of the erased rectangle.
const ERASED_RATIO: [f64; 2] = [0.3, 3.3];
/// The largest valid shift, in pixels.
const FARTHEST: usize = 1 << 16;
/// The number of attempts to draw a rectangle that fits.
const TRIES: usize = 10;

impl Augmentation {
    /// Whether it leaves all images unchanged.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Augmentation::default()
    }

    /// What is wrong with the settings, or `None` if they are valid.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let probability = |p: f64| (0.0..=1.0).contains(&p);
        let alpha = self.mix.map_or(1.0, Mix::alpha);
        let checks = [
            (!probability(self.flip), format!("flip = {} must be from 0 to 1", self.flip)),
            (!probability(self.erase), format!("erase = {} must be from 0 to 1", self.erase)),
            (self.shift > FARTHEST, format!("shift = {} must be at most {FARTHEST}", self.shift)),
            (
                !(0.0..=180.0).contains(&self.rotation),
                format!("rotation = {} degrees must be from 0 to 180", self.rotation),
            ),
            (
                !(alpha > 0.0 && alpha.is_finite()),
                format!("alpha = {alpha} of mixing must be more than 0"),
            ),
        ];
        checks.into_iter().find_map(|(wrong, message)| wrong.then_some(message))
    }

    /// Augments the images `[c, h, w]` of a batch, in the order of `index`, for epoch number `epoch` of a run with this seed.
    ///
    /// # Panics
    /// If an index is not below the number of images.
    pub fn apply(&self, images: &Images, index: &[u32], seed: u64, epoch: u64, to: &mut Augmented) {
        let (shape, samples) = (images.shape(), Samples { index, seed, epoch });
        to.partners.clear();
        to.shares.clear();
        to.depth = images.depth();
        let mixed = match images.pixels() {
            Pixels::Bytes(pixels) => self.apply_to(pixels, shape, &samples, &mut to.bytes),
            Pixels::Words(pixels) => self.apply_to(pixels, shape, &samples, &mut to.words),
        };
        for (partner, share) in mixed {
            to.partners.push(partner);
            to.shares.push(share);
        }
    }

    /// Augments images of a collection `[n, c, h, w]`; returns partner and share of each if they are mixed.
    fn apply_to<T: Sample>(
        &self,
        collection: &[T],
        shape: [usize; 3],
        &Samples { index, seed, epoch }: &Samples<'_>,
        Buffers { pixels, unmixed }: &mut Buffers<T>,
    ) -> Vec<(u32, f32)> {
        let [_, height, width] = shape;
        let size = shape.iter().product();
        let changed = if self.mix.is_some() { &mut *unmixed } else { &mut *pixels };
        changed.resize(index.len() * size, T::default());
        let mut draws = Vec::with_capacity(index.len());
        for (&sample, out) in index.iter().zip(changed.chunks_exact_mut(size)) {
            let mut random = stream(seed, Purpose::Augment, epoch, u64::from(sample));
            let image = &collection[sample as usize * size..(sample as usize + 1) * size];
            self.change(image, shape, &mut random, out);
            draws.push(random);
        }
        let Some(mix) = self.mix else { return vec![] };
        let mut mixed = vec![];
        pixels.resize(index.len() * size, T::default());
        for (place, (mut random, out)) in
            draws.into_iter().zip(pixels.chunks_exact_mut(size)).enumerate()
        {
            // The batch is in random order, so the next image is a random partner.
            let partner = (place + 1) % index.len();
            let image = |place: usize| &unmixed[place * size..(place + 1) * size];
            let share = mix.apply(image(place), image(partner), [height, width], &mut random, out);
            mixed.push((partner as u32, share as f32));
        }
        mixed
    }

    /// Augments one image `[c, h, w]`, without mixing.
    fn change<T: Sample>(
        &self,
        image: &[T],
        shape: [usize; 3],
        random: &mut Stream,
        out: &mut [T],
    ) {
        let [_, height, width] = shape;
        let plane = height * width;
        // All of these are drawn even if they are not used, so no setting changes the draws of another.
        let flip = random.uniform() < self.flip;
        let range = 2 * self.shift as u32 + 1;
        let mut move_by = || i64::from(random.below(range)) - self.shift as i64;
        let (down, right) = (move_by(), move_by());
        let degrees = (2.0 * random.uniform() - 1.0) * self.rotation;
        let erase = random.uniform() < self.erase;
        let motion = Motion { flip, down, right, border: self.border };
        for (from, to) in image.chunks_exact(plane).zip(out.chunks_exact_mut(plane)) {
            if self.rotation > 0.0 {
                motion.turn(degrees, from, [height, width], to);
            } else {
                motion.copy(from, [height, width], to);
            }
        }
        if erase && let Some(hole) = draw_hole(random, [height, width]) {
            for to in out.chunks_exact_mut(plane) {
                hole.rows(width).for_each(|row| to[row].fill(T::default()));
            }
        }
    }
}

/// The samples of a batch, and what their draws depend on.
struct Samples<'a> {
    index: &'a [u32],
    seed: u64,
    epoch: u64,
}

/// Flip and shift of an image.
struct Motion {
    flip: bool,
    down: i64,
    right: i64,
    border: Border,
}

impl Motion {
    /// Flips and shifts a plane `[h, w]` by whole pixels.
    fn copy<T: Sample>(&self, from: &[T], [height, width]: [usize; 2], to: &mut [T]) {
        // The columns of the result that the image covers.
        let first = self.right.clamp(0, width as i64) as usize;
        let end = (width as i64 + self.right).clamp(0, width as i64) as usize;
        for (y, to) in to.chunks_exact_mut(width).enumerate() {
            let mut source = y as i64 - self.down;
            if self.border == Border::Edge {
                source = source.clamp(0, height as i64 - 1);
            }
            if source < 0 || source >= height as i64 {
                to.fill(T::default());
                continue;
            }
            let row = &from[source as usize * width..(source as usize + 1) * width];
            let pixel = |x: usize| if self.flip { row[width - 1 - x] } else { row[x] };
            let beyond = match self.border {
                Border::Black => [T::default(); 2],
                Border::Edge => [pixel(0), pixel(width - 1)],
            };
            to[..first].fill(beyond[0]);
            to[end..].fill(beyond[1]);
            if first >= end {
                continue;
            }
            let columns = (first as i64 - self.right) as usize..(end as i64 - self.right) as usize;
            if self.flip {
                let mirrored = &row[width - columns.end..width - columns.start];
                to[first..end].iter_mut().zip(mirrored.iter().rev()).for_each(|(t, &x)| *t = x);
            } else {
                to[first..end].copy_from_slice(&row[columns]);
            }
        }
    }

    /// Rotates a plane `[h, w]` around its centre, then flips and shifts it: each pixel of the result is a bilinear mean of four,
    /// with weights in 256ths.
    fn turn<T: Sample>(&self, degrees: f64, from: &[T], [height, width]: [usize; 2], to: &mut [T]) {
        const ONE: f64 = 65_536.0;
        let angle = degrees.to_radians();
        let fixed = |x: f64| libm::round(x * ONE) as i64;
        let (cos, sin) = (fixed(libm::cos(angle)), fixed(libm::sin(angle)));
        let (middle_y, middle_x) =
            (fixed((height as f64 - 1.0) / 2.0), fixed((width as f64 - 1.0) / 2.0));
        let pixel = |y: i64, x: i64| {
            let (near_y, near_x) = (y.clamp(0, height as i64 - 1), x.clamp(0, width as i64 - 1));
            if self.border == Border::Black && (near_y, near_x) != (y, x) {
                return 0;
            }
            from[near_y as usize * width + near_x as usize].into()
        };
        for (y, to) in to.chunks_exact_mut(width).enumerate() {
            let dy = ((y as i64 - self.down) << 16) - middle_y;
            for (x, to) in to.iter_mut().enumerate() {
                let dx = ((x as i64 - self.right) << 16) - middle_x;
                let dx = if self.flip { -dx } else { dx };
                let source_y = ((cos * dy - sin * dx) >> 16) + middle_y + 128;
                let source_x = ((cos * dx + sin * dy) >> 16) + middle_x + 128;
                let (y0, x0) = (source_y >> 16, source_x >> 16);
                let (fy, fx) = ((source_y >> 8) & 255, (source_x >> 8) & 255);
                let (near, far) =
                    (y0 >= 0 && x0 >= 0, y0 + 1 < height as i64 && x0 + 1 < width as i64);
                let corners = if near && far {
                    let at = y0 as usize * width + x0 as usize;
                    [from[at], from[at + 1], from[at + width], from[at + width + 1]].map(Into::into)
                } else {
                    [pixel(y0, x0), pixel(y0, x0 + 1), pixel(y0 + 1, x0), pixel(y0 + 1, x0 + 1)]
                };
                let upper = corners[0] * (256 - fx) + corners[1] * fx;
                let lower = corners[2] * (256 - fx) + corners[3] * fx;
                *to = T::of((upper * (256 - fy) + lower * fy + 32_768) >> 16);
            }
        }
    }
}

/// A rectangle within an image.
struct Hole {
    top: usize,
    left: usize,
    height: usize,
    width: usize,
}

impl Hole {
    /// The ranges of its rows in a plane with rows of `width` pixels.
    fn rows(&self, width: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
        (self.top..self.top + self.height).map(move |y| {
            let start = y * width + self.left;
            start..start + self.width
        })
    }
}

/// As `RandomErasing.get_params` of `torchvision`: `None` if no rectangle fits in ten attempts.
fn draw_hole(random: &mut Stream, [height, width]: [usize; 2]) -> Option<Hole> {
    let between = |[a, b]: [f64; 2], u: f64| a + (b - a) * u;
    for _ in 0..TRIES {
        let area = (height * width) as f64 * between(ERASED_AREA, random.uniform());
        let ratio = libm::exp(between(ERASED_RATIO.map(libm::log), random.uniform()));
        let h = libm::round(libm::sqrt(area * ratio)) as usize;
        let w = libm::round(libm::sqrt(area / ratio)) as usize;
        if (1..height).contains(&h) && (1..width).contains(&w) {
            let top = random.below((height - h + 1) as u32) as usize;
            let left = random.below((width - w + 1) as u32) as usize;
            return Some(Hole { top, left, height: h, width: w });
        }
    }
    None
}

impl Mix {
    fn alpha(self) -> f64 {
        match self {
            Mix::Mixup { alpha } | Mix::Cutmix { alpha } => alpha,
        }
    }

    /// Mixes two images `[c, h, w]` and returns the share of the first.
    fn apply<T: Sample>(
        self,
        first: &[T],
        second: &[T],
        [height, width]: [usize; 2],
        random: &mut Stream,
        out: &mut [T],
    ) -> f64 {
        let share = beta(random, self.alpha());
        match self {
            Mix::Mixup { .. } => {
                // The share is rounded to 256ths, so that labels have exactly the share of the pixels.
                let part = libm::round(share * 256.0) as i64;
                for (o, (&a, &b)) in out.iter_mut().zip(first.iter().zip(second)) {
                    *o = T::of((a.into() * part + b.into() * (256 - part) + 128) >> 8);
                }
                part as f64 / 256.0
            }
            Mix::Cutmix { .. } => {
                let side = libm::sqrt(1.0 - share);
                let (h, w) = ((side * height as f64) as i64, (side * width as f64) as i64);
                let (y, x) =
                    (i64::from(random.below(height as u32)), i64::from(random.below(width as u32)));
                // Centred on a random pixel and clipped at the borders, as in the paper.
                let clip = |from: i64, limit: usize| from.clamp(0, limit as i64) as usize;
                let (top, left) = (clip(y - h / 2, height), clip(x - w / 2, width));
                let (bottom, right) = (clip(y + (h + 1) / 2, height), clip(x + (w + 1) / 2, width));
                let hole = Hole { top, left, height: bottom - top, width: right - left };
                out.copy_from_slice(first);
                let plane = height * width;
                for (o, b) in out.chunks_exact_mut(plane).zip(second.chunks_exact(plane)) {
                    hole.rows(width).for_each(|row| o[row.clone()].copy_from_slice(&b[row]));
                }
                1.0 - (hole.height * hole.width) as f64 / plane as f64
            }
        }
    }
}

/// A draw from Beta(`alpha`, `alpha`), from two Gamma draws.
fn beta(random: &mut Stream, alpha: f64) -> f64 {
    let (a, b) = (gamma(random, alpha), gamma(random, alpha));
    // With a tiny alpha, both draws can underflow to 0; the share of the first image is then 1.
    if a + b > 0.0 { a / (a + b) } else { 1.0 }
}

/// A draw from a Gamma distribution with scale 1 (Marsaglia and Tsang, "A simple method for generating gamma variables", 2000).
fn gamma(random: &mut Stream, shape: f64) -> f64 {
    if shape < 1.0 {
        let boost = libm::pow(1.0 - random.uniform(), 1.0 / shape);
        return boost * gamma(random, shape + 1.0);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / libm::sqrt(9.0 * d);
    loop {
        let x = random.normal();
        let v = libm::pow(1.0 + c * x, 3.0);
        if v > 0.0 && libm::log(1.0 - random.uniform()) < 0.5 * x * x + d * (1.0 - v + libm::log(v))
        {
            return d * v;
        }
    }
}

#[cfg(test)]
mod tests;
