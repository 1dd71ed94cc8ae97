//! What the tests of training share: a small run on the compiled-in sample, and all that a run left, less the clock.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use latents_data::{Labelled, Locations, Source};
use latents_engine::{Isa, Runtime};
use latents_models::{AutoencoderConfig, Likelihood, ModelConfig, VaeConfig};
use latents_train::{Error, Event, Outcome, Run, RunConfig, train};

/// The first `n` images of the sample. [1, 28, 28]
pub(crate) fn sample(n: usize) -> Labelled {
    let mut data = Source::FashionMnistSample
        .load(&Locations::nowhere(), &mut |_| {})
        .expect("it is compiled in")
        .train;
    data.truncate(n);
    data
}

/// Settings with dropout and batches of 32, quick to run.
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

/// A small autoencoder, but for what `change` makes of it.
pub(crate) fn autoencoder(change: impl FnOnce(&mut AutoencoderConfig)) -> ModelConfig {
    let mut model =
        AutoencoderConfig { latent_dim: 6, hidden: vec![24], ..AutoencoderConfig::default() };
    change(&mut model);
    ModelConfig::Ae(model)
}

/// A small variational autoencoder with all that its training changes from step to step.
#[allow(dead_code)] // Not all files of tests train one.
pub(crate) fn variational(change: impl FnOnce(&mut VaeConfig)) -> ModelConfig {
    let mut model =
        VaeConfig { warmup_epochs: 1.5, likelihood: Likelihood::Gaussian, ..VaeConfig::default() };
    (model.halves.latent_dim, model.halves.hidden, model.halves.noise) = (6, vec![24], 0.1);
    change(&mut model);
    ModelConfig::Vae(model)
}

pub(crate) fn runtime(threads: usize, isa: Isa) -> Arc<Runtime> {
    Arc::new(Runtime::new(Some(threads), Some(isa)).expect("a few threads"))
}

/// Trains, or goes on with it; `report` may set the flag that stops it.
pub(crate) fn go_on(
    dir: &Path,
    config: &RunConfig,
    data: &Labelled,
    runtime: &Arc<Runtime>,
    mut report: impl FnMut(Event<'_>, &AtomicBool) + Send,
) -> Result<Outcome, Error> {
    let stop = AtomicBool::new(false);
    train(&Run::at(dir), config, data, runtime, &stop, &mut |event| report(event, &stop))
}

/// As [`go_on`], but asked to stop before it begins: it makes one step, or finishes where none is left.
#[allow(dead_code)] // Each file of tests compiles this one for itself, and not all make single steps.
pub(crate) fn one_step(
    dir: &Path,
    config: &RunConfig,
    data: &Labelled,
    runtime: &Arc<Runtime>,
) -> Result<Outcome, Error> {
    go_on(dir, config, data, runtime, |_, stop| stop.store(true, Ordering::Relaxed))
}

/// Every file of a run that must not depend on how it came about, by its path: weights, snapshots and settings as they are,
/// metrics without their times, and of the last checkpoint the tensors, as its header has times too. Not the checkpoint before
/// it, which is from wherever the run was last stopped.
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
                "checkpoint/previous.safetensors" => continue,
                "checkpoint/last.safetensors" => bytes = tensors(&bytes).to_vec(),
                "metrics.jsonl" => bytes = timeless(&bytes).into_bytes(),
                _ => {}
            }
            files.insert(name, bytes);
        }
    }
    files
}

/// What comes after the header of a safetensors file.
fn tensors(bytes: &[u8]) -> &[u8] {
    let (length, rest) = bytes.split_first_chunk().expect("a header");
    &rest[u64::from_le_bytes(*length) as usize..]
}

/// Lines of metrics without the fields that a clock gave.
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

/// Says which file differs, rather than print them all.
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
            _ => assert!(*bytes == expected[name], "{how}: {name} is another"),
        }
    }
}
