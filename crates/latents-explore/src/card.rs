//! The evaluation card of a model with latents: every measure of it in one place, as data, and as Markdown (`markdown.rs`). Arrays come
//! in, and functions that decode latents and give features of images; runs and files are not known here.

mod markdown;

use latents_random::{Purpose, stream};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::metrics::distributions::{
    Estimate, PrecisionRecall, frechet_distance, frechet_estimate, kernel_distance,
    precision_recall,
};
use crate::metrics::latents::{
    Pair, active_units, kl_per_axis, largest, mahalanobis, near_duplicates, unevenness, variances,
};
use crate::metrics::maps::{continuity, neighbour_accuracy, trustworthiness};
use crate::metrics::reconstruction::{psnr, squared_errors, ssim};
use crate::mixture::Mixture;
use crate::pca::Pca;
use crate::rows::Rows;
use crate::samplers;
use crate::traverse::{Path, between};

/// Neighbours that votes and the trust in maps are counted over.
const NEIGHBOURS: usize = 10;
/// Pairs of images that ways lead between, and images on each way.
const PAIRS: usize = 250;
const STEPS: usize = 10;
/// Gaussians in the mixture that samples are drawn from.
const COMPONENTS: usize = 10;
/// Training latents that the mixture is fitted to, at most.
const FITTED: usize = 20_000;
/// Neighbours that precision and recall reach to, as in their paper.
const REACH: usize = 3;
/// Root mean squared difference up to which images are nearly the same.
const SAME: f64 = 0.03;
/// Outliers that are listed.
const LISTED: usize = 10;

/// What is evaluated. Images are rows of `c h w` numbers from 0 to 1.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The test images `[n, c h w]`.
    pub images: Rows<'a>,
    /// Shape of one, `[c, h, w]`.
    pub shape: [usize; 3],
    /// Their labels `[n]` and the number of classes, where known.
    pub labels: Option<(&'a [u8], usize)>,
    /// Their latents `[n, d]`; of a variational model the means.
    pub latents: Rows<'a>,
    /// Log-variances `[n, d]` of a variational model.
    pub log_variances: Option<Rows<'a>>,
    /// Their reconstructions `[n, c h w]`.
    pub reconstructions: Rows<'a>,
    /// Training images, for principal components and as real images that samples are held against.
    pub train: Rows<'a>,
    /// Their latents.
    pub train_latents: Rows<'a>,
    /// Evidence bound and importance-weighted bound of each test image `[n]` with so many draws, of a variational model.
    pub bounds: Option<(&'a [f64], &'a [f64], u64)>,
    /// Maps of the test latents: their names and places `[n, 2]`.
    pub maps: &'a [(&'a str, Rows<'a>)],
    /// Of everything random.
    pub seed: u64,
}

#[allow(clippy::type_complexity)] // Functions with their errors; names for them would say less.
/// What the subject's model and a feature extractor can do.
pub struct Tools<'a, E> {
    /// Images `[n, c h w]` of latents `[n, d]`.
    pub decode: &'a mut dyn FnMut(&[f32]) -> Result<Vec<f32>, E>,
    /// Features `[n, k]` of images, and `k`.
    pub features: &'a mut dyn FnMut(&[f32]) -> Result<(Vec<f32>, usize), E>,
    /// Of images by their features: the class of each and the probability that is given to it; none where classes are not known.
    pub opinion: &'a mut dyn FnMut(&[f32]) -> Result<Option<(Vec<u8>, Vec<f32>)>, E>,
    /// What the features are.
    pub extractor: String,
    /// Hears what is being done.
    pub progress: &'a mut dyn FnMut(&str),
}

/// All measures of a model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Card {
    /// Test images.
    pub images: usize,
    /// Numbers in a latent vector.
    pub latent_dim: usize,
    /// How near reconstructions are.
    pub reconstruction: Reconstruction,
    /// Bounds on the log-likelihood, of a variational model.
    pub bounds: Option<Bounds>,
    /// What the latents are like.
    pub latents: Latents,
    /// What new images are like.
    pub samples: Samples,
    /// What lies between images.
    pub traversals: Traversals,
    /// How far maps of the latents can be trusted.
    pub maps: Vec<MapScore>,
    /// What is unlike the rest.
    pub outliers: Outliers,
}

