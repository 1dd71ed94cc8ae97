//! From a checked network to the operations that compute it: which buffer each layer reads and writes, which activations are
//! fused into the sums before them, and where each gradient is gathered. The plan holds tables and no numbers.
//!
//! A buffer holds an activation on the way forward and its gradient on the way back: the gradient replaces the activation as soon
//! as nothing needs it any more. Two rules make that right. A convolution or matrix takes its weight gradient before it
//! overwrites its input; and only (leaky) ReLU works in place, as its derivative can be read off the sign of what it gave.

use std::ops::Range;

use crate::geometry::{Dot, Gather, Geometry, Rect};
use crate::kernels::elementwise::Activation;
use crate::kernels::latent::Prior;
use crate::network::{Layer, Layout, Shape};
use crate::simd::LANES;

/// A convolution, transposed convolution or matrix.
#[derive(Debug)]
pub(crate) struct Affine {
    pub(crate) input: usize,
    pub(crate) output: usize,
    pub(crate) forward: Gather,
    /// The input's gradient; none where nobody asks for it.
    pub(crate) backward: Option<Gather>,
    pub(crate) gradient: WeightGradient,
    pub(crate) weight: Range<usize>,
    pub(crate) bias: Range<usize>,
    /// Slope below zero of the ReLU that is fused into the output.
    pub(crate) rectify: Option<f64>,
    /// Slope below zero of the ReLU that was fused into the input.
    pub(crate) input_rectify: Option<f64>,
}

/// How the gradient of a weight is summed over the batch.
#[derive(Debug)]
pub(crate) enum WeightGradient {
    /// Convolutions: after each micro-batch, while its activations are in cache, into the shard's own sums.
    Shard {
        dot: Dot,
        /// Where weight and bias are in a shard.
        offset: usize,
        /// Whether the output is the small image (a convolution) or the big one (a transposed convolution).
        output_is_small: bool,
    },
    /// Matrices: the few numbers in and out are kept for the whole batch, and multiplied at its end.
    Record {
        inputs: usize,
        outputs: usize,
        /// Where the input and, after it, the output's gradient are in a micro-batch's record; in numbers.
        offset: usize,
    },
}

/// One step of a pass.
#[derive(Debug)]
pub(crate) enum Op {
    Affine(Box<Affine>),
    Activation {
        activation: Activation,
        input: usize,
        output: usize,
    },
    Dropout {
        buffer: usize,
        p: f64,
        layer: usize,
        /// Which of the workspace's masks it uses.
        mask: usize,
    },
    Noise {
        buffer: usize,
        deviation: f64,
        layer: usize,
    },
    Latent {
        prior: Prior,
        input: usize,
        output: usize,
        layer: usize,
        /// Which of the workspace's masks holds its draws.
        mask: usize,
    },
}

/// A part of the vector of gradients and where it comes from.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) range: Range<usize>,
    pub(crate) source: Source,
}

#[derive(Debug)]
pub(crate) enum Source {
    /// The sum of all shards from `offset`.
    Shards { offset: usize },
    /// Rows of a matrix, from records; `op` is its operation.
    Rows { op: usize, rows: Range<usize> },
    /// The bias of a matrix, from records.
    Bias { op: usize },
}

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) ops: Vec<Op>,
    /// Numbers in each buffer, lanes included.
    pub(crate) buffers: Vec<usize>,
    /// Numbers in each mask of dropout, and in the draws of each layer of latents.
    pub(crate) masks: Vec<usize>,
    /// For the place before each layer and the end: how many operations come before it, and the buffer that holds its value.
    pub(crate) boundaries: Vec<(usize, usize)>,
    /// Numbers in a shard of gradients.
    pub(crate) shard_len: usize,
    /// Numbers in a micro-batch's record.
    pub(crate) record_len: usize,
    /// The whole vector of gradients, in order.
    pub(crate) pieces: Vec<Piece>,
    /// Where the likelihood's scale is, among the parameters and in a shard.
    pub(crate) log_scale: Option<(usize, usize)>,
}

fn numbers(shape: Shape) -> usize {
    shape.iter().product::<usize>() * LANES
}

