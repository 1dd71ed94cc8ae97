//! Metrics of reconstructions. Images are rows of `c * h * w` values from 0 to 1.

use rayon::prelude::*;

use crate::error::Error;
use crate::rows::Rows;

/// Side and standard deviation of the Gaussian window of SSIM, in pixels.
const WINDOW: usize = 11;
const SIGMA: f64 = 1.5;
/// Constants of SSIM for values from 0 to 1: `0.01^2` and `0.03^2`.
const C1: f64 = 1e-4;
const C2: f64 = 9e-4;

/// Returns an error if the two arrays differ in size.
fn same_size(images: Rows<'_>, others: Rows<'_>) -> Result<(), Error> {
    images.like(others)?;
    let (expected, got) = (images.len(), others.len());
    let what = "the list of reconstructions";
    if expected == got { Ok(()) } else { Err(Error::Size { what, expected, got }) }
}

/// Mean squared error of each image `[n]`, for images and their reconstructions `[n, c h w]`.
///
/// ```
/// use latents_explore::Rows;
/// use latents_explore::metrics::reconstruction::squared_errors;
///
/// let (images, others) = ([0.0, 0.0, 1.0, 1.0], [0.0, 0.5, 1.0, 1.0]);
/// let errors = squared_errors(Rows::new(&images, 2)?, Rows::new(&others, 2)?)?;
/// assert_eq!(errors, [0.125, 0.0]);
/// # Ok::<(), latents_explore::Error>(())
/// ```
///
/// # Errors
/// If the two arrays differ in size.
pub fn squared_errors(images: Rows<'_>, others: Rows<'_>) -> Result<Vec<f64>, Error> {
    same_size(images, others)?;
    let error = |i: usize| {
        let pairs = images.row(i).iter().zip(others.row(i));
        let sum: f64 = pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
        sum / images.dim() as f64
    };
    Ok((0..images.len()).into_par_iter().map(error).collect())
}

/// Peak signal-to-noise ratio, in decibels, for a mean squared error of values from 0 to 1. Infinite if the error is 0.
#[must_use]
pub fn psnr(squared_error: f64) -> f64 {
    -10.0 * libm::log10(squared_error)
}

/// The detail of images `[n, c h w]` of shape `[c, h, w]`: the mean squared difference between each pixel and the mean of its four neighbours
/// (the discrete Laplacian). Blurred images have less of it. None for images of less than 3 pixels a side.
#[must_use]
pub fn detail(images: &[f32], [_, h, w]: [usize; 3]) -> Option<f64> {
    if h < 3 || w < 3 || images.is_empty() {
        return None;
    }
    let of_plane = |plane: &[f32]| {
        let mut sum = 0.0;
        for y in 1..h - 1 {
            for x in 1..w - 1 {
                let at = y * w + x;
                let around = plane[at - 1] + plane[at + 1] + plane[at - w] + plane[at + w];
                sum += f64::from(plane[at] - 0.25 * around).powi(2);
            }
        }
        sum
    };
    let planes = images.chunks_exact(h * w);
    let count = planes.len() * (h - 2) * (w - 2);
    Some(planes.map(of_plane).sum::<f64>() / count as f64)
}

/// Structural similarity (SSIM) of each image `[n]`, for images and their reconstructions `[n, c h w]`; 1 if they are equal. Wang et al.,
/// "Image quality assessment: from error visibility to structural similarity", 2004, with a Gaussian window of 11 x 11 pixels, averaged
/// over the positions where the window fits and over the channels (as scikit-image with `gaussian_weights` and without
/// `use_sample_covariance`). None if images are smaller than the window.
///
/// # Errors
/// If the two arrays differ in size, or `shape` `[c, h, w]` does not have as many values as a row.
pub fn ssim(
    images: Rows<'_>,
    others: Rows<'_>,
    shape: [usize; 3],
) -> Result<Option<Vec<f64>>, Error> {
    same_size(images, others)?;
    let [c, h, w] = shape;
    if images.dim() != c * h * w {
        return Err(Error::Size { what: "each image", expected: c * h * w, got: images.dim() });
    }
    if h < WINDOW || w < WINDOW {
        return Ok(None);
    }
    let kernel = kernel();
    let similarity = |i: usize| {
        let channels = images.row(i).chunks_exact(h * w).zip(others.row(i).chunks_exact(h * w));
        channels.map(|(a, b)| of_channel(a, b, (h, w), &kernel)).sum::<f64>() / c as f64
    };
    Ok(Some((0..images.len()).into_par_iter().map(similarity).collect()))
}

/// The one-dimensional Gaussian window; its sum is 1.
fn kernel() -> [f64; WINDOW] {
    let at = |i: usize| {
        let x = (i as f64 - (WINDOW / 2) as f64) / SIGMA;
        libm::exp(-0.5 * x * x)
    };
    let kernel: [f64; WINDOW] = std::array::from_fn(at);
    let sum: f64 = kernel.iter().sum();
    kernel.map(|k| k / sum)
}

/// Mean SSIM of one channel.
fn of_channel(a: &[f32], b: &[f32], size: (usize, usize), kernel: &[f64; WINDOW]) -> f64 {
    let mean = |f: &dyn Fn(f64, f64) -> f64| {
        let product: Vec<f64> =
            a.iter().zip(b).map(|(&a, &b)| f(f64::from(a), f64::from(b))).collect();
        blur(&product, size, kernel)
    };
    let (ma, mb) = (mean(&|a, _| a), mean(&|_, b| b));
    let (aa, bb, ab) = (mean(&|a, _| a * a), mean(&|_, b| b * b), mean(&|a, b| a * b));
    let at = |i: usize| {
        let (va, vb) = (aa[i] - ma[i] * ma[i], bb[i] - mb[i] * mb[i]);
        let covariance = ab[i] - ma[i] * mb[i];
        let numerator = (2.0 * ma[i] * mb[i] + C1) * (2.0 * covariance + C2);
        numerator / ((ma[i] * ma[i] + mb[i] * mb[i] + C1) * (va + vb + C2))
    };
    (0..ma.len()).map(at).sum::<f64>() / ma.len() as f64
}

/// Weighted mean over the window at each position where it fits.
fn blur(x: &[f64], (h, w): (usize, usize), kernel: &[f64; WINDOW]) -> Vec<f64> {
    let (rows, columns) = (h + 1 - WINDOW, w + 1 - WINDOW);
    let mut across = vec![0.0; h * columns];
    for i in 0..h {
        for (k, weight) in kernel.iter().enumerate() {
            let from = &x[i * w + k..][..columns];
            crate::linear::axpy(*weight, from, &mut across[i * columns..(i + 1) * columns]);
        }
    }
    let mut out = vec![0.0; rows * columns];
    for i in 0..rows {
        for (k, weight) in kernel.iter().enumerate() {
            let from = &across[(i + k) * columns..(i + k + 1) * columns];
            crate::linear::axpy(*weight, from, &mut out[i * columns..(i + 1) * columns]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blurred_images_have_less_detail() {
        let sharp: Vec<f32> = (0..5 * 6).map(|i| ((i / 6 + i % 6) % 2) as f32).collect();
        let blurred: Vec<f32> = sharp.iter().map(|v| 0.5 + 0.25 * (v - 0.5)).collect();
        let [sharp, blurred] = [sharp, blurred].map(|image| detail(&image, [1, 5, 6]).unwrap());
        assert!((sharp - 1.0).abs() < 1e-12 && (blurred - 1.0 / 16.0).abs() < 1e-12);
        assert_eq!(detail(&[0.0; 8], [1, 2, 4]), None);
    }
}
