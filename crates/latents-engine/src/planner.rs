//! From a checked network to the operations that compute it: which buffer each layer reads and writes, which activations are
//! fused into the sums before them, and where each gradient is gathered.
//!
//! A buffer holds an activation on the way forward and its gradient on the way back: the gradient replaces the activation as soon
//! as nothing needs it any more. Three rules make that right. A convolution or matrix takes its weight gradient before it
//! overwrites its input; only (leaky) ReLU works in place, as its derivative can be read off the sign of what it gave; and what two
//! ways read (the network's input, which may be the target too, and a residual's) is never written to on the way forward.

use std::ops::Range;

use crate::affine::{Affine, Products, Sum, WeightGradient, geometry};
use crate::geometry::{Geometry, Windows};
use crate::kernels::elementwise::Activation;
use crate::kernels::latent::Prior;
use crate::layer::Layer;
use crate::network::{Layout, Node, Shape};
use crate::plan::{Normalize, Op, Piece, Plan, Pool, Source};
use crate::simd::LANES;

fn numbers(shape: Shape) -> usize {
    shape.iter().product::<usize>() * LANES
}

/// The windows of a pooling layer, and whether it keeps their largest number rather than their mean.
fn windows(layer: &Layer, input: Shape, output: Shape) -> Option<(Windows, bool)> {
    let (kernel, stride, padding) = match *layer {
        Layer::MaxPool2d { kernel, stride, padding }
        | Layer::AvgPool2d { kernel, stride, padding } => (kernel, stride, padding),
        Layer::GlobalAvgPool2d => ([input[1], input[2]], [1, 1], [0, 0]),
        _ => return None,
    };
    let geometry = Geometry { small: output, big: input, kernel, stride, padding };
    Some((geometry.windows(), matches!(layer, Layer::MaxPool2d { .. })))
}

/// The plan of a network.
pub(crate) fn plan(layout: &Layout) -> Plan {
    let plan = Plan {
        ops: vec![],
        buffers: vec![],
        masks: vec![],
        statistics: vec![],
        places: vec![],
        boundaries: vec![(0, 0)],
        shard_len: 0,
        record_len: 0,
        pieces: vec![],
        log_scale: None,
    };
    let mut planner = Planner { layout, plan, fused: vec![], shared: vec![] };
    let mut current = planner.buffer(layout.shape(0), None);
    planner.shared[current] = true;
    let (nodes, mut i) = (layout.nodes(), 0);
    while i < nodes.len() {
        let rectify = fusable(nodes, i + 1).filter(|_| !layout.is_section_start(i + 1));
        let (next, took) = planner.layer(&nodes[i], current, rectify);
        let boundary = (planner.plan.ops.len(), next);
        planner.plan.boundaries.extend((0..took).map(|_| boundary));
        current = next;
        i += took;
    }
    if current == 0 {
        // Nothing was computed; predictions need a buffer of their own all the same.
        current = planner.activation(Activation::Identity, 0, layout.output());
        planner.plan.boundaries.pop();
        planner.plan.boundaries.push((planner.plan.ops.len(), current));
    }
    planner.plan
}

/// A plan in the making.
struct Planner<'a> {
    layout: &'a Layout,
    plan: Plan,
    /// For each buffer, the slope below zero of the ReLU that is fused into what it holds.
    fused: Vec<Option<f64>>,
    /// For each buffer, whether someone else reads it later on the way forward.
    shared: Vec<bool>,
}

