//! Shared by the tests of training: a small run on the built-in sample, and the contents of a run's folder without times.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use latents_data::{Dataset, Labelled};
use latents_engine::{Isa, Runtime};
use latents_models::{
    AutoencoderConfig, Likelihood, Model, ModelConfig, Stage, VaeConfig, VqvaeConfig,
};
use latents_progress::Monitor;
use latents_train::{Error, Run, RunConfig, TrainSummary, train};

/// The first `n` images of the sample. [1, 28, 28]
pub(crate) fn sample(n: usize) -> Labelled {
    let dataset = Dataset::open("fashion-mnist-sample", &Monitor::default());
    let mut data = dataset.expect("it is compiled in").train;
    data.truncate(n);
    data
}

/// Settings with dropout and batches of 32, quick to run.
#[allow(dead_code)] // See `one_step`.
pub(crate) fn small(epochs: u64) -> RunConfig {
    let mut config = RunConfig::default();
    config.data.source = "fashion-mnist-sample".into();
    config.data.shape = [1, 28, 28];
    config.model = autoencoder(|_| {});
    config.training.epochs = epochs;
    config.training.batch_size = 32;
    config.training.learning_rate = 2e-3;
    config
}

/// A small autoencoder, changed by `change`.
#[allow(dead_code)] // See `one_step`.
pub(crate) fn autoencoder(change: impl FnOnce(&mut AutoencoderConfig)) -> ModelConfig {
    let mut model =
        AutoencoderConfig { latent_dim: 6, hidden: vec![24], ..AutoencoderConfig::default() };
    change(&mut model);
    ModelConfig::Ae(model)
}

/// A small variational autoencoder whose penalty warms up and whose inputs have noise.
#[allow(dead_code)] // Not every test file trains one.
pub(crate) fn variational(change: impl FnOnce(&mut VaeConfig)) -> ModelConfig {
    let mut model =
        VaeConfig { warmup_epochs: 1.5, likelihood: Likelihood::Gaussian, ..VaeConfig::default() };
    let autoencoder = &mut model.autoencoder;
    (autoencoder.latent_dim, autoencoder.hidden, autoencoder.noise) = (6, vec![24], 0.1);
    change(&mut model);
    ModelConfig::Vae(model)
}

/// A small VQ-VAE.
#[allow(dead_code)] // See `variational`.
pub(crate) fn quantized(change: impl FnOnce(&mut VqvaeConfig)) -> ModelConfig {
    let stage = |channels, kernel, padding| Stage { channels, kernel, stride: 2, padding };
    let mut model = VqvaeConfig {
        stages: vec![stage(6, 4, 1), stage(8, 4, 1)],
        blocks: 1,
        prior_channels: 6,
        prior_blocks: 1,
        ..VqvaeConfig::for_images([1, 28, 28])
    };
    change(&mut model);
    ModelConfig::Vqvae(model)
}

/// A variational autoencoder without a warm-up, trained with the importance-weighted bound of so many draws.
#[allow(dead_code)] // See `variational`.
pub(crate) fn importance_weighted(
    draws: usize,
    change: impl FnOnce(&mut VaeConfig),
) -> ModelConfig {
    variational(|model| {
        (model.warmup_epochs, model.draws) = (0.0, draws);
        change(model);
    })
}

/// The small variational autoencoder, conditional on the classes of the sample.
#[allow(dead_code)] // See `variational`.
pub(crate) fn conditional(epochs: u64) -> RunConfig {
    let mut config = small(epochs);
    config.model = variational(|model| model.conditional = true);
    config.data.classes = (0..10).map(|class| class.to_string()).collect();
    config
}

pub(crate) fn runtime(threads: usize, isa: Isa) -> Arc<Runtime> {
    Arc::new(Runtime::new(Some(threads), Some(isa)).expect("a few threads"))
}

/// Trains a run, or resumes it, until it has finished.
pub(crate) fn finish(
    dir: &Path,
    config: &RunConfig,
    data: &Labelled,
    runtime: &Arc<Runtime>,
) -> Result<TrainSummary, Error> {
    train(&Run::at(dir), config, data, runtime, &Monitor::default(), &mut |_| {})
}

/// Trains with a token that is cancelled already: takes one step, or finishes the run if none is left.
#[allow(dead_code)] // Each test file compiles this module for itself, and not all take single steps.
pub(crate) fn one_step(
    dir: &Path,
    config: &RunConfig,
    data: &Labelled,
    runtime: &Arc<Runtime>,
) -> Result<TrainSummary, Error> {
    let monitor = Monitor::default();
    monitor.cancel().cancel();
    train(&Run::at(dir), config, data, runtime, &monitor, &mut |_| {})
}

/// Takes single steps until the run has finished; how many of them were interrupted.
#[allow(dead_code)] // See `one_step`.
pub(crate) fn steps_until_finished(
    dir: &Path,
    config: &RunConfig,
    data: &Labelled,
    runtime: &Arc<Runtime>,
) -> u64 {
    let mut steps = 0;
    loop {
        match one_step(dir, config, data, runtime) {
            Err(Error::Interrupted(_)) => steps += 1,
            result => {
                result.expect("a run that can be trained");
                return steps;
            }
        }
    }
}

/// The files of a run whose bytes must not depend on threads, instruction sets and interruptions, by path: weights, snapshots and settings
/// as they are, metrics without times, and the tensors of the last checkpoint, because its header contains times. The checkpoint
/// before it is left out: it depends on when the run was last stopped. So are the digests of the files.
pub(crate) fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a run's folder") {
            let path = entry.expect("a run's file").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(dir).expect("it is in there").display().to_string();
            let name = name.replace('\\', "/");
            let mut bytes = std::fs::read(&path).expect("a run's file");
            match name.as_str() {
                // The digests are of metrics with their times.
                "checkpoint/previous.safetensors" | "SHA256SUMS" => continue,
                "checkpoint/last.safetensors" => bytes = tensors(&bytes).to_vec(),
                "metrics.jsonl" => bytes = timeless(&bytes).into_bytes(),
                _ => {}
            }
            files.insert(name, bytes);
        }
    }
    files
}

/// The bytes after the header of a safetensors file.
fn tensors(bytes: &[u8]) -> &[u8] {
    let (length, rest) = bytes.split_first_chunk().expect("a header");
    &rest[u64::from_le_bytes(*length) as usize..]
}

/// Lines of metrics without times and rates.
fn timeless(bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes).expect("metrics are text");
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is whole: {text}");
    let line = |line| {
        let mut value: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        let fields = value.as_object_mut().expect("an object");
        for field in ["seconds", "samples_per_second"] {
            assert!(fields.remove(field).is_some_and(|x| x.as_f64() > Some(0.0)), "{line}");
        }
        format!("{value}\n")
    };
    text.lines().map(line).collect()
}

/// Names the file that differs and does not print the others.
#[track_caller]
pub(crate) fn assert_same(
    got: &BTreeMap<String, Vec<u8>>,
    expected: &BTreeMap<String, Vec<u8>>,
    how: &str,
) {
    assert!(got.keys().eq(expected.keys()), "{how}: {:?}, {:?}", got.keys(), expected.keys());
    for (name, bytes) in got {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        match name.as_str() {
            "metrics.jsonl" => assert_eq!(text(bytes), text(&expected[name]), "{how}: {name}"),
            _ => assert!(*bytes == expected[name], "{how}: {name} differs"),
        }
    }
}
