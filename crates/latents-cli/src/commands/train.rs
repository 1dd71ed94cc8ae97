//! `latents train`: flags become a recipe, which the library trains; Ctrl-C stops it after a checkpoint.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use latents::evaluate::seed_runs;
use latents::train::Error;
use latents::{Recipe, Run, Session, SettingsLayer, best_settings, train_run, train_seeds};

use crate::commands::describe;
use crate::commands::settings::{ModelFlags, Settings, default_help, with_kinds};
use crate::output::Output;
use crate::shell::shell_word;
use crate::signals;

/// Defines the models that can be trained: a subcommand for each kind.
macro_rules! trained {
    ($($kind:ident($($flags:ident)::+),)+) => {
        /// The models that can be trained.
        #[derive(Debug, Subcommand)]
        pub(crate) enum Model {
            $(#[command(
                about = $($flags)::+::ABOUT,
                after_help = $($flags)::+::EXAMPLES,
                mut_args = default_help($($flags)::+::KIND)
            )]
            $kind(Box<Train<$($flags)::+>>),)+
        }

        pub(crate) fn run(model: &Model, session: &Session, output: Output) -> Result<u8> {
            match model {
                $(Model::$kind(flags) => flags.run(session, output),)+
            }
        }
    };
}

with_kinds!(trained);

/// Settings of a run. Flags override --config, --from-study or the resumed run; otherwise defaults apply.
#[derive(Debug, Args)]
pub(crate) struct Train<M: ModelFlags> {
    /// Folder for the run
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Resume the run in --out from where it was stopped
    #[arg(long)]
    resume: bool,
    /// Use the settings of another run's config.toml; flags override them
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    config: Option<PathBuf>,
    /// Use the settings of the best trial of a study, `sqlite:///FILE` or `postgresql://...`, with #NAME if there are several
    #[arg(long, value_name = "STUDY", conflicts_with_all = ["resume", "config"])]
    from_study: Option<String>,
    /// Train N runs that differ by their seeds alone, from --seed on, in --out/seed-0 and so on; `latents evaluate` gives their mean and deviation
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=1000), conflicts_with = "resume")]
    seeds: Option<u64>,
    /// Train for about M minutes: a number of epochs by the measured time of a step
    #[arg(long, value_name = "M", conflicts_with_all = ["resume", "epochs"])]
    minutes: Option<f64>,
    #[command(flatten)]
    settings: Settings<M>,
}

impl<M: ModelFlags> Train<M> {
    fn recipe(&self) -> Result<Recipe> {
        let recipe = self.settings.recipe()?;
        let recipe = match self.minutes {
            Some(minutes) => recipe.minutes(minutes),
            None => recipe,
        };
        if let Some(study) = &self.from_study {
            return Ok(recipe.base(best_settings(M::KIND, study)?, study)?);
        }
        let Some(path) = &self.config else { return Ok(recipe) };
        let text = latents_files::read_text(path)?;
        Ok(recipe.layer(SettingsLayer::parse(&path.display().to_string(), &text)?))
    }

    fn run(&self, session: &Session, output: Output) -> Result<u8> {
        let (run, recipe) = (Run::at(&self.out), self.recipe()?);
        let (config, data) = if self.resume {
            let (config, data) = recipe.resume(&run, session)?;
            output.note(&describe(&data));
            (config, data)
        } else {
            if run.exists() {
                return Err(Error::Exists { path: self.out.clone() }.into());
            }
            let data = recipe.open_data(&self.out, session)?;
            output.note(&describe(&data));
            // Of several runs, the first may have been begun.
            let begun = seed_runs(&self.out).first().map_or(run.clone(), Run::at);
            (recipe.config_in(&begun, &data, session)?, data)
        };
        let outcome = match self.seeds {
            None => train_run(&run, &config, &data, session)
                .map(|done| output.result(&done.to_string(), &done)),
            Some(seeds) => train_seeds(&self.out, &config, seeds, &data, session).map(|all| {
                let dir = self.out.display().to_string();
                let text = format!("{seeds} runs  {dir}");
                output.result(&text, &serde_json::json!({ "run": dir, "runs": all }))
            }),
        };
        match outcome {
            Err(error) if error.is_interrupted() => {
                session.note(&self.how_to_continue(&run));
                Ok(signals::stopped())
            }
            outcome => {
                outcome??;
                Ok(0)
            }
        }
    }

    /// What a user who stopped the training can do.
    fn how_to_continue(&self, run: &Run) -> String {
        if self.seeds.is_some() {
            return "Stopped and saved. The same command continues.".into();
        }
        let done = run.metrics().ok().and_then(|metrics| Some(metrics.last()?.epoch)).unwrap_or(0);
        // All epochs may be done, and only the latents of the training images missing.
        let epoch = run.config().map_or(done + 1, |run| run.training.epochs.min(done + 1));
        let (kind, dir) = (M::KIND, shell_word(&self.out.display().to_string()));
        format!(
            "Stopped in epoch {epoch} and saved. Resume with:\n  latents train {kind} --resume --out {dir}"
        )
    }
}
