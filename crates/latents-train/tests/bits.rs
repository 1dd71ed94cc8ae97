//! The same settings give the same bytes on any number of threads and on every instruction set of this machine.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

mod common;

use std::collections::BTreeMap;

use common::{assert_same, autoencoder, contents, go_on, runtime, sample, small};
use latents_engine::Isa;
use latents_train::{Outcome, RunConfig};

/// What a run on 297 images leaves: 238 train, in seven steps of 32 and one of 14, which leaves lanes empty.
fn trained(config: &RunConfig, threads: usize, isa: Isa) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let outcome = go_on(folder.path(), config, &sample(297), &runtime(threads, isa), |_, _| {});
    let epochs = config.training.epochs;
    assert!(matches!(outcome, Ok(Outcome::Finished { epoch, .. }) if epoch == epochs));
    contents(folder.path())
}

#[test]
fn threads_and_instruction_sets_change_no_byte() {
    let config = small(3);
    let best = Isa::detect();
    let reference = trained(&config, 1, best);
    let epochs = reference["metrics.jsonl"].split_inclusive(|&b| b == b'\n');
    let losses: Vec<f64> = epochs
        .map(|line| serde_json::from_slice::<serde_json::Value>(line).unwrap())
        .map(|epoch| epoch["val_loss"].as_f64().unwrap())
        .collect();
    assert!(losses.len() == 3 && losses.is_sorted_by(|a, b| a > b), "it learns: {losses:?}");

    for isa in Isa::available() {
        let threads: &[usize] = match isa {
            isa if isa == best => &[2, 5],
            // A fused multiply-add may be a library call there.
            Isa::Portable => &[2],
            _ => &[1, 2, 5],
        };
        for &n in threads {
            assert_same(&trained(&config, n, isa), &reference, &format!("{n} threads, {isa}"));
        }
    }
}

#[test]
fn seed_and_dropout_change_the_weights() {
    let weights = |change: fn(&mut RunConfig)| {
        let mut config = small(1);
        change(&mut config);
        trained(&config, 2, Isa::detect()).remove("model.safetensors").unwrap()
    };
    let plain = weights(|_| {});
    assert!(plain != weights(|config| config.training.seed = 1));
    assert!(plain != weights(|config| config.model = autoencoder(|model| model.dropout = 0.0)));
}
