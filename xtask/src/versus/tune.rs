//! `cargo xtask versus tune`: `latents tune ae` beside Optuna with PyTorch, the same search space,
//! trials and epochs, seed by seed. Their side is `xtask/python/bench_optuna.py`. As pruning makes
//! some studies train more than others, the seconds for an epoch are compared too.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};

use super::{load_average, number, quantile, result_of, torch, warn_of};
use crate::Workspace;

#[derive(Args)]
pub(crate) struct Options {
    /// Seeds; both programs run one study for each.
    #[arg(long, value_delimiter = ',', default_value = "1,2,3")]
    seeds: Vec<u64>,
    /// Trials of a study.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    trials: u32,
    /// Epochs of a trial that is not pruned.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: u32,
    /// Threads that each program may use.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    threads: u32,
    /// Use only the first N images, to see whether the chore works.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(5..))]
    train_limit: Option<u32>,
    /// Folder of the IDX files [default: where `latents data list` finds Fashion-MNIST]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

pub(super) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let load = load_average();
    let python = torch(workspace)?;
    workspace.build_command()?;
    warn_of(load);
    let latents = workspace.release("latents");
    let data = match &options.data {
        Some(folder) => folder.clone(),
        None => fashion_mnist(&latents)?,
    };

    let mut rows = vec![];
    for &seed in &options.seeds {
        let folder = tempfile::tempdir_in(&workspace.target)?;
        let mut theirs = Command::new(&python);
        theirs.arg(workspace.script("bench_optuna.py")).arg("--data").arg(&data);
        theirs
            .arg("--space")
            .arg(workspace.root.join("crates/latents-models/src/autoencoder/space.toml"));
        theirs.arg("--file").arg(folder.path().join("theirs.db"));
        let theirs = timed(options.common(&mut theirs, seed))?;
        show("Optuna + PyTorch", seed, &theirs);

        let out = folder.path().join("ours");
        let mut ours = Command::new(&latents);
        ours.args(["tune", "ae", "--json", "--pruner", "median", "--out"]).arg(&out);
        ours.arg("--data").arg(format!("idx:{}", data.display()));
        let mut ours = timed(options.common(&mut ours, seed))?;
        ours.line["epochs"] = epochs(&out)?.into();
        ours.line["best"] = ours.line["best"]["value"].clone();
        show("latents", seed, &ours);
        rows.push((seed, figures(&theirs, &ours)?));
    }
    println!("\n{}", table(&rows, options));
    Ok(())
}

impl Options {
    /// Adds what both programs are told in the same words.
    fn common<'a>(&self, command: &'a mut Command, seed: u64) -> &'a mut Command {
        command.args(["--seed", &seed.to_string()]);
        command.args(["--trials", &self.trials.to_string()]);
        command.args(["--epochs", &self.epochs.to_string()]);
        command.args(["--threads", &self.threads.to_string()]);
        if let Some(limit) = self.train_limit {
            command.args(["--train-limit", &limit.to_string()]);
        }
        command
    }
}

/// The folder of Fashion-MNIST's IDX files.
pub(super) fn fashion_mnist(latents: &Path) -> Result<PathBuf> {
    folder(&result_of(Command::new(latents).args(["data", "list", "--json"]))?)
        .context("Fashion-MNIST is not here: `latents data fetch` it, or give --data DIR")
}

/// The folder of Fashion-MNIST, where it is on this machine.
fn folder(catalogue: &Value) -> Option<PathBuf> {
    let entry = catalogue.as_array()?.iter().find(|entry| entry["name"] == "fashion-mnist")?;
    let place = &entry["place"];
    let is_here = matches!(place["kind"].as_str(), Some("cache" | "system"));
    place["where"].as_str().filter(|_| is_here).map(PathBuf::from)
}

/// What a program said, and how long it took from its start to its end.
struct Timed {
    line: Value,
    seconds: f64,
}

fn timed(command: &mut Command) -> Result<Timed> {
    let start = Instant::now();
    let line = result_of(command)?;
    Ok(Timed { line, seconds: start.elapsed().as_secs_f64() })
}

/// Prints a measurement at once, so that one that is cut off leaves those before it.
fn show(program: &str, seed: u64, timed: &Timed) {
    let Timed { line, seconds } = timed;
    let seconds = (100.0 * seconds).round() / 100.0;
    let mut shown = json!({ "program": program, "seed": seed, "seconds": seconds });
    for key in ["study_seconds", "epochs", "best", "complete", "pruned", "failed"] {
        if let Some(value) = line.get(key) {
            shown[key] = value.clone();
        }
    }
    println!("{shown}");
}

/// Epochs that all trials of our study came to the end of.
pub(super) fn epochs(out: &Path) -> Result<i64> {
    let path = out.join("tables/trials.json");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let trials: Vec<Value> = serde_json::from_str(&text)?;
    Ok(trials.iter().filter_map(|trial| trial["last step"].as_i64()).sum())
}

