//! A run's folder: where each of its files is, and how they are read. `config.toml` says all that the run depends on;
//! `metrics.jsonl` has a line for each epoch; `checkpoint/` is what training goes on from; `snapshots/` has some images as they are
//! reconstructed after some epochs; `model.safetensors` is what the run was for.

use std::path::{Path, PathBuf};

use latents_engine::{Engine, Shape};
use latents_files::Lock;
use latents_models::Tensors;
use serde::{Deserialize, Serialize};

use crate::config::{RunConfig, with_nearest};
use crate::error::Error;

/// What an epoch came to: a line of `metrics.jsonl`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// From 1.
    pub epoch: u64,
    /// Mean loss over the epoch's steps, with dropout, while the weights were changing. Penalties are in it with their whole weight,
    /// also while that is still rising and whatever is free of charge, so that epochs can be compared.
    pub train_loss: f64,
    /// Mean loss over the validation images after the epoch, without dropout; none where no image validates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_loss: Option<f64>,
    /// The part of the validation images that is classified rightly, where a model learns classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_accuracy: Option<f64>,
    /// Of a model that holds its latents to a prior: `train_loss` without that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_reconstruction: Option<f64>,
    /// And the KL divergence from the prior, in nats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_kl: Option<f64>,
    /// Or what else holds latents together, neither weighted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_penalty: Option<f64>,
    /// `val_loss` without that; latents are drawn once for each image, as the evidence bound has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_reconstruction: Option<f64>,
    /// As `train_kl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_kl: Option<f64>,
    /// As `train_penalty`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_penalty: Option<f64>,
    /// Learning rate of the epoch's last step.
    pub learning_rate: f64,
    /// Time for the epoch, validation included.
    pub seconds: f64,
    /// Training images in a second of training.
    pub samples_per_second: f64,
}

/// Some validation images and what became of them after an epoch.
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
    pub fn at(dir: &Path) -> Self {
        Run { dir: dir.to_owned() }
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

    /// What training goes on from.
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

    /// Keeps other processes from training in the folder, and removes what a killed one left half written.
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
    /// Where there is no run, or its settings cannot be understood.
    pub fn config(&self) -> Result<RunConfig, Error> {
        if !self.exists() {
            let missing = format!(
                "holds no run (it has no config.toml): name another folder, or train one with `latents train ae --out {}`",
                self.dir.display()
            );
            return Err(Error::NoRun { path: self.dir.clone(), missing });
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

    /// Reads the metrics of all epochs so far. A last line that was cut short by a crash is left out.
    ///
    /// # Errors
    /// Where the file cannot be read or a line in it is not the metrics of an epoch.
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
                        "line {} is not the metrics of an epoch ({e}); put the file back as it was",
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
    /// Where one cannot be read.
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
    /// Where the run has not finished, or its weights are damaged.
    pub fn parameters(&self, engine: &Engine) -> Result<Vec<f32>, Error> {
        let path = self.model_path();
        if !path.exists() {
            return Err(self.unfinished());
        }
        let mut tensors = match Tensors::load(&path) {
            Err(latents_models::Error::Weights { path, reason }) => {
                let next = if self.checkpoint_path().exists() {
                    format!("delete it, and {} writes it again", self.resume())
                } else {
                    "put a copy of it back".into()
                };
                return Err(Error::Damaged { path, reason: format!("{reason}; {next}") });
            }
            tensors => tensors?,
        };
        tensors.parameters("", engine.layout(), &path).map_err(|e| match e {
            latents_models::Error::Weights { path, reason } => {
                let why = "config.toml beside it is not as it was when the run began";
                Error::Damaged { path, reason: format!("{reason}; {why}") }
            }
            e => e.into(),
        })
    }

    /// That training has not come to its end.
    pub(crate) fn unfinished(&self) -> Error {
        let missing = format!("has no model.safetensors yet: go on with {}", self.resume());
        Error::NoRun { path: self.dir.clone(), missing }
    }

    /// The command that goes on with it.
    fn resume(&self) -> String {
        let kind = self.config().map_or("ae", |config| config.model.kind());
        format!("`latents train {kind} --resume --out {}`", self.dir.display())
    }
}
