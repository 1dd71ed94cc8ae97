//! The card as data. Cards are stored as JSON, so the serialised names of fields must not change.

use serde::{Deserialize, Deserializer, Serialize};

use crate::disentanglement::Disentanglement;
use crate::metrics::Estimate;
use crate::metrics::distributions::PrecisionRecall;
use crate::metrics::latents::NearDuplicate;

/// Number of neighbours for accuracies and for the scores of maps.
pub(super) const NEIGHBOURS: usize = 10;
/// Test images that maps have scores from on: the scores need more than twice as many as neighbours.
pub const LEAST_MAPPED: usize = 2 * NEIGHBOURS + 1;
/// Test images, and training images, that samples are compared with at least: distances between the distributions of fewer say nothing.
pub const LEAST_COMPARED: usize = 32;

/// All metrics of a model. Made by [`Card::measure`]; stored as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Card {
    /// Number of test images.
    pub images: usize,
    /// Number of latent dimensions.
    pub latent_dim: usize,
    /// The bits of the latents of an image, if they are codes. There are then as many principal components as 32-bit numbers have so many bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_bits: Option<f64>,
    /// Whether the decoder is given the class of an image. Bounds are then on log p(x|y), samples have the classes of training images, and the
    /// images of a traversal have the class of its first image.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub conditional: bool,
    /// Mean squared error per value of the reconstructions.
    #[serde(default)]
    pub mean_squared_error: f64,
    /// The same of as many principal components of all training images, limited to `[0, 1]`; none if an image has fewer numbers.
    #[serde(default)]
    pub principal_components: Option<f64>,
    /// Metrics of the reconstructions.
    pub reconstruction: ReconstructionMeasures,
    /// Bounds on the log-likelihood; only of a variational model or a VQ-VAE.
    pub bounds: Option<LikelihoodBounds>,
    /// Metrics of the latents.
    pub latents: LatentMeasures,
    /// Scores of disentanglement; none unless the test images have several known factors of variation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disentanglement: Option<Disentanglement>,
    /// Metrics of new images; none for few test images.
    pub samples: Option<SampleMeasures>,
    /// Metrics of traversals between images; none for one test image.
    pub traversals: Option<TraversalMeasures>,
    /// Scores of maps of the latents; empty for few test images.
    pub maps: Vec<MapScore>,
    /// Outliers and near-duplicates.
    pub outliers: OutlierMeasures,
    /// What could not be measured, and why, in a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// Metrics of reconstructions: means over the test images with standard errors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReconstructionMeasures {
    /// Mean squared error per value.
    pub mse: Estimate,
    /// Peak signal-to-noise ratio of the mean squared error, in decibels; infinite, in JSON null, if there is no error.
    #[serde(deserialize_with = "infinite_if_null")]
    pub psnr: f64,
    /// Structural similarity; none for images smaller than 11 x 11.
    pub ssim: Option<Estimate>,
    /// Share of the images' variance that the reconstructions explain: 1 less the squared error by the squared distance from the mean training
    /// image.
    #[serde(default)]
    pub explained_variance: f64,
    /// Mean squared error of as many principal components as latent dimensions, limited to `[0, 1]`; none if an image has fewer numbers.
    pub pca_mse: Option<f64>,
    /// Share of the variance that they explain.
    #[serde(default)]
    pub pca_explained_variance: Option<f64>,
    /// Number of training images that the principal components are fitted to.
    pub pca_images: usize,
}

/// Reads a number that JSON can only write as null if it is infinite.
fn infinite_if_null<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::INFINITY))
}

/// Bounds on the log-likelihood, in nats per image.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LikelihoodBounds {
    /// The evidence lower bound (ELBO).
    pub elbo: Estimate,
    /// The importance-weighted bound (IWAE); of a VQ-VAE the evidence bound.
    pub iwae: Estimate,
    /// The importance-weighted bound with a flow as the prior, which is fitted to the latents of the training images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iwae_with_flow: Option<Estimate>,
    /// Draws per image of the importance-weighted bounds.
    pub draws: u64,
}

/// Metrics of the latents of the test images.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LatentMeasures {
    /// Number of axes whose variance is more than 0.01.
    pub active_units: usize,
    /// Effective number of dimensions: the participation ratio of the eigenvalues of the covariance, `(sum l)^2 / sum l^2`. It is less than the
    /// number of axes if a few directions have most of the variance.
    #[serde(default)]
    pub effective_dimension: f64,
    /// Variance of each axis.
    pub variances: Vec<f64>,
    /// Mean KL divergence of each axis from N(0, 1), in nats; only of a variational model.
    pub kl_per_axis: Option<Vec<f64>>,
    /// Leave-one-out accuracy of 10-nearest-neighbour classification; none without labels.
    pub neighbour_accuracy: Option<f64>,
    /// The same for as many whitened principal components of the training images, compared by cosine; none without labels, or if there cannot
    /// be so many.
    #[serde(default)]
    pub components_neighbour_accuracy: Option<f64>,
}

