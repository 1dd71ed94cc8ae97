//! `fashion-mnist-sample`: a class-balanced sample of Fashion-MNIST that is compiled in, so that everything can be tried without
//! a network or data. `examples/make_sample.rs` makes the files; `sample/LICENSE` is their licence.

use std::path::Path;

use crate::dataset::{Dataset, Labelled, known};
use crate::error::Error;
use crate::{fashion, idx};

pub(crate) const NAME: &str = "fashion-mnist-sample";

macro_rules! file {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../sample/", $name)).as_slice())
    };
}

pub(crate) fn load() -> Result<Dataset, Error> {
    let part = |(images_name, images): (&str, &[u8]), (labels_name, labels): (&str, &[u8])| {
        Ok::<_, Error>(Labelled {
            images: idx::parse_images(images, Path::new(images_name))?,
            labels: Some(known(idx::parse_labels(labels, Path::new(labels_name))?)),
            names: None,
            columns: vec![],
        })
    };
    let train = part(file!("train-images-idx3-ubyte.gz"), file!("train-labels-idx1-ubyte.gz"))?;
    let test = part(file!("t10k-images-idx3-ubyte.gz"), file!("t10k-labels-idx1-ubyte.gz"))?;
    let origin = format!(
        "a sample of Fashion-MNIST, compiled in ({} training and {} test images)",
        train.len(),
        test.len()
    );
    let classes = fashion::CLASSES.map(str::to_owned).to_vec();
    Ok(Dataset::of_bytes(NAME.to_owned(), origin, classes, train, test))
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_sample_is_balanced_and_never_changes() {
        let set = load().unwrap();
        assert_eq!(set.classes.len(), 10);
        for (part, per_class) in [(&set.train, 250), (&set.test, 50)] {
            assert_eq!(part.images.shape(), [1, 28, 28]);
            let mut counts = [0; 10];
            for label in part.all_labels().unwrap() {
                counts[usize::from(label)] += 1;
            }
            assert_eq!(counts, [per_class; 10]);
            assert_eq!(part.len(), 10 * per_class);
        }
        let mut sum = Sha256::new();
        for part in [&set.train, &set.test] {
            sum.update(part.images.pixels().to_bytes());
            let labels = part.all_labels().unwrap();
            sum.update(labels.into_iter().map(|l| l as u8).collect::<Vec<_>>());
        }
        assert_eq!(
            sum.finalize().as_slice(),
            crate::fetch::hex("f4e66c9a927e74beeaf138b5c3c515f6a34e10d0ce49ba9cb1e9c6325e939959")
        );
    }
}
