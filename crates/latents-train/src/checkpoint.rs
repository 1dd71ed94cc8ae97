//! Checkpoints: the parameters, the optimiser's state, and the progress of training, in one file. It is replaced atomically, and the previous checkpoint
//! is kept next to it.

use std::path::Path;

use latents_engine::{Layout, OptimizerState};
use latents_models::Tensors;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::run::Run;

/// The progress of training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// Seconds spent on the current epoch so far.
    pub(crate) seconds: f64,
    /// Seconds spent on completed epochs.
    pub(crate) total_seconds: f64,
    /// Lowest validation loss so far, and its epoch, from 1.
    pub(crate) best: Option<(f64, u64)>,
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
}

const NOTE: &str = "position";

impl Checkpoint {
    pub(crate) fn save(&self, run: &Run, layout: &Layout) -> Result<(), Error> {
        let path = run.checkpoint_path();
        let position = serde_json::to_string(&self.progress);
        let position = position.map_err(|e| Error::Config(format!("progress of the run: {e}")))?;
        let mut tensors = Tensors::default();
        tensors.notes.insert(NOTE.into(), position);
        tensors.push_parameters("", layout, &self.parameters);
        tensors.push_parameters("optimizer.first.", layout, &self.optimizer.first);
        tensors.push_parameters("optimizer.second.", layout, &self.optimizer.second);
        // A damaged checkpoint must not replace the previous, intact one.
        if let Ok(last) = Tensors::load(&path) {
            // A copy, not a rename, so that `path` exists at all times.
            last.save(&previous(&path))?;
        }
        tensors.save(&path)?;
        Ok(())
    }

    /// The last checkpoint, or the previous one if the last is damaged; `None` if training has not written one yet.
    pub(crate) fn load(run: &Run, layout: &Layout, extent: Extent) -> Result<Option<Self>, Error> {
        let path = run.checkpoint_path();
        if !path.exists() {
            return Ok(None);
        }
        match Self::read(&path, layout, extent) {
            Err(damage) => {
                let before = Self::read(&previous(&path), layout, extent).map(Some);
                let (path, source) = (run.dir().to_owned(), Box::new(damage));
                before.map_err(|_| Error::NoCheckpoint { path, source })
            }
            whole => whole.map(Some),
        }
    }

    fn read(path: &Path, layout: &Layout, extent: Extent) -> Result<Self, Error> {
        let mut tensors = Tensors::load(path)?;
        let damaged = |reason| Error::Damaged { path: path.to_owned(), reason };
        let note = tensors.notes.get(NOTE);
        let note =
            note.ok_or_else(|| damaged("it does not hold the progress of training".into()))?;
        let progress = serde_json::from_str::<Progress>(note);
        let progress = progress
            .map_err(|e| damaged(format!("the progress of training in it cannot be read ({e})")))?;
        if !extent.contains(&progress) {
            return Err(damaged("its progress is outside the epochs and steps of this run".into()));
        }
        Ok(Checkpoint {
            progress,
            parameters: tensors.parameters("", layout, path)?,
            optimizer: OptimizerState {
                steps: progress.optimizer_steps,
                first: tensors.parameters("optimizer.first.", layout, path)?,
                second: tensors.parameters("optimizer.second.", layout, path)?,
            },
        })
    }
}

fn previous(path: &Path) -> std::path::PathBuf {
    path.with_file_name("previous.safetensors")
}
