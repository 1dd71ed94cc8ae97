//! The variational autoencoder and its relatives: the encoder and the decoder of an autoencoder, a penalty that draws the latents towards
//! N(0, I), and a likelihood in place of the mean squared error. If the model is conditional, its decoder is given the class of the image.

mod bound;
mod condition;
mod prior;
#[cfg(test)]
mod tests;

use latents_engine::{Criterion, Layer, Network, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::autoencoder::{AutoencoderConfig, DECODER, Design, ENCODER, residual};
use crate::error::Error;
use crate::likelihood::Likelihood;
use crate::model::{LatentSpace, LinearStart, Model, Target, Term, TermPart, Tuning};
use crate::posterior_penalty::{PosteriorMeasure, PosteriorPenalty};

pub use bound::{importance_bound, importance_bounds_under};
pub use condition::{condition_value, one_hot};
pub use prior::{LatentPrior, LearnedPrior};

/// The penalty of the latents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Regularizer {
    /// KL(q(z|x) || p(z)), where p(z) is the prior and q(z|x) is the normal distribution that the encoder returns and from which latents are drawn: the
    /// variational autoencoder (Kingma and Welling, 2014; Rezende et al., 2014).
    #[default]
    Kl,
    /// The maximum mean discrepancy between the latents and N(0, I): the Wasserstein autoencoder (WAE-MMD; Tolstikhin et al., 2018).
    Mmd,
    /// Half the squared norm of a latent vector: the regularised autoencoder (RAE-L2; Ghosh et al., 2020), which also needs weight decay.
    /// To sample from it, fit a density to the latents after training.
    L2,
    /// The KL divergence of [`Regularizer::Kl`], and the maximum mean discrepancy between the latents of a whole batch and N(0, I) with a weight
    /// of its own: the `InfoVAE`, or MMD-VAE (Zhao et al., 2019).
    Info,
    /// The KL divergence, with [`beta`](VaeConfig::beta) as the weight of one of its three parts, the total correlation of the latents: the
    /// beta-TC-VAE (Chen et al., 2018). The latents become less dependent on each other.
    Tc,
}

/// The default of [`VaeConfig::mmd_weight`]. The discrepancy of latents that fit badly is some tenths, and the KL divergence some tens of nats.
const MMD_WEIGHT: f64 = 1000.0;

/// Settings of a variational autoencoder or a relative. The defaults are those of the reference study (its table T7), which does not state the
/// likelihood.
///
/// ```
/// use latents_models::{Likelihood, Model, Regularizer, VaeConfig, posterior};
///
/// # fn main() -> Result<(), latents_models::Error> {
/// let image = [1, 28, 28]; // [c, h, w]
/// let vae = VaeConfig { beta: 4.0, warmup_epochs: 10.0, ..VaeConfig::for_images(image) };
/// assert_eq!(vae.penalty_weight(2.5), 1.0);
/// assert!(posterior(&vae.network(image, 0)?.layout()?).is_some());
///
/// let wae = VaeConfig {
///     regularizer: Regularizer::Mmd,
///     likelihood: Likelihood::Gaussian,
///     ..VaeConfig::for_images(image)
/// };
/// assert!(posterior(&wae.network(image, 0)?.layout()?).is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VaeConfig {
    /// Encoder and decoder. In `config.toml` these settings stand beside the others.
    #[serde(flatten)]
    pub autoencoder: AutoencoderConfig,
    /// The penalty of the latents.
    pub regularizer: Regularizer,
    /// The prior of the latents, for the regularizer `kl`.
    #[serde(skip_serializing_if = "LatentPrior::is_normal")]
    #[schemars(example = LatentPrior::Mixture { components: 100 })]
    pub prior: LatentPrior,
    /// Weight of the penalty. With the KL divergence and a weight above 1, the model is a beta-VAE (Higgins et al., 2017). With the regularizer
    /// `info`, the weight of the KL divergence; with `tc`, that of the total correlation.
    pub beta: f64,
    /// Draws of the latents of each image and step, K. With more than one, training minimises -log of the mean of p(x|z) p(z) / q(z|x) over the
    /// draws, the importance-weighted bound (IWAE; Burda et al., 2016), with the doubly reparameterised gradient of Tucker et al. (2019). Needs the
    /// regularizer `kl` with beta 1, without warm-up and free bits. Default: 1, the evidence lower bound with the closed form of the KL divergence.
    #[serde(skip_serializing_if = "is_one")]
    #[schemars(example = 5)]
    pub draws: usize,
    /// Weight of the maximum mean discrepancy; only of the regularizer `info`. In the words of its paper, beta is 1 - alpha, and this is
    /// alpha + lambda - 1. Default: 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = 1000.0)]
    pub mmd_weight: Option<f64>,
    /// Number of epochs over which the weight of the whole penalty rises linearly from 0 (Bowman et al., 2016; Sonderby et al., 2016).
    pub warmup_epochs: f64,
    /// Free bits: KL below this many nats per latent dimension and image is not penalised (Kingma et al., 2016).
    pub free_bits: f64,
    /// The distribution of pixels given latents.
    pub likelihood: Likelihood,
    /// Standard deviation of the normal likelihood; learnt if it is not set (sigma-VAE: Rybkin et al., 2021).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = 0.1)]
    pub sigma: Option<f64>,
    /// Whether the decoder is given the class of an image beside its latents: p(x|z, y) (Kingma et al., 2014, model M2; Sohn et al., 2015). The
    /// encoder sees no class, q(z|x), so images are encoded without one. Every image must have a class label.
    #[serde(skip_serializing_if = "is_false")]
    #[schemars(example = true)]
    pub conditional: bool,
}

