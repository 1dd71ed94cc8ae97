//! Checkpoints: weights, the optimiser's state, and the progress of training. One file, replaced whole; the one before it is kept next to it.

use std::path::Path;

use latents_engine::{Layout, OptimizerState};
use latents_models::Tensors;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::run::Run;

/// The progress of training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Whole epochs done.
    pub(crate) epoch: u64,
    /// Steps of the next epoch done.
    pub(crate) step: u64,
    /// Steps that the optimiser has taken.
    pub(crate) optimizer_steps: u64,
    /// Sum of the losses of the next epoch's samples so far, without penalties.
    pub(crate) loss_sum: f64,
    /// Sum of their penalties.
    #[serde(default)]
    pub(crate) penalty_sum: f64,
    /// Seconds spent on the next epoch so far.
    pub(crate) seconds: f64,
    /// Seconds spent on the whole run so far.
    pub(crate) total_seconds: f64,
    /// Least validation loss so far and the epoch, from 1, that it came after.
    pub(crate) best: Option<(f64, u64)>,
}

/// The extent of training.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// Epochs in all.
    pub(crate) epochs: u64,
    /// Steps of each.
    pub(crate) steps: u64,
}

impl Extent {
    /// Whether training passes through this progress.
    fn contains(self, at: &Progress) -> bool {
        let most = self.steps.saturating_mul(self.epochs);
        at.epoch <= self.epochs
            && at.step <= self.steps
            && at.optimizer_steps <= most
            && at.best.is_none_or(|(_, epoch)| epoch <= at.epoch)
    }
}

/// A state of training.
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
        // A damaged one must not replace the intact one before it.
        if let Ok(last) = Tensors::load(&path) {
            // A copy under the other name, not a rename: `path` exists at every moment.
            last.save(&previous(&path))?;
        }
        tensors.save(&path)?;
        Ok(())
    }

    /// The newest intact checkpoint, or none if training has not written one. If the newest is damaged, the one before it.
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
            return Err(damaged("its progress is none that this run passes through".into()));
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