/// Metrics of samples.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SampleMeasures {
    /// Description of the features that distances are measured in. They are not comparable with the FID.
    pub extractor: String,
    /// Accuracy of the extractor's classifier on the test images, and the share of their largest class; none without labels. If the classifier
    /// is weak, so are its features, and distances in them say little.
    #[serde(default)]
    pub extractor_accuracy: Option<[f64; 2]>,
    /// Number of samples of each sampler, and of real images that they are compared with.
    pub number: usize,
    /// Fréchet distance between test and training images: the lowest distance that can be expected of a sampler.
    pub floor: f64,
    /// Fraction of the test images that are near copies of a training image, as [`SamplerScore::near_copies`]: what is to be expected of new images.
    #[serde(default)]
    pub near_copies_of_test: Option<f64>,
    /// Number of training latents that the Gaussian mixture is fitted to; 0 of a VQ-VAE, which has none.
    pub fitted: usize,
    /// Scores of each sampler, the smallest Fréchet distance first.
    pub samplers: Vec<SamplerScore>,
}

impl SampleMeasures {
    /// Whether the extractor's classifier corrects less than half of what guessing the largest class gets wrong.
    #[must_use]
    pub fn is_extractor_weak(&self) -> bool {
        self.extractor_accuracy
            .is_some_and(|[accuracy, majority]| accuracy < majority + 0.5 * (1.0 - majority))
    }
}

/// Scores of one sampler of latents.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SamplerScore {
    /// Distribution of the latents.
    pub name: String,
    /// Fréchet distance to training images in the extractor's features, with its jackknife standard error.
    pub frechet: Estimate,
    /// Kernel distance to training images in the same features.
    pub kernel: Estimate,
    /// Precision and recall with respect to training images.
    #[serde(flatten)]
    pub coverage: PrecisionRecall,
    /// Sharpness relative to training images: the ratio of the mean squared differences between each pixel and the mean of its four neighbours.
    /// Blurred samples have less than 1. None for images of less than 3 pixels a side.
    #[serde(default)]
    pub sharpness: Option<f64>,
    /// Fraction of the samples that are near copies of a training image: whose root mean squared difference from one is at most 0.03.
    #[serde(default)]
    pub near_copies: Option<f64>,
    /// Mean probability of the class that the extractor's classifier predicts; none without labels.
    pub confidence: Option<f64>,
    /// Fraction of the samples that it predicts as each class; none without labels.
    pub classes: Option<Vec<f64>>,
}

/// Unevenness of traversals between random pairs of test images.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TraversalMeasures {
    /// Number of traversals.
    pub pairs: usize,
    /// Images per traversal.
    pub steps: usize,
    /// Largest distance between consecutive images divided by the mean distance, on straight lines in the latent space.
    pub linear: Estimate,
    /// The same for spherical interpolation.
    pub spherical: Estimate,
}

/// Scores of one map of the latents.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MapScore {
    /// Method that made the map.
    pub name: String,
    /// Trustworthiness for 10 neighbours.
    pub trustworthiness: f64,
    /// Continuity for 10 neighbours.
    pub continuity: f64,
    /// Leave-one-out accuracy of 10-nearest-neighbour classification on the map; none without labels.
    pub neighbour_accuracy: Option<f64>,
}

/// Outliers and near-duplicates, as indices of test images.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutlierMeasures {
    /// Images with the largest reconstruction errors, largest first.
    pub hardest: Vec<usize>,
    /// Images whose latents are farthest from those of the training images (Mahalanobis distance), farthest first; none if there are no more
    /// training images than dimensions, since that distance has no meaning then.
    pub farthest: Vec<usize>,
    /// Pairs of images with a root mean squared difference of at most 0.03.
    pub near_duplicates: Vec<NearDuplicate>,
}

impl OutlierMeasures {
    /// Gives images, which were numbered in a selection, their numbers among all of which it is.
    pub fn renumber(&mut self, selection: &[usize]) {
        let listed = self.hardest.iter_mut().chain(&mut self.farthest);
        let paired = self.near_duplicates.iter_mut().flat_map(|pair| &mut pair.images);
        listed.chain(paired).for_each(|image| *image = selection[*image]);
    }
}
