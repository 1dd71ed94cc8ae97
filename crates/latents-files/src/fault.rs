//! Failures on purpose: what happens to a user's files if the disk is full, breaks, or the process is killed, at any one step of the work.
//!
//! Each step of this crate that changes a file has a number, counted from 1 within the process. The variable `LATENTS_FAULT` names what is to happen:
//!
//! - `kill:N`: the process ends at step `N`, at once, as if it were killed. A write has written half of its bytes by then.
//! - `full:N`: from step `N` on there is no room on the disk.
//! - `io:N`: step `N` fails, and later ones do not.
//! - `list:FILE`: nothing fails; the steps are appended to `FILE`, a line each.
//!
//! `cargo xtask faults` runs the command so. Without the variable, a step costs one comparison.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

const VARIABLE: &str = "LATENTS_FAULT";

/// What changes a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A folder is made.
    Folder,
    /// A file is made, or opened to be written.
    Create,
    Write,
    /// A file is flushed to disk.
    Flush,
    Rename,
    Remove,
}

impl Step {
    fn needs_room(self) -> bool {
        matches!(self, Self::Folder | Self::Create | Self::Write)
    }
}

/// What is to happen.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    Kill(u64),
    Full(u64),
    Io(u64),
    List(PathBuf),
    /// The variable is none of these.
    Unclear,
}

impl Fault {
    fn parse(text: &str) -> Self {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        match (kind, rest.parse()) {
            ("list", _) if !rest.is_empty() => Self::List(rest.into()),
            ("kill", Ok(step)) => Self::Kill(step),
            ("full", Ok(step)) => Self::Full(step),
            ("io", Ok(step)) => Self::Io(step),
            _ => Self::Unclear,
        }
    }

    /// The error that step `number` ends with. If it ends the process instead, `before` is done first, and also before the first of several errors.
    fn meet(&self, number: u64, step: Step, path: &Path, before: impl FnOnce()) -> io::Result<()> {
        match *self {
            Self::Kill(at) if at == number => {
                before();
                std::process::abort()
            }
            Self::Full(at) if at == number => {
                before();
                Err(full())
            }
            Self::Full(at) if at < number && step.needs_room() => Err(full()),
            Self::Io(at) if at == number => {
                before();
                Err(io::Error::other(format!("{VARIABLE} asked for this error")))
            }
            Self::List(ref file) => {
                let mut file = File::options().create(true).append(true).open(file)?;
                writeln!(file, "{number} {step:?} {}", path.display())
            }
            Self::Unclear => Err(io::Error::other(format!(
                "{VARIABLE} must be kill:N, full:N, io:N or list:FILE"
            ))),
            Self::Kill(_) | Self::Full(_) | Self::Io(_) => Ok(()),
        }
    }
}

fn full() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, format!("no room on the disk, as {VARIABLE} asked"))
}

/// Called before each step. The error is what the step ends with.
pub(crate) fn at(step: Step, path: &Path) -> io::Result<()> {
    meet(step, path, || ())
}

fn meet(step: Step, path: &Path, before: impl FnOnce()) -> io::Result<()> {
    static FAULT: OnceLock<Option<Fault>> = OnceLock::new();
    static STEPS: AtomicU64 = AtomicU64::new(0);
    let read = || std::env::var_os(VARIABLE).map(|text| Fault::parse(&text.to_string_lossy()));
    let Some(fault) = FAULT.get_or_init(read) else { return Ok(()) };
    fault.meet(STEPS.fetch_add(1, Ordering::Relaxed) + 1, step, path, before)
}

/// A file that is being written; each write is a step.
#[derive(Debug)]
pub struct Output<'a> {
    file: &'a mut File,
    path: &'a Path,
}

impl<'a> Output<'a> {
    pub(crate) fn new(file: &'a mut File, path: &'a Path) -> Self {
        Self { file, path }
    }
}

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let half = &bytes[..bytes.len() / 2];
        meet(Step::Write, self.path, || drop(self.file.write_all(half)))?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Output<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_fail_as_the_variable_says() {
        let fails = |text: &str, number, step| {
            let path = Path::new("file");
            Fault::parse(text).meet(number, step, path, || ()).map_err(|e| e.kind()).err()
        };
        let full = Some(io::ErrorKind::StorageFull);
        for (number, step, expected) in [
            (2, Step::Write, None),
            (3, Step::Rename, full),
            (4, Step::Rename, None),
            (4, Step::Write, full),
            (5, Step::Folder, full),
        ] {
            assert_eq!(fails("full:3", number, step), expected, "{number} {step:?}");
        }
        assert_eq!(
            [2, 3, 4].map(|n| fails("io:3", n, Step::Flush).is_some()),
            [false, true, false]
        );
        assert_eq!(fails("kill:3", 2, Step::Write), None);
        for unclear in ["", "kill", "kill:", "kill:x", "list:", "3"] {
            assert_eq!(Fault::parse(unclear), Fault::Unclear, "{unclear}");
        }
    }

    #[test]
    fn a_write_that_fails_has_written_half() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut file = File::create(&path).unwrap();
        let half = || drop(file.write_all(b"half"));
        assert!(Fault::Io(1).meet(1, Step::Write, &path, half).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"half");
    }

    #[test]
    fn steps_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("steps");
        let fault = Fault::List(list.clone());
        fault.meet(1, Step::Create, Path::new("a"), || ()).unwrap();
        fault.meet(2, Step::Rename, Path::new("b"), || ()).unwrap();
        assert_eq!(std::fs::read_to_string(list).unwrap(), "1 Create a\n2 Rename b\n");
    }
}