/// Head and digits after the point of each column of the table.
const COLUMNS: [(&str, usize); 10] = [
    ("Optuna, s", 1),
    ("latents, s", 1),
    ("ratio", 2),
    ("Optuna, epochs", 0),
    ("latents, epochs", 0),
    ("Optuna, s/epoch", 3),
    ("latents, s/epoch", 3),
    ("ratio", 2),
    ("Optuna, best", 5),
    ("latents, best", 5),
];

/// The columns for one seed.
fn figures(theirs: &Timed, ours: &Timed) -> Result<[f64; 10]> {
    let seconds = [theirs.seconds, ours.seconds];
    let epochs = [number(&theirs.line, "epochs")?, number(&ours.line, "epochs")?];
    let best = [number(&theirs.line, "best")?, number(&ours.line, "best")?];
    let pace = [seconds[0] / epochs[0], seconds[1] / epochs[1]];
    let ratio = |[theirs, ours]: [f64; 2]| theirs / ours;
    let [a, b] = seconds;
    let [c, d] = epochs;
    let [e, f] = pace;
    Ok([a, b, ratio(seconds), c, d, e, f, ratio(pace), best[0], best[1]])
}

fn table(rows: &[(u64, [f64; 10])], options: &Options) -> String {
    let line = |title: &str, figures: &[f64; 10]| {
        let cells = COLUMNS.iter().zip(figures).map(|((_, digits), x)| format!("{x:.digits$}"));
        format!("| {title} | {} |", cells.collect::<Vec<_>>().join(" | "))
    };
    let medians = std::array::from_fn(|column| {
        let mut values: Vec<f64> = rows.iter().map(|(_, figures)| figures[column]).collect();
        values.sort_by(f64::total_cmp);
        quantile(&values, 0.5)
    });
    let heads = COLUMNS.map(|(head, _)| head).join(" | ");
    let mut lines = vec![
        format!(
            "{} trials of at most {} epochs, {} threads; Optuna trains with PyTorch\n",
            options.trials, options.epochs, options.threads
        ),
        format!("| seed | {heads} |"),
        format!("|{}", "---|".repeat(COLUMNS.len() + 1)),
    ];
    lines.extend(rows.iter().map(|(seed, figures)| line(&seed.to_string(), figures)));
    lines.push(line("median", &medians));
    lines.push(
        "\ns: of the whole command. epochs: of all trials, to their end. best: the least validation \
         loss. ratio: Optuna's over ours."
            .to_owned(),
    );
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fashion_mnist_is_where_the_list_says() {
        let list = |place: Value| {
            let sample = json!({"name": "fashion-mnist-sample", "place": {"kind": "compiled-in"}});
            json!([sample, {"name": "fashion-mnist", "place": place}])
        };
        let here = list(json!({"kind": "system", "where": "/usr/share/x"}));
        assert_eq!(folder(&here), Some("/usr/share/x".into()));
        assert_eq!(folder(&list(json!({"kind": "download", "where": "http://x"}))), None);
        assert_eq!(folder(&list(json!({"kind": "nowhere"}))), None);
    }

    #[test]
    fn epochs_are_the_last_steps_of_all_trials() {
        let out = tempfile::tempdir().unwrap();
        assert!(epochs(out.path()).is_err());
        let tables = out.path().join("tables");
        std::fs::create_dir(&tables).unwrap();
        let text = r#"[{"trial": 0, "last step": 10}, {"last step": null}, {"last step": 3}]"#;
        std::fs::write(tables.join("trials.json"), text).unwrap();
        assert_eq!(epochs(out.path()).unwrap(), 13);
    }

    #[test]
    fn rows_compare_seconds_and_seconds_for_an_epoch() {
        let timed = |seconds, epochs, best| Timed {
            seconds,
            line: json!({"epochs": epochs, "best": best}),
        };
        let row = |s| figures(&timed(100.0 * s, 50, 0.02), &timed(20.0, 100, 0.01)).unwrap();
        let options = Options {
            seeds: vec![],
            trials: 20,
            epochs: 10,
            threads: 2,
            train_limit: None,
            data: None,
        };
        let text = table(&[(1, row(3.0)), (2, row(1.0)), (3, row(2.0))], &options);
        let columns = |title: &str| {
            let row = text.lines().find(|line| line.starts_with(&format!("| {title} |")));
            row.unwrap().to_owned()
        };
        let figures =
            "100.0 | 20.0 | 5.00 | 50 | 100 | 2.000 | 0.200 | 10.00 | 0.02000 | 0.01000 |";
        assert_eq!(columns("2"), format!("| 2 | {figures}"));
        assert!(columns("median").starts_with("| median | 200.0 | 20.0 | 10.00 | 50 |"), "{text}");
        assert_eq!(columns("seed").matches('|').count(), columns("2").matches('|').count());
    }
}
