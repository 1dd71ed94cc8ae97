//! Random networks of every kind of layer.

use latents_engine::{Layer, Network, Section, Shape};
use latents_random::Stream;

pub(crate) fn between(random: &mut Stream, low: u32, high: u32) -> usize {
    (low + random.below(high - low + 1)) as usize
}

fn activation(random: &mut Stream) -> Option<Layer> {
    Some(match random.below(9) {
        0 | 1 => Layer::Relu,
        2 => Layer::LeakyRelu { slope: 0.1 },
        3 => Layer::Silu,
        4 => Layer::Gelu,
        5 => Layer::Sigmoid,
        6 => Layer::Tanh,
        7 => Layer::ContinuousBernoulliMean,
        _ => return None,
    })
}

fn pair(random: &mut Stream, low: u32, high: u32) -> [usize; 2] {
    [between(random, low, high), between(random, low, high)]
}

/// A convolution of any kind, or a linear layer.
fn affine(random: &mut Stream) -> Layer {
    let out_channels = between(random, 1, 9);
    let (kernel, stride) = (pair(random, 1, 5), pair(random, 1, 3));
    let padding = pair(random, 0, 2);
    match random.below(6) {
        0 | 1 => Layer::Conv2d { out_channels, kernel, stride, padding },
        5 => Layer::MaskedConv2d {
            out_channels,
            kernel: kernel.map(|side| side | 1),
            center: kernel == [1, 1] || random.below(2) == 0,
        },
        2 | 3 => Layer::ConvTranspose2d {
            out_channels,
            kernel,
            stride,
            padding,
            output_padding: stride.map(|s| s - 1),
        },
        _ => Layer::Linear { out_features: between(random, 1, 17) },
    }
}

pub(crate) fn norm() -> Layer {
    Layer::BatchNorm2d { momentum: 0.1, epsilon: 1e-3 }
}

fn pool(random: &mut Stream) -> Layer {
    let (kernel, stride) = (pair(random, 1, 4), pair(random, 1, 3));
    let padding = kernel.map(|k| between(random, 0, k as u32 / 2));
    match random.below(5) {
        0 | 1 => Layer::MaxPool2d { kernel, stride, padding },
        2 | 3 => Layer::AvgPool2d { kernel, stride, padding },
        _ => Layer::GlobalAvgPool2d,
    }
}

/// A residual whose branch keeps the size of its input, with a shortcut if the branch changes the channels.
fn residual(random: &mut Stream, [channels, ..]: Shape) -> Layer {
    let same = |out_channels, side: usize| Layer::Conv2d {
        out_channels,
        kernel: [side, side],
        stride: [1, 1],
        padding: [side / 2, side / 2],
    };
    let out = if random.below(2) == 0 { channels } else { between(random, 1, 5) };
    let mut layers = vec![];
    // Layers that overwrite their input also come first in the branch.
    match random.below(5) {
        0 => layers.push(Layer::Dropout { p: 0.3 }),
        1 => layers.push(norm()),
        2 => layers.push(Layer::MaxPool2d { kernel: [3, 3], stride: [1, 1], padding: [1, 1] }),
        3 => {
            layers.push(Layer::Residual { layers: vec![Layer::Tanh], shortcut: vec![], drop: 0.0 });
        }
        _ => {}
    }
    layers.extend(activation(random));
    layers.push(same(out, 3));
    layers.extend((random.below(2) == 0).then(norm));
    layers.extend(activation(random));
    let mut shortcut = vec![];
    if out != channels || random.below(3) == 0 {
        shortcut.extend([same(out, 1), norm()]);
        shortcut.extend(activation(random));
    }
    Layer::Residual { layers, shortcut, drop: [0.0, 0.4][random.below(2) as usize] }
}

/// Two to four affine layers of any kind with other layers in between, on images of any small size.
pub(crate) fn network(random: &mut Stream) -> Network {
    loop {
        let input = [between(random, 1, 7), between(random, 1, 9), between(random, 1, 9)];
        let mut network = Network { input, sections: vec![] };
        for name in ["first", "second"] {
            network.sections.push(Section { name: name.into(), layers: vec![] });
            for _ in 0..between(random, 1, 2) {
                let shape = network.layout().map_or(input, |layout| layout.output());
                let layers = &mut network.sections.last_mut().unwrap().layers;
                match random.below(5) {
                    0 => layers.push(residual(random, shape)),
                    1 => layers.extend([pool(random), affine(random)]),
                    _ => layers.push(affine(random)),
                }
                layers.extend((random.below(3) == 0).then(norm));
                layers.extend(activation(random));
                match random.below(6) {
                    0 | 1 => layers.push(Layer::Dropout { p: 0.3 }),
                    2 => layers.push(Layer::Noise { deviation: 0.2 }),
                    _ => {}
                }
                layers.extend((random.below(4) == 0).then(|| pool(random)));
            }
            let layers = &mut network.sections.last_mut().unwrap().layers;
            if name == "first" {
                match random.below(6) {
                    0 | 1 => {
                        let latents = between(random, 1, 6);
                        layers.push(Layer::Linear { out_features: 2 * latents });
                        layers.push(Layer::Gaussian);
                    }
                    4 => {
                        let latents = between(random, 1, 6);
                        layers.push(Layer::Linear { out_features: 2 * latents });
                        let components = between(random, 1, 9);
                        layers.push(Layer::MixturePrior { components, features: 0 });
                    }
                    2 => layers.push(Layer::SquaredNorm),
                    3 => layers.push(Layer::MmdPenalty),
                    _ => {}
                }
            }
        }
        if let Ok(layout) = network.layout()
            && layout.parameter_count() < 1_500
            && layout.output().iter().product::<usize>() < 600
        {
            return network;
        }
    }
}

/// Two or three convolutions of either kind that are wide enough for Winograd's transforms, on images of any size.
pub(crate) fn wide(random: &mut Stream) -> Network {
    let input = [between(random, 16, 18), between(random, 5, 6), between(random, 6, 8)];
    let mut sections = vec![];
    for name in ["first", "second"] {
        let mut layers = vec![];
        for _ in 0..between(random, 1, 2) {
            let out_channels = between(random, 16, 19);
            let (kernel, stride) = ([3, 3], [1, 1]);
            let padding = [1, between(random, 1, 2)];
            layers.push(if random.below(3) == 0 {
                let output_padding = [0, 0];
                let padding = [1, between(random, 0, 1)];
                Layer::ConvTranspose2d { out_channels, kernel, stride, padding, output_padding }
            } else {
                Layer::Conv2d { out_channels, kernel, stride, padding }
            });
            layers.extend((random.below(3) == 0).then(norm));
            layers.extend(activation(random));
        }
        sections.push(Section { name: name.into(), layers });
    }
    Network { input, sections }
}
