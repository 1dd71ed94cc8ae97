//! Reading a run's metrics.

use super::Run;
use crate::checkpoint::{self, Progress};
use crate::error::Error;
use crate::metrics::EpochMetrics;

impl Run {
    /// Reads the metrics of all epochs so far. An incomplete last line, left by a crash, is skipped.
    ///
    /// # Errors
    /// If the file cannot be read, or one of its lines is not the metrics of an epoch.
    pub fn metrics(&self) -> Result<Vec<EpochMetrics>, Error> {
        self.parse_metrics(&self.read("metrics.jsonl")?, u64::MAX)
    }

    /// The metrics that training goes on from, those until the last checkpoint; of a finished run, all.
    ///
    /// # Errors
    /// If the files are not those that training wrote.
    pub fn metrics_until_checkpoint(&self) -> Result<Vec<EpochMetrics>, Error> {
        if self.is_sealed()? {
            return self.metrics();
        }
        match checkpoint::progress(self.dir()) {
            Some((progress, known)) => Ok(self.metrics_of(&progress, known)?.0),
            None => Ok(vec![]),
        }
    }

    /// The metrics until a checkpoint, whose checksum of them is `known`, and their lines.
    pub(crate) fn metrics_of(
        &self,
        progress: &Progress,
        known: Option<u32>,
    ) -> Result<(Vec<EpochMetrics>, String), Error> {
        let done = progress.epoch;
        let mut metrics = if self.has_metrics() {
            // What comes after may be damaged.
            self.parse_metrics(&latents_files::read(&self.metrics_path())?, done)?
        } else {
            vec![]
        };
        // Epoch 0 is before the first step.
        let is_done = |epoch: u64| epoch <= done && (epoch > 0 || progress.best.is_some());
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
        if known.is_some_and(|known| known != crc32fast::hash(text.as_bytes())) {
            return Err(self.damaged_metrics(
                "its lines are not those that training wrote; restore it, or start a new run",
            ));
        }
        Ok((metrics, text))
    }

    pub(crate) fn damaged_metrics(&self, reason: &str) -> Error {
        Error::Damaged { path: self.metrics_path(), reason: reason.to_owned() }
    }

    fn parse_metrics(&self, bytes: &[u8], last: u64) -> Result<Vec<EpochMetrics>, Error> {
        let mut metrics: Vec<EpochMetrics> = vec![];
        for (i, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
            if metrics.last().is_some_and(|metrics| metrics.epoch >= last) {
                break;
            }
            match serde_json::from_slice(line) {
                Ok(epoch) => metrics.push(epoch),
                Err(_) if !line.ends_with(b"\n") => break,
                Err(e) => {
                    let reason = format!(
                        "line {} is not the metrics of an epoch ({e}); restore the file",
                        i + 1
                    );
                    return Err(self.damaged_metrics(&reason));
                }
            }
        }
        Ok(metrics)
    }
}
