//! What the command says: results on standard output, as text for people or one JSON object for programs; everything else on
//! standard error.

use std::io::{self, Write};

use anyhow::Result;
use serde::Serialize;

/// Where results go, and in which form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Output { json }
    }

    /// Whether a person reads it.
    pub(crate) fn is_for_people(self) -> bool {
        !self.json
    }

    /// Prints a result: `text` for people, or `value` for programs.
    pub(crate) fn result(self, text: &str, value: &impl Serialize) -> Result<()> {
        let line =
            if self.json { serde_json::to_string(value)? } else { text.trim_end().to_owned() };
        writeln!(io::stdout().lock(), "{line}")?;
        Ok(())
    }

    /// Tells people something on the way; programs need not hear it.
    pub(crate) fn note(self, text: &str) {
        if !self.json {
            // Standard error may be closed; there is nobody to tell then.
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }
}

/// Tells what went wrong, with its causes.
pub(crate) fn error(error: &anyhow::Error) {
    let text = format!("{error:#}");
    let _ = writeln!(io::stderr().lock(), "error: {}", text.trim_end());
}

/// Whether whoever read our output has gone away, as `head` does: not an error.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>();
        io.is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// Whether it is that the user wanted an end.
pub(crate) fn is_stop(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| matches!(cause.downcast_ref(), Some(latents::explore::Error::Stopped)))
}

/// A count for people: `12,345`.
pub(crate) fn count(n: u64) -> String {
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

/// A time for people: `4.2 s`, `3 min 20 s`, `2 h 5 min`.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

/// `text` as one word of a shell's command line.
pub(crate) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_a_word_back() {
        assert_eq!(shell_word("runs/ae-1"), "runs/ae-1");
        assert_eq!(shell_word("my runs"), "'my runs'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
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
