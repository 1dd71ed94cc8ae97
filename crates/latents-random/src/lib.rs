//! Counter-based random numbers. A seed, a [`Purpose`] and two counters, such as an epoch and a sample, identify a stream of numbers,
//! independently of how many numbers were drawn before. So a resumed run needs no generator state, and the order of work does not change
//! results. The generator is ChaCha with 8 rounds (D. J. Bernstein, 2008).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The purpose of a stream of numbers. Streams of different purposes are different, even if their counters are equal.
///
/// The discriminants determine every seeded result: never renumber them, only append new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Purpose {
    /// Initial weights; counters: parameter, 0.
    Init = 1,
    /// Split into training and validation samples; counters: 0, 0.
    Split = 2,
    /// Order of the samples in an epoch; counters: epoch, 0.
    Shuffle = 3,
    /// Dropout masks; counters: layer and epoch, sample.
    Dropout = 4,
    /// Class-balanced subset of a data set; counters: class, 0.
    Subset = 5,
    /// Synthetic data for tests and benchmarks; counters: any.
    Synthetic = 6,
    /// Values of a trial's parameters; counters: trial, hash of the name of a parameter or parameter group.
    Trial = 7,
    /// Bootstrap samples of a test set; counters: replicate, 0.
    Bootstrap = 8,
    /// Augmentation of training images; counters: epoch, sample.
    Augment = 9,
    /// Choice of the few samples that keep their labels; counters: number of samples, number of the draw.
    FewLabels = 10,
    /// Noise on a network's inputs during training; counters: layer and epoch, sample.
    Noise = 20,
    /// Latents sampled from the encoder's distribution during training; counters: layer and epoch, sample.
    Posterior = 21,
    /// Latents sampled from the encoder's distribution after training, for evaluation or figures; counters: layer and number of the draw, sample.
    Draw = 22,
    /// Samples of the prior that latents are compared with; counters: layer and epoch or number of the draw, sample.
    Prior = 23,
    /// Training images that pseudo-inputs begin as; counters: 0, 0.
    PseudoInputs = 24,
    /// Jitter of a map's initial layout; counters: 0, 0.
    Map = 40,
    /// Initial clusters and mixtures; counters: attempt, 0.
    Clusters = 41,
    /// Latents of generated samples; counters: sample, 0 of new latents or 1 of draws of its posterior.
    Sample = 42,
    /// Items that a bootstrap or a random choice takes; counters: repetition, use.
    Resample = 43,
    /// Pictures that are held out for testing; counters: class, 0.
    HoldOut = 50,
}

/// A seekable stream of random numbers.
#[derive(Clone, Debug)]
pub struct Stream(ChaCha8Rng);

/// The stream for `seed` and `purpose` at the counters `(a, b)`.
///
/// The seed, the purpose and `a` form the cipher's key, `b` its nonce.
///
/// ```
/// use latents_random::{Purpose, stream};
///
/// let first = stream(7, Purpose::Shuffle, 3, 0).next_u32();
/// let again = stream(7, Purpose::Shuffle, 3, 0).next_u32();
/// let other = stream(7, Purpose::Shuffle, 4, 0).next_u32();
/// assert_eq!(first, again);
/// assert_ne!(first, other);
/// ```
#[must_use]
pub fn stream(seed: u64, purpose: Purpose, a: u64, b: u64) -> Stream {
    let mut key = [0u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..12].copy_from_slice(&(purpose as u32).to_le_bytes());
    key[16..24].copy_from_slice(&a.to_le_bytes());
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(b);
    Stream(rng)
}

impl Stream {
    /// 32 uniform bits.
    pub fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// 64 uniform bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Fills `out` with uniform bytes.
    pub fn fill_bytes(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }

    /// Uniform in `[0, 1)`, a multiple of 2^-53.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in `0..bound`, without bias (Lemire, "Fast random integer generation in an interval", 2019).
    ///
    /// A `bound` of zero gives zero.
    pub fn below(&mut self, bound: u32) -> u32 {
        let threshold = bound.wrapping_neg().checked_rem(bound).unwrap_or(0);
        loop {
            let wide = u64::from(self.next_u32()) * u64::from(bound);
            if wide as u32 >= threshold {
                return (wide >> 32) as u32;
            }
        }
    }

    /// Standard normal, by the Box-Muller transform. It uses `libm`, so the value is the same on every system.
    pub fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.uniform()));
        radius * libm::cos(2.0 * std::f64::consts::PI * self.uniform())
    }

    /// Shuffles `items` uniformly (Fisher and Yates).
    ///
    /// # Panics
    /// If there are more than `u32::MAX` items.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let bound = u32::try_from(i + 1).expect("at most u32::MAX items");
            items.swap(i, self.below(bound) as usize);
        }
    }
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_fixed_for_good() {
        // Every seeded result depends on these numbers: if they change, every run changes.
        let mut s = stream(1, Purpose::Init, 0, 0);
        assert_eq!([s.next_u32(), s.next_u32()], [1_489_600_331, 1_011_583_306]);
    }

    #[test]
    fn each_part_of_the_address_matters() {
        let at = |seed, purpose, a, b| stream(seed, purpose, a, b).next_u64();
        let all = [
            at(1, Purpose::Init, 0, 0),
            at(2, Purpose::Init, 0, 0),
            at(1, Purpose::Split, 0, 0),
            at(1, Purpose::Init, 1, 0),
            at(1, Purpose::Init, 0, 1),
        ];
        for (i, x) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|y| x != y));
        }
    }

    #[test]
    fn moments_are_right() {
        let mut s = stream(3, Purpose::Synthetic, 0, 0);
        let n = 200_000;
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let normal: Vec<f64> = (0..n).map(|_| s.normal()).collect();
        let square: Vec<f64> = normal.iter().map(|x| x * x).collect();
        let fourth: Vec<f64> = square.iter().map(|x| x * x).collect();
        assert!(mean(&normal).abs() < 0.01);
        assert!((mean(&square) - 1.0).abs() < 0.02);
        assert!((mean(&fourth) - 3.0).abs() < 0.15);
        let uniform: Vec<f64> = (0..n).map(|_| s.uniform()).collect();
        assert!((mean(&uniform) - 0.5).abs() < 0.005);
        assert!(uniform.iter().all(|u| (0.0..1.0).contains(u)));
    }

    #[test]
    fn below_and_shuffle_reach_everything_evenly() {
        let mut s = stream(4, Purpose::Synthetic, 0, 0);
        let mut counts = [[0u32; 4]; 4];
        for _ in 0..40_000 {
            let mut items = [0usize, 1, 2, 3];
            s.shuffle(&mut items);
            for (place, &item) in items.iter().enumerate() {
                counts[place][item] += 1;
            }
        }
        assert!(counts.iter().flatten().all(|&c| (9_600..10_400).contains(&c)), "{counts:?}");
        assert_eq!(s.below(1), 0);
    }
}
