//! Counts, durations and errors as text for people.

use std::error::Error;

/// A count with thousands separators: `12,345`.
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration in seconds as `4.2 s`, `3 min 20 s` or `2 h 5 min`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

/// Names to choose from as words of a sentence: `a, b or c`.
#[must_use]
pub fn alternatives(names: impl IntoIterator<Item = String>) -> String {
    let names: Vec<String> = names.into_iter().collect();
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => names.concat(),
    }
}

/// An error with its sources, as one line.
///
/// ```
/// let error = std::io::Error::other("the disk is full");
/// assert_eq!(latents_progress::chain(&error), "the disk is full");
/// ```
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_of_a_sentence() {
        let of = |names: &[&str]| alternatives(names.iter().map(ToString::to_string));
        let names = ["a", "b", "c"];
        assert_eq!([0, 1, 2, 3].map(|n| of(&names[..n])), ["", "a", "a or b", "a, b or c"]);
    }

    #[test]
    fn people_read_counts_and_times() {
        assert_eq!(
            [0, 999, 1000, 48_000, 1_234_567].map(count),
            ["0", "999", "1,000", "48,000", "1,234,567"]
        );
        assert_eq!(
            [0.04, 59.4, 200.0, 7500.0].map(duration),
            ["0.0 s", "59.4 s", "3 min 20 s", "2 h 5 min"]
        );
    }
}
