//! `cargo xtask versus`: our training step and encoder beside PyTorch's on the study's autoencoder,
//! measured in turn in the same minutes on the same cores, as a Markdown table. The two programs
//! that measure are `xtask/python/bench_torch.py` and the example `bench_step` of `latents-train`;
//! each prints one line of JSON a call, and here the lines only meet.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;

use crate::Workspace;

#[derive(Args)]
pub(crate) struct Options {
    /// How often each of the four measurements is taken.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Images that are encoded at a time.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    images: u32,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let load = load_average();
    let requirements = workspace.script("requirements.txt");
    let requirements = requirements.to_str().context("the workspace's path is not UTF-8")?;
    let python = workspace.python(
        "python-torch",
        "torch, numpy, safetensors.torch",
        &["--requirement", requirements],
    )?;
    workspace.build(&["--package", "latents-train", "--example", "bench_step"])?;
    if let Some(load) = load.filter(|&load| load > 0.5) {
        println!(
            "warning: the machine was busy (load {load}), which slows PyTorch far more than us"
        );
    }
    // Ours takes every core by itself.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);

    let theirs = || {
        let mut command = Command::new(&python);
        command.arg(workspace.script("bench_torch.py"));
        command.args(["--threads", &threads.to_string()]);
        command
    };
    let ours = || Command::new(workspace.release("examples/bench_step"));
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

/// The mean number of busy threads over the last minute, where the system tells.
fn load_average() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
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
        let memory = "peak_rss_mb";
        let lines = [
            format!(
                "{threads} threads, {} times {} s each; median (lowest to highest)\n",
                options.rounds, options.seconds
            ),
            format!("| | PyTorch {} | latents | ratio |", version.unwrap_or("?")),
            "|---|---|---|---|".to_owned(),
            row("training step, samples/s", train, &self.their_train, &self.our_train)?,
            row("encoding, samples/s", encode, &self.their_encode, &self.our_encode)?,
            row("peak memory of the step, MB", memory, &self.their_train, &self.our_train)?,
            format!(
                "\nOurs trains at {:.1} GFLOP/s, {:.0} % of this machine's measured {:.1}.",
                Spread::of(&self.our_train, "gflops")?.median,
                100.0 * Spread::of(&self.our_train, "fraction_of_peak")?.median,
                Spread::of(&self.our_train, "peak_gflops")?.median,
            ),
        ];
        Ok(lines.join("\n"))
    }
}

fn row(title: &str, key: &str, theirs: &[Value], ours: &[Value]) -> Result<String> {
    let (theirs, ours) = (Spread::of(theirs, key)?, Spread::of(ours, key)?);
    let ratio = ours.median / theirs.median;
    Ok(format!("| {title} | {theirs} | {ours} | {ratio:.2} |"))
}

/// One figure over the rounds.
struct Spread {
    lowest: f64,
    median: f64,
    highest: f64,
}

impl Spread {
    /// The numbers that the lines have under `key`.
    fn of(lines: &[Value], key: &str) -> Result<Self> {
        let mut values = lines
            .iter()
            .map(|line| line[key].as_f64().with_context(|| format!("no number {key} in {line}")))
            .collect::<Result<Vec<f64>>>()?;
        values.sort_by(f64::total_cmp);
        ensure!(!values.is_empty(), "nothing was measured");
        let (middle, last) = (values.len() / 2, values.len() - 1);
        // The mean of the two in the middle, which are one where their number is odd.
        let median = f64::midpoint(values[last / 2], values[middle]);
        Ok(Self { lowest: values[0], median, highest: values[last] })
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} ({:.0} to {:.0})", self.median, self.lowest, self.highest)
    }
}

/// Runs a program that measures, and reads the last line that it prints.
fn measure(command: &mut Command) -> Result<Value> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    ensure!(output.status.success(), "{command:?} ended with {}", output.status);
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().last().unwrap_or_default();
    println!("  {line}");
    serde_json::from_str(line).with_context(|| format!("{command:?} printed no JSON: {line:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn spread_is_over_all_rounds_in_any_order() {
        let lines = [json!({"x": 30.0}), json!({"x": 10.0}), json!({"x": 20.5})];
        let odd = Spread::of(&lines, "x").unwrap();
        assert_eq!((odd.lowest, odd.median, odd.highest), (10.0, 20.5, 30.0));
        let even = Spread::of(&lines[..2], "x").unwrap();
        assert_eq!((even.lowest, even.median, even.highest), (10.0, 20.0, 30.0));
    }

    #[test]
    fn a_missing_number_is_named() {
        let error = Spread::of(&[json!({"x": "fast"})], "x").err().unwrap();
        assert!(error.to_string().contains("no number x"), "{error}");
    }

    #[test]
    fn ratio_is_ours_over_theirs() {
        let (theirs, ours) = ([json!({"x": 1000.0})], [json!({"x": 5500.0})]);
        let expected = "| step | 1000 (1000 to 1000) | 5500 (5500 to 5500) | 5.50 |";
        assert_eq!(row("step", "x", &theirs, &ours).unwrap(), expected);
    }
}
