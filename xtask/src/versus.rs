//! `cargo xtask versus`: measures `latents` and its peers in turn, in the same minutes on the same cores, and prints Markdown tables. Each
//! measurement has its own file. This one holds what they share: the peers' Python environments, programs that print a line of JSON, and
//! medians. The programs that measure are `xtask/python/bench_*.py` and the crates' benchmarks.

mod components;
mod decode;
mod duplicates;
mod functions;
mod modes;
mod network;
mod pythae;
mod python;
mod storage;
mod study;
mod tsne;
mod tune;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use serde_json::Value;

use crate::Workspace;

#[derive(Args)]
#[group(skip)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    step: network::Options,
}

#[derive(Subcommand)]
enum What {
    /// Training step of the study's autoencoder, with PyTorch; the same as `versus` alone.
    Step(network::Options),
    /// Training step of the variational autoencoder, with PyTorch.
    Vae(network::Options),
    /// Training step of a plain convolutional classifier, with PyTorch.
    Cnn(network::Options),
    /// Training step of the classifier of `latents train cnn`, with PyTorch.
    DefaultCnn(network::Options),
    /// Training steps of autoencoders of colour images of 64 x 64, with PyTorch.
    Pictures(network::Options),
    /// Encoder of the study's autoencoder, with PyTorch.
    Encode(network::Options),
    /// `latents tune ae`, with Optuna and PyTorch: time and best trial.
    Tune(tune::Options),
    /// TPE on test functions, with Optuna: the best values found.
    Functions(functions::Options),
    /// t-SNE, with openTSNE.
    Tsne(tsne::Options),
    /// The Python package, with scikit-learn, openTSNE and the command.
    Python(python::Options),
    /// The whole study without its CNN, with PyTorch, scikit-learn and openTSNE.
    Study(study::Options),
    /// Time of a trial besides its objective, with Optuna.
    Storage(storage::Options),
    /// Residual autoencoders of random subsets of a collection, with principal components.
    Components(components::Options),
    /// JPEG files decoded and resized, with torchvision.
    Decode(decode::Options),
    /// Copies found among pictures, with imagededup.
    Duplicates(duplicates::Options),
    /// Kinds of autoencoders, with pythae: time, error, bound and samples.
    Pythae(pythae::Options),
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    match &options.what {
        None => network::run(workspace, &options.step, network::STEP),
        Some(What::Step(options)) => network::run(workspace, options, network::STEP),
        Some(What::Vae(options)) => network::run(workspace, options, network::VAE),
        Some(What::Cnn(options)) => network::run(workspace, options, network::CNN),
        Some(What::DefaultCnn(options)) => network::run(workspace, options, network::DEFAULT_CNN),
        Some(What::Pictures(options)) => network::run(workspace, options, network::PICTURES),
        Some(What::Encode(options)) => network::run(workspace, options, network::ENCODE),
        Some(What::Tune(options)) => tune::run(workspace, options),
        Some(What::Functions(options)) => functions::run(workspace, options),
        Some(What::Tsne(options)) => tsne::run(workspace, options),
        Some(What::Python(options)) => python::run(workspace, options),
        Some(What::Study(options)) => study::run(workspace, options),
        Some(What::Storage(options)) => storage::run(workspace, options),
        Some(What::Components(options)) => components::run(workspace, options),
        Some(What::Decode(options)) => decode::run(workspace, options),
        Some(What::Duplicates(options)) => duplicates::run(workspace, options),
        Some(What::Pythae(options)) => pythae::run(workspace, options),
    }
}

/// A Python environment with PyTorch and Optuna.
fn torch(workspace: &Workspace) -> Result<PathBuf> {
    let modules = "torch, numpy, safetensors.torch, optuna";
    environment(workspace, "python-torch", modules, "requirements.txt")
}

/// A Python environment with Optuna.
fn optuna(workspace: &Workspace) -> Result<PathBuf> {
    environment(workspace, "python-optuna", "numpy, optuna", "requirements-optuna.txt")
}

