//! Eigenvalues and eigenvectors of small symmetric matrices, by the Jacobi method (G. H. Golub and C. F. Van Loan, "Matrix Computations",
//! 8.5). It is slow for large matrices, but accurate, and uses only correctly rounded operations, so results are the same on all machines.

/// Maximum number of sweeps over all pairs; fewer than ten are needed in practice.
const SWEEPS: usize = 50;

/// Eigenvalues `[n]` and eigenvectors `[n, n]`, in rows, of a symmetric matrix `[n, n]`.
pub(super) fn eigen(matrix: &[f64], n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut a = matrix.to_vec();
    let mut vectors = vec![0.0; n * n];
    for i in 0..n {
        vectors[i * n + i] = 1.0;
    }
    for _ in 0..SWEEPS {
        let mut is_diagonal = true;
        for p in 0..n {
            for q in p + 1..n {
                let off = a[p * n + q];
                let (app, aqq) = (a[p * n + p], a[q * n + q]);
                if off == 0.0 || off.abs() <= f64::EPSILON * 1e-3 * (app * aqq).abs().sqrt() {
                    continue;
                }
                is_diagonal = false;
                let theta = (aqq - app) / (2.0 * off);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for k in 0..n {
                    let (x, y) = (a[k * n + p], a[k * n + q]);
                    (a[k * n + p], a[k * n + q]) = (c * x - s * y, s * x + c * y);
                }
                for k in 0..n {
                    let (x, y) = (a[p * n + k], a[q * n + k]);
                    (a[p * n + k], a[q * n + k]) = (c * x - s * y, s * x + c * y);
                    let (x, y) = (vectors[p * n + k], vectors[q * n + k]);
                    (vectors[p * n + k], vectors[q * n + k]) = (c * x - s * y, s * x + c * y);
                }
                (a[p * n + q], a[q * n + p]) = (0.0, 0.0);
            }
        }
        if is_diagonal {
            break;
        }
    }
    ((0..n).map(|i| a[i * n + i]).collect(), vectors)
}

#[cfg(test)]
mod tests {
    use latents_random::{Purpose, stream};

    use super::*;

    #[test]
    fn vectors_and_values_make_the_matrix_again() {
        for n in 1..=12 {
            let mut random = stream(n as u64, Purpose::Synthetic, 0, 0);
            let mut matrix = vec![0.0; n * n];
            for i in 0..n {
                for j in 0..=i {
                    let x = random.normal() * libm::exp(2.0 * random.normal());
                    (matrix[i * n + j], matrix[j * n + i]) = (x, x);
                }
            }
            let scale = matrix.iter().fold(0.0f64, |most, x| most.max(x.abs()));
            let (values, vectors) = eigen(&matrix, n);
            for i in 0..n {
                for j in 0..n {
                    let sum = |f: &dyn Fn(usize) -> f64| (0..n).map(f).sum::<f64>();
                    let again = sum(&|k| values[k] * vectors[k * n + i] * vectors[k * n + j]);
                    assert!((again - matrix[i * n + j]).abs() < 1e-12 * scale, "{n}: {i}, {j}");
                    let product = sum(&|k| vectors[i * n + k] * vectors[j * n + k]);
                    assert!((product - f64::from(u8::from(i == j))).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn values_of_a_known_matrix() {
        let (mut values, _) = eigen(&[2.0, -1.0, 0.0, -1.0, 2.0, -1.0, 0.0, -1.0, 2.0], 3);
        values.sort_by(f64::total_cmp);
        let root = 2f64.sqrt();
        for (got, expected) in values.iter().zip([2.0 - root, 2.0, 2.0 + root]) {
            assert!((got - expected).abs() < 1e-14, "{got} for {expected}");
        }
    }
}
