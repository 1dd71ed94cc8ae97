//! The parameters that each layer declares: their names, shapes and roles.

use crate::code_table::CodeTable;
use crate::layer::{Layer, masked_places};
use crate::parameter::Role;
use crate::shape::Shape;

/// The standard deviation of the initial means of a learned prior: far enough apart to become different, near enough that the mixture
/// is close to N(0, I) at first.
const PRIOR_SPREAD: f64 = 0.5;

/// A parameter that a layer declares: name, shape, role, and the fan-in and fan-out for its initial values.
pub(crate) struct Declared {
    pub(crate) name: &'static str,
    pub(crate) shape: Vec<usize>,
    pub(crate) role: Role,
    pub(crate) fans: [usize; 2],
}

impl Layer {
    /// The layer's own parameters in PyTorch's order; `image` is the input of the whole network.
    pub(crate) fn parameters(&self, input: Shape, image: Shape) -> Vec<Declared> {
        let affine = |weight: Vec<usize>, outputs: usize| {
            let area: usize = weight[2..].iter().product();
            let fans = [weight[1] * area, weight[0] * area];
            vec![
                Declared { name: "weight", shape: weight, role: Role::Weight, fans },
                Declared { name: "bias", shape: vec![outputs], role: Role::Bias, fans },
            ]
        };
        match *self {
            Layer::Conv2d { out_channels, kernel, .. } => {
                affine(vec![out_channels, input[0], kernel[0], kernel[1]], out_channels)
            }
            Layer::MaskedConv2d { out_channels, kernel, center } => {
                let places = masked_places(kernel, center);
                affine(vec![out_channels, input[0], places], out_channels)
            }
            Layer::ConvTranspose2d { out_channels, kernel, .. } => {
                affine(vec![input[0], out_channels, kernel[0], kernel[1]], out_channels)
            }
            Layer::Linear { out_features } => {
                affine(vec![out_features, input.iter().product()], out_features)
            }
            Layer::BatchNorm2d { momentum, .. } => {
                let statistic = |initial| Role::Statistic { initial, momentum };
                let all = [
                    ("weight", Role::Scale),
                    ("bias", Role::Shift),
                    ("running_mean", statistic(0.0)),
                    ("running_var", statistic(1.0)),
                ];
                let shape = vec![input[0]];
                all.map(|(name, role)| Declared { name, shape: shape.clone(), role, fans: [1, 1] })
                    .into()
            }
            Layer::MixturePrior { components, features } => {
                let d = input[0] / 2;
                let all = [
                    ("means", vec![components, d], PRIOR_SPREAD),
                    ("log_variances", vec![components, d], 0.0),
                    ("logits", vec![components], 0.0),
                    ("condition_logits", vec![components, features], 0.0),
                ];
                let all = all.into_iter().filter(|(_, shape, _)| !shape.contains(&0));
                let declare = |(name, shape, deviation)| {
                    let role = Role::Prior { deviation };
                    Declared { name, shape, role, fans: [1, 1] }
                };
                all.map(declare).collect()
            }
            Layer::VampPrior { components } => {
                let (of_image, of_latents) =
                    ([&[components][..], &image].concat(), vec![components, input[0] / 2]);
                let all = [
                    ("pseudo_inputs", of_image, Role::Pixels),
                    ("means", of_latents.clone(), Role::Derived),
                    ("log_variances", of_latents, Role::Derived),
                ];
                all.map(|(name, shape, role)| Declared { name, shape, role, fans: [1, 1] }).into()
            }
            Layer::VectorQuantizer { table: CodeTable::Learned { codes, .. }, .. } => {
                let (name, shape) = ("codes", vec![codes, input[0]]);
                let role = Role::Prior { deviation: 1.0 };
                vec![Declared { name, shape, role, fans: [1, 1] }]
            }
            Layer::LogScale => {
                let (name, role) = ("log_scale", Role::LogScale);
                vec![Declared { name, shape: vec![1], role, fans: [1, 1] }]
            }
            _ => vec![],
        }
    }
}
