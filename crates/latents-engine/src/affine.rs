//! Convolutions, transposed convolutions and linear layers: the kernel that computes each pass, and how it runs on a micro-batch. A
//! sum is a table of taps ([`Gather`], [`Dot`]), for 3x3 kernels of many channels a sum in Winograd's domain, or, in bfloat16, a sum of
//! tiles.

use std::ops::Range;

use crate::bfloat16::{Pair, TILE, Tile};
use crate::buffer::{Buffer, room};
use crate::geometry::{Dot, Gather, Geometry, Rect};
use crate::isa::Isa;
use crate::kernels::Element;
use crate::kernels::dot::{ChannelSums, DotRun};
use crate::kernels::gather::{Finish, GatherRun};
use crate::kernels::tile_products::{ProductsScratch, TileProductsRun};
use crate::kernels::tile_sum::{BLOCKS, TileSumRun};
use crate::kernels::winograd::{Collect, Spread, SpreadGradient};
use crate::layer::{Layer, masked_places};
use crate::network::Node;
use crate::precision::Precision;
use crate::shape::Shape;
use crate::simd::{LANES, vectorize};
use crate::tiles::{self, TileProducts, TileSum, View};
use crate::winograd::{POSITIONS, Winograd, WinogradDot};

/// A convolution, transposed convolution or linear layer.
#[derive(Debug)]
pub(crate) struct Affine {
    pub(crate) input: usize,
    pub(crate) output: usize,
    pub(crate) forward: Sum,
    /// The gradient of the input, if it is needed.
    pub(crate) backward: Option<Sum>,
    pub(crate) gradient: WeightGradient,
    pub(crate) weight: Range<usize>,
    pub(crate) bias: Range<usize>,
    /// Slope below zero of the ReLU that is fused into the output.
    pub(crate) rectify: Option<f64>,
    /// Slope below zero of the ReLU that was fused into the input.
    pub(crate) input_rectify: Option<f64>,
}

/// A sum from one image to the other.
#[derive(Debug)]
pub(crate) enum Sum {
    Taps(Gather),
    Winograd(Box<Winograd>),
    Tiles(TileSum),
}

/// The gradient of the weights of a convolution.
#[derive(Debug)]
pub(crate) enum Products {
    Places(Dot),
    Winograd(Box<WinogradDot>),
    Tiles(Box<TileProducts>),
}

/// How the gradient of a weight is summed over the batch.
#[derive(Debug)]
pub(crate) enum WeightGradient {
    /// Convolutions: it is added to the sums of the shard after each micro-batch, while the activations are in cache.
    Shard {
        products: Products,
        /// Offset of weight and bias in a shard.
        offset: usize,
        /// Whether the output is the small image (a convolution) or the big one (a transposed convolution).
        output_is_small: bool,
    },
    /// Linear layers: inputs and gradients of outputs are recorded for the whole batch, and multiplied at its end.
    Record {
        inputs: usize,
        outputs: usize,
        /// Offset of the input and, after it, of the gradient of the output in the record of a micro-batch; in numbers.
        offset: usize,
        /// Whether they are multiplied in tiles.
        tiles: bool,
    },
}

/// Packed weights of one affine operation; empty for other operations.
#[derive(Debug, Default)]
pub(crate) struct Packed<E> {
    pub(crate) forward: Weights<E>,
    pub(crate) backward: Weights<E>,
}

/// Packed weights of a sum, in its numbers or rounded to tiles.
#[derive(Debug, Default)]
pub(crate) struct Weights<E> {
    numbers: Vec<E>,
    tiles: Buffer<Pair>,
}

/// Buffers for the transforms of Winograd's sums and for tiles; they grow to the size of the largest.
#[derive(Debug, Default)]
pub(crate) struct Scratch<E> {
    tiles: Buffer<E>,
    others: Buffer<E>,
    pairs: Buffer<E>,
    right: Buffer<Pair>,
    sums: Vec<[Tile; 4]>,
    pub(crate) products: ProductsScratch,
}

