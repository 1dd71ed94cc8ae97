//! The workspace's chores, run as `cargo xtask <chore>`: the command line and what the chores
//! share (where things lie, how programs and Python environments are started). Each chore has its
//! own file; nothing here is part of what users install.

// A chore's output is for the person at the terminal.
#![allow(clippy::print_stdout)]

mod book;
mod interop;
mod versus;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::Parser;

/// Chores of the `latents` workspace.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Chore {
    /// Write the book's pages of commands from `latents help`, and see that every link in the documents
    /// leads somewhere.
    Book(book::Options),
    /// Check with NumPy, Optuna and its dashboard that what the binary writes can be read, means what
    /// it should, and can be gone on with; the studies also on a PostgreSQL server.
    Interop,
    /// Measure us and our peers, in turn: training, tuning.
    Versus(versus::Options),
}

fn main() -> ExitCode {
    let workspace = Workspace::find();
    let done = match Chore::parse() {
        Chore::Book(options) => book::run(&workspace, &options),
        Chore::Interop => interop::run(&workspace),
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

/// Where the workspace's files lie.
struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    fn find() -> Self {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.parent().unwrap_or(manifest).to_owned();
        // A relative CARGO_TARGET_DIR counts from where cargo was called, as it does for cargo.
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

    /// Something that `cargo build --release` made.
    fn release(&self, name: &str) -> PathBuf {
        let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        self.target.join("release").join(name)
    }

    /// `cargo build --release` with these arguments.
    fn build(&self, arguments: &[&str]) -> Result<()> {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.root).args(["build", "--release"]).args(arguments);
        call(&mut cargo)
    }

    /// The interpreter of a virtual environment under the target folder in which the named
    /// modules import; it is made, with `pip install` and these arguments, where they do not.
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
                    .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                    .args(install),
            )?;
            ensure!(imports(), "{} still cannot import {modules}", python.display());
        }
        Ok(python)
    }
}

/// Runs a program to its end, its output going to the terminal.
fn call(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
