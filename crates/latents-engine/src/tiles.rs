//! Convolutions and linear layers in bfloat16: their sums as steps over pairs of tiles ([`crate::bfloat16`]), and the order of their numbers in tiles.
//!
//! For an output or an input gradient, a left tile is weights (up to 16 output channels by up to 32 input channels at one position of the kernel), and a right tile is one input pixel (as many channels by the samples of a
//! micro-batch). For a weight gradient, a left tile is two pixels of the small image (up to 16 channels by the samples of both), and a right one is two pixels of the big image.

use crate::bfloat16::{HALF, PAIRS, Pair, SIDE, Step, TILE, TileShape, pair};
use crate::geometry::{Gather, Geometry};
use crate::number::Number;
use crate::simd::LANES;

/// Pairs of a pixel of the big image in the tiles of a weight gradient: 16 channels by the samples of a micro-batch.
pub(crate) const PIXEL: usize = HALF * SIDE;

/// Bytes of the tiles of both images that are multiplied before the next rows of pixels, so that they stay in the cache of the core.
const STRIP: usize = 512 << 10;

/// The minimum product of the channels on both sides; the tiles of smaller layers would be nearly empty.
const CHANNELS: usize = 128;

/// Whether the sums and products of a layer are computed in tiles. It depends on shapes alone.
pub(crate) fn fits(geometry: &Geometry) -> bool {
    let Geometry { small, big, .. } = geometry;
    // Offsets of steps have 31 bits.
    let bytes = |[c, h, w]: [usize; 3]| (c + 2 * PAIRS) * h * w * LANES * size_of::<Pair>();
    let short = |image| i32::try_from(bytes(image)).is_ok();
    !geometry.is_masked()
        && small[0] * big[0] >= CHANNELS
        && small[0].min(big[0]) > 1
        && short(*small)
        && short(*big)
}

/// The largest of the even parts into which `n` is divided so that each is at most `most`.
fn even(n: usize, most: usize) -> usize {
    n.div_ceil(n.div_ceil(most))
}

/// The same relation of pixels between images of one channel.
fn of_one_channel(geometry: &Geometry) -> Geometry {
    let mut one = *geometry;
    (one.small[0], one.big[0]) = (1, 1);
    one
}

/// Pixels whose sums have the same steps.
#[derive(Clone, Debug)]
pub(crate) struct TileClass {
    pub(crate) steps: Vec<Step>,
    /// For each pixel, its base in the right tiles in bytes, and its offset in the output in numbers.
    pub(crate) pixels: Vec<(i32, u32)>,
}

/// The sum of a forward pass or an input gradient.
#[derive(Clone, Debug)]
pub(crate) struct TileSum {
    pub(crate) classes: Vec<TileClass>,
    pub(crate) in_channels: usize,
    pub(crate) out_channels: usize,
    /// Numbers of a channel of the input.
    pub(crate) in_plane: usize,
    /// Numbers of a channel of the output.
    pub(crate) out_plane: usize,
    /// Rows of a tile are output channels, pairs are of input channels.
    pub(crate) shape: TileShape,
    places: usize,
    /// Whether weights are `[in, out, ..]`.
    transposed: bool,
}

impl TileSum {
    /// From the big image to the small one.
    pub(crate) fn down(geometry: &Geometry) -> TileSum {
        TileSum::new(geometry.big, geometry.small[0], &of_one_channel(geometry).down(), false)
    }

    /// From the small image to the big one.
    pub(crate) fn up(geometry: &Geometry) -> TileSum {
        TileSum::new(geometry.small, geometry.big[0], &of_one_channel(geometry).up(), true)
    }

    /// `gather` is the sum of one channel.
    fn new(
        [in_channels, h, w]: [usize; 3],
        out_channels: usize,
        gather: &Gather,
        transposed: bool,
    ) -> TileSum {
        let tile = size_of::<[Pair; TILE]>();
        let pairs = in_channels.div_ceil(2);
        let shape = TileShape { rows: even(out_channels, SIDE), pairs: even(pairs, PAIRS) };
        let pixel = shape.pairs * LANES * size_of::<Pair>();
        let (places, groups) = (gather.terms, pairs.div_ceil(shape.pairs));
        let classes = gather.classes.iter().map(|class| {
            let steps = (0..groups).flat_map(|group| {
                class.taps.iter().map(move |tap| Step {
                    left: ((group * places + tap.w as usize) * tile) as i32,
                    right: (group * h * w * pixel) as i32 + tap.x / LANES as i32 * pixel as i32,
                })
            });
            let pixels = class.pixels.iter();
            let pixels = pixels.map(|&(base, out)| (base / LANES as i32 * pixel as i32, out));
            TileClass { steps: steps.collect(), pixels: pixels.collect() }
        });
        TileSum {
            classes: classes.collect(),
            in_channels,
            out_channels,
            in_plane: h * w * LANES,
            out_plane: gather.out_plane,
            shape,
            places,
            transposed,
        }
    }

    /// Input channels in a right tile.
    pub(crate) fn group(&self) -> usize {
        2 * self.shape.pairs
    }

    fn groups(&self) -> usize {
        self.in_channels.div_ceil(self.group())
    }

    /// Left tiles for the output channels of a tile.
    pub(crate) fn row(&self) -> usize {
        self.groups() * self.places
    }

    /// Number of left tiles.
    pub(crate) fn left(&self) -> usize {
        self.out_channels.div_ceil(self.shape.rows) * self.row()
    }

    /// Pairs in all right tiles.
    pub(crate) fn right_len(&self) -> usize {
        self.groups() * self.in_plane * self.shape.pairs
    }

