//! Files that are whole or not there at all. Everything that `latents` writes goes through here, so that a full disk, a power cut
//! or a killed process never leaves half a file, or loses the one that was there before. Nothing here knows what is in them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

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
        builder.prefix(".latents-").suffix(".tmp");
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
        // The name itself is in the folder, which some systems cannot bring to disk by itself.
        if cfg!(unix) {
            File::open(folder)?.sync_all()?;
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
