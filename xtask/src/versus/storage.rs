//! `cargo xtask versus storage`: compares the time of a trial besides its objective with Optuna: requesting it, sampling five values by TPE,
//! completing it, all kept in an SQLite file. The programs that measure are `xtask/python/bench_overhead.py` and the benchmark `overhead` of
//! `latents-tune`.

use std::process::Command;

use anyhow::Result;
use clap::Args;
use serde_json::Value;

use super::{Spread, load_average, measure, optuna, warn_of};
use crate::Workspace;

#[derive(Args)]
pub(crate) struct Options {
    /// How often each measurement is taken.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Trials of a study.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    trials: u32,
}

pub(super) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let load = load_average();
    let python = optuna(workspace)?;
    let benchmark = workspace.benchmark("latents-tune", "overhead")?;
    warn_of(load);
    let trials = options.trials.to_string();
    let with = |mut command: Command, storage: &str| {
        measure(command.args(["--trials", &trials, "--storage", storage]))
    };
    let ours = || Command::new(&benchmark);

    let mut measured = Measured::default();
    for round in 1..=options.rounds {
        println!("round {round} of {}", options.rounds);
        // Not in the system's temporary folder, which may be in memory.
        let folder = tempfile::tempdir_in(&workspace.target)?;
        let file = |name| format!("sqlite:///{}", folder.path().join(name).display());
        let mut theirs = Command::new(&python);
        theirs.arg(workspace.script("bench_overhead.py"));
        measured.theirs.push(with(theirs, &file("theirs.db"))?);
        measured.ours.push(with(ours(), &file("ours.db"))?);
        measured.in_memory.push(with(ours(), "memory:")?);
    }
    println!("\n{}", measured.table(options)?);
    Ok(())
}

/// The JSON lines of every round.
#[derive(Default)]
struct Measured {
    theirs: Vec<Value>,
    ours: Vec<Value>,
    in_memory: Vec<Value>,
}

impl Measured {
    fn table(&self, options: &Options) -> Result<String> {
        let version = self.theirs.first().and_then(|line| line["optuna"].as_str());
        let key = "ms_per_trial";
        let (theirs, ours) = (Spread::of(&self.theirs, key)?, Spread::of(&self.ours, key)?);
        let in_memory = Spread::of(&self.in_memory, key)?;
        let lines = [
            format!(
                "{} trials, {} times; median (lowest to highest)\n",
                options.trials, options.rounds
            ),
            format!("| | Optuna {} | latents | ratio |", version.unwrap_or("?")),
            "|---|---|---|---|".to_owned(),
            format!(
                "| a trial without its objective, ms | {theirs:.2} | {ours:.2} | {:.3} |",
                ours.median / theirs.median
            ),
            format!(
                "\nOf ours, {:.2} ms are the sampler and the study in memory, {:.2} ms the file.",
                in_memory.median,
                ours.median - in_memory.median
            ),
        ];
        Ok(lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_file_is_what_memory_does_not_cost() {
        let lines = |values: [f64; 2]| values.map(|ms| json!({"ms_per_trial": ms})).to_vec();
        let measured = Measured {
            theirs: lines([50.0, 30.0]),
            ours: lines([1.0, 3.0]),
            in_memory: lines([0.5, 1.0]),
        };
        let text = measured.table(&Options { rounds: 2, trials: 9 }).unwrap();
        assert!(
            text.contains("| 40.00 (30.00 to 50.00) | 2.00 (1.00 to 3.00) | 0.050 |"),
            "{text}"
        );
        assert!(text.contains("0.75 ms are the sampler"), "{text}");
        assert!(text.ends_with("1.25 ms the file."), "{text}");
    }
}
