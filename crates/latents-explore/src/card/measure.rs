//! Measures everything on a card, from arrays and from functions that decode latents and compute features of images. Runs and files are
//! not known here.

use latents_progress::Monitor;
use latents_random::{Purpose, stream};

use super::data::{
    Card, LEAST_COMPARED, LatentMeasures, LikelihoodBounds, MapScore, NEIGHBOURS, OutlierMeasures,
    ReconstructionMeasures, SampleMeasures, TraversalMeasures,
};
use super::input::CardInput;
use super::possible::Possible;
use crate::error::Error;
use crate::extractor::ExtractorPrediction;
use crate::linear::mean;
use crate::metrics::Estimate;
use crate::metrics::latents::{
    active_units, effective_dimension, kl_per_axis, largest, mahalanobis, near_duplicates,
    unevenness, variances,
};
use crate::metrics::maps::{continuity, neighbour_accuracy, trustworthiness};
use crate::metrics::reconstruction::{psnr, squared_errors, ssim};
use crate::pca::Pca;
use crate::rows::Rows;
use crate::traverse::{Interpolation, between};

/// Pairs of test images that are interpolated, and images on each path.
const PAIRS: usize = 250;
const STEPS: usize = 10;
/// Numbers in the images of paths that are decoded at a time, unless one path has more.
const DECODED: usize = 16 << 20;
/// Root mean squared difference up to which images are near-duplicates.
pub(super) const SAME: f64 = 0.03;
/// Outliers that are listed.
const LISTED: usize = 10;

/// Functions of the evaluated model and of a feature extractor.
#[allow(clippy::type_complexity)] // Functions with their errors; names for them would say less.
pub struct CardCallbacks<'a, E> {
    /// Decodes latents `[n, d]` to images `[n, c h w]`. For a model that decodes latents as images of a class, the second argument has the
    /// number of a test image for each latent, of whose class it is. With none, which is so of samples, the function chooses the classes.
    pub decode: &'a mut dyn FnMut(&[f32], Option<&[usize]>) -> Result<Vec<f32>, E>,
    /// Computes features `[n, k]` of images `[n, c h w]`; returns them and `k`.
    pub features: &'a mut dyn FnMut(&[f32]) -> Result<(Vec<f32>, usize), E>,
    /// Predicts the classes of images `[n, c h w]`; none if there are no classes.
    pub predict: &'a mut dyn FnMut(&[f32]) -> Result<Option<ExtractorPrediction>, E>,
    /// Description of the features.
    pub extractor: String,
}

