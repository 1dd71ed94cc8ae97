//! `cargo xtask python`: builds the wheel of the Python package, installs it in a fresh environment, and runs its tests, the examples of its documentation, the checks
//! of its types, the notebooks, and models on engines that spread work over machines.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{Workspace, call};

/// The largest wheel that is published, in bytes.
const LARGEST: u64 = 25 << 20;

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    check(workspace, &environment(workspace, &[], "sys")?)
}

/// The interpreter of an environment with what [`check`] needs, and other packages, of which `modules` are imported.
pub(crate) fn environment(
    workspace: &Workspace,
    others: &[&str],
    modules: &str,
) -> Result<PathBuf> {
    let engines = ["ray[data]>=2.50", "dask>=2025", "distributed>=2025", "pyarrow>=18"];
    let notebooks = ["nbclient>=0.10", "ipykernel>=6.29"];
    let modules = format!("ray.data, dask.distributed, pyarrow, nbclient, ipykernel, {modules}");
    with_tests(workspace, &[&engines[..], &notebooks, others].concat(), &modules)
}

/// Builds the wheel, installs it in this environment, and checks it there.
pub(crate) fn check(workspace: &Workspace, python: &Path) -> Result<()> {
    install(workspace, python)?;

    // Away from the sources, so that it is the installed package that is tested.
    let empty = workspace.target.join("python-tests");
    std::fs::create_dir_all(&empty)?;
    let package = workspace.root.join("crates/latents-python");
    let config = workspace.root.join("pyproject.toml");
    let inside = |arguments: &[&str]| {
        let mut command = Command::new(python);
        command.arg("-m").args(arguments).current_dir(&empty);
        command
    };
    let pytest = ["pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."];
    let types = || {
        call(inside(&["mypy", "--config-file"]).arg(&config).args(["-p", "latents"]))?;
        call(inside(&["mypy.stubtest", "--mypy-config-file"]).arg(&config).arg("latents"))
    };
    let tests = || {
        call(inside(&pytest).arg("-c").arg(&config).arg(package.join("tests")))?;
        call(inside(&pytest).args(["--doctest-modules", "--pyargs", "latents"]))
    };
    // The check of types takes one core, and most tests of the package do.
    let (typed, tested) = std::thread::scope(|scope| {
        let types = scope.spawn(types);
        let tested = tests();
        (types.join(), tested)
    });
    typed.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    tested?;
    call(Command::new(python).arg(workspace.script("check_notebooks.py")))?;
    call(Command::new(python).arg(workspace.script("check_engines.py")))?;
    println!("python: all checks passed");
    Ok(())
}

/// The interpreter of an environment in which the wheel of the package is installed, and what its tests need; and other packages, of which `modules` are imported.
pub(crate) fn installed(workspace: &Workspace, others: &[&str], modules: &str) -> Result<PathBuf> {
    let python = with_tests(workspace, others, modules)?;
    install(workspace, &python)?;
    Ok(python)
}

/// Builds the wheel and installs it in an environment.
fn install(workspace: &Workspace, python: &Path) -> Result<()> {
    let maturin = workspace.python("maturin", "maturin", &["maturin>=1.10,<2"])?;
    let wheels = workspace.target.join("wheels");
    if wheels.exists() {
        std::fs::remove_dir_all(&wheels)?;
    }
    let mut build = Command::new(&maturin);
    build.args(["-m", "maturin", "build", "--release", "--out"]).arg(&wheels);
    // The folder that the other chores build in too.
    build.env("CARGO_TARGET_DIR", &workspace.target).current_dir(&workspace.root);
    call(&mut build)?;
    let wheel = only_file(&wheels)?;
    let size = std::fs::metadata(&wheel)?.len();
    let name = wheel.file_name().unwrap_or_default().to_string_lossy();
    println!("{name}: {:.1} MB", size as f64 / 1e6);
    ensure!(size <= LARGEST, "{name} has {size} bytes, more than {LARGEST}");

    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    call(pip.arg("--force-reinstall").arg(&wheel))
}

/// The interpreter of an environment in which the package's tests run, without the package, and other packages, of which `modules` are imported.
fn with_tests(workspace: &Workspace, others: &[&str], modules: &str) -> Result<PathBuf> {
    let modules = format!("numpy, sklearn, pandas, pytest, mypy, PIL, IPython, {modules}");
    let install = [
        "--only-binary=:all:",
        "numpy>=1.26",
        "scikit-learn>=1.7",
        "pandas>=2.2",
        "pandas-stubs",
        "pytest>=8",
        "mypy>=1.15",
        "pillow>=11",
        "ipython>=8",
    ];
    workspace.python("python-package", &modules, &[&install[..], others].concat())
}

/// The only file in a folder.
fn only_file(folder: &Path) -> Result<PathBuf> {
    let files: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    let [file] = <[PathBuf; 1]>::try_from(files).ok().context("there must be one wheel")?;
    Ok(file)
}
