//! Checks of labels.

use crate::error::Error;

/// Checks that two lists of labels have the same length and every label is less than `classes`.
pub(super) fn check(truth: &[u16], predicted: &[u16], classes: usize) -> Result<(), Error> {
    if predicted.len() != truth.len() {
        let (expected, got) = (truth.len(), predicted.len());
        return Err(Error::Size { what: "the list of predicted labels", expected, got });
    }
    for labels in [truth, predicted] {
        if let Some(index) = labels.iter().position(|&label| usize::from(label) >= classes) {
            return Err(Error::Label { index, label: labels[index], classes });
        }
    }
    Ok(())
}