impl Card {
    /// Measures all metrics. Reports each step as a stage `measuring ...`, and checks for cancellation between and within them.
    ///
    /// ```
    /// use latents_explore::card::{Card, CardCallbacks, CardInput};
    /// use latents_explore::{Error, Rows, samplers};
    /// use latents_progress::Monitor;
    ///
    /// // A "model" of 2 x 2 images whose latents are the first two pixels.
    /// let images = samplers::uniform(Rows::new(&[0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0], 4)?, 100, 1);
    /// let encode = |x: &[f32]| x.chunks(4).flat_map(|x| [x[0], x[1]]).collect::<Vec<f32>>();
    /// let decode = |z: &[f32]| z.chunks(2).flat_map(|z| [z[0], z[1], 0.5, 0.5]).collect::<Vec<f32>>();
    /// let latents = encode(&images);
    /// let reconstructions = decode(&latents);
    /// let input = CardInput {
    ///     images: Rows::new(&images, 4)?,
    ///     shape: [1, 2, 2],
    ///     labels: None,
    ///     latents: Rows::new(&latents, 2)?,
    ///     log_variances: None,
    ///     reconstructions: Rows::new(&reconstructions, 4)?,
    ///     train: Rows::new(&images, 4)?,
    ///     train_latents: Rows::new(&latents, 2)?,
    ///     bounds: None,
    ///     maps: &[],
    ///     prior: None,
    ///     drawn: &[],
    ///     code_bits: None,
    ///     seed: 1,
    /// };
    /// let mut callbacks: CardCallbacks<'_, Error> = CardCallbacks {
    ///     decode: &mut |z, _| Ok(decode(z)),
    ///     features: &mut |x| Ok((x.to_vec(), 4)),
    ///     predict: &mut |_| Ok(None),
    ///     extractor: "the pixels".into(),
    /// };
    /// let card = Card::measure(&input, &mut callbacks, &Monitor::default())?;
    /// // Half of the pixels are lost, each with the variance of a uniform value: 1/12.
    /// assert!((card.reconstruction.mse.value - 0.5 / 12.0).abs() < 0.01);
    /// println!("{}", card.markdown("A model"));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// If arrays do not fit each other or are too small, a callback fails, or `monitor` is cancelled.
    pub fn measure<E: From<Error>>(
        input: &CardInput<'_>,
        callbacks: &mut CardCallbacks<'_, E>,
        monitor: &Monitor,
    ) -> Result<Self, E> {
        let CardInput { images, latents, .. } = *input;
        let features = match images.len().min(input.train.len()) {
            ..LEAST_COMPARED => 0,
            _ => (callbacks.features)(images.row(0))?.1,
        };
        let possible = Possible::of(input, features);
        begin(monitor, "reconstructions")?;
        let errors = squared_errors(images, input.reconstructions)?;
        let pca = components(input, monitor)?;
        let reconstruction = ReconstructionMeasures::measure(input, &errors, pca.as_ref())?;
        let bounds = input.bounds.map(|bounds| LikelihoodBounds {
            elbo: Estimate::of(&bounds.elbo),
            iwae: Estimate::of(&bounds.iwae),
            iwae_with_flow: bounds.with_flow.as_deref().map(Estimate::of),
            draws: bounds.draws,
        });
        begin(monitor, "latents")?;
        let accuracy = |rows: Rows<'_>| {
            let labels = input.labels.filter(|_| possible.neighbours);
            labels.map(|(l, _)| neighbour_accuracy(rows, l, NEIGHBOURS, monitor)).transpose()
        };
        let kl = input.log_variances.map(|logs| kl_per_axis(latents, logs)).transpose()?;
        let described = LatentMeasures {
            active_units: active_units(latents),
            effective_dimension: effective_dimension(input.train_latents, monitor)?,
            variances: variances(latents),
            kl_per_axis: kl,
            neighbour_accuracy: accuracy(latents)?,
            components_neighbour_accuracy: match &pca {
                Some(pca) => {
                    let whitened = pca.whitened_directions(images)?;
                    accuracy(Rows::new(&whitened, pca.explained_variance().len())?)?
                }
                None => None,
            },
        };
        let samples = if possible.samples {
            Some(SampleMeasures::measure(input, callbacks, monitor)?)
        } else {
            None
        };
        begin(monitor, "traversals")?;
        let traversals = if possible.traversals {
            Some(TraversalMeasures::measure(input, callbacks, monitor)?)
        } else {
            None
        };
        begin(monitor, "maps")?;
        let mut maps = vec![];
        for &(name, map) in input.maps.iter().filter(|_| possible.maps) {
            maps.push(MapScore {
                name: name.to_owned(),
                trustworthiness: trustworthiness(latents, map, NEIGHBOURS, monitor)?,
                continuity: continuity(latents, map, NEIGHBOURS, monitor)?,
                neighbour_accuracy: accuracy(map)?,
            });
        }
        begin(monitor, "outliers")?;
        let outliers = OutlierMeasures {
            hardest: largest(&errors, LISTED),
            farthest: if possible.distances {
                largest(&mahalanobis(latents, input.train_latents, monitor)?, LISTED)
            } else {
                vec![]
            },
            near_duplicates: near_duplicates(images, SAME, monitor)?,
        };
        Ok(Card {
            images: images.len(),
            latent_dim: latents.dim(),
            code_bits: input.code_bits,
            conditional: false,
            mean_squared_error: reconstruction.mse.value,
            principal_components: reconstruction.pca_mse,
            reconstruction,
            bounds,
            latents: described,
            disentanglement: None,
            samples,
            traversals,
            maps,
            outliers,
            left_out: possible.left_out(input),
        })
    }
}