/// Whether a setting is off, so that `config.toml` of models without it stays as it was before there was one.
#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
fn is_false(on: &bool) -> bool {
    !on
}

/// Whether there is one draw of each image, which settings files do not mention.
#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
fn is_one(draws: &usize) -> bool {
    *draws == 1
}

impl Default for VaeConfig {
    fn default() -> Self {
        VaeConfig {
            autoencoder: AutoencoderConfig {
                latent_dim: 44,
                dropout: 0.0,
                ..AutoencoderConfig::default()
            },
            regularizer: Regularizer::Kl,
            prior: LatentPrior::Normal,
            beta: 1.0,
            draws: 1,
            mmd_weight: None,
            warmup_epochs: 0.0,
            free_bits: 0.0,
            likelihood: Likelihood::Bernoulli,
            sigma: None,
            conditional: false,
        }
    }
}

impl Model for VaeConfig {
    const KIND: &'static str = "vae";
    const ABOUT: &'static str =
        "A variational autoencoder, a Wasserstein or a regularised autoencoder";

    /// The default settings with the stages and the hidden layer of [`AutoencoderConfig::for_images`], and no more latents than it has.
    fn for_images(image: Shape) -> Self {
        let mut model = VaeConfig::default();
        let of_image = AutoencoderConfig::for_images(image);
        model.autoencoder.latent_dim = model.autoencoder.latent_dim.min(of_image.latent_dim);
        (model.autoencoder.stages, model.autoencoder.hidden) = (of_image.stages, of_image.hidden);
        model
    }

    /// Sections [`ENCODER`] and [`DECODER`]. The encoder returns latents: the means of the posterior, unless a pass draws them. The decoder
    /// returns images. The Bernoulli likelihoods take the input of the decoder's last layer. The decoder of a conditional model appends the
    /// one-hot vector of the class, times [`condition_value`], to the latents.
    fn network(&self, image: Shape, classes: usize) -> Result<Network, Error> {
        self.check()?;
        if self.conditional && classes < 2 {
            return Err(Error::unconditional(classes));
        }
        let latents = self.autoencoder.latent_dim;
        let (encoded, layer) = match self.regularizer {
            // Only that of `kl` can have another prior than N(0, I).
            Regularizer::Kl | Regularizer::Info | Regularizer::Tc => {
                (2 * latents, self.prior.layer(if self.conditional { classes } else { 0 }))
            }
            Regularizer::Mmd => (latents, Layer::MmdPenalty),
            Regularizer::L2 => (latents, Layer::SquaredNorm),
        };
        if self.autoencoder.design == Design::Residual {
            return Ok(self.residual(image)?.0);
        }
        let mut network = self.autoencoder.body(image, encoded)?;
        network.sections[ENCODER].layers.push(layer);
        let decoder = &mut network.sections[DECODER].layers;
        if self.conditional {
            decoder.insert(0, Layer::Condition { features: classes });
        }
        decoder.extend(self.likelihood.layers(self.sigma));
        network.layout()?;
        Ok(network)
    }

