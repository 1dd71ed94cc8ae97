//! What every kind of model is: the trait [`Model`], and the plain types in which it describes itself. Which kinds there are is in `config.rs`.

use std::fmt::Debug;
use std::ops::Range;

use latents_engine::{Criterion, Loss, Network, Shape};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::posterior_penalty::PosteriorPenalty;

/// A kind of model: its settings, as the section `model` of `config.toml` has them, and what follows from them.
///
/// A type that implements it needs nothing else to be built, trained with the engine, saved and loaded. One entry in the list of
/// [`ModelConfig`](crate::ModelConfig) makes it a kind that configuration files and commands know. `tests/custom_model.rs` of this crate is a complete example.
pub trait Model: Clone + Debug + PartialEq + Serialize + DeserializeOwned + JsonSchema {
    /// The name of the kind, as `kind` in `config.toml` has it, such as `ae`.
    const KIND: &'static str;
    /// One sentence about the kind, without a full stop, for lists and help.
    const ABOUT: &'static str;

    /// The default settings for images of shape `[c, h, w]`.
    #[must_use]
    fn for_images(image: Shape) -> Self;

    /// The settings that suit a collection of `images` training images of shape `[c, h, w]`. They may be others than those of the reference
    /// study, which [`for_images`](Model::for_images) gives.
    #[must_use]
    fn for_collection(image: Shape, images: usize) -> Self {
        let _ = images;
        Self::for_images(image)
    }

    /// The network for images of shape `[c, h, w]`. `classes` is the number of classes; models that do not
    /// [need classes](Model::needs_classes) ignore it.
    ///
    /// # Errors
    /// If a setting is out of range, settings contradict each other, or a layer does not fit the images. The setting or the layer is named.
    fn network(&self, image: Shape, classes: usize) -> Result<Network, Error>;

    /// What the network's output is compared with.
    fn target(&self) -> Target;

    /// Whether the network is given the class of each image as a condition: a one-hot vector
    /// ([`one_hot`](crate::one_hot)) times [`condition_value`](crate::condition_value).
    fn is_conditional(&self) -> bool {
        false
    }

    /// Whether every image that the model is trained on must have a class: as the target, or as the condition.
    fn needs_classes(&self) -> bool {
        self.target() == Target::Class || self.is_conditional()
    }

    /// What training minimises, once any warm-up of the penalty is over.
    fn criterion(&self) -> Criterion;

    /// Draws of the latents of each sample. With more than one, training minimises the importance-weighted bound of the criterion's likelihood
    /// ([`Engine::importance_gradients`](latents_engine::Engine::importance_gradients)) in its place.
    fn draws(&self) -> usize {
        1
    }

    /// The weight of the criterion's penalty after `epochs` epochs of training, which need not be whole.
    fn penalty_weight(&self, epochs: f64) -> f64 {
        let _ = epochs;
        self.criterion().weight
    }

    /// A penalty that couples the samples of a batch, which is added to the criterion, once any warm-up is over. None if there is none.
    fn posterior_penalty(&self) -> Option<PosteriorPenalty> {
        None
    }

    /// The weight of that penalty after `epochs` epochs of training, which need not be whole.
    fn posterior_penalty_weight(&self, epochs: f64) -> f64 {
        let _ = epochs;
        self.posterior_penalty().map_or(0.0, |penalty| penalty.weight)
    }

    /// The terms of the loss that are recorded one by one. `metrics.jsonl` has them as `train_NAME` and `val_NAME`. There are none if the
    /// loss is a single term.
    fn terms(&self) -> &'static [Term] {
        &[]
    }

    /// The sections before and after the latent vectors of images of shape `[c, h, w]`, if the model has latent vectors that it can decode.
    fn latents(&self, image: Shape) -> Option<LatentSpace> {
        let _ = image;
        None
    }

    /// The same model as it is fine-tuned as the encoder of another: without dropout.
    #[must_use]
    fn fine_tuned(self) -> Self {
        self
    }

    /// The training settings that suit the kind: a TOML layer over the common ones, in the form of `config.toml`. Empty if the common settings suit it.
    #[must_use]
    fn recipe() -> &'static str {
        ""
    }

    /// The training settings that suit a model of [`for_collection`](Model::for_collection), in the form of [`recipe`](Model::recipe).
    #[must_use]
    fn recipe_for_collection(image: Shape, images: usize) -> String {
        let _ = (image, images);
        Self::recipe().to_owned()
    }

    /// The layers that start from principal components of the training images, if there are any.
    fn linear_start(&self, image: Shape) -> Option<LinearStart> {
        let _ = image;
        None
    }

    /// How the kind is tuned, if it can be.
    #[must_use]
    fn tuning() -> Option<Tuning> {
        None
    }

    /// How this model is tuned, if it can be: as its [kind](Model::tuning), unless its design has settings of its own.
    #[must_use]
    fn own_tuning(&self) -> Option<Tuning> {
        Self::tuning()
    }

    /// The names of the settings, in alphabetical order. A setting that has no value now is among them.
    #[must_use]
    fn setting_names() -> Vec<String> {
        let schema = schemars::schema_for!(Self);
        let fields = schema.get("properties").and_then(|properties| properties.as_object());
        fields.into_iter().flat_map(|fields| fields.keys().cloned()).collect()
    }
}