/// The geometry of an affine layer, and whether its forward pass goes down (from big to small).
pub(crate) fn geometry(layer: &Layer, input: Shape, output: Shape) -> Option<(Geometry, bool)> {
    match *layer {
        Layer::Conv2d { kernel, stride, padding, .. } => {
            let places = kernel[0] * kernel[1];
            Some((Geometry { small: output, big: input, kernel, stride, padding, places }, true))
        }
        Layer::ConvTranspose2d { kernel, stride, padding, .. } => {
            let places = kernel[0] * kernel[1];
            Some((Geometry { small: input, big: output, kernel, stride, padding, places }, false))
        }
        Layer::MaskedConv2d { kernel, center, .. } => {
            let (stride, padding) = ([1, 1], kernel.map(|side| side / 2));
            let places = masked_places(kernel, center);
            Some((Geometry { small: output, big: input, kernel, stride, padding, places }, true))
        }
        Layer::Linear { out_features } => {
            Some((Geometry::linear(input.iter().product(), out_features), true))
        }
        _ => None,
    }
}

/// See [`crate::Engine::multiply_adds`].
pub(crate) fn multiply_adds(nodes: &[Node]) -> u64 {
    let each = nodes.iter().map(|node| {
        let own = geometry(&node.layer, node.input, node.output);
        own.map_or(0, |(g, _)| g.multiply_adds())
            + multiply_adds(&node.branch)
            + multiply_adds(&node.shortcut)
    });
    each.sum()
}

/// The product that computes the gradient of a linear layer from the records of `micro_batches`.
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

/// The same in bfloat16, for some of the outputs.
pub(crate) fn record_tiles(
    [inputs, outputs]: [usize; 2],
    offset: usize,
    record_len: usize,
    micro_batches: usize,
    rows: &Range<usize>,
) -> TileProducts {
    debug_assert!(rows.end <= outputs);
    let view = |channels, first| View {
        channels,
        first,
        plane: LANES,
        steps: [0, record_len],
        size: [1, micro_batches],
    };
    let small = view(rows.len(), offset + (inputs + rows.start) * LANES);
    TileProducts::of(small, view(inputs, offset), [1, 1], [1, 1], [0, 0])
}

/// A part of the weights of a sum, to be packed in the order in which the kernels read them.
pub(crate) enum Packing<'a, E> {
    Numbers {
        sum: &'a Sum,
        /// `[out, in, kernel_h, kernel_w]`, or `[in, out, ..]` for the other direction.
        weights: &'a [E],
        /// A part of [`Gather::pack`].
        pack: &'a [u32],
        /// The destination; for Winograd's sums, one slice for each position.
        out: Vec<&'a mut [E]>,
    },
    Tiles {
        sum: &'a TileSum,
        weights: &'a [E],
        /// The first of the tiles.
        first: usize,
        tiles: &'a mut [Pair],
    },
}

impl<E: Element> Packing<'_, E> {
    pub(crate) fn run(self, isa: Isa) {
        match self {
            Packing::Numbers { sum: Sum::Winograd(winograd), weights, pack, mut out } => {
                winograd.transform(weights, pack, &mut out);
            }
            Packing::Numbers { weights, pack, mut out, .. } => {
                for (out, &from) in out[0].iter_mut().zip(pack) {
                    *out = weights[from as usize];
                }
            }
            Packing::Tiles { sum, weights, first, tiles } => {
                vectorize(isa, || sum.pack(weights, first, tiles));
            }
        }
    }
}

/// Whether a layer is computed in tiles.
pub(crate) fn in_tiles(geometry: &Geometry, precision: Precision) -> bool {
    precision == Precision::Bf16 && tiles::fits(geometry)
}

impl Sum {
    /// From the big image to the small one.
    pub(crate) fn down(geometry: &Geometry, precision: Precision) -> Sum {
        if in_tiles(geometry, precision) {
            return Sum::Tiles(TileSum::down(geometry));
        }
        let winograd = Winograd::down(geometry).map(Box::new);
        winograd.map_or_else(|| Sum::Taps(geometry.down()), Sum::Winograd)
    }

