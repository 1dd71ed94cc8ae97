//! The order of axes of an array of images.

use crate::note::AxisOrder;
use crate::npz::ArrayInfo;
use crate::picture::MAX_CHANNELS;

/// The order of axes of an array of images.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// The number of images.
    pub(crate) n: usize,
    pub(crate) channels: usize,
    /// Height and width.
    pub(crate) size: [usize; 2],
    /// The distance, in items, from one channel, row and column to the next.
    steps: [usize; 3],
    pub(crate) axes: AxisOrder,
}

impl Layout {
    /// Of an array; rows of numbers are images of shape `[h, w]` or `[c, h, w]`, or square ones.
    pub(crate) fn of(array: &ArrayInfo, row: Option<&[usize]>) -> Result<Self, String> {
        let unclear = |why: &str| Err(format!("array {array} is not an array of images: {why}"));
        let usual = |c: usize| matches!(c, 1 | 3 | 4);
        let few = |c: usize| (1..=MAX_CHANNELS).contains(&c);
        let last = |n, h: usize, w: usize, c: usize| Self {
            n,
            channels: c,
            size: [h, w],
            steps: [1, w * c, c],
            axes: AxisOrder::ChannelsLast,
        };
        let first = |n, c: usize, h: usize, w: usize| Self {
            n,
            channels: c,
            size: [h, w],
            steps: [h * w, w, 1],
            axes: AxisOrder::ChannelsFirst,
        };
        let layout = match array.shape[..] {
            [n, h, w] => {
                Self { n, channels: 1, size: [h, w], steps: [0, w, 1], axes: AxisOrder::Grey }
            }
            [n, a, b, c] if usual(c) && (!usual(a) || b != c) => last(n, a, b, c),
            [n, c, h, w] if usual(c) => first(n, c, h, w),
            [n, a, b, c] => match (few(a), few(c)) {
                (true, false) => first(n, a, b, c),
                (false, true) => last(n, a, b, c),
                (true, true) => return unclear("its second and its last axis could be channels"),
                (false, false) => {
                    return unclear("neither its second nor its last axis has 1 to 16 channels");
                }
            },
            [n, numbers] => {
                let Some([channels, h, w]) = row_shape(numbers, row) else {
                    return unclear(&match row {
                        Some(row) => format!("its rows of {numbers} numbers are not {row:?}"),
                        None => {
                            "its rows are not square images, grey or coloured; name their shape"
                                .to_owned()
                        }
                    });
                };
                let steps = [h * w, w, 1];
                Self { n, channels, size: [h, w], steps, axes: AxisOrder::Flat }
            }
            _ => return unclear("it has another number of axes than 2, 3 or 4"),
        };
        if layout.n == 0 || layout.size.contains(&0) {
            return unclear("it is empty");
        }
        Ok(layout)
    }

    /// The shape of one image, `[c, h, w]`.
    pub(crate) fn image(&self) -> [usize; 3] {
        [self.channels, self.size[0], self.size[1]]
    }

    /// The place of a value, in items.
    pub(crate) fn item(&self, i: usize, c: usize, y: usize, x: usize) -> usize {
        let [channel, row, column] = self.steps;
        let [h, w] = self.size;
        i * self.channels * h * w + c * channel + y * row + x * column
    }

    /// Whether the values are in the order `[n, c, h, w]`.
    pub(crate) fn is_ours(&self) -> bool {
        let [h, w] = self.size;
        self.steps[1..] == [w, 1] && (self.channels == 1 || self.steps[0] == h * w)
    }

    /// The same images with rows and columns exchanged.
    pub(crate) fn transposed(self) -> Self {
        let ([h, w], [channel, row, column]) = (self.size, self.steps);
        Self { size: [w, h], steps: [channel, column, row], ..self }
    }
}

/// The shape `[c, h, w]` of rows of so many numbers.
fn row_shape(numbers: usize, row: Option<&[usize]>) -> Option<[usize; 3]> {
    if let Some(row) = row {
        let shape = match *row {
            [h, w] => [1, h, w],
            [c, h, w] => [c, h, w],
            _ => return None,
        };
        return Some(shape).filter(|shape| shape.iter().product::<usize>() == numbers);
    }
    let square = |numbers: usize| Some(numbers.isqrt()).filter(|s| s * s == numbers);
    if let Some(side) = square(numbers) {
        return Some([1, side, side]);
    }
    let side = square(numbers / 3).filter(|_| numbers.is_multiple_of(3))?;
    Some([3, side, side])
}
