//! Whether two pictures are nearly the same: scaled, compressed again or changed slightly. Thumbnails are compared on grids of
//! several sizes, brightness and colour apart, and differences count in proportion to the contrast of the pictures. A difference needs
//! a cause: between files of the same size and without loss, much less is accepted.

use latents_data::{Fingerprint, THUMBNAIL};

/// The sides of the grids that are compared, from fine to coarse.
const GRIDS: [usize; 3] = [32, 16, 8];
/// The largest difference of the ratios of their sides, as a factor.
const RATIO: f64 = 1.01;
/// Differences of brightness and of colour that compression makes even where there is no contrast, as a part of the range.
const NOISE: [f64; 2] = [0.003, 0.01];
/// The largest difference of the means of two pictures, as a part of the range.
const SHIFT: f64 = 0.03;
/// What is accepted where neither scaling nor loss explains a difference, as a part of what is accepted otherwise.
const UNEXPLAINED: f64 = 1.0 / 6.0;

/// The difference of two pictures, if they are near: if on every grid their difference is at most `most` of the contrast.
pub(super) fn difference(a: &Fingerprint, b: &Fingerprint, most: f64) -> Option<f64> {
    let ratio = |f: &Fingerprint| f64::from(f.size[0]) / f64::from(f.size[1]);
    let (x, y) = (ratio(a), ratio(b));
    let smallest = a.size.into_iter().chain(b.size).min().unwrap_or(1);
    // Rounding of small sides changes the ratio too.
    if x.max(y) / x.min(y) > RATIO + 1.0 / f64::from(smallest) {
        return None;
    }
    let limits = Limits {
        same_size: a.size == b.size,
        explained: a.size != b.size || a.is_lossy || b.is_lossy,
        smallest: smallest as usize,
        most,
    };
    let flat = |f: &Fingerprint| (!f.is_plain).then(|| Look::of(&f.thumbnail));
    let opaque = |f: &Fingerprint| f.opaque.as_ref().map(|thumbnail| Look::of(thumbnail));
    let (flat_a, flat_b, opaque_a, opaque_b) = (flat(a), flat(b), opaque(a), opaque(b));
    // A transparent picture may have been copied with its background, without its transparency, or as it is. In the last case the
    // pictures in front of the background tell, unless nothing can be seen there.
    let as_it_is = a.is_plain && b.is_plain;
    let pairs = [
        (&flat_a, &flat_b),
        (&flat_a, &opaque_b),
        (&opaque_a, &flat_b),
        (if as_it_is { &opaque_a } else { &None }, &opaque_b),
    ];
    let compared = pairs.into_iter().filter_map(|pair| match pair {
        (Some(a), Some(b)) => limits.difference(a, b),
        _ => None,
    });
    compared.min_by(f64::total_cmp)
}

/// A thumbnail as brightness and two colours, on each grid.
struct Look {
    /// The mean of each of the three.
    means: [f64; 3],
    /// Of each grid: brightness without its mean, and colours without theirs.
    grids: [[Vec<f32>; 2]; 3],
}

impl Look {
    fn of(thumbnail: &[u8]) -> Self {
        let n = THUMBNAIL * THUMBNAIL;
        let colour = |c: usize, i: usize| f32::from(thumbnail[c * n + i]) / 255.0;
        let mut planes: [Vec<f32>; 3] = [vec![], vec![], vec![]];
        for i in 0..n {
            let [red, green, blue] = [0, 1, 2].map(|c| colour(c, i));
            // Brightness and colours as in JPEG files (ITU-R BT.601).
            let luma = 0.299 * red + 0.587 * green + 0.114 * blue;
            planes[0].push(luma);
            planes[1].push((blue - luma) * 0.564);
            planes[2].push((red - luma) * 0.713);
        }
        let means = [0, 1, 2].map(|c: usize| {
            let sum: f64 = planes[c].iter().map(|&x| f64::from(x)).sum();
            sum / n as f64
        });
        for (plane, mean) in planes.iter_mut().zip(means) {
            for x in plane {
                *x -= mean as f32;
            }
        }
        let grids = GRIDS.map(|side| {
            let [luma, blue, red] = [0, 1, 2].map(|c: usize| cells(&planes[c], side));
            [luma, [blue, red].concat()]
        });
        Self { means, grids }
    }
}

/// Means of square blocks of a plane of a thumbnail: `[side, side]`.
pub(super) fn cells(plane: &[f32], side: usize) -> Vec<f32> {
    let block = THUMBNAIL / side;
    let cell = |i: usize| {
        let (y, x) = (i / side * block, i % side * block);
        let rows = (y..y + block).flat_map(|y| &plane[y * THUMBNAIL + x..][..block]);
        rows.sum::<f32>() / (block * block) as f32
    };
    (0..side * side).map(cell).collect()
}

/// What is accepted as a difference of two pictures.
struct Limits {
    same_size: bool,
    explained: bool,
    smallest: usize,
    most: f64,
}

impl Limits {
    fn difference(&self, a: &Look, b: &Look) -> Option<f64> {
        let share = if self.explained { 1.0 } else { UNEXPLAINED };
        let shift: f64 = a.means.iter().zip(b.means).map(|(x, y)| (x - y).powi(2)).sum();
        if shift.sqrt() > SHIFT * share {
            return None;
        }
        let noise = if self.explained { NOISE } else { [0.0; 2] };
        let mut finest = None;
        // Coarse grids come first: they rule out most pairs.
        for (side, (a, b)) in GRIDS.into_iter().zip(a.grids.iter().zip(&b.grids)).rev() {
            // A grid finer than half of the pixels shows how a picture was scaled rather than what is on it.
            if !self.same_size && side > GRIDS[2] && self.smallest < 2 * side {
                continue;
            }
            let mut sum = 0.0;
            for (kind, (a, b)) in a.iter().zip(b).enumerate() {
                let n = (side * side) as f64;
                let square = |x: f32| f64::from(x).powi(2);
                let difference = a.iter().zip(b).map(|(x, y)| square(x - y)).sum::<f64>() / n;
                let contrast = |x: &[f32]| (x.iter().map(|&x| square(x)).sum::<f64>() / n).sqrt();
                let limit = self.most * share * contrast(a).min(contrast(b)) + noise[kind];
                // Colours are stored more coarsely than brightness, so the finest grid does not count for them.
                if (kind == 0 || side < GRIDS[0]) && difference.sqrt() > limit {
                    return None;
                }
                sum += difference;
            }
            finest = Some(sum.sqrt());
        }
        finest
    }
}
