//! The value of a program, from all that it prints.
//!
//! Without a name: the last line with a number decides. It must be plain: one number, at its end. A line that is only a report, a step
//! and a value, counts as that value. A number after a word such as `time` or `epoch` is a value only if the program prints no other.
//! With a name: the number after the name, in the last line that has them.

use super::line::{Reading, read, read_named};
use super::words::clean;

/// Words before a number that is hardly a value: if there is another one, it is not plain which is meant.
const COUNTS: &[&str] = &[
    "time",
    "elapsed",
    "duration",
    "took",
    "runtime",
    "eta",
    "in",
    "after",
    "s",
    "sec",
    "secs",
    "second",
    "seconds",
    "ms",
    "min",
    "mins",
    "minute",
    "minutes",
    "h",
    "hour",
    "hours",
    "epoch",
    "epochs",
    "step",
    "steps",
    "iter",
    "iters",
    "iteration",
    "iterations",
    "trial",
    "seed",
    "fold",
    "progress",
    "parameters",
    "params",
    "pid",
    "port",
    "gpu",
    "rank",
    "worker",
    "workers",
    "memory",
    "version",
    "line",
    "code",
];

/// Longest part of a line that a message shows, in characters.
const SHOWN: usize = 160;

/// The value of a program.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PrintedValue {
    pub(super) value: f64,
    /// The line that it was read from.
    pub(super) line: String,
    /// Whether the line is more than the number.
    pub(super) is_explained: bool,
}

impl PrintedValue {
    fn new(value: f64, line: &str, is_explained: bool) -> Self {
        PrintedValue { value, line: shown(line), is_explained }
    }
}

/// Follows what a program prints.
#[derive(Debug, Default)]
pub(super) struct Printed {
    name: Option<String>,
    /// By the last line with a number: the value, or why there is none.
    found: Option<Result<PrintedValue, String>>,
    /// Whether an earlier line had a value that is hardly a count or a time.
    has_value: bool,
    last: String,
}

impl Printed {
    /// Reads the value that has a name, or the last one.
    pub(super) fn new(name: Option<&str>) -> Self {
        Printed { name: name.map(str::to_owned), ..Printed::default() }
    }

    /// Reads a line. Returns the reports in it, of which a line with carriage returns may have several.
    pub(super) fn line(&mut self, line: &str) -> Vec<(i64, f64)> {
        line.split('\r').filter_map(|part| self.part(&clean(part))).collect()
    }

    fn part(&mut self, line: &str) -> Option<(i64, f64)> {
        if line.is_empty() {
            return None;
        }
        line.clone_into(&mut self.last);
        let plain = read(line);
        let reading = match &self.name {
            Some(name) => read_named(line, name),
            None => plain.clone(),
        };
        match reading {
            Reading::Nothing => {}
            Reading::Report(_, value) => {
                self.has_value = true;
                self.found = Some(Ok(PrintedValue::new(value, line, false)));
            }
            Reading::Value { value, label, .. } => {
                let is_count = label
                    .as_ref()
                    .is_some_and(|label| COUNTS.contains(&label.to_lowercase().as_str()));
                self.found = Some(match label {
                    Some(label) if is_count && self.has_value => Err(format!(
                        "`{}`: the number after `{label}` may not be the value, which an earlier line may have",
                        shown(line)
                    )),
                    _ => Ok(PrintedValue::new(value, line, line.parse::<f64>().is_err())),
                });
                self.has_value |= !is_count;
            }
            Reading::Unclear(why) => self.found = Some(Err(format!("`{}`: {why}", shown(line)))),
        }
        match plain {
            Reading::Report(step, value) => Some((step, value)),
            _ => None,
        }
    }

    /// The value, or why there is none.
    pub(super) fn end(self) -> Result<PrintedValue, String> {
        const ADVICE: &str =
            "print the value last, as in `loss: 0.5`, or name the value that is to be read";
        match (self.found, self.name) {
            (Some(Ok(found)), _) if found.value.is_nan() => {
                Err(format!("its value is not a number, by the line `{}`", found.line))
            }
            (Some(Ok(found)), _) => Ok(found),
            (Some(Err(why)), None) => Err(format!(
                "cannot tell its value from the last line with a number, {why}; {ADVICE}"
            )),
            (Some(Err(why)), Some(name)) => {
                Err(format!("cannot tell the value of `{name}` from the last line with it, {why}"))
            }
            (None, _) if self.last.is_empty() => {
                Err("it printed nothing to its standard output; its value must be there".into())
            }
            (None, Some(name)) => Err(format!(
                "it printed no line in which a number follows `{name}`; its last line is `{}`",
                shown(&self.last)
            )),
            (None, None) => Err(format!(
                "it printed no line with a number; its last line is `{}`; {ADVICE}",
                shown(&self.last)
            )),
        }
    }
}

