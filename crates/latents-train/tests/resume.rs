//! A run that was stopped anywhere goes on to the same bytes; damage that a crash can leave is survived, other damage is named.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{assert_same, contents, go_on, one_step, runtime, sample, small, variational};
use latents_data::{Images, Labelled};
use latents_engine::{Isa, Runtime, Schedule};
use latents_train::{Error, Event, Outcome, Run, RunConfig};

const EPOCHS: u64 = 3;
/// 150 images: 120 train, in batches of 32.
const IMAGES: usize = 150;
const STEPS: u64 = 4;

/// A small run with all that a resume must keep: moments of Adam, a schedule, best weights, snapshots.
struct Scene {
    config: RunConfig,
    data: Labelled,
    runtime: Arc<Runtime>,
}

impl Scene {
    fn new() -> Self {
        let mut config = small(EPOCHS);
        config.training.schedule = Schedule::Cosine;
        Scene { config, data: sample(IMAGES), runtime: runtime(2, Isa::detect()) }
    }

    fn finish(&self, dir: &Path) -> Result<Outcome, Error> {
        go_on(dir, &self.config, &self.data, &self.runtime, |_, _| {})
    }

    fn step(&self, dir: &Path) -> Result<Outcome, Error> {
        one_step(dir, &self.config, &self.data, &self.runtime)
    }

    /// A run that has made `steps` steps, one at a time.
    fn stopped_after(&self, steps: u64) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for step in 1..=steps {
            let epochs_done = (step - 1) / STEPS;
            let outcome = self.step(folder.path()).unwrap();
            assert_eq!(outcome, Outcome::Interrupted { epochs_done }, "step {step}");
        }
        folder
    }

    /// How many more steps a run makes until it is finished.
    fn steps_left(&self, dir: &Path) -> u64 {
        let mut steps = 0;
        while matches!(self.step(dir).unwrap(), Outcome::Interrupted { .. }) {
            steps += 1;
        }
        steps
    }

    /// What it leaves when nothing stops it.
    fn uninterrupted(&self) -> BTreeMap<String, Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        self.finish(folder.path()).unwrap();
        contents(folder.path())
    }
}

fn last(dir: &Path) -> std::path::PathBuf {
    dir.join("checkpoint/last.safetensors")
}

#[test]
fn stopping_after_every_step_changes_no_byte() {
    let mut scene = Scene::new();
    let schedules = [
        Schedule::Cosine,
        Schedule::WarmupCosine { warmup: 0.4 },
        Schedule::OneCycle { peak: 0.3 },
    ];
    for schedule in schedules {
        scene.config.training.schedule = schedule;
        let folder = scene.stopped_after(EPOCHS * STEPS);
        assert_eq!(scene.steps_left(folder.path()), 0);
        let whole = scene.uninterrupted();
        let names: Vec<&str> = whole.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "checkpoint/best.safetensors",
                "checkpoint/last.safetensors",
                "checkpoint/lock",
                "config.toml",
                "metrics.jsonl",
                "model.safetensors",
                "snapshots/epoch-00001.safetensors",
                "snapshots/epoch-00002.safetensors",
                "snapshots/epoch-00003.safetensors",
            ]
        );
        assert_same(&contents(folder.path()), &whole, &format!("{schedule:?}"));
    }
}

#[test]
fn one_stop_anywhere_changes_no_byte() {
    let scene = Scene::new();
    let whole = scene.uninterrupted();
    // In the middle of an epoch, before and after its last step, and with nothing left to do but to write the model; each goes
    // on with another number of threads.
    for (steps, threads) in [(1, 1), (3, 3), (4, 5), (5, 2), (8, 1), (10, 3), (12, 2)] {
        let folder = scene.stopped_after(steps);
        let runtime = runtime(threads, Isa::detect());
        let mut done = None;
        let outcome = go_on(folder.path(), &scene.config, &scene.data, &runtime, |event, _| {
            if let Event::Started { epochs_done, .. } = event {
                done = Some(epochs_done);
            }
        });
        assert!(matches!(outcome, Ok(Outcome::Finished { epoch: EPOCHS, kept: EPOCHS, .. })));
        assert_eq!(done, Some((steps - 1) / STEPS));
        assert_same(&contents(folder.path()), &whole, &format!("stopped after step {steps}"));
    }
}

/// Warm-up, draws and both sums of an epoch go on where they were.
#[test]
fn stopping_a_variational_autoencoder_after_every_step_changes_no_byte() {
    let mut scene = Scene::new();
    scene.config.model = variational(|_| {});
    let folder = scene.stopped_after(EPOCHS * STEPS);
    assert_eq!(scene.steps_left(folder.path()), 0);
    assert_same(&contents(folder.path()), &scene.uninterrupted(), "vae");
}

