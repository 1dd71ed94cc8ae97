//! A run's folder: where each of its files is, and how they are read. `config.toml` holds all settings that the run depends on;
//! `metrics.jsonl` has a line for each epoch; training resumes from `checkpoint/`; `snapshots/` has some images and their reconstructions after
//! some epochs; `model.safetensors` holds the trained weights.

use std::path::{Path, PathBuf};

use latents_engine::{Engine, Shape};
use latents_files::Lock;
use latents_models::Tensors;
use sha2::{Digest, Sha256};

use crate::config::RunConfig;
use crate::encoder::EncoderTraining;
use crate::error::Error;
use crate::hints::with_nearest;
use crate::metrics::EpochMetrics;

/// Some validation images and their reconstructions after an epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// From 1.
    pub epoch: u64,
    /// Of one image, `[c, h, w]`.
    pub shape: Shape,
    /// `[n, c, h, w]` in `[0, 1]`.
    pub originals: Vec<f32>,
    /// `[n, c, h, w]` in `[0, 1]`.
    pub reconstructions: Vec<f32>,
}

/// A run's folder.
#[derive(Clone, Debug)]
pub struct Run {
    dir: PathBuf,
}

impl Run {
    /// The run in a folder, which need not exist yet.
    #[must_use]
    pub fn at(dir: impl AsRef<Path>) -> Self {
        Run { dir: dir.as_ref().to_owned() }
    }

    /// Its folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its settings.
    #[must_use]
    pub fn config_path(&self) -> PathBuf {
        self.dir.join("config.toml")
    }

    /// A line of JSON for each epoch.
    #[must_use]
    pub fn metrics_path(&self) -> PathBuf {
        self.dir.join("metrics.jsonl")
    }

    /// The trained weights.
    #[must_use]
    pub fn model_path(&self) -> PathBuf {
        self.dir.join("model.safetensors")
    }

    /// The latents of the training images, `z` `[n, d]`, if the run keeps them.
    #[must_use]
    pub fn latents_path(&self) -> PathBuf {
        self.dir.join("latents.safetensors")
    }

