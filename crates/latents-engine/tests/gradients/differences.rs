//! Central finite differences, and an objective that couples the samples of a batch.

use latents_random::Stream;

/// Compares a gradient with finite differences of the objective for some random numbers, and returns how many could be compared. For
/// the others, a corner of a ReLU or of a max pooling lies between the steps.
pub(crate) fn check(
    what: &str,
    random: &mut Stream,
    at: &[f64],
    gradient: &[f64],
    objective: &mut dyn FnMut(&[f64]) -> f64,
) -> usize {
    assert_eq!(at.len(), gradient.len(), "{what}");
    let largest = gradient.iter().fold(1e-3, |a: f64, g| a.max(g.abs()));
    let mut checked = 0;
    for _ in 0..8 {
        let i = random.below(at.len() as u32) as usize;
        let mut slope = |h: f64| {
            let mut moved = at.to_vec();
            moved[i] += h;
            let up = objective(&moved);
            moved[i] -= 2.0 * h;
            (up - objective(&moved)) / (2.0 * h)
        };
        let difference = slope(1e-5);
        if (difference - slope(2e-6)).abs() > 1e-7 * largest {
            continue;
        }
        checked += 1;
        let error = (difference - gradient[i]).abs() / largest;
        assert!(error < 1e-6, "{what}, number {i}: {difference} {} {error:e}", gradient[i]);
    }
    checked
}

/// A contrastive loss (`InfoNCE`; van den Oord et al., 2018) of outputs `[n, d]`, in which the next sample is the positive of each, and
/// its gradient. With s the products of two samples, it is the mean of log(sum over j != i of exp(s[i][j])) - s[i][i + 1].
pub(crate) fn contrastive(outputs: &[f64], n: usize) -> (f64, Vec<f64>) {
    let d = outputs.len() / n;
    let mut gradient = vec![0.0; outputs.len()];
    if n < 2 {
        return (0.0, gradient);
    }
    let row = |i: usize| &outputs[i * d..(i + 1) * d];
    let similarity = |i, j| row(i).iter().zip(row(j)).map(|(a, b)| a * b).sum::<f64>() / d as f64;
    let mut loss = 0.0;
    for i in 0..n {
        let others = || (0..n).filter(|&j| j != i);
        let largest = others().map(|j| similarity(i, j)).fold(f64::MIN, f64::max);
        let sum: f64 = others().map(|j| (similarity(i, j) - largest).exp()).sum();
        let positive = (i + 1) % n;
        loss += (largest + sum.ln() - similarity(i, positive)) / n as f64;
        for j in others() {
            let p = (similarity(i, j) - largest).exp() / sum;
            let slope = (p - f64::from(u8::from(j == positive))) / (n * d) as f64;
            for k in 0..d {
                gradient[i * d + k] += slope * outputs[j * d + k];
                gradient[j * d + k] += slope * outputs[i * d + k];
            }
        }
    }
    (loss, gradient)
}
