//! The page as GitHub Flavored Markdown, readable as plain text too.

use std::fmt::Write as _;

use super::content::{Block, Page};
use super::names::Names;
use crate::table::{Cell, Table, marked};

pub(super) fn render(page: &Page, names: &Names) -> String {
    let mut out = format!("# {}\n", line(&page.title));
    let mut paragraph = |text: String| {
        if !text.is_empty() {
            let _ = write!(out, "\n{text}\n");
        }
    };
    paragraph(line(&page.lead));
    for notice in &page.notices {
        paragraph(format!("> {}", line(notice)));
    }
    if !page.summary.is_empty() {
        paragraph("## Summary".into());
        let findings = page.summary.iter().map(|finding| {
            let word = finding.tone.word().map(|word| format!("**{word}:** ")).unwrap_or_default();
            format!("- {word}{}", line(&finding.text))
        });
        paragraph(findings.collect::<Vec<_>>().join("\n"));
    }
    let mut block_names = names.blocks.iter();
    for section in &page.sections {
        paragraph(format!("## {}", line(&section.title)));
        for (block, name) in section.blocks.iter().zip(&mut block_names) {
            self::block(block, name, &mut paragraph);
        }
    }
    out
}

fn block(block: &Block, name: &str, paragraph: &mut impl FnMut(String)) {
    match block {
        Block::Heading(text) => paragraph(format!("### {}", line(text))),
        Block::Paragraph(text) => paragraph(line(text)),
        Block::Figure { id, picture, caption, alt } => {
            let alt = if alt.is_empty() { caption } else { alt };
            let (_, kind) = picture.file();
            paragraph(captioned(id, caption));
            paragraph(format!("![{}](figures/{name}.{kind})", line(alt).replace(']', "\\]")));
        }
        Block::Table { id, table, caption } => {
            paragraph(captioned(id, caption));
            paragraph(table.markdown().trim_end().to_owned());
        }
        Block::Settings { caption, entries } => {
            paragraph(line(caption));
            let columns = vec!["setting".to_owned(), "value".to_owned()];
            let row = |(name, value): &(String, String)| {
                vec![Cell::from(name.as_str()), Cell::from(value.as_str())]
            };
            let table = Table { columns, rows: entries.iter().map(row).collect() };
            paragraph(table.markdown().trim_end().to_owned());
        }
        Block::Code { caption, text } => {
            paragraph(line(caption));
            let fence = "`".repeat(longest_run(text, '`').max(2) + 1);
            paragraph(format!("{fence}\n{}\n{fence}", text.trim_end()));
        }
        Block::Explorer(_) => {
            paragraph("[report.html](report.html) has an interactive map of the latents.".into());
        }
    }
}

fn captioned(id: &str, caption: &str) -> String {
    if id.is_empty() { line(caption) } else { format!("**{}** {}", marked(id), line(caption)) }
}

/// A text as one line of Markdown, escaped so that it does not begin a heading, list or quotation.
fn line(text: &str) -> String {
    let text = marked(text);
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if digits > 0 && text[digits..].starts_with(['.', ')']) {
        return format!("{}\\{}", &text[..digits], &text[digits..]);
    }
    if text.starts_with(['#', '-', '+', '>', '=']) { format!("\\{text}") } else { text }
}

fn longest_run(text: &str, of: char) -> usize {
    text.split(|c| c != of).map(str::len).max().unwrap_or(0)
}
