//! `cargo xtask versus pythae`: trains the kinds of autoencoders that `latents` and pythae both have, in turn, and compares an epoch's time,
//! the error and the bound on the test images, and samples. Either the networks and epochs are the same, or each side has some minutes, and
//! ours has its best networks. pythae's side is `xtask/python/bench_pythae.py`; `xtask/python/score_samples.py` scores the samples of both.
//! The kinds, with our settings, are in [`kinds`].

mod kinds;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use self::kinds::{KINDS, Kind};
use super::{environment, load_average, measure, number, quantile, result_of, tune, warn_of};
use crate::Workspace;

#[derive(Args)]
pub(crate) struct Options {
    /// Kinds to compare [default: all]
    #[arg(long, value_delimiter = ',', value_parser = kinds::names())]
    kinds: Vec<String>,
    /// Networks of both sides; with `--minutes`, of pythae.
    #[arg(long, value_enum, default_value_t = Architecture::Study)]
    architecture: Architecture,
    /// Passes over the training images.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: u32,
    /// Train each side for M minutes, ours with its best networks and settings, and take its best sampler.
    #[arg(long, value_name = "M", num_args = 0..=1, default_missing_value = "15",
        conflicts_with = "epochs")]
    minutes: Option<f64>,
    /// Dimensions of the latents.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    latent_dim: u32,
    /// Epochs in which pythae fits the samplers that it trains: `PixelCNN` and MAF.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    sampler_epochs: u32,
    /// Samples of each sampler.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(5..))]
    samples: u32,
    /// Use only the first N training images, to see whether the chore works.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(5..))]
    images: Option<u32>,
    /// Use only the first N test images.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(5..))]
    test_images: Option<u32>,
    /// Threads that each program may use [default: all]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    threads: Option<u32>,
    /// Seed of both sides.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// File for everything that was measured.
    #[arg(long, value_name = "FILE.json")]
    out: Option<PathBuf>,
    /// Program to measure [default: the workspace's, which is built first]
    #[arg(long, value_name = "PROGRAM")]
    latents: Option<PathBuf>,
}

impl Options {
    /// The flags, which both sides have, that limit the images.
    fn limits(&self) -> impl Iterator<Item = String> {
        let all = [("--train-limit", self.images), ("--test-limit", self.test_images)];
        all.into_iter().flat_map(|(flag, limit)| {
            limit.into_iter().flat_map(move |n| [flag.to_owned(), n.to_string()])
        })
    }
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Architecture {
    /// Those of the reference study.
    Study,
    /// Those that pythae has for MNIST.
    Pythae,
}

impl Architecture {
    fn name(self) -> &'static str {
        match self {
            Architecture::Study => "study",
            Architecture::Pythae => "pythae",
        }
    }
}

/// What the chore works with.
struct Bench<'a> {
    workspace: &'a Workspace,
    options: &'a Options,
    python: PathBuf,
    latents: PathBuf,
    data: PathBuf,
    folder: PathBuf,
    threads: String,
}

pub(super) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let load = load_average();
    let modules = "torch, numpy, scipy, sklearn, pythae.models, safetensors.torch";
    let python = environment(workspace, "python-pythae", modules, "requirements-pythae.txt")?;
    let latents = if let Some(program) = &options.latents {
        program.clone()
    } else {
        workspace.build_command()?;
        workspace.release("latents")
    };
    warn_of(load);
    let data = tune::fashion_mnist(&latents)?;
    let temporary = tempfile::tempdir_in(&workspace.target)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u32;
    let threads = options.threads.unwrap_or(cores).to_string();
    let folder = temporary.path().to_owned();
    let bench = Bench { workspace, options, python, latents, data, folder, threads };

    let mut rows = vec![];
    for kind in &KINDS {
        if !options.kinds.is_empty() && !options.kinds.iter().any(|name| name == kind.name) {
            continue;
        }
        if !bench.has(kind)? {
            println!("{}: left out, as there is no `latents train {}`", kind.name, kind.command);
            continue;
        }
        println!("{}", kind.name);
        rows.push(bench.ours(kind).with_context(|| format!("our {}", kind.name))?);
        rows.push(bench.theirs(kind).with_context(|| format!("pythae's {}", kind.name))?);
    }
    ensure!(!rows.is_empty(), "nothing to compare");
    let scores = bench.scores(&rows)?;
    for row in &mut rows {
        choose(row, &scores)?;
    }
    println!("\n{}", table(&rows, &scores, options)?);
    if let Some(out) = &options.out {
        let all = json!({"minutes": options.minutes, "architecture": options.architecture.name(),
            "latent_dim": options.latent_dim, "threads": bench.threads, "scores": scores, "rows": rows});
        std::fs::write(out, serde_json::to_string_pretty(&all)?)?;
    }
    Ok(())
}

