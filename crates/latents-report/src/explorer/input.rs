//! The input of an explorer, as borrowed data.

use std::ops::Range;

use latents_engine::Network;

/// The input of an [`Explorer`](crate::Explorer): images, and the latents of one or two models.
#[derive(Debug, Clone)]
pub struct ExplorerInput<'a> {
    /// Shape `[c, h, w]` of an image, with one channel (grey) or three (red, green, blue).
    pub shape: [usize; 3],
    /// The images `[n, c, h, w]`, from 0 to 255; at most 20,000.
    pub pixels: &'a [u8],
    /// The number of each image `[n]`, such as its index in a larger collection. Without, they are numbered 0 to n - 1.
    pub numbers: Option<&'a [u32]>,
    /// Names of the classes; any text.
    pub classes: &'a [String],
    /// The class of each image `[n]`, an index into `classes`. Without, the explorer does not show classes.
    pub labels: Option<&'a [usize]>,
    /// The file of each image `[n]`; any text.
    pub files: Option<&'a [String]>,
    /// One model, or two to compare side by side.
    pub models: Vec<ExplorerModel<'a>>,
}

/// A model of an [`ExplorerInput`] and its latents of the images.
#[derive(Debug, Clone)]
pub struct ExplorerModel<'a> {
    /// Name of the model, such as "Autoencoder"; any text.
    pub name: &'a str,
    /// Description of the map, such as "t-SNE of 64 latents"; any text.
    pub map_name: &'a str,
    /// The network. The page contains only its decoder.
    pub network: &'a Network,
    /// The sections of the network that form the decoder, from a latent vector `[d]` to an image.
    pub decode: Range<usize>,
    /// All parameters of the network, in the order of the engine. The page contains them as 16-bit floats.
    pub parameters: &'a [f32],
    /// The number that stands for a class where the decoder appends conditions: this at the class, 0 elsewhere. Others do not use it.
    pub condition: f32,
    /// The latent vector of each image `[n, d]`.
    pub latents: &'a [f32],
    /// The position of each image on the map `[n, 2]`.
    pub map: &'a [[f32; 2]],
    /// The reconstruction error of each image `[n]`, such as its mean squared error.
    pub errors: Option<&'a [f32]>,
    /// The cluster of each image `[n]`, from 0.
    pub clusters: Option<&'a [usize]>,
}
