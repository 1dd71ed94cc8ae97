//! A folder of IDX files as a data set: the names of the files and the checks that they fit together. The format is in `idx`.

use std::path::{Path, PathBuf};

use crate::dataset::{Dataset, Labelled, known};
use crate::error::Error;
use crate::idx;

/// Whether a folder has IDX files of training images.
pub(crate) fn is_idx(folder: &Path) -> bool {
    find(folder, "train", "images").is_some()
}

/// Reads the files of `folder`. Without names of the classes, each class has its number as its name.
pub(crate) fn read(
    name: String,
    origin: String,
    folder: &Path,
    classes: Option<&[&str]>,
    transpose: bool,
) -> Result<Dataset, Error> {
    let limit = classes.map(<[_]>::len);
    let train = read_part(folder, "train", limit, transpose)?;
    let test = read_part(folder, "t10k", limit, transpose)?;
    let (train_shape, test_shape) = (train.images.shape(), test.images.shape());
    if train_shape != test_shape {
        return Err(Error::ShapeMismatch {
            folder: folder.into(),
            train: train_shape,
            test: test_shape,
        });
    }
    let classes = if let Some(names) = classes {
        names.iter().map(|&name| name.to_owned()).collect()
    } else {
        let labels = [&train, &test].into_iter().filter_map(|part| part.labels.as_ref()).flatten();
        let last = labels.flatten().max();
        last.map_or_else(Vec::new, |&last| (0..=last).map(|i| i.to_string()).collect())
    };
    Ok(Dataset::of_bytes(name, origin, classes, train, test))
}

fn read_part(
    folder: &Path,
    part: &'static str,
    classes: Option<usize>,
    transpose: bool,
) -> Result<Labelled, Error> {
    let missing = |kind| Error::MissingFile { folder: folder.into(), part, kind };
    let images_file = find(folder, part, "images").ok_or_else(|| missing("images"))?;
    let labels_file = find(folder, part, "labels");
    if labels_file.is_none() && classes.is_some() {
        return Err(missing("labels"));
    }
    let mut images = idx::read_images(&images_file)?;
    if transpose {
        images = images.transposed();
    }
    let labels = match labels_file {
        None => None,
        Some(labels_file) => {
            let labels = idx::read_labels(&labels_file)?;
            check_labels(&images_file, images.len(), &labels_file, &labels, classes)?;
            Some(known(labels))
        }
    };
    Ok(Labelled { labels, ..Labelled::unlabelled(images) })
}

fn check_labels(
    images_file: &Path,
    images: usize,
    labels_file: &Path,
    labels: &[u8],
    classes: Option<usize>,
) -> Result<(), Error> {
    if labels.len() != images {
        return Err(Error::CountMismatch {
            images_file: images_file.into(),
            images,
            labels_file: labels_file.into(),
            labels: labels.len(),
        });
    }
    let Some(classes) = classes else { return Ok(()) };
    match labels.iter().position(|&label| usize::from(label) >= classes) {
        None => Ok(()),
        Some(index) => Err(Error::LabelOutOfRange {
            file: labels_file.into(),
            index,
            label: labels[index].into(),
            classes,
        }),
    }
}

/// The file `name` in `folder`, or `name.gz`.
pub(crate) fn find_file(folder: &Path, name: &str) -> Option<PathBuf> {
    [folder.join(name), folder.join(format!("{name}.gz"))].into_iter().find(|path| path.is_file())
}

/// The file of images or labels of a part: under MNIST's name, or one that has the same words, such as `train-images.idx3-ubyte`,
/// `emnist-letters-test-images-idx3-ubyte.gz` or `qmnist-train-labels-idx2-int`; the first in the order of names.
fn find(folder: &Path, part: &str, kind: &str) -> Option<PathBuf> {
    let rank = if kind == "images" { 3 } else { 1 };
    if let Some(standard) = find_file(folder, &format!("{part}-{kind}-idx{rank}-ubyte")) {
        return Some(standard);
    }
    let parts: &[&str] = if part == "train" { &["train"] } else { &["t10k", "test"] };
    let fits = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let words: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).collect();
        let has = |wanted: &dyn Fn(&str) -> bool| words.iter().any(|word| wanted(word));
        let of_kind = |word: &str| word == kind || format!("{word}s") == kind;
        let is_idx = |word: &str| word.starts_with("idx") || word == "ubyte";
        path.is_file() && has(&|word| parts.contains(&word)) && has(&of_kind) && has(&is_idx)
    };
    let entries = std::fs::read_dir(folder).ok()?;
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(fits).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_under_their_usual_names() {
        for (train, test) in [
            ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz"),
            ("train-images.idx3-ubyte", "t10k-images.idx3-ubyte"),
            ("emnist-letters-train-images-idx3-ubyte.gz", "emnist-letters-test-images-idx3-ubyte"),
            ("qmnist-train-images-idx3-ubyte", "qmnist-test-images-idx3-ubyte"),
            ("Train_Images.IDX", "test_images.idx"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            for name in [train, test, "train-images.txt", "train-labels.csv"] {
                std::fs::write(folder.path().join(name), b"").unwrap();
            }
            let found = |part, kind| {
                let path = find(folder.path(), part, kind)?;
                Some(path.file_name()?.to_str()?.to_owned())
            };
            assert!(is_idx(folder.path()));
            assert_eq!(found("train", "images").as_deref(), Some(train));
            assert_eq!(found("t10k", "images").as_deref(), Some(test));
            assert_eq!(found("train", "labels"), None);
        }
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().join("qmnist-train-labels-idx2-int.gz");
        std::fs::write(&name, b"").unwrap();
        assert_eq!(
            (find(folder.path(), "train", "labels"), is_idx(folder.path())),
            (Some(name), false)
        );
    }
}
