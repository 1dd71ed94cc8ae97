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

mod memory;
mod sums;

use std::fs::{DirEntry, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use memory::{TooLarge, check_memory, memory_limit, set_memory_limit};
pub use sums::{Sums, sha256};

/// The names of temporary files start with `PREFIX` and end with `SUFFIX`.
const PREFIX: &str = ".latents-";
const SUFFIX: &str = ".tmp";

/// An error in reading or writing a file or folder.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub struct FileError {
    /// The action that failed: `read`, `write` or `create`.
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

/// Writes `bytes` to `path` and replaces an existing file. See [`write_with`].
///
/// # Errors
/// If the folder cannot be created or the file cannot be written. An existing file is then unchanged.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write_with(path, |out| out.write_all(bytes))
}

/// Writes a file with `fill` and replaces an existing one. Missing folders are created. `fill` writes to a temporary file in the same
/// folder, which is flushed to disk and then renamed to `path`. A symbolic link stays: the file that it names is replaced. What exists and is no
/// file is never replaced: a device or a pipe (`/dev/stdout`, say) is written to as it is, and a folder is refused.
///
/// # Errors
/// If the folder cannot be created or the file cannot be written. An existing file is then unchanged.
pub fn write_with(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<&mut File>) -> io::Result<()>,
) -> Result<(), FileError> {
    let target = match target(path).map_err(FileError::on("write", path))? {
        Target::Stream(file) => return through(file, fill).map_err(FileError::on("write", path)),
        Target::File(target) => target,
    };
    let folder = match target.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    create_folder(folder)?;
    let attempt = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX).suffix(SUFFIX);
        #[cfg(unix)]
        {
            // Temporary files are private by default; these get ordinary permissions, reduced by the user's umask.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        sweep_stale(folder);
        let mut file = builder.tempfile_in(folder)?;
        // Held, so that nobody takes it for one that a killed process left. Some systems have no locks; there it is only young.
        let _ = file.as_file().try_lock();
        let mut out = BufWriter::new(file.as_file_mut());
        fill(&mut out)?;
        out.flush()?;
        drop(out);
        file.as_file().sync_all()?;
        file.persist(&target)?;
        // The new name is an entry of the folder, so the folder is flushed, too. Some systems cannot flush a folder, and the user may not be
        // allowed to read it. The file is complete under its name by now, so this is not an error.
        if cfg!(unix) {
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(())
    };
    attempt().map_err(FileError::on("write", path))
}

/// What receives the contents that are written to a path.
enum Target {
    /// A file that is replaced, or made.
    File(PathBuf),
    /// A device, a pipe, or an open file of the process.
    Stream(File),
}

/// Paths that stand for open files of a process.
fn is_open_file(path: &Path) -> bool {
    let streams = ["/dev/stdout", "/dev/stderr", "/dev/fd"];
    let of_process = path.starts_with("/proc") && path.iter().any(|part| part == "fd");
    cfg!(unix) && (of_process || streams.iter().any(|stream| path.starts_with(stream)))
}

/// Follows links, and tells what may be replaced from what may not.
fn target(path: &Path) -> io::Result<Target> {
    let existing = match std::fs::metadata(path) {
        Ok(existing) => existing,
        // A link that names no file yet; what it names is made.
        Err(_) if path.is_symlink() => {
            let named = std::fs::read_link(path)?;
            let folder = path.parent().unwrap_or(Path::new(""));
            return Ok(Target::File(folder.join(named)));
        }
        Err(_) => return Ok(Target::File(path.to_owned())),
    };
    if existing.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
    }
    if !existing.is_file() || is_open_file(path) {
        // Standard output may be a file, which has something in it.
        let file = File::options().write(true).append(existing.is_file()).open(path);
        return file.map(Target::Stream);
    }
    Ok(Target::File(if path.is_symlink() { path.canonicalize()? } else { path.to_owned() }))
}

/// Writes to what cannot be replaced.
fn through(
    mut file: File,
    fill: impl FnOnce(&mut BufWriter<&mut File>) -> io::Result<()>,
) -> io::Result<()> {
    let mut out = BufWriter::new(&mut file);
    fill(&mut out)?;
    out.flush()
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
    std::fs::create_dir_all(path).map_err(FileError::on("create", path))
}

/// Removes temporary files that killed processes left in a folder. Call it only if no other process writes to the folder.
pub fn sweep(folder: &Path) {
    for file in temporary(folder) {
        // A temporary file that remains does no harm.
        let _ = std::fs::remove_file(file.path());
    }
}

/// A temporary file is left by a killed process if nobody holds it after so long.
const YOUNG: Duration = Duration::from_secs(60);

/// Removes temporary files that killed processes left in a folder that others may write to.
fn sweep_stale(folder: &Path) {
    for file in temporary(folder) {
        let age = file.metadata().and_then(|about| about.modified()).map(|time| time.elapsed());
        if age.is_ok_and(|age| age.is_ok_and(|age| age > YOUNG))
            && let Ok(held) = File::options().write(true).open(file.path())
            && held.try_lock().is_ok()
        {
            let _ = std::fs::remove_file(file.path());
        }
    }
}

/// The temporary files in a folder.
fn temporary(folder: &Path) -> impl Iterator<Item = DirEntry> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter(|file| {
        let name = file.file_name();
        let name = name.to_string_lossy();
        name.starts_with(PREFIX) && name.ends_with(SUFFIX)
    })
}

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

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

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
    fn what_a_killed_process_left_is_removed_by_the_next_write() {
        let folder = tempfile::tempdir().unwrap();
        let old = std::time::SystemTime::now() - 2 * YOUNG;
        let make = |name: &str| {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(old).unwrap();
            file
        };
        make(".latents-left.tmp");
        make("kept.tmp");
        let held = make(".latents-held.tmp");
        held.lock().unwrap();
        File::create(folder.path().join(".latents-young.tmp")).unwrap();
        write(&folder.path().join("file"), b"").unwrap();
        let there = |name: &str| folder.path().join(name).exists();
        assert!(!there(".latents-left.tmp"));
        for name in ["kept.tmp", ".latents-held.tmp", ".latents-young.tmp", "file"] {
            assert!(there(name), "{name}");
        }
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
    fn links_stay_and_what_is_no_file_is_never_replaced() {
        use std::os::unix::fs::{FileTypeExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        symlink("far/file", at("link")).unwrap();
        for text in ["made", "replaced"] {
            write(&at("link"), text.as_bytes()).unwrap();
            assert_eq!(read_text(&at("far/file")).unwrap(), text);
            assert!(at("link").is_symlink());
        }
        // The null device, by a link, so that a mistake would replace the link alone.
        symlink("/dev/null", at("null")).unwrap();
        write(&at("null"), b"gone").unwrap();
        assert!(std::fs::metadata(at("null")).unwrap().file_type().is_char_device());
        assert!(at("null").is_symlink());
        std::fs::create_dir(at("folder")).unwrap();
        let said = write(&at("folder"), b"").unwrap_err();
        assert_eq!(said.source.to_string(), "it is a folder");
        assert!(at("folder").is_dir());
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
