//! `cargo xtask fuzz`: runs the fuzz targets one after the other on each core, and prints how often each reader was run. The targets, their mutators and their corpora are in
//! `fuzz`.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;
use latents_progress::count;

use crate::{Workspace, call};

/// Seconds that one input may take on a busy machine; longer is a failure.
const SECONDS_OF_INPUT: u64 = 100;

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
    /// Adds the runs of each target to the table in `fuzz/README.md`, which counts those with the sanitizer.
    #[arg(long, conflicts_with = "plain")]
    record: bool,
}

/// What a target did.
struct Ran {
    target: String,
    runs: u64,
    seconds: f64,
    /// The end of what it said, if it failed.
    failure: Option<String>,
}

impl Ran {
    /// Runs per second.
    fn rate(&self) -> u64 {
        (self.runs as f64 / self.seconds.max(f64::MIN_POSITIVE)).round() as u64
    }
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let fuzz = Fuzz { workspace, options };
    let targets = fuzz.targets()?;
    ensure!(!targets.is_empty(), "there is no target of these names");
    fuzz.build(&targets)?;
    println!("| target | runs | runs/s | |\n|---|---|---|---|");
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(vec![]));
    let worker = || -> Result<()> {
        while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
            let ran = fuzz.run(target)?;
            let how = if ran.failure.is_some() { "**failed**" } else { "" };
            // Locked while the table is written too.
            let mut failures = failures.lock().expect("no worker panics");
            println!("| `{}` | {} | {} | {how} |", ran.target, ran.runs, ran.rate());
            if options.record {
                fuzz.record(&ran)?;
            }
            failures.extend(ran.failure.map(|failure| format!("{}: {failure}", ran.target)));
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..options.jobs.max(1)).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no worker panics"))
    })?;
    let failures = failures.into_inner().expect("no worker panics");
    for failure in &failures {
        println!("\n{failure}");
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
            fs::create_dir_all(folder)?;
        }
        let program = folder.join(host()?).join("release").join(target);
        let mut command = Command::new(program);
        command
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .arg(format!("-max_total_time={}", self.options.seconds))
            .arg(format!("-timeout={SECONDS_OF_INPUT}"))
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

    fn record(&self, ran: &Ran) -> Result<()> {
        let file = self.workspace.root.join("fuzz/README.md");
        let text = recorded(&fs::read_to_string(&file)?, ran);
        let text = text.with_context(|| format!("{} has no row {}", file.display(), ran.target))?;
        Ok(fs::write(file, text)?)
    }
}

/// The text with the runs of a target added to those of its row, and its rate; `None` if there is no such row.
fn recorded(text: &str, ran: &Ran) -> Option<String> {
    let beginning = format!("| `{}` | ", ran.target);
    text.lines().find_map(|row| {
        // Other tables have no number there.
        let (before, rest) = row.strip_prefix(&beginning)?.split_once(" | ")?;
        let before: u64 = before.replace(',', "").parse().ok()?;
        let (_, rest) = rest.split_once(" | ")?;
        let (sum, rate) = (count(before + ran.runs), count(ran.rate()));
        Some(text.replacen(row, &format!("{beginning}{sum} | {rate} | {rest}"), 1))
    })
}

fn ran(target: &str, seconds: f64, output: &Output) -> Ran {
    let said = String::from_utf8_lossy(&output.stderr);
    let failure = (!output.status.success()).then(|| cause(&said));
    Ran { target: target.to_owned(), runs: runs_of(&said), seconds, failure }
}

/// What libFuzzer, the sanitizer or a panic says of a failure: its first lines, which name it, and the last, which name the input.
fn cause(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    let is_first = |line: &&str| line.contains(" panicked at ") || line.contains("ERROR: ");
    let last = lines.len().saturating_sub(10);
    let first = lines.iter().position(is_first).unwrap_or(last).min(last);
    let middle = (first + 20).min(last);
    [&lines[first..middle], &lines[last..]].concat().join("\n")
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

    #[test]
    fn a_failure_is_named() {
        let frames = "    #1 0x55d9\n".repeat(100);
        let said = format!(
            "INFO: Seed: 1\nthread 'x' panicked at a.rs:1:1:\nit was changed\n{frames}Test unit written to crash-1\n"
        );
        let cause = cause(&said);
        assert!(cause.starts_with("thread 'x' panicked at a.rs:1:1:\nit was changed\n"), "{cause}");
        assert!(cause.ends_with("Test unit written to crash-1"), "{cause}");
        assert_eq!(cause.lines().count(), 30);
        assert_eq!(super::cause("killed"), "killed");
    }

    #[test]
    fn runs_are_added_to_the_row_of_their_target() {
        let text = "| `npz` | a format |\n\n| target | runs |\n|---|---|\n| `npz` | 998,999 | 5 | x |\n| `npy` | 7 | 5 | |\n";
        let ran = |target: &str| Ran {
            target: target.to_owned(),
            runs: 12_000,
            seconds: 8.0,
            failure: None,
        };
        let sum = recorded(text, &ran("npz")).expect("a row");
        assert_eq!(sum, text.replace("| 998,999 | 5 | x", "| 1,010,999 | 1,500 | x"));
        let sum = recorded(text, &ran("npy")).expect("a row");
        assert_eq!(sum, text.replace("| 7 | 5 | |", "| 12,007 | 1,500 | |"));
        assert_eq!(recorded(text, &ran("tar")), None);
    }
}
