//! Winograd's minimal filtering F(2x2, 3x3), after Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (CVPR 2016). For a
//! 3x3 kernel with stride 1, it computes 2x2 outputs from 16 products for each pair of channels instead of 36. Tiles of 4x4 inputs and
//! the weights are transformed to a domain in which a convolution is 16 separate matrix products, which the usual kernels compute
//! ([`Gather`], [`Dot`]); sums of the results are the outputs. The transforms need only additions and multiplications by one half. All
//! steps are linear, so the gradient of the weights uses their transposes.

use crate::geometry::{Class, Dot, Gather, Geometry, Rect, Tap, pack};
use crate::number::Number;
use crate::simd::LANES;

/// Numbers in a transformed tile, each of which has its own matrix.
pub(crate) const POSITIONS: usize = 16;

/// Bytes of transformed tiles on both sides of a sum that are processed at once, so that they stay in the cache of the core between two
/// kernels.
const STRIP: usize = 512 << 10;

/// The maximum number of tiles whose products are summed at once: few enough that the tiles of a few channels stay in the first-level
/// cache, and many enough to be worth the sum over a vector at the end.
const PRODUCTS: usize = 56;

/// The minimum number of channels on either side; with fewer, the transforms cost more than they save.
const CHANNELS: usize = 16;

/// Images with at most this many pixels on a side do not use the transforms, because too much of their tiles is padding, which taps skip.
const SIDE: usize = 4;

/// The division of the input and output pixels of a sum into tiles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiles {
    /// Rows and columns of the image that is read in tiles of 4x4.
    pub(crate) input: [usize; 2],
    /// Rows and columns of the image that is written in tiles of 2x2.
    pub(crate) output: [usize; 2],
    /// Rows and columns of zeros before the input.
    pub(crate) padding: [usize; 2],
    /// Tiles processed at once; the last strip may extend beyond the image.
    pub(crate) strip: usize,
}

/// A convolution, or the input gradient of one: `out[channel][pixel] = bias[channel] + sum of weight * input`.
#[derive(Clone, Debug)]
pub(crate) struct Winograd {
    pub(crate) tiles: Tiles,
    /// The sum at each position, for the tiles of a strip; its terms are the input channels.
    pub(crate) matrix: Gather,
    /// Whether the kernel is read in reverse.
    rotated: bool,
}

/// The gradient of the weights of a convolution.
#[derive(Clone, Debug)]
pub(crate) struct WinogradDot {
    /// From the big image to the small one.
    pub(crate) tiles: Tiles,
    /// The product at each position, for the tiles of a strip.
    pub(crate) dot: Dot,
}

impl Tiles {
    fn new(input: [usize; 2], output: [usize; 2], padding: [usize; 2], most: usize) -> Tiles {
        let tiles: usize = output.iter().map(|n| n.div_ceil(2)).product();
        let strip = tiles.div_ceil(tiles.div_ceil(most));
        Tiles { input, output, padding, strip }
    }

    /// Tiles in a row.
    pub(crate) fn across(&self) -> usize {
        self.output[1].div_ceil(2)
    }

    /// All tiles.
    pub(crate) fn count(&self) -> usize {
        self.output[0].div_ceil(2) * self.across()
    }

    /// The first tile of each strip.
    pub(crate) fn strips(&self) -> impl Iterator<Item = usize> + use<> {
        (0..self.count()).step_by(self.strip)
    }

    /// Numbers from one position of a transformed strip to the next. There is a gap between two, so that the positions of a tile are not
    /// in the same set of a cache.
    pub(crate) fn position(&self, channels: usize) -> usize {
        channels * self.strip * LANES + LANES
    }

    /// Numbers of a transformed strip.
    pub(crate) fn numbers(&self, channels: usize) -> usize {
        POSITIONS * self.position(channels)
    }
}

/// Whether a convolution is faster with these transforms.
fn fits(geometry: &Geometry) -> bool {
    let Geometry { small, big, kernel, stride, padding, .. } = geometry;
    *kernel == [3, 3]
        && !geometry.is_masked()
        && *stride == [1, 1]
        && padding.iter().all(|&p| p <= 2)
        && small[0].min(big[0]) >= CHANNELS
        && small[1].min(small[2]) > SIDE
}

/// The maximum number of tiles of a sum that are processed at once.
fn strip(Geometry { small, big, .. }: &Geometry) -> usize {
    let tile = POSITIONS * LANES * size_of::<f32>();
    (STRIP / (tile * (small[0] + big[0]))).max(2)
}

fn area([_, h, w]: [usize; 3]) -> [usize; 2] {
    [h, w]
}

impl Winograd {
    /// From the big image to the small one, if that is faster.
    pub(crate) fn down(geometry: &Geometry) -> Option<Winograd> {
        let Geometry { small, big, padding, .. } = *geometry;
        fits(geometry).then(|| {
            let tiles = Tiles::new(area(big), area(small), padding, strip(geometry));
            Winograd::new(tiles, big[0], small[0], false)
        })
    }

    /// From the small image to the big one, if that is faster.
    pub(crate) fn up(geometry: &Geometry) -> Option<Winograd> {
        let Geometry { small, big, padding, .. } = *geometry;
        fits(geometry).then(|| {
            let tiles = Tiles::new(area(small), area(big), padding.map(|p| 2 - p), strip(geometry));
            Winograd::new(tiles, small[0], big[0], true)
        })
    }