/// A line as messages show it.
fn shown(line: &str) -> String {
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(name: Option<&str>, text: &str) -> Result<PrintedValue, String> {
        let mut printed = Printed::new(name);
        for line in text.split('\n') {
            printed.line(line);
        }
        printed.end()
    }

    fn value(text: &str) -> Result<f64, String> {
        end(None, text).map(|found| found.value)
    }

    #[test]
    fn the_last_line_with_a_number_decides() {
        for (text, expected) in [
            ("0.5", 0.5),
            ("val_loss: 0.5\nTraining done.\n", 0.5),
            ("acc: 0.5\r\n", 0.5),
            ("\r 50%|#####   \r100%|##########\n0.5\n", 0.5),
            ("0.5\n100%|##########| 2/2 [00:00<00:00, 9.1it/s]\n", 0.5),
            ("\rloss 0.9\rloss 0.5", 0.5),
            ("0.5\n\n\n", 0.5),
            ("1 0.9\n2 0.7\nEpoch 3: 0.4\n0.5", 0.5),
            ("1 0.9\n2 0.5\n", 0.5),
            ("seed: 7\nval_loss: 0.5\nSaved to runs/7/model_v2.pt", 0.5),
            ("time: 0.5", 0.5),
            ("epochs: 10\nval_loss: 0.5", 0.5),
            ("inf", f64::INFINITY),
        ] {
            assert_eq!(value(text), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn no_other_number_is_taken() {
        for (text, expected) in [
            ("val_loss: 0.5\nDone in 3.2 s", "`Done in 3.2 s`: text follows the number"),
            (
                "val_loss: 0.5\nTotal time: 3.2",
                "`Total time: 3.2`: the number after `time` may not",
            ),
            ("val_loss: 0.5\nBest epoch: 7", "the number after `epoch` may not be the value"),
            ("1 0.9\nFinished after 10", "the number after `after`"),
            ("0.9\n0,5", "`0,5`: a comma is within the number"),
            ("0.9\nloss 0.5 acc 0.9", "`loss 0.5 acc 0.9`: it has several numbers"),
            ("nan", "its value is not a number, by the line `nan`"),
            ("0.5\nloss: tensor(nan)", "by the line `loss: tensor(nan)`"),
            ("", "it printed nothing to its standard output"),
            ("no number\n", "its last line is `no number`"),
        ] {
            let said = value(text).unwrap_err();
            assert!(said.contains(expected), "{text:?}: {said}");
        }
    }

    #[test]
    fn a_name_decides() {
        let text = "loss: 0.9, acc: 0.1\nloss: 0.5, acc: 0.8\nDone in 3.2 s";
        assert_eq!(end(Some("loss"), text).unwrap().value, 0.5);
        assert_eq!(end(Some("acc"), text).unwrap().value, 0.8);
        let said = end(Some("los"), text).unwrap_err();
        assert!(said.contains("no line in which a number follows `los`"), "{said}");
        let said = end(Some("loss"), "loss: 0.9\nloss: 0,5").unwrap_err();
        assert!(said.contains("cannot tell the value of `loss`"), "{said}");
    }

    #[test]
    fn a_value_says_where_it_is_from() {
        let found = end(None, "1 0.9\nacc 93.5%\n").unwrap();
        assert_eq!((found.line.as_str(), found.is_explained), ("acc 93.5%", true));
        assert!(!end(None, "0.5").unwrap().is_explained);
        let long = format!("{} 0,5", "x".repeat(500));
        assert!(value(&long).unwrap_err().len() < 500);
    }

    #[test]
    fn reports_are_found_in_any_line() {
        let mut printed = Printed::new(None);
        assert_eq!(printed.line("1 0.9\r2 0.8\r"), [(1, 0.9), (2, 0.8)]);
        assert_eq!(printed.line("loss 0.5"), []);
        let mut named = Printed::new(Some("loss"));
        assert_eq!(named.line("3 0.25"), [(3, 0.25)]);
        assert!(named.end().is_err());
    }
}
