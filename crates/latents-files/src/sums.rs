//! SHA-256 of the files of a folder, in a text file that `sha256sum --check` understands. Whoever reads one of these files can tell whether it is
//! still the one that was written.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::{FileError, read, read_text, write};

/// The first word of the last line, which has the SHA-256 of the lines above it.
const SELF: &str = "# lines";

/// The file `SHA256SUMS` of a folder: the SHA-256 of some of its files by name, and digests of other things as comments.
///
/// ```
/// use latents_files::Sums;
///
/// # let folder = std::env::temp_dir().join(format!("latents-sums-doc-{}", std::process::id()));
/// latents_files::write(&folder.join("a.txt"), b"hello")?;
/// let mut sums = Sums::default();
/// sums.add("a.txt", b"hello");
/// sums.save(&folder)?;
///
/// let sums = Sums::load(&folder)?.expect("it was saved");
/// assert_eq!(sums.matches("a.txt", b"hello"), Some(true));
/// assert_eq!(sums.matches("a.txt", b"jello"), Some(false));
/// assert_eq!(sums.matches("b.txt", b""), None);
/// # std::fs::remove_dir_all(&folder).ok();
/// # Ok::<(), latents_files::FileError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    files: BTreeMap<String, String>,
    notes: BTreeMap<String, String>,
}

impl Sums {
    /// The path of the file in a folder.
    #[must_use]
    pub fn path(folder: &Path) -> PathBuf {
        folder.join("SHA256SUMS")
    }

    /// Reads the file of a folder; none if it has no such file.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged.
    pub fn load(folder: &Path) -> Result<Option<Self>, FileError> {
        let path = Self::path(folder);
        if !path.exists() {
            return Ok(None);
        }
        let text = read_text(&path)?;
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "it is damaged");
        Self::parse(&text).map(Some).ok_or_else(|| FileError::on("read", &path)(damaged()))
    }

    /// Writes the file of a folder.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), FileError> {
        let files = self.files.iter().map(|(name, sum)| format!("{sum}  {name}\n"));
        let notes = self.notes.iter().map(|(name, note)| format!("# {name} {note}\n"));
        let text: String = files.chain(notes).collect();
        let sum = sha256(text.as_bytes());
        write(&Self::path(folder), format!("{text}{SELF} {sum}\n").as_bytes())
    }

    /// Adds a file by its name, relative to the folder and with `/`, and its contents.
    pub fn add(&mut self, name: &str, contents: &[u8]) {
        self.files.insert(name.to_owned(), sha256(contents));
    }

    /// Adds a file of the folder; one that does not exist is left out.
    ///
    /// # Errors
    /// If it exists and cannot be read.
    pub fn add_file(&mut self, folder: &Path, name: &str) -> Result<(), FileError> {
        let path = folder.join(name);
        if path.exists() {
            self.add(name, &read(&path)?);
        } else {
            self.files.remove(name);
        }
        Ok(())
    }

    /// The SHA-256 of a file that was added, in hexadecimal.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.files.get(name).map(String::as_str)
    }

    /// Whether these are the contents that a file was added with; `None` if it was not added.
    #[must_use]
    pub fn matches(&self, name: &str, contents: &[u8]) -> Option<bool> {
        self.get(name).map(|sum| sum == sha256(contents))
    }

    /// Adds a digest of something that is not a file. The name is one word.
    pub fn set_note(&mut self, name: &str, digest: String) {
        self.notes.insert(name.to_owned(), digest);
    }

    /// The digest that was added under a name.
    #[must_use]
    pub fn note(&self, name: &str) -> Option<&str> {
        self.notes.get(name).map(String::as_str)
    }

    /// `None` if it is not whole.
    fn parse(text: &str) -> Option<Self> {
        let (above, last) =
            text.strip_suffix('\n')?.rsplit_once('\n').unwrap_or(("", text.trim_end()));
        let above = if above.is_empty() { String::new() } else { format!("{above}\n") };
        if last.strip_prefix(SELF)?.strip_prefix(' ')? != sha256(above.as_bytes()) {
            return None;
        }
        let mut sums = Sums::default();
        for line in above.lines() {
            if let Some(note) = line.strip_prefix("# ") {
                let (name, note) = note.split_once(' ')?;
                sums.set_note(name, note.to_owned());
            } else {
                let (sum, name) = line.split_once("  ")?;
                sums.files.insert(name.to_owned(), sum.to_owned());
            }
        }
        Some(sums)
    }
}

/// SHA-256 in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    let digits = Sha256::digest(bytes).into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_comes_back_and_the_usual_program_accepts_it() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("sub/a b.txt"), b"abc").unwrap();
        let mut sums = Sums::default();
        for name in ["sub/a b.txt", "missing"] {
            sums.add_file(folder.path(), name).unwrap();
        }
        sums.set_note("settings", "12 34".into());
        sums.save(folder.path()).unwrap();
        assert_eq!(Sums::load(folder.path()).unwrap(), Some(sums.clone()));
        assert_eq!(sums.note("settings"), Some("12 34"));
        assert_eq!(sums.matches("missing", b""), None);
        // The value of FIPS 180-2.
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let check = std::process::Command::new("sha256sum")
            .args(["--check", "--strict", "SHA256SUMS"])
            .current_dir(folder.path())
            .output();
        if let Ok(check) = check {
            assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
        }
        assert_eq!(Sums::load(&folder.path().join("sub")).unwrap(), None);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut sums = Sums::default();
        sums.add("a", b"1");
        sums.set_note("settings", "34".into());
        sums.save(folder.path()).unwrap();
        let path = Sums::path(folder.path());
        let whole = read(&path).unwrap();
        let is_told = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            Sums::load(folder.path()).is_err()
        };
        for bit in 0..8 * whole.len() {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(is_told(&flipped), "bit {bit}");
        }
        assert!((0..whole.len()).all(|length| is_told(&whole[..length])));
        assert!(!is_told(&whole));
        Sums::default().save(folder.path()).unwrap();
        assert_eq!(Sums::load(folder.path()).unwrap(), Some(Sums::default()));
    }
}
