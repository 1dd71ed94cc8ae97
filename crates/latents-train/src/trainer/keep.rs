//! Writes metrics, snapshots and checkpoints, and makes the metrics match the checkpoint when a run is resumed.

use std::time::{Duration, Instant};

use latents_models::{Tensors, load_parameters, save_parameters};

use super::Trainer;
use crate::checkpoint::{Checkpoint, Progress};
use crate::error::Error;
use crate::inputs::inputs;
use crate::metrics::EpochMetrics;

/// Epochs of few images are so short that writing files would take most of the time. After a checkpoint, those of this many times as long as it
/// took to write are kept in memory, for at most a second.
const TIMES: u32 = 10;
const LONGEST: Duration = Duration::from_secs(1);
/// Images in a snapshot.
const SNAPSHOT_IMAGES: usize = 8;

/// What is written with the next checkpoint.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Lines of metrics.
    metrics: String,
    /// The best parameters, if they are of an epoch since the last checkpoint.
    best: Option<Vec<f32>>,
}

impl Trainer<'_> {
    /// Keeps a finished epoch: its metrics, and its parameters if they are the best. They are written with the next checkpoint, at once after the
    /// first epoch and if the last one is some time ago. If the process ends before that, the epochs since the last checkpoint are trained again, with the same result.
    pub(super) fn finish_epoch(&mut self, metrics: &EpochMetrics) -> Result<(), Error> {
        if is_snapshot(metrics.epoch, self.config.training.epochs) {
            self.snapshot(metrics.epoch)?;
        }
        if let Some(val_loss) = metrics.val_loss
            && self.progress.best.is_none_or(|(least, _)| val_loss < least)
        {
            self.progress.best = Some((val_loss, metrics.epoch));
            self.pending.best = Some(self.parameters.clone());
        }
        let line =
            serde_json::to_string(metrics).map_err(|e| self.run.damaged_metrics(&e.to_string()))?;
        self.pending.metrics += &(line + "\n");
        self.progress = Progress {
            epoch: metrics.epoch,
            total_seconds: self.progress.total_seconds + metrics.seconds,
            best: self.progress.best,
            ..Progress::default()
        };
        let interval = (TIMES * self.writing).min(LONGEST);
        if metrics.epoch <= 1 || self.saved.elapsed() >= interval { self.save() } else { Ok(()) }
    }

    /// Writes what the epochs since the last checkpoint left.
    fn write_pending(&mut self) -> Result<(), Error> {
        if let Some(best) = &self.pending.best {
            let path = self.run.best_path();
            save_parameters(&path, self.engine.layout(), best)?;
            self.best = Some(crc32fast::hash(&latents_files::read(&path)?));
        }
        if !self.pending.metrics.is_empty() {
            latents_files::append(&self.run.metrics_path(), self.pending.metrics.as_bytes())?;
            self.lines.update(self.pending.metrics.as_bytes());
        }
        self.pending = Pending::default();
        Ok(())
    }

    /// Writes what was kept since the last checkpoint, if there is anything.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        if self.pending.metrics.is_empty() { Ok(()) } else { self.save() }
    }

    fn snapshot(&mut self, epoch: u64) -> Result<(), Error> {
        let Some(latents) = self.config.model.latents(self.config.data.shape) else {
            return Ok(());
        };
        let from = if self.validation.is_empty() { &self.training } else { &self.validation };
        let (images, index) = (from.images, &from.index[..SNAPSHOT_IMAGES.min(from.len())]);
        let originals: Vec<f32> =
            index.iter().flat_map(|&i| images.image_unit(i as usize)).collect();
        let conditions = from.conditions_of(index, self.engine.layout());
        let batch = inputs(images, index).with_conditions(&conditions);
        let reconstructions =
            self.engine.forward(&self.parameters, batch, latents.reconstruct())?;
        let [c, h, w] = images.shape();
        let shape = [index.len(), c, h, w];
        let mut tensors = Tensors::default();
        tensors.push("original", &shape, originals);
        tensors.push("reconstruction", &shape, reconstructions);
        let path = self.run.snapshot_path(epoch);
        tensors.save(&path)?;
        self.snapshots.insert(epoch, crc32fast::hash(&latents_files::read(&path)?));
        Ok(())
    }

    /// Checks that the snapshots so far, which nothing can make again, are those that were written. One that was removed is not missed.
    pub(super) fn check_snapshots(&self) -> Result<(), Error> {
        for (&epoch, &known) in &self.snapshots {
            let path = self.run.snapshot_path(epoch);
            if path.exists() && crc32fast::hash(&latents_files::read(&path)?) != known {
                let reason = "its contents are not those that training wrote; restore it, or \
                              remove it to go on without it";
                return Err(Error::Damaged { path, reason: reason.into() });
            }
        }
        Ok(())
    }

    /// Writes a checkpoint, after what the epochs since the last one left.
    pub(super) fn save(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        self.run.check_exists()?;
        let saved = self.write_checkpoint();
        // The folder may have been removed in between; writing some of the files makes it again.
        self.run.check_exists()?;
        (self.saved, self.writing) = (Instant::now(), began.elapsed());
        saved
    }

    pub(super) fn write_checkpoint(&mut self) -> Result<(), Error> {
        self.write_pending()?;
        self.progress.optimizer_steps = self.optimizer.state().steps;
        let checkpoint = Checkpoint {
            progress: self.progress,
            parameters: self.parameters.clone(),
            optimizer: self.optimizer.state().clone(),
            metrics: Some(self.lines.clone().finalize()),
            best: self.best,
            snapshots: self.snapshots.clone(),
        };
        checkpoint.save(self.run.dir(), self.config, self.engine.layout())
    }

    /// The metrics up to the checkpoint, whose checksum of them is `known`. Later lines are removed from the file, since their epochs will be
    /// trained again.
    pub(super) fn metrics_so_far(
        &mut self,
        known: Option<u32>,
    ) -> Result<Vec<EpochMetrics>, Error> {
        let (metrics, text) = self.run.metrics_of(&self.progress, known)?;
        self.lines.update(text.as_bytes());
        latents_files::write(&self.run.metrics_path(), text.as_bytes())?;
        Ok(metrics)
    }

    /// The weights with the lowest validation loss.
    pub(super) fn best_parameters(&self) -> Result<Vec<f32>, Error> {
        let path = self.run.best_path();
        if self.best.is_some_and(|best| {
            latents_files::read(&path).is_ok_and(|bytes| crc32fast::hash(&bytes) != best)
        }) {
            let reason = "its contents are not those that training wrote; restore it, or start \
                          a new run";
            return Err(Error::Damaged { path, reason: reason.into() });
        }
        // The file is read, not copied, so that an error names it if it is damaged.
        Ok(load_parameters(&path, self.engine.layout())?)
    }
}

/// Snapshots are taken after epochs 1, 2, 5, 10, 20, 50, ... and the last.
fn is_snapshot(epoch: u64, epochs: u64) -> bool {
    let mut leading = epoch;
    while leading.is_multiple_of(10) && leading > 0 {
        leading /= 10;
    }
    epoch == epochs || matches!(leading, 1 | 2 | 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_follow_one_two_five() {
        let taken: Vec<u64> = (1..=120).filter(|&e| is_snapshot(e, 120)).collect();
        assert_eq!(taken, [1, 2, 5, 10, 20, 50, 100, 120]);
    }
}
