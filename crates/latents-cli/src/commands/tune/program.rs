//! `latents tune command`: trials are runs of any program.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use latents::tune::Direction;
use latents::{ProgramTarget, Session, tune_program};

use super::study_flags::StudyFlags;
use super::{finish, interrupted};
use crate::output::Output;

/// Parameters of any program that prints its value
///
/// Runs a program once for each trial, with values in place of the braces. The trial's value is read from the last line with a number on the program's standard
/// output: `0.5`, `loss=0.5`, `val_loss: 0.5`, `tensor(0.5)`, or `acc 93.5%`, which is 93.5. The number must be the only one in the line and at its end; otherwise
/// the trial fails, and so does `nan`, but `inf` is a value. With --value loss, it is the number after `loss`, in the last line that has both. Lines of a whole
/// number and a number, such as `3 0.25`, are intermediate reports, by which a trial may be stopped early. If the first 5 trials fail, the search ends with an error.
#[derive(Debug, Args)]
#[command(
    after_help = "Braces: {name:float:0..1}  {name:log:1e-5..1e-1}  {name:int:1..10}  {name:logint:1..1000}  {name:choice:a,b,c}\n\
    with a step: {name:int:16..256:16}; a name again, or one of --space: {name}; the trial's number and folder: {trial} {folder}\n\
    Quote a choice, '{name:choice:a,b,c}': shells make several words of its commas.\n\n\
    latents tune command --trials 50 -- ./train --lr {lr:log:1e-5..1e-1} --width {width:int:16..256:16}\n\n\
    The program also finds LATENTS_TRIAL, LATENTS_PARAMS (JSON) and LATENTS_FOLDER in its environment. A checkpoint that it keeps in that folder is \
    there again when another worker resumes the trial."
)]
pub(crate) struct TuneCommand {
    /// Folder for the programs' output, the tables and the figures
    #[arg(long, value_name = "DIR", default_value = "runs/tune-command")]
    out: PathBuf,
    /// Whether the lowest or the highest value is best
    #[arg(long, value_enum, value_name = "WAY", default_value = "minimize")]
    direction: Way,
    /// Name of the value, if the program prints several numbers: the number after it is the value [default: the last line with a number]
    #[arg(long, value_name = "NAME")]
    value: Option<String>,
    /// Seed of everything random [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    study: StudyFlags,
    /// The program and its arguments, after --
    #[arg(required = true, last = true, value_name = "PROGRAM")]
    program: Vec<String>,
}

/// Which values are best.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Way {
    Minimize,
    Maximize,
}

impl TuneCommand {
    pub(super) fn run(&self, session: &Session, output: Output) -> Result<u8> {
        let direction = match self.direction {
            Way::Minimize => Direction::Minimize,
            Way::Maximize => Direction::Maximize,
        };
        let (space, config) = (self.study.space()?, self.study.config());
        let program = ProgramTarget {
            words: self.program.clone(),
            value: self.value.clone(),
            direction,
            seed: self.seed,
        };
        let tuned = tune_program(&program, space.as_ref(), &config, &self.out, session);
        match tuned {
            Err(error) if error.is_interrupted() => return Ok(interrupted(session)),
            tuned => finish(&tuned?.results, &self.out, output)?,
        }
        Ok(0)
    }
}
