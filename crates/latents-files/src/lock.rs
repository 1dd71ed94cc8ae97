//! File locks.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::{FileError, create_folder};

/// A held file lock, released when it is dropped. The system also releases it when the process ends, even if it is killed.
#[derive(Debug)]
pub struct Lock {
    file: Option<File>,
}

impl Lock {
    /// Whether the file is really locked; false on a file system without locks.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.file.is_some()
    }
}

/// Locks the file `path`, which is created if it does not exist. Returns `None` if another process, or another `Lock` in this process,
/// holds the lock. On a file system without locks, the result is a `Lock` that excludes nobody (see [`Lock::holds`]).
///
/// # Errors
/// If the file cannot be created.
pub fn lock(path: &Path) -> Result<Option<Lock>, FileError> {
    if let Some(folder) = path.parent() {
        create_folder(folder)?;
    }
    let open = File::options().create(true).truncate(false).write(true).open(path);
    let file = open.map_err(FileError::on("write", path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock { file: Some(file) })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(_)) => Ok(Some(Lock { file: None })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_keeps_others_out_while_it_lives() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/.lock");
        let held = lock(&path).unwrap();
        assert!(held.as_ref().is_some_and(Lock::holds) && lock(&path).unwrap().is_none());
        drop(held);
        assert!(lock(&path).unwrap().is_some());
    }
}
