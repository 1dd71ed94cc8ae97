//! `cargo xtask versus step`, `vae`, `cnn`, `default-cnn`, `pictures` and `encode`: compares training steps, and the encoder of the study's
//! autoencoder, with PyTorch's in its fastest mode. The programs that measure are `xtask/python/bench_torch.py` and the benchmark `step` of
//! `latents-train`, which know the networks by the same names.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};
use clap::Args;
use serde_json::Value;

use super::modes::{self, MODES, Mode, Tried};
use super::{Spread, load_average, measure, torch, warn_of};
use crate::Workspace;

#[derive(Args)]
pub(crate) struct Options {
    /// How often each measurement is taken.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rounds: u32,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Seconds of each of PyTorch's modes in the trial that finds the fastest.
    #[arg(long, default_value_t = 3.0)]
    trial_seconds: f64,
}

/// A measurement.
pub(super) struct Case {
    title: &'static str,
    /// Of both programs.
    arguments: &'static [&'static str],
}

const TRAINING: &str = "train_samples_per_second";
const ENCODING: &str = "encode_samples_per_second";

impl Case {
    const fn new(title: &'static str, arguments: &'static [&'static str]) -> Self {
        Case { title, arguments }
    }

    /// The speed in the lines of JSON.
    fn key(&self) -> &'static str {
        if self.arguments[0] == "encode" { ENCODING } else { TRAINING }
    }
}

pub(super) const STEP: &[Case] =
    &[Case::new("the study's autoencoder, batch 256", &["train-step"])];
pub(super) const VAE: &[Case] = &[Case::new(
    "the study's variational autoencoder with a Bernoulli likelihood, batch 256",
    &["vae-step"],
)];
pub(super) const CNN: &[Case] =
    &[Case::new("a plain convolutional classifier with normalisation, batch 256", &["cnn-step"])];
/// The batch is the default of `latents train cnn`.
pub(super) const DEFAULT_CNN: &[Case] = &[Case::new(
    "the classifier of `latents train cnn`, batch 128",
    &["default-cnn-step", "--batch", "128"],
)];
pub(super) const PICTURES: &[Case] = &[
    Case::new("pictures, the study's design, batch 32", &["pictures-step", "--batch", "32"]),
    Case::new("pictures, the study's design, batch 256", &["pictures-step", "--batch", "256"]),
    Case::new("pictures, residual, batch 32", &["residual-pictures-step", "--batch", "32"]),
    Case::new("pictures, residual, batch 256", &["residual-pictures-step", "--batch", "256"]),
];
pub(super) const ENCODE: &[Case] = &[Case::new(
    "the encoder of the study's autoencoder, 10,000 images at a time",
    &["encode", "--images", "10000"],
)];

pub(super) fn run(workspace: &Workspace, options: &Options, cases: &[Case]) -> Result<()> {
    let load = load_average();
    let programs = Programs {
        python: torch(workspace)?,
        script: workspace.script("bench_torch.py"),
        benchmark: workspace.benchmark("latents-train", "step")?,
        // `latents` takes every core by default.
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    };
    warn_of(load);
    let mut tables = vec![];
    for case in cases {
        println!("{}", case.title);
        let measured = programs.measure(options, case)?;
        tables.push(measured.table(options, case, programs.threads)?);
    }
    println!("\n{}", tables.join("\n\n"));
    Ok(())
}

/// What measures.
struct Programs {
    python: PathBuf,
    script: PathBuf,
    benchmark: PathBuf,
    threads: usize,
}

impl Programs {
    fn theirs(&self, case: &Case, mode: Mode, seconds: f64) -> Result<Value> {
        let mut command = Command::new(&self.python);
        command.arg(&self.script).args(["--threads", &self.threads.to_string()]);
        command.args(case.arguments).args(["--seconds", &seconds.to_string()]);
        measure(command.args(["--mode", mode.mode, "--precision", mode.precision]))
    }

    fn ours(&self, case: &Case, seconds: f64) -> Result<Value> {
        let mut command = Command::new(&self.benchmark);
        measure(command.args(case.arguments).args(["--seconds", &seconds.to_string()]))
    }