impl Planner<'_> {
    fn buffer(&mut self, shape: Shape, fused: Option<f64>) -> usize {
        self.plan.buffers.push(numbers(shape));
        self.fused.push(fused);
        self.shared.push(false);
        self.plan.buffers.len() - 1
    }

    fn activation(&mut self, activation: Activation, input: usize, shape: Shape) -> usize {
        let output = self.buffer(shape, None);
        self.plan.ops.push(Op::Activation { activation, input, output });
        output
    }

    /// The buffer itself, or a copy where someone else reads it later.
    fn owned(&mut self, buffer: usize, shape: Shape) -> usize {
        if self.shared[buffer] {
            self.activation(Activation::Identity, buffer, shape)
        } else {
            buffer
        }
    }

    /// Layers one after the other; gives the buffer that holds what comes out.
    fn chain(&mut self, nodes: &[Node], mut current: usize) -> usize {
        let mut i = 0;
        while i < nodes.len() {
            let (next, took) = self.layer(&nodes[i], current, fusable(nodes, i + 1));
            current = next;
            i += took;
        }
        current
    }

    /// One layer, and the ReLU after it (of slope `rectify`) where it can be fused. Gives the buffer that holds what comes out, and
    /// how many layers that was.
    fn layer(&mut self, node: &Node, input: usize, rectify: Option<f64>) -> (usize, usize) {
        let took = |rectify: Option<f64>| if rectify.is_some() { 2 } else { 1 };
        if let Some((geometry, down)) = geometry(&node.layer, node.input, node.output) {
            let output = self.buffer(node.output, rectify);
            self.affine(node, &geometry, down, [input, output]);
            return (output, took(rectify));
        }
        if let Some((windows, is_max)) = windows(&node.layer, node.input, node.output) {
            let output = self.buffer(node.output, None);
            let places = is_max.then(|| {
                self.plan.places.push(numbers(node.output));
                self.plan.places.len() - 1
            });
            let input_rectify = self.fused[input];
            let pool = Pool { input, output, windows, places, input_rectify };
            self.plan.ops.push(Op::Pool(Box::new(pool)));
            return (output, 1);
        }
        if let Some(activation) = Activation::of(&node.layer) {
            // Some keep their value where their input was.
            let keeps = activation.slope_is_of_value() && input != 0;
            let input = if keeps { self.owned(input, node.input) } else { input };
            return (self.activation(activation, input, node.output), 1);
        }
        match node.layer {
            Layer::BatchNorm2d { epsilon, .. } => {
                (self.normalize(node, epsilon, input, rectify), took(rectify))
            }
            Layer::Residual { drop, .. } => (self.residual(node, drop, input), 1),
            Layer::Dropout { p } if p > 0.0 => {
                let buffer = self.owned(input, node.output);
                let mask = self.mask(numbers(node.output));
                self.plan.ops.push(Op::Dropout { buffer, p, layer: node.number, mask });
                (buffer, 1)
            }
            Layer::Noise { deviation } if deviation > 0.0 => {
                let buffer = self.owned(input, node.output);
                self.plan.ops.push(Op::Noise { buffer, deviation, layer: node.number });
                (buffer, 1)
            }
            Layer::Gaussian => (self.latent(node, Prior::Gaussian, input), 1),
            Layer::SquaredNorm => (self.latent(node, Prior::SquaredNorm, input), 1),
            Layer::Discrepancy => (self.latent(node, Prior::Discrepancy, input), 1),
            Layer::LogScale => {
                let parameter = self.parameters(node)[0].clone();
                let at = parameter.start;
                self.plan.log_scale = Some((at, self.shard(parameter)));
                (input, 1)
            }
            _ => (input, 1),
        }
    }

    fn mask(&mut self, numbers: usize) -> usize {
        self.plan.masks.push(numbers);
        self.plan.masks.len() - 1
    }

    fn latent(&mut self, node: &Node, prior: Prior, input: usize) -> usize {
        // What the gradient needs is kept where the input was.
        let input = if input == 0 { input } else { self.owned(input, node.input) };
        let mask = self.mask(numbers(node.output));
        let output = self.buffer(node.output, None);
        self.plan.ops.push(Op::Latent { prior, input, output, layer: node.number, mask });
        output
    }

    fn residual(&mut self, node: &Node, drop: f64, input: usize) -> usize {
        // The network's own input has no gradient that the two ways could meet in.
        let input = if input == 0 { self.owned(input, node.input) } else { input };
        let fork = self.plan.ops.len();
        let has_layers = !node.shortcut.is_empty();
        let copy = has_layers.then(|| self.buffer(node.input, self.fused[input]));
        self.plan.ops.push(Op::Fork { input, copy, gradient: 0 });
        let was_shared = std::mem::replace(&mut self.shared[input], true);
        let mut branch = self.chain(&node.branch, input);
        if branch == input {
            branch = self.activation(Activation::Identity, input, node.output);
        }
        self.shared[input] = was_shared;
        let shortcut = copy.map_or(input, |copy| self.chain(&node.shortcut, copy));
        let output = self.buffer(node.output, None);
        let mask = self.mask(LANES);
        self.plan.ops.push(Op::Join {
            branch,
            shortcut,
            output,
            drop,
            layer: node.number,
            mask,
            differentiate: has_layers,
        });
        // Without layers of its own, the shortcut's gradient is that of the sum.
        let of_shortcut = copy.unwrap_or(output);
        if let Op::Fork { gradient, .. } = &mut self.plan.ops[fork] {
            *gradient = of_shortcut;
        }
        output
    }

    /// Room in a shard for the gradients of some parameters; gives where it begins.
    fn shard(&mut self, parameters: Range<usize>) -> usize {
        let offset = self.plan.shard_len;
        self.plan.shard_len += parameters.len();
        for start in parameters.clone().step_by(16_384) {
            let range = start..(start + 16_384).min(parameters.end);
            let source = Source::Shards { offset: offset + start - parameters.start };
            self.plan.pieces.push(Piece { range, source });
        }
        offset
    }

    /// The parameters of a layer that has some.
    fn parameters(&self, node: &Node) -> Vec<Range<usize>> {
        let all = &self.layout.parameters()[node.parameters.clone()];
        all.iter().map(crate::network::Parameter::range).collect()
    }

    fn normalize(
        &mut self,
        node: &Node,
        epsilon: f64,
        input: usize,
        rectify: Option<f64>,
    ) -> usize {
        let output = self.buffer(node.output, rectify);
        let all = self.parameters(node);
        let parameters = all[0].start..all[3].end;
        let offset = self.shard(parameters.clone());
        self.plan.statistics.push(node.output[0]);
        let statistics = self.plan.statistics.len() - 1;
        self.plan.ops.push(Op::Normalize(Box::new(Normalize {
            input,
            output,
            epsilon,
            parameters,
            offset,
            rectify,
            statistics,
        })));
        output
    }

    fn affine(
        &mut self,
        node: &Node,
        geometry: &Geometry,
        down: bool,
        [input, output]: [usize; 2],
    ) {
        let all = self.parameters(node);
        let (weight, bias) = (all[0].clone(), all[1].clone());
        let gradient = if matches!(node.layer, Layer::Linear { .. }) {
            let plan = &mut self.plan;
            let (inputs, outputs) = (geometry.big[0], geometry.small[0]);
            let op = plan.ops.len();
            // Large enough to be worth a task, small enough for all threads to have some.
            let step = (16_384 / inputs).clamp(4, 64).next_multiple_of(4);
            for first in (0..outputs).step_by(step) {
                let rows = first..(first + step).min(outputs);
                let range = weight.start + rows.start * inputs..weight.start + rows.end * inputs;
                plan.pieces.push(Piece { range, source: Source::Rows { op, rows } });
            }
            plan.pieces.push(Piece { range: bias.clone(), source: Source::Bias { op } });
            let offset = plan.record_len;
            plan.record_len += (inputs + outputs) * LANES;
            WeightGradient::Record { inputs, outputs, offset }
        } else {
            let offset = self.shard(weight.start..bias.end);
            WeightGradient::Shard {
                products: Products::new(geometry),
                offset,
                output_is_small: down,
            }
        };
        // Before the first parameters nobody asks for a gradient.
        let has_parameters = |op: &Op| matches!(op, Op::Affine(_) | Op::Normalize(_));
        let wanted = self.plan.ops.iter().any(has_parameters);
        let (forward, backward) = if down {
            (Sum::down(geometry), wanted.then(|| Sum::up(geometry)))
        } else {
            (Sum::up(geometry), wanted.then(|| Sum::down(geometry)))
        };
        self.plan.ops.push(Op::Affine(Box::new(Affine {
            input,
            output,
            forward,
            backward,
            gradient,
            weight,
            bias,
            rectify: self.fused[output],
            input_rectify: self.fused[input],
        })));
    }
}

