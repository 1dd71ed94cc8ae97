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

    fn ours(&self, case: &Case, precision: &str, seconds: f64) -> Result<Value> {
        let mut command = Command::new(&self.benchmark);
        command.args(case.arguments).args(["--seconds", &seconds.to_string()]);
        measure(command.args(["--precision", precision]))
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
        let mut ours = PRECISIONS.map(|_| vec![]);
        for round in 1..=options.rounds {
            println!("round {round} of {}", options.rounds);
            for (mode, lines) in &mut theirs {
                lines.push(self.theirs(case, *mode, options.seconds)?);
            }
            for (precision, lines) in PRECISIONS.iter().zip(&mut ours) {
                lines.push(self.ours(case, precision, options.seconds)?);
            }
        }
        Ok(Measured { theirs, ours })
    }
}

/// The JSON lines of every round.
struct Measured {
    /// The fastest mode first.
    theirs: Vec<(Mode, Vec<Value>)>,
    /// In the order of [`PRECISIONS`].
    ours: [Vec<Value>; 2],
}

/// The precisions of `latents`.
const PRECISIONS: [&str; 2] = ["f32", "bf16"];

impl Measured {
    fn table(&self, options: &Options, case: &Case, threads: usize) -> Result<String> {
        self.same_network()?;
        let mut header = vec![String::new()];
        for (Mode { mode, precision }, lines) in &self.theirs {
            let version = lines.first().and_then(|line| line["torch"].as_str());
            header.push(format!("PyTorch {}, {mode}, {precision}", version.unwrap_or("?")));
        }
        header.extend(PRECISIONS.map(|precision| format!("latents, {precision}")));
        header.extend(PRECISIONS.iter().zip(self.compared()).map(|(precision, (mode, _))| {
            format!("{precision}, ratio to {} {}", mode.mode, mode.precision)
        }));
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
            let [full, bf16] = &self.ours;
            lines.push(format!(
                "\n`latents` trains at {:.1} GFLOP/s, counted as the layers are defined: {:.0} % of this machine's \
                 measured {:.1} in f32; in bf16 at {:.1}.",
                Spread::of(full, "gflops")?.median,
                100.0 * Spread::of(full, "fraction_of_peak")?.median,
                Spread::of(full, "peak_gflops")?.median,
                Spread::of(bf16, "gflops")?.median,
            ));
        }
        Ok(lines.join("\n"))
    }

    fn row(&self, title: &str, key: &str) -> Result<String> {
        let spreads = |all: &mut dyn Iterator<Item = &Vec<Value>>| {
            all.map(|lines| Spread::of(lines, key)).collect::<Result<Vec<Spread>>>()
        };
        let theirs = spreads(&mut self.theirs.iter().map(|(_, lines)| lines))?;
        let ours = spreads(&mut self.ours.iter())?;
        let compared = spreads(&mut self.compared().into_iter().map(|(_, lines)| lines))?;
        let mut cells = vec![title.to_owned()];
        cells.extend(theirs.iter().chain(&ours).map(Spread::to_string));
        let ratios = ours.iter().zip(&compared);
        cells.extend(ratios.map(|(ours, theirs)| format!("{:.2}", ours.median / theirs.median)));
        Ok(format!("| {} |", cells.join(" | ")))
    }

    /// What each of our precisions is compared with: f32 with PyTorch's fastest mode in f32, bf16 with its fastest of all.
    fn compared(&self) -> [&(Mode, Vec<Value>); 2] {
        let [first, .., last] = &self.theirs[..] else { return [&self.theirs[0]; 2] };
        [last, first]
    }

    /// Checks that both programs measured networks of the same size.
    fn same_network(&self) -> Result<()> {
        for (_, theirs) in &self.theirs {
            for (theirs, ours) in theirs.iter().zip(self.ours.iter().flatten()) {
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
        Measured { theirs: theirs.collect(), ours: [5500.0, 11000.0].map(|x| vec![line(x, 7)]) }
    }

    #[test]
    fn ratios_are_ours_over_theirs() {
        let one = "| step | 1000 (1000 to 1000) | 5500 (5500 to 5500) | 11000 (11000 to 11000) | 5.50 | 11.00 |";
        assert_eq!(measured(&[1000.0]).row("step", "x").unwrap(), one);
        let both = measured(&[1100.0, 550.0]).row("step", "x").unwrap();
        assert!(both.ends_with("| 11000 (11000 to 11000) | 10.00 | 10.00 |"), "{both}");
    }

    #[test]
    fn networks_of_different_sizes_are_not_compared() {
        let mut other = measured(&[1000.0, 500.0]);
        assert!(other.same_network().is_ok());
        other.ours[0][0]["parameters"] = json!(8);
        let error = other.same_network().unwrap_err().to_string();
        assert_eq!(error, "PyTorch's network has 7 parameters, ours 8");
    }
}
