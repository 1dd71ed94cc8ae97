//! The geometry of convolutions. Every affine layer is a relation between a *small* and a *big* image: a convolution maps big to
//! small, a transposed convolution maps small to big, and a linear layer is a convolution of 1x1 images. The forward pass, the input
//! gradient and the weight gradient of all three are two table-driven sums, [`Gather`] and [`Dot`]. No geometry is a special case, and
//! padding is neither stored nor multiplied.

use std::collections::HashMap;

use crate::simd::LANES;

/// The relation between the two images of a convolution. Weights are `[small channels, big channels, places]`, with a place for each row and
/// column of the kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Geometry {
    pub(crate) small: [usize; 3],
    pub(crate) big: [usize; 3],
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) padding: [usize; 2],
    /// The number of places of the kernel that have weights, row by row: all of them, unless the convolution is masked.
    pub(crate) places: usize,
}

/// One term of the sum of a pixel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tap {
    /// Offset of the input from the base of the pixel, in numbers.
    pub(crate) x: i32,
    /// Offset of the weights of a block of output channels from its start, in output channels.
    pub(crate) w: u32,
}

/// Pixels whose sums have the same terms.
#[derive(Clone, Debug)]
pub(crate) struct Class {
    pub(crate) taps: Vec<Tap>,
    /// For each pixel, its base in the input and its offset in the output, in numbers.
    pub(crate) pixels: Vec<(i32, u32)>,
}

/// `out[channel][pixel] = bias[channel] + sum over taps of weight[channel][tap] * input[pixel + tap]`.
#[derive(Clone, Debug)]
pub(crate) struct Gather {
    pub(crate) classes: Vec<Class>,
    pub(crate) out_channels: usize,
    /// Numbers from one output channel to the next.
    pub(crate) out_plane: usize,
    /// Output channels that are computed together.
    pub(crate) rows: usize,
    /// Number of terms in a block of weights.
    pub(crate) terms: usize,
    /// Numbers in the input.
    pub(crate) input_len: usize,
    /// For each packed weight, its index in the parameter tensor: blocks of `rows` channels, then terms, then channels.
    pub(crate) pack: Vec<u32>,
}

/// A rectangle of pixels of the small image, and the pixels of the big image that one position of the kernel connects to them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rect {
    /// First pixel in the small image, and steps to the next row and column; in numbers.
    pub(crate) a: [usize; 3],
    /// The same for the big image.
    pub(crate) b: [usize; 3],
    /// Rows and columns; zero if the position meets no pixel.
    pub(crate) size: [usize; 2],
}

/// `out[row][column][place] = sum over pixels and samples of a[row][pixel] * b[column][pixel + place]`.
#[derive(Clone, Debug)]
pub(crate) struct Dot {
    pub(crate) rows: usize,
    /// Numbers from one channel of `a` to the next.
    pub(crate) a_plane: usize,
    pub(crate) columns: usize,
    pub(crate) b_plane: usize,
    /// One for each position of the kernel.
    pub(crate) rects: Vec<Rect>,
}

/// The input pixels of each pooling window, and the windows of each input pixel.
#[derive(Clone, Debug)]
pub(crate) struct Windows {
    /// Channels of both images.
    pub(crate) channels: usize,
    /// Positions of a window, including those outside of the image.
    pub(crate) places: usize,
    /// For each output pixel, the input pixels in its window.
    pub(crate) inputs: Vec<Vec<Member>>,
    /// For each input pixel, the windows that contain it.
    pub(crate) outputs: Vec<Vec<Member>>,
}

/// A pixel of the other image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    pub(crate) pixel: u32,
    /// The position in the window that connects the two.
    pub(crate) place: u32,
}

/// The order of [`Gather::pack`] for weights `[out, in, place]`, or `[in, out, place]` if `transposed`.
pub(crate) fn pack(
    [in_channels, out_channels]: [usize; 2],
    places: usize,
    rows: usize,
    transposed: bool,
) -> Vec<u32> {
    let mut pack = Vec::with_capacity(out_channels * in_channels * places);
    for first in (0..out_channels).step_by(rows) {
        for c in 0..in_channels {
            for place in 0..places {
                for o in first..(first + rows).min(out_channels) {
                    let pair = if transposed { c * out_channels + o } else { o * in_channels + c };
                    pack.push((pair * places + place) as u32);
                }
            }
        }
    }
    pack
}

impl Geometry {
    /// Pooling, channel by channel, from the big image to the small one.
    pub(crate) fn windows(&self) -> Windows {
        let [channels, height, width] = self.small;
        let mut inputs = vec![vec![]; height * width];
        let mut outputs = vec![vec![]; self.big[1] * self.big[2]];
        for out in 0..height * width {
            for place in 0..self.places {
                let (ky, kx) = (place / self.kernel[1], place % self.kernel[1]);
                let met = (self.big_row(0, out / width, ky), self.big_row(1, out % width, kx));
                if let (Some(y), Some(x)) = met {
                    let pixel = y * self.big[2] + x;
                    inputs[out].push(Member { pixel: pixel as u32, place: place as u32 });
                    outputs[pixel].push(Member { pixel: out as u32, place: place as u32 });
                }
            }
        }
        Windows { channels, places: self.places, inputs, outputs }
    }

    pub(crate) fn linear(inputs: usize, outputs: usize) -> Self {
        Geometry {
            small: [outputs, 1, 1],
            big: [inputs, 1, 1],
            kernel: [1, 1],
            stride: [1, 1],
            padding: [0, 0],
            places: 1,
        }
    }