#[test]
fn a_stop_between_epochs_and_a_second_finish_change_no_byte() {
    let scene = Scene::new();
    let folder = tempfile::tempdir().unwrap();
    let mut seen = vec![];
    for _ in 0..EPOCHS {
        let outcome =
            go_on(folder.path(), &scene.config, &scene.data, &scene.runtime, |event, stop| {
                if let Event::Epoch(metrics) = event {
                    seen.push(metrics.epoch);
                    stop.store(true, Ordering::Relaxed);
                }
            });
        let left = EPOCHS - seen.len() as u64;
        assert_eq!(matches!(outcome.unwrap(), Outcome::Finished { .. }), left == 0);
    }
    assert_eq!(seen, [1, 2, 3]);
    let whole = scene.uninterrupted();
    assert_same(&contents(folder.path()), &whole, "stopped after every epoch");
    let (first, again) = (scene.finish(folder.path()), scene.finish(folder.path()));
    assert_eq!(first.unwrap(), again.unwrap());
    assert_same(&contents(folder.path()), &whole, "finished three times");
}

#[test]
fn a_damaged_checkpoint_falls_back_to_the_one_before() {
    let scene = Scene::new();
    let whole = scene.uninterrupted();
    let folder = scene.stopped_after(7);
    let good = fs::read(last(folder.path())).unwrap();
    let mut twisted = good.clone();
    twisted[9] ^= 0x40;
    for (damage, bytes) in [("cut", &good[..good.len() / 2]), ("empty", b""), ("bent", &twisted)] {
        let folder = scene.stopped_after(7);
        fs::write(last(folder.path()), bytes).unwrap();
        // Step 7 is made again, after which five are left.
        assert_eq!(scene.steps_left(folder.path()), 6, "{damage}");
        assert_same(&contents(folder.path()), &whole, damage);
    }
}

#[test]
fn where_both_checkpoints_are_damaged_it_says_so_and_touches_nothing() {
    let scene = Scene::new();
    let folder = scene.stopped_after(2);
    for name in ["last", "previous"] {
        fs::write(folder.path().join(format!("checkpoint/{name}.safetensors")), b"x").unwrap();
    }
    let error = scene.finish(folder.path()).unwrap_err();
    assert!(error.to_string().contains("no checkpoint that can be gone on from"), "{error}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("last.safetensors: it is not a whole safetensors file"), "{cause}");
    assert_eq!(fs::read(last(folder.path())).unwrap(), b"x");
}

#[test]
fn metrics_that_a_crash_cut_short_or_left_behind_are_made_again() {
    let scene = Scene::new();
    let whole = scene.uninterrupted();
    let future = "{\"epoch\":2,\"train_loss\":9.0,\"val_loss\":9.0,\"learning_rate\":9.0,\
                  \"seconds\":9.0,\"samples_per_second\":9.0}\n";
    for extra in ["{\"epoch\":2,\"train_lo", future] {
        let folder = scene.stopped_after(6);
        let path = folder.path().join("metrics.jsonl");
        let before = fs::read_to_string(&path).unwrap();
        assert_eq!(before.lines().count(), 1);
        fs::write(&path, format!("{before}{extra}")).unwrap();
        assert!(matches!(scene.finish(folder.path()), Ok(Outcome::Finished { .. })));
        assert_same(&contents(folder.path()), &whole, extra);
    }
}

#[test]
fn metrics_that_no_crash_leaves_are_named() {
    let scene = Scene::new();
    let folder = scene.stopped_after(STEPS + 1);
    let path = folder.path().join("metrics.jsonl");
    let line = fs::read_to_string(&path).unwrap();
    for (text, expected) in [
        (format!("not JSON\n{line}"), "line 1 is not the metrics of an epoch"),
        (String::new(), "lacks some of the 1 epochs"),
        (format!("{line}{line}"), "lacks some of the 1 epochs"),
    ] {
        fs::write(&path, &text).unwrap();
        let error = scene.finish(folder.path()).unwrap_err();
        assert!(matches!(&error, Error::Damaged { path: p, .. } if *p == path), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "what is damaged is left alone");
    }
}

#[test]
fn images_of_another_shape_are_refused() {
    let scene = Scene::new();
    let folder = tempfile::tempdir().unwrap();
    let images = Images::new(1, 14, 56, scene.data.images.pixels().to_vec()).unwrap();
    let images = Labelled { images, labels: None, names: None };
    let outcome = go_on(folder.path(), &scene.config, &images, &scene.runtime, |_, _| {});
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("[1, 14, 56]") && error.contains("[1, 28, 28]"), "{error}");
    assert!(!Run::at(folder.path()).exists());
}

#[test]
fn a_run_without_end_can_be_stopped() {
    let mut scene = Scene::new();
    scene.config.training.epochs = u64::MAX;
    scene.stopped_after(STEPS + 1);
}
