//! A run's folder: the paths of its files, and functions that read them. `config.toml` holds all settings that the run depends on;
//! `metrics.jsonl` has one line per epoch; training resumes from `checkpoint/`; `snapshots/` holds a few images and their reconstructions
//! after some epochs; `model.safetensors` holds the trained weights; `SHA256SUMS` has the digests of a finished run's files.

mod metrics;
mod seal;

use std::path::{Path, PathBuf};

use latents_data::Note;
use latents_engine::{Engine, Shape};
use latents_files::{Lock, sha256};
use latents_models::Tensors;

use crate::checkpoint;
use crate::config::RunConfig;
use crate::encoder::EncoderTraining;
use crate::error::Error;
use crate::hints::with_nearest;
use crate::training::TrainingConfig;

/// A few validation images (training images if there are none) and their reconstructions after an epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The epoch, from 1.
    pub epoch: u64,
    /// Shape of an image, `[c, h, w]`.
    pub shape: Shape,
    /// The images, `[n, c, h, w]`, in `[0, 1]`.
    pub originals: Vec<f32>,
    /// Their reconstructions, `[n, c, h, w]`, in `[0, 1]`.
    pub reconstructions: Vec<f32>,
}

/// A run's folder.
///
/// When training ends, the digests of the run's files are kept in its folder. A file that is not the one that was written, because it was damaged,
/// edited, or copied from another run, is then an error ([`Error::Changed`]), unless [`Run::accept_changes`] was called.
///
/// ```no_run
/// use latents_train::Run;
///
/// let run = Run::at("runs/vae");
/// for epoch in run.metrics()? {
///     println!("{} {} {:?}", epoch.epoch, epoch.train_loss, epoch.val_loss);
/// }
/// # Ok::<(), latents_train::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Run {
    dir: PathBuf,
    accepts: bool,
}

/// The part of its learning rate with which an encoder that starts from principal components is fine-tuned: each coordinate is a sum over all
/// pixels, so small changes of its weights change it much.
const OF_COMPONENTS: f64 = 0.01;

/// The name of the trained weights within the folder.
const MODEL: &str = "model.safetensors";

impl Run {
    /// The run in a folder. The folder need not exist yet.
    #[must_use]
    pub fn at(dir: impl AsRef<Path>) -> Self {
        Run { dir: dir.as_ref().to_owned(), accepts: false }
    }

    /// Whether to take the files of the folder as they are, even if they have changed since the run was trained.
    #[must_use]
    pub fn accept_changes(self, accepts: bool) -> Self {
        Run { accepts, ..self }
    }

    /// The run's folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The path of the settings, `config.toml`.
    #[must_use]
    pub fn config_path(&self) -> PathBuf {
        self.dir.join("config.toml")
    }

    /// The path of the metrics, `metrics.jsonl`: one line of JSON per epoch.
    #[must_use]
    pub fn metrics_path(&self) -> PathBuf {
        self.dir.join("metrics.jsonl")
    }

    /// The path of the trained weights, `model.safetensors`.
    #[must_use]
    pub fn model_path(&self) -> PathBuf {
        self.dir.join(MODEL)
    }

    /// The path of the training images' latents, `latents.safetensors`: the tensor `z` `[n, d]`, and of a variational model
    /// `log_variances` `[n, d]`. Not every run keeps them.
    #[must_use]
    pub fn latents_path(&self) -> PathBuf {
        self.dir.join("latents.safetensors")
    }

    /// The settings that the run began with, which its checkpoint keeps; none if it has no checkpoint.
    #[must_use]
    pub fn begun_with(&self) -> Option<RunConfig> {
        checkpoint::settings(&self.dir)
    }

    /// The path of the checkpoint that training resumes from.
    pub(crate) fn checkpoint_path(&self) -> PathBuf {
        checkpoint::path_in(&self.dir)
    }

    /// The path of the weights with the lowest validation loss so far.
    #[must_use]
    pub fn best_path(&self) -> PathBuf {
        self.dir.join("checkpoint/best.safetensors")
    }

    pub(crate) fn snapshot_path(&self, epoch: u64) -> PathBuf {
        self.dir.join(snapshot_name(epoch))
    }

    /// Prevents other processes from training in the folder, and removes temporary files that a killed process left there.
    pub(crate) fn lock(&self) -> Result<Lock, Error> {
        let lock = latents_files::lock(&self.dir.join("checkpoint/lock"))?;
        let lock = lock.ok_or_else(|| Error::Busy { path: self.dir.clone() })?;
        latents_files::sweep(&self.dir);
        Ok(lock)
    }