/// What a network's output is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The input image.
    Image,
    /// The class of the image.
    Class,
}

/// The sections of a network before and after its latent vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatentSpace {
    /// Number of dimensions of a latent vector, `d`. Of an image of codes `[c, h, w]`, the number of its numbers.
    pub dim: usize,
    /// Sections of the network that map images `[n, c, h, w]` to latents `[n, d]`.
    pub encode: Range<usize>,
    /// Sections that map latents `[n, d]` to images `[n, c, h, w]` in `[0, 1]`. They follow those of `encode`.
    pub decode: Range<usize>,
}

impl LatentSpace {
    /// Sections that map images to their reconstructions.
    #[must_use]
    pub fn reconstruct(&self) -> Range<usize> {
        self.encode.start..self.decode.end
    }
}

/// The layers of a network, by name, that start from the principal components of the training images, so that training improves on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinearStart {
    /// The linear layer from an image to its coordinates. Of a model with a posterior, it gives their means, then their log-variances.
    pub encode: String,
    /// The linear layer back to the image.
    pub decode: String,
    /// Layers whose weights and biases are 0 at first.
    pub zero: Vec<String>,
    /// Layers that read pixels, in `[0, 1]`, and start as if they read them in `[-1, 1]`.
    pub pixels: Vec<String>,
    /// Of a model with a posterior and a normal likelihood: the layer with the logarithm of the likelihood's deviation. The model then starts as
    /// probabilistic principal component analysis (Tipping and Bishop, 1999), with the exact posterior of each image.
    pub log_deviation: Option<String>,
    /// Whether the linear layers keep the components while the others are trained.
    pub fixed: bool,
    /// Whether the components are computed once more after training, from the validation images too. They must be fixed, and no other layer
    /// may depend on the coordinates.
    pub refitted: bool,
}

/// A named term of the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// The name, such as `reconstruction` or `kl`.
    pub name: &'static str,
    /// Which part of the loss it is.
    pub part: TermPart,
}

impl Term {
    /// The term's value, given the mean loss, the mean penalty and the penalty of the posterior of some samples. Penalties are not weighted.
    #[must_use]
    pub fn value(self, loss: f64, penalty: f64, of_posterior: f64) -> f64 {
        match self.part {
            TermPart::Loss => loss,
            TermPart::Penalty => penalty,
            TermPart::Posterior => of_posterior,
        }
    }
}

/// Which part a [`Term`] is: of [`latents_engine::Losses`], or the penalty that couples samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermPart {
    /// The loss of the network's output.
    Loss,
    /// The penalty of the latents, without its weight.
    Penalty,
    /// The [penalty of the posterior](Model::posterior_penalty) of a batch, without its weight.
    Posterior,
}

/// How a kind of model is tuned. Settings and search space are TOML; names are those of `config.toml`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tuning {
    /// What a trial's value is called in tables and figures.
    pub label: &'static str,
    /// The metric of each epoch that is the trial's value, as `metrics.jsonl` names it. A trial keeps the value of the epoch whose weights are kept.
    pub metric: &'static str,
    /// Whether a lower value is better.
    pub lower_is_better: bool,
    /// The default search space.
    pub space: &'static str,
    /// Training settings of a trial: a TOML layer over the kind's [recipe](Model::recipe).
    pub trial: &'static str,
    /// The part of the recipe's epochs that a trial has, if its layer does not say a number. The final model has them all.
    pub trial_share: f64,
    /// Training settings for the final model: a TOML layer over those of the best trial.
    pub refit: &'static str,
}

impl Tuning {
    /// For the lowest validation loss.
    #[must_use]
    pub fn validation_loss(space: &'static str, trial: &'static str, refit: &'static str) -> Self {
        let (label, metric) = ("validation loss", "val_loss");
        Tuning { label, metric, lower_is_better: true, space, trial, trial_share: 1.0, refit }
    }
}

/// Cross-entropy alone, without a penalty.
pub(crate) fn cross_entropy() -> Criterion {
    Criterion { weight: 0.0, ..Loss::CrossEntropy { label_smoothing: 0.0 }.into() }
}
