//! The mutual information gap.

use super::factor::{Factor, check};
use super::gap;
use crate::error::Error;
use crate::rows::Rows;

/// Bins of each latent.
const BINS: usize = 20;

/// The mutual information gap of each factor `[f]`, from 0 to 1, for latents `[n, d]`: the mutual information of the factor with the latent
/// that has most, less that with the latent that has second most, divided by the entropy of the factor (Chen et al., "Isolating Sources
/// of Disentanglement in Variational Autoencoders", 2018).
///
/// Each latent is divided into 20 bins of equal width from its least to its largest value, as by Locatello et al. (2019), so a
/// monotone change of a latent that is not linear changes the score. The information of few images is too large by about
/// `19 (values - 1) / 2n` nats for every latent, which lowers gaps little.
///
/// ```
/// use latents_explore::Rows;
/// use latents_explore::disentanglement::{Factor, mutual_information_gaps};
///
/// let values: Vec<u16> = (0..100).map(|i| i % 2).collect();
/// let both: Vec<f32> = values.iter().flat_map(|&v| [f32::from(v), -f32::from(v)]).collect();
/// let gaps = mutual_information_gaps(Rows::new(&both, 2)?, &[Factor::new("side", &values)?])?;
/// assert_eq!(gaps, [0.0]); // Two latents know as much.
/// # Ok::<(), latents_explore::Error>(())
/// ```
///
/// # Errors
/// As [`Disentanglement::measure`](super::Disentanglement::measure), but one factor suffices.
pub fn mutual_information_gaps(latents: Rows<'_>, factors: &[Factor]) -> Result<Vec<f64>, Error> {
    check(latents, factors)?;
    let bins: Vec<Vec<u16>> = (0..latents.dim()).map(|column| bins(latents, column)).collect();
    let of = |factor: &Factor| {
        let shared = |bins: &Vec<u16>| mutual_information(bins, BINS, factor);
        gap(&bins.iter().map(shared).collect::<Vec<f64>>()) / entropy(factor)
    };
    Ok(factors.iter().map(of).collect())
}

/// The entropy of a factor, in nats: its mutual information with itself.
pub(super) fn entropy(factor: &Factor) -> f64 {
    mutual_information(factor.values(), factor.count(), factor)
}

/// The bin of each value of a column.
fn bins(latents: Rows<'_>, column: usize) -> Vec<u16> {
    let values = || latents.iter().map(|row| f64::from(row[column]));
    let (least, most) =
        values().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
    let width = (most - least) / BINS as f64;
    let edges: Vec<f64> = (1..BINS).map(|i| least + i as f64 * width).collect();
    values().map(|x| edges.partition_point(|&edge| edge <= x) as u16).collect()
}

/// The mutual information, in nats, of a variable with so many values and a factor.
fn mutual_information(a: &[u16], a_count: usize, factor: &Factor) -> f64 {
    let (b, b_count) = (factor.values(), factor.count());
    let mut joint = vec![0u32; a_count * b_count];
    for (&a, &b) in a.iter().zip(b) {
        joint[usize::from(a) * b_count + usize::from(b)] += 1;
    }
    let n = a.len() as f64;
    let of_a: Vec<f64> =
        joint.chunks_exact(b_count).map(|row| f64::from(row.iter().sum::<u32>())).collect();
    let of_b: Vec<f64> = (0..b_count)
        .map(|b| joint.iter().skip(b).step_by(b_count).map(|&c| f64::from(c)).sum())
        .collect();
    let mut sum = 0.0;
    for (row, of_a) in joint.chunks_exact(b_count).zip(of_a) {
        for (&count, of_b) in row.iter().zip(&of_b) {
            if count > 0 {
                let count = f64::from(count);
                sum += count / n * libm::log(count * n / (of_a * of_b));
            }
        }
    }
    sum.max(0.0)
}
