//! Splits of samples into parts, and the order of samples in an epoch. Samples are numbers here; pixels are not looked at. Every
//! choice depends only on seed and epoch, so a resumed run repeats it without any saved state.

use std::collections::BTreeMap;

use latents_random::{Purpose, stream};

/// Splits the samples `0..n` at random into training and validation samples, both in ascending order.
///
/// `round(n × validation_fraction)` samples validate, with the fraction clamped to 0..=1, but at least one sample trains.
///
/// ```
/// let (train, validation) = latents_data::split(60_000, 0.2, 1);
/// assert_eq!((train.len(), validation.len()), (48_000, 12_000));
/// ```
///
/// # Panics
/// If `n` is more than `u32::MAX`; [`Images`](crate::Images) are never that many.
#[must_use]
pub fn split(n: usize, validation_fraction: f64, seed: u64) -> (Vec<u32>, Vec<u32>) {
    let n = u32::try_from(n).expect("at most u32::MAX samples");
    // Casts turn NaN into 0.
    let wanted = (f64::from(n) * validation_fraction).round() as u32;
    let mut validation: Vec<u32> = (0..n).collect();
    stream(seed, Purpose::Split, 0, 0).shuffle(&mut validation);
    let mut train = validation.split_off(wanted.min(n.saturating_sub(1)) as usize);
    train.sort_unstable();
    validation.sort_unstable();
    (train, validation)
}

/// For each of the samples of these strata (their classes), whether it is held out for testing: `round(n × fraction)` random ones of the `n` of
/// each class, but never all of a class. If that is none at all, the same fraction of all samples together, and at least one of
/// two or more.
#[must_use]
pub fn hold_out(strata: &[u32], fraction: f64, seed: u64) -> Vec<bool> {
    let mut held = vec![false; strata.len()];
    if fraction <= 0.0 {
        return held;
    }
    let mut hold = |class: u64, members: Vec<usize>, least: usize| {
        let wanted = ((members.len() as f64 * fraction).round() as usize).max(least);
        let mut members = members;
        stream(seed, Purpose::HoldOut, class, 0).shuffle(&mut members);
        members.truncate(wanted.min(members.len().saturating_sub(1)));
        for &i in &members {
            held[i] = true;
        }
        members.len()
    };
    let mut total = 0;
    let mut members: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (i, &stratum) in strata.iter().enumerate() {
        members.entry(stratum).or_default().push(i);
    }
    for (stratum, members) in members {
        total += hold(stratum.into(), members, 0);
    }
    if total == 0 {
        hold(256, (0..strata.len()).collect(), 1);
    }
    held
}

/// The stratum of each sample: its class. Samples without one are a stratum of their own, beyond all classes, or all are one if none has a class.
pub(crate) fn strata(labels: impl Iterator<Item = Option<u16>> + Clone) -> Vec<u32> {
    let none = if labels.clone().any(|label| label.is_some()) { 1 << 17 } else { 0 };
    labels.map(|label| label.map_or(none, u32::from)).collect()
}

/// Assigns each sample to one of `count` folds of a cross-validation, at random, so that every fold has about the same part of each stratum
/// (its class). Samples with the same number in `copies` are in the same fold. Folds are empty only if there are fewer different samples.
///
/// ```
/// let folds = latents_data::folds(&[0, 0, 0, 1, 1, 1], &[0, 1, 2, 3, 4, 5], 3, 1);
/// assert_eq!([0, 1, 2].map(|fold| folds[..3].iter().filter(|&&f| f == fold).count()), [1; 3]);
/// ```
///
/// # Panics
/// If the two lists have different lengths, or `count` is 0.
#[must_use]
pub fn folds(strata: &[u32], copies: &[usize], count: usize, seed: u64) -> Vec<usize> {
    assert_eq!(strata.len(), copies.len(), "a stratum for each sample");
    let mut members: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    let mut of_copy = BTreeMap::new();
    for (i, (&stratum, &copy)) in strata.iter().zip(copies).enumerate() {
        // The first of some copies stands for all.
        of_copy.entry(copy).or_insert_with(|| {
            members.entry(stratum).or_default().push(i);
            i
        });
    }
    let mut fold = vec![0; strata.len()];
    let mut next = 0;
    for (stratum, mut members) in members {
        stream(seed, Purpose::HoldOut, stratum.into(), 1).shuffle(&mut members);
        for i in members {
            fold[i] = next % count;
            next += 1;
        }
    }
    copies.iter().map(|copy| fold[of_copy[copy]]).collect()
}

