//! `latents tune KIND`: searches for the settings of a model.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use latents::{
    ASSUMED_SHAPE, ModelConfig, RunConfig, Session, TunedStudy, Tuner, best_settings,
    default_folder, refit_layer,
};

use super::study_flags::StudyFlags;
use super::{finish, interrupted};
use crate::commands::describe;
use crate::commands::settings::{ModelFlags, Settings};
use crate::output::Output;
use crate::shell::shell_word;

/// Settings of the study, and of the runs that are its trials. A setting that is given by a flag is not tuned.
#[derive(Debug, Args)]
pub(crate) struct TuneModel<M: ModelFlags> {
    /// Folder for the trials' runs, the tables and the figures; workers that share it resume each other's trials
    /// [default: runs/tune-KIND]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the default search space, to edit for --space, and do nothing else
    #[arg(long)]
    print_space: bool,
    /// Search for about M minutes, or less if trials are pruned: a number of epochs of each trial by the measured time of a step
    #[arg(long, value_name = "M", conflicts_with = "epochs")]
    minutes: Option<f64>,
    #[command(flatten)]
    study: StudyFlags,
    #[command(flatten)]
    settings: Settings<M>,
}

/// The flags of the settings that the best trial of a kind may be trained again with.
const REFIT_FLAGS: [(&str, &str); 3] = [
    ("training.epochs", "--epochs"),
    ("training.schedule.kind", "--schedule"),
    ("training.validation_fraction", "--validation"),
];

/// The settings with which the best trial is trained again, as flags.
fn refit_flags(trial: &RunConfig) -> String {
    let settings = refit_layer(trial).map(|layer| layer.settings()).unwrap_or_default();
    let flag = |(path, value): &(String, toml::Value)| {
        let (_, flag) = REFIT_FLAGS.iter().find(|(of, _)| of == path)?;
        let value = match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Float(number) => number.to_string(),
            value => value.to_string(),
        };
        Some(format!("{flag} {value}"))
    };
    settings.iter().filter_map(flag).collect::<Vec<_>>().join(" ")
}

/// The default search space of a kind, as TOML.
fn space_text(kind: &str) -> &'static str {
    ModelConfig::tuning(kind).ok().flatten().map_or("", |tuning| tuning.space)
}

/// Whether there are settings of a kind that can be searched.
pub(super) fn is_tunable(kind: &str) -> bool {
    ModelConfig::tuning(kind).is_ok_and(|tuning| tuning.is_some())
}

/// One line about the search for the settings of a kind.
pub(super) fn about<M: ModelFlags>() -> String {
    let Ok(Some(tuning)) = ModelConfig::tuning(M::KIND) else { return String::new() };
    let end = M::ABOUT.find([',', ':']).unwrap_or(M::ABOUT.len());
    let model = M::ABOUT[..end].replacen("A ", "a ", 1);
    let extreme = if tuning.lower_is_better { "lowest" } else { "highest" };
    format!("Settings of {model}, for the {extreme} {}", tuning.label)
}

/// The end of a kind's short help.
pub(super) fn help(kind: &str) -> String {
    let refit = RunConfig::of_kind(kind, ASSUMED_SHAPE).map(|config| refit_flags(&config));
    let refit = refit.unwrap_or_default();
    format!(
        "A study is a file that any number of these commands can work on at the same time, and that Optuna and optuna-dashboard can open. \
         After a stop or a kill, the same command continues: no trial is lost, none is run twice.\n\n\
         latents tune {kind} --out runs/tune                       search, or continue\n\
         latents tune {kind} --print-space > space.toml            the search space, to edit\n\
         latents tune {kind} --space space.toml --batch-size 128   search in it, with settings of your own\n\
         latents train {kind} --from-study sqlite:///runs/tune/study.db {refit} --out runs/best"
    )
}

/// The end of a kind's long help, with the default search space.
pub(super) fn long_help(kind: &str) -> String {
    format!("{}\n\nSearched by default:\n\n{}", help(kind), space_text(kind))
}

impl<M: ModelFlags> TuneModel<M> {
    pub(super) fn run(&self, session: &Session, output: Output) -> Result<u8> {
        let tuner = Tuner::new(self.settings.recipe()?).study(self.study.config());
        let tuner = self.study.space()?.into_iter().fold(tuner, Tuner::space);
        let tuner = self.minutes.into_iter().fold(tuner, Tuner::minutes);
        let space = tuner.space_for(None)?;
        if self.print_space {
            output.result(tuner.default_space_text()?, &space)?;
            return Ok(0);
        }
        let out = self.out.clone().unwrap_or_else(|| default_folder(M::KIND));
        let data = tuner.recipe().open_data(&out, session)?;
        output.note(&describe(&data));
        let TunedStudy { results, address } = match tuner.tune(&data, &out, session) {
            Err(error) if error.is_interrupted() => return Ok(interrupted(session)),
            tuned => tuned?,
        };
        finish(&results, &out, output)?;
        if results.has_best() {
            output.note(&format!(
                "Train with the best settings:\n  latents train {} --from-study {} {} --out runs/best",
                M::KIND,
                shell_word(&address),
                refit_flags(&best_settings(M::KIND, &address)?)
            ));
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::settings::{AutoencoderFlags, ClassifierFlags, VaeFlags};
    use clap::Parser;
    use latents::Dataset;

    #[derive(Parser)]
    struct Flags<M: ModelFlags> {
        #[command(flatten)]
        settings: Settings<M>,
    }

    /// The flags that are shown to people are the layer of settings that a program takes.
    fn agree<M: ModelFlags>() {
        let session = Session::default();
        let data = Dataset::open("fashion-mnist-sample", &session).unwrap();
        let mut best = RunConfig::of_kind(M::KIND, data.shape()).unwrap();
        if let Some(encoder) = &mut best.training.encoder {
            encoder.weights = Some("runs/ae/model.safetensors".into());
        }
        let flags = refit_flags(&best);
        let words = ["latents"].into_iter().chain(flags.split(' '));
        let recipe = Flags::<M>::parse_from(words).settings.recipe().unwrap();
        let by_flags = recipe
            .base(best.clone(), "a study")
            .unwrap()
            .config(&data, &Session::default())
            .unwrap();
        let by_layer = best.with_layers([&refit_layer(&best).unwrap()]).unwrap();
        assert_eq!(by_flags.training, by_layer.training, "{}", M::KIND);
    }

    #[test]
    fn the_flags_of_the_final_model_are_its_settings() {
        agree::<AutoencoderFlags>();
        agree::<VaeFlags>();
        agree::<ClassifierFlags>();
        let flags = |kind| refit_flags(&RunConfig::of_kind(kind, ASSUMED_SHAPE).unwrap());
        assert_eq!(flags("classifier"), "--validation 0");
        assert_eq!(flags("vae"), "--epochs 50 --schedule cosine");
        // A trial of the residual design has a quarter of the epochs.
        let mut trial = RunConfig::for_collection("ae", [3, 64, 64], 500).unwrap();
        trial.training.epochs = 7;
        assert_eq!(refit_flags(&trial), "--epochs 28");
    }
}
