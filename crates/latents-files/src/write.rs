//! Writing files.

use std::fs::{DirEntry, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;

use crate::fault::{self, Output, Step};
use crate::{FileError, create_folder};

/// The names of temporary files start with `PREFIX` and end with `SUFFIX`.
const PREFIX: &str = ".latents-";
const SUFFIX: &str = ".tmp";

/// Writes `bytes` to `path` and replaces an existing file. See [`write_with`].
///
/// # Errors
/// If the folder cannot be created or the file cannot be written. An existing file is then unchanged.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write_with(path, |out| out.write_all(bytes))
}

/// Writes a file with `fill` and replaces an existing one. Missing folders are created. `fill` writes to a temporary file in the same
/// folder, which is flushed to disk and then renamed to `path`; it keeps the permissions of the file that it replaces. A symbolic link stays: the file that it names is replaced. What exists and is no
/// file is never replaced: a device or a pipe (`/dev/stdout`, say) is written to as it is, and a folder is refused.
///
/// # Errors
/// If the folder cannot be created or the file cannot be written. An existing file is then unchanged.
pub fn write_with(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<Output<'_>>) -> io::Result<()>,
) -> Result<(), FileError> {
    let target = match target(path).map_err(FileError::on("write", path))? {
        Target::Stream(file) => {
            return through(file, path, fill).map_err(FileError::on("write", path));
        }
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
        fault::at(Step::Create, path)?;
        let mut file = held(|| builder.tempfile_in(folder))?;
        let mut out = BufWriter::new(Output::new(file.as_file_mut(), path));
        fill(&mut out)?;
        out.flush()?;
        drop(out);
        // What others may do with the file stays as it was: a private file stays private.
        #[cfg(unix)]
        if let Ok(before) = std::fs::metadata(&target) {
            file.as_file().set_permissions(before.permissions())?;
        }
        fault::at(Step::Flush, path)?;
        file.as_file().sync_all()?;
        fault::at(Step::Rename, path)?;
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

/// Makes a temporary file and holds its lock, so that no sweep takes it for one that a killed process left. A sweep may have taken one that was made but not yet
/// held: then another is made. Some systems have no locks; there nothing is swept.
fn held(make: impl Fn() -> io::Result<NamedTempFile>) -> io::Result<NamedTempFile> {
    loop {
        let file = make()?;
        // Waits for a sweep that holds it, which is soon done.
        let _ = file.as_file().lock();
        if file.path().exists() {
            return Ok(file);
        }
    }
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
        // A link that names no file yet, perhaps by other links; what the last one names is made.
        Err(_) if path.is_symlink() => return last_named(path).map(Target::File),
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

/// What a link names that leads to no file, by way of other links.
fn last_named(link: &Path) -> io::Result<PathBuf> {
    /// As many as Linux follows.
    const LINKS: usize = 40;
    let mut path = link.to_owned();
    for _ in 0..LINKS {
        if !path.is_symlink() {
            return Ok(path);
        }
        let named = std::fs::read_link(&path)?;
        path = path.parent().unwrap_or(Path::new("")).join(named);
    }
    Err(io::Error::other("it is a link that leads in a circle"))
}

/// Writes to what cannot be replaced.
fn through(
    mut file: File,
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<Output<'_>>) -> io::Result<()>,
) -> io::Result<()> {
    let mut out = BufWriter::new(Output::new(&mut file, path));
    fill(&mut out)?;
    out.flush()
}

/// Appends to a file, which is made if it does not exist, and flushes it to disk.
///
/// # Errors
/// If it cannot be written. The file is then as it was.
pub fn append(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let attempt = || {
        fault::at(Step::Create, path)?;
        let mut file = File::options().create(true).append(true).open(path)?;
        let before = file.metadata()?.len();
        let written = Output::new(&mut file, path).write_all(bytes).and_then(|()| {
            fault::at(Step::Flush, path)?;
            file.sync_all()
        });
        // If the disk is full, no incomplete line remains.
        written.inspect_err(|_| drop(file.set_len(before)))
    };
    attempt().map_err(FileError::on("write", path))
}

/// Removes temporary files that killed processes left in a folder and its subfolders, however young they are; those that a process still writes stay.
pub fn sweep(folder: &Path) {
    temporary(folder).for_each(|file| remove_if_left(&file));
    for entry in entries(folder) {
        // A link is no folder here: what is elsewhere is not ours.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            sweep(&entry.path());
        }
    }
}

/// Removes a temporary file that nobody holds. One that remains does no harm.
fn remove_if_left(file: &DirEntry) {
    if let Ok(held) = File::options().write(true).open(file.path())
        && held.try_lock().is_ok()
    {
        let _ = std::fs::remove_file(file.path());
    }
}

/// A temporary file is left by a killed process if nobody holds it after so long.
const YOUNG: Duration = Duration::from_secs(60);

/// Removes temporary files that killed processes left in a folder that others may write to.
fn sweep_stale(folder: &Path) {
    for file in temporary(folder) {
        let age = file.metadata().and_then(|about| about.modified()).map(|time| time.elapsed());
        if age.is_ok_and(|age| age.is_ok_and(|age| age > YOUNG)) {
            remove_if_left(&file);
        }
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = DirEntry> {
    std::fs::read_dir(folder).into_iter().flatten().flatten()
}

/// The temporary files in a folder.
fn temporary(folder: &Path) -> impl Iterator<Item = DirEntry> {
    entries(folder).filter(|file| {
        let name = file.file_name();
        let name = name.to_string_lossy();
        name.starts_with(PREFIX) && name.ends_with(SUFFIX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{read, read_text};

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
    fn only_half_written_files_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".latents-x.tmp", "kept.tmp", ".latents-kept"] {
            std::fs::write(folder.path().join(name), b"").unwrap();
        }
        let below = folder.path().join("below/.latents-y.tmp");
        std::fs::create_dir(folder.path().join("below")).unwrap();
        std::fs::write(&below, b"").unwrap();
        let held = File::create(folder.path().join(".latents-held.tmp")).unwrap();
        held.lock().unwrap();
        sweep(folder.path());
        sweep(&folder.path().join("nowhere"));
        let mut left: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".latents-held.tmp", ".latents-kept", "below", "kept.tmp"]);
        assert!(!below.exists());
    }

    #[test]
    fn a_sweep_takes_nothing_from_those_who_write() {
        let folder = tempfile::tempdir().unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    sweep(folder.path());
                }
            });
            let make = || {
                let mut builder = tempfile::Builder::new();
                builder.prefix(PREFIX).suffix(SUFFIX).tempfile_in(folder.path())
            };
            let taken = (0..20_000).filter(|_| !held(make).unwrap().path().exists()).count();
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            assert_eq!(taken, 0);
        });
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
        symlink("second", at("first")).unwrap();
        symlink("far/last", at("second")).unwrap();
        write(&at("first"), b"made").unwrap();
        assert_eq!(read_text(&at("far/last")).unwrap(), "made");
        assert!(at("first").is_symlink() && at("second").is_symlink());
        symlink("circle", at("circle")).unwrap();
        assert!(write(&at("circle"), b"").is_err() && at("circle").is_symlink());
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
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode();
        assert_ne!(mode() & 0o044, 0);
        // Unless the one before was private.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        write(&path, b"secret").unwrap();
        assert_eq!(mode() & 0o777, 0o600);
    }
}
