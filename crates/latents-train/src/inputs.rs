//! Images of a collection as the inputs of a network.

use latents_data::{Images, Pixels};
use latents_engine::Inputs;

/// The images at `index` as inputs.
///
/// ```
/// use latents_data::Images;
/// use latents_engine::Inputs;
///
/// let images = Images::new(1, 1, 2, vec![0, 255])?;
/// let inputs: Inputs<'_, f32> = latents_train::inputs(&images, &[0]);
/// assert!(matches!(inputs, Inputs::Images { index: [0], .. }));
/// # Ok::<(), latents_data::Error>(())
/// ```
#[must_use]
pub fn inputs<'a, E>(images: &'a Images, index: &'a [u32]) -> Inputs<'a, E> {
    Inputs::Images { pixels: pixels(images.pixels()), index }
}

/// Pixels as the engine takes them.
#[must_use]
pub fn pixels(pixels: Pixels<'_>) -> latents_engine::InputPixels<'_> {
    match pixels {
        Pixels::Bytes(bytes) => latents_engine::InputPixels::Bytes(bytes),
        Pixels::Words(words) => latents_engine::InputPixels::Words(words),
    }
}
