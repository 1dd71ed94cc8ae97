//! Initial parameters, as in `torch.nn.init`.

use latents_random::{Purpose, stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::network::Layout;
use crate::parameter::Role;

/// The distribution of initial weights. Gains are those of ReLU for Kaiming and 1 for Xavier; fans are computed from the shape of the
/// weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// Normal with variance 2 / `fan_in` (He et al., 2015; `kaiming_normal_`).
    #[default]
    KaimingNormal,
    /// Uniform with the same variance (`kaiming_uniform_`).
    KaimingUniform,
    /// Normal with variance 2 / (`fan_in` + `fan_out`) (Glorot and Bengio, 2010; `xavier_normal_`).
    XavierNormal,
    /// Uniform with the same variance (`xavier_uniform_`).
    XavierUniform,
    /// Uniform within 1 / sqrt(`fan_in`), the default of PyTorch's layers.
    Pytorch,
}

/// The initial parameters of a layout, `[parameter_count]`. Biases are uniform within 1 / sqrt(`fan_in`), the default of PyTorch's
/// layers. The standard deviation of a likelihood begins at 1; normalisations begin with scale 1, shift 0, mean 0 and variance 1;
/// a learned prior begins near N(0, I). The pixels of learned images are uniform, and what is derived from other parameters is zero.
///
/// Every tensor has its own stream of random numbers, so a change to one layer does not change the others.
#[must_use]
pub fn initialize(layout: &Layout, init: Init, seed: u64) -> Vec<f32> {
    let mut values = vec![0.0; layout.parameter_count()];
    for (i, parameter) in layout.parameters().iter().enumerate() {
        let mut random = stream(seed, Purpose::Init, i as u64, 0);
        let (fan_in, fan_out) = (parameter.fan_in as f64, parameter.fan_out as f64);
        let default = 1.0 / fan_in.sqrt();
        let kaiming = (2.0 / fan_in).sqrt();
        let xavier = (2.0 / (fan_in + fan_out)).sqrt();
        let mut draw = || match (parameter.role, init) {
            (Role::Bias, _) | (Role::Weight, Init::Pytorch) => {
                default * (2.0 * random.uniform() - 1.0)
            }
            (Role::LogScale | Role::Shift | Role::Derived, _) => 0.0,
            (Role::Pixels, _) => random.uniform(),
            (Role::Prior { deviation }, _) => deviation * random.normal(),
            (Role::Scale, _) => 1.0,
            (Role::Statistic { initial, .. }, _) => initial,
            (Role::Weight, Init::KaimingNormal) => kaiming * random.normal(),
            (Role::Weight, Init::KaimingUniform) => kaiming * unit_uniform(random.uniform()),
            (Role::Weight, Init::XavierNormal) => xavier * random.normal(),
            (Role::Weight, Init::XavierUniform) => xavier * unit_uniform(random.uniform()),
        };
        for value in &mut values[parameter.range()] {
            *value = draw() as f32;
        }
    }
    values
}

/// Maps a uniform number in `[0, 1)` to a uniform number with mean 0 and variance 1.
fn unit_uniform(u: f64) -> f64 {
    3.0_f64.sqrt() * (2.0 * u - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::Layer;
    use crate::network::{Network, Section};

    fn layout() -> Layout {
        let layers = vec![
            Layer::Conv2d { out_channels: 40, kernel: [5, 5], stride: [1, 1], padding: [0, 0] },
            Layer::ConvTranspose2d {
                out_channels: 30,
                kernel: [4, 4],
                stride: [2, 2],
                padding: [1, 1],
                output_padding: [0, 0],
            },
        ];
        let sections = vec![Section { name: "net".into(), layers }];
        Network { input: [20, 8, 8], sections }.layout().unwrap()
    }

    /// Each kind's standard deviation and, for the uniform ones, its bound, from PyTorch's definitions.
    #[test]
    fn spreads_are_those_of_pytorch() {
        let layout = layout();
        // Weight shapes [40, 20, 5, 5] and [40, 30, 4, 4].
        for (tensor, fan_in, fan_out) in
            [(0, 20.0 * 25.0, 40.0 * 25.0), (2, 30.0 * 16.0, 40.0 * 16.0)]
        {
            let kaiming = (2.0_f64 / fan_in).sqrt();
            let xavier = (2.0_f64 / (fan_in + fan_out)).sqrt();
            let default = 1.0 / f64::sqrt(fan_in);
            for (init, deviation, bound) in [
                (Init::KaimingNormal, kaiming, f64::INFINITY),
                (Init::KaimingUniform, kaiming, kaiming * 3.0_f64.sqrt()),
                (Init::XavierNormal, xavier, f64::INFINITY),
                (Init::XavierUniform, xavier, xavier * 3.0_f64.sqrt()),
                (Init::Pytorch, default / 3.0_f64.sqrt(), default),
            ] {
                let values = initialize(&layout, init, 5);
                let w = &values[layout.parameters()[tensor].range()];
                let square = w.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / w.len() as f64;
                assert!((square.sqrt() / deviation - 1.0).abs() < 0.02, "{init:?}");
                let largest = w.iter().fold(0.0, |a, &x| f64::max(a, f64::from(x).abs()));
                assert!(largest <= bound && (bound.is_infinite() || largest > 0.99 * bound));
                let bias = &values[layout.parameters()[tensor + 1].range()];
                assert!(bias.iter().all(|b| f64::from(b.abs()) <= default && *b != 0.0));
            }
        }
    }

    #[test]
    fn seeds_differ_and_repeat() {
        let layout = layout();
        assert_eq!(
            initialize(&layout, Init::default(), 1),
            initialize(&layout, Init::default(), 1)
        );
        assert_ne!(
            initialize(&layout, Init::default(), 1),
            initialize(&layout, Init::default(), 2)
        );
    }
}
