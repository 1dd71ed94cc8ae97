//! Reads one line of a program's output: which of its words are numbers, and whether one of them is plainly a value. What a whole output
//! means is in `printed.rs`.

use super::words::{INEXACT, ODD, Word, plain, words};

/// What a line means.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reading {
    /// It has no number.
    Nothing,
    /// A step and a value.
    Report(i64, f64),
    /// One number, at its end.
    Value {
        value: f64,
        is_percent: bool,
        /// The word before the number, if there is one.
        label: Option<String>,
    },
    /// It has numbers, but does not say plainly which one is the value.
    Unclear(&'static str),
}

const SEVERAL: &str = "it has several numbers";
const BAR: &str = "a progress bar is on the same line";
const DASH: &str = "a dash stands apart before the number";
const TEXT_AFTER: &str = "text follows the number";
const TWICE: &str = "the name is in it more than once";

/// Reads a clean line.
pub(super) fn read(line: &str) -> Reading {
    if let Some((step, value)) = report(line) {
        return Reading::Report(step, value);
    }
    match bar(line) {
        Some(true) => return Reading::Nothing,
        Some(false) => return Reading::Unclear(BAR),
        None => {}
    }
    let words = words(line);
    let numbers: Vec<usize> =
        (0..words.len()).filter(|&i| matches!(words[i], Word::Number { .. })).collect();
    if let Some(why) = words.iter().find_map(odd) {
        return Reading::Unclear(why);
    }
    let &[at] = &numbers[..] else {
        return match (numbers.len(), words.last()) {
            (0, Some(Word::Counter)) => Reading::Unclear(ODD),
            // A word such as `loss0.5` may be meant as a value, so it is not passed over.
            (0, _) if words.iter().any(is_glued) => Reading::Unclear(ODD),
            (0, _) => Reading::Nothing,
            _ => Reading::Unclear(SEVERAL),
        };
    };
    match value_at(&words, at) {
        Ok((value, is_percent, end)) if end == words.len() => {
            let label = words[..at].iter().rev().find_map(|word| match word {
                Word::Text(text) if !is_wrapper(text) => Some(text.clone()),
                _ => None,
            });
            Reading::Value { value, is_percent, label }
        }
        Ok(_) => Reading::Unclear(TEXT_AFTER),
        Err(why) => Reading::Unclear(why),
    }
}

/// Looks in a clean line for a value that follows a name.
pub(super) fn read_named(line: &str, name: &str) -> Reading {
    let (words, name) = (words(line), words(name));
    let mut found = Reading::Nothing;
    for start in 0..words.len() {
        if name.is_empty() || !words[start..].starts_with(&name) {
            continue;
        }
        let mut at = start + name.len();
        while matches!(words.get(at), Some(Word::Text(text)) if is_wrapper(text)) {
            at += 1;
        }
        let reading = match (words.get(at), words.get(at + 1)) {
            (Some(Word::Number { .. }), _) => match value_at(&words, at) {
                Ok((value, is_percent, _)) => Reading::Value { value, is_percent, label: None },
                Err(why) => Reading::Unclear(why),
            },
            (Some(Word::Odd(why)), _) => Reading::Unclear(why),
            (Some(Word::Counter), _) => Reading::Unclear(ODD),
            (Some(Word::Text(text)), Some(Word::Number { .. })) if is_dash(text) => {
                Reading::Unclear(DASH)
            }
            _ => continue,
        };
        if found != Reading::Nothing {
            return Reading::Unclear(TWICE);
        }
        found = reading;
    }
    found
}

/// A step and a value, if the line consists of them.
fn report(line: &str) -> Option<(i64, f64)> {
    let mut words = line.split_whitespace();
    let report = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    words.next().is_none().then_some(report)
}

/// The value of the number at a place, whether it is a percentage, and where the next word is.
fn value_at(words: &[Word], at: usize) -> Result<(f64, bool, usize), &'static str> {
    let Some(&Word::Number { value, is_percent }) = words.get(at) else { return Err(ODD) };
    if let Some(Word::Text(before)) = at.checked_sub(1).and_then(|i| words.get(i)) {
        if is_dash(before) {
            return Err(DASH);
        }
        if before.chars().all(|c| "<>~≈≤≥±".contains(c)) {
            return Err(INEXACT);
        }
    }
    match words.get(at + 1) {
        Some(Word::Text(text)) if text == "%" => Ok((value, true, at + 2)),
        _ => Ok((value, is_percent, at + 1)),
    }
}

