//! `cargo xtask versus step`: compares the training step and the encoder of the study's autoencoder with PyTorch's. The programs that measure are
//! `xtask/python/bench_torch.py` and the benchmark `step` of `latents-train`.

use std::process::Command;

use anyhow::Result;
use clap::Args;
use serde_json::Value;

use super::{Spread, load_average, measure, torch, warn_of};
use crate::Workspace;

#[derive(Args)]
pub(crate) struct Options {
    /// How often each of the four measurements is taken.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rounds: u32,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Images that are encoded at a time.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    images: u32,
}

pub(super) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let load = load_average();
    let python = torch(workspace)?;
    let benchmark = workspace.benchmark("latents-train", "step")?;
    warn_of(load);
    // `latents` takes every core by default.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);

    let theirs = || {
        let mut command = Command::new(&python);
        command.arg(workspace.script("bench_torch.py"));
        command.args(["--threads", &threads.to_string()]);
        command
    };
    let ours = || Command::new(&benchmark);
    let seconds = options.seconds.to_string();
    let images = options.images.to_string();
    let train = ["train-step", "--seconds", &seconds];
    let encode = ["encode", "--images", &images, "--seconds", &seconds];

    let mut measured = Measured::default();
    for round in 1..=options.rounds {
        println!("round {round} of {}", options.rounds);
        measured.their_train.push(measure(theirs().args(train))?);
        measured.our_train.push(measure(ours().args(train))?);
        measured.their_encode.push(measure(theirs().args(encode))?);
        measured.our_encode.push(measure(ours().args(encode))?);
    }
    println!("\n{}", measured.table(options, threads)?);
    Ok(())
}

/// The JSON lines of every round, by program and measurement.
#[derive(Default)]
struct Measured {
    their_train: Vec<Value>,
    our_train: Vec<Value>,
    their_encode: Vec<Value>,
    our_encode: Vec<Value>,
}

impl Measured {
    fn table(&self, options: &Options, threads: usize) -> Result<String> {
        let version = self.their_train.first().and_then(|line| line["torch"].as_str());
        let train = "train_samples_per_second";
        let encode = "encode_samples_per_second";
        let memory = "peak_rss_mib";
        let lines = [
            format!(
                "{threads} threads, {} times {} s each; median (lowest to highest)\n",
                options.rounds, options.seconds
            ),
            format!("| | PyTorch {} | latents | ratio |", version.unwrap_or("?")),
            "|---|---|---|---|".to_owned(),
            row("training step, samples/s", train, &self.their_train, &self.our_train)?,
            row("encoding, samples/s", encode, &self.their_encode, &self.our_encode)?,
            row("peak memory of the step, MiB", memory, &self.their_train, &self.our_train)?,
            format!(
                "\n`latents` trains at {:.1} GFLOP/s, {:.0} % of this machine's measured {:.1}.",
                Spread::of(&self.our_train, "gflops")?.median,
                100.0 * Spread::of(&self.our_train, "fraction_of_peak")?.median,
                Spread::of(&self.our_train, "peak_gflops")?.median,
            ),
        ];
        Ok(lines.join("\n"))
    }
}

pub(super) fn row(title: &str, key: &str, theirs: &[Value], ours: &[Value]) -> Result<String> {
    let (theirs, ours) = (Spread::of(theirs, key)?, Spread::of(ours, key)?);
    let ratio = ours.median / theirs.median;
    Ok(format!("| {title} | {theirs} | {ours} | {ratio:.2} |"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ratio_is_ours_over_theirs() {
        let (theirs, ours) = ([json!({"x": 1000.0})], [json!({"x": 5500.0})]);
        let expected = "| step | 1000 (1000 to 1000) | 5500 (5500 to 5500) | 5.50 |";
        assert_eq!(row("step", "x", &theirs, &ours).unwrap(), expected);
    }
}