/// Reports a step as a stage, unless the work is cancelled.
pub(super) fn begin(monitor: &Monitor, what: &str) -> Result<(), Error> {
    monitor.check()?;
    monitor.stage(&format!("measuring {what}"));
    Ok(())
}

/// The number of principal components that are compared with `dim` latents: as many, or of codes of so many bits as many as 32-bit numbers
/// have these.
#[must_use]
pub fn compared_components(dim: usize, code_bits: Option<f64>) -> usize {
    code_bits.map_or(dim, |bits| ((bits / 32.0) as usize).max(1))
}

/// Principal components of the training images to compare with; none if there cannot be so many.
fn components(input: &CardInput<'_>, monitor: &Monitor) -> Result<Option<Pca>, Error> {
    let train = input.train;
    let count = compared_components(input.latents.dim(), input.code_bits);
    let possible = count <= input.images.dim() && train.len() > 1;
    possible.then(|| Pca::fit(train, count, monitor)).transpose()
}

impl ReconstructionMeasures {
    fn measure(input: &CardInput<'_>, errors: &[f64], pca: Option<&Pca>) -> Result<Self, Error> {
        let mse = Estimate::of(errors);
        let ssim = ssim(input.images, input.reconstructions, input.shape)?;
        let train = input.train;
        let pca_mse = pca.map(|pca| pca.clipped_reconstruction_error(input.images)).transpose()?;
        let centre = mean(train, None);
        let square = |(&v, m): (&f32, &f64)| (f64::from(v) - m).powi(2);
        let of_image = |image: &[f32]| image.iter().zip(&centre).map(square).sum::<f64>();
        let variance = input.images.iter().map(of_image).sum::<f64>();
        let variance = variance / input.images.values().len() as f64;
        let explained = |mse: f64| if variance > 0.0 { 1.0 - mse / variance } else { 0.0 };
        Ok(ReconstructionMeasures {
            mse,
            psnr: psnr(mse.value),
            ssim: ssim.map(|s| Estimate::of(&s)),
            explained_variance: explained(mse.value),
            pca_explained_variance: pca_mse.map(explained),
            pca_mse,
            pca_images: train.len(),
        })
    }
}