    /// Whether some places of the kernel have no weights.
    pub(crate) fn is_masked(&self) -> bool {
        self.places < self.kernel[0] * self.kernel[1]
    }

    /// The places of the kernel that have weights: their rows and columns.
    fn steps(&self) -> impl Iterator<Item = (usize, usize)> {
        let width = self.kernel[1];
        (0..self.places).map(move |place| (place / width, place % width))
    }

    /// Along one axis: the row of the big image that position `k` of the kernel connects to row `small`, if there is one.
    fn big_row(&self, axis: usize, small: usize, k: usize) -> Option<usize> {
        let row = (small * self.stride[axis] + k).checked_sub(self.padding[axis])?;
        (row < self.big[axis + 1]).then_some(row)
    }

    /// Along one axis: the row of the small image that position `k` of the kernel connects to row `big`, if there is one.
    fn small_row(&self, axis: usize, big: usize, k: usize) -> Option<usize> {
        let reach = (big + self.padding[axis]).checked_sub(k)?;
        let row = reach / self.stride[axis];
        (reach.is_multiple_of(self.stride[axis]) && row < self.small[axis + 1]).then_some(row)
    }

    /// From the big image to the small one.
    pub(crate) fn down(&self) -> Gather {
        let base = |axis: usize, row: usize| {
            row as i64 * self.stride[axis] as i64 - self.padding[axis] as i64
        };
        self.gather(self.small, self.big, base, |axis, row, k| self.big_row(axis, row, k), false)
    }

    /// From the small image to the big one.
    pub(crate) fn up(&self) -> Gather {
        let base =
            |axis: usize, row: usize| ((row + self.padding[axis]) / self.stride[axis]) as i64;
        self.gather(self.big, self.small, base, |axis, row, k| self.small_row(axis, row, k), true)
    }

    fn gather(
        &self,
        out: [usize; 3],
        input: [usize; 3],
        base: impl Fn(usize, usize) -> i64,
        meets: impl Fn(usize, usize, usize) -> Option<usize>,
        transposed: bool,
    ) -> Gather {
        let places = self.places;
        let [in_channels, in_h, in_w] = input;
        let in_plane = in_h * in_w;
        let mut classes: Vec<Class> = vec![];
        let mut known: HashMap<Vec<(usize, i64)>, usize> = HashMap::new();
        for y in 0..out[1] {
            for x in 0..out[2] {
                let origin = base(0, y) * in_w as i64 + base(1, x);
                let mut met = vec![];
                for (place, (ky, kx)) in self.steps().enumerate() {
                    if let (Some(iy), Some(ix)) = (meets(0, y, ky), meets(1, x, kx)) {
                        met.push((place, (iy * in_w + ix) as i64 - origin));
                    }
                }
                let class = *known.entry(met).or_insert_with_key(|met| {
                    let taps = (0..in_channels).flat_map(|c| {
                        met.iter().map(move |&(place, offset)| Tap {
                            x: ((c * in_plane) as i64 + offset) as i32 * LANES as i32,
                            w: (c * places + place) as u32,
                        })
                    });
                    classes.push(Class { taps: taps.collect(), pixels: vec![] });
                    classes.len() - 1
                });
                let place = (y * out[2] + x) * LANES;
                classes[class].pixels.push((origin as i32 * LANES as i32, place as u32));
            }
        }
        let (out_channels, out_plane) = (out[0], out[1] * out[2] * LANES);
        // A tile has 2 rows and 6 vectors of pixels; an image of one pixel has few vectors, so its tile has 6 rows and 2 vectors.
        let rows = if out[1] * out[2] == 1 { 6 } else { 2 }.min(out_channels);
        let terms = in_channels * places;
        let pack = pack([in_channels, out_channels], places, rows, transposed);
        let input_len = in_channels * in_plane * LANES;
        Gather { classes, out_channels, out_plane, rows, terms, input_len, pack }
    }

    /// The gradient of the weights, from the small image (`a`) and the big image (`b`).
    pub(crate) fn dot(&self) -> Dot {
        let mut rects = vec![];
        let (small_w, big_w) = (self.small[2], self.big[2]);
        let span = |axis: usize, k: usize| {
            let rows = 0..self.small[axis + 1];
            let mut met = rows.filter_map(|s| self.big_row(axis, s, k).map(|b| (s, b)));
            met.next().map_or((0, 0, 0), |(s, b)| (s, b, 1 + met.count()))
        };
        for (ky, kx) in self.steps() {
            let ((sy, by, h), (sx, bx, w)) = (span(0, ky), span(1, kx));
            rects.push(Rect {
                a: [(sy * small_w + sx) * LANES, small_w * LANES, LANES],
                b: [
                    (by * big_w + bx) * LANES,
                    self.stride[0] * big_w * LANES,
                    self.stride[1] * LANES,
                ],
                size: [h, w],
            });
        }
        Dot {
            rows: self.small[0],
            a_plane: self.small[1] * small_w * LANES,
            columns: self.big[0],
            b_plane: self.big[1] * big_w * LANES,
            rects,
        }
    }

    /// Multiply-adds for one sample, without padding.
    pub(crate) fn multiply_adds(&self) -> u64 {
        let met = |axis: usize, k: usize| {
            (0..self.small[axis + 1]).filter(|&s| self.big_row(axis, s, k).is_some()).count() as u64
        };
        let each = self.steps().map(|(ky, kx)| met(0, ky) * met(1, kx));
        each.sum::<u64>() * (self.small[0] * self.big[0]) as u64
    }
}
