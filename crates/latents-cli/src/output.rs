//! The command's output: results on standard output, as text for people or one JSON object for programs; everything else on standard
//! error.

use std::io::{self, Write};

use anyhow::Result;
use serde::Serialize;

use crate::hints::hint;

/// The form of the output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Output { json }
    }

    /// Whether it is for a person to read.
    pub(crate) fn is_for_people(self) -> bool {
        !self.json
    }

    /// Prints a result: `text` for people, or `value` for programs.
    pub(crate) fn result(self, text: &str, value: &impl Serialize) -> Result<()> {
        let line =
            if self.json { serde_json::to_string(value)? } else { printable(text.trim_end()) };
        writeln!(io::stdout().lock(), "{line}")?;
        Ok(())
    }

    /// Tells people something on the way; programs do not need it.
    pub(crate) fn note(self, text: &str) {
        if !self.json {
            // Standard error may be closed; then there is nobody to tell.
            let _ = writeln!(io::stderr().lock(), "{}", printable(text));
        }
    }
}

/// Prints an error with its causes, and a hint at the flags that may help.
pub(crate) fn error(error: &anyhow::Error) {
    let text = printable(&format!("{error:#}"));
    let mut stderr = io::stderr().lock();
    let _ = writeln!(stderr, "error: {}", text.trim_end());
    if let Some(hint) = error.chain().find_map(hint) {
        let _ = writeln!(stderr, "hint: {}", printable(&hint));
    }
}

/// Text with escapes in place of control characters, which names of files may have and which would command the terminal.
pub(crate) fn printable(text: &str) -> String {
    let is_harmless = |c: char| !c.is_control() || c == '\n' || c == '\t';
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmless(c) {
            printable.push(c);
        } else {
            printable.extend(c.escape_default());
        }
    }
    printable
}

/// Whether the reader of our output has gone away, as `head` does: not an error.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>();
        io.is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// Whether the user asked for a stop.
pub(crate) fn is_interrupted(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<latents::Interrupted>() || is_library_interrupt(cause))
}

fn is_library_interrupt(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.downcast_ref::<latents::Error>().is_some_and(latents::Error::is_interrupted)
        || matches!(cause.downcast_ref(), Some(latents_study::Error::Interrupted(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_command_the_terminal() {
        assert_eq!(printable("a\tb\nc: é"), "a\tb\nc: é");
        assert_eq!(printable("\x1b[2J\u{9b}1m\r\x07"), r"\u{1b}[2J\u{9b}1m\r\u{7}");
    }
}
