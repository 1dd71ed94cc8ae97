//! The transforms before and after the products of [`crate::winograd`]: additions of vectors of samples, in one fixed order.

#![allow(unsafe_code)]

use super::gather::Finish;
use crate::number::Number;
use crate::simd::{Kernel, LANES, Simd};
use crate::winograd::{POSITIONS, Tiles};

/// Transforms tiles of 4x4 inputs to the domain of the products: `B^T d B`.
pub(crate) struct Spread<'a, E> {
    pub(crate) tiles: &'a Tiles,
    /// The first tile of the strip.
    pub(crate) first: usize,
    /// `[channel][pixel][lane]`.
    pub(crate) input: &'a [E],
    /// `[position][channel][tile][lane]`; zeros for tiles beyond the image.
    pub(crate) output: &'a mut [E],
}

/// Transforms tiles of 2x2 gradients of outputs to the domain of the products: `A y A^T`.
pub(crate) struct SpreadGradient<'a, E> {
    pub(crate) tiles: &'a Tiles,
    /// The first tile of the strip.
    pub(crate) first: usize,
    /// `[channel][pixel][lane]`.
    pub(crate) gradient: &'a [E],
    /// `[position][channel][tile][lane]`; zeros for tiles beyond the image.
    pub(crate) output: &'a mut [E],
}

/// Transforms products to tiles of 2x2 outputs: `A^T m A`.
pub(crate) struct Collect<'a, E> {
    pub(crate) tiles: &'a Tiles,
    /// The first tile of the strip.
    pub(crate) first: usize,
    /// `[position][channel][tile][lane]`.
    pub(crate) products: &'a [E],
    /// One for each channel; `None` means zero.
    pub(crate) bias: Option<&'a [E]>,
    /// `[channel][pixel][lane]`.
    pub(crate) output: &'a mut [E],
    pub(crate) finish: Finish<E>,
}

/// Reads a tile of `N` by `N` pixels whose first is at row `y` and column `x` of the padded image; zeros outside of the image.
///
/// # Safety
/// All pixels of the image, with their lanes, can be read from `plane`.
#[inline(always)]
unsafe fn read<S: Simd, const N: usize>(
    s: S,
    plane: *const S::E,
    [height, width]: [usize; 2],
    [y, x]: [usize; 2],
    padding: [usize; 2],
) -> [[S::V; N]; N] {
    let mut tile = [[s.splat(S::E::default()); N]; N];
    let inside = |at: usize, padding: usize, size: usize| at >= padding && at + N <= size + padding;
    let whole = inside(y, padding[0], height) && inside(x, padding[1], width);
    for i in 0..N {
        for j in 0..N {
            let (y, x) = ((y + i).wrapping_sub(padding[0]), (x + j).wrapping_sub(padding[1]));
            if whole || (y < height && x < width) {
                // SAFETY: the pixel is inside of the image.
                tile[i][j] = unsafe { s.load(plane.add((y * width + x) * LANES)) };
            }
        }
    }
    tile
}

/// Writes the numbers of a transformed tile, `step` apart.
///
/// # Safety
/// `out` and the fifteen positions after it are vectors that can be written.
#[inline(always)]
unsafe fn write<S: Simd>(s: S, tile: [[S::V; 4]; 4], out: *mut S::E, step: usize) {
    for y in 0..4 {
        for x in 0..4 {
            // SAFETY: the caller's promise.
            unsafe { s.store(out.add((4 * y + x) * step), tile[y][x]) };
        }
    }
}

/// `m x m^T` for the matrix `m` by which `line` multiplies: first the columns of `x`, then the rows of the result.
#[inline(always)]
fn both_ways<V: Copy, const N: usize, const M: usize>(
    x: [[V; N]; N],
    zero: V,
    line: impl Fn([V; N]) -> [V; M],
) -> [[V; M]; M] {
    let mut half = [[zero; N]; M];
    for j in 0..N {
        let mut column = [zero; N];
        for i in 0..N {
            column[i] = x[i][j];
        }
        let column = line(column);
        for i in 0..M {
            half[i][j] = column[i];
        }
    }
    let mut whole = [[zero; M]; M];
    for i in 0..M {
        whole[i] = line(half[i]);
    }
    whole
}

/// A strip of tiles, one after the other.
struct Walk<'a> {
    tiles: &'a Tiles,
    first: usize,
    across: usize,
    count: usize,
}

impl<'a> Walk<'a> {
    fn new(tiles: &'a Tiles, first: usize) -> Self {
        Walk { tiles, first, across: tiles.across(), count: tiles.count() }
    }

    /// Row and column of the first pixel that tile `i` of the strip writes; `None` if it lies beyond the image.
    #[inline(always)]
    fn place(&self, i: usize) -> Option<[usize; 2]> {
        let tile = self.first + i;
        if tile < self.count {
            Some([2 * (tile / self.across), 2 * (tile % self.across)])
        } else {
            None
        }
    }