/// The `samples` in the random order of epoch number `epoch` (from 0) of a run with this seed.
///
/// ```
/// use latents_data::epoch_order;
///
/// assert_eq!(epoch_order(&[0, 1, 2, 3, 4, 5, 6, 7], 1, 0), [4, 5, 2, 7, 0, 6, 3, 1]);
/// ```
#[must_use]
pub fn epoch_order(samples: &[u32], seed: u64, epoch: u64) -> Vec<u32> {
    let mut order = samples.to_vec();
    stream(seed, Purpose::Shuffle, epoch, 0).shuffle(&mut order);
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_split_of_the_study() {
        let (train, validation) = split(60_000, 0.2, 1);
        assert_eq!((train.len(), validation.len()), (48_000, 12_000));
        // Fixed for good: these are in every seeded result.
        assert_eq!(validation[..5], [0, 9, 10, 14, 18]);
        // Uniform: the mean of 12,000 of 0..60,000 has a standard deviation of 141.
        let mean = validation.iter().map(|&i| f64::from(i)).sum::<f64>() / 12_000.0;
        assert!((mean - 29_999.5).abs() < 700.0, "{mean}");
        assert_ne!(validation, split(60_000, 0.2, 2).1);
    }

    #[test]
    fn folds_are_even_and_keep_copies_together() {
        let strata: Vec<u32> = (0..40).map(|i| u32::from(i % 4 == 0)).collect();
        let copies: Vec<usize> = (0..40).map(|i| if i == 39 { 3 } else { i }).collect();
        let folds = folds(&strata, &copies, 5, 7);
        assert_eq!(folds[39], folds[3]);
        for fold in 0..5 {
            let of = |class| (0..40).filter(|&i| folds[i] == fold && strata[i] == class).count();
            assert!(of(1) == 2 && (5..=7).contains(&of(0)), "{folds:?}");
        }
        assert_ne!(folds, super::folds(&strata, &copies, 5, 8));
    }

    #[test]
    fn odd_fractions_leave_something_to_train() {
        let sizes = |n, fraction| {
            let (train, validation) = split(n, fraction, 1);
            (train.len(), validation.len())
        };
        assert_eq!(sizes(10, 0.0), (10, 0));
        assert_eq!(sizes(10, 1.0), (1, 9));
        assert_eq!(sizes(10, f64::INFINITY), (1, 9));
        assert_eq!(sizes(10, -3.0), (10, 0));
        assert_eq!(sizes(10, f64::NAN), (10, 0));
        assert_eq!(sizes(10, 0.26), (7, 3));
        assert_eq!(sizes(1, 0.9), (1, 0));
        assert_eq!(sizes(0, 0.5), (0, 0));
    }

    #[test]
    fn each_class_is_held_out_alike() {
        let labels: Vec<u32> = (0..100).map(|i| if i < 60 { 0 } else { 7 }).collect();
        let held = hold_out(&labels, 0.2, 1);
        let count = |class| (0..100).filter(|&i| held[i] && labels[i] == class).count();
        assert_eq!((count(0), count(7)), (12, 8));
        assert_eq!(held, hold_out(&labels, 0.2, 1));
        assert_ne!(held, hold_out(&labels, 0.2, 2));
        let sum = |labels: &[u32], f| hold_out(labels, f, 1).into_iter().filter(|&h| h).count();
        assert_eq!((sum(&[0; 2], 0.2), sum(&[0, 1, 2, 3], 0.2), sum(&[0; 1], 0.9)), (1, 1, 0));
        assert_eq!((sum(&[], 0.5), sum(&[0; 10], 0.0), sum(&[0; 10], 0.999)), (0, 0, 9));
        // Fixed for good: these are in every seeded result.
        let held = hold_out(&[0; 10], 0.3, 0);
        assert_eq!((0..10).filter(|&i| held[i]).collect::<Vec<_>>(), [1, 6, 8]);
    }

    #[test]
    fn epochs_differ_and_come_again() {
        let samples: Vec<u32> = (100..200).collect();
        let third = epoch_order(&samples, 5, 3);
        assert_eq!(third, epoch_order(&samples, 5, 3));
        assert_ne!(third, epoch_order(&samples, 5, 4));
        assert_ne!(third, epoch_order(&samples, 6, 3));
        assert_ne!(third, samples);
        let mut sorted = third;
        sorted.sort_unstable();
        assert_eq!(sorted, samples);
        // Fixed for good, as above.
        assert_eq!(epoch_order(&[0, 1, 2, 3, 4, 5, 6, 7], 1, 0), [4, 5, 2, 7, 0, 6, 3, 1]);
    }

    proptest! {
        #[test]
        fn each_sample_falls_on_one_side(n in 0usize..500, fraction in 0.0f64..1.0, seed: u64) {
            let (train, validation) = split(n, fraction, seed);
            prop_assert!(train.is_sorted() && validation.is_sorted());
            let mut all = [train, validation].concat();
            all.sort_unstable();
            prop_assert!(all.iter().copied().eq(0..n as u32));
        }
    }
}
