//! `cargo xtask versus study`: `latents study --no-cnn`, whole, beside the same epochs and maps with PyTorch, scikit-learn and openTSNE
//! (`xtask/python/bench_study.py`). Theirs would take hours, so an epoch of each network is timed over a few and multiplied by those
//! that our stage trained.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};

use super::{environment, load_average, number, result_of, warn_of};
use crate::Workspace;

#[derive(Args)]
pub(crate) struct Options {
    /// Epochs of each of their networks that are timed.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: u32,
    /// Threads that each may use.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    threads: u32,
    /// Small budgets, to see whether the chore works.
    #[arg(long)]
    quick: bool,
    /// Folder of our study, which must not be begun yet [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let load = load_average();
    let modules = "torch, numpy, safetensors.torch, sklearn, openTSNE";
    let python = environment(workspace, "python-study", modules, "requirements-study.txt")?;
    workspace.build_command()?;
    warn_of(load);
    let latents = workspace.release("latents");
    let data = super::tune::fashion_mnist(&latents)?;
    let temporary = tempfile::tempdir_in(&workspace.target)?;
    let out = options.out.clone().unwrap_or_else(|| temporary.path().join("study"));
    ensure!(!out.exists(), "{} is there already: choose another --out", out.display());

    let mut study = Command::new(&latents);
    study.args(["study", "--no-cnn", "--json", "--threads", &options.threads.to_string()]);
    study.arg("--out").arg(&out);
    if options.quick {
        study.arg("--quick");
    }
    let ours = result_of(&mut study)?;
    println!("  latents study: {} s", number(&ours, "seconds")?.round());

    let plan = temporary.path().join("plan.json");
    std::fs::write(&plan, serde_json::to_string_pretty(&planned(&out)?)?)?;
    let mut theirs = Command::new(&python);
    theirs.arg(workspace.script("bench_study.py")).arg("--data").arg(&data);
    theirs.arg("--plan").arg(&plan);
    theirs.args(["--epochs", &options.epochs.to_string()]);
    theirs.args(["--threads", &options.threads.to_string()]);
    // As many images as ours.
    let images: toml::Table = std::fs::read_to_string(out.join("study.toml"))?.parse()?;
    for (setting, flag) in [("train_limit", "--train-limit"), ("test_limit", "--test-limit")] {
        if let Some(limit) = images["data"].get(setting) {
            theirs.args([flag, &limit.to_string()]);
        }
    }
    let theirs = result_of(&mut theirs)?;
    println!("\n{}", table(&ours, &theirs, options)?);
    Ok(())
}

/// What the stages of a study have trained and mapped, as the peers' program takes it; in the order that it does them.
fn planned(out: &Path) -> Result<Value> {
    let best = run_at(out, "ae-best")?;
    let vae = run_at(out, "vae")?;
    let (d, v) = (dim(&best)?, dim(&vae)?);
    let dropout = |run: &Run| run.config["model"]["dropout"].as_float().unwrap_or(0.0);
    let mut plan = vec![];
    for (stage, kind) in [
        ("ae-adam", "autoencoder"),
        ("ae-sgd", "autoencoder"),
        ("ae-best", "autoencoder"),
        ("vae", "variational"),
    ] {
        let run = run_at(out, stage)?;
        plan.push(json!({"stage": stage, "kind": kind, "epochs": run.epochs, "latent_dim": dim(&run)?, "dropout": dropout(&run)}));
    }
    for (stage, kind, d) in [("tune-ae", "autoencoder", d), ("tune-vae", "variational", v)] {
        let epochs = trained(&out.join(stage))?;
        plan.push(json!({"stage": stage, "kind": kind, "epochs": epochs, "latent_dim": d, "dropout": dropout(&best)}));
    }
    let classifier = run_at(out, "classifier")?;
    let hidden = ["hidden_1", "hidden_2"].map(|key| classifier.config["model"][key].as_integer());
    let seeds = result(out, "classifier")?.as_array().map_or(0, Vec::len) as u64;
    for (stage, epochs, validation, frozen) in [
        ("tune-classifier", trained(&out.join("tune-classifier"))?, 0.2, false),
        ("classifier", seeds * classifier.epochs, 0.0, false),
        ("classifier-scratch", classifier.epochs, 0.0, false),
        ("classifier-frozen", classifier.epochs, 0.0, true),
    ] {
        plan.push(json!({"stage": stage, "kind": "classifier", "epochs": epochs, "latent_dim": d, "dropout": dropout(&best),
            "hidden": hidden, "validation": validation, "frozen": frozen}));
    }
    plan.push(json!({"stage": "pca", "kind": "components", "components": d.max(185)}));
    for (stage, d) in [("map-ae", d), ("map-vae", v)] {
        plan.push(json!({"stage": stage, "kind": "map", "latent_dim": d}));
    }
    for (stage, d) in [("card-ae", d), ("card-vae", v)] {
        let card = result(out, stage)?;
        let (fitted, draws) = (&card["samples"]["fitted"], card["bounds"]["draws"].as_u64());
        plan.push(json!({"stage": stage, "kind": "card", "latent_dim": d, "fitted": fitted, "mixture": 10, "draws": draws.unwrap_or(0)}));
    }
    Ok(plan.into())
}