    /// Rounds some of the weights to left tiles, which begin with tile `first`.
    #[inline(always)]
    pub(crate) fn pack<E: Number>(&self, weights: &[E], first: usize, tiles: &mut [Pair]) {
        // From one channel to the next.
        let [out_step, in_step] =
            if self.transposed { [1, self.out_channels] } else { [self.in_channels, 1] };
        let [out_step, in_step] = [out_step * self.places, in_step * self.places];
        let mut numbers = [[0.0; 2 * PAIRS]; SIDE];
        for (tile, out) in (first..).zip(tiles.as_chunks_mut::<TILE>().0) {
            let (row, of_row) = (tile / self.row(), tile % self.row());
            let (group, place) = (of_row / self.places, of_row % self.places);
            let (first_row, first) = (row * self.shape.rows, group * self.group());
            let rows = (self.out_channels - first_row).min(self.shape.rows);
            let columns = (self.in_channels - first).min(self.group());
            if [rows, columns] != [SIDE, 2 * PAIRS] {
                numbers.as_flattened_mut().fill(0.0);
            }
            let weights = &weights[first_row * out_step + first * in_step + place..];
            // The nearest weights in turn, because lines of the cache that are far from each other displace each other.
            if out_step < in_step {
                for c in 0..columns {
                    for (o, numbers) in numbers[..rows].iter_mut().enumerate() {
                        numbers[c] = weights[c * in_step + o * out_step].to_f32();
                    }
                }
            } else {
                for (o, numbers) in numbers[..rows].iter_mut().enumerate() {
                    for (c, number) in numbers[..columns].iter_mut().enumerate() {
                        *number = weights[o * out_step + c * in_step].to_f32();
                    }
                }
            }
            let pairs = numbers.as_flattened().as_chunks().0;
            for (out, &[first, second]) in out.iter_mut().zip(pairs) {
                *out = pair(first, second);
            }
        }
    }
}

/// The pixels of an image in memory; all in numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) channels: usize,
    /// Place of the first pixel.
    pub(crate) first: usize,
    /// From one channel to the next.
    pub(crate) plane: usize,
    /// From one row and column to the next.
    pub(crate) steps: [usize; 2],
    /// Rows and columns.
    pub(crate) size: [usize; 2],
}

/// A weight gradient.
#[derive(Clone, Debug)]
pub(crate) struct TileProducts {
    pub(crate) small: View,
    pub(crate) big: View,
    kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) padding: [usize; 2],
    /// Rows of a tile are channels of the small image.
    pub(crate) shape: TileShape,
    /// Rows of the small image that are multiplied at once.
    pub(crate) strip: usize,
    /// One for each two pixels of the rows of a strip.
    pub(crate) steps: Vec<Step>,
}

impl TileProducts {
    pub(crate) fn new(geometry: &Geometry) -> TileProducts {
        let view = |[channels, h, w]: [usize; 3]| {
            let (plane, steps) = (h * w * LANES, [w * LANES, LANES]);
            View { channels, first: 0, plane, steps, size: [h, w] }
        };
        let Geometry { small, big, kernel, stride, padding, .. } = *geometry;
        TileProducts::of(view(small), view(big), kernel, stride, padding)
    }

    pub(crate) fn of(
        small: View,
        big: View,
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> TileProducts {
        let shape = TileShape { rows: even(small.channels, SIDE), pairs: PAIRS };
        let mut all =
            TileProducts { small, big, kernel, stride, padding, shape, strip: 1, steps: vec![] };
        let pair = size_of::<Pair>();
        let row = all.across() * TILE * all.rows() + stride[0] * all.line() * all.columns();
        all.strip = (STRIP / (pair * row).max(1)).clamp(1, small.size[0].max(1));
        for y in 0..all.strip {
            for x in 0..all.across() {
                let left = (y * all.across() + x) * TILE * pair;
                let right = (y * stride[0] * all.line() + 2 * x * PIXEL) * pair;
                all.steps.push(Step { left: left as i32, right: right as i32 });
            }
        }
        all
    }

    /// Left tiles for the channels of the small image.
    pub(crate) fn rows(&self) -> usize {
        self.small.channels.div_ceil(self.shape.rows)
    }

    /// Right tiles for the channels of the big image.
    pub(crate) fn columns(&self) -> usize {
        self.big.channels.div_ceil(SIDE)
    }

    /// Pairs of pixels in a row of the small image.
    pub(crate) fn across(&self) -> usize {
        self.small.size[1].div_ceil(2)
    }

    /// Positions of the kernel.
    pub(crate) fn places(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Pixels of a row of the big image, with its padding, that have the same place in a step of the kernel. Those of one place are adjacent in memory.
    pub(crate) fn phase(&self) -> usize {
        2 * self.across() + (self.kernel[1] - 1) / self.stride[1]
    }

    /// Pairs of a row of the big image, with its padding, for 16 channels.
    pub(crate) fn line(&self) -> usize {
        self.stride[1] * self.phase() * PIXEL
    }

    /// Rows of the big image, with its padding, for `rows` rows of the small one.
    pub(crate) fn lines(&self, rows: usize) -> usize {
        (rows - 1) * self.stride[0] + self.kernel[0]
    }

    /// Offset of column `x` of the padded big image from the start of its row, in pairs.
    pub(crate) fn column(&self, x: usize) -> usize {
        (x % self.stride[1] * self.phase() + x / self.stride[1]) * PIXEL
    }

    /// Offset of the right tiles of a kernel position, in pairs.
    pub(crate) fn place(&self, place: usize) -> usize {
        let (y, x) = (place / self.kernel[1], place % self.kernel[1]);
        y * self.line() + self.column(x)
    }
}