    /// SHA-256 of the trained weights' file, in hexadecimal digits.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn model_digest(&self) -> Result<String, Error> {
        digest(&self.model_path())
    }

    /// The checkpoint that training resumes from.
    pub(crate) fn checkpoint_path(&self) -> PathBuf {
        self.dir.join("checkpoint/last.safetensors")
    }

    /// The weights with the least validation loss so far.
    #[must_use]
    pub fn best_path(&self) -> PathBuf {
        self.dir.join("checkpoint/best.safetensors")
    }

    pub(crate) fn snapshot_path(&self, epoch: u64) -> PathBuf {
        self.dir.join(format!("snapshots/epoch-{epoch:05}.safetensors"))
    }

    /// Keeps other processes from training in the folder, and removes files that a killed one left half-written.
    pub(crate) fn lock(&self) -> Result<Lock, Error> {
        let lock = latents_files::lock(&self.dir.join("checkpoint/lock"))?;
        let lock = lock.ok_or_else(|| Error::Busy { path: self.dir.clone() })?;
        for folder in ["checkpoint", "snapshots"] {
            latents_files::sweep(&self.dir.join(folder));
        }
        Ok(lock)
    }

    /// Whether there is a run in the folder.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.config_path().exists()
    }

    /// Reads the settings.
    ///
    /// # Errors
    /// If there is no run, or its settings cannot be understood.
    pub fn config(&self) -> Result<RunConfig, Error> {
        if !self.exists() {
            return Err(Error::NoRun { path: self.dir.clone() });
        }
        let path = self.config_path();
        let text = latents_files::read_text(&path)?;
        toml::from_str(&text)
            .map_err(|e| Error::Damaged { path, reason: with_nearest(&e.to_string()) })
    }

    pub(crate) fn write_config(&self, config: &RunConfig) -> Result<(), Error> {
        let text = toml::to_string(config).map_err(|e| Error::Config(e.to_string()))?;
        latents_files::write(&self.config_path(), text.as_bytes())?;
        Ok(())
    }

    /// Whether an epoch has left its metrics.
    #[must_use]
    pub fn has_metrics(&self) -> bool {
        self.metrics_path().exists()
    }

    /// Reads the metrics of all epochs so far. A last line that a crash cut short is left out.
    ///
    /// # Errors
    /// If the file cannot be read or a line in it is not the metrics of an epoch.
    pub fn metrics(&self) -> Result<Vec<EpochMetrics>, Error> {
        let path = self.metrics_path();
        let text = latents_files::read_text(&path)?;
        let mut metrics = vec![];
        for (i, line) in text.split_inclusive('\n').enumerate() {
            match serde_json::from_str(line) {
                Ok(epoch) => metrics.push(epoch),
                Err(_) if !line.ends_with('\n') => break,
                Err(e) => {
                    let reason = format!(
                        "line {} is not the metrics of an epoch ({e}); restore the file",
                        i + 1
                    );
                    return Err(Error::Damaged { path, reason });
                }
            }
        }
        Ok(metrics)
    }

    /// Reads all snapshots, in the order of their epochs.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>, Error> {
        let Ok(folder) = std::fs::read_dir(self.dir.join("snapshots")) else {
            return Ok(vec![]);
        };
        let mut epochs: Vec<u64> = folder
            .filter_map(|file| {
                let name = file.ok()?.file_name().into_string().ok()?;
                name.strip_prefix("epoch-")?.strip_suffix(".safetensors")?.parse().ok()
            })
            .collect();
        epochs.sort_unstable();
        epochs.into_iter().map(|epoch| self.snapshot(epoch)).collect()
    }

    fn snapshot(&self, epoch: u64) -> Result<Snapshot, Error> {
        let path = self.snapshot_path(epoch);
        let mut tensors = Tensors::load(&path)?;
        match (tensors.take("original"), tensors.take("reconstruction")) {
            (Some((shape, originals)), Some((same, reconstructions)))
                if shape == same && shape.len() == 4 =>
            {
                let shape = [shape[1], shape[2], shape[3]];
                Ok(Snapshot { epoch, shape, originals, reconstructions })
            }
            _ => Err(Error::Damaged { path, reason: "it holds no pair of image tensors".into() }),
        }
    }

    /// The trained weights, for an engine that was made for the run's model.
    ///
    /// # Errors
    /// If the run has not finished, or its weights are damaged.
    pub fn parameters(&self, engine: &Engine) -> Result<Vec<f32>, Error> {
        let path = self.model_path();
        if !path.exists() {
            return Err(self.unfinished());
        }
        let mut tensors = match Tensors::load(&path) {
            Err(latents_models::Error::Weights { path, reason }) => {
                let (kind, again) = (self.kind(), self.checkpoint_path().exists());
                let run = self.dir.clone();
                return Err(Error::DamagedWeights { path, reason, again, kind, run });
            }
            tensors => tensors?,
        };
        tensors.parameters("", engine.layout(), &path).map_err(|e| match e {
            latents_models::Error::Weights { path, reason } => {
                let why = "config.toml next to it has changed since the run was trained";
                Error::Damaged { path, reason: format!("{reason}; {why}") }
            }
            e => e.into(),
        })
    }

    /// How a classifier on this run's encoder starts: from the run's weights, with the settings that they were trained with.
    ///
    /// # Errors
    /// If the run has no weights yet, or its files cannot be read.
    pub fn encoder_training(&self) -> Result<EncoderTraining, Error> {
        let training = self.config()?.training;
        let path = self.model_path();
        if !path.exists() {
            return Err(self.unfinished());
        }
        Ok(EncoderTraining {
            weights_digest: digest(&path)?,
            weights: Some(path),
            optimizer: training.optimizer,
            learning_rate: training.learning_rate,
            weight_decay: training.weight_decay,
            momentum: training.momentum,
            nesterov: training.nesterov,
            ..EncoderTraining::default()
        })
    }

    /// The error that training has not reached its end.
    fn unfinished(&self) -> Error {
        Error::Unfinished { path: self.dir.clone(), kind: self.kind() }
    }

    /// The kind of its model; `ae` if that cannot be read.
    fn kind(&self) -> &'static str {
        self.config().map_or("ae", |config| config.model.kind())
    }
}

/// SHA-256 of a file, in hexadecimal digits.
pub(crate) fn digest(path: &Path) -> Result<String, Error> {
    let sum = Sha256::digest(latents_files::read(path)?);
    let digits = sum.into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
    Ok(digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect())
}