/// What a stage of ours found.
fn result(out: &Path, stage: &str) -> Result<Value> {
    let path = out.join("results").join(format!("{stage}.json"));
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(serde_json::from_str(&text)?)
}

/// A run of ours.
struct Run {
    config: toml::Table,
    epochs: u64,
}

fn run_at(out: &Path, name: &str) -> Result<Run> {
    let folder = out.join("runs").join(name);
    let read = |file: &str| {
        let path = folder.join(file);
        std::fs::read_to_string(&path).with_context(|| path.display().to_string())
    };
    Ok(Run {
        config: read("config.toml")?.parse()?,
        epochs: read("metrics.jsonl")?.lines().count() as u64,
    })
}

fn dim(run: &Run) -> Result<i64> {
    run.config["model"]["latent_dim"].as_integer().context("a model without latents")
}

/// Epochs that all trials of a search came to the end of.
fn trained(search: &Path) -> Result<u64> {
    Ok(u64::try_from(super::tune::epochs(search)?)?)
}

fn table(ours: &Value, theirs: &Value, options: &Options) -> Result<String> {
    let mut lines = vec![
        format!(
            "{} threads; an epoch of each of their networks timed over {}, times the epochs that ours trained\n",
            options.threads, options.epochs
        ),
        "| stage | epochs | PyTorch and others, s | latents, s | ratio |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    let mut sums = [0.0; 2];
    for stage in theirs.as_array().context("no stages")? {
        let name = stage["stage"].as_str().context("a stage without a name")?;
        let ours =
            ours["stages"].as_array().and_then(|all| all.iter().find(|s| s["stage"] == name));
        let pair = [
            number(stage, "seconds")?,
            number(ours.with_context(|| format!("our study has no {name}"))?, "seconds")?,
        ];
        let epochs = stage["epochs"].as_u64().map_or_else(String::new, |n| n.to_string());
        lines.push(row(name, &epochs, pair));
        sums = [sums[0] + pair[0], sums[1] + pair[1]];
    }
    lines.push(row("all of these", "", sums));
    lines.push(format!("\nOur whole command, with the report: {:.0} s.", number(ours, "seconds")?));
    Ok(lines.join("\n"))
}

fn row(name: &str, epochs: &str, [theirs, ours]: [f64; 2]) -> String {
    format!("| {name} | {epochs} | {theirs:.0} | {ours:.1} | {:.1} |", theirs / ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_stand_side_by_side() {
        let ours = json!({"seconds": 30.0, "stages": [
            {"stage": "b", "seconds": 4.0}, {"stage": "a", "seconds": 10.0}, {"stage": "c", "seconds": 9.0}]});
        let theirs =
            json!([{"stage": "a", "epochs": 42, "seconds": 50.0}, {"stage": "b", "seconds": 20.0}]);
        let options = Options { epochs: 2, threads: 2, quick: false, out: None };
        let text = table(&ours, &theirs, &options).unwrap();
        for line in [
            "| a | 42 | 50 | 10.0 | 5.0 |",
            "| b |  | 20 | 4.0 | 5.0 |",
            "| all of these |  | 70 | 14.0 | 5.0 |",
        ] {
            assert!(text.contains(line), "{text}");
        }
        let other = json!([{"stage": "z", "seconds": 1.0}]);
        let error = table(&ours, &other, &options).unwrap_err();
        assert_eq!(error.to_string(), "our study has no z");
    }
}
