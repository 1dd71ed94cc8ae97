//! The codes of a vector quantiser.

use serde::{Deserialize, Serialize};

use crate::number::Number;

/// The maximum number of codes, so that 16 bits hold the number of one.
const MAX_CODES: usize = 1 << 16;

/// The codes of a [`Layer::VectorQuantizer`](crate::Layer::VectorQuantizer): vectors `[c]` that take the place of the vector of each pixel.
///
/// ```
/// use latents_engine::CodeTable;
///
/// let table = CodeTable::Levels { levels: vec![3, 2] };
/// assert_eq!(table.codes(), 6);
/// // Of three levels the middle is 0, of two the second is 1/2.
/// assert_eq!(table.vectors::<f64>(&[])[6..8], [0.0, 0.5]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum CodeTable {
    /// A table that is learned (van den Oord et al., 2017). A vector is replaced by the nearest code. Two squared distances, summed over pixels
    /// and channels, are minimised beside the objective: that of the codes from the vectors, which moves the codes alone, and `commitment`
    /// times the same, which moves the vectors alone. Both have the weight of the penalty. Parameter `codes` `[codes, c]`.
    Learned {
        /// Number of codes, from 2 to 65,536.
        codes: usize,
        /// Weight of the distance of vectors from their codes; at least 0.
        commitment: f64,
    },
    /// A grid that is given: each channel has some levels, evenly spaced in `[-1, 1]` with half a space at both ends, and each number of a
    /// vector is replaced by the nearest (finite scalar quantisation: Mentzer et al., 2024, "Finite Scalar Quantization: VQ-VAE Made
    /// Simple"). A [`Layer::Tanh`](crate::Layer::Tanh) before it keeps the numbers in the grid. Nothing is minimised beside the objective, and no
    /// code is unused for want of vectors near it.
    Levels {
        /// Number of levels of each channel, at least 2; their product, the number of codes, is at most 65,536.
        levels: Vec<usize>,
    },
}

impl CodeTable {
    /// The number of codes.
    #[must_use]
    pub fn codes(&self) -> usize {
        match self {
            CodeTable::Learned { codes, .. } => *codes,
            CodeTable::Levels { levels } => levels.iter().fold(1, |all, &n| all.saturating_mul(n)),
        }
    }

    /// All codes `[codes, c]`. `learned` are the parameters of a table that is learned; a grid needs none.
    #[must_use]
    pub fn vectors<E: Number>(&self, learned: &[E]) -> Vec<E> {
        let CodeTable::Levels { levels } = self else { return learned.to_vec() };
        let mut all = vec![];
        for code in 0..self.codes() {
            let mut rest = self.codes();
            all.extend(levels.iter().map(|&of_channel| {
                rest /= of_channel;
                level::<E>(code / rest % of_channel, of_channel)
            }));
        }
        all
    }

    /// What is wrong with it for vectors of `channels` numbers.
    pub(crate) fn problem(&self, channels: usize) -> Option<String> {
        let codes = self.codes();
        match self {
            CodeTable::Learned { commitment, .. }
                if !(*commitment >= 0.0 && commitment.is_finite()) =>
            {
                Some(format!("commitment {commitment} must be at least 0"))
            }
            CodeTable::Levels { levels } if levels.len() != channels => Some(format!(
                "its levels are for {} channels, and its input has {channels}",
                levels.len()
            )),
            CodeTable::Levels { levels } if levels.iter().any(|&of_channel| of_channel < 2) => {
                Some(format!("levels {levels:?} must be at least 2 in each channel"))
            }
            _ if !(2..=MAX_CODES).contains(&codes) => {
                Some(format!("codes = {codes} must be from 2 to {MAX_CODES}"))
            }
            _ => None,
        }
    }
}

/// A level among so many.
#[inline(always)]
pub(crate) fn level<E: Number>(number: usize, levels: usize) -> E {
    E::from_f64((2 * number + 1) as f64 / levels as f64 - 1.0)
}

/// The number of the level that is nearest to `x`.
#[inline(always)]
pub(crate) fn nearest_level(x: f64, levels: usize) -> usize {
    // The conversion rounds down, and numbers below 0 become 0.
    (((x + 1.0) * 0.5 * levels as f64) as usize).min(levels - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_a_grid_is_the_nearest_to_itself() {
        let levels = vec![5, 2, 4];
        let table = CodeTable::Levels { levels: levels.clone() };
        let vectors = table.vectors::<f32>(&[]);
        assert_eq!(vectors.len(), 40 * 3);
        for (code, vector) in vectors.chunks_exact(3).enumerate() {
            let number = vector
                .iter()
                .zip(&levels)
                .fold(0, |all, (&x, &of)| all * of + nearest_level(f64::from(x), of));
            assert_eq!(number, code);
        }
        assert_eq!(
            [-7.0, -1.0, -0.61, -0.59, 1.0, 7.0].map(|x| nearest_level(x, 5)),
            [0, 0, 0, 1, 4, 4]
        );
    }
}