/// A Python environment with torchvision and imagededup.
fn pictures(workspace: &Workspace) -> Result<PathBuf> {
    let modules = "imagededup, torchvision, PIL, numpy";
    environment(workspace, "python-pictures", modules, "requirements-pictures.txt")
}

fn environment(workspace: &Workspace, name: &str, modules: &str, file: &str) -> Result<PathBuf> {
    let file = workspace.script(file);
    let file = file.to_str().context("the workspace's path is not UTF-8")?;
    workspace.python(name, modules, &["--requirement", file])
}

/// The mean number of busy threads over the last minute, if the system reports it.
fn load_average() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// Warns if the machine was busy.
fn warn_of(load: Option<f64>) {
    if let Some(load) = load.filter(|&load| load > 0.5) {
        println!(
            "warning: the machine was busy (load {load}), which slows PyTorch far more than latents"
        );
    }
}

/// Runs a program that measures, and reads the last line that it prints as JSON.
fn result_of(command: &mut Command) -> Result<Value> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    ensure!(output.status.success(), "{command:?} ended with {}", output.status);
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("{command:?} printed no JSON: {line:?}"))
}

/// [`result_of`], and prints the line.
fn measure(command: &mut Command) -> Result<Value> {
    let line = result_of(command)?;
    println!("  {line}");
    Ok(line)
}

/// The number that a line of JSON has under `key`.
fn number(line: &Value, key: &str) -> Result<f64> {
    line[key].as_f64().with_context(|| format!("no number {key} in {line}"))
}

/// The quantile `q` of ascending values, interpolated linearly as NumPy does.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + at.fract() * (above - below)
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
        let values = lines.iter().map(|line| number(line, key));
        let mut values = values.collect::<Result<Vec<f64>>>()?;
        values.sort_by(f64::total_cmp);
        ensure!(!values.is_empty(), "nothing was measured");
        let [lowest, median, highest] = [0.0, 0.5, 1.0].map(|q| quantile(&values, q));
        Ok(Self { lowest, median, highest })
    }
}

/// With as many digits after the point as the format says, or none.
impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = f.precision().unwrap_or(0);
        let Self { lowest, median, highest } = self;
        write!(f, "{median:.digits$} ({lowest:.digits$} to {highest:.digits$})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use serde_json::json;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn versus_alone_is_versus_step() {
        let parse = |words: &[&str]| Line::try_parse_from([&["versus"], words].concat());
        let alone = parse(&["--rounds", "3"]).unwrap().options;
        assert!(alone.what.is_none());
        assert_eq!(alone.step.rounds, 3);
        let step = parse(&["step", "--rounds", "4"]).unwrap().options;
        assert!(matches!(step.what, Some(What::Step(step)) if step.rounds == 4));
        assert!(matches!(parse(&["storage"]).unwrap().options.what, Some(What::Storage(_))));
        assert!(parse(&["--rounds", "3", "tune"]).is_err(), "whose rounds?");
    }

    #[test]
    fn spread_is_over_all_rounds_in_any_order() {
        let lines = [json!({"x": 30.0}), json!({"x": 10.0}), json!({"x": 20.5})];
        let odd = Spread::of(&lines, "x").unwrap();
        assert_eq!((odd.lowest, odd.median, odd.highest), (10.0, 20.5, 30.0));
        let even = Spread::of(&lines[..2], "x").unwrap();
        assert_eq!((even.lowest, even.median, even.highest), (10.0, 20.0, 30.0));
        assert_eq!(format!("{even} {odd:.1}"), "20 (10 to 30) 20.5 (10.0 to 30.0)");
    }

    #[test]
    fn a_missing_number_is_named() {
        let error = Spread::of(&[json!({"x": "fast"})], "x").err().unwrap();
        assert!(error.to_string().contains("no number x"), "{error}");
    }

    #[test]
    fn quantiles_are_those_of_numpy() {
        let values = [1.0, 2.0, 4.0, 8.0];
        let quartiles = [0.25, 0.5, 0.75].map(|q| quantile(&values, q).to_string());
        assert_eq!(quartiles, ["1.75", "3", "5"]);
        assert_eq!(quantile(&[7.0], 0.75).to_string(), "7");
    }
}
