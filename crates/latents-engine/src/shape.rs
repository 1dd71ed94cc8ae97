//! The shape of an activation, and the limit on its size.

/// Channels, height and width.
pub type Shape = [usize; 3];

/// The maximum size of one activation or one parameter, in numbers; offsets into them fit 32 bits with room to spare.
pub(crate) const MAX_NUMBERS: usize = 1 << 26;

/// Whether a tensor is neither empty nor larger than [`MAX_NUMBERS`].
pub(crate) fn fits(shape: &[usize]) -> bool {
    let numbers = shape.iter().try_fold(1usize, |a, &b| a.checked_mul(b));
    numbers.is_some_and(|n| n > 0 && n <= MAX_NUMBERS)
}