/// The slope of the (leaky) ReLU at layer `i` if it can be fused into the sum or normalisation before it: what reads it must be a sum
/// or a pooling, which then takes the derivative from its sign. Dropout and changes of shape in between do no harm. After a pooling
/// something must be learnt, so that no loss is taken before it.
fn fusable(nodes: &[Node], i: usize) -> Option<f64> {
    let before = &nodes.get(i.checked_sub(1)?)?.layer;
    let is_sum = |layer: &Layer| {
        matches!(layer, Layer::Conv2d { .. } | Layer::ConvTranspose2d { .. } | Layer::Linear { .. })
    };
    if !is_sum(before) && !matches!(before, Layer::BatchNorm2d { .. }) {
        return None;
    }
    let slope = match nodes.get(i)?.layer {
        Layer::Relu => 0.0,
        Layer::LeakyRelu { slope } => slope,
        _ => return None,
    };
    let mut after = nodes[i + 1..].iter().map(|node| &node.layer);
    let reader =
        after.find(|layer| !matches!(layer, Layer::Dropout { .. } | Layer::Reshape { .. }))?;
    let pools = matches!(
        reader,
        Layer::MaxPool2d { .. } | Layer::AvgPool2d { .. } | Layer::GlobalAvgPool2d
    );
    (is_sum(reader) || (pools && after.any(is_sum))).then_some(slope)
}
