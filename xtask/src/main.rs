//! The workspace's chores, run as `cargo xtask CHORE`: the command line, and what the chores share (paths, building and starting programs,
//! Python environments). Each chore has its own file. Users do not install any of it.

// The output of a chore is for a person at the terminal.
#![allow(clippy::print_stdout)]

mod book;
mod faults;
mod fuzz;
mod interop;
mod python;
mod versus;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde_json::Value;

/// Chores of the `latents` workspace.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Chore {
    /// Write the book's command pages from `latents help`, and check every link in the documents.
    Book(book::Options),
    /// Disturb the command at its work (kills, full disks, damaged files), and check that it ends the
    /// same or says why not.
    Faults(faults::Options),
    /// Run the fuzz targets, and print how often; needs nightly Rust and cargo-fuzz.
    Fuzz(fuzz::Options),
    /// Check that NumPy, Optuna, its dashboard and Chromium read what the command writes, and that
    /// Optuna can continue a study; studies are checked in SQLite and on a PostgreSQL server.
    Interop,
    /// Build the wheel of the Python package, install it in a fresh environment and run its tests.
    Python,
    /// Measure this project and its peers in turn: training, tuning, maps.
    Versus(versus::Options),
}

fn main() -> ExitCode {
    let workspace = Workspace::find();
    let done = match Chore::parse() {
        Chore::Book(options) => book::run(&workspace, &options),
        Chore::Faults(options) => faults::run(&workspace, &options),
        Chore::Fuzz(options) => fuzz::run(&workspace, &options),
        Chore::Interop => interop::run(&workspace),
        Chore::Python => python::run(&workspace),
        Chore::Versus(options) => versus::run(&workspace, &options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace's folders.
struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    fn find() -> Self {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.parent().unwrap_or(manifest).to_owned();
        // A relative CARGO_TARGET_DIR is relative to the current folder, as it is for cargo.
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(path) => std::path::absolute(&path).unwrap_or_else(|_| path.into()),
            None => root.join("target"),
        };
        Self { root, target }
    }

    /// A file of `xtask/python`.
    fn script(&self, name: &str) -> PathBuf {
        self.root.join("xtask/python").join(name)
    }

    /// A program that `cargo build --release` made.
    fn release(&self, name: &str) -> PathBuf {
        let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        self.target.join("release").join(name)
    }

    /// `cargo build-all` with these arguments: with every feature, as `.ci/run` tests them, so that the tests and the chores share one build.
    fn build(&self, arguments: &[&str]) -> Result<()> {
        call(self.cargo().arg("build-all").args(arguments))
    }

    /// Builds the command alone, with the features that it has by default, as it is measured.
    fn build_command(&self) -> Result<()> {
        call(self.cargo().args(["build", "--release", "--package", "latents-cli"]))
    }

    /// Builds a benchmark, a file in a package's folder `benches`, and returns the program.
    fn benchmark(&self, package: &str, name: &str) -> Result<PathBuf> {
        let mut cargo = self.cargo();
        cargo.args(["build", "--release", "--message-format", "json-render-diagnostics"]);
        cargo.args(["--package", package, "--bench", name]).stderr(Stdio::inherit());
        let output = cargo.output().with_context(|| format!("cannot start {cargo:?}"))?;
        ensure!(output.status.success(), "{cargo:?} ended with {}", output.status);
        let program = program(&String::from_utf8_lossy(&output.stdout), name);
        program.with_context(|| format!("{cargo:?} made no program"))
    }

    /// A command that runs cargo in the workspace.
    fn cargo(&self) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.root);
        cargo
    }

    /// The interpreter of a virtual environment under the target folder that can import the given modules. If it cannot, it is made anew, with
    /// `pip install` and the given arguments.
    fn python(&self, name: &str, modules: &str, install: &[&str]) -> Result<PathBuf> {
        let folder = self.target.join(name);
        let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
        let imports = || {
            let mut import = Command::new(&python);
            import.args(["-c", &format!("import {modules}")]);
            import.output().is_ok_and(|output| output.status.success())
        };
        if !imports() {
            println!("making a Python environment in {}", folder.display());
            let system = if cfg!(windows) { "python" } else { "python3" };
            call(Command::new(system).args(["-m", "venv", "--clear"]).arg(&folder))
                .context("on Debian and Ubuntu, `apt install python3-venv` provides venv")?;
            call(
                Command::new(&python)
                    // Python compiles what is imported; most of it never is.
                    .args(["-m", "pip", "install", "--quiet", "--no-compile"])
                    .arg("--disable-pip-version-check")
                    .args(install),
            )?;
            ensure!(imports(), "{} still cannot import {modules}", python.display());
        }
        Ok(python)
    }
}

/// The program that cargo made of a benchmark, from cargo's messages, each a line of JSON.
fn program(messages: &str, benchmark: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_benchmark = |message: &Value| {
        let target = &message["target"];
        target["name"] == benchmark && target["kind"][0] == "bench"
    };
    messages.filter(of_benchmark).find_map(|m| Some(m["executable"].as_str()?.into()))
}

/// All files at and below a path, in order of name; none if nothing is there.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let Ok(entries) = std::fs::read_dir(path) else { return Ok(vec![]) };
    let mut entries = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    entries.sort();
    let below: Vec<Vec<PathBuf>> = entries.iter().map(|path| files(path)).collect::<Result<_>>()?;
    Ok(below.concat())
}

/// Runs a program to its end. Its output goes to the terminal.
fn call(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_of_a_benchmark_is_read_from_cargos_messages() {
        let line = |kind: &str, name: &str, program: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","target":{{"kind":["{kind}"],"name":"{name}"}},"executable":{program}}}"#
            )
        };
        let messages = [
            line("lib", "step", "null"),
            line("bench", "tsne", r#""/t/tsne-1""#),
            "not JSON".to_owned(),
            line("bench", "step", r#""/t/step-2""#),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
        ]
        .join("\n");
        assert_eq!(program(&messages, "step"), Some("/t/step-2".into()));
        assert_eq!(program(&messages, "steps"), None);
    }
}
