//! Checkpoints: the parameters, the optimiser's state, the progress of training and the settings that it began with, in one file. It is replaced
//! atomically, and the previous checkpoint is kept next to it. A checkpoint has checksums of itself and of the files that belong to it, so that
//! training never goes on from a damaged one.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use latents_engine::{Layout, OptimizerState};
use latents_models::Tensors;
use serde::{Deserialize, Serialize};

use crate::config::RunConfig;
use crate::error::Error;

/// The progress of training.
#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Epochs completed.
    pub(crate) epoch: u64,
    /// Steps completed in the current epoch.
    pub(crate) step: u64,
    /// Optimiser steps in total.
    pub(crate) optimizer_steps: u64,
    /// Sum of the losses of the current epoch's samples so far, without penalties.
    pub(crate) loss_sum: f64,
    /// Sum of their penalties.
    #[serde(default)]
    pub(crate) penalty_sum: f64,
    /// Sum of the penalties of the posterior of their batches, each times the batch's samples. Written only if it is not zero, so that
    /// checkpoints of other models stay as they were before there was one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) posterior_sum: f64,
    /// Seconds spent on the current epoch so far.
    pub(crate) seconds: f64,
    /// Seconds spent on completed epochs.
    pub(crate) total_seconds: f64,
    /// Lowest validation loss so far, and its epoch, from 1.
    pub(crate) best: Option<(f64, u64)>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
fn is_zero(sum: &f64) -> bool {
    *sum == 0.0
}

/// As derived, but without a sum that is not written: the checksum of a checkpoint is of this text.
impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Progress");
        fields.field("epoch", &self.epoch).field("step", &self.step);
        fields.field("optimizer_steps", &self.optimizer_steps);
        fields.field("loss_sum", &self.loss_sum).field("penalty_sum", &self.penalty_sum);
        if !is_zero(&self.posterior_sum) {
            fields.field("posterior_sum", &self.posterior_sum);
        }
        fields.field("seconds", &self.seconds).field("total_seconds", &self.total_seconds);
        fields.field("best", &self.best).finish()
    }
}

/// The length of a training run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// Number of epochs.
    pub(crate) epochs: u64,
    /// Steps per epoch.
    pub(crate) steps: u64,
}

impl Extent {
    /// Whether a run of this length can have this progress.
    fn contains(self, at: &Progress) -> bool {
        let most = self.steps.saturating_mul(self.epochs);
        at.epoch <= self.epochs
            && at.step <= self.steps
            && at.optimizer_steps <= most
            && at.best.is_none_or(|(_, epoch)| epoch <= at.epoch)
    }
}

/// The state of training at one point.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoint {
    pub(crate) progress: Progress,
    pub(crate) parameters: Vec<f32>,
    pub(crate) optimizer: OptimizerState,
    /// The checksum of the lines of metrics up to here.
    pub(crate) metrics: Option<u32>,
    /// The checksum of the file of the best weights, if it exists.
    pub(crate) best: Option<u32>,
    /// The checksums of the files of snapshots, by epoch.
    pub(crate) snapshots: BTreeMap<u64, u32>,
}

/// What a checkpoint says of itself, beside its tensors.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Position {
    #[serde(flatten)]
    progress: Progress,
    /// The settings, as in `config.toml`.
    #[serde(default)]
    settings: Option<String>,
    #[serde(default)]
    metrics_crc: Option<u32>,
    #[serde(default)]
    best_crc: Option<u32>,
    #[serde(default)]
    snapshot_crcs: BTreeMap<u64, u32>,
    /// CRC-32 of the rest of this and of the tensors. Checkpoints of early versions have none.
    #[serde(default)]
    crc: Option<u32>,
}

/// The checkpoint that training resumes from, in the folder of a run.
pub(crate) fn path_in(run: &Path) -> PathBuf {
    run.join("checkpoint/last.safetensors")
}

/// The note of the file that has the position.
const NOTE: &str = "position";