    /// From the small image to the big one.
    pub(crate) fn up(geometry: &Geometry, precision: Precision) -> Sum {
        if in_tiles(geometry, precision) {
            return Sum::Tiles(TileSum::up(geometry));
        }
        let winograd = Winograd::up(geometry).map(Box::new);
        winograd.map_or_else(|| Sum::Taps(geometry.up()), Sum::Winograd)
    }

    /// The order of the weights, and the number of positions that each have as many.
    fn pack(&self) -> (&[u32], usize) {
        match self {
            Sum::Taps(gather) => (&gather.pack, 1),
            Sum::Winograd(winograd) => (&winograd.matrix.pack, POSITIONS),
            Sum::Tiles(_) => (&[], 0),
        }
    }

    /// Room for packed weights.
    pub(crate) fn room<E: Element>(&self) -> Weights<E> {
        let (pack, positions) = self.pack();
        let numbers = vec![E::default(); pack.len() * positions];
        let tiles = match self {
            Sum::Tiles(sum) => Buffer::zeros(sum.left() * TILE),
            _ => Buffer::default(),
        };
        Weights { numbers, tiles }
    }

    /// Bytes of the packed weights.
    pub(crate) fn packed<E>(&self) -> usize {
        let (pack, positions) = self.pack();
        match self {
            Sum::Tiles(sum) => sum.left() * TILE * size_of::<Pair>(),
            _ => pack.len() * positions * size_of::<E>(),
        }
    }

    /// Divides the packing of the weights into parts.
    pub(crate) fn packings<'a, E>(
        &'a self,
        weights: &'a [E],
        out: &'a mut Weights<E>,
    ) -> Vec<Packing<'a, E>> {
        const CHUNK: usize = 8_192;
        if let Sum::Tiles(sum) = self {
            let each = CHUNK / TILE;
            let parts = out.tiles.chunks_mut(each * TILE).enumerate();
            return parts
                .map(|(i, tiles)| Packing::Tiles { sum, weights, first: i * each, tiles })
                .collect();
        }
        let (pack, positions) = self.pack();
        let mut all: Vec<Vec<&mut [E]>> = vec![];
        all.resize_with(pack.len().div_ceil(CHUNK), || Vec::with_capacity(positions));
        for position in out.numbers.chunks_mut(pack.len().max(1)) {
            for (parts, out) in all.iter_mut().zip(position.chunks_mut(CHUNK)) {
                parts.push(out);
            }
        }
        let parts = pack.chunks(CHUNK).zip(all);
        parts.map(|(pack, out)| Packing::Numbers { sum: self, weights, pack, out }).collect()
    }

    /// Computes the sum for a micro-batch, `[channel][pixel][lane]`. `bias` has one number for each output channel; `None` means zero.
    pub(crate) fn run<E: Element>(
        &self,
        isa: Isa,
        (weights, bias): (&Weights<E>, Option<&[E]>),
        input: &[E],
        output: &mut [E],
        finish: Finish<E>,
        scratch: &mut Scratch<E>,
    ) {
        let Weights { numbers: weights, tiles: left } = weights;
        let winograd = match self {
            Sum::Taps(plan) => {
                return E::gather(isa, GatherRun { plan, weights, bias, input, output, finish });
            }
            Sum::Tiles(plan) => {
                let right = room(&mut scratch.right, plan.right_len());
                scratch.sums.resize(BLOCKS, [[0.0; TILE]; 4]);
                let sums = &mut scratch.sums;
                return E::tile_sum(
                    isa,
                    TileSumRun { plan, left, right, sums, bias, input, output, finish },
                );
            }
            Sum::Winograd(winograd) => winograd,
        };
        let Winograd { tiles, matrix, .. } = &**winograd;
        let spread = room(&mut scratch.tiles, tiles.numbers(matrix.terms));
        let products = room(&mut scratch.others, tiles.numbers(matrix.out_channels));
        for first in tiles.strips() {
            E::spread(isa, Spread { tiles, first, input, output: spread });
            let each = spread.chunks_exact(tiles.position(matrix.terms));
            let each = each.zip(products.chunks_exact_mut(tiles.position(matrix.out_channels)));
            for ((input, output), weights) in each.zip(weights.chunks_exact(matrix.pack.len())) {
                let input = &input[..matrix.input_len];
                let output = &mut output[..matrix.out_channels * matrix.out_plane];
                let finish = Finish::Store;
                E::gather(
                    isa,
                    GatherRun { plan: matrix, weights, bias: None, input, output, finish },
                );
            }
            E::collect(isa, Collect { tiles, first, products, bias, output, finish });
        }
    }
}

