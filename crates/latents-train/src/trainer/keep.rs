//! Writes metrics, snapshots and checkpoints, and makes the metrics match the checkpoint when a run is resumed.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::{Duration, Instant};

use latents_files::FileError;
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
            serde_json::to_string(metrics).map_err(|e| self.damaged_metrics(&e.to_string()))?;
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
            let path = self.run.metrics_path();
            let append = || {
                let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
                let before = file.metadata()?.len();
                let written =
                    file.write_all(self.pending.metrics.as_bytes()).and_then(|()| file.sync_all());
                // If the disk is full, no incomplete line remains.
                written.inspect_err(|_| drop(file.set_len(before)))
            };
            append().map_err(FileError::on("write", &path))?;
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
        let Some(latents) = self.config.model.latents() else { return Ok(()) };
        let from = if self.validation.is_empty() { &self.training } else { &self.validation };
        let (images, index) = (from.images, &from.index[..SNAPSHOT_IMAGES.min(from.len())]);
        let originals: Vec<f32> =
            index.iter().flat_map(|&i| images.image_unit(i as usize)).collect();
        let inputs = inputs(images, index);
        let reconstructions =
            self.engine.forward(&self.parameters, inputs, latents.reconstruct())?;
        let [c, h, w] = images.shape();
        let shape = [index.len(), c, h, w];
        let mut tensors = Tensors::default();
        tensors.push("original", &shape, originals);
        tensors.push("reconstruction", &shape, reconstructions);
        tensors.save(&self.run.snapshot_path(epoch))?;
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

    fn write_checkpoint(&mut self) -> Result<(), Error> {
        self.write_pending()?;
        self.progress.optimizer_steps = self.optimizer.state().steps;
        let checkpoint = Checkpoint {
            progress: self.progress,
            parameters: self.parameters.clone(),
            optimizer: self.optimizer.state().clone(),
            metrics: Some(self.lines.clone().finalize()),
            best: self.best,
        };
        checkpoint.save(self.run, self.config, self.engine.layout())
    }

    /// The metrics up to the checkpoint, whose checksum of them is `known`. Later lines are removed from the file, since their epochs will be
    /// trained again.
    pub(super) fn metrics_so_far(
        &mut self,
        known: Option<u32>,
    ) -> Result<Vec<EpochMetrics>, Error> {
        let done = self.progress.epoch;
        let mut metrics =
            if self.run.has_metrics() { self.run.metrics_until(done)? } else { vec![] };
        // Epoch 0 is before the first step.
        let is_done = |epoch: u64| epoch <= done && (epoch > 0 || self.progress.best.is_some());
        metrics.retain(|m| is_done(m.epoch));
        if !metrics.iter().map(|m| m.epoch).filter(|&epoch| epoch > 0).eq(1..=done) {
            return Err(self.damaged_metrics(&format!(
                "it does not have one line for each finished epoch ({done} so far); restore it, \
                 or start a new run"
            )));
        }
        let lines = metrics.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>();
        let lines = lines.map_err(|e| self.damaged_metrics(&e.to_string()))?;
        let text: String = lines.into_iter().map(|line| line + "\n").collect();
        self.lines.update(text.as_bytes());
        if known.is_some_and(|known| known != self.lines.clone().finalize()) {
            return Err(self.damaged_metrics(
                "its lines are not those that training wrote; restore it, or start a new run",
            ));
        }
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

    pub(super) fn damaged_metrics(&self, reason: &str) -> Error {
        Error::Damaged { path: self.run.metrics_path(), reason: reason.to_owned() }
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
