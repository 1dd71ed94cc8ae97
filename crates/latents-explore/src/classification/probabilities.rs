//! Softmax and argmax.

/// The most probable class of each sample `[n]`, from probabilities or logits `[n, classes]`; in a tie, the lowest class.
///
/// ```
/// use latents_explore::classification::{argmax, softmax};
///
/// let probabilities = softmax(&[0.0, 0.0, 5.0, 1.0], 2); // [2, 2]
/// assert_eq!(probabilities[..2], [0.5, 0.5]);
/// assert_eq!(argmax(&probabilities, 2), [0, 0]);
/// ```
///
/// # Panics
/// If `classes` is 0, or more than 65,536.
#[must_use]
pub fn argmax(probabilities: &[f32], classes: usize) -> Vec<u16> {
    assert!((1..=65_536).contains(&classes), "{classes} classes");
    let best = |row: &[f32]| {
        (1..classes).fold(0, |best, class| if row[class] > row[best] { class } else { best }) as u16
    };
    probabilities.chunks_exact(classes).map(best).collect()
}

/// Softmax of each row of logits `[n, classes]`. Uses the exponential of `libm`, so results are the same on every system.
///
/// # Panics
/// If `classes` is 0.
#[must_use]
pub fn softmax(logits: &[f32], classes: usize) -> Vec<f32> {
    let mut all = Vec::with_capacity(logits.len());
    for row in logits.chunks_exact(classes) {
        let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers = row.iter().map(|&x| libm::exp(f64::from(x - top)));
        let powers: Vec<f64> = powers.collect();
        let sum: f64 = powers.iter().sum();
        all.extend(powers.iter().map(|power| (power / sum) as f32));
    }
    all
}