/// Whether a line is nothing but a progress bar; `Some(false)` if a number may follow the bar or be within it.
fn bar(line: &str) -> Option<bool> {
    if line.contains("%|") {
        let has_value = line.ends_with(|c: char| c.is_ascii_digit())
            || line.split('=').skip(1).any(|part| part.starts_with(|c: char| c.is_ascii_digit()));
        return Some(!has_value);
    }
    let marks: Vec<char> = line.chars().filter(|c| !c.is_whitespace()).collect();
    let has_run = marks.windows(3).any(|w| w[0] == w[1] && w[1] == w[2] && !w[0].is_alphanumeric());
    let is_drawn = has_run && line.ends_with('%') && !line.contains(char::is_alphabetic);
    is_drawn.then_some(true)
}

fn odd(word: &Word) -> Option<&'static str> {
    match word {
        Word::Odd(why) => Some(why),
        _ => None,
    }
}

fn is_dash(text: &str) -> bool {
    matches!(text, "-" | "–" | "—")
}

/// Letters followed by a decimal number.
fn is_glued(word: &Word) -> bool {
    let Word::Text(text) = word else { return false };
    let number = text.trim_start_matches(char::is_alphabetic);
    number.len() < text.len() && number.contains('.') && plain(number).is_some()
}

/// Whether a word is the name of a type round a number.
fn is_wrapper(text: &str) -> bool {
    const TYPES: [&str; 9] =
        ["tensor", "array", "float", "double", "decimal", "scalar", "int", "numpy", "parameter"];
    let name = text.trim_start_matches('<').rsplit('.').next().unwrap_or(text).to_lowercase();
    TYPES.contains(&name.trim_end_matches(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::super::words::{COMMA, clean};
    use super::*;

    fn value(line: &str) -> Option<f64> {
        match read(&clean(line)) {
            Reading::Value { value, .. } => Some(value),
            _ => None,
        }
    }

    #[test]
    fn plain_values_are_read() {
        let cases = [
            ("0.5", 0.5),
            ("  -1.5e-3  ", -1.5e-3),
            ("loss=0.5", 0.5),
            ("loss = 0.5", 0.5),
            ("val_loss: 0.5", 0.5),
            ("val loss:0.5.", 0.5),
            ("result is 5.", 5.0),
            ("F1: .5", 0.5),
            ("top-5 acc: 7", 7.0),
            ("tensor(0.5)", 0.5),
            ("tensor(0.5000, device='cuda:0', grad_fn=<NllLossBackward0>)", 0.5),
            ("loss: tensor([0.5], device=\"mps:0\", dtype=torch.float16)", 0.5),
            ("<tf.Tensor: shape=(1,), dtype=float32, numpy=0.5>", 0.5),
            ("np.float64(0.5)", 0.5),
            ("array([0.5], dtype=float32)", 0.5),
            ("[0.5]", 0.5),
            ("(0.5,)", 0.5),
            ("[[0.5]]", 0.5),
            ("{\"loss\": 0.5}", 0.5),
            ("'0.5'", 0.5),
            ("loss,0.5", 0.5),
            ("acc 93.5%", 93.5),
            ("acc: 93.5 %", 93.5),
            ("**loss** 0.5", 0.5),
            ("| loss | 0.5 |", 0.5),
            ("\u{1b}[1;32mloss\u{1b}[0m: \u{1b}[32m0.5\u{1b}[0m\u{1b}[K", 0.5),
            ("\u{1b}]0;title 7\u{7}0.5", 0.5),
            ("loss \u{2212}0.5", -0.5),
            ("\u{feff}0.5", 0.5),
            ("精度：0.5", 0.5),
            ("2024-01-02 12:30:01,123 INFO val_loss: 0.5", 0.5),
            ("[2024-01-02T12:30:01Z] val_loss: 0.5", 0.5),
            ("Epoch 3/10 loss: 0.5", 0.5),
            ("resnet50: 0.5", 0.5),
            ("-inf", f64::NEG_INFINITY),
            ("loss: Infinity", f64::INFINITY),
        ];
        for (line, expected) in cases {
            assert_eq!(value(line), Some(expected), "{line}: {:?}", read(&clean(line)));
        }
        assert!(value("tensor(nan)").is_some_and(f64::is_nan));
        let Reading::Value { is_percent, label, .. } = read("acc 93.5%") else { panic!() };
        assert_eq!((is_percent, label.as_deref()), (true, Some("acc")));
        let Reading::Value { label, .. } = read("tensor(0.5)") else { panic!() };
        assert_eq!(label, None);
    }

    #[test]
    fn lines_without_a_number_are_passed_over() {
        for line in [
            "",
            "Training done.",
            "Saved to out/trials/00003/model_v2.pt",
            "View it at https://example.org:8080/runs/7",
            "12:30:01 done",
            "Done in 0:03:12",
            "100%|##########",
            " 50%|#####     | 5/10 [00:01<00:01,  9.80it/s]",
            "[=====>    ]  50%",
            "==========",
            "Epoch 3/10 done",
        ] {
            assert_eq!(read(&clean(line)), Reading::Nothing, "{line}");
        }
    }

    #[test]
    fn what_is_not_plain_is_unclear() {
        for (line, why) in [
            ("0,5", COMMA),
            ("loss: 1,234.5", COMMA),
            ("0.5, 0.6", SEVERAL),
            ("[0.5, 0.6]", SEVERAL),
            ("loss 0.5 acc 0.9", SEVERAL),
            ("Epoch 3: 0.4", SEVERAL),
            ("loss 0.5 ± 0.1", SEVERAL),
            ("Done in 3.2 s", TEXT_AFTER),
            ("0.5 is the loss", TEXT_AFTER),
            ("Done in 3.2s", ODD),
            ("0x1F", ODD),
            ("1_000", ODD),
            ("1.2.3", ODD),
            ("accuracy 93/100", ODD),
            ("loss0.5", ODD),
            ("loss-0.5", ODD),
            ("$0.5", ODD),
            ("½", ODD),
            ("loss - 0.5", DASH),
            ("loss: - 0.5", DASH),
            ("loss < 0.5", INEXACT),
            ("loss: ~0.5", INEXACT),
            ("100%|####| 10/10 [00:01<00:00]0.5", BAR),
            ("100%|####| 10/10 [00:01<00:00, loss=0.5]", BAR),
        ] {
            assert_eq!(read(&clean(line)), Reading::Unclear(why), "{line}");
        }
    }

    #[test]
    fn reports_are_two_numbers() {
        assert_eq!(read("3 0.5"), Reading::Report(3, 0.5));
        assert_eq!(read("10 -inf"), Reading::Report(10, f64::NEG_INFINITY));
        assert_eq!(clean(" \u{1b}[2K10\t-inf \r"), "10 -inf");
        for line in ["0.5", "epoch 3", "3 0.5 0.7", "1.5 2", ""] {
            assert!(!matches!(read(line), Reading::Report(..)), "{line}");
        }
    }

    #[test]
    fn a_value_has_a_name() {
        let named = |line: &str, name: &str| read_named(&clean(line), name);
        for (line, name, expected) in [
            ("epoch 3 loss 0.5 acc 0.9", "acc", 0.9),
            ("epoch 3 loss 0.5 acc 0.9", "loss", 0.5),
            ("{\"val_loss\": 0.5, \"loss\": 0.4}", "loss", 0.4),
            ("10/10 - 1s 5ms/step - loss: 0.3 - val_loss: 0.5000", "val_loss", 0.5),
            ("val loss: tensor(0.5, device='cuda:0') in 3.2 s", "val loss", 0.5),
            ("acc=93.5 % of 7", "acc", 93.5),
            ("F1 0.5 F2 0.6", "F1", 0.5),
        ] {
            let found = named(line, name);
            assert!(
                matches!(found, Reading::Value { value, .. } if value == expected),
                "{line}: {found:?}"
            );
        }
        assert_eq!(named("val_loss did not improve from 0.9", "val_loss"), Reading::Nothing);
        assert_eq!(named("loss: 0.5", "val_loss"), Reading::Nothing);
        assert_eq!(named("loss: 0,5", "loss"), Reading::Unclear(COMMA));
        assert_eq!(named("loss: 5ms", "loss"), Reading::Unclear(ODD));
        assert_eq!(named("loss: - 0.5", "loss"), Reading::Unclear(DASH));
        assert_eq!(named("train loss 0.4, val loss 0.5", "loss"), Reading::Unclear(TWICE));
    }
}
