//! A run that was interrupted anywhere resumes and ends with the same bytes. Training survives damage that a crash can leave, and names other damage.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use common::{
    assert_same, conditional, contents, importance_weighted, one_step, quantized, runtime, sample,
    small, steps_until_finished, variational,
};
use latents_data::{Images, Labelled, Mix};
use latents_engine::{Isa, Runtime, Schedule};
use latents_models::{LatentPrior, ModelConfig, Quantizer, Regularizer};
use latents_progress::{Cancel, Monitor, Progress, Reporter};
use latents_train::{EpochMetrics, Error, Run, RunConfig, TrainSummary, train};

const EPOCHS: u64 = 3;
/// 150 images: 120 train, in batches of 32.
const IMAGES: usize = 150;
const STEPS: u64 = 4;

/// A small run with everything that a resume must keep: moments of Adam, a schedule, best weights, snapshots.
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

    fn finish(&self, dir: &Path) -> Result<TrainSummary, Error> {
        common::finish(dir, &self.config, &self.data, &self.runtime)
    }

    /// A run that has taken `steps` steps, one at a time.
    fn stopped_after(&self, steps: u64) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for step in 1..=steps {
            let result = one_step(folder.path(), &self.config, &self.data, &self.runtime);
            assert!(matches!(result, Err(Error::Interrupted(_))), "step {step}: {result:?}");
            assert_eq!(epochs_done(folder.path()), (step - 1) / STEPS, "step {step}");
        }
        folder
    }

    /// How many more steps a run takes until it has finished.
    fn steps_left(&self, dir: &Path) -> u64 {
        steps_until_finished(dir, &self.config, &self.data, &self.runtime)
    }

    /// The contents of the run when nothing interrupts it.
    fn uninterrupted(&self) -> BTreeMap<String, Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        self.finish(folder.path()).unwrap();
        contents(folder.path())
    }
}

/// The number of epochs that have left their metrics.
fn epochs_done(dir: &Path) -> u64 {
    Run::at(dir).metrics().unwrap().len() as u64
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
    // In the middle of an epoch, before and after its last step, and when only the model is left to write. Each resumes with another number
    // of threads.
    for (steps, threads) in [(1, 1), (3, 3), (4, 5), (5, 2), (8, 1), (10, 3), (12, 2)] {
        let folder = scene.stopped_after(steps);
        let runtime = runtime(threads, Isa::detect());
        let mut seen = vec![];
        let mut on_epoch = |metrics: &EpochMetrics| seen.push(metrics.epoch);
        let (run, monitor) = (Run::at(folder.path()), Monitor::default());
        let summary =
            train(&run, &scene.config, &scene.data, &runtime, &monitor, &mut on_epoch).unwrap();
        assert_eq!((summary.epochs, summary.kept_epoch), (EPOCHS, EPOCHS));
        let done = (steps - 1) / STEPS;
        assert!(seen.iter().copied().eq(done + 1..=EPOCHS), "{seen:?}");
        assert_same(&contents(folder.path()), &whole, &format!("stopped after step {steps}"));
    }
}

/// Warm-up, draws and both sums of an epoch continue where they stopped.
#[test]
fn stopping_a_variational_autoencoder_after_every_step_changes_no_byte() {
    let learned = [LatentPrior::Mixture { components: 9 }, LatentPrior::Vamp { components: 9 }];
    for prior in [LatentPrior::Normal].into_iter().chain(learned) {
        let mut scene = Scene::new();
        scene.config.model = variational(|model| model.prior = prior);
        let folder = scene.stopped_after(EPOCHS * STEPS);
        assert_eq!(scene.steps_left(folder.path()), 0);
        assert_same(&contents(folder.path()), &scene.uninterrupted(), &format!("{prior:?}"));
    }
}

#[test]
fn stopping_a_vq_vae_after_every_step_changes_no_byte() {
    for quantizer in
        [Quantizer::default(), Quantizer::Table { codes: 16, dim: 4, commitment: 0.25 }]
    {
        let mut scene = Scene::new();
        scene.config.model = quantized(|model| model.quantizer = quantizer.clone());
        let folder = scene.stopped_after(EPOCHS * STEPS);
        assert_eq!(scene.steps_left(folder.path()), 0);
        assert_same(&contents(folder.path()), &scene.uninterrupted(), &format!("{quantizer:?}"));
    }
}

