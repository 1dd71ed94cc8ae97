//! The list of the kinds of models. To add a kind, write its folder and add one line to the list at the end of this file.

use latents_engine::{Criterion, Network, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::autoencoder::AutoencoderConfig;
use crate::classifier::ClassifierConfig;
use crate::cnn::CnnConfig;
use crate::error::Error;
use crate::model::{LatentSpace, LinearStart, Model, Target, Term, Tuning};
use crate::posterior_penalty::PosteriorPenalty;
use crate::vae::VaeConfig;
use crate::vqvae::VqvaeConfig;

/// What can be asked about a kind without a model of it.
struct Kind {
    name: &'static str,
    about: &'static str,
    for_images: fn(Shape) -> ModelConfig,
    for_collection: fn(Shape, usize) -> ModelConfig,
    recipe: fn() -> &'static str,
    recipe_for_collection: fn(Shape, usize) -> String,
    tuning: fn() -> Option<Tuning>,
}

/// Generates [`ModelConfig`], the table of kinds, and the methods that dispatch to the kind of a model.
macro_rules! kinds {
    ($($(#[$about:meta])* $variant:ident($config:ty),)+) => {
        /// Settings of a model of any kind. In `config.toml`, `kind` names the kind and the other entries are its settings.
        ///
        /// ```
        /// use latents_models::{Model, ModelConfig, VaeConfig};
        ///
        /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
        /// let image = [3, 64, 64]; // [c, h, w]
        /// let model = ModelConfig::for_images("vae", image)?;
        /// assert_eq!(model, ModelConfig::Vae(VaeConfig::for_images(image)));
        /// assert_eq!(model.network(image, 0)?.layout()?.output(), image);
        ///
        /// let file: ModelConfig = toml::from_str("kind = \"ae\"\nlatent_dim = 8")?;
        /// assert_eq!((file.kind(), file.latents(image).map(|l| l.dim)), ("ae", Some(8)));
        /// # Ok(())
        /// # }
        /// ```
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "kind", rename_all = "kebab-case")]
        pub enum ModelConfig {
            $($(#[$about])* $variant($config),)+
        }

        /// Every kind, in the order of the list.
        const KINDS: &[Kind] = &[$(Kind {
            name: <$config>::KIND,
            about: <$config>::ABOUT,
            for_images: |image| ModelConfig::$variant(<$config>::for_images(image)),
            for_collection: |image, images| ModelConfig::$variant(<$config>::for_collection(image, images)),
            recipe: <$config>::recipe,
            recipe_for_collection: <$config>::recipe_for_collection,
            tuning: <$config>::tuning,
        }),+];
        /// Their names.
        const NAMES: &[&str] = &[$(<$config>::KIND),+];

        $(impl From<$config> for ModelConfig {
            fn from(config: $config) -> Self {
                ModelConfig::$variant(config)
            }
        })+

        impl ModelConfig {
            /// The name of the kind, as `kind` in `config.toml` has it.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self {
                    $(ModelConfig::$variant(_) => <$config>::KIND,)+
                }
            }

            /// The names of the kind's settings, in alphabetical order. A setting that has no value now is among them.
            #[must_use]
            pub fn setting_names(&self) -> Vec<String> {
                match self {
                    $(ModelConfig::$variant(_) => <$config>::setting_names(),)+
                }
            }

            /// The network for images of shape `[c, h, w]` with `classes` classes; see [`Model::network`].
            ///
            /// # Errors
            /// If a setting is out of range, settings contradict each other, or a layer does not fit the images. The setting or the layer is
            /// named.
            pub fn network(&self, image: Shape, classes: usize) -> Result<Network, Error> {
                match self {
                    $(ModelConfig::$variant(config) => Model::network(config, image, classes),)+
                }
            }

            /// What the network's output is compared with.
            #[must_use]
            pub fn target(&self) -> Target {
                match self {
                    $(ModelConfig::$variant(config) => config.target(),)+
                }
            }

            /// Whether the network is given the class of each image as a condition; see [`Model::is_conditional`].
            #[must_use]
            pub fn is_conditional(&self) -> bool {
                match self {
                    $(ModelConfig::$variant(config) => config.is_conditional(),)+
                }
            }

            /// Whether every image that the model is trained on must have a class; see [`Model::needs_classes`].
            #[must_use]
            pub fn needs_classes(&self) -> bool {
                match self {
                    $(ModelConfig::$variant(config) => config.needs_classes(),)+
                }
            }

            /// What training minimises, once any warm-up of the penalty is over.
            #[must_use]
            pub fn criterion(&self) -> Criterion {
                match self {
                    $(ModelConfig::$variant(config) => config.criterion(),)+
                }
            }

            /// Draws of the latents of each sample; see [`Model::draws`].
            #[must_use]
            pub fn draws(&self) -> usize {
                match self {
                    $(ModelConfig::$variant(config) => config.draws(),)+
                }
            }

            /// The weight of the criterion's penalty after `epochs` epochs of training, which need not be whole.
            #[must_use]
            pub fn penalty_weight(&self, epochs: f64) -> f64 {
                match self {
                    $(ModelConfig::$variant(config) => config.penalty_weight(epochs),)+
                }
            }

            /// The penalty that couples the samples of a batch, if there is one; see [`Model::posterior_penalty`].
            #[must_use]
            pub fn posterior_penalty(&self) -> Option<PosteriorPenalty> {
                match self {
                    $(ModelConfig::$variant(config) => config.posterior_penalty(),)+
                }
            }

            /// The weight of that penalty after `epochs` epochs of training, which need not be whole.
            #[must_use]
            pub fn posterior_penalty_weight(&self, epochs: f64) -> f64 {
                match self {
                    $(ModelConfig::$variant(config) => config.posterior_penalty_weight(epochs),)+
                }
            }

            /// The terms of the loss that are recorded one by one; see [`Model::terms`].
            #[must_use]
            pub fn terms(&self) -> &'static [Term] {
                match self {
                    $(ModelConfig::$variant(config) => config.terms(),)+
                }
            }

            /// The sections before and after the latent vectors of images of shape `[c, h, w]`, if the model has latent vectors that it can decode.
            #[must_use]
            pub fn latents(&self, image: Shape) -> Option<LatentSpace> {
                match self {
                    $(ModelConfig::$variant(config) => config.latents(image),)+
                }
            }

            /// The layers that start from principal components of the training images; see [`Model::linear_start`].
            #[must_use]
            pub fn linear_start(&self, image: Shape) -> Option<LinearStart> {
                match self {
                    $(ModelConfig::$variant(config) => config.linear_start(image),)+
                }
            }

            /// How the model is tuned, if it can be; see [`Model::own_tuning`].
            #[must_use]
            pub fn own_tuning(&self) -> Option<Tuning> {
                match self {
                    $(ModelConfig::$variant(config) => config.own_tuning(),)+
                }
            }

            /// The same model as it is fine-tuned as the encoder of another: without dropout.
            #[must_use]
            pub fn fine_tuned(self) -> Self {
                match self {
                    $(ModelConfig::$variant(config) => config.fine_tuned().into(),)+
                }
            }
        }
    };
}

