//! Finds a study by its address.

use std::path::Path;
use std::sync::Arc;

use super::{Storage, StudyRecord, open};
use crate::error::Error;

/// Finds a study by `URL` or `URL#NAME`; without a name, the only study of the storage. The URL is one that [`open`] takes. Nothing
/// is created.
///
/// # Errors
/// [`Error::NoFile`] or [`Error::EmptyFile`] if there is no storage; [`Error::NoStudy`] if it has no study of the name;
/// [`Error::WhichStudy`] if the name is missing and there is not exactly one study; or the storage's error.
pub fn find(address: &str) -> Result<(Arc<dyn Storage>, StudyRecord), Error> {
    let (url, name) = match address.split_once('#') {
        Some((url, name)) => (url, Some(name)),
        None => (address, None),
    };
    if let Some(file) = url.strip_prefix("sqlite:///").map(Path::new) {
        // Opening it would create it.
        if !file.exists() {
            return Err(Error::NoFile { file: file.into() });
        }
        if file.metadata().map_or(true, |metadata| metadata.len() == 0) {
            return Err(Error::EmptyFile { file: file.into() });
        }
    }
    let storage = open(url)?;
    let studies = storage.studies()?;
    let found = match (name, &studies[..]) {
        (Some(name), _) => studies.iter().find(|study| study.name == name),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    if let Some(study) = found.cloned() {
        return Ok((storage, study));
    }
    let (url, studies) = (storage.url(), studies.into_iter().map(|study| study.name).collect());
    Err(match name {
        Some(name) => Error::NoStudy { url, name: name.into(), studies },
        None => Error::WhichStudy { url, studies },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::Direction;

    #[test]
    fn a_study_is_found_by_its_name_or_as_the_only_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("study.db");
        let url = format!("sqlite:///{}", file.display());
        let said = |address: &str| find(address).map(|(_, study)| study).unwrap_err().to_string();
        assert!(said(&url).contains("there is no file"), "{}", said(&url));
        assert!(!file.exists());
        std::fs::write(&file, "").unwrap();
        assert!(said(&url).contains("is empty: no study is stored there"), "{}", said(&url));

        let storage = open(&url).unwrap();
        assert!(said(&url).ends_with("study.db#NAME; there are: none"), "{}", said(&url));
        let ae = storage.create_study("ae", Direction::Minimize).unwrap();
        assert_eq!(find(&url).unwrap().1, ae);
        let vae = storage.create_study("vae", Direction::Maximize).unwrap();
        assert!(said(&url).ends_with("study.db#NAME; there are: ae, vae"), "{}", said(&url));
        assert_eq!(find(&format!("{url}#vae")).unwrap().1, vae);
        let missing = said(&format!("{url}#cnn"));
        assert!(missing.starts_with("there is no study `cnn` in sqlite:///"), "{missing}");
        assert!(missing.ends_with("there are: ae, vae"), "{missing}");
    }
}
