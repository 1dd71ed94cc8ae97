//! Normal noise from random bits by the Box-Muller transform; `draws` supplies the bits.

use crate::number::Number;
use crate::simd::{Kernel, LANES, Simd};

/// Numbers in two rows.
const PAIR: usize = 2 * LANES;

/// `values += deviation * noise`, number by number.
pub(crate) struct Noise<'a, E> {
    pub(crate) deviation: f64,
    /// One random integer for each number, and one more row if the number of rows is odd. Two rows of integers give the noise of two
    /// rows of numbers.
    pub(crate) bits: &'a [u32],
    pub(crate) values: &'a mut [E],
}

impl<E: Number> Kernel<E> for Noise<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, _: S) {
        let deviation = E::from_f64(self.deviation);
        let (pairs, last) = self.values.as_chunks_mut::<PAIR>();
        let mut bits = self.bits.as_chunks::<PAIR>().0.iter();
        for (values, bits) in pairs.iter_mut().zip(&mut bits) {
            add(deviation, bits, values);
        }
        if let Some(bits) = bits.next() {
            let mut pair = [E::default(); PAIR];
            pair[..last.len()].copy_from_slice(last);
            add(deviation, bits, &mut pair);
            last.copy_from_slice(&pair[..last.len()]);
        }
    }
}

#[inline(always)]
fn add<E: Number>(deviation: E, bits: &[u32; PAIR], values: &mut [E; PAIR]) {
    for lane in 0..LANES {
        let noise = E::normals([bits[lane], bits[LANES + lane]]);
        values[lane] = deviation.fused(noise[0], values[lane]);
        values[LANES + lane] = deviation.fused(noise[1], values[LANES + lane]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;
    use crate::kernels::Element;
    use latents_random::{Purpose, stream};

    fn noise<E: Element>(isa: Isa, rows: usize, deviation: f64) -> Vec<E> {
        let mut random = stream(5, Purpose::Synthetic, 0, 0);
        let bits: Vec<u32> =
            (0..rows.next_multiple_of(2) * LANES).map(|_| random.next_u32()).collect();
        let mut values = vec![E::from_f64(1.0); rows * LANES];
        E::noise(isa, Noise { deviation, bits: &bits, values: &mut values });
        values
    }

    #[test]
    fn every_instruction_set_makes_the_same_noise_and_it_is_that_of_the_definition() {
        for rows in [1, 2, 7, 784] {
            let expected = noise::<f32>(Isa::Portable, rows, 0.3);
            for isa in Isa::available() {
                let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&noise(isa, rows, 0.3)), bits(&expected), "{isa}, {rows}");
            }
            let exact = noise::<f64>(Isa::Portable, rows, 0.3);
            for (x, e) in expected.iter().zip(exact) {
                assert!((f64::from(*x) - e).abs() < 1e-6, "{x} {e}");
            }
        }
    }

    #[test]
    fn it_is_normal() {
        let mut x: Vec<f64> = noise::<f32>(Isa::detect(), 12_501, 1.0)
            .into_iter()
            .map(|v| f64::from(v) - 1.0)
            .collect();
        let n = x.len() as f64;
        // Neither the two numbers of a pair nor neighbouring lanes are correlated.
        for apart in [1, LANES] {
            let product: f64 = x.iter().zip(&x[apart..]).map(|(a, b)| a * b).sum();
            assert!((product / n).abs() < 0.009, "{apart}: {}", product / n);
        }
        // Kolmogorov-Smirnov test: above 1.95 / sqrt(n) once in a thousand.
        x.sort_by(f64::total_cmp);
        let cdf = |x: f64| 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
        let gap = x.iter().enumerate().map(|(i, &v)| (cdf(v) - (i as f64 + 0.5) / n).abs());
        let gap = gap.fold(0.0, f64::max);
        assert!(gap * n.sqrt() < 1.95, "{}", gap * n.sqrt());
    }
}