impl Bench<'_> {
    /// Whether our program has a kind's command.
    fn has(&self, kind: &Kind) -> Result<bool> {
        let mut help = Command::new(&self.latents);
        help.args(["train", kind.command, "--help"]).stdout(Stdio::null()).stderr(Stdio::null());
        let status = help.status().with_context(|| format!("cannot start {help:?}"))?;
        Ok(status.success())
    }

    /// Trains, measures and samples with `latents`.
    fn ours(&self, kind: &Kind) -> Result<Value> {
        let run = self.folder.join(format!("{}-ours", kind.name));
        let config = self.folder.join("config.toml");
        let mut train = Command::new(&self.latents);
        train.args(["train", kind.command, "--json", "--data", "fashion-mnist", "--out"]).arg(&run);
        train.args(["--threads", &self.threads, "--seed", &self.options.seed.to_string()]);
        train.args(kind.settings(self.options));
        if let Some(text) = kind.config(self.options) {
            std::fs::write(&config, text)?;
            train.arg("--config").arg(&config);
        }
        train.args(self.options.limits());
        let trained = result_of(&mut train)?;

        let mut evaluate = Command::new(&self.latents);
        evaluate.arg("evaluate").arg(&run).args(["--json", "--threads", &self.threads]);
        let card = result_of(&mut evaluate)?;
        let bound = kind.has_bound.then(|| &card["bounds"]["iwae"]["value"]);
        let samplers =
            if self.options.minutes.is_some() { kind.samplers } else { &kind.samplers[..1] };
        let (mut samples, mut sampling) = (json!({}), json!({}));
        for &sampler in samplers {
            let file = self.folder.join(format!("{}-ours-{sampler}.npz", kind.name));
            let mut sample = Command::new(&self.latents);
            sample.arg("sample").arg("--run").arg(&run).arg("--out").arg(&file);
            sample.args(["--json", "--sampler", sampler, "--threads", &self.threads]);
            let start = Instant::now();
            result_of(sample.args(["--n", &self.options.samples.to_string()]))?;
            sampling[sampler] = start.elapsed().as_secs_f64().into();
            samples[sampler] = file.to_str().context("a path that is not UTF-8")?.into();
        }
        let line = json!({"kind": kind.name, "program": "latents", "epochs": trained["epochs"],
            "epoch_seconds": median_epoch(&run)?, "seconds": trained["seconds"],
            "test_error": card["mean_squared_error"], "bound": bound, "samples": samples,
            "sampling_seconds": sampling});
        println!("  {line}");
        Ok(line)
    }

    /// The same with pythae.
    fn theirs(&self, kind: &Kind) -> Result<Value> {
        let options = self.options;
        let mut command = Command::new(&self.python);
        command.arg(self.workspace.script("bench_pythae.py"));
        command.args(["--kind", kind.name, "--threads", &self.threads]);
        command.arg("--data").arg(&self.data).arg("--out").arg(&self.folder);
        command.args(["--lr", kinds::RATE, "--latent-dim", &options.latent_dim.to_string()]);
        command.args(["--samples", &options.samples.to_string()]);
        command.args(["--sampler-epochs", &options.sampler_epochs.to_string()]);
        command.args(["--seed", &options.seed.to_string()]);
        if let Some(minutes) = options.minutes {
            command.args(["--minutes", &minutes.to_string()]);
        } else {
            command.args(["--epochs", &options.epochs.to_string()]);
        }
        let batch = match (options.minutes, options.architecture) {
            (Some(_), Architecture::Pythae) => kinds::PYTHAE_BATCH,
            _ => kinds::BATCH,
        };
        command.args(["--architecture", options.architecture.name(), "--batch-size", batch]);
        command.args(options.limits());
        let mut line = measure(&mut command)?;
        line["kind"] = kind.name.into();
        line["program"] = "pythae".into();
        // Ours trains such a prior in the same epoch.
        if let Some(prior) = line["prior_epoch_seconds"].as_f64() {
            line["epoch_seconds"] = (number(&line, "epoch_seconds")? + prior).into();
        }
        Ok(line)
    }

    /// The scores of all samples, in the features of one classifier.
    fn scores(&self, rows: &[Value]) -> Result<Value> {
        let mut command = Command::new(&self.python);
        command.arg(self.workspace.script("score_samples.py")).arg("--data").arg(&self.data);
        command.arg("--extractor").arg(self.workspace.target.join("versus-pythae-classifier.pt"));
        command.args(["--threads", &self.threads]);
        let limit = self.options.test_images;
        command.args(limit.iter().flat_map(|n| ["--test-limit".to_owned(), n.to_string()]));
        let files = rows.iter().filter_map(|row| row["samples"].as_object());
        command.args(files.flat_map(|files| files.values().filter_map(Value::as_str)));
        result_of(&mut command)
    }
}