impl Products {
    pub(crate) fn new(geometry: &Geometry, precision: Precision) -> Products {
        if in_tiles(geometry, precision) {
            return Products::Tiles(Box::new(TileProducts::new(geometry)));
        }
        let winograd = WinogradDot::new(geometry).map(Box::new);
        winograd.map_or_else(|| Products::Places(geometry.dot()), Products::Winograd)
    }

    /// Adds the gradient of a micro-batch to `out`, `[small, big, kernel_h, kernel_w]`, from the activations of both images.
    fn add<E: Element>(
        &self,
        isa: Isa,
        small: &[E],
        big: &[E],
        out: &mut [E],
        scratch: &mut Scratch<E>,
    ) {
        let winograd = match self {
            Products::Places(plan) => {
                return E::dot(isa, DotRun { plan, rows: 0..plan.rows, a: small, b: big, out });
            }
            Products::Tiles(plan) => {
                let scratch = &mut scratch.products;
                return E::tile_products(isa, TileProductsRun { plan, small, big, out, scratch });
            }
            Products::Winograd(winograd) => winograd,
        };
        let WinogradDot { tiles, dot: plan } = &**winograd;
        let b = room(&mut scratch.tiles, tiles.numbers(plan.columns));
        let a = room(&mut scratch.others, tiles.numbers(plan.rows));
        let pairs = room(&mut scratch.pairs, POSITIONS * winograd.pairs());
        pairs.fill(E::default());
        for first in tiles.strips() {
            E::spread(isa, Spread { tiles, first, input: big, output: b });
            E::spread_gradient(isa, SpreadGradient { tiles, first, gradient: small, output: a });
            let each = a.chunks_exact(tiles.position(plan.rows));
            let each = each.zip(b.chunks_exact(tiles.position(plan.columns)));
            for ((a, b), out) in each.zip(pairs.chunks_exact_mut(winograd.pairs())) {
                E::dot(isa, DotRun { plan, rows: 0..plan.rows, a, b, out });
            }
        }
        winograd.add_to(pairs, out);
    }
}

impl Affine {
    /// Adds the gradients of weight and bias for a micro-batch to `shard`, or records in `record` what they will be computed from.
    /// `input` is the input, `output` the gradient of the output.
    pub(crate) fn weight_gradient<E: Element>(
        &self,
        isa: Isa,
        [input, output]: [&[E]; 2],
        (shard, record): (&mut [E], &mut [E]),
        scratch: &mut Scratch<E>,
    ) {
        match &self.gradient {
            WeightGradient::Shard { products, offset, output_is_small } => {
                let (weights, biases) = (self.weight.len(), self.bias.len());
                let shard = &mut shard[*offset..offset + weights + biases];
                let (weight, bias) = shard.split_at_mut(weights);
                let (small, big) = if *output_is_small { (output, input) } else { (input, output) };
                products.add(isa, small, big, weight, scratch);
                E::channel_sums(isa, ChannelSums { input: output, out: bias });
            }
            WeightGradient::Record { inputs, outputs, offset, .. } => {
                let record = &mut record[*offset..offset + (inputs + outputs) * LANES];
                let (x, gradient) = record.split_at_mut(inputs * LANES);
                x.copy_from_slice(input);
                gradient.copy_from_slice(output);
            }
        }
    }
}
