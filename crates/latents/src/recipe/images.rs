//! The images of a recipe: opening them, and checks of images that are open already and of the folder that results go to.

use std::path::{Path, PathBuf};

use latents_data::{Dataset, Pictures, Range, Source};
use latents_train::{DataConfig, SettingsLayer};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::session::Session;

/// Opens the images of data settings for results that go to `out`.
///
/// # Errors
/// If the images cannot be read, or `out` lies among the pictures.
pub fn open_for(config: &DataConfig, out: &Path, session: &Session) -> Result<Dataset> {
    if !config.source.is_empty() {
        check_out(&config.source.parse()?, out)?;
    }
    Ok(config.open(session)?)
}

/// Refuses a folder for results among the pictures that they are made from.
fn check_out(source: &Source, out: &Path) -> Result<()> {
    match source {
        Source::Folder(pictures) if real(out).starts_with(real(pictures)) => {
            Err(Error::OutputAmongPictures { out: out.to_owned(), pictures: pictures.clone() })
        }
        _ => Ok(()),
    }
}

/// Refuses a folder for results among the pictures of images that are open already.
pub(crate) fn check_out_of(data: &Dataset, out: &Path) -> Result<()> {
    // A program's own images have a name that need not be a source.
    data.name.parse().map_or(Ok(()), |source| check_out(&source, out))
}

/// Whether two names are the same source.
pub(super) fn is_same_source(one: &str, other: &str) -> bool {
    match (one.parse::<Source>(), other.parse::<Source>()) {
        (Ok(one), Ok(other)) => one == other,
        // A program's own images have a name and no source.
        _ => one == other,
    }
}

/// Refuses settings of the images, as far as `layers` set them, that differ from those that the images were opened with: they would have no effect.
/// `wanted` are the merged settings.
pub(super) fn check_open<'a>(
    layers: &(impl Iterator<Item = &'a SettingsLayer> + Clone),
    wanted: &DataConfig,
    opened: &DataConfig,
) -> Result<()> {
    let (ours, theirs) = (serde_json::to_value(wanted)?, serde_json::to_value(opened)?);
    let defaults = serde_json::json!({ "pictures": Pictures::default() });
    let pictures = [&ours, &theirs].into_iter().filter_map(|data| data["pictures"].as_object());
    let pictures =
        pictures.flat_map(|pictures| pictures.keys().map(|name| format!("pictures.{name}")));
    let names = ["source", "train_limit", "test_limit"].map(str::to_owned).into_iter();
    for name in names.chain(pictures) {
        let path = format!("data.{name}");
        if !layers.clone().any(|layer| layer.has(&path)) {
            continue;
        }
        let place = format!("/{}", name.replace('.', "/"));
        // Settings of pictures are left out if all of them are the defaults.
        let at = |data: &Value| data.pointer(&place).or_else(|| defaults.pointer(&place)).cloned();
        let (set, found) = (at(&ours).unwrap_or_default(), at(&theirs).unwrap_or_default());
        let is_same = match (name.as_str(), &set, &found) {
            ("source", Value::String(set), Value::String(found)) => {
                set.is_empty() || is_same_source(set, found)
            }
            // Grey images stay grey, and images that are open have the values that were found.
            ("pictures.grey", Value::Bool(false), _) | ("pictures.range_per_channel", _, _) => true,
            ("pictures.range", Value::String(set), _) if is_found(set) => true,
            _ => set == found,
        };
        if !is_same {
            let text =
                |value: Value| if value.is_null() { "none".into() } else { value.to_string() };
            return Err(Error::ImagesOpen { name: path, set: text(set), found: text(found) });
        }
    }
    Ok(())
}

/// Whether a range is found in the images, and not given.
fn is_found(range: &str) -> bool {
    range.parse::<Range>().is_ok_and(|range| !matches!(range, Range::Values(_)))
}

/// An absolute path without links, also if the last part of it does not exist yet.
fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let real = |known: &Path| Some(known.canonicalize().ok()?.join(path.strip_prefix(known).ok()?));
    path.ancestors().find_map(real).unwrap_or_else(|| path.clone())
}
