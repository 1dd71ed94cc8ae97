//! Bringing a picture to the size of the images. Additions and multiplications only, so that every machine gives the same pixels.

use image::{Rgb, RgbImage, imageops};

use crate::pictures::Fit;

/// The part of a picture that is kept, and the size that it is scaled to, both as width and height; the rest of the image is
/// background.
struct Geometry {
    kept: (u32, u32),
    scaled: (u32, u32),
}

impl Geometry {
    /// Of a picture of width and height, for an image of width and height. Ratios of sides are compared as exact products.
    fn new((width, height): (u32, u32), (w, h): (u32, u32), fit: Fit) -> Self {
        let wider = u64::from(width) * u64::from(h) > u64::from(height) * u64::from(w);
        // `a * b / c`, rounded, but at least 1.
        let share = |a: u32, b: u32, c: u32| {
            let (a, b, c) = (u64::from(a), u64::from(b), u64::from(c));
            ((2 * a * b + c) / (2 * c)).max(1) as u32
        };
        let (kept, scaled) = match fit {
            Fit::Stretch => ((width, height), (w, h)),
            Fit::Auto | Fit::Crop if wider => ((share(height, w, h).min(width), height), (w, h)),
            Fit::Auto | Fit::Crop => ((width, share(width, h, w).min(height)), (w, h)),
            Fit::Contain if wider => ((width, height), (w, share(height, w, width).min(h))),
            Fit::Contain => ((width, height), (share(width, h, height).min(w), h)),
        };
        Self { kept, scaled }
    }
}

/// Resizes a picture to `[h, w]`.
pub(crate) fn fit(
    picture: RgbImage,
    [h, w]: [usize; 2],
    fit: Fit,
    background: [u8; 3],
) -> RgbImage {
    let (h, w) = (h as u32, w as u32);
    let (width, height) = picture.dimensions();
    if (width, height) == (w, h) {
        return picture;
    }
    let Geometry { kept, scaled } = Geometry::new((width, height), (w, h), fit);
    let picture = if kept == (width, height) {
        picture
    } else {
        let (x, y) = ((width - kept.0) / 2, (height - kept.1) / 2);
        imageops::crop_imm(&picture, x, y, kept.0, kept.1).to_image()
    };
    let picture = scale(picture, scaled);
    if scaled == (w, h) {
        return picture;
    }
    let mut canvas = RgbImage::from_pixel(w, h, Rgb(background));
    let (x, y) = ((w - scaled.0) / 2, (h - scaled.1) / 2);
    imageops::replace(&mut canvas, &picture, i64::from(x), i64::from(y));
    canvas
}

/// Scales in two steps: means of whole blocks of pixels if the picture is more than three times too large, and then a bicubic
/// filter (Catmull and Rom, 1974) as wide as the remaining reduction, so that no pixel is skipped and nothing aliases. Both use
/// additions and multiplications only, so that every machine gives the same pixels.
fn scale(picture: RgbImage, (w, h): (u32, u32)) -> RgbImage {
    let (width, height) = picture.dimensions();
    let blocks = (((width / w) / 3).max(1), ((height / h) / 3).max(1));
    let picture = if blocks == (1, 1) { picture } else { reduce(&picture, blocks) };
    if picture.dimensions() == (w, h) {
        return picture;
    }
    resample(&picture, (w, h))
}

/// Another size, by the bicubic filter: first columns, row by row, then rows.
fn resample(picture: &RgbImage, (w, h): (u32, u32)) -> RgbImage {
    let (width, height) = picture.dimensions();
    let (rows, columns) = (taps(height, h), taps(width, w));
    let line = 3 * width as usize;
    let mut sums = vec![0.0f32; line];
    let mut out = Vec::with_capacity(3 * (w * h) as usize);
    for (first, weights) in &rows {
        sums.fill(0.0);
        for (row, &weight) in picture.as_raw()[first * line..].chunks_exact(line).zip(weights) {
            let weight = weight as f32;
            for (sum, &byte) in sums.iter_mut().zip(row) {
                *sum += weight * f32::from(byte);
            }
        }
        for (first, weights) in &columns {
            let mut pixel = [0.0f32; 3];
            for (sums, &weight) in sums[3 * first..].chunks_exact(3).zip(weights) {
                for (x, sum) in pixel.iter_mut().zip(sums) {
                    *x += weight as f32 * sum;
                }
            }
            // The filter overshoots at edges. Halves are rounded up.
            out.extend(pixel.map(|x| (x.clamp(0.0, 255.0) + 0.5) as u8));
        }
    }
    // The number of bytes fits the size, so this is never the default.
    RgbImage::from_raw(w, h, out).unwrap_or_default()
}