impl Default for ModelConfig {
    fn default() -> Self {
        ModelConfig::Ae(AutoencoderConfig::default())
    }
}

impl ModelConfig {
    /// The names of all kinds, in alphabetical order.
    #[must_use]
    pub fn kinds() -> &'static [&'static str] {
        NAMES
    }

    /// The names of the kinds whose models have latents that they can decode, and so an encoder for others to start from.
    #[must_use]
    pub fn kinds_with_latents() -> Vec<&'static str> {
        kinds_where(|model| model.latents(USUAL_SHAPE).is_some())
    }

    /// The names of the kinds whose models classify images.
    #[must_use]
    pub fn kinds_that_classify() -> Vec<&'static str> {
        kinds_where(|model| model.target() == Target::Class)
    }

    /// The names of the kinds whose models start from the trained encoder of another.
    #[must_use]
    pub fn kinds_on_an_encoder() -> Vec<&'static str> {
        kinds_where(|model| model.encoder().is_some())
    }

    /// A model of a kind with its default settings for images of shape `[c, h, w]`.
    ///
    /// # Errors
    /// [`Error::UnknownKind`].
    pub fn for_images(kind: &str, image: Shape) -> Result<Self, Error> {
        Ok((find(kind)?.for_images)(image))
    }

    /// A model of a kind with the settings that suit a collection of `images` training images of shape `[c, h, w]`, and its training
    /// settings as a TOML layer; see [`Model::for_collection`].
    ///
    /// # Errors
    /// [`Error::UnknownKind`].
    pub fn for_collection(
        kind: &str,
        image: Shape,
        images: usize,
    ) -> Result<(Self, String), Error> {
        let kind = find(kind)?;
        Ok(((kind.for_collection)(image, images), (kind.recipe_for_collection)(image, images)))
    }

    /// One sentence about a kind; see [`Model::ABOUT`].
    ///
    /// # Errors
    /// [`Error::UnknownKind`].
    pub fn about(kind: &str) -> Result<&'static str, Error> {
        Ok(find(kind)?.about)
    }

    /// The training settings that suit a kind, as a TOML layer; see [`Model::recipe`].
    ///
    /// # Errors
    /// [`Error::UnknownKind`].
    pub fn recipe(kind: &str) -> Result<&'static str, Error> {
        Ok((find(kind)?.recipe)())
    }

    /// How a kind is tuned, if it can be.
    ///
    /// # Errors
    /// [`Error::UnknownKind`].
    pub fn tuning(kind: &str) -> Result<Option<Tuning>, Error> {
        Ok((find(kind)?.tuning)())
    }

    /// The model whose trained encoder this one starts from, if its kind does so.
    #[must_use]
    pub fn encoder(&self) -> Option<&ModelConfig> {
        match self {
            ModelConfig::Classifier(config) => Some(&config.encoder),
            _ => None,
        }
    }

    /// Mutable access to [`encoder`](ModelConfig::encoder), to put the model of a trained run in its place.
    pub fn encoder_mut(&mut self) -> Option<&mut ModelConfig> {
        match self {
            ModelConfig::Classifier(config) => Some(&mut config.encoder),
            _ => None,
        }
    }
}

