//! The digests of a finished run's files and settings, and reading the files by them.

use latents_files::Sums;

use super::{MODEL, Run, digest, snapshot_name};
use crate::config::RunConfig;
use crate::error::Error;

/// The digest of a run's settings among those of its files.
const SETTINGS: &str = "settings";

impl Run {
    /// SHA-256 of the trained weights, in hexadecimal; of a finished run, the one that it keeps, without reading them.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn model_digest(&self) -> Result<String, Error> {
        match self.sums()?.and_then(|sums| sums.get(MODEL).map(str::to_owned)) {
            Some(known) => Ok(known),
            None => digest(&self.model_path()),
        }
    }

    /// Keeps the digests of the files of a finished run, and of its settings, if it has none that can be read.
    pub(crate) fn seal(&self, config: &RunConfig) -> Result<(), Error> {
        if matches!(Sums::load(&self.dir), Ok(Some(_))) {
            return Ok(());
        }
        let mut sums = Sums::default();
        sums.set_note(SETTINGS, config.digest()?);
        for name in ["data.json", "metrics.jsonl", MODEL] {
            sums.add_file(&self.dir, name)?;
        }
        for epoch in self.snapshot_epochs() {
            sums.add_file(&self.dir, &snapshot_name(epoch))?;
        }
        Ok(sums.save(&self.dir)?)
    }

    /// Forgets the digests, because the files will change.
    pub(crate) fn unseal(&self) -> Result<(), Error> {
        Ok(latents_files::remove(&Sums::path(&self.dir))?)
    }

    /// Keeps the digest of a file that was added to a finished run.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub fn add_to_seal(&self, name: &str) -> Result<(), Error> {
        let Some(mut sums) = Sums::load(&self.dir)? else { return Ok(()) };
        sums.add_file(&self.dir, name)?;
        Ok(sums.save(&self.dir)?)
    }

    /// Whether the run is finished and keeps its digests.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn is_sealed(&self) -> Result<bool, Error> {
        Ok(Sums::load(&self.dir)?.is_some())
    }

    /// The digests of the run's files; none if it is not finished, or its files are taken as they are.
    fn sums(&self) -> Result<Option<Sums>, Error> {
        if self.accepts { Ok(None) } else { Ok(Sums::load(&self.dir)?) }
    }

    /// Reads a file of the folder, and checks that it is the one that was written.
    ///
    /// # Errors
    /// [`Error::Changed`] if it is not, or if it cannot be read.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, Error> {
        let bytes = latents_files::read(&self.dir.join(name))?;
        self.check(name, &bytes)?;
        Ok(bytes)
    }

    /// Checks that this is what was written to a file of the folder.
    pub(super) fn check(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        match self.sums()?.and_then(|sums| sums.matches(name, bytes)) {
            Some(false) => Err(Error::Changed { path: self.dir.join(name) }),
            _ => Ok(()),
        }
    }

    /// Checks that the settings are those that the run was trained with.
    pub(super) fn check_settings(&self) -> Result<(), Error> {
        let Some(sums) = self.sums()? else { return Ok(()) };
        let Some(known) = sums.note(SETTINGS) else { return Ok(()) };
        if self.config()?.digest()? == known {
            return Ok(());
        }
        Err(Error::Changed { path: self.config_path() })
    }
}