    /// Removes the checkpoints that a run would be resumed from, which need several times the space of its weights. The trained weights
    /// stay; if there are none, the best ones so far do.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub fn forget_checkpoints(&self) -> Result<(), Error> {
        let best = self.model_path().exists().then_some("best");
        for name in ["last", "previous"].into_iter().chain(best) {
            latents_files::remove(&self.dir.join(format!("checkpoint/{name}.safetensors")))?;
        }
        Ok(())
    }

    /// Whether the folder holds a run.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.config_path().exists()
    }

    /// Checks, while the run is trained, that nobody has removed its folder, which writing a file would silently make again.
    pub(crate) fn check_exists(&self) -> Result<(), Error> {
        if self.exists() { Ok(()) } else { Err(Error::Gone { path: self.config_path() }) }
    }

    /// Reads the settings.
    ///
    /// # Errors
    /// If the folder holds no run, or its settings cannot be read.
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

    /// Keeps what people should know about the images: `data.json` with `notes` and `warnings`. No file if there is nothing to tell.
    pub(crate) fn write_notes(&self, notes: &[Note]) -> Result<(), Error> {
        if notes.is_empty() {
            return Ok(());
        }
        let (warnings, notes): (Vec<&Note>, Vec<&Note>) =
            notes.iter().partition(|note| note.is_warning());
        let texts = |notes: Vec<&Note>| notes.into_iter().map(Note::to_string).collect::<Vec<_>>();
        let text = serde_json::json!({ "notes": texts(notes), "warnings": texts(warnings) });
        let text = format!("{text:#}\n");
        latents_files::write(&self.dir().join("data.json"), text.as_bytes())?;
        Ok(())
    }

    /// Whether the file of metrics exists.
    #[must_use]
    pub fn has_metrics(&self) -> bool {
        self.metrics_path().exists()
    }

    /// Reads all snapshots, in order of epoch.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>, Error> {
        self.snapshot_epochs().into_iter().map(|epoch| self.snapshot(epoch)).collect()
    }

    /// The epochs of all snapshots, in order.
    fn snapshot_epochs(&self) -> Vec<u64> {
        let Ok(folder) = std::fs::read_dir(self.dir.join("snapshots")) else {
            return vec![];
        };
        let mut epochs: Vec<u64> = folder
            .filter_map(|file| {
                let name = file.ok()?.file_name().into_string().ok()?;
                name.strip_prefix("epoch-")?.strip_suffix(".safetensors")?.parse().ok()
            })
            .collect();
        epochs.sort_unstable();
        epochs
    }

    fn snapshot(&self, epoch: u64) -> Result<Snapshot, Error> {
        let path = self.snapshot_path(epoch);
        let mut tensors = Tensors::parse(&self.read(&snapshot_name(epoch))?, &path)?;
        match (tensors.take("original"), tensors.take("reconstruction")) {
            (Some((shape, originals)), Some((same, reconstructions)))
                if shape == same && shape.len() == 4 =>
            {
                let shape = [shape[1], shape[2], shape[3]];
                Ok(Snapshot { epoch, shape, originals, reconstructions })
            }
            _ => {
                let reason = "it needs two tensors [n, c, h, w], `original` and `reconstruction`";
                Err(Error::Damaged { path, reason: reason.into() })
            }
        }
    }

    /// Reads the trained weights. The engine must have been made for the run's model.
    ///
    /// # Errors
    /// If the run has not finished, or its weights are damaged.
    pub fn parameters(&self, engine: &Engine) -> Result<Vec<f32>, Error> {
        let path = self.model_path();
        if !path.exists() {
            return Err(self.unfinished());
        }
        let bytes = latents_files::read(&path)?;
        let mut tensors = match Tensors::parse(&bytes, &path) {
            Err(latents_models::Error::Weights { path, reason }) => {
                let (kind, again) = (self.kind(), self.checkpoint_path().exists());
                let run = self.dir.clone();
                return Err(Error::DamagedWeights { path, reason, again, kind, run });
            }
            tensors => tensors?,
        };
        self.check_settings()?;
        self.check(MODEL, &bytes)?;
        tensors.parameters("", engine.layout(), &path).map_err(|e| match e {
            latents_models::Error::Weights { path, reason } => {
                let why = "config.toml next to it has changed since the run was trained";
                Error::Damaged { path, reason: format!("{reason}; {why}") }
            }
            e => e.into(),
        })
    }

    /// Settings for a classifier that uses this run's encoder: the encoder starts from this run's weights and is trained with this run's optimiser
    /// settings.
    ///
    /// # Errors
    /// If the run has no weights yet, or its files cannot be read.
    pub fn encoder_training(&self) -> Result<EncoderTraining, Error> {
        Ok(self.own_training()?.0)
    }

    /// Those settings, and whether the encoder starts from principal components.
    fn own_training(&self) -> Result<(EncoderTraining, bool), Error> {
        let RunConfig { model, data, training } = self.config()?;
        let path = self.model_path();
        if !path.exists() {
            return Err(self.unfinished());
        }
        self.check_settings()?;
        let weights_digest = sha256(&self.read(MODEL)?);
        let starts_from_components = model.linear_start(data.shape).is_some();
        let factor = if starts_from_components { OF_COMPONENTS } else { 1.0 };
        let own = EncoderTraining {
            weights_digest,
            weights: Some(path),
            optimizer: training.optimizer,
            learning_rate: factor * training.learning_rate,
            weight_decay: training.weight_decay,
            momentum: training.momentum,
            nesterov: training.nesterov,
            ..EncoderTraining::default()
        };
        Ok((own, starts_from_components))
    }

    /// The same with which the encoder is fine-tuned by default: like the head, whose settings `head` are, unless the encoder starts from
    /// principal components.
    ///
    /// # Errors
    /// As [`Run::encoder_training`].
    pub fn fine_tuning(&self, head: &TrainingConfig) -> Result<EncoderTraining, Error> {
        let (own, starts_from_components) = self.own_training()?;
        if starts_from_components {
            return Ok(own);
        }
        Ok(EncoderTraining {
            optimizer: head.optimizer,
            learning_rate: head.learning_rate,
            weight_decay: head.weight_decay,
            momentum: head.momentum,
            nesterov: head.nesterov,
            ..own
        })
    }

    /// The error for a run that is not finished.
    fn unfinished(&self) -> Error {
        Error::Unfinished { path: self.dir.clone(), kind: self.kind() }
    }

    /// The kind of the run's model; `ae` if the settings cannot be read.
    fn kind(&self) -> &'static str {
        self.config().map_or("ae", |config| config.model.kind())
    }
}

/// The name of a snapshot within the folder.
fn snapshot_name(epoch: u64) -> String {
    format!("snapshots/epoch-{epoch:05}.safetensors")
}

/// SHA-256 of a file, in hexadecimal.
pub(crate) fn digest(path: &Path) -> Result<String, Error> {
    Ok(sha256(&latents_files::read(path)?))
}