/// Means over the test images, with standard errors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reconstruction {
    /// Mean squared error.
    pub mse: Estimate,
    /// Of the mean squared error, in decibels.
    pub psnr: f64,
    /// Structural similarity; none for images below 11 x 11.
    pub ssim: Option<Estimate>,
    /// Mean squared error of as many principal components as there are latents; none where images have fewer numbers.
    pub pca_mse: Option<f64>,
    /// Training images that the components were found in.
    pub pca_images: usize,
}

/// In nats, per image.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bounds {
    /// The evidence lower bound.
    pub elbo: Estimate,
    /// The importance-weighted bound.
    pub iwae: Estimate,
    /// Draws of the latter.
    pub draws: u64,
}

/// Of the test images' latents.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Latents {
    /// Axes whose variance is above 0.01.
    pub active_units: usize,
    /// Variance of each axis.
    pub variances: Vec<f64>,
    /// Mean KL divergence of each axis from N(0, 1), in nats, of a variational model.
    pub kl_per_axis: Option<Vec<f64>>,
    /// Part whose 10 nearest others vote for their class.
    pub neighbour_accuracy: Option<f64>,
}

/// Of new images.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Samples {
    /// What distances were measured in. Never to be compared with an FID.
    pub extractor: String,
    /// Samples of each kind, and real images that they are held against.
    pub number: usize,
    /// Fréchet distance of test from training images: what no sampler is expected to go below.
    pub floor: f64,
    /// Training latents that the mixture is fitted to.
    pub fitted: usize,
    /// By where latents are drawn from.
    pub samplers: Vec<SamplerScore>,
}

/// Of one sampler.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SamplerScore {
    /// Where latents are drawn from.
    pub name: String,
    /// Fréchet distance to training images in the extractor's features; its standard error is by the jackknife.
    pub frechet: Estimate,
    /// Kernel distance, the same.
    pub kernel: Estimate,
    /// Whether samples lie where images are, and the other way round.
    #[serde(flatten)]
    pub coverage: PrecisionRecall,
    /// Mean probability that the extractor's classifier gives to the likeliest class.
    pub confidence: Option<f64>,
    /// Part of the samples that it takes for each class.
    pub classes: Option<Vec<f64>>,
}

/// Of ways between test images.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Traversals {
    /// Ways.
    pub pairs: usize,
    /// Images on each.
    pub steps: usize,
    /// Largest over mean step on straight lines, as decoded.
    pub linear: Estimate,
    /// The same on arcs.
    pub spherical: Estimate,
}

/// Of one map.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MapScore {
    /// How it was made.
    pub name: String,
    /// Whether neighbours on the map are neighbours in the latent space, over 10.
    pub trustworthiness: f64,
    /// The other way round.
    pub continuity: f64,
    /// Part whose 10 nearest others on the map vote for their class.
    pub neighbour_accuracy: Option<f64>,
}

/// Numbers of test images.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outliers {
    /// Hardest to reconstruct first.
    pub hardest: Vec<usize>,
    /// Farthest in the latent space from the training images first.
    pub farthest: Vec<usize>,
    /// Nearly the same: root mean squared difference of at most 0.03.
    pub near_duplicates: Vec<Pair>,
}

impl Card {
    /// Measures everything.
    ///
    /// # Errors
    /// Where arrays do not fit each other or are too small to be measured, and what the tools say.
    pub fn measure<E: From<Error>>(
        subject: &Subject<'_>,
        tools: &mut Tools<'_, E>,
    ) -> Result<Self, E> {
        let Subject { images, latents, .. } = *subject;
        (tools.progress)("reconstructions");
        let errors = squared_errors(images, subject.reconstructions)?;
        let reconstruction = Reconstruction::measure(subject, &errors)?;
        let bounds = subject.bounds.map(|(elbo, iwae, draws)| Bounds {
            elbo: Estimate::of(elbo),
            iwae: Estimate::of(iwae),
            draws,
        });
        (tools.progress)("latents");
        let accuracy = |rows: Rows<'_>| {
            subject.labels.map(|(l, _)| neighbour_accuracy(rows, l, NEIGHBOURS)).transpose()
        };
        let kl = subject.log_variances.map(|logs| kl_per_axis(latents, logs)).transpose()?;
        let described = Latents {
            active_units: active_units(latents),
            variances: variances(latents),
            kl_per_axis: kl,
            neighbour_accuracy: accuracy(latents)?,
        };
        let samples = Samples::measure(subject, tools)?;
        (tools.progress)("traversals");
        let traversals = Traversals::measure(subject, tools)?;
        (tools.progress)("maps");
        let mut maps = vec![];
        for &(name, map) in subject.maps {
            maps.push(MapScore {
                name: name.to_owned(),
                trustworthiness: trustworthiness(latents, map, NEIGHBOURS)?,
                continuity: continuity(latents, map, NEIGHBOURS)?,
                neighbour_accuracy: accuracy(map)?,
            });
        }
        (tools.progress)("outliers");
        let outliers = Outliers {
            hardest: largest(&errors, LISTED),
            farthest: largest(&mahalanobis(latents, subject.train_latents)?, LISTED),
            near_duplicates: near_duplicates(images, SAME)?,
        };
        Ok(Card {
            images: images.len(),
            latent_dim: latents.dim(),
            reconstruction,
            bounds,
            latents: described,
            samples,
            traversals,
            maps,
            outliers,
        })
    }
}

