//! Pictures packed into larger files: tables of their bytes (Parquet as Hugging Face's `datasets` writes it), and tar archives of
//! samples (`WebDataset`). They are listed as the files of a folder are.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::PathBuf;

use latents_tables::{Kind, TableFile};
use tar::Archive;

use super::content::{Content, Tables};
use super::labels::texts;
use super::listing::{Known, Listed, Listing, stamp};
use super::tree::part_of_file;
use crate::columns::{Columns, check_filled};
use crate::error::Error;
use crate::picture::EXTENSIONS;
use crate::pictures::Pictures;

/// The most bytes of a label in an archive.
const MAX_LABEL: u64 = 1 << 16;

/// The column of a table that has the bytes of pictures.
pub(crate) fn picture_column(table: &TableFile) -> Option<String> {
    let bytes = || table.fields().iter().filter(|field| field.kind == Kind::Bytes);
    let named = |name: &str| bytes().find(|field| field.name == name);
    let first = ["image.bytes", "img.bytes", "image", "img", "bytes", "png", "jpg"];
    let found = first.iter().find_map(|&name| named(name)).or_else(|| bytes().next());
    found.map(|field| field.name.clone())
}

impl Listing {
    /// Lists the rows of tables as pictures, with what the other columns say.
    pub(super) fn of_tables(tables: Vec<TableFile>, settings: &Pictures) -> Result<Self, Error> {
        let mut listing = Self::empty();
        let mut columns = Columns::default();
        let mut packed = Tables::default();
        for table in tables {
            let Some(column) = picture_column(&table) else { continue };
            let base = column.strip_suffix(".bytes").unwrap_or(&column).to_owned();
            let file = table.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
            let about = std::fs::metadata(table.path()).map_err(Error::io("read", table.path()))?;
            let (file_stamp, written) = (stamp(&about), about.modified().ok());
            let single = |kind: Kind| matches!(kind, Kind::Text | Kind::I64 | Kind::Bool);
            let known: Vec<&str> = table
                .fields()
                .iter()
                .filter(|field| single(field.kind))
                .map(|field| field.name.as_str())
                .collect();
            let read = table.read_columns(&known)?;
            let names = read.column(&format!("{base}.path")).map(|column| texts(&column.values));
            let start = listing.files.len();
            for row in 0..table.rows() {
                let own = names.as_ref().and_then(|names| names[row].clone());
                let name = own.unwrap_or_else(|| format!("{file}[{row}]"));
                listing.files.push(Listed {
                    content: Content::Row(start + row),
                    name,
                    stamp: format!("{file_stamp} {row}"),
                    written: written.unwrap_or(std::time::UNIX_EPOCH),
                    known: Some(Known { part: part_of_file(table.path()), label: None }),
                });
            }
            for column in &read.columns {
                if column.name.starts_with(&format!("{base}.")) {
                    continue;
                }
                if let Some(names) = table.class_names(&column.name) {
                    listing.class_names.insert(column.name.clone(), names);
                }
                let added = columns.add(&column.name, start, texts(&column.values));
                added.map_err(|reason| Error::Arrays { file: table.path().to_owned(), reason })?;
            }
            packed.files.push((table, column));
        }
        let n = listing.files.len();
        listing.tables = packed;
        listing.unique_names();
        listing.choose_label(columns.finish(n), settings)?;
        Ok(listing)
    }

    /// Lists the pictures in tar archives. The label of a sample is in a file of the same name with the ending `cls`, or in the field
    /// `label`, `class` or `cls` of one with the ending `json`.
    pub(super) fn of_archives(archives: &[PathBuf], settings: &Pictures) -> Result<Self, Error> {
        let mut listing = Self::empty();
        let mut labels: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        let mut keys = vec![];
        for path in archives {
            let about = std::fs::metadata(path).map_err(Error::io("read", path))?;
            let (file_stamp, written) = (stamp(&about), about.modified().ok());
            let file = File::open(path).map_err(Error::io("read", path))?;
            let mut archive = Archive::new(BufReader::new(file));
            let shard = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            for entry in archive.entries().map_err(Error::io("read", path))? {
                let mut entry = entry.map_err(Error::io("read the archive", path))?;
                if !entry.header().entry_type().is_file() {
                    continue;
                }
                let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
                let name = name.trim_start_matches("./").to_owned();
                // The key of a sample is its name up to the first dot after the last slash.
                let at = name.rfind('/').map_or(0, |slash| slash + 1);
                let dot = name[at..].find('.').map_or(name.len(), |dot| at + dot);
                let (key, ending) =
                    (format!("{shard}/{}", &name[..dot]), name[dot..].to_lowercase());
                let ending = ending.rsplit('.').next().unwrap_or_default().to_owned();
                if EXTENSIONS.contains(&ending.as_str()) {
                    listing.files.push(Listed {
                        content: Content::Part {
                            path: path.clone(),
                            offset: entry.raw_file_position(),
                            length: entry.size(),
                        },
                        name: if archives.len() > 1 { format!("{shard}/{name}") } else { name },
                        stamp: format!("{file_stamp} {}", entry.raw_file_position()),
                        written: written.unwrap_or(std::time::UNIX_EPOCH),
                        known: Some(Known { part: part_of_file(path), label: None }),
                    });
                    keys.push(key);
                    continue;
                }
                let mut text = String::new();
                if matches!(ending.as_str(), "cls" | "json")
                    && entry.by_ref().take(MAX_LABEL).read_to_string(&mut text).is_ok()
                {
                    let sample = labels.entry(key).or_default();
                    if ending == "cls" {
                        sample.insert("cls".into(), text.trim().to_owned());
                    } else if let Ok(serde_json::Value::Object(fields)) =
                        serde_json::from_str(&text)
                    {
                        sample.extend(fields.into_iter().filter_map(|(name, value)| {
                            let text = match value {
                                serde_json::Value::String(text) => text,
                                serde_json::Value::Number(number) => number.to_string(),
                                serde_json::Value::Bool(truth) => truth.to_string(),
                                _ => return None,
                            };
                            Some((name, text))
                        }));
                    }
                } else {
                    *listing.others.entry(ending).or_default() += 1;
                }
            }
        }
        let mut names: Vec<&String> = labels.values().flat_map(BTreeMap::keys).collect();
        names.sort();
        names.dedup();
        let all = labels.values().map(BTreeMap::len).sum();
        check_filled(keys.len(), names.len(), all).map_err(|reason| {
            let file = archives.first().cloned().unwrap_or_default();
            Error::Arrays { file, reason }
        })?;
        let column = |name: &String| {
            let text = |key: &String| labels.get(key).and_then(|sample| sample.get(name)).cloned();
            (name.clone(), keys.iter().map(text).collect::<Vec<_>>())
        };
        let columns: Vec<_> = names.into_iter().map(column).collect();
        listing.choose_label(columns, settings)?;
        if listing.files.iter().all(|f| f.known.as_ref().is_none_or(|k| k.label.is_none())) {
            // Folders in the archive may be classes and parts, as those of a folder are.
            let parted =
                listing.files.iter().any(|f| f.known.as_ref().is_some_and(|k| k.part.is_some()));
            if !parted {
                for file in &mut listing.files {
                    file.known = None;
                }
            }
        }
        Ok(listing)
    }

    /// Makes equal names different, by the numbers of their rows.
    fn unique_names(&mut self) {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for file in &mut self.files {
            let count = seen.entry(file.name.clone()).or_default();
            if *count > 0 {
                file.name = format!("{} ({})", file.name, *count + 1);
            }
            *count += 1;
        }
    }
}