    /// The residual design with an encoder and a decoder beside the components, and a normal likelihood whose deviation is learnt. Training
    /// starts from probabilistic principal component analysis, in which no latent that the data determine is unused, so neither the weight of
    /// the KL divergence nor free bits need a warm-up.
    fn for_collection(image: Shape, images: usize) -> Self {
        VaeConfig {
            autoencoder: AutoencoderConfig::residual_with_branches(image, images),
            likelihood: Likelihood::Gaussian,
            ..VaeConfig::default()
        }
    }

    fn linear_start(&self, image: Shape) -> Option<LinearStart> {
        let residual = (self.autoencoder.design == Design::Residual).then(|| self.residual(image));
        residual?.ok().map(|(_, start)| start)
    }

    fn target(&self) -> Target {
        Target::Image
    }

    fn is_conditional(&self) -> bool {
        self.conditional
    }

    fn criterion(&self) -> Criterion {
        let (loss, skip) = self.likelihood.loss(self.sigma);
        // The total correlation is a part of the KL divergence, so the rest of its weight is in the penalty of the posterior.
        let weight = if self.regularizer == Regularizer::Tc { 1.0 } else { self.beta };
        Criterion { loss, skip, weight, free_bits: self.free_bits }
    }

    fn draws(&self) -> usize {
        self.draws
    }

    fn penalty_weight(&self, epochs: f64) -> f64 {
        self.warmed_up(self.criterion().weight, epochs)
    }

    fn posterior_penalty(&self) -> Option<PosteriorPenalty> {
        let (measure, weight) = match self.regularizer {
            Regularizer::Kl | Regularizer::Mmd | Regularizer::L2 => return None,
            Regularizer::Info => (PosteriorMeasure::Mmd, self.mmd_weight.unwrap_or(MMD_WEIGHT)),
            Regularizer::Tc => (PosteriorMeasure::TotalCorrelation, self.beta - 1.0),
        };
        Some(PosteriorPenalty { measure, weight })
    }

    fn posterior_penalty_weight(&self, epochs: f64) -> f64 {
        let penalty = self.posterior_penalty();
        penalty.map_or(0.0, |penalty| self.warmed_up(penalty.weight, epochs))
    }

    fn terms(&self) -> &'static [Term] {
        const RECONSTRUCTION: Term = Term { name: "reconstruction", part: TermPart::Loss };
        const KL: Term = Term { name: "kl", part: TermPart::Penalty };
        const MMD: Term = Term { name: "mmd", part: TermPart::Posterior };
        const CORRELATION: Term = Term { name: "total_correlation", part: TermPart::Posterior };
        match self.regularizer {
            // The logarithm of a mean of products is no sum of terms.
            _ if self.draws > 1 => &[],
            Regularizer::Kl => &[RECONSTRUCTION, KL],
            Regularizer::Info => &[RECONSTRUCTION, KL, MMD],
            Regularizer::Tc => &[RECONSTRUCTION, KL, CORRELATION],
            Regularizer::Mmd | Regularizer::L2 => {
                &[RECONSTRUCTION, Term { name: "penalty", part: TermPart::Penalty }]
            }
        }
    }

    fn fine_tuned(self) -> Self {
        VaeConfig { autoencoder: self.autoencoder.fine_tuned(), ..self }
    }

    fn latents(&self, image: Shape) -> Option<LatentSpace> {
        self.autoencoder.latents(image)
    }

    fn recipe() -> &'static str {
        include_str!("recipe.toml")
    }

    fn recipe_for_collection(image: Shape, images: usize) -> String {
        residual::recipe(image, images)
    }

    fn tuning() -> Option<Tuning> {
        Some(Tuning::validation_loss(
            include_str!("space.toml"),
            include_str!("trial.toml"),
            include_str!("refit.toml"),
        ))
    }

    fn own_tuning(&self) -> Option<Tuning> {
        if self.autoencoder.design == Design::Residual {
            return Some(residual::tuning());
        }
        Self::tuning()
    }
}

