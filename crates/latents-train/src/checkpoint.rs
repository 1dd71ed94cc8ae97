//! What training goes on from: weights, the optimiser's memory, and how far it has got. One file, replaced whole; the one before
//! it is kept beside it.

use std::path::Path;

use latents_engine::{Layout, OptimizerState};
use latents_models::Tensors;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::run::Run;

/// How far training has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
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

/// How far training goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Course {
    /// Epochs in all.
    pub(crate) epochs: u64,
    /// Steps of each.
    pub(crate) steps: u64,
}

impl Course {
    /// Whether training comes by a position.
    fn has(self, at: &Position) -> bool {
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
    pub(crate) position: Position,
    pub(crate) parameters: Vec<f32>,
    pub(crate) optimizer: OptimizerState,
}

const NOTE: &str = "position";

impl Checkpoint {
    pub(crate) fn save(&self, run: &Run, layout: &Layout) -> Result<(), Error> {
        let path = run.checkpoint_path();
        let position = serde_json::to_string(&self.position);
        let position = position.map_err(|e| Error::Config(format!("position of the run: {e}")))?;
        let mut tensors = Tensors::default();
        tensors.notes.insert(NOTE.into(), position);
        tensors.push_parameters("", layout, &self.parameters);
        tensors.push_parameters("optimizer.first.", layout, &self.optimizer.first);
        tensors.push_parameters("optimizer.second.", layout, &self.optimizer.second);
        // One that is damaged must not take the place of the whole one before it.
        if let Ok(last) = Tensors::load(&path) {
            // A copy under the other name, not a rename: `path` is there at every instant.
            last.save(&previous(&path))?;
        }
        tensors.save(&path)?;
        Ok(())
    }

    /// The newest whole checkpoint; none where training has not got to one. Where the newest is damaged, the one before it.
    pub(crate) fn load(run: &Run, layout: &Layout, course: Course) -> Result<Option<Self>, Error> {
        let path = run.checkpoint_path();
        if !path.exists() {
            return Ok(None);
        }
        match Self::read(&path, layout, course) {
            Err(damage) => {
                let before = Self::read(&previous(&path), layout, course).map(Some);
                let (path, source) = (run.dir().to_owned(), Box::new(damage));
                before.map_err(|_| Error::NoCheckpoint { path, source })
            }
            whole => whole.map(Some),
        }
    }

    fn read(path: &Path, layout: &Layout, course: Course) -> Result<Self, Error> {
        let mut tensors = Tensors::load(path)?;
        let damaged = |reason| Error::Damaged { path: path.to_owned(), reason };
        let note = tensors.notes.get(NOTE);
        let note =
            note.ok_or_else(|| damaged("it does not say how far training had got".into()))?;
        let position = serde_json::from_str::<Position>(note);
        let position = position
            .map_err(|e| damaged(format!("how far training had got cannot be understood ({e})")))?;
        if !course.has(&position) {
            return Err(damaged("it is at a place where this run never is".into()));
        }
        Ok(Checkpoint {
            position,
            parameters: tensors.parameters("", layout, path)?,
            optimizer: OptimizerState {
                steps: position.optimizer_steps,
                first: tensors.parameters("optimizer.first.", layout, path)?,
                second: tensors.parameters("optimizer.second.", layout, path)?,
            },
        })
    }
}

fn previous(path: &Path) -> std::path::PathBuf {
    path.with_file_name("previous.safetensors")
}
