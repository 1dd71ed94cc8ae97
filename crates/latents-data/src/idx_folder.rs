//! A folder of IDX files as a data set: the names of the files and the checks that they fit together. The format is in `idx`.

use std::path::{Path, PathBuf};

use crate::dataset::{Dataset, Labelled};
use crate::error::Error;
use crate::idx;

/// Name, without `.gz`, of the file of training images.
pub(crate) const TRAIN_IMAGES: &str = "train-images-idx3-ubyte";

/// Reads the four files of `folder`. Without names of the classes, each class has its number as its name.
pub(crate) fn read(
    name: String,
    origin: String,
    folder: &Path,
    classes: Option<&[&str]>,
) -> Result<Dataset, Error> {
    let limit = classes.map(<[_]>::len);
    let train = read_part(folder, TRAIN_IMAGES, "train-labels-idx1-ubyte", limit)?;
    let test = read_part(folder, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", limit)?;
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
        labels.max().map_or_else(Vec::new, |&last| (0..=last).map(|i| i.to_string()).collect())
    };
    Ok(Dataset::of_bytes(name, origin, classes, train, test))
}

fn read_part(
    folder: &Path,
    images: &'static str,
    labels: &'static str,
    classes: Option<usize>,
) -> Result<Labelled, Error> {
    let images_file = find_file(folder, images)
        .ok_or_else(|| Error::MissingFile { folder: folder.into(), name: images })?;
    let labels_file = find_file(folder, labels);
    if labels_file.is_none() && classes.is_some() {
        return Err(Error::MissingFile { folder: folder.into(), name: labels });
    }
    let images = idx::read_images(&images_file)?;
    let labels = match labels_file {
        None => None,
        Some(labels_file) => {
            let labels = idx::read_labels(&labels_file)?;
            check_labels(&images_file, images.len(), &labels_file, &labels, classes)?;
            Some(labels)
        }
    };
    Ok(Labelled { images, labels, names: None })
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
            label: labels[index],
            classes,
        }),
    }
}

/// The file `name` in `folder`, or `name.gz`.
pub(crate) fn find_file(folder: &Path, name: &str) -> Option<PathBuf> {
    [folder.join(name), folder.join(format!("{name}.gz"))].into_iter().find(|path| path.is_file())
}
