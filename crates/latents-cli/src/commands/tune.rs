//! `latents tune`: searches for the settings that give the best value.

mod model;
mod program;
mod show;
mod study_flags;

use std::path::Path;

use anyhow::Result;
use clap::Subcommand;
use latents::{Session, TuneResults};

use crate::commands::settings::{ModelFlags, trial_help, with_kinds};
use crate::output::Output;
use crate::signals;
use model::{TuneModel, about, help, is_tunable, long_help};

/// Defines what can be tuned: a subcommand for each kind that has a search space, any program, and what shows a study.
macro_rules! tuned {
    ($($kind:ident($($flags:ident)::+),)+) => {
        /// What can be tuned.
        #[derive(Debug, Subcommand)]
        pub(crate) enum Tune {
            $(#[command(
                about = about::<$($flags)::+>(),
                hide = !is_tunable($($flags)::+::KIND),
                after_help = help($($flags)::+::KIND),
                after_long_help = long_help($($flags)::+::KIND),
                mut_args = trial_help($($flags)::+::KIND)
            )]
            $kind(Box<TuneModel<$($flags)::+>>),)+
            Command(program::TuneCommand),
            Show(show::ShowStudy),
        }

        pub(crate) fn run(tune: &Tune, session: &Session, output: Output) -> Result<u8> {
            match tune {
                $(Tune::$kind(command) => command.run(session, output),)+
                Tune::Command(command) => command.run(session, output),
                Tune::Show(command) => command.run(output).map(|()| 0),
            }
        }
    };
}

with_kinds!(tuned);

/// Prints the best trial and where the rest is.
fn finish(results: &TuneResults, folder: &Path, output: Output) -> Result<()> {
    output.result(&results.text(folder), &results.summary(folder))
}

/// Tells that a search was stopped.
fn interrupted(session: &Session) -> u8 {
    session.note("Stopped and saved. The same command continues.");
    signals::stopped()
}
