//! Aligned buffers of numbers.

use std::ops::{Deref, DerefMut};

/// Bytes of a cache line; a vector that crosses two lines costs two accesses.
const LINE: usize = 64;

/// A fixed count of numbers, aligned to a cache line.
#[derive(Debug)]
pub(crate) struct Buffer<E> {
    numbers: Vec<E>,
    start: usize,
}

impl<E: Copy + Default> Buffer<E> {
    pub(crate) fn zeros(len: usize) -> Self {
        let spare = LINE / size_of::<E>();
        let mut numbers = vec![E::default(); len + spare];
        let start = numbers.as_ptr().align_offset(LINE).min(spare);
        numbers.truncate(start + len);
        Buffer { numbers, start }
    }
}

impl<E> Default for Buffer<E> {
    fn default() -> Self {
        Buffer { numbers: vec![], start: 0 }
    }
}

impl<E> Deref for Buffer<E> {
    type Target = [E];

    fn deref(&self) -> &[E] {
        &self.numbers[self.start..]
    }
}

impl<E> DerefMut for Buffer<E> {
    fn deref_mut(&mut self) -> &mut [E] {
        &mut self.numbers[self.start..]
    }
}

/// The first `n` numbers of a buffer, which grows if it is shorter.
pub(crate) fn room<E: Copy + Default>(numbers: &mut Buffer<E>, n: usize) -> &mut [E] {
    if numbers.len() < n {
        *numbers = Buffer::zeros(n);
    }
    &mut numbers[..n]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_and_have_the_requested_length() {
        for len in [0, 1, 16, 1_000, 100_000] {
            let mut buffer = Buffer::<f32>::zeros(len);
            assert_eq!((buffer.len(), buffer.as_ptr() as usize % LINE), (len, 0));
            buffer.fill(1.0);
            let buffer = Buffer::<f64>::zeros(len);
            assert_eq!((buffer.len(), buffer.as_ptr() as usize % LINE), (len, 0));
        }
    }
}