/// What an affine layer relates, and whether it goes down (from big to small).
fn geometry(layer: &Layer, input: Shape, output: Shape) -> Option<(Geometry, bool)> {
    match *layer {
        Layer::Conv2d { kernel, stride, padding, .. } => {
            Some((Geometry { small: output, big: input, kernel, stride, padding }, true))
        }
        Layer::ConvTranspose2d { kernel, stride, padding, .. } => {
            Some((Geometry { small: input, big: output, kernel, stride, padding }, false))
        }
        Layer::Linear { out_features } => {
            Some((Geometry::matrix(input.iter().product(), out_features), true))
        }
        _ => None,
    }
}

/// See [`crate::Engine::multiply_adds`].
pub(crate) fn multiply_adds(layout: &Layout) -> u64 {
    let layers = layout.layers().iter().enumerate();
    let geometries = layers.filter_map(|(i, l)| geometry(l, layout.shape(i), layout.shape(i + 1)));
    geometries.map(|(g, _)| g.multiply_adds()).sum()
}

impl Plan {
    pub(crate) fn new(layout: &Layout) -> Plan {
        let layers = layout.layers();
        let mut plan = Plan {
            ops: vec![],
            buffers: vec![numbers(layout.shape(0))],
            masks: vec![],
            boundaries: vec![(0, 0)],
            shard_len: 0,
            record_len: 0,
            pieces: vec![],
            log_scale: None,
        };
        let mut current = 0;
        let mut fused = vec![None];
        let mut i = 0;
        while i < layers.len() {
            let (input, output) = (layout.shape(i), layout.shape(i + 1));
            let layer = &layers[i];
            i += 1;
            if let Some((geometry, down)) = geometry(layer, input, output) {
                let rectify = fusable(layout, i);
                let next = plan.buffer(numbers(output));
                fused.push(rectify);
                plan.affine(
                    layout,
                    i - 1,
                    &geometry,
                    down,
                    [current, next],
                    [rectify, fused[current]],
                );
                current = next;
                if rectify.is_some() {
                    plan.boundaries.push((plan.ops.len(), current));
                    i += 1;
                }
            } else if let Some(activation) = Activation::of(layer) {
                current = plan.activation(activation, current, numbers(output));
                fused.push(None);
            } else if let Layer::Dropout { p } = *layer
                && p > 0.0
            {
                current = plan.own(current, &mut fused);
                let mask = plan.mask(numbers(output));
                plan.ops.push(Op::Dropout { buffer: current, p, layer: i - 1, mask });
            } else if let Layer::Noise { deviation } = *layer
                && deviation > 0.0
            {
                current = plan.own(current, &mut fused);
                plan.ops.push(Op::Noise { buffer: current, deviation, layer: i - 1 });
            } else if let Some(prior) = prior(layer) {
                let mask = plan.mask(numbers(output));
                let next = plan.buffer(numbers(output));
                plan.ops.push(Op::Latent {
                    prior,
                    input: current,
                    output: next,
                    layer: i - 1,
                    mask,
                });
                fused.push(None);
                current = next;
            } else if *layer == Layer::LogScale
                && let Some(parameter) = layout.log_scale()
            {
                let offset = plan.shard_len;
                plan.shard_len += 1;
                plan.log_scale = Some((parameter.offset, offset));
                plan.pieces
                    .push(Piece { range: parameter.range(), source: Source::Shards { offset } });
            }
            plan.boundaries.push((plan.ops.len(), current));
        }
        if current == 0 {
            // Nothing was computed; predictions need a buffer of their own all the same.
            current = plan.activation(Activation::Identity, 0, numbers(layout.output()));
            plan.boundaries.pop();
            plan.boundaries.push((plan.ops.len(), current));
        }
        if plan.record_len > 0 {
            // An odd number of cache lines: at a power of two, the same number of all records would fall into the same few sets of
            // the cache, and not stay there.
            plan.record_len |= LANES;
        }
        plan
    }

    fn buffer(&mut self, numbers: usize) -> usize {
        self.buffers.push(numbers);
        self.buffers.len() - 1
    }

    fn mask(&mut self, numbers: usize) -> usize {
        self.masks.push(numbers);
        self.masks.len() - 1
    }

    /// A buffer that may be changed in place: the network's input may be the target too, and stays whole.
    fn own(&mut self, current: usize, fused: &mut Vec<Option<f64>>) -> usize {
        if current != 0 {
            return current;
        }
        fused.push(None);
        self.activation(Activation::Identity, 0, self.buffers[0])
    }