    /// Offset of the tile of a channel at the first position.
    #[inline(always)]
    fn at(&self, channel: usize, i: usize) -> usize {
        (channel * self.tiles.strip + i) * LANES
    }
}

/// Transforms the tiles of a strip, of `N` by `N` pixels, to the domain of the products, with the matrix by which `line` multiplies.
#[inline(always)]
fn spread<S: Simd, const N: usize>(
    s: S,
    walk: &Walk<'_>,
    (size, padding): ([usize; 2], [usize; 2]),
    input: &[S::E],
    output: &mut [S::E],
    line: impl Fn([S::V; N]) -> [S::V; 4],
) {
    let plane = size[0] * size[1] * LANES;
    let channels = input.len() / plane;
    assert_eq!(input.len(), channels * plane);
    assert_eq!(output.len(), walk.tiles.numbers(channels));
    let step = output.len() / POSITIONS;
    let zero = s.splat(S::E::default());
    let (input, output) = (input.as_ptr(), output.as_mut_ptr());
    for channel in 0..channels {
        for i in 0..walk.tiles.strip {
            for lane in (0..LANES).step_by(S::WIDTH) {
                // SAFETY: there are `channels` planes of the image's pixels in the input, and POSITIONS times `step` numbers in
                // the output, of which those of the tile at the first position are among the first `step`.
                unsafe {
                    let mut tile = [[zero; 4]; 4];
                    if let Some(place) = walk.place(i) {
                        let plane = input.add(channel * plane + lane);
                        let pixels = read::<S, N>(s, plane, size, place, padding);
                        tile = both_ways(pixels, zero, &line);
                    }
                    write(s, tile, output.add(walk.at(channel, i) + lane), step);
                }
            }
        }
    }
}

impl<E: Number> Kernel<E> for Spread<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, s: S) {
        let walk = Walk::new(self.tiles, self.first);
        let image = (self.tiles.input, self.tiles.padding);
        spread(
            s,
            &walk,
            image,
            self.input,
            self.output,
            #[inline(always)]
            |d: [S::V; 4]| {
                [s.sub(d[0], d[2]), s.add(d[1], d[2]), s.sub(d[2], d[1]), s.sub(d[1], d[3])]
            },
        );
    }
}

impl<E: Number> Kernel<E> for SpreadGradient<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, s: S) {
        let walk = Walk::new(self.tiles, self.first);
        let zero = s.splat(E::default());
        spread(
            s,
            &walk,
            (self.tiles.output, [0, 0]),
            self.gradient,
            self.output,
            #[inline(always)]
            |y: [S::V; 2]| [y[0], s.add(y[0], y[1]), s.sub(y[0], y[1]), s.sub(zero, y[1])],
        );
    }
}

impl<E: Number> Kernel<E> for Collect<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, s: S) {
        let [height, width] = self.tiles.output;
        let plane = height * width * LANES;
        let channels = self.output.len() / plane;
        assert_eq!(self.output.len(), channels * plane);
        assert_eq!(self.products.len(), self.tiles.numbers(channels));
        assert!(self.bias.is_none_or(|b| b.len() == channels));
        let step = self.products.len() / POSITIONS;
        let zero = s.splat(E::default());
        let (products, output) = (self.products.as_ptr(), self.output.as_mut_ptr());
        let walk = Walk::new(self.tiles, self.first);
        for channel in 0..channels {
            let bias = s.splat(self.bias.map_or(E::default(), |b| b[channel]));
            for i in 0..self.tiles.strip {
                let Some([y, x]) = walk.place(i) else { break };
                for lane in (0..LANES).step_by(S::WIDTH) {
                    // SAFETY: there are POSITIONS times `step` products, of which those of the tile at the first position are among
                    // the first `step`, and `channels` planes of the image's pixels in the output.
                    unsafe {
                        let from = products.add(walk.at(channel, i) + lane);
                        let mut tile = [[zero; 4]; 4];
                        for position in 0..POSITIONS {
                            tile[position / 4][position % 4] = s.load(from.add(position * step));
                        }
                        let tile = both_ways(
                            tile,
                            zero,
                            #[inline(always)]
                            |m: [S::V; 4]| {
                                [s.add(s.add(m[0], m[1]), m[2]), s.sub(s.sub(m[1], m[2]), m[3])]
                            },
                        );
                        let plane = output.add(channel * plane + lane);
                        for i in 0..2 {
                            for j in 0..2 {
                                if y + i < height && x + j < width {
                                    let at = plane.add(((y + i) * width + x + j) * LANES);
                                    let sum = s.add(tile[i][j], bias);
                                    s.store(at, self.finish.of(s, sum, || s.load(at)));
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
