//! Atomic file writes, digests of files, file locks, and how much memory may be used. `latents` writes all its files with this crate, so a full disk, a power cut or a killed process
//! never leaves a partial file and never destroys the previous one. File formats are defined in other crates.
//!
//! ```
//! # let folder = std::env::temp_dir().join(format!("latents-files-doc-{}", std::process::id()));
//! let path = folder.join("runs/a/note.txt");
//! latents_files::write(&path, b"first")?;
//! latents_files::write(&path, b"second")?; // a reader sees one or the other, never a mixture
//! assert_eq!(latents_files::read_text(&path)?, "second");
//!
//! let lock = latents_files::lock(&folder.join("lock"))?;
//! assert!(lock.is_some() && latents_files::lock(&folder.join("lock"))?.is_none());
//! # std::fs::remove_dir_all(&folder).ok();
//! # Ok::<(), latents_files::FileError>(())
//! ```

mod fault;
mod lock;
mod memory;
mod sums;
mod write;

use std::io;
use std::path::{Path, PathBuf};

use fault::Step;

pub use fault::Output;
pub use lock::{Lock, lock};
pub use memory::{
    MOST_EXPANSION_OF_IMAGES, TooExpanded, TooLarge, check_expansion, check_memory, memory_limit,
    set_memory_limit,
};
pub use sums::{Sums, sha256};
pub use write::{append, sweep, write, write_with};

/// An error in reading or writing a file or folder.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub struct FileError {
    /// The action that failed: `read`, `write`, `create` or `remove`.
    pub action: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// The error of the operating system.
    pub source: io::Error,
}

impl FileError {
    /// Wraps a system error, as in `map_err(FileError::on("read", path))`.
    pub fn on(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
        let path = path.to_owned();
        move |source| FileError { action, path, source }
    }
}

/// Reads a whole file.
///
/// # Errors
/// If the file cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    std::fs::read(path).map_err(FileError::on("read", path))
}

/// Reads a whole text file.
///
/// # Errors
/// If the file cannot be read or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    std::fs::read_to_string(path).map_err(FileError::on("read", path))
}

/// Creates a folder and its missing parents.
///
/// # Errors
/// If one of them cannot be created.
pub fn create_folder(path: &Path) -> Result<(), FileError> {
    let attempt = || {
        if !path.is_dir() {
            fault::at(Step::Folder, path)?;
        }
        std::fs::create_dir_all(path)
    };
    attempt().map_err(FileError::on("create", path))
}

/// Removes a file, if it exists.
///
/// # Errors
/// If it exists and cannot be removed.
pub fn remove(path: &Path) -> Result<(), FileError> {
    let removed = fault::at(Step::Remove, path).and_then(|()| std::fs::remove_file(path));
    gone(removed).map_err(FileError::on("remove", path))
}

/// Removes a folder with all that is in it, if it exists.
///
/// # Errors
/// If it exists and cannot be removed.
pub fn remove_folder(path: &Path) -> Result<(), FileError> {
    let removed = fault::at(Step::Remove, path).and_then(|()| std::fs::remove_dir_all(path));
    gone(removed).map_err(FileError::on("remove", path))
}

/// What is not there is as good as removed.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
