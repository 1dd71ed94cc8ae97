//! `latents tune command`: trials are runs of any program.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::Result;
use clap::{Args, ValueEnum};
use latents::tune::command::{Program, Template};
use latents::tune::{Direction, optimize};

use crate::commands::stop_on_ctrl_c;
use crate::commands::tune::live::Live;
use crate::commands::tune::results::Results;
use crate::commands::tune::strategy::{StudyFlags, Target};
use crate::output::Output;

/// What the objective is called.
const LABEL: &str = "value";
/// Its kind, in studies.
const KIND: &str = "command";

/// Parameters of any program that prints its value last
///
/// Runs a program once a trial, with values in place of the braces. The last word that it prints is its value, a number; lines of a whole number and
/// a number, such as `3 0.25`, are steps on the way, by which it may be stopped early.
#[derive(Debug, Args)]
#[command(
    after_help = "Braces: {name:float:0..1}  {name:log:1e-5..1e-1}  {name:int:1..10}  {name:logint:1..1000}  {name:choice:a,b,c}\n\
    with a step: {name:int:16..256:16}; a name again, or one of --space: {name}; the trial's number and folder: {trial} {folder}\n\
    Quote a choice, '{name:choice:a,b,c}': shells make several words of its commas.\n\n\
    latents tune command --trials 50 -- ./train --lr {lr:log:1e-5..1e-1} --width {width:int:16..256:16}\n\n\
    The program also finds LATENTS_TRIAL, LATENTS_PARAMS (JSON) and LATENTS_FOLDER in its environment. A checkpoint that it keeps in that folder is \
    there again when a trial is taken up by another worker."
)]
pub(crate) struct TuneCommand {
    /// Folder for what the programs say, the tables and the figures
    #[arg(long, value_name = "DIR", default_value = "runs/tune-command")]
    out: PathBuf,
    /// Whether the least or the greatest value is best
    #[arg(long, value_enum, value_name = "WAY", default_value = "minimize")]
    direction: Way,
    /// Seed of all that is drawn [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    study: StudyFlags,
    /// The program and its arguments, after --
    #[arg(required = true, last = true, value_name = "PROGRAM")]
    program: Vec<String>,
}

/// Names of [`Direction`]s.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Way {
    Minimize,
    Maximize,
}

impl TuneCommand {
    pub(crate) fn run(&self, output: Output) -> Result<ExitCode> {
        let template = Template::parse(&self.program)?;
        let space = template.space(self.study.space()?.as_ref())?;
        let direction = match self.direction {
            Way::Minimize => Direction::Minimize,
            Way::Maximize => Direction::Maximize,
        };
        let target = Target {
            kind: KIND,
            label: LABEL,
            direction,
            seed: self.seed,
            settings: serde_json::json!(&self.program),
        };
        let study = self.study.open(&self.out, &target, &space)?;
        let schedule = self.study.schedule();
        let live = Live::new(output, &study, &space, schedule, LABEL)?;
        let objective = Program {
            template,
            folder: self.out.join("trials"),
            on_step: &|worker, number, step, value| live.step(worker, number, step, value),
        };
        let stop = stop_on_ctrl_c()?;
        let done =
            optimize(&study, &space, schedule, &objective, &stop, &mut |event| live.show(&event));
        live.finish();
        done?;
        let results = Results::of(&study, &space, LABEL)?;
        let folder = results.save(&self.out)?;
        if stop.load(Ordering::Relaxed) {
            output.note("Stopped and saved. The same command goes on.");
            return Ok(ExitCode::from(130));
        }
        results.print(output, &folder)?;
        Ok(ExitCode::SUCCESS)
    }
}
