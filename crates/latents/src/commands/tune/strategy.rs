//! How a study is searched, as flags: where it is kept, how many trials, which sampler and pruner.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use latents::tune::pruner::{Hyperband, Never, Patient, Percentile, Pruner, SuccessiveHalving};
use latents::tune::sampler::{CmaEs, Grid, QuasiMonteCarlo, Random, Sampler, Tpe};
use latents::tune::{Direction, Schedule, Space, Strategy, Study, storage};
use serde::{Deserialize, Serialize};

use crate::commands::settings::differences;

/// Note of a study that holds what all its workers agree on.
const SETTINGS: &str = "latents:settings";

/// How to choose the values of a trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SamplerName {
    /// Tree-structured Parzen estimator, all parameters together (Optuna's default).
    #[default]
    Tpe,
    /// TPE with parameters that are there under the same conditions together.
    TpeGroup,
    /// TPE with each parameter on its own.
    TpeUnivariate,
    /// CMA-ES: for many trials of a few numbers that depend on each other.
    CmaEs,
    /// Uniformly at random.
    Random,
    /// Sobol's sequence, which fills the space evenly.
    Qmc,
    /// Every combination once, in random order; only for parameters of few values.
    Grid,
}

/// Which trials to stop early.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PrunerName {
    /// Those worse than the median of the complete ones at the same step.
    #[default]
    Median,
    /// All but the best quarter at each step.
    Percentile,
    /// Asynchronous successive halving.
    Halving,
    /// Hyperband: several successive halvings of different haste.
    Hyperband,
    /// None.
    None,
}

/// Where a study is kept and how it is searched.
#[derive(Debug, Args)]
pub(crate) struct StudyFlags {
    /// Where the study is kept, `sqlite:///FILE` or `postgresql://...`; whoever names the same works on the same [default: study.db in --out]
    #[arg(long, value_name = "URL", help_heading = "Study")]
    study: Option<String>,
    /// Name of the study there [default: the kind of objective]
    #[arg(long, value_name = "NAME", help_heading = "Study")]
    name: Option<String>,
    /// Trials in all, however often the command is started [default: 20]
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20,
        hide_default_value = true,
        help_heading = "Study"
    )]
    trials: u64,
    /// Trials that run at once in this process; they share its threads
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Study")]
    workers: u16,
    /// Same seed, same trials, also with several --workers: each learns only from trials that are bound to be over when it begins
    #[arg(long, help_heading = "Study")]
    deterministic: bool,
    /// How to choose the values of a trial
    #[arg(long, value_enum, value_name = "NAME", default_value_t, help_heading = "Study")]
    sampler: SamplerName,
    /// Which trials to stop early
    #[arg(long, value_enum, value_name = "NAME", default_value_t, help_heading = "Study")]
    pruner: PrunerName,
    /// Stop none before this step (for median and percentile)
    #[arg(long, value_name = "STEP", default_value_t = 0, help_heading = "Study")]
    pruner_warmup: u64,
    /// Stop none that has improved within the last N reports
    #[arg(long, value_name = "N", help_heading = "Study")]
    pruner_patience: Option<usize>,
    /// Search space, as a TOML file
    #[arg(long, value_name = "FILE", help_heading = "Study")]
    space: Option<std::path::PathBuf>,
}

/// What is tuned.
pub(crate) struct Target {
    /// The kind of objective; also the study's name, where the user gives none.
    pub(crate) kind: &'static str,
    /// What its values are called.
    pub(crate) label: &'static str,
    /// Which of them are better.
    pub(crate) direction: Direction,
    pub(crate) seed: Option<u64>,
    /// All that the values depend on beside a trial's parameters.
    pub(crate) settings: serde_json::Value,
}

/// What all workers of a study agree on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Agreed {
    /// The settings of the target, under its kind.
    pub(crate) objective: serde_json::Value,
    /// What its values are called.
    pub(crate) label: String,
    pub(crate) space: Space,
    sampler: SamplerName,
    pruner: PrunerName,
    #[serde(default)]
    pruner_warmup: u64,
    #[serde(default)]
    pruner_patience: Option<usize>,
}

impl StudyFlags {
    /// What the flags are where none is given but the number of trials, and of epochs before any is stopped.
    pub(crate) fn plain(trials: u64, pruner_warmup: u64) -> Self {
        StudyFlags {
            study: None,
            name: None,
            trials,
            workers: 1,
            deterministic: false,
            sampler: SamplerName::default(),
            pruner: PrunerName::default(),
            pruner_warmup,
            pruner_patience: None,
            space: None,
        }
    }

    /// The user's own search space, if there is one.
    pub(crate) fn space(&self) -> Result<Option<Space>> {
        let Some(path) = &self.space else { return Ok(None) };
        let text = latents_files::read_text(path)?;
        toml::from_str(&text).with_context(|| format!("{}", path.display())).map(Some)
    }

    /// How many trials, and how many at once.
    pub(crate) fn schedule(&self) -> Schedule {
        Schedule { trials: Some(self.trials), workers: self.workers.into() }
    }

    /// The address of the study.
    fn url(&self, out: &Path) -> String {
        let default = || format!("sqlite:///{}", out.join("study.db").display());
        self.study.clone().unwrap_or_else(default)
    }

