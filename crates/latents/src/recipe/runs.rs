//! Trains runs with complete settings, or resumes them, and says how each ended.

use std::fmt;
use std::path::Path;

use latents_progress::{count, duration};
use latents_train::{Run, RunConfig, TrainSummary, TrainingImages, train};
use latents_tune::differences;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::model::TrainedModel;
use crate::session::Session;

/// How a run of several seeds names the folder of each, before the seed.
pub const SEED_PREFIX: &str = "seed-";

/// A finished run.
#[derive(Clone, Debug, Serialize)]
pub struct FinishedRun {
    /// Its folder.
    pub run: String,
    /// How training ended.
    #[serde(flatten)]
    pub summary: TrainSummary,
}

impl fmt::Display for FinishedRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TrainSummary { epochs, kept_epoch: kept, train_loss, val_loss, seconds } = self.summary;
        let which = if kept == epochs { String::new() } else { format!(" (of epoch {kept})") };
        let validation = val_loss.map_or_else(String::new, |l| format!("  validation loss {l:.6}"));
        write!(
            f,
            "train loss {train_loss:.6}{validation}{which}  {} {} in {}  {}",
            count(epochs),
            if epochs == 1 { "epoch" } else { "epochs" },
            duration(seconds),
            self.run
        )
    }
}

/// Trains a run with complete settings, or resumes it, and keeps the latents of the training images in its folder.
///
/// # Errors
/// If the folder holds a run with other settings, or training fails or is interrupted.
pub fn train_run<'a>(
    run: &Run,
    config: &RunConfig,
    data: impl Into<TrainingImages<'a>>,
    session: &Session,
) -> Result<FinishedRun> {
    let (summary, _) = train_model(run, config, data.into(), session)?;
    Ok(FinishedRun { run: run.dir().display().to_string(), summary })
}

/// Implements [`train_run`]; also gives the model if it was opened, for its latents.
pub(super) fn train_model(
    run: &Run,
    config: &RunConfig,
    data: TrainingImages<'_>,
    session: &Session,
) -> Result<(TrainSummary, Option<TrainedModel>)> {
    if run.exists() && run.config()?.continued_as(config) != *config {
        return Err(latents_train::Error::OtherRun { path: run.dir().to_owned() }.into());
    }
    if let Some(began) = run.begun_with() {
        check_continued(run, &began, config)?;
    }
    let summary = train(run, config, data, &session.runtime()?, session, &mut |_| {})?;
    if config.model.latents(config.data.shape).is_none() {
        return Ok((summary, None));
    }
    let mut model = TrainedModel::open(run.dir(), session)?;
    model.keep_training_latents(data.train)?;
    Ok((summary, Some(model)))
}

/// Checks that a run that began with some settings may go on with others.
///
/// # Errors
/// [`Error::OtherSettings`] with both values of each setting that may not change.
pub(super) fn check_continued(run: &Run, began: &RunConfig, now: &RunConfig) -> Result<()> {
    let continued = began.continued_as(now);
    if continued == *now {
        return Ok(());
    }
    let (was, is) = (serde_json::to_value(&continued)?, serde_json::to_value(now)?);
    let differences = differences(&was, &is);
    Err(Error::OtherSettings { run: run.dir().to_owned(), differences })
}

/// Trains runs that differ by their seeds alone, from the configuration's seed on, each in its folder within `out`, or resumes them.
///
/// # Errors
/// As [`train_run`].
pub fn train_seeds<'a>(
    out: &Path,
    config: &RunConfig,
    seeds: u64,
    data: impl Into<TrainingImages<'a>>,
    session: &Session,
) -> Result<Vec<FinishedRun>> {
    let (first, data) = (config.training.seed, data.into());
    let mut all = vec![];
    for seed in first..first.saturating_add(seeds) {
        let run = Run::at(out.join(format!("{SEED_PREFIX}{seed}")));
        let mut config = config.clone();
        config.training.seed = seed;
        let done = train_run(&run, &config, data, session)?;
        session.note(&done.to_string());
        all.push(done);
    }
    Ok(all)
}
