//! Images changed at random while they are trained on, so that a network learns what does not matter. Every choice is addressed by
//! seed, epoch and sample, so neither the order of work nor a resume changes a pixel. Geometry is in integers. Nothing here knows
//! what labels mean: where two images are mixed, the shares are told.

use latents_random::{Purpose, Stream, stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Images;

/// How images are changed. What is at 0, or absent, does not happen; by default nothing does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// Probability that left and right change places.
    pub flip: f64,
    /// Most pixels by which an image moves in each direction; what comes in is 0 (pad and crop).
    pub shift: usize,
    /// Most degrees by which an image turns around its middle, either way; bilinear, what comes in is 0.
    pub rotation: f64,
    /// Probability that a rectangle is set to 0: `torchvision.transforms.RandomErasing` with its defaults (Zhong et al., 2020).
    pub erase: f64,
    /// Mix each image with another of its batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = USUAL_MIX)]
    pub mix: Option<Mix>,
}

/// A way to begin from in a file of settings.
const USUAL_MIX: Mix = Mix::Mixup { alpha: 0.2 };

/// How two images become one. The share of the first is drawn from a Beta distribution with both parameters `alpha`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Mix {
    /// A weighted mean of all pixels (Zhang et al., 2018).
    Mixup {
        /// More than 0; 0.2 is usual.
        alpha: f64,
    },
    /// A rectangle of the second is put into the first (Yun et al., 2019).
    Cutmix {
        /// More than 0; 1 is usual.
        alpha: f64,
    },
}

/// A batch of changed images: a buffer to be used again and again.
#[derive(Clone, Debug, Default)]
pub struct Augmented {
    /// The images, `[n, c, h, w]`.
    pub pixels: Vec<u8>,
    /// Place in the batch of the image that each was mixed with, `[n]`; empty where none is.
    pub partners: Vec<u32>,
    /// The share, in `[0, 1]`, that each has of its own image and label, `[n]`; empty where none is mixed.
    pub shares: Vec<f32>,
    /// The images before they were mixed.
    unmixed: Vec<u8>,
}

/// Area of the erased rectangle, as a part of the image's.
const ERASED_AREA: [f64; 2] = [0.02, 0.33];
/// Height over width of the erased rectangle.
const ERASED_RATIO: [f64; 2] = [0.3, 3.3];
/// Most pixels that an image is moved by.
const FARTHEST: usize = 1 << 16;
/// How often a rectangle is drawn that does not fit.
const TRIES: usize = 10;

impl Augmentation {
    /// Whether it leaves every image as it is.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Augmentation::default()
    }

    /// What is wrong with the settings, if anything is.
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

    /// Changes the images of a batch, in the order of `index`, as epoch `epoch` of the run with this seed sees them.
    ///
    /// # Panics
    /// Where `index` names an image that there is not.
    pub fn apply(&self, images: &Images, index: &[u32], seed: u64, epoch: u64, to: &mut Augmented) {
        let [channels, height, width] = images.shape();
        let size = channels * height * width;
        let Augmented { pixels, partners, shares, unmixed } = to;
        partners.clear();
        shares.clear();
        let changed = if self.mix.is_some() { &mut *unmixed } else { &mut *pixels };
        changed.resize(index.len() * size, 0);
        let mut draws = Vec::with_capacity(index.len());
        for (&sample, out) in index.iter().zip(changed.chunks_exact_mut(size)) {
            let mut random = stream(seed, Purpose::Augment, epoch, u64::from(sample));
            let image = images.image(sample as usize);
            self.change(image, [channels, height, width], &mut random, out);
            draws.push(random);
        }
        let Some(mix) = self.mix else { return };
        pixels.resize(index.len() * size, 0);
        for (place, (mut random, out)) in
            draws.into_iter().zip(pixels.chunks_exact_mut(size)).enumerate()
        {
            // The batch is in random order, so the next image is a random one.
            let partner = (place + 1) % index.len();
            let image = |place: usize| &unmixed[place * size..(place + 1) * size];
            let share = mix.apply(image(place), image(partner), [height, width], &mut random, out);
            partners.push(partner as u32);
            shares.push(share as f32);
        }
    }

    /// Changes one image `[c, h, w]`.
    fn change(&self, image: &[u8], shape: [usize; 3], random: &mut Stream, out: &mut [u8]) {
        let [_, height, width] = shape;
        let plane = height * width;
        // All of these are drawn whether they are used or not, so none of the settings changes what another draws.
        let flip = random.uniform() < self.flip;
        let range = 2 * self.shift as u32 + 1;
        let mut move_by = || i64::from(random.below(range)) - self.shift as i64;
        let (down, right) = (move_by(), move_by());
        let degrees = (2.0 * random.uniform() - 1.0) * self.rotation;
        let erase = random.uniform() < self.erase;
        let motion = Motion { flip, down, right };
        for (from, to) in image.chunks_exact(plane).zip(out.chunks_exact_mut(plane)) {
            if self.rotation > 0.0 {
                motion.turn(degrees, from, [height, width], to);
            } else {
                motion.copy(from, [height, width], to);
            }
        }
        if erase && let Some(hole) = draw_hole(random, [height, width]) {
            for to in out.chunks_exact_mut(plane) {
                hole.rows(width).for_each(|row| to[row].fill(0));
            }
        }
    }
}

