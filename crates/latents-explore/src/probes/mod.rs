//! What frozen vectors know of labels: classifiers that are fitted to vectors `[n, d]` as they are, and choices of few labels.
//! Where the vectors come from (latents, pixels, principal components) does not matter here.

mod few;
mod lbfgs;
mod logistic;

pub use few::few_labels;
pub use logistic::{Logistic, LogisticConfig};

use crate::Error;

/// The number of vectors of `dim` numbers, where they come out even.
fn count(what: &'static str, values: &[f32], dim: usize) -> Result<usize, Error> {
    let n = values.len().checked_div(dim).unwrap_or(0);
    if n == 0 || n * dim != values.len() {
        return Err(Error::Size { what, expected: n.max(1) * dim.max(1), got: values.len() });
    }
    Ok(n)
}

#[cfg(test)]
mod tests;
