//! `cargo xtask versus vae` and `versus cnn`: compares the training step with PyTorch's on other networks than the autoencoder. The programs that
//! measure are `xtask/python/bench_torch.py` and the benchmark `step` of `latents-train`.

use std::process::Command;

use anyhow::Result;
use clap::Args;

use super::step::row;
use super::{Spread, load_average, measure, torch, warn_of};
use crate::Workspace;

#[derive(Args)]
pub(crate) struct Options {
    /// How often each of the two measurements is taken.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
}

/// The command of both programs for the variational autoencoder of the reference study, with a Bernoulli likelihood.
pub(super) const VAE: &str = "vae-step";
/// The command of both programs for a plain convolutional classifier with normalisation.
pub(super) const CNN: &str = "cnn-step";

pub(super) fn run(workspace: &Workspace, options: &Options, network: &str) -> Result<()> {
    let load = load_average();
    let python = torch(workspace)?;
    let benchmark = workspace.benchmark("latents-train", "step")?;
    warn_of(load);
    // `latents` takes every core by default.
    let threads = std::thread::available_parallelism().map_or(1, usize::from).to_string();
    let seconds = options.seconds.to_string();
    let (mut theirs, mut ours) = (vec![], vec![]);
    for round in 1..=options.rounds {
        println!("round {round} of {}", options.rounds);
        let mut command = Command::new(&python);
        command.arg(workspace.script("bench_torch.py")).args(["--threads", &threads]);
        theirs.push(measure(command.args([network, "--seconds", &seconds]))?);
        let mut command = Command::new(&benchmark);
        ours.push(measure(command.args([network, "--seconds", &seconds]))?);
    }
    let version = theirs.first().and_then(|line| line["torch"].as_str());
    let lines = [
        format!(
            "{threads} threads, {} times {} s each; median (lowest to highest)\n",
            options.rounds, options.seconds
        ),
        format!("| | PyTorch {} | latents | ratio |", version.unwrap_or("?")),
        "|---|---|---|---|".to_owned(),
        row("training step, samples/s", "train_samples_per_second", &theirs, &ours)?,
        row("peak memory of the step, MiB", "peak_rss_mib", &theirs, &ours)?,
        format!(
            "\n`latents` trains at {:.1} GFLOP/s, counted as the layers are defined: {:.0} % of this machine's \
             measured {:.1}.",
            Spread::of(&ours, "gflops")?.median,
            100.0 * Spread::of(&ours, "fraction_of_peak")?.median,
            Spread::of(&ours, "peak_gflops")?.median,
        ),
    ];
    println!("\n{}", lines.join("\n"));
    Ok(())
}