/// The median seconds of an epoch of our run.
fn median_epoch(run: &Path) -> Result<f64> {
    let path = run.join("metrics.jsonl");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut seconds = vec![];
    for line in text.lines() {
        let epoch: Value = serde_json::from_str(line)?;
        // Before the first epoch, a residual design measures the components that it starts from.
        if number(&epoch, "epoch")? >= 1.0 {
            seconds.push(number(&epoch, "seconds")?);
        }
    }
    ensure!(!seconds.is_empty(), "{} has no epoch", path.display());
    seconds.sort_by(f64::total_cmp);
    Ok(quantile(&seconds, 0.5))
}

/// Gives a row the sampler that is nearest to the training images, with its scores, in place of all of them.
fn choose(row: &mut Value, scores: &Value) -> Result<()> {
    let files = row["samples"].as_object().context("no samples")?;
    let mut scored = vec![];
    for (sampler, file) in files {
        let score = &scores["files"][file.as_str().unwrap_or_default()];
        scored.push((number(score, "frechet_to_train")?, sampler.clone(), score.clone()));
    }
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all = scored.iter().map(|(_, sampler, score)| (sampler.clone(), score.clone()));
    row["samples"] = Value::Object(all.collect());
    let (_, sampler, score) = scored.into_iter().next().context("no samples")?;
    row["sampler"] = sampler.into();
    for key in ["frechet", "precision", "recall"] {
        row[key] = score[key].clone();
    }
    Ok(())
}

/// Head, key and digits after the point of each column of numbers.
const COLUMNS: [(&str, &str, usize); 8] = [
    ("epochs", "epochs", 0),
    ("s/epoch", "epoch_seconds", 2),
    ("training, s", "seconds", 0),
    ("test error", "test_error", 5),
    ("bound, nats", "bound", 1),
    ("Fréchet", "frechet", 1),
    ("precision", "precision", 3),
    ("recall", "recall", 3),
];

