//! Flipped bits and zeroed stretches in the files of a run: each is told, or changes no result.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use common::{assert_same, contents, finish, one_step, runtime, sample, small};
use latents_data::Labelled;
use latents_engine::{Engine, Isa, Runtime};
use latents_progress::{Cancel, Monitor, Reporter};
use latents_random::{Purpose, stream};
use latents_train::{Error, Run, RunConfig, train};

/// A short run that keeps its best weights.
struct Scene {
    config: RunConfig,
    data: Labelled,
    runtime: Arc<Runtime>,
}

impl Scene {
    fn new() -> Self {
        let mut config = small(3);
        config.training.patience = Some(2);
        Scene { config, data: sample(100), runtime: runtime(1, Isa::detect()) }
    }

    fn finished(&self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        finish(folder.path(), &self.config, &self.data, &self.runtime).unwrap();
        folder
    }

    /// A run that was stopped in its second epoch.
    fn stopped(&self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..5 {
            one_step(folder.path(), &self.config, &self.data, &self.runtime).unwrap_err();
        }
        folder
    }
}

/// Damage to a file, by its number: a flipped bit, and every fourth time a zeroed stretch.
fn damage(bytes: &mut [u8], number: u64) {
    let mut random = stream(7, Purpose::Synthetic, number, 0);
    let mut random = |below: usize| random.below(below as u32) as usize;
    let at = random(bytes.len());
    if number.is_multiple_of(4) {
        let end = bytes.len().min(at + 1 + random(4096));
        bytes[at..end].fill(0);
    } else {
        bytes[at] ^= 1 << random(8);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, target).unwrap();
        }
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.retain(|path| fs::metadata(path).unwrap().len() > 0);
    found.sort();
    found
}

#[derive(Default)]
struct Warnings(Mutex<Vec<String>>);

impl Reporter for Warnings {
    fn warning(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

#[test]
fn training_never_goes_on_from_damage_unseen() {
    let scene = Scene::new();
    let whole = contents(scene.finished().path());
    let stopped = scene.stopped();
    let (mut told, mut fell_back, mut harmless) = (0, 0, 0);
    let names = [
        "checkpoint/last",
        "checkpoint/previous",
        "checkpoint/best",
        "metrics",
        "snapshots/epoch-00001",
    ];
    for name in names {
        for number in 0..40 {
            let folder = tempfile::tempdir().unwrap();
            copy(stopped.path(), folder.path());
            let ending = if name == "metrics" { "jsonl" } else { "safetensors" };
            let path = folder.path().join(format!("{name}.{ending}"));
            let good = fs::read(&path).unwrap();
            let mut bytes = good.clone();
            damage(&mut bytes, number);
            fs::write(&path, &bytes).unwrap();
            let warnings = Arc::new(Warnings::default());
            let monitor = Monitor::new(warnings.clone(), Cancel::default());
            let run = Run::at(folder.path());
            match train(&run, &scene.config, &scene.data, &scene.runtime, &monitor, &mut |_| {}) {
                Ok(_) => {
                    let how = format!("{name}, damage {number}");
                    assert_same(&contents(folder.path()), &whole, &how);
                    let warnings = warnings.0.lock().unwrap();
                    if let [warning] = &warnings[..] {
                        assert!(warning.contains("last.safetensors"), "{warning}");
                        fell_back += 1;
                    } else {
                        assert!(bytes == good || name != "checkpoint/last", "{how} was not told");
                        harmless += 1;
                    }
                }
                Err(e) => {
                    let file = name.rsplit_once('/').map_or(name, |(_, file)| file);
                    assert!(format!("{e:?}").contains(file), "{name}: {e}");
                    told += 1;
                }
            }
        }
    }
    // Of the file before the last, and of the best weights that a later epoch replaces, nothing is read.
    assert!(
        told >= 70 && fell_back >= 35 && told + fell_back + harmless == 200,
        "{told} {fell_back} {harmless}"
    );
}

/// What is left in a folder in which a run was about to begin.
#[test]
fn a_checkpoint_comes_before_the_settings() {
    let scene = Scene::new();
    let folder = tempfile::tempdir().unwrap();
    one_step(folder.path(), &scene.config, &scene.data, &scene.runtime).unwrap_err();
    let run = Run::at(folder.path());
    let other = {
        let mut config = scene.config.clone();
        config.training.seed += 1;
        config
    };
    assert_eq!(run.begun_with().as_ref(), Some(&scene.config));

    // Without settings there is no run, so another one may begin there, from its own beginning.
    fs::remove_file(run.config_path()).unwrap();
    finish(folder.path(), &other, &scene.data, &scene.runtime).unwrap();
    let whole = tempfile::tempdir().unwrap();
    finish(whole.path(), &other, &scene.data, &scene.runtime).unwrap();
    assert_same(&contents(folder.path()), &contents(whole.path()), "begun over a checkpoint");
}

#[test]
fn damage_of_a_finished_run_is_told_or_without_effect() {
    let scene = Scene::new();
    let finished = scene.finished();
    let read = |dir: &Path| -> Result<String, Error> {
        let run = Run::at(dir);
        let engine = Engine::new(&run.config()?.network()?, Arc::clone(&scene.runtime))?;
        let parameters = run.parameters(&engine)?;
        Ok(format!("{parameters:?} {:?} {:?}", run.metrics()?, run.snapshots()?))
    };
    let expected = read(finished.path()).unwrap();
    let mut told = 0;
    for path in files(finished.path()) {
        let of_training = path.starts_with(finished.path().join("checkpoint"));
        let good = fs::read(&path).unwrap();
        for number in 0..20 {
            let mut bytes = good.clone();
            damage(&mut bytes, number);
            fs::write(&path, &bytes).unwrap();
            match read(finished.path()) {
                Ok(found) => assert!(found == expected, "{}, damage {number}", path.display()),
                Err(_) => told += 1,
            }
            assert!(!of_training || read(finished.path()).is_ok(), "the checkpoint is not read");
        }
        fs::write(&path, good).unwrap();
    }
    assert!(told >= 100, "{told}");
}

#[test]
fn weights_and_settings_belong_to_their_run() {
    let mut scene = Scene::new();
    let ours = scene.finished();
    scene.config.training.seed = 1;
    let theirs = scene.finished();
    let parameters = |run: &Run| {
        let engine = Engine::new(&run.config()?.network()?, Arc::clone(&scene.runtime))?;
        run.parameters(&engine)
    };
    let run = Run::at(ours.path());
    parameters(&run).unwrap();
    let config = fs::read_to_string(run.config_path()).unwrap();
    fs::write(run.config_path(), config.replace("seed = 0", "seed = 5")).unwrap();
    let said = parameters(&run).unwrap_err().to_string();
    assert!(said.contains("config.toml has changed since the run was trained"), "{said}");
    // Results do not depend on the path of the images.
    fs::write(run.config_path(), config.replace("fashion-mnist-sample", "elsewhere")).unwrap();
    parameters(&run).unwrap();
    fs::copy(Run::at(theirs.path()).model_path(), run.model_path()).unwrap();
    let said = parameters(&run).unwrap_err();
    assert!(matches!(&said, Error::Changed { path } if *path == run.model_path()), "{said}");
    parameters(&run.accept_changes(true)).unwrap();
}
