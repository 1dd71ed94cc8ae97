//! Files that are whole or not there at all. Everything that `latents` writes goes through here, so that a full disk, a power cut
//! or a killed process never leaves half a file, or loses the one that was there before. Nothing here knows what is in them.
//!
//! ```
//! # let folder = std::env::temp_dir().join(format!("latents-files-doc-{}", std::process::id()));
//! let path = folder.join("runs/a/note.txt");
//! latents_files::write(&path, b"first")?;
//! latents_files::write(&path, b"second")?; // never half of either
//! assert_eq!(latents_files::read_text(&path)?, "second");
//!
//! let lock = latents_files::lock(&folder.join("lock"))?;
//! assert!(lock.is_some() && latents_files::lock(&folder.join("lock"))?.is_none());
//! # std::fs::remove_dir_all(&folder).ok();
//! # Ok::<(), latents_files::FileError>(())
//! ```

use std::fs::{File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Names of files that are being written.
const PREFIX: &str = ".latents-";
const SUFFIX: &str = ".tmp";

/// A file or folder that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub struct FileError {
    /// What was tried: `read`, `write`, `create`.
    pub action: &'static str,
    /// On which file or folder.
    pub path: PathBuf,
    /// The system's reason.
    pub source: io::Error,
}

impl FileError {
    /// Wraps a system error; made for `map_err(FileError::on("read", path))`.
    pub fn on(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
        let path = path.to_owned();
        move |source| FileError { action, path, source }
    }
}

/// Writes `bytes` to `path`, replacing what was there. See [`write_with`].
///
/// # Errors
/// Where the folder cannot be made or the file not written; the old file, if there was one, is still whole then.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write_with(path, |out| out.write_all(bytes))
}

/// Writes what `fill` gives to `path`, replacing what was there, and makes its folder where there is none: first to a temporary
/// file beside it, which is brought to disk and then takes the name.
///
/// # Errors
/// Where the folder cannot be made or the file not written; the old file, if there was one, is still whole then.
pub fn write_with(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<&mut File>) -> io::Result<()>,
) -> Result<(), FileError> {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    create_folder(folder)?;
    let attempt = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX).suffix(SUFFIX);
        #[cfg(unix)]
        {
            // Temporary files are private by default; these become ordinary ones, under the user's umask.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let mut file = builder.tempfile_in(folder)?;
        let mut out = BufWriter::new(file.as_file_mut());
        fill(&mut out)?;
        out.flush()?;
        drop(out);
        file.as_file().sync_all()?;
        file.persist(path)?;
        // The name itself is in the folder, which some systems cannot bring to disk by itself, and some do not let everybody read. The
        // file has its name by now, so none of that is a failure.
        if cfg!(unix) {
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(())
    };
    attempt().map_err(FileError::on("write", path))
}

/// Reads a whole file.
///
/// # Errors
/// Where it cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    std::fs::read(path).map_err(FileError::on("read", path))
}

/// Reads a whole file of text.
///
/// # Errors
/// Where it cannot be read or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    std::fs::read_to_string(path).map_err(FileError::on("read", path))
}

/// Makes a folder and those above it, where they are not there yet.
///
/// # Errors
/// Where that cannot be done.
pub fn create_folder(path: &Path) -> Result<(), FileError> {
    std::fs::create_dir_all(path).map_err(FileError::on("create", path))
}

/// Removes what killed processes left of files that they were writing in a folder. Only for a folder that nobody else writes to.
pub fn sweep(folder: &Path) {
    let Ok(files) = std::fs::read_dir(folder) else { return };
    for file in files.flatten() {
        let name = file.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
            // What cannot be removed does no harm.
            let _ = std::fs::remove_file(file.path());
        }
    }
}

/// Keeps others out for as long as it lives; the system ends it with the process, however that ends.
#[derive(Debug)]
pub struct Lock {
    file: Option<File>,
}

impl Lock {
    /// Whether others are kept out: not on a file system without locks.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.file.is_some()
    }
}

/// Locks the file `path`, which is made where there is none; none where another process, or another `Lock` of this one, has it.
/// On a file system without locks nobody is kept out.
///
/// # Errors
/// Where the file cannot be made.
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
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/file");
        write(&path, b"old").unwrap();
        let failed = write_with(&path, |out| {
            out.write_all(&[0; 10_000])?;
            Err(io::Error::other("disk full"))
        });
        let error = failed.unwrap_err();
        assert_eq!(error.source.to_string(), "disk full");
        assert!(error.to_string().starts_with("cannot write ") && error.path == path, "{error}");
        assert_eq!(read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_lock_keeps_others_out_while_it_lives() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/.lock");
        let held = lock(&path).unwrap();
        assert!(held.as_ref().is_some_and(Lock::holds) && lock(&path).unwrap().is_none());
        drop(held);
        assert!(lock(&path).unwrap().is_some());
    }

    #[test]
    fn only_half_written_files_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".latents-x.tmp", "kept.tmp", ".latents-kept"] {
            std::fs::write(folder.path().join(name), b"").unwrap();
        }
        sweep(folder.path());
        sweep(&folder.path().join("nowhere"));
        let mut left: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".latents-kept", "kept.tmp"]);
    }

    #[test]
    fn a_write_replaces_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, b"old and long").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(read_text(&path).unwrap(), "new");
    }

    #[cfg(unix)]
    #[test]
    fn files_are_readable_by_others() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, b"").unwrap();
        assert_ne!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o044, 0);
    }
}