/// So do the classes that a decoder is given, also those of images that are mixed.
#[test]
fn stopping_a_conditional_model_after_every_step_changes_no_byte() {
    for mix in [None, Some(Mix::Mixup { alpha: 0.4 })] {
        let mut scene = Scene::new();
        scene.config = conditional(EPOCHS);
        if let (Some(_), ModelConfig::Vae(model)) = (mix, &mut scene.config.model) {
            model.prior = LatentPrior::Mixture { components: 5 };
        }
        scene.config.training.augmentation.mix = mix;
        let folder = scene.stopped_after(EPOCHS * STEPS);
        assert_eq!(scene.steps_left(folder.path()), 0);
        assert_same(&contents(folder.path()), &scene.uninterrupted(), &format!("{mix:?}"));
    }
}

/// So do the draws that penalties of a batch take, and their sums in the middle of an epoch, also of augmented images.
#[test]
fn stopping_a_penalty_of_a_batch_after_every_step_changes_no_byte() {
    for (regularizer, mix) in
        [(Regularizer::Info, None), (Regularizer::Tc, Some(Mix::Mixup { alpha: 0.4 }))]
    {
        let mut scene = Scene::new();
        scene.config.model =
            variational(|model| (model.regularizer, model.beta) = (regularizer, 2.0));
        scene.config.training.augmentation.mix = mix;
        let folder = scene.stopped_after(EPOCHS * STEPS);
        assert_eq!(scene.steps_left(folder.path()), 0);
        assert_same(&contents(folder.path()), &scene.uninterrupted(), &format!("{regularizer:?}"));
    }
}

/// So do the draws of an importance-weighted model, also of images that are mixed.
#[test]
fn stopping_an_importance_weighted_model_after_every_step_changes_no_byte() {
    for mix in [None, Some(Mix::Mixup { alpha: 0.4 })] {
        let mut scene = Scene::new();
        scene.config = conditional(EPOCHS);
        scene.config.model = importance_weighted(3, |model| {
            model.conditional = true;
            if mix.is_some() {
                model.prior = LatentPrior::Mixture { components: 5 };
            }
        });
        scene.config.training.augmentation.mix = mix;
        let folder = scene.stopped_after(EPOCHS * STEPS);
        assert_eq!(scene.steps_left(folder.path()), 0);
        assert_same(&contents(folder.path()), &scene.uninterrupted(), &format!("{mix:?}"));
    }
}

#[test]
fn a_stop_between_epochs_and_a_second_finish_change_no_byte() {
    let scene = Scene::new();
    let folder = tempfile::tempdir().unwrap();
    let mut seen = vec![];
    for _ in 0..EPOCHS {
        let monitor = Monitor::default();
        let mut on_epoch = |metrics: &EpochMetrics| {
            seen.push(metrics.epoch);
            monitor.cancel().cancel();
        };
        let (run, runtime) = (Run::at(folder.path()), &scene.runtime);
        let result = train(&run, &scene.config, &scene.data, runtime, &monitor, &mut on_epoch);
        if seen.len() as u64 == EPOCHS {
            assert_eq!(result.unwrap().epochs, EPOCHS);
        } else {
            assert!(matches!(result, Err(Error::Interrupted(_))), "{result:?}");
        }
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
        // Step 7 is taken again, and then five are left.
        assert_eq!(scene.steps_left(folder.path()), 6, "{damage}");
        assert_same(&contents(folder.path()), &whole, damage);
    }
}