    /// Tries PyTorch's modes, then takes the best and us in turn.
    fn measure(&self, options: &Options, case: &Case) -> Result<Measured> {
        println!("trial of PyTorch's modes");
        let tried = |mode| {
            let line = self.theirs(case, mode, options.trial_seconds)?;
            Ok(Tried { mode, line })
        };
        let trial = MODES.into_iter().map(tried).collect::<Result<Vec<Tried>>>()?;
        println!("\n{}\n", modes::table(&trial, case.key()));
        let chosen = modes::chosen(&trial, case.key())?;
        let mut theirs: Vec<(Mode, Vec<Value>)> =
            chosen.into_iter().map(|mode| (mode, vec![])).collect();
        let mut ours = vec![];
        for round in 1..=options.rounds {
            println!("round {round} of {}", options.rounds);
            for (mode, lines) in &mut theirs {
                lines.push(self.theirs(case, *mode, options.seconds)?);
            }
            ours.push(self.ours(case, options.seconds)?);
        }
        Ok(Measured { theirs, ours })
    }
}

/// The JSON lines of every round.
struct Measured {
    /// The fastest mode first.
    theirs: Vec<(Mode, Vec<Value>)>,
    ours: Vec<Value>,
}

impl Measured {
    fn table(&self, options: &Options, case: &Case, threads: usize) -> Result<String> {
        self.same_network()?;
        let mut header = vec![String::new()];
        for (Mode { mode, precision }, lines) in &self.theirs {
            let version = lines.first().and_then(|line| line["torch"].as_str());
            header.push(format!("PyTorch {}, {mode}, {precision}", version.unwrap_or("?")));
        }
        header.push("latents".into());
        header.extend(self.theirs.iter().map(|(mode, _)| format!("ratio to {}", mode.precision)));
        let mut lines = vec![
            format!(
                "{}: {threads} threads, {} times {} s each; median (lowest to highest)\n",
                case.title, options.rounds, options.seconds
            ),
            format!("|{} |", header.join(" | ")),
            format!("|{}", "---|".repeat(header.len())),
            self.row("samples/s", case.key())?,
            self.row("peak memory, MiB", "peak_rss_mib")?,
        ];
        if case.key() == TRAINING {
            lines.push(format!(
                "\n`latents` trains at {:.1} GFLOP/s, counted as the layers are defined: {:.0} % of this machine's \
                 measured {:.1}.",
                Spread::of(&self.ours, "gflops")?.median,
                100.0 * Spread::of(&self.ours, "fraction_of_peak")?.median,
                Spread::of(&self.ours, "peak_gflops")?.median,
            ));
        }
        Ok(lines.join("\n"))
    }

    fn row(&self, title: &str, key: &str) -> Result<String> {
        let ours = Spread::of(&self.ours, key)?;
        let theirs = self.theirs.iter().map(|(_, lines)| Spread::of(lines, key));
        let theirs = theirs.collect::<Result<Vec<Spread>>>()?;
        let mut cells = vec![title.to_owned()];
        cells.extend(theirs.iter().map(Spread::to_string));
        cells.push(ours.to_string());
        cells.extend(theirs.iter().map(|theirs| format!("{:.2}", ours.median / theirs.median)));
        Ok(format!("| {} |", cells.join(" | ")))
    }

    /// Checks that both programs measured networks of the same size.
    fn same_network(&self) -> Result<()> {
        for (_, theirs) in &self.theirs {
            for (theirs, ours) in theirs.iter().zip(&self.ours) {
                let [theirs, ours] = [&theirs["parameters"], &ours["parameters"]];
                ensure!(theirs == ours, "PyTorch's network has {theirs} parameters, ours {ours}");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn measured(theirs: &[f64]) -> Measured {
        let line = |speed: f64, parameters: u32| json!({"x": speed, "parameters": parameters});
        let theirs = MODES.iter().zip(theirs).map(|(&mode, &x)| (mode, vec![line(x, 7)]));
        Measured { theirs: theirs.collect(), ours: vec![line(5500.0, 7)] }
    }

    #[test]
    fn ratios_are_ours_over_theirs() {
        let one = "| step | 1000 (1000 to 1000) | 5500 (5500 to 5500) | 5.50 |";
        assert_eq!(measured(&[1000.0]).row("step", "x").unwrap(), one);
        let both = measured(&[1100.0, 550.0]).row("step", "x").unwrap();
        assert!(both.ends_with("| 550 (550 to 550) | 5500 (5500 to 5500) | 5.00 | 10.00 |"));
    }

    #[test]
    fn networks_of_different_sizes_are_not_compared() {
        let mut other = measured(&[1000.0, 500.0]);
        assert!(other.same_network().is_ok());
        other.ours[0]["parameters"] = json!(8);
        let error = other.same_network().unwrap_err().to_string();
        assert_eq!(error, "PyTorch's network has 7 parameters, ours 8");
    }
}