impl TraversalMeasures {
    fn measure<E: From<Error>>(
        input: &CardInput<'_>,
        callbacks: &mut CardCallbacks<'_, E>,
        monitor: &Monitor,
    ) -> Result<Self, E> {
        let n = input.latents.len() as u32;
        let numbers = input.images.dim();
        let mut of = |path: Interpolation| -> Result<Estimate, E> {
            let mut each = vec![];
            let pairs: Vec<u64> = (0..PAIRS as u64).collect();
            for pairs in pairs.chunks((DECODED / (STEPS * numbers)).max(1)) {
                // A path is of the class of its first image.
                let (mut z, mut first) = (vec![], vec![]);
                for &pair in pairs {
                    let mut draws = stream(input.seed, Purpose::Resample, pair, 0);
                    let [from, to] = [draws.below(n), draws.below(n)];
                    let end = |i: u32| input.latents.row(i as usize);
                    z.extend(between(end(from), end(to), STEPS, path)?);
                    first.extend([from as usize; STEPS]);
                }
                monitor.check().map_err(Error::from)?;
                let images = (callbacks.decode)(&z, Some(&first))?;
                for path in images.chunks_exact(STEPS * numbers) {
                    each.push(unevenness(Rows::new(path, numbers)?)?);
                }
            }
            Ok(Estimate::of(&each))
        };
        let (linear, spherical) = (of(Interpolation::Linear)?, of(Interpolation::Spherical)?);
        Ok(TraversalMeasures { pairs: PAIRS, steps: STEPS, linear, spherical })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use latents_progress::{Cancel, Reporter};

    use super::*;
    use crate::disentanglement::{Disentanglement, Factor};

    #[derive(Default)]
    struct Log(Mutex<Vec<String>>);

    impl Reporter for Log {
        fn stage(&self, name: &str) {
            self.0.lock().unwrap().push(name.to_owned());
        }
    }

    /// A "model" that keeps the first three of nine pixels.
    #[test]
    fn a_model_that_loses_pixels_is_measured() {
        let mut s = stream(1, Purpose::Synthetic, 0, 0);
        let images: Vec<f32> = (0..9 * 300).map(|_| s.uniform() as f32).collect();
        let (train, test) = images.split_at(9 * 200);
        let encode =
            |x: &[f32]| -> Vec<f32> { x.chunks(9).flat_map(|r| r[..3].to_vec()).collect() };
        let decode =
            |z: &[f32]| -> Vec<f32> { z.chunks(3).flat_map(|z| [z, &[0.5; 6]].concat()).collect() };
        let (z, z_train) = (encode(test), encode(train));
        let back = decode(&z);
        let labels: Vec<u16> = z.chunks(3).map(|z| u16::from(z[0] > 0.5)).collect();
        let rows = |x, d| Rows::new(x, d).unwrap();
        let xy: Vec<f32> = z.chunks(3).flat_map(|z| z[..2].to_vec()).collect();
        let input = CardInput {
            images: rows(test, 9),
            shape: [1, 3, 3],
            labels: Some((&labels, 2)),
            latents: rows(&z, 3),
            log_variances: None,
            reconstructions: rows(&back, 9),
            train: rows(train, 9),
            train_latents: rows(&z_train, 3),
            bounds: None,
            maps: &[("two axes", rows(&xy, 2))],
            prior: None,
            drawn: &[("the latents themselves", rows(&z_train, 3))],
            code_bits: None,
            seed: 1,
        };
        let log = Arc::new(Log::default());
        let mut callbacks: CardCallbacks<'_, Error> = CardCallbacks {
            decode: &mut |z, _| Ok(decode(z)),
            features: &mut |x| Ok((x.to_vec(), 9)),
            predict: &mut |x| {
                let n = x.len() / 9;
                Ok(Some(ExtractorPrediction { class: vec![1; n], confidence: vec![0.75; n] }))
            },
            extractor: "the pixels".into(),
        };
        let card = {
            let monitor = Monitor::new(log.clone(), Cancel::default());
            Card::measure(&input, &mut callbacks, &monitor).unwrap()
        };
        // Six of nine uniform pixels are lost: 6/9 of 1/12.
        assert!((card.reconstruction.mse.value - 1.0 / 18.0).abs() < 0.004);
        assert!(card.reconstruction.pca_mse.unwrap() < 0.058 && card.reconstruction.ssim.is_none());
        assert_eq!(card.latents.active_units, 3);
        // Images are linear in the latents, so all steps are equal.
        let (traversals, samples) =
            (card.traversals.as_ref().unwrap(), card.samples.as_ref().unwrap());
        assert!((traversals.linear.value - 1.0).abs() < 1e-3);
        let of = |name: &str| samples.samplers.iter().find(|s| s.name.starts_with(name)).unwrap();
        let [normal, mixture, uniform, own] =
            ["N(0, I)", "mixture", "uniform", "the latents"].map(|name| of(name).frechet);
        for estimate in [normal, mixture, uniform] {
            assert!(estimate.error > 0.0 && estimate.error < estimate.value);
        }
        assert!(samples.samplers.is_sorted_by_key(|s| s.frechet.value));
        let [normal, mixture, uniform, own] = [normal, mixture, uniform, own].map(|e| e.value);
        assert!(normal > 1.0 && mixture > samples.floor && uniform < normal, "{card:?}");
        assert!(own < mixture, "{card:?}");
        assert_eq!(
            (samples.near_copies_of_test, of("mixture").near_copies),
            (Some(0.0), Some(0.0))
        );
        assert_eq!(samples.samplers[0].classes, Some(vec![0.0, 1.0]));
        assert!(card.maps[0].neighbour_accuracy.unwrap() > 0.85);
        let text = card.markdown("Run");
        for part in ["# Run", "PCA at the same d", "| two axes | 0.", "not the FID", "the pixels"] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(card.left_out.is_empty() && !text.contains("Not measured"));
        let stages = log.0.lock().unwrap();
        assert!(stages.iter().any(|s| s == "measuring samples from N(0, I)"), "{stages:?}");
        let cancelled = Monitor::default();
        cancelled.cancel().cancel();
        let error = Card::measure(&input, &mut callbacks, &cancelled).unwrap_err();
        assert!(matches!(error, Error::Interrupted(_)));
    }