/// For each of `to` pixels in a row, the first of the `from` pixels that make it, and their weights, by the filter of Catmull and Rom
/// as wide as the reduction.
fn taps(from: u32, to: u32) -> Vec<(usize, Vec<f64>)> {
    let ratio = f64::from(from) / f64::from(to);
    let stretch = ratio.max(1.0);
    let last = i64::from(from) - 1;
    let of_pixel = |x: u32| {
        let centre = (f64::from(x) + 0.5) * ratio - 0.5;
        let first = ((centre - 2.0 * stretch).ceil() as i64).clamp(0, last);
        let end = ((centre + 2.0 * stretch).floor() as i64).clamp(0, last);
        let weigh = |i: i64| catmull_rom((i as f64 - centre) / stretch);
        let weights: Vec<f64> = (first..=end).map(weigh).collect();
        let sum: f64 = weights.iter().sum();
        (first as usize, weights.into_iter().map(|weight| weight / sum).collect())
    };
    (0..to).map(of_pixel).collect()
}

/// The mean of each block of pixels. Blocks at the right and lower edge may be smaller.
fn reduce(picture: &RgbImage, (bx, by): (u32, u32)) -> RgbImage {
    let (width, height) = picture.dimensions();
    let (w, h) = (width.div_ceil(bx), height.div_ceil(by));
    let mut out = Vec::with_capacity(3 * (w * h) as usize);
    let line = 3 * width as usize;
    // The sides of pictures are limited to 2^16, so that sums of a column fit.
    let mut sums = vec![0u32; line];
    for rows in picture.as_raw().chunks(by as usize * line) {
        sums.fill(0);
        for row in rows.chunks_exact(line) {
            for (sum, &byte) in sums.iter_mut().zip(row) {
                *sum += u32::from(byte);
            }
        }
        for block in sums.chunks(3 * bx as usize) {
            let mut pixel = [0u64; 3];
            for sums in block.chunks_exact(3) {
                for (x, &sum) in pixel.iter_mut().zip(sums) {
                    *x += u64::from(sum);
                }
            }
            let n = (block.len() / 3 * (rows.len() / line)) as u64;
            out.extend(pixel.map(|sum| ((2 * sum + n) / (2 * n)) as u8));
        }
    }
    // The number of bytes fits the size, so this is never the default.
    RgbImage::from_raw(w, h, out).unwrap_or_default()
}

/// One channel of a picture, in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plane {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) values: Vec<f32>,
}

impl Plane {
    /// Resizes a plane to `[h, w]` as [`fit`] does a picture of bytes, but without rounding.
    pub(crate) fn fit(&self, [h, w]: [usize; 2], fit: Fit, background: f32) -> Vec<f32> {
        let (h, w) = (h as u32, w as u32);
        if (self.width, self.height) == (w, h) {
            return self.values.clone();
        }
        let Geometry { kept, scaled } = Geometry::new((self.width, self.height), (w, h), fit);
        let scaled_plane = self.crop(kept).scale(scaled);
        if scaled == (w, h) {
            return scaled_plane.values;
        }
        let mut canvas = vec![background; (w * h) as usize];
        let (left, top) = (((w - scaled.0) / 2) as usize, ((h - scaled.1) / 2) as usize);
        for (y, row) in scaled_plane.values.chunks_exact(scaled.0 as usize).enumerate() {
            let start = (top + y) * w as usize + left;
            canvas[start..start + row.len()].copy_from_slice(row);
        }
        canvas
    }

    fn crop(&self, (width, height): (u32, u32)) -> Self {
        let (x, y) = ((self.width - width) / 2, (self.height - height) / 2);
        let rows = self.values.chunks_exact(self.width as usize).skip(y as usize);
        let rows = rows.take(height as usize);
        let values = rows.flat_map(|row| &row[x as usize..(x + width) as usize]).copied().collect();
        Self { width, height, values }
    }

    /// As [`scale`]: means of whole blocks, then a bicubic filter.
    fn scale(self, (w, h): (u32, u32)) -> Self {
        let blocks = (((self.width / w) / 3).max(1), ((self.height / h) / 3).max(1));
        let plane = if blocks == (1, 1) { self } else { self.reduce(blocks) };
        if (plane.width, plane.height) == (w, h) {
            return plane;
        }
        let (least, most) = ends(&plane.values);
        let mut plane = plane.resample(w).transposed().resample(h).transposed();
        // The filter overshoots at edges.
        for x in &mut plane.values {
            *x = x.clamp(least, most);
        }
        plane
    }

