//! Finds a study by its address.

use std::path::Path;
use std::sync::Arc;

use super::{Storage, StudyRecord, open_read_only};
use crate::error::Error;

/// Finds a study by `URL` or `URL#NAME`; without a name, the only study of the storage. The URL is one that [`open`](super::open) takes. The
/// storage is [opened to read](open_read_only): nothing is created or written.
///
/// # Errors
/// [`Error::NoFile`], [`Error::EmptyFile`] or [`Error::NoTables`] if there is no storage; [`Error::NoStudy`] if it has no study of the
/// name; [`Error::Study`] if the study is not supported; [`Error::WhichStudy`] if the name is missing and there is not exactly one study;
/// or the storage's error.
pub fn find(address: &str) -> Result<(Arc<dyn Storage>, StudyRecord), Error> {
    let (url, name) = split(address);
    if let Some(file) = url.strip_prefix("sqlite:///").map(Path::new) {
        if !file.exists() {
            return Err(Error::NoFile { file: file.into() });
        }
        if file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0) {
            return Err(Error::EmptyFile { file: file.into() });
        }
    }
    let storage = open_read_only(url)?;
    let (studies, mut unsupported) = (storage.studies()?, storage.unsupported_studies()?);
    let found = match (name, &studies[..]) {
        (Some(name), _) => studies.iter().find(|study| study.name == name),
        (None, [only]) if unsupported.is_empty() => Some(only),
        (None, _) => None,
    };
    if let Some(study) = found.cloned() {
        return Ok((storage, study));
    }
    let refused = match name {
        Some(name) => unsupported.iter().position(|study| study.name == name),
        None => (studies.is_empty() && unsupported.len() == 1).then_some(0),
    };
    if let Some(refused) = refused {
        return Err(unsupported.swap_remove(refused).into_error());
    }
    let (url, studies) = (storage.url(), studies.into_iter().map(|study| study.name).collect());
    Err(match name {
        Some(name) => Error::NoStudy { url, name: name.into(), studies, unsupported },
        None => Error::WhichStudy { url, studies, unsupported },
    })
}

/// Splits an address at the sign before the name. The path of a file may have this sign too.
fn split(address: &str) -> (&str, Option<&str>) {
    let at = |i: usize| (&address[..i], Some(&address[i + 1..]));
    let mut signs = address.match_indices('#').map(|(i, _)| i);
    let Some(path) = address.strip_prefix("sqlite:///") else {
        return signs.next().map_or((address, None), at);
    };
    let is_file =
        |url: &str| url.strip_prefix("sqlite:///").is_some_and(|p| Path::new(p).is_file());
    if Path::new(path).is_file() {
        return (address, None);
    }
    let first = signs.clone().next();
    let found = signs.find(|&i| is_file(&address[..i])).or(first);
    found.map_or((address, None), at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::direction::Direction;
    use crate::storage::open;

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
