//! The card as data. Cards are stored as JSON, so the serialised names of fields must not change.

use serde::{Deserialize, Serialize};

use crate::metrics::Estimate;
use crate::metrics::distributions::PrecisionRecall;
use crate::metrics::latents::NearDuplicate;

/// Number of neighbours for accuracies and for the scores of maps.
pub(super) const NEIGHBOURS: usize = 10;

/// All metrics of a model. Made by [`Card::measure`]; stored as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Card {
    /// Number of test images.
    pub images: usize,
    /// Number of latent dimensions.
    pub latent_dim: usize,
    /// Metrics of the reconstructions.
    pub reconstruction: ReconstructionMeasures,
    /// Bounds on the log-likelihood; only of a variational model.
    pub bounds: Option<LikelihoodBounds>,
    /// Metrics of the latents.
    pub latents: LatentMeasures,
    /// Metrics of new images.
    pub samples: SampleMeasures,
    /// Metrics of traversals between images.
    pub traversals: TraversalMeasures,
    /// Scores of maps of the latents.
    pub maps: Vec<MapScore>,
    /// Outliers and near-duplicates.
    pub outliers: OutlierMeasures,
}

/// Metrics of reconstructions: means over the test images with standard errors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReconstructionMeasures {
    /// Mean squared error per value.
    pub mse: Estimate,
    /// Peak signal-to-noise ratio of the mean squared error, in decibels.
    pub psnr: f64,
    /// Structural similarity; none for images smaller than 11 x 11.
    pub ssim: Option<Estimate>,
    /// Mean squared error of as many principal components as latent dimensions; none if the training images do not have as many.
    pub pca_mse: Option<f64>,
    /// Number of training images that the principal components are fitted to.
    pub pca_images: usize,
}

/// Bounds on the log-likelihood, in nats per image.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LikelihoodBounds {
    /// The evidence lower bound (ELBO).
    pub elbo: Estimate,
    /// The importance-weighted bound (IWAE).
    pub iwae: Estimate,
    /// Draws per image of the importance-weighted bound.
    pub draws: u64,
}

/// Metrics of the latents of the test images.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LatentMeasures {
    /// Number of axes whose variance is more than 0.01.
    pub active_units: usize,
    /// Variance of each axis.
    pub variances: Vec<f64>,
    /// Mean KL divergence of each axis from N(0, 1), in nats; only of a variational model.
    pub kl_per_axis: Option<Vec<f64>>,
    /// Leave-one-out accuracy of 10-nearest-neighbour classification; none without labels.
    pub neighbour_accuracy: Option<f64>,
}

/// Metrics of samples.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SampleMeasures {
    /// Description of the features that distances are measured in. They are not comparable with the FID.
    pub extractor: String,
    /// Number of samples of each sampler, and of real images that they are compared with.
    pub number: usize,
    /// Fréchet distance between test and training images: the lowest distance that can be expected of a sampler.
    pub floor: f64,
    /// Number of training latents that the Gaussian mixture is fitted to.
    pub fitted: usize,
    /// Scores of each sampler.
    pub samplers: Vec<SamplerScore>,
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
    /// Images whose latents are farthest from those of the training images (Mahalanobis distance), farthest first.
    pub farthest: Vec<usize>,
    /// Pairs of images with a root mean squared difference of at most 0.03.
    pub near_duplicates: Vec<NearDuplicate>,
}