    /// The study, once this worker and those before it agree on what is searched and how.
    pub(crate) fn open(&self, out: &Path, target: &Target, space: &Space) -> Result<Study> {
        let url = self.url(out);
        let lockstep = self.deterministic.then_some(u64::from(self.workers));
        let strategy = Strategy {
            sampler: self.sampler(space)?,
            pruner: self.pruner()?,
            seed: target.seed,
            lockstep,
        };
        if self.study.is_none() {
            latents_files::create_folder(out)?;
        }
        let name = self.name.as_deref().unwrap_or(target.kind);
        let study = Study::open(storage::open(&url)?, name, target.direction, strategy)?;
        let wish = serde_json::to_value(Agreed {
            objective: serde_json::json!({ target.kind: target.settings }),
            label: target.label.into(),
            space: space.clone(),
            sampler: self.sampler,
            pruner: self.pruner,
            pruner_warmup: self.pruner_warmup,
            pruner_patience: self.pruner_patience,
        })?;
        let agreed = study.agree(SETTINGS, &wish)?;
        if agreed != wish {
            bail!(
                "study `{name}` was begun with other settings; take them, or another --name:\n  {}",
                differences(&agreed, &wish).join("\n  ")
            );
        }
        Ok(study)
    }

    fn sampler(&self, space: &Space) -> Result<Box<dyn Sampler>> {
        Ok(match self.sampler {
            SamplerName::Tpe => Box::new(Tpe::default()),
            SamplerName::TpeGroup => Box::new(Tpe { group: true, ..Tpe::default() }),
            SamplerName::TpeUnivariate => Box::new(Tpe { multivariate: false, ..Tpe::default() }),
            SamplerName::CmaEs => Box::new(CmaEs::default()),
            SamplerName::Random => Box::new(Random),
            SamplerName::Qmc => Box::new(QuasiMonteCarlo),
            SamplerName::Grid => {
                let dimensions = space.dimensions();
                ensure!(
                    dimensions.iter().all(|d| d.when.is_empty()),
                    "the sampler grid cannot search a space with conditions"
                );
                let values =
                    dimensions.iter().map(|d| (d.name.clone(), d.distribution.clone().into()));
                Box::new(Grid::new(&values.collect(), &BTreeMap::new())?)
            }
        })
    }

    fn pruner(&self) -> Result<Box<dyn Pruner>> {
        let n_warmup_steps = self.pruner_warmup;
        let base: Box<dyn Pruner> = match self.pruner {
            PrunerName::Median => Box::new(Percentile { n_warmup_steps, ..Percentile::median() }),
            PrunerName::Percentile => {
                Box::new(Percentile { percentile: 25.0, n_warmup_steps, ..Percentile::median() })
            }
            PrunerName::Halving => Box::new(SuccessiveHalving::default()),
            PrunerName::Hyperband => Box::new(Hyperband::default()),
            PrunerName::None => Box::new(Never),
        };
        let pruner: Box<dyn Pruner> = match self.pruner_patience {
            Some(patience) => Box::new(Patient { wrapped: Some(base), patience, min_delta: 0.0 }),
            None => base,
        };
        pruner.check()?;
        Ok(pruner)
    }
}

/// What the study's workers agreed on; none where no worker of ours has been at it.
pub(crate) fn agreed(
    storage: &dyn storage::Storage,
    study: &storage::StudyRecord,
) -> Result<Option<Agreed>> {
    let Some(note) = storage.study_attr(study.id, SETTINGS)? else { return Ok(None) };
    let agreed = serde_json::from_value(note);
    agreed.map(Some).with_context(|| {
        let (study, url) = (&study.name, storage.url());
        format!("{url}: the settings of study `{study}` are damaged, or of another version of this program; take another study")
    })
}

/// Finds a study by `URL` or `URL#NAME`; without a name, the only one there is.
pub(crate) fn find(address: &str) -> Result<(Arc<dyn storage::Storage>, storage::StudyRecord)> {
    let (url, name) = match address.split_once('#') {
        Some((url, name)) => (url, Some(name)),
        None => (address, None),
    };
    if let Some(file) = url.strip_prefix("sqlite:///") {
        // Looking for a study must not make one.
        let empty = Path::new(file).metadata().map_or(true, |about| about.len() == 0);
        let what = if Path::new(file).exists() { "nothing in the" } else { "no" };
        ensure!(!empty, "there is {what} file {file}: no study has been kept there");
    }
    let storage = storage::open(url)?;
    // As it may be shown: without a password.
    let url = storage.url();
    let studies = storage.studies()?;
    let names: Vec<&str> = studies.iter().map(|study| study.name.as_str()).collect();
    let there = if names.is_empty() { "none".into() } else { names.join(", ") };
    let study = match (name, &studies[..]) {
        (Some(name), _) => studies.iter().find(|study| study.name == name),
        (None, [only]) => Some(only),
        (None, _) => bail!("which study? Name one as {url}#NAME; there are: {there}"),
    };
    let study = study.with_context(|| {
        format!("there is no study `{}` in {url}; there are: {there}", name.unwrap_or_default())
    })?;
    Ok((storage, study.clone()))
}
