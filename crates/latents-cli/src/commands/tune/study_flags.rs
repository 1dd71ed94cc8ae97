//! How a study is searched, as flags: its storage, the number of trials, sampler and pruner.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use latents::tune::{PrunerKind, SamplerKind};
use latents::{Space, StudyConfig, parse_space};

/// The place of a study, and how it is searched.
#[derive(Debug, Args)]
pub(crate) struct StudyFlags {
    /// Storage of the study, `sqlite:///FILE` or `postgresql://...`; several commands may share one [default: study.db in --out]
    #[arg(long, value_name = "URL", help_heading = "Study")]
    study: Option<String>,
    /// Name of the study in its storage [default: the kind of objective]
    #[arg(long, value_name = "NAME", help_heading = "Study")]
    name: Option<String>,
    /// Total number of trials, however often the command is started [default: 20]
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20,
        hide_default_value = true,
        help_heading = "Study"
    )]
    trials: u64,
    /// Trials that run at the same time in this process; they share its threads
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Study")]
    workers: u16,
    /// Make trials reproducible with several --workers: each trial uses only results that are guaranteed to be complete when it starts
    #[arg(long, help_heading = "Study")]
    deterministic: bool,
    /// Sampler, which chooses the values of a trial
    #[arg(long, value_parser = kinds(SamplerKind::ALL, SamplerKind::name, SamplerKind::about), value_name = "NAME", default_value_t, help_heading = "Study")]
    sampler: SamplerKind,
    /// Pruner, which stops trials early
    #[arg(long, value_parser = kinds(PrunerKind::ALL, PrunerKind::name, PrunerKind::about), value_name = "NAME", default_value_t, help_heading = "Study")]
    pruner: PrunerKind,
    /// Stop no trial before this step (for median and percentile)
    #[arg(long, value_name = "STEP", default_value_t = 0, help_heading = "Study")]
    pruner_warmup: u64,
    /// Stop no trial that has improved within the last N reports
    #[arg(long, value_name = "N", help_heading = "Study")]
    pruner_patience: Option<usize>,
    /// Search space, as a TOML file
    #[arg(long, value_name = "FILE", help_heading = "Study")]
    space: Option<PathBuf>,
}

/// Reads a name of one of the kinds that there are, with its description in the help.
fn kinds<T: std::str::FromStr + Copy + Send + Sync + 'static>(
    all: &'static [T],
    name: fn(T) -> &'static str,
    about: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let values = all.iter().map(move |&kind| PossibleValue::new(name(kind)).help(about(kind)));
    PossibleValuesParser::new(values).try_map(|name| name.parse::<T>())
}

impl StudyFlags {
    /// The user's own search space, if there is one.
    pub(super) fn space(&self) -> Result<Option<Space>> {
        let Some(path) = &self.space else { return Ok(None) };
        let text = latents_files::read_text(path)?;
        Ok(Some(parse_space(&text, &path.display().to_string())?))
    }

    /// The study as the library takes it.
    pub(super) fn config(&self) -> StudyConfig {
        StudyConfig {
            url: self.study.clone(),
            name: self.name.clone(),
            trials: self.trials,
            workers: self.workers.into(),
            deterministic: self.deterministic,
            sampler: self.sampler,
            pruner: self.pruner,
            pruner_warmup: self.pruner_warmup,
            pruner_patience: self.pruner_patience,
        }
    }
}
