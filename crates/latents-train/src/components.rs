//! Principal components of the training images as the initial parameters of models that start from them, and the choice of the augmentation
//! that suits such a model.

use std::ops::Range;

use latents_data::{Augmentation, Augmented, Border, Images};
use latents_engine::{Layout, Parameter};
use latents_explore::metrics::Estimate;
use latents_explore::{Pca, Rows};
use latents_models::LinearStart;
use latents_progress::Monitor;

use crate::error::Error;

/// Rows that components are computed from, at least, if images are augmented: so many changed copies are made of few images.
const ROWS: usize = 2_048;
/// Copies of an image, at most.
const COPIES: usize = 16;
/// Numbers in all rows, at most, which take 1.3 GB. Of more images, evenly spaced ones are used.
const NUMBERS: usize = 320 << 20;
/// Numbers in the validation images that augmentations are compared with, at most.
const COMPARED: usize = 32 << 20;
/// The variance of a pixel that components leave, at least: about that of rounding to one of 256 levels.
const LEAST_NOISE: f64 = 1e-6;
/// The part of an image's shorter side by which it is shifted.
const SHIFT: usize = 20;

/// Some images of a collection.
#[derive(Clone, Copy)]
pub(crate) struct SomeImages<'a> {
    pub(crate) images: &'a Images,
    pub(crate) index: &'a [u32],
}

impl SomeImages<'_> {
    /// The numbers of at most so many images, evenly spaced.
    fn some(&self, most: usize) -> Vec<u32> {
        let step = self.index.len().div_ceil(most.max(1)).max(1);
        self.index.iter().copied().step_by(step).collect()
    }

    /// Their principal components; of changed copies too, if images are augmented. There are as many as asked for, but those beyond the number
    /// of directions in which the rows differ are 0.
    pub(crate) fn components(
        &self,
        count: usize,
        augmentation: &Augmentation,
        seed: u64,
        monitor: &Monitor,
    ) -> Result<Pca, Error> {
        let numbers: usize = self.images.shape().iter().product();
        let most = (NUMBERS / numbers).max(2);
        // What an erased or mixed image shows is not in any image.
        let moved = Augmentation { erase: 0.0, mix: None, ..*augmentation };
        // With one copy of each, half as many images have room.
        let index = self.some(if moved.is_nothing() { most } else { (most / 2).max(2) });
        let copies = if moved.is_nothing() {
            0
        } else {
            ROWS.div_ceil(index.len()).clamp(1, COPIES).min((most / index.len() - 1).max(1))
        };
        let all = (1 + copies) * index.len() * numbers;
        let what = format!("finding principal components of {} images", (1 + copies) * index.len());
        latents_files::check_memory(&what, Pca::memory((1 + copies) * index.len(), numbers))?;
        let mut rows = Vec::with_capacity(all);
        for &i in &index {
            rows.extend(self.images.image(i as usize).units());
        }
        let mut batch = Augmented::default();
        for copy in 0..copies as u64 {
            moved.apply(self.images, &index, seed, copy, &mut batch);
            rows.extend(batch.pixels().units());
        }
        Ok(Pca::fit(Rows::new(&rows, numbers)?, count, monitor)?)
    }
}

/// Sets the initial parameters of the layers that start from components.
pub(crate) fn start_from(
    pca: &Pca,
    start: &LinearStart,
    layout: &Layout,
    parameters: &mut [f32],
) -> Result<(), Error> {
    set_components(pca, start, layout, parameters)?;
    for layer in &start.zero {
        for parameter in both(layout, layer)? {
            parameters[parameter.range()].fill(0.0);
        }
    }
    for layer in &start.pixels {
        // w (2 x - 1) + b = 2 w x + (b - sum w).
        let [weight, bias] = both(layout, layer)?;
        let per_output = weight.range().len() / bias.range().len();
        let weights = &mut parameters[weight.range()];
        let sums: Vec<f32> = weights.chunks_exact(per_output).map(|w| w.iter().sum()).collect();
        for weight in weights {
            *weight *= 2.0;
        }
        for (bias, sum) in parameters[bias.range()].iter_mut().zip(sums) {
            *bias -= sum;
        }
    }
    Ok(())
}

/// How coordinates are scaled: the factor of each on the way from pixels, that on the way back, and the log-variance of its posterior.
struct Scales {
    encode: Vec<f64>,
    decode: Vec<f64>,
    log_variance: Vec<f64>,
}

impl Scales {
    /// The deviation of each coordinate is the square root of its component's, times a factor that makes the mean variance of coordinates 1:
    /// between whitened coordinates, in which noise counts as much as what distinguishes images, and plain ones, of which a few outweigh all
    /// others.
    fn balanced(pca: &Pca) -> Self {
        let deviations: Vec<f64> = pca.explained_variance().iter().map(|v| v.sqrt()).collect();
        let mean = deviations.iter().sum::<f64>() / deviations.len() as f64;
        let decode: Vec<f64> = deviations.iter().map(|d| (d * mean).sqrt()).collect();
        let encode = decode.iter().map(|&s| if s > 0.0 { 1.0 / s } else { 0.0 }).collect();
        Scales { encode, decode, log_variance: vec![] }
    }

    /// Those of probabilistic principal component analysis, whose prior is N(0, I), with the exact posterior.
    fn probabilistic(pca: &Pca, noise: f64) -> Self {
        let explained = pca.explained_variance().iter();
        let of = |&v: &f64| if v > noise { (v, (v - noise).sqrt()) } else { (1.0, 0.0) };
        let both: Vec<(f64, f64)> = explained.map(of).collect();
        let log_variance =
            |&(v, decode): &(f64, f64)| if decode > 0.0 { libm::log(noise / v) } else { 0.0 };
        Scales {
            encode: both.iter().map(|(v, decode)| decode / v).collect(),
            decode: both.iter().map(|&(_, decode)| decode).collect(),
            log_variance: both.iter().map(log_variance).collect(),
        }
    }
}

