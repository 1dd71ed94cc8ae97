//! What work left, less the times in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use latents_files::Sums;
use serde_json::Value;

use crate::files;

/// Files whose bytes depend on nothing but settings and seed, by their ending. Databases and pages hold times.
const KEPT: [&str; 6] = ["safetensors", "npz", "parquet", "jsonl", "json", "toml"];
/// Members of JSON objects that are times.
const TIMES: [&str; 2] = ["seconds", "samples_per_second"];

/// The files of a result, by their paths.
#[derive(Clone, Debug, Default)]
pub(crate) struct Results(BTreeMap<PathBuf, Vec<u8>>);

impl Results {
    /// What is at a path: a file, or a folder with files.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let mut results = Self::default();
        for file in files(path)? {
            let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            let name = file.strip_prefix(path).unwrap_or(&file).to_owned();
            // A checkpoint holds times.
            if KEPT.contains(&ending)
                && !is_hidden(&file)
                && !name.iter().any(|part| part == "checkpoint")
            {
                let bytes = std::fs::read(&file)?;
                // A damaged file is compared as it is.
                let bytes = untimed_file(ending, &bytes).unwrap_or(bytes);
                results.0.insert(name, bytes);
            }
        }
        Ok(results)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first file that is not the same, if any.
    pub(crate) fn difference<'a>(&'a self, other: &'a Self) -> Option<&'a Path> {
        let mut names = self.0.keys().chain(other.0.keys());
        names.find(|&name| self.0.get(name) != other.0.get(name)).map(PathBuf::as_path)
    }

    /// Leaves out a file.
    pub(crate) fn forget(&mut self, name: &Path) {
        self.0.remove(name);
    }
}

/// What a command printed, less the times, if it is JSON.
pub(crate) fn untimed(printed: &[u8]) -> Vec<u8> {
    untimed_file("json", printed).unwrap_or_else(|_| printed.to_vec())
}

fn untimed_file(ending: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    let of_text = |text: &[u8]| -> Result<Vec<u8>> {
        let mut value = serde_json::from_slice(text)?;
        remove_times(&mut value);
        Ok(serde_json::to_vec(&value)?)
    };
    match ending {
        "json" => of_text(bytes),
        "jsonl" => {
            let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
            Ok(lines.map(of_text).collect::<Result<Vec<_>>>()?.concat())
        }
        _ => Ok(bytes.to_vec()),
    }
}

fn remove_times(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !TIMES.contains(&name.as_str()));
            members.values_mut().for_each(remove_times);
        }
        Value::Array(items) => {
            // A row of a table that is a time has its name first.
            let is_time =
                |item: &Value| item[""].as_str().is_some_and(|name| name.starts_with("seconds"));
            items.retain(|item| !is_time(item));
            items.iter_mut().for_each(remove_times);
        }
        _ => {}
    }
}

/// Whether the digests beside a file, or in a folder above it, say that it is another than the one that was written.
pub(crate) fn is_told_by_digest(file: &Path) -> Result<bool> {
    let Ok(bytes) = std::fs::read(file) else { return Ok(false) };
    for folder in file.ancestors().skip(1) {
        if let Ok(Some(sums)) = Sums::load(folder) {
            let name = file.strip_prefix(folder)?.display().to_string().replace('\\', "/");
            return Ok(sums.matches(&name, &bytes) == Some(false));
        }
    }
    Ok(false)
}

/// Files that were being written have names that begin with a dot.
pub(crate) fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// Copies a folder's files into another folder.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    for file in files(from)? {
        let target = to.join(file.strip_prefix(from)?);
        std::fs::create_dir_all(target.parent().context("a file is in a folder")?)?;
        std::fs::copy(&file, &target)?;
    }
    Ok(())
}
