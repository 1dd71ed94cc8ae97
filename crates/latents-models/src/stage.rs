//! The convolutions of an autoencoder's encoder, and those that suit images of a given shape.

use latents_engine::Shape;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One convolution of the encoder. The decoder has a transposed convolution that mirrors it.
///
/// ```
/// use latents_models::Stage;
///
/// let stages = Stage::for_images([1, 28, 28]); // [c, h, w]
/// assert_eq!(stages.iter().map(|stage| stage.channels).collect::<Vec<_>>(), [8, 16, 32]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Number of output channels.
    pub channels: usize,
    /// Side of the square kernel, in pixels.
    pub kernel: usize,
    /// Stride, in pixels.
    pub stride: usize,
    /// Zero padding on each side, in pixels.
    pub padding: usize,
}

impl Stage {
    /// Stages for images of shape `[c, h, w]`. Each stage halves the image, until no side is above 4. The first stage has 8 channels for grey
    /// images and 16 for colour images, but always 8 if a side is above 64, because the first stages then cost most. Each stage doubles the
    /// channels, up to 128. For 28x28 grey images the stages are those of the reference study.
    ///
    /// As in the study, kernel 4 with stride 2 and padding 1 halves even sides, and kernel 3 with stride 2 halves odd sides. If one side is
    /// even and the other odd, or a side is too short for either kernel, kernel 3 with stride 2 and padding 1 halves both and rounds up.
    #[must_use]
    pub fn for_images([c, h, w]: Shape) -> Vec<Self> {
        let mut channels = if c == 1 || h.max(w) > 64 { 8 } else { 16 };
        let (mut sides, mut stages) = ([h, w], vec![]);
        while stages.is_empty() || sides.iter().any(|&side| side > 4) {
            let (kernel, padding) = match sides.map(|side| (side >= 2, side % 2, side >= 3)) {
                [(true, 0, _), (true, 0, _)] => (4, 1),
                [(_, 1, true), (_, 1, true)] => (3, 0),
                _ => (3, 1),
            };
            stages.push(Stage { channels, kernel, stride: 2, padding });
            channels = (2 * channels).min(128);
            sides = sides.map(|side| (side + 2 * padding).saturating_sub(kernel) / 2 + 1);
        }
        stages
    }
}
