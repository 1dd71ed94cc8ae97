//! The planner turns a checked network into the operations that compute it: the buffers that each layer reads and writes, the
//! activations that are fused into the sums before them, and the place where each gradient is summed.
//!
//! A buffer holds an activation in the forward pass and its gradient in the backward pass: the gradient replaces the activation as
//! soon as nothing needs it any more. Three rules make this correct. A convolution or linear layer computes its weight gradient before
//! it overwrites its input. Only (leaky) ReLU works in place, because the sign of its output gives its derivative. The forward pass
//! never overwrites a buffer with two readers (the input of the network, which may be the target too, and the input of a residual).

use std::ops::Range;

use crate::affine::{Affine, Products, Sum, WeightGradient, geometry, in_tiles};
use crate::code_table::CodeTable;
use crate::geometry::{Geometry, Windows};
use crate::kernels::elementwise::Activation;
use crate::kernels::latent::Prior;
use crate::layer::Layer;
use crate::network::{Layout, Node};
use crate::options::EngineOptions;
use crate::plan::{Codes, MixturePrior, Normalize, Op, Piece, Plan, Pool, Quantize, Source};
use crate::precision::Precision;
use crate::shape::Shape;
use crate::simd::LANES;

fn numbers(shape: Shape) -> usize {
    shape.iter().product::<usize>() * LANES
}

/// The windows of a pooling layer, and whether it takes their maximum instead of their mean.
fn windows(layer: &Layer, input: Shape, output: Shape) -> Option<(Windows, bool)> {
    let (kernel, stride, padding) = match *layer {
        Layer::MaxPool2d { kernel, stride, padding }
        | Layer::AvgPool2d { kernel, stride, padding } => (kernel, stride, padding),
        Layer::GlobalAvgPool2d => ([input[1], input[2]], [1, 1], [0, 0]),
        _ => return None,
    };
    let places = kernel[0] * kernel[1];
    let geometry = Geometry { small: output, big: input, kernel, stride, padding, places };
    Some((geometry.windows(), matches!(layer, Layer::MaxPool2d { .. })))
}

/// The plan of a network. With `input_gradients`, it also computes the gradient of the input of each section: each section then begins
/// with a copy of its input, and the gradient stays in the copy. All other gradients are the same bits. Pseudo-inputs need it in any case.
pub(crate) fn plan(layout: &Layout, options: EngineOptions) -> Plan {
    let EngineOptions { precision, input_gradients } = options;
    let input_gradients = input_gradients || layout.pseudo_inputs().is_some();
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
        fused: vec![],
        condition: layout.condition_features(),
        copies: vec![],
    };
    let mut planner =
        Planner { layout, plan, shared: vec![], detached: 0, precision, input_gradients };
    let mut current = planner.buffer(layout.shape(0), None);
    planner.shared[current] = true;
    for section in (0..layout.section_count()).map(|i| layout.section(i)) {
        let nodes = layout.nodes();
        if input_gradients && !section.is_empty() {
            let (input, output) = (current, planner.buffer(layout.shape(section.start), None));
            let rectify = planner.plan.fused[input];
            planner.plan.ops.push(Op::Copy { input, output, rectify });
            planner.plan.copies.push((section.start, output));
            current = output;
        }
        let mut i = section.start;
        while i < section.end {
            let rectify = fusable(nodes, i + 1).filter(|_| i + 1 < section.end);
            let (next, took) = planner.layer(&nodes[i], current, rectify);
            let boundary = (planner.plan.ops.len(), next);
            planner.plan.boundaries.extend((0..took).map(|_| boundary));
            current = next;
            i += took;
        }
    }
    if current == 0 {
        // No layer computes anything, but predictions need a buffer of their own.
        current = planner.activation(Activation::Identity, 0, layout.output());
        planner.plan.boundaries.pop();
        planner.plan.boundaries.push((planner.plan.ops.len(), current));
    }
    planner.plan
}

/// The state of planning.
struct Planner<'a> {
    layout: &'a Layout,
    plan: Plan,
    /// For each buffer, whether another operation of the forward pass reads it later.
    shared: Vec<bool>,
    /// The operation at which gradients end: the first of a prior while it is planned, otherwise that of the network.
    detached: usize,
    precision: Precision,
    input_gradients: bool,
}

