//! `cargo xtask interop`: what the binary writes, read by other people's programs. Only checks that
//! need NumPy and no more run here; what needs PyTorch lies in golden files, made once by
//! `xtask/python/golden_*.py` and read by the engine's own tests.

use std::process::Command;

use anyhow::Result;

use crate::{Workspace, call};

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let install = ["--only-binary=:all:", "numpy>=1.26", "safetensors>=0.4"];
    let python = workspace.python("python", "numpy, safetensors.numpy", &install)?;
    workspace.build(&["--package", "latents"])?;
    let check = workspace.script("check_npz.py");
    call(Command::new(python).arg(check).arg(workspace.release("latents")))?;
    println!("interop: all checks passed");
    Ok(())
}
