//! What a trained classifier takes images for: the probabilities of its classes, of the images alone or together with other views of them.

use anyhow::Result;
use clap::ValueEnum;
use latents::engine::Inputs;
use latents::explore::classification::softmax;
use serde::Serialize;

use crate::commands::Trained;

/// Test-time augmentation: another view of each image, whose probabilities are averaged with the image's own (Krizhevsky et al., 2012).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Tta {
    /// The mirror image, left and right exchanged
    Flip,
}

/// The probabilities `[n, k]` that a classifier gives images `[n, c, h, w]`.
pub(crate) fn probabilities(
    trained: &mut Trained,
    inputs: Inputs<'_, f32>,
    tta: Option<Tta>,
) -> Result<Vec<f32>> {
    let sections = 0..trained.engine.layout().section_count();
    let [.., width] = trained.config.data.shape;
    let classes = trained.config.data.classes.len();
    let mut of = |inputs| -> Result<Vec<f32>> {
        let logits = trained.engine.forward(&trained.parameters, inputs, sections.clone())?;
        Ok(softmax(&logits, classes))
    };
    let own = of(inputs)?;
    let Some(Tta::Flip) = tta else { return Ok(own) };
    let other = match inputs {
        Inputs::Bytes { pixels, index } => {
            of(Inputs::Bytes { pixels: &mirrored(pixels, width), index })?
        }
        Inputs::Values(values) => of(Inputs::Values(&mirrored(values, width)))?,
    };
    Ok(own.into_iter().zip(other).map(|(a, b)| f32::midpoint(a, b)).collect())
}

/// Images `[n, c, h, w]` with left and right exchanged.
fn mirrored<T: Copy>(pixels: &[T], width: usize) -> Vec<T> {
    pixels.chunks_exact(width).flat_map(|row| row.iter().rev().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_mirrored_each_for_itself() {
        assert_eq!(mirrored(&[1, 2, 3, 4, 5, 6], 3), [3, 2, 1, 6, 5, 4]);
        assert_eq!(mirrored(&[1, 2], 1), [1, 2]);
    }
}