#[test]
fn if_both_checkpoints_are_damaged_the_error_says_so_and_nothing_changes() {
    let scene = Scene::new();
    let folder = scene.stopped_after(2);
    for name in ["last", "previous"] {
        fs::write(folder.path().join(format!("checkpoint/{name}.safetensors")), b"x").unwrap();
    }
    let error = scene.finish(folder.path()).unwrap_err();
    assert!(error.to_string().contains("no usable checkpoint"), "{error}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("last.safetensors: it is not a whole safetensors file"), "{cause}");
    assert_eq!(fs::read(last(folder.path())).unwrap(), b"x");
}

#[test]
fn metrics_that_a_crash_cut_short_or_left_behind_are_written_again() {
    let scene = Scene::new();
    let whole = scene.uninterrupted();
    let future = "{\"epoch\":2,\"train_loss\":9.0,\"val_loss\":9.0,\"learning_rate\":9.0,\
                  \"seconds\":9.0,\"samples_per_second\":9.0}\n";
    for extra in [&b"{\"epoch\":2,\"train_lo"[..], future.as_bytes(), b"\xff\xfe", b"\xff\n\xfe\n"]
    {
        let folder = scene.stopped_after(6);
        let path = folder.path().join("metrics.jsonl");
        let before = fs::read(&path).unwrap();
        assert_eq!(before.split_inclusive(|&byte| byte == b'\n').count(), 1);
        fs::write(&path, [&before[..], extra].concat()).unwrap();
        scene.finish(folder.path()).unwrap();
        assert_same(&contents(folder.path()), &whole, &String::from_utf8_lossy(extra));
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
        (String::new(), "one line for each finished epoch (1 so far)"),
        (line.replace("0.", "1."), "its lines are not those that training wrote"),
    ] {
        fs::write(&path, &text).unwrap();
        let error = scene.finish(folder.path()).unwrap_err();
        assert!(matches!(&error, Error::Damaged { path: p, .. } if *p == path), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "a damaged file is left as it is");
    }
}

#[test]
fn images_of_another_shape_are_refused() {
    let scene = Scene::new();
    let folder = tempfile::tempdir().unwrap();
    let images =
        Images::new(1, 14, 56, scene.data.images.pixels().to_bytes().into_owned()).unwrap();
    let images = Labelled::unlabelled(images);
    let result = common::finish(folder.path(), &scene.config, &images, &scene.runtime);
    let error = result.unwrap_err().to_string();
    assert!(error.contains("[1, 14, 56]") && error.contains("[1, 28, 28]"), "{error}");
    assert!(!Run::at(folder.path()).exists());
}

#[test]
fn a_run_without_end_can_be_interrupted() {
    let mut scene = Scene::new();
    scene.config.training.epochs = u64::MAX;
    scene.stopped_after(STEPS + 1);
}

/// Keeps the notes, all progress reports, and the tasks that have ended.
#[derive(Default)]
struct Log {
    notes: Mutex<Vec<String>>,
    reports: Mutex<Vec<(String, u64, u64)>>,
    ended: Mutex<Vec<String>>,
}

impl Reporter for Log {
    fn progress(&self, progress: &Progress<'_>) {
        let Progress { task, done, total, .. } = *progress;
        self.reports.lock().unwrap().push((task.to_owned(), done, total));
    }

    fn end(&self, task: &str) {
        self.ended.lock().unwrap().push(task.to_owned());
    }

    fn note(&self, text: &str) {
        self.notes.lock().unwrap().push(text.to_owned());
    }
}

#[test]
fn training_reports_each_epoch_and_its_end() {
    let scene = Scene::new();
    let folder = scene.stopped_after(STEPS + 1);
    let log = Arc::new(Log::default());
    let monitor = Monitor::new(log.clone(), Cancel::default());
    let run = Run::at(folder.path());
    train(&run, &scene.config, &scene.data, &scene.runtime, &monitor, &mut |_| {}).unwrap();
    let notes = log.notes.lock().unwrap();
    assert!(notes[0].starts_with("120 training and 30 validation images; "), "{}", notes[0]);
    assert!(notes[0].ends_with("; 2 of 3 epochs to go"), "{}", notes[0]);
    let epochs: Vec<&str> = notes[1..].iter().map(|note| &note[..10]).collect();
    assert_eq!(epochs, ["epoch 2/3 ", "epoch 3/3 "]);
    // Epochs are shorter than the interval of reports; each is reported when it ends.
    let reports = log.reports.lock().unwrap();
    for done in [240, 360] {
        assert!(reports.contains(&("training".into(), done, 360)), "{reports:?}");
    }
    assert_eq!(*reports.last().unwrap(), ("training".into(), 360, 360));
    assert_eq!(*log.ended.lock().unwrap(), ["training"]);
}
