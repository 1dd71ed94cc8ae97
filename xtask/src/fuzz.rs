//! `cargo xtask fuzz`: runs the fuzz targets one after the other on each core, and prints how often each reader was run. The targets, their mutators and their corpora are in
//! `fuzz`.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{Workspace, call};

#[derive(Args)]
pub(crate) struct Options {
    /// Runs of each target; 0 for as many as --seconds allows.
    #[arg(long, default_value_t = 0)]
    runs: u64,
    /// Seconds of each target at most.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Only targets with these names.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Targets at the same time.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Without the address sanitizer, which is faster: only panics and overflows are found.
    #[arg(long)]
    plain: bool,
    /// What libFuzzer draws is drawn from this; 0 for another seed each time.
    #[arg(long, default_value_t = 0)]
    seed: u32,
}

/// What a target did.
struct Ran {
    target: String,
    runs: u64,
    seconds: f64,
    /// The end of what it said, if it failed.
    failure: Option<String>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let fuzz = Fuzz { workspace, options };
    let targets = fuzz.targets()?;
    ensure!(!targets.is_empty(), "there is no target of these names");
    fuzz.build(&targets)?;
    let (next, done) = (AtomicUsize::new(0), Mutex::new(vec![]));
    let worker = || -> Result<()> {
        while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
            let ran = fuzz.run(target)?;
            done.lock().expect("no worker panics").push(ran);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..options.jobs.max(1)).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no worker panics"))
    })?;
    let mut all = done.into_inner().expect("no worker panics");
    all.sort_by_key(|ran| std::cmp::Reverse(ran.runs));
    println!("| target | runs | runs/s | |\n|---|---|---|---|");
    for Ran { target, runs, seconds, failure } in &all {
        let rate = *runs as f64 / seconds.max(f64::MIN_POSITIVE);
        let how = if failure.is_some() { "**failed**" } else { "" };
        println!("| `{target}` | {runs} | {rate:.0} | {how} |");
    }
    let failures: Vec<&Ran> = all.iter().filter(|ran| ran.failure.is_some()).collect();
    for Ran { target, failure, .. } in &failures {
        println!("\n{target}: {}", failure.as_deref().unwrap_or_default());
    }
    ensure!(failures.is_empty(), "{} targets failed", failures.len());
    Ok(())
}

struct Fuzz<'a> {
    workspace: &'a Workspace,
    options: &'a Options,
}

impl Fuzz<'_> {
    /// `cargo fuzz` with nightly Rust, in the workspace.
    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = Command::new("cargo");
        // Of the tool chain that runs this chore.
        for variable in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "CARGO_TARGET_DIR"] {
            cargo.env_remove(variable);
        }
        cargo.args(["+nightly", "fuzz"]).args(arguments).current_dir(&self.workspace.root);
        cargo
    }

    fn folder(&self) -> PathBuf {
        self.workspace.target.join(if self.options.plain { "fuzz-plain" } else { "fuzz" })
    }

    fn targets(&self) -> Result<Vec<String>> {
        let listed = self.cargo(&["list"]).output().context("cannot start cargo")?;
        ensure!(
            listed.status.success(),
            "this needs nightly Rust and `cargo install cargo-fuzz`: {}",
            String::from_utf8_lossy(&listed.stderr).trim()
        );
        let names = String::from_utf8_lossy(&listed.stdout);
        let only = &self.options.only;
        let wanted = |name: &&str| only.is_empty() || only.iter().any(|wanted| wanted == name);
        Ok(names.lines().map(str::trim).filter(wanted).map(str::to_owned).collect())
    }

    fn build(&self, targets: &[String]) -> Result<()> {
        let folder = self.folder().display().to_string();
        let mut arguments = vec!["build", "--target-dir", &folder];
        if self.options.plain {
            arguments.extend(["--sanitizer", "none"]);
        }
        if let [only] = targets {
            arguments.push(only);
        }
        let mut cargo = self.cargo(&arguments);
        if !self.options.plain {
            // The C code of SQLite too.
            cargo.env(format!("CFLAGS_{}", host()?.replace('-', "_")), "-fsanitize=address");
        }
        call(&mut cargo)
    }

    fn run(&self, target: &str) -> Result<Ran> {
        let folder = self.folder();
        let new = folder.join("new").join(target);
        let artifacts = folder.join("artifacts").join(target);
        for folder in [&new, &artifacts] {
            std::fs::create_dir_all(folder)?;
        }
        let program = folder.join(host()?).join("release").join(target);
        let mut command = Command::new(program);
        command
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .arg(format!("-max_total_time={}", self.options.seconds))
            .arg(format!(
                "-runs={}",
                if self.options.runs == 0 { -1 } else { self.options.runs as i64 }
            ))
            .args(["-print_funcs=0", "-print_final_stats=1", "-verbosity=0"])
            .arg(format!("-seed={}", self.options.seed))
            .arg(new)
            .arg(self.corpus(target))
            .env("ASAN_OPTIONS", "malloc_context_size=0:quarantine_size_mb=32:detect_leaks=0");
        let began = Instant::now();
        let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
        Ok(ran(target, began.elapsed().as_secs_f64(), &output))
    }

    fn corpus(&self, target: &str) -> PathBuf {
        self.workspace.root.join("fuzz/corpus").join(target)
    }
}

fn ran(target: &str, seconds: f64, output: &Output) -> Ran {
    let said = String::from_utf8_lossy(&output.stderr);
    let failure = (!output.status.success()).then(|| {
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    });
    Ran { target: target.to_owned(), runs: runs_of(&said), seconds, failure }
}

/// The number of runs, from what libFuzzer says at its end.
fn runs_of(said: &str) -> u64 {
    let number = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    number.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

/// The platform that this runs on, as the compiler names it.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot start rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_counted_by_libfuzzer() {
        let said = "INFO: seed corpus: files: 2\nDone 900 runs in 3 second(s)\n\
                    stat::number_of_executed_units: 902\nstat::average_exec_per_sec:     300\n";
        assert_eq!(runs_of(said), 902);
        assert_eq!(runs_of("Segmentation fault"), 0);
    }
}