impl Planner<'_> {
    fn buffer(&mut self, shape: Shape, fused: Option<f64>) -> usize {
        self.plan.buffers.push(numbers(shape));
        self.plan.fused.push(fused);
        self.shared.push(false);
        self.plan.buffers.len() - 1
    }

    fn activation(&mut self, activation: Activation, input: usize, shape: Shape) -> usize {
        let output = self.buffer(shape, None);
        self.plan.ops.push(Op::Activation { activation, input, output });
        output
    }

    /// The buffer itself, or a copy if another operation reads it later.
    fn owned(&mut self, buffer: usize, shape: Shape) -> usize {
        if self.shared[buffer] {
            self.activation(Activation::Identity, buffer, shape)
        } else {
            buffer
        }
    }

    /// A sequence of layers; returns the buffer of the output.
    fn chain(&mut self, nodes: &[Node], mut current: usize) -> usize {
        let mut i = 0;
        while i < nodes.len() {
            let (next, took) = self.layer(&nodes[i], current, fusable(nodes, i + 1));
            current = next;
            i += took;
        }
        current
    }

    /// One layer, and the ReLU after it (with slope `rectify`) if it can be fused. Returns the buffer of the output, and the number of
    /// layers.
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
            let input_rectify = self.plan.fused[input];
            let pool = Pool { input, output, windows, places, input_rectify };
            self.plan.ops.push(Op::Pool(Box::new(pool)));
            return (output, 1);
        }
        if let Some(activation) = Activation::of(&node.layer) {
            // Some activations store their value in the buffer of their input.
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
            Layer::MixturePrior { components, .. } | Layer::VampPrior { components } => {
                (self.mixture_prior(node, components, input), 1)
            }
            Layer::VectorQuantizer { ref table, .. } => (self.quantize(node, table, input), 1),
            Layer::SquaredNorm => (self.latent(node, Prior::SquaredNorm, input), 1),
            Layer::MmdPenalty => (self.latent(node, Prior::Mmd, input), 1),
            Layer::Condition { .. } => {
                let output = self.buffer(node.output, None);
                self.plan.ops.push(Op::Condition { input, output });
                (output, 1)
            }
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
        // The buffer of the input stores what the gradient needs.
        let input = if input == 0 { input } else { self.owned(input, node.input) };
        let mask = self.mask(numbers(node.output));
        let output = self.buffer(node.output, None);
        self.plan.ops.push(Op::Latent { prior, input, output, layer: node.number, mask });
        output
    }

    fn mixture_prior(&mut self, node: &Node, components: usize, input: usize) -> usize {
        let conditional = matches!(node.layer, Layer::MixturePrior { features: 1.., .. });
        let uniform = matches!(node.layer, Layer::VampPrior { .. });
        // The buffer of the input stores what the gradient needs.
        let input = if input == 0 { input } else { self.owned(input, node.input) };
        let numbers = numbers(node.output);
        let (mask, kept) = (self.mask(numbers), self.mask(numbers + 2 * components * LANES));
        let output = self.buffer(node.output, None);
        let mut all = self.parameters(node);
        if uniform {
            // The pseudo-inputs, which only the encoder reads.
            let (range, source) = (all.remove(0), Source::Nothing);
            self.plan.pieces.push(Piece { range, source });
        }
        let parameters = all[0].start..all[all.len() - 1].end;
        let offset = self.shard(parameters.clone());
        let layer = node.number;
        self.plan.ops.push(Op::MixturePrior(Box::new(MixturePrior {
            input,
            output,
            layer,
            components,
            conditional,
            uniform,
            mask,
            kept,
            parameters,
            offset,
        })));
        output
    }

    fn quantize(&mut self, node: &Node, table: &CodeTable, input: usize) -> usize {
        let output = self.buffer(node.output, None);
        let [_, h, w] = node.output;
        self.plan.places.push(h * w * LANES);
        let places = self.plan.places.len() - 1;
        let codes = match table {
            CodeTable::Levels { levels } => Codes::Levels(levels.clone()),
            &CodeTable::Learned { commitment, .. } => {
                let kept = self.mask(numbers(node.input));
                let parameters = self.parameters(node)[0].clone();
                let offset = self.shard(parameters.clone());
                Codes::Learned { commitment, kept, parameters, offset }
            }
        };
        let has_prior = !node.branch.is_empty();
        let each = libm::log(table.codes() as f64);
        let uniform = if has_prior { 0.0 } else { (h * w) as f64 * each };
        self.plan.ops.push(Op::Quantize(Box::new(Quantize {
            input,
            output,
            codes,
            uniform,
            places,
        })));
        if has_prior {
            let copy = self.buffer(node.output, None);
            let start = self.plan.ops.len();
            self.plan.ops.push(Op::Detach { input: output, output: copy, ops: 0 });
            let before = std::mem::replace(&mut self.detached, start);
            let logits = self.chain(&node.branch, copy);
            self.detached = before;
            self.plan.ops.push(Op::CodeLoss { logits, places });
            let after = self.plan.ops.len() - start - 1;
            if let Op::Detach { ops, .. } = &mut self.plan.ops[start] {
                *ops = after;
            }
        }
        output
    }

    fn residual(&mut self, node: &Node, drop: f64, input: usize) -> usize {
        // The input of the network has no gradient to which branch and shortcut could add.
        let input = if input == 0 { self.owned(input, node.input) } else { input };
        let fork = self.plan.ops.len();
        let has_layers = !node.shortcut.is_empty();
        let copy = has_layers.then(|| self.buffer(node.input, self.plan.fused[input]));
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
        // If the shortcut has no layers, its gradient is that of the sum.
        let of_shortcut = copy.unwrap_or(output);
        if let Op::Fork { gradient, .. } = &mut self.plan.ops[fork] {
            *gradient = of_shortcut;
        }
        output
    }

    /// Reserves space in a shard for the gradients of some parameters; returns its offset.
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

    /// The ranges of the parameters of a layer.
    fn parameters(&self, node: &Node) -> Vec<Range<usize>> {
        let all = &self.layout.parameters()[node.parameters.clone()];
        all.iter().map(crate::parameter::Parameter::range).collect()
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
            let tiles = in_tiles(geometry, self.precision);
            // Large enough for a task to be worthwhile, small enough that every thread gets some. In tiles, each task rounds all inputs.
            let step = if tiles { 128 } else { (16_384 / inputs).clamp(4, 64).next_multiple_of(4) };
            for first in (0..outputs).step_by(step) {
                let rows = first..(first + step).min(outputs);
                let range = weight.start + rows.start * inputs..weight.start + rows.end * inputs;
                plan.pieces.push(Piece { range, source: Source::Rows { op, rows } });
            }
            plan.pieces.push(Piece { range: bias.clone(), source: Source::Bias { op } });
            let offset = plan.record_len;
            plan.record_len += (inputs + outputs) * LANES;
            WeightGradient::Record { inputs, outputs, offset, tiles }
        } else {
            let offset = self.shard(weight.start..bias.end);
            WeightGradient::Shard {
                products: Products::new(geometry, self.precision),
                offset,
                output_is_small: down,
            }
        };
        // Nothing needs the gradients before the first parameters.
        let has_parameters = |op: &Op| {
            matches!(op, Op::Affine(_) | Op::Normalize(_) | Op::MixturePrior(_) | Op::Quantize(_))
        };
        let before = &self.plan.ops[self.detached..];
        let wanted = self.input_gradients || before.iter().any(has_parameters);
        let precision = self.precision;
        let (forward, backward) = if down {
            (Sum::down(geometry, precision), wanted.then(|| Sum::up(geometry, precision)))
        } else {
            (Sum::up(geometry, precision), wanted.then(|| Sum::down(geometry, precision)))
        };
        self.plan.ops.push(Op::Affine(Box::new(Affine {
            input,
            output,
            forward,
            backward,
            gradient,
            weight,
            bias,
            rectify: self.plan.fused[output],
            input_rectify: self.plan.fused[input],
        })));
    }
}

/// The slope of the (leaky) ReLU at layer `i` if it can be fused into the sum or normalisation before it. Its reader must be a sum or a
/// pooling, whose backward pass takes the derivative from the sign; dropout and reshapes may come in between. A sum must follow a
/// pooling, so that no loss is computed before it.
fn fusable(nodes: &[Node], i: usize) -> Option<f64> {
    let before = &nodes.get(i.checked_sub(1)?)?.layer;
    let is_sum = |layer: &Layer| {
        matches!(
            layer,
            Layer::Conv2d { .. }
                | Layer::ConvTranspose2d { .. }
                | Layer::MaskedConv2d { .. }
                | Layer::Linear { .. }
        )
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