fn table(rows: &[Value], scores: &Value, options: &Options) -> Result<String> {
    let networks = match (options.minutes, options.architecture) {
        (Some(minutes), architecture) => {
            let theirs = architecture.name();
            format!("{minutes} minutes each; pythae with the networks of `--architecture {theirs}`")
        }
        (None, Architecture::Study) => "networks of the reference study".to_owned(),
        (None, Architecture::Pythae) => "pythae's networks for MNIST".to_owned(),
    };
    let heads = COLUMNS.map(|(head, ..)| head).join(" | ");
    let mut lines = vec![
        format!("Fashion-MNIST, {networks}; {} latents\n", options.latent_dim),
        format!("| kind | program | {heads} | sampler |"),
        format!("|{}", "---|".repeat(COLUMNS.len() + 3)),
    ];
    for row in rows {
        let cells = COLUMNS.map(|(_, key, digits)| {
            row[key].as_f64().map_or_else(String::new, |x| format!("{x:.digits$}"))
        });
        let [kind, program, sampler] =
            ["kind", "program", "sampler"].map(|key| row[key].as_str().unwrap_or("?"));
        lines.push(format!("| {kind} | {program} | {} | {sampler} |", cells.join(" | ")));
    }
    let floor = &scores["floor"];
    lines.push(format!(
        "\ntest error: mean squared error of a pixel, 0 to 1. bound: importance-weighted, 50 draws, \
         Bernoulli likelihood. Fréchet, precision and recall: with the test images, in the features of \
         one classifier ({:.1} % of them right); training images have {:.1}, {:.3} and {:.3}. s/epoch of a \
         VQ-VAE: with an epoch of its prior, which pythae trains afterwards.",
        100.0 * number(scores, "accuracy")?,
        number(floor, "frechet")?,
        number(floor, "precision")?,
        number(floor, "recall")?
    ));
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    pub(super) fn options(words: &[&str]) -> Options {
        Line::try_parse_from([&["pythae"], words].concat()).unwrap().options
    }

    #[test]
    fn minutes_exclude_what_they_decide() {
        assert_eq!(options(&[]).minutes, None);
        assert_eq!(options(&["--minutes"]).minutes, Some(15.0));
        assert_eq!(options(&["--minutes", "0.5"]).minutes, Some(0.5));
        assert_eq!(options(&["--kinds", "ae,wae"]).kinds, ["ae", "wae"]);
        for words in [&["--minutes", "--epochs", "3"][..], &["--kinds", "gan"]] {
            assert!(Line::try_parse_from([&["pythae"], words].concat()).is_err(), "{words:?}");
        }
    }

    #[test]
    fn an_epochs_time_is_the_median_without_the_start() {
        let run = tempfile::tempdir().unwrap();
        let lines = [(0, 90.0), (1, 4.0), (2, 2.0), (3, 3.0)];
        let lines = lines.map(|(epoch, s)| json!({"epoch": epoch, "seconds": s}).to_string());
        std::fs::write(run.path().join("metrics.jsonl"), lines.join("\n")).unwrap();
        assert_eq!(median_epoch(run.path()).unwrap().to_string(), "3");
    }

    #[test]
    fn a_row_has_the_sampler_that_is_nearest_to_the_training_images() {
        let score = |to_train: f64, frechet: f64| json!({"frechet": frechet, "frechet_to_train": to_train, "precision": 0.5, "recall": 0.25});
        let scores = json!({"accuracy": 0.9, "floor": score(0.1, 0.2),
            "files": {"a.npz": score(9.0, 1.0), "b.npz": score(3.0, 4.0)}});
        let mut row = json!({"kind": "vae", "program": "latents", "epochs": 2, "epoch_seconds": 1.5,
            "seconds": 3.0, "test_error": 0.0125, "bound": null,
            "samples": {"normal": "a.npz", "flow": "b.npz"}});
        choose(&mut row, &scores).unwrap();
        let text = table(&[row], &scores, &options(&[])).unwrap();
        let line = "| vae | latents | 2 | 1.50 | 3 | 0.01250 |  | 4.0 | 0.500 | 0.250 | flow |";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("(90.0 % of them right); training images have 0.2, 0.500"), "{text}");
        let mut other = json!({"samples": {"normal": "c.npz"}});
        assert!(choose(&mut other, &scores).is_err());
    }
}
