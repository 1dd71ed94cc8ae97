//! The convolutions of an autoencoder's encoder, and those that suit images of a given shape.

use latents_engine::{Layer, Layout, Network, Section, Shape};
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
    pub fn for_images(image: Shape) -> Vec<Self> {
        let [c, h, w] = image;
        let first = if c == 1 || h.max(w) > 64 { 8 } else { 16 };
        Self::halving(image, 4, |stage| (first << stage.min(4)).min(128))
    }

    /// Stages that halve images of shape `[c, h, w]` until no side is above `longest`, at least one, with the channels of each.
    pub(crate) fn halving(
        [_, h, w]: Shape,
        longest: usize,
        channels: impl Fn(usize) -> usize,
    ) -> Vec<Self> {
        let (mut sides, mut stages) = ([h, w], vec![]);
        while stages.is_empty() || sides.iter().any(|&side| side > longest) {
            let (kernel, padding) = match sides.map(|side| (side >= 2, side % 2, side >= 3)) {
                [(true, 0, _), (true, 0, _)] => (4, 1),
                [(_, 1, true), (_, 1, true)] => (3, 0),
                _ => (3, 1),
            };
            let channels = channels(stages.len());
            stages.push(Stage { channels, kernel, stride: 2, padding });
            sides = sides.map(|side| (side + 2 * padding).saturating_sub(kernel) / 2 + 1);
        }
        stages
    }
}

/// Residual blocks, each a nonlinearity and a 3x3 convolution, and a nonlinearity and a 1x1 convolution, beside the identity (He et al., 2016).
pub(crate) fn residual_blocks(
    blocks: usize,
    channels: usize,
    nonlinearity: &Layer,
) -> impl Iterator<Item = Layer> + use<> {
    let conv = |side| Layer::Conv2d {
        out_channels: channels,
        kernel: [side; 2],
        stride: [1; 2],
        padding: [side / 2; 2],
    };
    let layers = vec![nonlinearity.clone(), conv(3), nonlinearity.clone(), conv(1)];
    std::iter::repeat_n(Layer::Residual { layers, shortcut: vec![], drop: 0.0 }, blocks)
}

/// The convolutions of an encoder as its section, with a nonlinearity between them and residual blocks after each, and the index of each
/// convolution among its layers.
pub(crate) fn convolutions(
    stages: &[Stage],
    image: Shape,
    nonlinearity: &Layer,
    normalize: bool,
    blocks: usize,
) -> (Network, Vec<usize>) {
    let (mut layers, mut places) = (vec![], vec![]);
    for (i, stage) in stages.iter().enumerate() {
        if i > 0 {
            layers.push(nonlinearity.clone());
        }
        places.push(layers.len());
        layers.push(Layer::Conv2d {
            out_channels: stage.channels,
            kernel: [stage.kernel; 2],
            stride: [stage.stride; 2],
            padding: [stage.padding; 2],
        });
        if normalize {
            layers.push(Layer::BatchNorm2d { momentum: 0.1, epsilon: 1e-5 });
        }
        layers.extend(residual_blocks(blocks, stage.channels, nonlinearity));
    }
    let sections = vec![Section { name: "encoder".into(), layers }];
    (Network { input: image, sections }, places)
}

/// The transposed convolutions of a decoder, with a nonlinearity between them and residual blocks before each. Each restores the input shape of
/// the convolution that it mirrors; these are at `places` of the layout.
pub(crate) fn mirrored(
    stages: &[Stage],
    convolutions: &Layout,
    places: &[usize],
    nonlinearity: &Layer,
    blocks: usize,
) -> Vec<Layer> {
    let mut layers = vec![];
    for (stage, &place) in stages.iter().zip(places).rev() {
        let (from, to) = (convolutions.shape(place + 1), convolutions.shape(place));
        let missing = |axis: usize| {
            to[axis] + 2 * stage.padding - stage.kernel - (from[axis] - 1) * stage.stride
        };
        layers.extend(residual_blocks(blocks, from[0], nonlinearity));
        if !layers.is_empty() {
            layers.push(nonlinearity.clone());
        }
        layers.push(Layer::ConvTranspose2d {
            out_channels: to[0],
            kernel: [stage.kernel; 2],
            stride: [stage.stride; 2],
            padding: [stage.padding; 2],
            output_padding: [missing(1), missing(2)],
        });
    }
    layers
}