impl VaeConfig {
    /// A weight after `epochs` epochs.
    fn warmed_up(&self, weight: f64, epochs: f64) -> f64 {
        if epochs < self.warmup_epochs { weight * epochs / self.warmup_epochs } else { weight }
    }

    /// The network of the residual design, and how it starts.
    fn residual(&self, image: Shape) -> Result<(Network, LinearStart), Error> {
        self.check()?;
        let (mut network, mut start) =
            self.autoencoder.residual(image, 2 * self.autoencoder.latent_dim)?;
        network.sections[ENCODER].layers.push(Layer::Gaussian);
        let decoder = &mut network.sections[DECODER].layers;
        start.log_deviation = Some(format!("decoder.{}", decoder.len()));
        decoder.push(Layer::LogScale);
        (start.fixed, start.refitted) = (true, false);
        network.layout()?;
        Ok((network, start))
    }

    fn check(&self) -> Result<(), Error> {
        if self.autoencoder.design == Design::Residual {
            if (self.regularizer, self.likelihood) != (Regularizer::Kl, Likelihood::Gaussian) {
                let reason =
                    "the residual design needs the regularizer kl and the likelihood gaussian";
                return Err(Error::setting("design", reason));
            }
            if self.sigma.is_some() {
                let reason = "the residual design learns sigma";
                return Err(Error::setting("sigma", reason));
            }
            if !self.prior.is_normal() {
                let reason = "the residual design begins as probabilistic principal component analysis, whose prior is normal";
                return Err(Error::setting("prior", reason));
            }
            if self.conditional {
                let reason = "conditional = true needs the design study: principal components, which the residual design keeps, take no class";
                return Err(Error::setting("conditional", reason));
            }
        } else if self.autoencoder.refiner.is_some() {
            return Err(Error::setting("refiner", "a refiner belongs to the residual design"));
        }
        for (setting, value) in [
            ("beta", self.beta),
            ("mmd_weight", self.mmd_weight.unwrap_or(MMD_WEIGHT)),
            ("warmup_epochs", self.warmup_epochs),
            ("free_bits", self.free_bits),
        ] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::setting(
                    setting,
                    format!("{setting} = {value} must be at least 0"),
                ));
            }
        }
        self.check_draws()?;
        if !self.prior.is_normal() {
            if self.regularizer != Regularizer::Kl {
                let reason = "a prior other than the normal one needs the regularizer kl";
                return Err(Error::setting("prior", reason));
            }
            if self.free_bits > 0.0 {
                let reason = "free_bits belong to the normal prior: no other has a divergence for each dimension";
                return Err(Error::setting("free_bits", reason));
            }
            if self.conditional && matches!(self.prior, LatentPrior::Vamp { .. }) {
                let reason = "the prior vamp is the same for all classes; a conditional model needs the prior normal or mixture";
                return Err(Error::setting("prior", reason));
            }
        }
        if self.free_bits > 0.0 && self.regularizer != Regularizer::Kl {
            return Err(Error::setting("free_bits", "free_bits belong to the regularizer kl"));
        }
        if self.mmd_weight.is_some() && self.regularizer != Regularizer::Info {
            return Err(Error::setting("mmd_weight", "mmd_weight belongs to the regularizer info"));
        }
        self.likelihood.check(self.sigma)
    }

    fn check_draws(&self) -> Result<(), Error> {
        let problem = |setting, needed: &str| {
            let bound = "more than one draw is for the importance-weighted bound";
            Err(Error::setting(setting, format!("draws = {}: {bound}, which {needed}", self.draws)))
        };
        match self.draws {
            0 => Err(Error::setting("draws", "draws = 0 must be at least 1")),
            1 => Ok(()),
            _ if self.regularizer != Regularizer::Kl => {
                problem("regularizer", "needs the regularizer kl")
            }
            _ if (self.beta - 1.0).abs() > 0.0 => problem("beta", "needs beta = 1"),
            _ if self.warmup_epochs > 0.0 => problem("warmup_epochs", "needs warmup_epochs = 0"),
            _ if self.free_bits > 0.0 => problem("free_bits", "needs free_bits = 0"),
            _ => Ok(()),
        }
    }
}
