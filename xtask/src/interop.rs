//! `cargo xtask interop`: checks that other programs read what the command writes, and that it reads what they write: NumPy arrays, pandas tables, pictures in Parquet, FITS and DICOM, Optuna and its dashboard studies (in SQLite and on
//! a PostgreSQL server that is started for the check), Chromium reports. Values from PyTorch are in golden files, which `xtask/python/golden_*.py`
//! made once and the engine's tests read. The Python package is checked too (`python.rs`).

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::{Workspace, call};

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    // One environment for these checks and those of the package, which share the largest packages.
    let install = [
        "safetensors>=0.4",
        "optuna==5.0.0",
        "optuna-dashboard==0.21.0",
        "psycopg[binary]>=3.2",
        "websockets>=13",
        "astropy>=7",
        "pydicom>=3",
        "python-gdcm>=3",
    ];
    let modules = "safetensors.numpy, optuna, optuna_dashboard, psycopg, websockets.sync.client, astropy.io.fits, pydicom, gdcm";
    let python = crate::python::environment(workspace, &install, modules)?;
    workspace.build(&[
        "--bin=latents",
        "--example=tables",
        "--example=report",
        "--example=decoders",
    ])?;
    let latents = workspace.release("latents");
    call(Command::new(&python).arg(workspace.script("check_npz.py")).arg(&latents))?;
    tables(workspace, &python)?;
    let sample = workspace.root.join("crates/latents-data/sample");
    call(
        Command::new(&python).arg(workspace.script("check_parquet.py")).arg(&latents).arg(sample),
    )?;
    call(Command::new(&python).arg(workspace.script("check_science.py")).arg(&latents))?;
    let check_study = workspace.script("check_study.py");
    call(Command::new(&python).arg(&check_study).arg(&latents))?;

    let beside_postgres = || {
        let mut command = Command::new(&python);
        command.arg(workspace.script("postgres_server.py"));
        command
    };
    call(beside_postgres().arg(&python).arg(&check_study).arg(&latents))?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut tests = beside_postgres();
    tests.arg(cargo).args(["test-all", "--test=storage"]);
    call(tests.current_dir(&workspace.root))?;
    report(workspace, &python)?;
    crate::python::check(workspace, &python)?;
    println!("interop: all checks passed");
    Ok(())
}

/// Reads a table that the example of `latents-tables` writes, by pandas and pyarrow.
fn tables(workspace: &Workspace, python: &Path) -> Result<()> {
    let folder = workspace.target.join("tables");
    call(Command::new(workspace.release("examples/tables")).arg(&folder))?;
    call(Command::new(python).arg(workspace.script("check_tables.py")).arg(&folder))
}

/// Opens and uses the pages of two examples in a headless Chromium. Screenshots stay under the target folder.
fn report(workspace: &Workspace, python: &Path) -> Result<()> {
    let [page, decoders, shots] =
        ["page", "decoders", "screenshots"].map(|name| workspace.target.join("report").join(name));
    // Runs of another build are not reused.
    if page.exists() {
        std::fs::remove_dir_all(&page)?;
    }
    call(Command::new(workspace.release("examples/report")).arg(&page))?;
    call(Command::new(workspace.release("examples/decoders")).arg(&decoders))?;
    call(
        Command::new(python)
            .arg(workspace.script("check_report.py"))
            .arg(workspace.release("latents"))
            .args([page, decoders, shots]),
    )
}