impl Checkpoint {
    /// Writes the checkpoint of the run in a folder.
    pub(crate) fn save(
        &self,
        run: &Path,
        config: &RunConfig,
        layout: &Layout,
    ) -> Result<(), Error> {
        let path = path_in(run);
        let unwritable = |e: String| Error::Config(format!("progress of the run: {e}"));
        let settings = toml::to_string(config).map_err(|e| unwritable(e.to_string()))?;
        let mut position = Position {
            progress: self.progress,
            settings: Some(settings),
            metrics_crc: self.metrics,
            best_crc: self.best,
            snapshot_crcs: self.snapshots.clone(),
            crc: None,
        };
        position.crc = Some(self.crc(&position));
        let position = serde_json::to_string(&position).map_err(|e| unwritable(e.to_string()))?;
        let mut tensors = Tensors::default();
        tensors.notes.insert(NOTE.into(), position);
        tensors.push_parameters("", layout, &self.parameters);
        tensors.push_parameters("optimizer.first.", layout, &self.optimizer.first);
        tensors.push_parameters("optimizer.second.", layout, &self.optimizer.second);
        // A damaged checkpoint must not replace the previous, intact one.
        if Self::read(&path, layout).is_ok() {
            // A copy, not a rename, so that `path` exists at all times.
            latents_files::write(&previous(&path), &latents_files::read(&path)?)?;
        }
        tensors.save(&path)?;
        Ok(())
    }

    /// The last checkpoint of the run in a folder, or the previous one if the last is damaged, with what is wrong with it then; `None` if training has not written
    /// one yet.
    pub(crate) fn load(
        run: &Path,
        layout: &Layout,
        extent: Extent,
    ) -> Result<Option<(Self, Option<Error>)>, Error> {
        let path = path_in(run);
        if !path.exists() {
            return Ok(None);
        }
        let read = |path: &Path| {
            let checkpoint = Self::read(path, layout)?;
            if extent.contains(&checkpoint.progress) {
                return Ok(checkpoint);
            }
            let reason = "its progress is outside the epochs and steps of this run".into();
            Err(Error::Damaged { path: path.to_owned(), reason })
        };
        let damage = match read(&path) {
            Ok(last) => return Ok(Some((last, None))),
            Err(damage) => damage,
        };
        if let Ok(before) = read(&previous(&path)) {
            return Ok(Some((before, Some(damage))));
        }
        Err(Error::NoCheckpoint { path: run.to_owned(), source: Box::new(damage) })
    }

    fn read(path: &Path, layout: &Layout) -> Result<Self, Error> {
        let mut tensors = Tensors::load(path)?;
        let position = position(&tensors, path)?;
        let checkpoint = Checkpoint {
            progress: position.progress,
            parameters: tensors.parameters("", layout, path)?,
            optimizer: OptimizerState {
                steps: position.progress.optimizer_steps,
                first: tensors.parameters("optimizer.first.", layout, path)?,
                second: tensors.parameters("optimizer.second.", layout, path)?,
            },
            metrics: position.metrics_crc,
            best: position.best_crc,
            snapshots: position.snapshot_crcs.clone(),
        };
        if position.crc.is_some_and(|crc| crc != checkpoint.crc(&position)) {
            let reason = "its contents are not those that training wrote".into();
            return Err(Error::Damaged { path: path.to_owned(), reason });
        }
        Ok(checkpoint)
    }

    /// The checksum of a position without its own, and of all tensors.
    fn crc(&self, position: &Position) -> u32 {
        let position = Position { crc: None, ..position.clone() };
        let mut crc = crc32fast::Hasher::new();
        crc.update(format!("{position:?}").as_bytes());
        for numbers in [&self.parameters, &self.optimizer.first, &self.optimizer.second] {
            crc.update(bytemuck::cast_slice(numbers));
        }
        crc.finalize()
    }
}

/// The settings that the run in a folder began with, by its last checkpoint that can be read.
pub(crate) fn settings(run: &Path) -> Option<RunConfig> {
    positions(run).find_map(|position| toml::from_str(&position.settings?).ok())
}

/// How far the training of the run in a folder has come, by the last checkpoint that can be read, and its checksum of the metrics.
pub(crate) fn progress(run: &Path) -> Option<(Progress, Option<u32>)> {
    positions(run).next().map(|position| (position.progress, position.metrics_crc))
}

/// What the checkpoints that can be read say of themselves, the last one first.
fn positions(run: &Path) -> impl Iterator<Item = Position> {
    let last = path_in(run);
    let paths = [last.clone(), previous(&last)].into_iter();
    paths.filter_map(|path| position(&Tensors::load(&path).ok()?, &path).ok())
}

fn position(tensors: &Tensors, path: &Path) -> Result<Position, Error> {
    let damaged = |reason| Error::Damaged { path: path.to_owned(), reason };
    let note = tensors.notes.get(NOTE);
    let note = note.ok_or_else(|| damaged("it does not hold the progress of training".into()))?;
    serde_json::from_str(note)
        .map_err(|e| damaged(format!("the progress of training in it cannot be read ({e})")))
}

fn previous(path: &Path) -> PathBuf {
    path.with_file_name("previous.safetensors")
}
