//! Measures the samples of each sampler beside training images.

use latents_progress::Monitor;
use latents_random::{Purpose, stream};

use super::data::{SampleMeasures, SamplerScore};
use super::input::CardInput;
use super::measure::{CardCallbacks, SAME, begin};
use crate::classification::Confusion;
use crate::error::Error;
use crate::metrics::copies::Originals;
use crate::metrics::distributions::{
    frechet_distance, frechet_estimate, kernel_distance, precision_recall,
};
use crate::metrics::reconstruction::detail;
use crate::mixture::GaussianMixture;
use crate::rows::Rows;
use crate::samplers;

/// Training latents that the mixture is fitted to, at most.
const FITTED: usize = 20_000;
/// `k` of precision and recall, as in their paper.
const REACH: usize = 3;

impl SampleMeasures {
    pub(super) fn measure<E: From<Error>>(
        input: &CardInput<'_>,
        callbacks: &mut CardCallbacks<'_, E>,
        monitor: &Monitor,
    ) -> Result<Self, E> {
        begin(monitor, "features of images")?;
        let dim = input.latents.dim();
        let number = input.images.len().min(input.train.len());
        // Images may be sorted by class, but the jackknife needs a random order.
        let mut indices: Vec<usize> = input.train.evenly_spaced(number).collect();
        stream(input.seed, Purpose::Resample, 0, 1).shuffle(&mut indices);
        let real: Vec<f32> = indices.iter().flat_map(|&i| input.train.row(i)).copied().collect();
        let (real, k) = (callbacks.features)(&real)?;
        let real = Rows::new(&real, k)?;
        let (test, _) = (callbacks.features)(&input.images.subsample(number))?;
        let extractor_accuracy = match input.labels {
            Some((labels, classes)) => {
                let predicted = (callbacks.predict)(input.images.values())?;
                predicted
                    .map(|p| accuracy_beside_majority(&p.class, labels, classes))
                    .transpose()?
            }
            None => None,
        };
        let real_detail = detail(&input.train.subsample(number), input.shape);
        let floor = frechet_distance(real, Rows::new(&test, k)?, monitor)?;
        let originals = Originals::new(input.train, monitor)?;
        let copied = |images: Rows<'_>| -> Result<f64, Error> {
            let copies = originals.near_copies(images, SAME, monitor)?;
            Ok(copies.iter().filter(|copy| **copy).count() as f64 / copies.len() as f64)
        };
        let of_test = copied(input.images)?;
        let (mut kinds, fitted) = drawn(input, number, monitor)?;
        for (name, draws) in input.drawn {
            kinds.push(((*name).to_owned(), draws.values().to_vec()));
        }
        let mut scores = vec![];
        for (name, z) in kinds {
            begin(monitor, &format!("samples from {name}"))?;
            let drawn = (z.len() / dim) as f64;
            let images = (callbacks.decode)(&z, None)?;
            let (features, _) = (callbacks.features)(&images)?;
            let rows = Rows::new(&features, k)?;
            let prediction = (callbacks.predict)(&images)?;
            scores.push(SamplerScore {
                name,
                frechet: frechet_estimate(real, rows, monitor)?,
                kernel: kernel_distance(real, rows, monitor)?,
                coverage: precision_recall(real, rows, REACH, monitor)?,
                sharpness: detail(&images, input.shape)
                    .zip(real_detail)
                    .map(|(ours, real)| if real > 0.0 { ours / real } else { 0.0 }),
                near_copies: Some(copied(Rows::new(&images, input.images.dim())?)?),
                confidence: prediction
                    .as_ref()
                    .map(|p| p.confidence.iter().map(|&c| f64::from(c)).sum::<f64>() / drawn),
                classes: prediction.zip(input.labels).map(|(p, (_, count))| {
                    let part = |c| p.class.iter().filter(|&&l| usize::from(l) == c).count();
                    (0..count).map(|c| part(c) as f64 / drawn).collect()
                }),
            });
        }
        let extractor = callbacks.extractor.clone();
        scores.sort_by(|a: &SamplerScore, b| a.frechet.value.total_cmp(&b.frechet.value));
        Ok(SampleMeasures {
            extractor,
            extractor_accuracy,
            number,
            floor,
            near_copies_of_test: Some(of_test),
            fitted,
            samplers: scores,
        })
    }
}

/// Names and draws `[n, d]` of the card's own samplers, and the number of training latents that the mixture is fitted to. Of codes, there is
/// the prior alone.
#[allow(clippy::type_complexity)] // Names with their draws.
fn drawn(
    input: &CardInput<'_>,
    number: usize,
    monitor: &Monitor,
) -> Result<(Vec<(String, Vec<f32>)>, usize), Error> {
    let (dim, seed) = (input.latents.dim(), input.seed);
    let prior = match input.prior {
        Some(draws) => ("the learned prior".to_owned(), draws.values().to_vec()),
        None => ("N(0, I)".to_owned(), samplers::normal(number, dim, seed)),
    };
    if input.code_bits.is_some() {
        return Ok((vec![prior], 0));
    }
    begin(monitor, "the density of latents")?;
    let fitted = input.train_latents.subsample(FITTED);
    let fitted = Rows::new(&fitted, dim)?;
    let most = GaussianMixture::determined(fitted.len(), dim);
    let mixture = GaussianMixture::fit(fitted, most, seed, monitor)?;
    let by_mixture = (
        format!("mixture of {most} Gaussian{}", if most == 1 { "" } else { "s" }),
        mixture.sample(number, seed),
    );
    let by_box = (
        "uniform in the latents' box".to_owned(),
        samplers::uniform(input.train_latents, number, seed),
    );
    Ok((vec![prior, by_mixture, by_box], fitted.len()))
}

/// The share of predictions that are right, and the share of the largest class.
fn accuracy_beside_majority(
    predicted: &[u16],
    labels: &[u16],
    classes: usize,
) -> Result<[f64; 2], Error> {
    let confusion = Confusion::new(labels, predicted, classes)?;
    let largest = confusion.counts().iter().map(|row| row.iter().sum::<u64>()).max().unwrap_or(0);
    Ok([confusion.accuracy(), largest as f64 / labels.len().max(1) as f64])
}
