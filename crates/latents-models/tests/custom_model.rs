//! A kind of model that is not in the list of this crate: what the book's page "Add a model" shows. The page contains the code between the
//! marks below, word for word; a test compares the two.

use std::sync::Arc;

use latents_engine::{
    Criterion, Engine, Group, Init, Inputs, Layer, Loss, Network, Optimizer, Pass, Rule, Runtime,
    Section, Shape, Targets, initialize,
};
use latents_models::{
    Error, LatentSpace, Model, ModelConfig, Nonlinearity, Target, load_parameters, save_parameters,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

// MARK: settings
/// An autoencoder with one hidden layer on each side and no convolutions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PerceptronConfig {
    /// Number of latent dimensions.
    pub latent_dim: usize,
    /// Width of the hidden layers.
    pub hidden: usize,
    /// Nonlinearity after each hidden layer.
    pub nonlinearity: Nonlinearity,
}

impl Default for PerceptronConfig {
    fn default() -> Self {
        PerceptronConfig { latent_dim: 16, hidden: 128, nonlinearity: Nonlinearity::Relu }
    }
}
// MARK: end

// MARK: model
impl Model for PerceptronConfig {
    const KIND: &'static str = "perceptron";
    const ABOUT: &'static str = "An autoencoder with one hidden layer and no convolutions";

    fn for_images(image: Shape) -> Self {
        let pixels: usize = image.iter().product();
        PerceptronConfig { hidden: (pixels / 4).clamp(16, 512), ..Self::default() }
    }

    fn network(&self, image: Shape, _classes: usize) -> Result<Network, Error> {
        if self.latent_dim == 0 {
            return Err(Error::setting("latent_dim", "latent_dim must be at least 1"));
        }
        let pixels = image.iter().product();
        let linear = |out_features| Layer::Linear { out_features };
        let encoder = vec![
            Layer::Reshape { shape: [pixels, 1, 1] },
            linear(self.hidden),
            self.nonlinearity.layer(),
            linear(self.latent_dim),
        ];
        let decoder = vec![
            linear(self.hidden),
            self.nonlinearity.layer(),
            linear(pixels),
            Layer::Reshape { shape: image },
            Layer::Sigmoid,
        ];
        let section = |name: &str, layers| Section { name: name.into(), layers };
        let sections = vec![section("encoder", encoder), section("decoder", decoder)];
        let network = Network { input: image, sections };
        network.layout()?; // checks every shape
        Ok(network)
    }

    fn target(&self) -> Target {
        Target::Image
    }

    fn criterion(&self) -> Criterion {
        Loss::MeanSquaredError.into()
    }

    fn latents(&self, _image: Shape) -> Option<LatentSpace> {
        Some(LatentSpace { dim: self.latent_dim, encode: 0..1, decode: 1..2 })
    }

    fn recipe() -> &'static str {
        "[training]\nlearning_rate = 1e-3\n"
    }
}
// MARK: end

/// Images `[n, 1, 6, 6]` with a bright square each, at one of nine places.
fn images(n: usize) -> Vec<f32> {
    let mut pixels = vec![0.1; n * 36];
    for (i, image) in pixels.chunks_exact_mut(36).enumerate() {
        let (top, left) = (i % 9 / 3 * 2, i % 3 * 2);
        for (row, column) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            image[(top + row) * 6 + left + column] = 0.9;
        }
    }
    pixels
}

#[test]
fn it_is_built_trained_saved_and_loaded() {
    let shape = [1, 6, 6];
    let config = PerceptronConfig { latent_dim: 9, ..PerceptronConfig::for_images(shape) };
    let criterion = config.criterion();
    let runtime = Arc::new(Runtime::new(Some(1), None).unwrap());
    let network = config.network(shape, 0).unwrap();
    let mut engine = Engine::<f32>::new(&network, runtime.clone()).unwrap();
    let layout = engine.layout().clone();
    let mut parameters = initialize(&layout, Init::KaimingNormal, 1);
    assert_eq!(layout.output(), shape);

    // 200 steps of Adam on 18 images reconstruct them.
    let (count, n) = (layout.parameter_count(), 18);
    let pixels = images(n);
    let inputs = Inputs::Values(&pixels);
    let rule = Rule::Adam { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 0.0 };
    let groups = Group::of(&layout, 0..count, rule, 1e-2);
    let mut optimizer = Optimizer::new(groups, count).unwrap();
    let mut losses = vec![];
    for epoch in 0..200 {
        let pass = Pass::Train { seed: 1, epoch };
        let mut gradients = vec![0.0; count];
        let of_batch = engine
            .gradients(&parameters, inputs, Targets::Inputs, criterion, pass, &mut gradients)
            .unwrap();
        losses.push(of_batch.mean_loss());
        optimizer.step(&runtime, &mut parameters, &gradients, 1.0);
    }
    let (first, last) = (losses[0], losses[199]);
    assert!(last < 0.02 * first, "{first} {last}");

    // Its latents are where it says: the decoder makes of them what the whole network makes of the images.
    let latents = config.latents(shape).unwrap();
    let z = engine.forward(&parameters, inputs, latents.encode.clone()).unwrap();
    assert_eq!(z.len(), n * latents.dim);
    let decoded = engine.forward(&parameters, Inputs::Values(&z), latents.decode.clone()).unwrap();
    let whole = engine.forward(&parameters, inputs, latents.reconstruct()).unwrap();
    assert_eq!(decoded, whole);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    save_parameters(&path, &layout, &parameters).unwrap();
    assert_eq!(load_parameters(&path, &layout).unwrap(), parameters);
}

#[test]
fn its_settings_are_a_section_of_a_file() {
    let config: PerceptronConfig = toml::from_str("hidden = 30\nnonlinearity = \"gelu\"").unwrap();
    assert_eq!((config.hidden, config.latent_dim), (30, 16));
    assert_eq!(
        toml::from_str::<PerceptronConfig>(&toml::to_string(&config).unwrap()).unwrap(),
        config
    );
    assert_eq!(PerceptronConfig::setting_names(), ["hidden", "latent_dim", "nonlinearity"]);
    assert!(toml::from_str::<toml::Table>(PerceptronConfig::recipe()).is_ok());
    let error = PerceptronConfig { latent_dim: 0, ..config }.network([1, 6, 6], 0).unwrap_err();
    assert_eq!(error.to_string(), "model settings: latent_dim must be at least 1");

    // What it does not say has a default; it is not in the list.
    let config = PerceptronConfig::for_images([3, 4, 4]);
    assert_eq!((config.hidden, config.penalty_weight(0.5)), (16, config.criterion().weight));
    assert!(config.terms().is_empty() && config.posterior_penalty().is_none());
    assert_eq!(PerceptronConfig::tuning(), None);
    assert!(ModelConfig::recipe(PerceptronConfig::KIND).is_err());
}

#[test]
fn the_book_shows_this_code() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/book/src/extend/model.md");
    let page = std::fs::read_to_string(page).unwrap().replace('\r', "");
    let code = include_str!("custom_model.rs").replace('\r', "");
    let parts: Vec<&str> = code
        .split("// MARK: ")
        .filter(|part| part.starts_with("settings\n") || part.starts_with("model\n"))
        .filter_map(|part| part.split_once('\n'))
        .map(|(_, shown)| shown.trim_end())
        .collect();
    assert_eq!(parts.len(), 2);
    for part in parts {
        assert!(page.contains(&format!("```rust\n{part}\n```")), "the page does not have:\n{part}");
    }
}