impl Reconstruction {
    fn measure(subject: &Subject<'_>, errors: &[f64]) -> Result<Self, Error> {
        let mse = Estimate::of(errors);
        let ssim = ssim(subject.images, subject.reconstructions, subject.shape)?;
        let components = subject.latents.dim();
        let enough = Pca::enough(subject.train.len(), subject.train.dim());
        let some;
        let train = if enough < subject.train.len() {
            some = subject.train.spread(enough);
            Rows::new(&some, subject.train.dim())?
        } else {
            subject.train
        };
        let possible = components <= subject.images.dim() && components < train.len();
        let pca = possible.then(|| Pca::fit(train, components)).transpose()?;
        Ok(Reconstruction {
            mse,
            psnr: psnr(mse.value),
            ssim: ssim.map(|s| Estimate::of(&s)),
            pca_mse: pca.map(|pca| pca.reconstruction_error(subject.images)).transpose()?,
            pca_images: enough,
        })
    }
}

impl Samples {
    fn measure<E: From<Error>>(subject: &Subject<'_>, tools: &mut Tools<'_, E>) -> Result<Self, E> {
        (tools.progress)("features of images");
        let dim = subject.latents.dim();
        let number = subject.images.len().min(subject.train.len());
        // Images may be in the order of their classes; parts of them must be alike.
        let mut places: Vec<usize> = subject.train.places(number).collect();
        stream(subject.seed, Purpose::Resample, 0, 1).shuffle(&mut places);
        let real: Vec<f32> = places.iter().flat_map(|&i| subject.train.row(i)).copied().collect();
        let (real, k) = (tools.features)(&real)?;
        let real = Rows::new(&real, k)?;
        let (test, _) = (tools.features)(&subject.images.spread(number))?;
        let floor = frechet_distance(real, Rows::new(&test, k)?)?;
        // Fewer rows than a full covariance has numbers cannot carry so many Gaussians.
        (tools.progress)("the density of latents");
        let fitted = subject.train_latents.spread(FITTED);
        let fitted = Rows::new(&fitted, dim)?;
        let most = (fitted.len() / (4 * dim)).clamp(1, COMPONENTS);
        let mixture = Mixture::fit(fitted, most, subject.seed)?;
        let kinds = [
            ("N(0, I)".to_owned(), samplers::normal(number, dim, subject.seed)),
            (
                format!("mixture of {most} Gaussian{}", if most == 1 { "" } else { "s" }),
                mixture.sample(number, subject.seed),
            ),
            ("uniform in the latents' box".to_owned(), {
                samplers::uniform(subject.train_latents, number, subject.seed)
            }),
        ];
        let mut scores = vec![];
        for (name, z) in kinds {
            (tools.progress)(&format!("samples from {name}"));
            let images = (tools.decode)(&z)?;
            let (features, _) = (tools.features)(&images)?;
            let rows = Rows::new(&features, k)?;
            let opinion = (tools.opinion)(&images)?;
            scores.push(SamplerScore {
                name,
                frechet: frechet_estimate(real, rows)?,
                kernel: kernel_distance(real, rows)?,
                coverage: precision_recall(real, rows, REACH)?,
                confidence: opinion.as_ref().map(|(_, confidence)| {
                    confidence.iter().map(|&c| f64::from(c)).sum::<f64>() / number as f64
                }),
                classes: opinion.zip(subject.labels).map(|((classes, _), (_, count))| {
                    let part = |c| classes.iter().filter(|&&l| usize::from(l) == c).count();
                    (0..count).map(|c| part(c) as f64 / number as f64).collect()
                }),
            });
        }
        let extractor = tools.extractor.clone();
        Ok(Samples { extractor, number, floor, fitted: fitted.len(), samplers: scores })
    }
}