/// Where an image goes.
struct Motion {
    flip: bool,
    down: i64,
    right: i64,
}

impl Motion {
    /// Moves a plane `[h, w]` by whole pixels.
    fn copy(&self, from: &[u8], [height, width]: [usize; 2], to: &mut [u8]) {
        // The columns of the result that the image reaches.
        let first = self.right.clamp(0, width as i64) as usize;
        let end = (width as i64 + self.right).clamp(0, width as i64) as usize;
        for (y, to) in to.chunks_exact_mut(width).enumerate() {
            let source = y as i64 - self.down;
            if source < 0 || source >= height as i64 || first >= end {
                to.fill(0);
                continue;
            }
            let row = &from[source as usize * width..(source as usize + 1) * width];
            let columns = (first as i64 - self.right) as usize..(end as i64 - self.right) as usize;
            to[..first].fill(0);
            to[end..].fill(0);
            if self.flip {
                let mirrored = &row[width - columns.end..width - columns.start];
                to[first..end].iter_mut().zip(mirrored.iter().rev()).for_each(|(t, &x)| *t = x);
            } else {
                to[first..end].copy_from_slice(&row[columns]);
            }
        }
    }

    /// Turns a plane `[h, w]` around its middle, then moves it: each pixel of the result is a bilinear mean of four, with weights
    /// in 256ths.
    fn turn(&self, degrees: f64, from: &[u8], [height, width]: [usize; 2], to: &mut [u8]) {
        const ONE: f64 = 65_536.0;
        let angle = degrees.to_radians();
        let fixed = |x: f64| libm::round(x * ONE) as i64;
        let (cos, sin) = (fixed(libm::cos(angle)), fixed(libm::sin(angle)));
        let (middle_y, middle_x) =
            (fixed((height as f64 - 1.0) / 2.0), fixed((width as f64 - 1.0) / 2.0));
        let pixel = |y: i64, x: i64| {
            let inside = (0..height as i64).contains(&y) && (0..width as i64).contains(&x);
            if inside { i64::from(from[y as usize * width + x as usize]) } else { 0 }
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
                    [from[at], from[at + 1], from[at + width], from[at + width + 1]].map(i64::from)
                } else {
                    [pixel(y0, x0), pixel(y0, x0 + 1), pixel(y0 + 1, x0), pixel(y0 + 1, x0 + 1)]
                };
                let upper = corners[0] * (256 - fx) + corners[1] * fx;
                let lower = corners[2] * (256 - fx) + corners[3] * fx;
                *to = ((upper * (256 - fy) + lower * fy + 32_768) >> 16) as u8;
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
    /// Where its rows are in a plane of rows of `width`.
    fn rows(&self, width: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
        (self.top..self.top + self.height).map(move |y| {
            let start = y * width + self.left;
            start..start + self.width
        })
    }
}

/// As `torchvision`'s `RandomErasing.get_params`: none where it would not fit in ten tries.
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

    /// Mixes two images `[c, h, w]` and gives the first one's share.
    fn apply(
        self,
        first: &[u8],
        second: &[u8],
        [height, width]: [usize; 2],
        random: &mut Stream,
        out: &mut [u8],
    ) -> f64 {
        let share = beta(random, self.alpha());
        match self {
            Mix::Mixup { .. } => {
                // In 256ths, and told as such, so that the label has exactly the share that the pixels have.
                let part = libm::round(share * 256.0) as u32;
                for (o, (&a, &b)) in out.iter_mut().zip(first.iter().zip(second)) {
                    *o = ((u32::from(a) * part + u32::from(b) * (256 - part) + 128) >> 8) as u8;
                }
                f64::from(part) / 256.0
            }
            Mix::Cutmix { .. } => {
                let side = libm::sqrt(1.0 - share);
                let (h, w) = ((side * height as f64) as i64, (side * width as f64) as i64);
                let (y, x) =
                    (i64::from(random.below(height as u32)), i64::from(random.below(width as u32)));
                // Around a random pixel, cut off at the borders, as in the paper.
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

/// Beta with both parameters `alpha`, of two Gamma draws.
fn beta(random: &mut Stream, alpha: f64) -> f64 {
    let (a, b) = (gamma(random, alpha), gamma(random, alpha));
    // Both can be too small for a float where alpha is tiny; one image then takes all.
    if a + b > 0.0 { a / (a + b) } else { 1.0 }
}

/// Gamma with scale 1 (Marsaglia and Tsang, "A simple method for generating gamma variables", 2000).
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
