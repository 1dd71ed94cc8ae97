//! `cargo xtask versus python`: compares the Python package with scikit-learn, openTSNE and the command. The program that measures is `xtask/python/bench_python.py`.

use std::process::Command;

use anyhow::Result;
use clap::Args;

use super::{load_average, warn_of};
use crate::{Workspace, call, python};

#[derive(Args)]
pub(crate) struct Options {
    /// The images that models are trained on.
    #[arg(long, value_name = "SOURCE", default_value = "fashion-mnist")]
    data: String,
    /// How often each program is measured.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

pub(super) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    workspace.build_command()?;
    let python = python::installed(workspace, &["openTSNE>=1.0"], "openTSNE")?;
    warn_of(load_average());
    let mut bench = Command::new(python);
    bench.arg(workspace.script("bench_python.py")).arg("--command");
    bench.arg(workspace.release("latents")).args(["--source", &options.data]);
    call(bench.args(["--rounds", &options.rounds.to_string()]))
}
