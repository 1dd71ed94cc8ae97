//! `cargo xtask versus functions`: compares the best values that TPE of `latents` and of Optuna finds for test functions, over several seeds. The
//! functions are in the benchmark `functions` of `latents-tune`, and again in `xtask/python/bench_functions.py`.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::{optuna, quantile, result_of};
use crate::Workspace;

#[derive(Args)]
pub(crate) struct Options {
    /// Trials of a study.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    trials: u32,
    /// Studies of each function.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    seeds: u32,
}

pub(super) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let python = optuna(workspace)?;
    let benchmark = workspace.benchmark("latents-tune", "functions")?;
    let (trials, seeds) = (options.trials.to_string(), options.seeds.to_string());
    let found = |mut command: Command| {
        found(result_of(command.args(["--trials", &trials, "--seeds", &seeds]))?)
    };
    let ours = found(Command::new(benchmark))?;
    println!("ours are done; Optuna's take longer");
    let mut theirs = Command::new(python);
    theirs.arg(workspace.script("bench_functions.py"));
    let theirs = found(theirs)?;
    println!("\n{}", table(&theirs, &ours, options)?);
    Ok(())
}

/// What was found of a function.
#[derive(Deserialize)]
struct Found {
    /// `minimize` or `maximize`.
    direction: String,
    /// The best value of each study.
    best: Vec<f64>,
}

fn found(line: Value) -> Result<BTreeMap<String, Found>> {
    serde_json::from_value(line).context("the program that measures printed something else")
}

impl Found {
    fn sorted(&self) -> Vec<f64> {
        let mut best = self.best.clone();
        best.sort_by(f64::total_cmp);
        best
    }

    fn quartiles(&self) -> [f64; 3] {
        let best = self.sorted();
        [0.25, 0.5, 0.75].map(|q| quantile(&best, q))
    }

    /// Whether our median is at least as good as theirs, or within their quartiles.
    fn is_no_worse_than(&self, theirs: &Self) -> bool {
        let [low, _, high] = theirs.quartiles();
        let [_, median, _] = self.quartiles();
        if self.direction == "maximize" { median >= low } else { median <= high }
    }
}

fn table(
    theirs: &BTreeMap<String, Found>,
    ours: &BTreeMap<String, Found>,
    options: &Options,
) -> Result<String> {
    ensure!(theirs.keys().eq(ours.keys()), "the two programs have other functions");
    let mut lines = vec![
        format!(
            "{} trials, {} seeds; best value found, median (quartiles)\n",
            options.trials, options.seeds
        ),
        "| function | Optuna | latents | p | verdict |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    for ((name, theirs), ours) in theirs.iter().zip(ours.values()) {
        ensure!(theirs.direction == ours.direction, "{name} is not sought the same way");
        let cell = |found: &Found| {
            let [low, median, high] = found.quartiles();
            format!("{} ({} to {})", short(median), short(low), short(high))
        };
        let verdict = if ours.is_no_worse_than(theirs) { "no worse" } else { "worse" };
        lines.push(format!(
            "| {name}, {} | {} | {} | {:.2} | {verdict} |",
            ours.direction,
            cell(theirs),
            cell(ours),
            mann_whitney(&theirs.best, &ours.best)
        ));
    }
    lines.push(
        "\n`no worse`: our median is at least as good as Optuna's, or lies within the quartiles of \
         Optuna's own values.\np: that two samples of one distribution differ as much or more \
         (Mann-Whitney, two-sided, normal approximation)."
            .to_owned(),
    );
    Ok(lines.join("\n"))
}

/// A number of any size with four digits.
fn short(x: f64) -> String {
    if x == 0.0 || (1e-3..1e4).contains(&x.abs()) {
        let whole = if x == 0.0 { 0 } else { libm::floor(libm::log10(x.abs())) as i32 };
        format!("{x:.*}", (3 - whole) as usize)
    } else {
        format!("{x:.3e}")
    }
}

/// The two-sided p value of the Mann-Whitney U test: normal approximation, corrected for ties and
/// continuity, as SciPy's `mannwhitneyu(method="asymptotic")` has it.
fn mann_whitney(a: &[f64], b: &[f64]) -> f64 {
    let pairs = a.iter().flat_map(|x| b.iter().map(|y| x.total_cmp(y)));
    let worth = |order| match order {
        Ordering::Less => 1.0,
        Ordering::Equal => 0.5,
        Ordering::Greater => 0.0,
    };
    let u: f64 = pairs.map(worth).sum();
    let mut all = [a, b].concat();
    all.sort_by(f64::total_cmp);
    let ties = all.chunk_by(|x, y| x.total_cmp(y).is_eq()).map(|tied| tied.len() as f64);
    let ties: f64 = ties.map(|t| t * t * t - t).sum();
    let (product, n) = ((a.len() * b.len()) as f64, all.len() as f64);
    let variance = product / 12.0 * (n + 1.0 - ties / (n * (n - 1.0)));
    let distance = ((u - product / 2.0).abs() - 0.5).max(0.0);
    if distance == 0.0 { 1.0 } else { libm::erfc(distance / (2.0 * variance).sqrt()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(direction: &str, best: &[f64]) -> Found {
        Found { direction: direction.into(), best: best.into() }
    }

    #[test]
    fn p_values_are_those_of_scipy() {
        let a = [1.0, 2.5, 3.0, 4.0, 6.5, 7.0];
        let b = [2.0, 3.0, 5.0, 8.0, 9.0];
        assert!((mann_whitney(&a, &b) - 0.464_192).abs() < 1e-6, "{}", mann_whitney(&a, &b));
        let apart = mann_whitney(&a, &a.map(|x| x + 10.0));
        assert!((apart - 0.005_075).abs() < 1e-6, "{apart}");
        assert!((mann_whitney(&[1.0; 4], &[1.0; 5]) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn no_worse_ends_at_the_quartile_on_the_bad_side() {
        let cases = [
            ("minimize", [4.0, 4.0, 4.0], true),
            ("minimize", [4.1, 4.1, 4.1], false),
            ("minimize", [0.0, 0.0, 9.0], true),
            ("maximize", [2.0, 2.0, 2.0], true),
            ("maximize", [1.9, 1.9, 1.9], false),
            ("maximize", [9.0, 9.0, 0.0], true),
        ];
        for (direction, ours, expected) in cases {
            let theirs = found(direction, &[5.0, 3.0, 1.0, 2.0, 4.0]);
            let is = found(direction, &ours).is_no_worse_than(&theirs);
            assert_eq!(is, expected, "{direction} {ours:?}");
        }
    }

    #[test]
    fn a_row_has_medians_and_quartiles_of_both() {
        let one = |f: Found| BTreeMap::from([("bowl".to_owned(), f)]);
        let theirs = one(found("minimize", &[3.0, 1.0, 2.0, 5.0, 4.0]));
        let ours = one(found("minimize", &[0.0, 0.0, 0.0, 12.5, 1e-5]));
        let text = table(&theirs, &ours, &Options { trials: 9, seeds: 5 }).unwrap();
        let row = "| bowl, minimize | 3.000 (2.000 to 4.000) | 0.000 (0.000 to 1.000e-5) |";
        assert!(text.contains(row), "{text}");
        let other = one(found("maximize", &[1.0]));
        assert!(table(&theirs, &other, &Options { trials: 9, seeds: 5 }).is_err());
    }
}