    fn activation(&mut self, activation: Activation, input: usize, numbers: usize) -> usize {
        let output = self.buffer(numbers);
        self.ops.push(Op::Activation { activation, input, output });
        output
    }

    fn affine(
        &mut self,
        layout: &Layout,
        layer: usize,
        geometry: &Geometry,
        down: bool,
        [input, output]: [usize; 2],
        [rectify, input_rectify]: [Option<f64>; 2],
    ) {
        let Some((weight, bias)) = layout.weight_and_bias(layer) else {
            unreachable!("affine layers have parameters");
        };
        let (weight, bias) = (weight.range(), bias.range());
        let both = weight.start..bias.end;
        let gradient = if matches!(layout.layers()[layer], Layer::Linear { .. }) {
            let (inputs, outputs) = (geometry.big[0], geometry.small[0]);
            let op = self.ops.len();
            // Large enough to be worth a task, small enough for all threads to have some.
            let step = (16_384 / inputs).clamp(4, 64).next_multiple_of(4);
            for first in (0..outputs).step_by(step) {
                let rows = first..(first + step).min(outputs);
                let range = weight.start + rows.start * inputs..weight.start + rows.end * inputs;
                self.pieces.push(Piece { range, source: Source::Rows { op, rows } });
            }
            self.pieces.push(Piece { range: bias.clone(), source: Source::Bias { op } });
            let offset = self.record_len;
            self.record_len += (inputs + outputs) * LANES;
            WeightGradient::Record { inputs, outputs, offset }
        } else {
            let offset = self.shard_len;
            self.shard_len += both.len();
            for start in both.clone().step_by(16_384) {
                let range = start..(start + 16_384).min(both.end);
                let source = Source::Shards { offset: offset + start - both.start };
                self.pieces.push(Piece { range, source });
            }
            WeightGradient::Shard { dot: geometry.dot(), offset, output_is_small: down }
        };
        // Before the first parameters nobody asks for a gradient.
        let wanted = self.ops.iter().any(|op| matches!(op, Op::Affine(_)));
        let (forward, backward) = if down {
            (geometry.down(), wanted.then(|| geometry.up()))
        } else {
            (geometry.up(), wanted.then(|| geometry.down()))
        };
        self.ops.push(Op::Affine(Box::new(Affine {
            input,
            output,
            forward,
            backward,
            gradient,
            weight,
            bias,
            rectify,
            input_rectify,
        })));
    }
}

fn prior(layer: &Layer) -> Option<Prior> {
    match layer {
        Layer::Gaussian => Some(Prior::Gaussian),
        Layer::SquaredNorm => Some(Prior::SquaredNorm),
        Layer::Discrepancy => Some(Prior::Discrepancy),
        _ => None,
    }
}

/// The slope of the (leaky) ReLU at layer `i` if it can be fused into the sum before it: what reads it must be another sum, which
/// then takes the derivative from its sign. Dropout and changes of shape in between do no harm.
fn fusable(layout: &Layout, i: usize) -> Option<f64> {
    let slope = match layout.layers().get(i)? {
        Layer::Relu => 0.0,
        Layer::LeakyRelu { slope } => *slope,
        _ => return None,
    };
    let reader = layout.layers()[i + 1..]
        .iter()
        .find(|l| !matches!(l, Layer::Dropout { .. } | Layer::Reshape { .. }))?;
    let sums = matches!(
        reader,
        Layer::Conv2d { .. } | Layer::ConvTranspose2d { .. } | Layer::Linear { .. }
    );
    (sums && !layout.is_section_start(i)).then_some(slope)
}

/// The product that gives a matrix's gradient from the records of `micro_batches`.
pub(crate) fn record_dot(
    [inputs, outputs]: [usize; 2],
    offset: usize,
    record_len: usize,
    micro_batches: usize,
) -> Dot {
    let gradient = offset + inputs * LANES;
    Dot {
        rows: outputs,
        a_plane: LANES,
        columns: inputs,
        b_plane: LANES,
        rects: vec![Rect {
            a: [gradient, 0, record_len],
            b: [offset, 0, record_len],
            size: [1, micro_batches],
        }],
    }
}