    #[test]
    fn of_few_images_what_can_be_said_is_said() {
        let mut s = stream(1, Purpose::Synthetic, 0, 0);
        let images: Vec<f32> = (0..9 * 7).map(|_| s.uniform() as f32).collect();
        let z: Vec<f32> = images.chunks(9).flat_map(|x| x[..8].to_vec()).collect();
        let measure = |test: usize| {
            let (train, of_test) = (&images[9 * test..], &images[..9 * test]);
            let input = CardInput {
                images: Rows::new(of_test, 9)?,
                shape: [1, 3, 3],
                labels: Some((&[0, 1][..test], 2)),
                latents: Rows::new(&z[..8 * test], 8)?,
                log_variances: None,
                reconstructions: Rows::new(of_test, 9)?,
                train: Rows::new(train, 9)?,
                train_latents: Rows::new(&z[8 * test..], 8)?,
                bounds: None,
                maps: &[],
                prior: None,
                drawn: &[],
                code_bits: None,
                seed: 1,
            };
            let mut callbacks: CardCallbacks<'_, Error> = CardCallbacks {
                decode: &mut |z, _| Ok(vec![0.5; z.len() / 8 * 9]),
                features: &mut |_| panic!("there is nothing to compare"),
                predict: &mut |_| panic!("there is nothing to compare"),
                extractor: "the pixels".into(),
            };
            Card::measure(&input, &mut callbacks, &Monitor::default())
        };
        let two = measure(2).unwrap();
        assert_eq!(two.reconstruction.mse.value.to_bits(), 0);
        assert!(two.samples.is_none() && two.traversals.is_some());
        assert!(two.latents.neighbour_accuracy.is_none() && two.outliers.farthest.is_empty());
        assert_eq!(two.outliers.hardest.len(), 2);
        let one = measure(1).unwrap();
        assert!(one.traversals.is_none());
        assert_eq!((two.left_out.len(), one.left_out.len()), (4, 5));
        let text = one.markdown("Few");
        assert!(!text.contains("Disentanglement"), "{text}");
        let expected = "- Comparisons of new images with real ones take at least 32 test and training images, and there are 1 and 6.";
        assert!(text.contains("## Not measured") && text.contains(expected), "{text}");
        let back: Card = serde_json::from_str(&serde_json::to_string(&one).unwrap()).unwrap();
        assert_eq!(back.left_out, one.left_out);

        // With known factors, there is a section more.
        let factors = [2, 3].map(|k| {
            let values: Vec<u16> = (0..120).map(|i| i / (k - 1) % k).collect();
            Factor::new(format!("of {k}"), &values).unwrap()
        });
        let z: Vec<f32> = (0..240).map(|_| s.uniform() as f32).collect();
        let rows = Rows::new(&z, 2).unwrap();
        let scores = Disentanglement::measure(rows, &factors, 1, &Monitor::default()).unwrap();
        let row =
            format!("| of 3 | 3 | {:.3} | {:.3} |", scores.factors[1].mig, scores.factors[1].sap);
        let card = Card { disentanglement: Some(scores), ..one };
        let text = card.markdown("Factors");
        assert!(text.contains("## Disentanglement") && text.contains(&row), "{text}");
        assert!(card.measures().iter().any(|(name, _)| name == "mig"));
    }
}