/// A shape of images that every kind has a default model for.
const USUAL_SHAPE: Shape = [1, 28, 28];

fn kinds_where(is: impl Fn(&ModelConfig) -> bool) -> Vec<&'static str> {
    let kinds = KINDS.iter().filter(|kind| is(&(kind.for_images)(USUAL_SHAPE)));
    kinds.map(|kind| kind.name).collect()
}

fn find(kind: &str) -> Result<&'static Kind, Error> {
    let found = KINDS.iter().find(|known| known.name == kind);
    found.ok_or_else(|| Error::UnknownKind { kind: kind.to_owned(), known: NAMES })
}

// The list: alphabetical, one line of documentation and one of code for each kind.
kinds! {
    /// A convolutional autoencoder.
    Ae(AutoencoderConfig),
    /// A classifier on the encoder of another model.
    Classifier(ClassifierConfig),
    /// A convolutional classifier, trained from scratch.
    Cnn(CnnConfig),
    /// A variational autoencoder or a relative.
    Vae(VaeConfig),
    /// A VQ-VAE.
    Vqvae(VqvaeConfig),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_describes_itself() {
        assert_eq!(ModelConfig::kinds(), ["ae", "classifier", "cnn", "vae", "vqvae"]);
        assert_eq!(ModelConfig::kinds_with_latents(), ["ae", "vae", "vqvae"]);
        assert_eq!(ModelConfig::kinds_that_classify(), ["classifier", "cnn"]);
        for &kind in ModelConfig::kinds() {
            let model = ModelConfig::for_images(kind, [3, 20, 30]).unwrap();
            assert_eq!(model.kind(), kind);
            let text = toml::to_string(&model).unwrap();
            assert!(text.starts_with(&format!("kind = \"{kind}\"\n")), "{text}");
            assert_eq!(toml::from_str::<ModelConfig>(&text).unwrap(), model);
            assert!(!model.is_conditional());
            let classes = if model.needs_classes() { 3 } else { 0 };
            model.network([3, 20, 30], classes).unwrap();
            assert_eq!(model.encoder().is_some(), kind == "classifier");
            let about = ModelConfig::about(kind).unwrap();
            assert!(about.starts_with("A ") && !about.ends_with('.'), "{about}");

            // A layer of settings has training settings only; a search space names settings only.
            let tuning = ModelConfig::tuning(kind).unwrap();
            let layers = tuning.map(|tuning| [tuning.trial, tuning.refit]).unwrap_or_default();
            for layer in layers.into_iter().chain([ModelConfig::recipe(kind).unwrap()]) {
                let table: toml::Table = toml::from_str(layer).unwrap();
                assert!(table.keys().all(|section| section == "training"), "{kind}: {layer}");
            }
            let names = model.setting_names();
            let of_training = ["optimizer", "learning_rate", "weight_decay"];
            let (of_collection, _) = ModelConfig::for_collection(kind, [3, 20, 30], 100).unwrap();
            for tuning in [tuning, of_collection.own_tuning()].into_iter().flatten() {
                let space: toml::Table = toml::from_str(tuning.space).unwrap();
                for name in space.keys() {
                    let first = name.split('.').next().unwrap();
                    assert!(names.contains(&first.to_owned()) || of_training.contains(&first));
                }
            }
        }
        assert_eq!(ModelConfig::tuning("cnn").unwrap(), None);
        let error = ModelConfig::recipe("gan").unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no model of kind `gan`; the kinds are ae, classifier, cnn, vae, vqvae"
        );
    }

    #[test]
    fn settings_are_named_with_or_without_a_value() {
        let names = |kind| ModelConfig::for_images(kind, [1, 28, 28]).unwrap().setting_names();
        assert_eq!(names("classifier"), ["encoder", "head_dropout", "hidden_1", "hidden_2"]);
        assert_eq!(
            names("vae"),
            [
                "beta",
                "blocks",
                "conditional",
                "design",
                "draws",
                "dropout",
                "free_bits",
                "hidden",
                "latent_dim",
                "likelihood",
                "mmd_weight",
                "noise",
                "nonlinearity",
                "normalize",
                "prior",
                "refiner",
                "regularizer",
                "sigma",
                "stages",
                "warmup_epochs"
            ]
        );
    }

    #[test]
    fn terms_are_named_after_the_regularizer() {
        let terms = |file: &str| {
            let model: ModelConfig = toml::from_str(file).unwrap();
            model.terms().iter().map(|t| (t.name, t.value(1.0, 2.0, 3.0))).collect::<Vec<_>>()
        };
        let reconstruction = ("reconstruction", 1.0);
        assert_eq!(terms("kind = \"vae\""), [reconstruction, ("kl", 2.0)]);
        for regularizer in ["mmd", "l2"] {
            let file = format!("kind = \"vae\"\nregularizer = \"{regularizer}\"");
            assert_eq!(terms(&file), [reconstruction, ("penalty", 2.0)]);
        }
        for (regularizer, name) in [("info", "mmd"), ("tc", "total_correlation")] {
            let file = format!("kind = \"vae\"\nregularizer = \"{regularizer}\"");
            assert_eq!(terms(&file), [reconstruction, ("kl", 2.0), (name, 3.0)]);
        }
        assert_eq!(terms("kind = \"ae\""), []);
    }

    #[test]
    fn settings_keep_their_form_in_files() {
        let text = toml::to_string(&ModelConfig::Vae(VaeConfig::default())).unwrap();
        assert_eq!(
            text,
            "kind = \"vae\"\ndesign = \"study\"\nlatent_dim = 44\nnormalize = false\nhidden = [64]\nnonlinearity = \"relu\"\ndropout = 0.0\nnoise = 0.0\n\
             regularizer = \"kl\"\nbeta = 1.0\nwarmup_epochs = 0.0\nfree_bits = 0.0\nlikelihood = \"bernoulli\"\n\n\
             [[stages]]\nchannels = 8\nkernel = 4\nstride = 2\npadding = 1\n\n\
             [[stages]]\nchannels = 16\nkernel = 4\nstride = 2\npadding = 1\n\n\
             [[stages]]\nchannels = 32\nkernel = 3\nstride = 2\npadding = 0\n"
        );
    }
}