    fn reduce(&self, (bx, by): (u32, u32)) -> Self {
        let (w, h) = (self.width.div_ceil(bx), self.height.div_ceil(by));
        let mut values = Vec::with_capacity((w * h) as usize);
        for y in 0..h {
            let rows = y * by..((y + 1) * by).min(self.height);
            for x in 0..w {
                let columns = x * bx..((x + 1) * bx).min(self.width);
                let mut sum = 0.0f64;
                for row in rows.clone() {
                    let start = (row * self.width + columns.start) as usize;
                    let line = &self.values[start..start + columns.len()];
                    for &x in line {
                        sum += f64::from(x);
                    }
                }
                values.push((sum / (rows.len() * columns.len()) as f64) as f32);
            }
        }
        Self { width: w, height: h, values }
    }

    /// Another width, by the filter of Catmull and Rom as wide as the reduction.
    fn resample(&self, width: u32) -> Self {
        let weights = taps(self.width, width);
        let rows = self.values.chunks_exact(self.width as usize);
        let values = rows.flat_map(|row| {
            weights.iter().map(|(from, weights)| {
                let mut sum = 0.0f64;
                for (weight, &x) in weights.iter().zip(&row[*from..]) {
                    sum += weight * f64::from(x);
                }
                sum as f32
            })
        });
        Self { width, height: self.height, values: values.collect() }
    }

    fn transposed(&self) -> Self {
        let (w, h) = (self.width as usize, self.height as usize);
        let values = (0..w).flat_map(|x| (0..h).map(move |y| self.values[y * w + x])).collect();
        Self { width: self.height, height: self.width, values }
    }
}

/// The smallest and the largest of some values.
pub(super) fn ends(values: &[f32]) -> (f32, f32) {
    let all = || values.iter().copied();
    (all().fold(f32::INFINITY, f32::min), all().fold(f32::NEG_INFINITY, f32::max))
}

fn catmull_rom(x: f64) -> f64 {
    let x = x.abs();
    match x {
        0.0..1.0 => 1.5 * x * x * x - 2.5 * x * x + 1.0,
        1.0..2.0 => -0.5 * x * x * x + 2.5 * x * x - 4.0 * x + 2.0,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_are_resized_as_pictures_are() {
        let picture = RgbImage::from_fn(37, 23, |x, y| Rgb([(x * 6) as u8, (y * 9) as u8, 40]));
        for how in [Fit::Crop, Fit::Contain, Fit::Stretch] {
            for size in [[23, 37], [9, 11], [2, 3], [30, 60], [5, 40]] {
                let expected = fit(picture.clone(), size, how, [7; 3]);
                for channel in 0..3 {
                    let values = picture.pixels().map(|p| f32::from(p.0[channel])).collect();
                    let plane = Plane { width: 37, height: 23, values };
                    let fitted = plane.fit(size, how, 7.0);
                    for (x, p) in fitted.iter().zip(expected.pixels()) {
                        let byte = f32::from(p.0[channel]);
                        assert!((x - byte).abs() <= 1.6, "{how:?} {size:?} {x} {byte}");
                    }
                }
            }
        }
    }

    #[test]
    fn pictures_are_resampled_as_by_other_programs() {
        let picture = RgbImage::from_fn(61, 47, |x, y| {
            Rgb([
                (x * y) as u8,
                (x * x + 3 * y) as u8,
                if (x / 5 + y / 7) % 2 == 0 { 250 } else { 3 },
            ])
        });
        for (w, h) in [(61, 20), (24, 47), (30, 22), (120, 90), (1, 1), (64, 31)] {
            let ours = resample(&picture, (w, h));
            let filter = image::imageops::FilterType::CatmullRom;
            let theirs = imageops::resize(&picture, w, h, filter);
            for (a, b) in ours.as_raw().iter().zip(theirs.as_raw()) {
                assert!(a.abs_diff(*b) <= 1, "{w} x {h}: {a} {b}");
            }
        }
    }

    #[test]
    fn blocks_at_the_edges_may_be_smaller() {
        let uneven = RgbImage::from_fn(5, 3, |x, _| Rgb([if x == 4 { 90 } else { 30 }; 3]));
        let reduced = reduce(&uneven, (2, 2));
        assert_eq!(reduced.dimensions(), (3, 2));
        assert_eq!(reduced.pixels().map(|p| p.0[0]).collect::<Vec<_>>(), [30, 30, 90, 30, 30, 90]);
    }
}
