//! What can be measured on so many images, and the sentences about what cannot.

use super::data::{LEAST_COMPARED, LEAST_MAPPED, NEIGHBOURS};
use super::input::CardInput;

/// What can be measured on so many images.
#[allow(clippy::struct_excessive_bools)] // One for each part of the card.
pub(super) struct Possible {
    pub(super) samples: bool,
    /// Test and training images that samples are compared with at least: of fewer than half as many images as features, the distribution is not known.
    compared: usize,
    pub(super) traversals: bool,
    pub(super) neighbours: bool,
    pub(super) maps: bool,
    pub(super) distances: bool,
}

impl Possible {
    /// Samples are compared in so many features.
    pub(super) fn of(input: &CardInput<'_>, features: usize) -> Self {
        let n = input.images.len();
        let compared = LEAST_COMPARED.max(features / 2);
        Possible {
            samples: n.min(input.train.len()) >= compared,
            compared,
            traversals: n > 1,
            neighbours: n > NEIGHBOURS,
            maps: n >= LEAST_MAPPED,
            distances: input.train_latents.len() > input.latents.dim(),
        }
    }

    /// What cannot be measured, and why.
    pub(super) fn left_out(&self, input: &CardInput<'_>) -> Vec<String> {
        let (n, train, d) = (input.images.len(), input.train.len(), input.latents.dim());
        let least =
            |images: usize| format!("take at least {images} test images, and there are {n}");
        let mut sentences = vec![];
        let mut add = |possible: bool, sentence: String| {
            if !possible {
                sentences.push(sentence);
            }
        };
        add(
            self.samples,
            format!(
                "Comparisons of new images with real ones take at least {} test and training images, and there are {n} and {train}.",
                self.compared
            ),
        );
        add(self.traversals, format!("Measures of traversals {}.", least(2)));
        if input.labels.is_some() {
            let needed = NEIGHBOURS + 1;
            add(self.neighbours, format!("Votes of {NEIGHBOURS} neighbours {}.", least(needed)));
        }
        add(self.maps, format!("Scores of maps {}.", least(LEAST_MAPPED)));
        add(
            self.distances,
            format!(
                "Distances of latents from those of the training images need more training images than dimensions, and there are {} and {d}.",
                input.train_latents.len()
            ),
        );
        sentences
    }
}