impl Traversals {
    fn measure<E: From<Error>>(subject: &Subject<'_>, tools: &mut Tools<'_, E>) -> Result<Self, E> {
        let n = subject.latents.len() as u32;
        let numbers = subject.images.dim();
        let mut of = |path: Path| -> Result<Estimate, E> {
            let mut z = vec![];
            for pair in 0..PAIRS as u64 {
                let mut draws = stream(subject.seed, Purpose::Resample, pair, 0);
                let [from, to] = [draws.below(n), draws.below(n)];
                let end = |i: u32| subject.latents.row(i as usize);
                z.extend(between(end(from), end(to), STEPS, path)?);
            }
            let images = (tools.decode)(&z)?;
            let ways = images.chunks_exact(STEPS * numbers);
            let each: Result<Vec<f64>, Error> =
                ways.map(|way| unevenness(Rows::new(way, numbers)?)).collect();
            Ok(Estimate::of(&each?))
        };
        let (linear, spherical) = (of(Path::Linear)?, of(Path::Spherical)?);
        Ok(Traversals { pairs: PAIRS, steps: STEPS, linear, spherical })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A "model" that keeps the first three of nine numbers.
    #[test]
    fn a_model_that_forgets_is_measured_as_such() {
        let mut s = stream(1, Purpose::Synthetic, 0, 0);
        let images: Vec<f32> = (0..9 * 300).map(|_| s.uniform() as f32).collect();
        let (train, test) = images.split_at(9 * 200);
        let encode =
            |x: &[f32]| -> Vec<f32> { x.chunks(9).flat_map(|r| r[..3].to_vec()).collect() };
        let decode =
            |z: &[f32]| -> Vec<f32> { z.chunks(3).flat_map(|z| [z, &[0.5; 6]].concat()).collect() };
        let (z, z_train) = (encode(test), encode(train));
        let back = decode(&z);
        let labels: Vec<u8> = z.chunks(3).map(|z| u8::from(z[0] > 0.5)).collect();
        let rows = |x, d| Rows::new(x, d).unwrap();
        let xy: Vec<f32> = z.chunks(3).flat_map(|z| z[..2].to_vec()).collect();
        let subject = Subject {
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
            seed: 1,
        };
        let mut heard = vec![];
        let mut tools: Tools<'_, Error> = Tools {
            decode: &mut |z| Ok(decode(z)),
            features: &mut |x| Ok((x.to_vec(), 9)),
            opinion: &mut |x| Ok(Some((vec![1; x.len() / 9], vec![0.75; x.len() / 9]))),
            extractor: "the pixels".into(),
            progress: &mut |what| heard.push(what.to_owned()),
        };
        let card = Card::measure(&subject, &mut tools).unwrap();
        // Six of nine uniform numbers are lost: 6/9 of 1/12.
        assert!((card.reconstruction.mse.value - 1.0 / 18.0).abs() < 0.004);
        assert!(card.reconstruction.pca_mse.unwrap() < 0.058 && card.reconstruction.ssim.is_none());
        assert_eq!(card.latents.active_units, 3);
        // Steps in the latents are steps of the images here, all alike.
        assert!((card.traversals.linear.value - 1.0).abs() < 1e-3);
        let [normal, mixture, uniform] = [0, 1, 2].map(|i| card.samples.samplers[i].frechet.value);
        assert!(
            card.samples
                .samplers
                .iter()
                .all(|s| s.frechet.error > 0.0 && s.frechet.error < s.frechet.value)
        );
        assert!(normal > 1.0 && mixture > card.samples.floor && uniform < normal, "{card:?}");
        assert_eq!(card.samples.samplers[0].classes, Some(vec![0.0, 1.0]));
        assert!(card.maps[0].neighbour_accuracy.unwrap() > 0.85);
        let text = card.markdown("Run");
        for part in ["# Run", "PCA at the same d", "| two axes | 0.", "not the FID", "the pixels"] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(heard.iter().any(|h| h == "samples from N(0, I)"));
    }
}