    fn new(tiles: Tiles, in_channels: usize, out_channels: usize, up: bool) -> Winograd {
        let plane = tiles.strip * LANES;
        let taps = (0..in_channels).map(|c| Tap { x: (c * plane) as i32, w: c as u32 });
        let pixels = (0..tiles.strip).map(|tile| ((tile * LANES) as i32, (tile * LANES) as u32));
        // The inputs of a tile of accumulators are read from the second-level cache once for all rows, so many rows save reads.
        let rows = out_channels.min(6);
        let matrix = Gather {
            classes: vec![Class { taps: taps.collect(), pixels: pixels.collect() }],
            out_channels,
            out_plane: plane,
            rows,
            terms: in_channels,
            input_len: in_channels * plane,
            pack: pack([in_channels, out_channels], 1, rows, up),
        };
        Winograd { tiles, matrix, rotated: up }
    }

    /// Transforms some of the weights, `[.., .., 3, 3]`, to the domain of the tiles: `G w G^T`, in the order of `pack`, a part of
    /// [`Gather::pack`]. `out` has one slice for each position.
    pub(crate) fn transform<E: Number>(&self, weights: &[E], pack: &[u32], out: &mut [&mut [E]]) {
        let half = E::from_f64(0.5);
        let line = |w: [E; 3]| {
            let (ends, middle) = (w[0].plus(w[2]).times(half), w[1].times(half));
            [w[0], ends.plus(middle), ends.minus(middle), w[2]]
        };
        for (slot, &pair) in pack.iter().enumerate() {
            let mut kernel: [E; 9] = weights.as_chunks().0[pair as usize];
            if self.rotated {
                kernel.reverse();
            }
            let columns: [_; 3] =
                std::array::from_fn(|x| line([kernel[x], kernel[3 + x], kernel[6 + x]]));
            for y in 0..4 {
                for (x, value) in
                    line([columns[0][y], columns[1][y], columns[2][y]]).into_iter().enumerate()
                {
                    out[4 * y + x][slot] = value;
                }
            }
        }
    }
}

impl WinogradDot {
    /// The gradient of the weights, if that is faster.
    pub(crate) fn new(geometry: &Geometry) -> Option<WinogradDot> {
        let Geometry { small, big, padding, .. } = *geometry;
        fits(geometry).then(|| {
            let tiles = Tiles::new(area(big), area(small), padding, PRODUCTS);
            let plane = tiles.strip * LANES;
            let rect = Rect { a: [0, plane, LANES], b: [0, plane, LANES], size: [1, tiles.strip] };
            let dot = Dot {
                rows: small[0],
                a_plane: plane,
                columns: big[0],
                b_plane: plane,
                rects: vec![rect],
            };
            WinogradDot { tiles, dot }
        })
    }

    /// Number of pairs of channels at each position.
    pub(crate) fn pairs(&self) -> usize {
        self.dot.rows * self.dot.columns
    }

    /// Transforms the products of each position, `[position][pair]`, back to the weights, and adds them to `out`, `[pair][3][3]`:
    /// `G^T m G`.
    pub(crate) fn add_to<E: Number>(&self, products: &[E], out: &mut [E]) {
        const AT_ONCE: usize = 16;
        let pairs = self.pairs();
        let half = E::from_f64(0.5);
        let line = |m: [E; 4]| {
            let (sum, difference) = (m[1].plus(m[2]).times(half), m[1].minus(m[2]).times(half));
            [m[0].plus(sum), difference, sum.plus(m[3])]
        };
        let out = &mut out.as_chunks_mut::<9>().0[..pairs];
        for (chunk, out) in out.chunks_mut(AT_ONCE).enumerate() {
            let first = chunk * AT_ONCE;
            let mut sums = [[E::default(); AT_ONCE]; 9];
            let products: [&[E]; POSITIONS] =
                std::array::from_fn(|p| &products[p * pairs + first..][..out.len()]);
            for i in 0..out.len() {
                let rows: [_; 4] =
                    std::array::from_fn(|x| line(std::array::from_fn(|y| products[4 * y + x][i])));
                for y in 0..3 {
                    for (x, sum) in
                        line(std::array::from_fn(|x| rows[x][y])).into_iter().enumerate()
                    {
                        sums[3 * y + x][i] = sum;
                    }
                }
            }
            for (i, out) in out.iter_mut().enumerate() {
                for (out, sums) in out.iter_mut().zip(&sums) {
                    *out = out.plus(sums[i]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(channels: [usize; 2], size: usize) -> Geometry {
        Geometry {
            small: [channels[0], size, size],
            big: [channels[1], size, size],
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1, 1],
            places: 9,
        }
    }

    #[test]
    fn strips_are_as_long_as_each_other_and_hold_every_tile() {
        for (size, strip, strips) in [(28, 49, 4), (14, 49, 1), (7, 16, 1), (64, 54, 19)] {
            let tiles = WinogradDot::new(&geometry([16, 16], size)).unwrap().tiles;
            assert_eq!((tiles.strip, tiles.strips().count()), (strip, strips), "{size}");
            assert!(tiles.strip * strips >= tiles.count());
        }
        for (channels, strip) in [(16, 16), (64, 4), (500, 2)] {
            let tiles = Winograd::up(&geometry([channels, channels], 28)).unwrap().tiles;
            assert_eq!(tiles.strip, strip, "{channels}");
        }
    }

    #[test]
    fn few_channels_larger_steps_and_other_kernels_are_left_to_the_taps() {
        let wide = geometry([16, 16], 8);
        assert!(fits(&wide));
        assert!(!fits(&geometry([15, 64], 8)) && !fits(&geometry([64, 1], 8)));
        assert!(!fits(&Geometry { stride: [1, 2], ..wide }));
        assert!(!fits(&Geometry { kernel: [3, 1], ..wide }));
        assert!(!fits(&Geometry { padding: [1, 3], ..wide }));
        assert!(!fits(&Geometry { places: 5, ..wide }));
        assert!(!fits(&geometry([64, 64], 4)));
    }
}