/// Sets the parameters of the two linear layers and, of a model with a posterior, the deviation of the likelihood.
pub(crate) fn set_components(
    pca: &Pca,
    start: &LinearStart,
    layout: &Layout,
    parameters: &mut [f32],
) -> Result<(), Error> {
    let (directions, mean) = (pca.components(), pca.mean());
    let numbers = mean.len();
    let scales = if let Some(layer) = &start.log_deviation {
        let noise = pca.noise_variance().max(LEAST_NOISE);
        let log_deviation = named(layout, layer, "log_scale")?;
        parameters[log_deviation.range()].fill((0.5 * libm::log(noise)) as f32);
        Scales::probabilistic(pca, noise)
    } else {
        Scales::balanced(pca)
    };
    let [weight, bias] = both(layout, &start.encode)?;
    parameters[weight.range()].fill(0.0);
    let rows = directions.chunks_exact(numbers).zip(&scales.encode);
    for (k, (direction, &scale)) in rows.enumerate() {
        let to = &mut parameters[weight.range()][k * numbers..][..numbers];
        for (to, v) in to.iter_mut().zip(direction) {
            *to = (v * scale) as f32;
        }
        let centre: f64 = direction.iter().zip(mean).map(|(v, m)| v * m).sum();
        parameters[bias.range()][k] = (-centre * scale) as f32;
    }
    let count = scales.decode.len();
    let log_variances = parameters[bias.range()][count..].iter_mut();
    for (to, &log_variance) in log_variances.zip(&scales.log_variance) {
        *to = log_variance as f32;
    }
    let [weight, bias] = both(layout, &start.decode)?;
    for (i, &m) in mean.iter().enumerate() {
        parameters[bias.range()][i] = m as f32;
        for (k, scale) in scales.decode.iter().enumerate() {
            let v = directions[k * numbers + i] * scale;
            parameters[weight.range()][i * count + k] = v as f32;
        }
    }
    Ok(())
}

/// The ranges of the parameters that keep components, in order.
pub(crate) fn fixed(start: &LinearStart, layout: &Layout) -> Vec<Range<usize>> {
    if !start.fixed {
        return vec![];
    }
    let layers = [&start.encode, &start.decode].map(|layer| both(layout, layer));
    let mut ranges: Vec<_> = layers.into_iter().flatten().flatten().map(Parameter::range).collect();
    ranges.sort_by_key(|range| range.start);
    ranges
}

/// Weight and bias of a layer.
fn both<'a>(layout: &'a Layout, layer: &str) -> Result<[&'a Parameter; 2], Error> {
    Ok([named(layout, layer, "weight")?, named(layout, layer, "bias")?])
}

fn named<'a>(layout: &'a Layout, layer: &str, name: &str) -> Result<&'a Parameter, Error> {
    let name = format!("{layer}.{name}");
    let found = layout.parameters().iter().find(|parameter| parameter.name == name);
    found.ok_or_else(|| Error::Config(format!("the model has no parameter `{name}`")))
}

/// Of no augmentation, flips, shifts and both, the one whose components reconstruct the validation images best. One is preferred to another only
/// if it is better by more than a standard error of the difference (Breiman et al., 1984): ten validation images would otherwise choose by
/// chance what makes the components of all other images worse.
pub(crate) fn augmentation(
    training: SomeImages<'_>,
    validation: SomeImages<'_>,
    count: usize,
    seed: u64,
    monitor: &Monitor,
) -> Result<Augmentation, Error> {
    let [_, h, w] = training.images.shape();
    let shift = Augmentation {
        shift: (h.min(w) / SHIFT).max(1),
        border: Border::Edge,
        ..Augmentation::default()
    };
    let flip = Augmentation { flip: 0.5, ..Augmentation::default() };
    let numbers: usize = training.images.shape().iter().product();
    let compared = validation.some(COMPARED / numbers);
    let compared = compared.iter().flat_map(|&i| validation.images.image_unit(i as usize));
    let compared: Vec<f32> = compared.collect();
    let validation = Rows::new(&compared, numbers)?;
    let errors = |candidate: &Augmentation| -> Result<Vec<f64>, Error> {
        let pca = training.components(count, candidate, seed, monitor)?;
        let of = |i| {
            let image = Rows::new(validation.row(i), validation.dim())?;
            pca.clipped_reconstruction_error(image)
        };
        Ok((0..validation.len()).map(of).collect::<Result<_, _>>()?)
    };
    let mut best = (errors(&Augmentation::default())?, Augmentation::default());
    for candidate in [flip, shift, Augmentation { flip: 0.5, ..shift }] {
        let errors = errors(&candidate)?;
        if is_better(&errors, &best.0) {
            best = (errors, candidate);
        }
    }
    Ok(best.1)
}

/// Whether the errors of the same images are lower by more than a standard error.
fn is_better(errors: &[f64], than: &[f64]) -> bool {
    let gains: Vec<f64> = than.iter().zip(errors).map(|(than, error)| than - error).collect();
    let Estimate { value, error } = Estimate::of(&gains);
    gains.len() > 1 && value > error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gain_counts_if_it_is_more_than_its_standard_error() {
        assert!(is_better(&[1.0, 1.0, 1.1], &[2.0, 2.1, 2.0]));
        assert!(!is_better(&[1.0, 2.0, 3.0], &[3.0, 1.5, 2.0]));
        assert!(!is_better(&[1.0, 1.0], &[1.0, 1.0]));
        assert!(!is_better(&[1.0], &[9.0]), "of one image nothing is known");
    }
}
