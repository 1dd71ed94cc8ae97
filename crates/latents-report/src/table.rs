//! Tables of texts and numbers: rounded as Markdown for people, exact as CSV and JSON for programs.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::number::{significant, trimmed};

/// How a number is rounded for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// With this many significant digits, as for measurements: 0.02070, 1.500e-7.
    Significant(usize),
    /// With at most this many significant digits, as for settings: 0.001, 1.5e-7.
    UpTo(usize),
    /// With this many decimals, as for totals: 12.50.
    Decimals(usize),
}

/// A cell of a [`Table`].
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing.
    Empty,
    /// Any text.
    Text(String),
    /// An integer, always shown in full.
    Integer(i128),
    /// A number and its rounding for people. [`Cell::from`] uses four significant digits.
    Number(f64, Show),
}

/// Named columns and rows of cells.
///
/// ```
/// use latents_report::{Cell, Table};
///
/// let columns = vec!["model".into(), "loss".into()];
/// let table = Table { columns, rows: vec![vec![Cell::from("ae"), Cell::from(0.020_704_9)]] };
/// assert_eq!(table.markdown(), "\
/// | model |    loss |
/// | :---- | ------: |
/// | ae    | 0.02070 |
/// ");
/// assert_eq!(table.csv(), "model,loss\nae,0.0207049\n");
/// assert_eq!(table.json(), "[\n  {\"model\": \"ae\", \"loss\": 0.0207049}\n]\n");
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// Names of the columns; any text. In JSON, a repeated name gets a number.
    pub columns: Vec<String>,
    /// Cells in the order of the columns. Missing cells of a row are empty; cells beyond the named columns get columns of their
    /// own.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Writes `<stem>.md`, `<stem>.csv` and `<stem>.json` into `folder` and returns their paths. The folder is created if it does
    /// not exist. Each file is written whole or not at all.
    ///
    /// # Errors
    /// [`Error::File`] if a file cannot be written.
    pub fn save(&self, folder: &Path, stem: &str) -> Result<Vec<PathBuf>, Error> {
        let texts = [("md", self.markdown()), ("csv", self.csv()), ("json", self.json())];
        let mut written = vec![];
        for (kind, text) in texts {
            let path = folder.join(format!("{stem}.{kind}"));
            latents_files::write(&path, text.as_bytes())?;
            written.push(path);
        }
        Ok(written)
    }

    /// A table in GitHub Flavored Markdown, padded so that it is readable as plain text. Columns of numbers are aligned right; white
    /// space within a text becomes one space.
    #[must_use]
    pub fn markdown(&self) -> String {
        let names = self.names();
        let mut lines: Vec<Vec<String>> = vec![names.iter().map(|name| marked(name)).collect()];
        lines.extend(self.full_rows().map(|row| row.map(Cell::marked).collect()));
        let columns = 0..names.len();
        let length = |line: &Vec<String>, i: usize| line[i].chars().count();
        // A rule has at least three characters, and one more for the colon.
        let widths: Vec<usize> = columns
            .clone()
            .map(|i| lines.iter().map(|line| length(line, i)).max().unwrap_or(0).max(4))
            .collect();
        let right: Vec<bool> = columns.map(|i| self.is_numeric(i)).collect();
        let mut out = String::new();
        for (n, line) in lines.iter().enumerate() {
            for ((cell, &width), &right) in line.iter().zip(&widths).zip(&right) {
                // Writing to a string cannot fail.
                let _ = if right {
                    write!(out, "| {cell:>width$} ")
                } else {
                    write!(out, "| {cell:<width$} ")
                };
            }
            out.push_str("|\n");
            if n > 0 {
                continue;
            }
            for (&width, &right) in widths.iter().zip(&right) {
                let rule = "-".repeat(width - 1);
                let _ = if right { write!(out, "| {rule}: ") } else { write!(out, "| :{rule} ") };
            }
            out.push_str("|\n");
        }
        out
    }

    /// Comma-separated values with a header line, quoted as in RFC 4180, and texts that spreadsheets would take for formulas with a quote before
    /// them; lines end in a line feed. Numbers are exact: reading them
    /// gives the same bits. Numbers that are not finite are `NaN`, `inf` and `-inf`.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut out = String::new();
        let names = self.names();
        let mut line = |fields: Vec<String>| {
            let line = fields.iter().map(|field| quoted(field)).collect::<Vec<_>>().join(",");
            // A reader would skip an empty line.
            out.push_str(if line.is_empty() && !fields.is_empty() { "\"\"" } else { &line });
            out.push('\n');
        };
        line(names.iter().map(|name| latents_tables::csv_text(name).into_owned()).collect());
        for row in self.full_rows() {
            line(row.map(Cell::csv).collect());
        }
        out
    }

    /// A JSON array with one object per row, one per line, with its fields in the order of the columns. Numbers are exact; empty
    /// cells and numbers that are not finite are `null`.
    #[must_use]
    pub fn json(&self) -> String {
        let names = distinct(self.names());
        let keys: Vec<String> = names.into_iter().map(json_text).collect();
        let rows = self.full_rows().map(|row| {
            let fields = keys.iter().zip(row).map(|(key, cell)| format!("{key}: {}", cell.json()));
            format!("\n  {{{}}}", fields.collect::<Vec<_>>().join(", "))
        });
        let rows: Vec<String> = rows.collect();
        let end = if rows.is_empty() { "" } else { "\n" };
        format!("[{}{end}]\n", rows.join(","))
    }

    /// Names of all columns. A column without a name is called `column 3`.
    pub(crate) fn names(&self) -> Vec<String> {
        let most = self.rows.iter().map(Vec::len).max().unwrap_or(0).max(self.columns.len());
        let name =
            |i: usize| self.columns.get(i).cloned().unwrap_or_else(|| format!("column {}", i + 1));
        (0..most).map(name).collect()
    }

    /// All rows, with a cell in each column.
    pub(crate) fn full_rows(&self) -> impl Iterator<Item = impl Iterator<Item = &Cell>> {
        let most = self.names().len();
        self.rows.iter().map(move |row| (0..most).map(|i| row.get(i).unwrap_or(&Cell::Empty)))
    }

    /// Whether a column contains numbers and no text.
    pub(crate) fn is_numeric(&self, column: usize) -> bool {
        let cells = || self.rows.iter().filter_map(|row| row.get(column));
        cells().any(|cell| matches!(cell, Cell::Integer(_) | Cell::Number(..)))
            && !cells().any(|cell| matches!(cell, Cell::Text(_)))
    }
}

impl Cell {
    fn marked(&self) -> String {
        match self {
            Cell::Text(text) => marked(text),
            other => other.to_string(),
        }
    }

    /// As text for a cell of comma-separated values.
    fn csv(&self) -> String {
        match self {
            Cell::Text(text) => latents_tables::csv_text(text).into_owned(),
            cell => cell.exact(),
        }
    }

    fn exact(&self) -> String {
        match self {
            Cell::Empty => String::new(),
            Cell::Text(text) => text.clone(),
            Cell::Integer(v) => v.to_string(),
            // The shortest text that parses to exactly this number.
            Cell::Number(v, _) => format!("{v:?}"),
        }
    }

    fn json(&self) -> String {
        match self {
            Cell::Text(text) => json_text(text.clone()),
            Cell::Empty => "null".into(),
            Cell::Number(v, _) if !v.is_finite() => "null".into(),
            Cell::Integer(_) | Cell::Number(..) => self.exact(),
        }
    }
}

/// The cell as plain text, rounded for people.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Cell::Number(v, Show::Significant(digits)) => significant(*v, *digits),
            Cell::Number(v, Show::UpTo(digits)) => trimmed(&significant(*v, *digits)),
            Cell::Number(v, Show::Decimals(digits)) => {
                let text = format!("{v:.digits$}");
                // A number that is rounded to zero has no sign.
                let zero = text.chars().all(|c| matches!(c, '-' | '0' | '.'));
                if zero { text.replace('-', "") } else { text }
            }
            Cell::Empty | Cell::Text(_) | Cell::Integer(_) => self.exact(),
        })
    }
}

impl From<f64> for Cell {
    fn from(v: f64) -> Self {
        Self::Number(v, Show::Significant(4))
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Cell {
    fn from(v: i64) -> Self {
        Self::Integer(v.into())
    }
}

impl From<u64> for Cell {
    fn from(v: u64) -> Self {
        Self::Integer(v.into())
    }
}

impl From<usize> for Cell {
    fn from(v: usize) -> Self {
        Self::Integer(v as i128)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(v: Option<T>) -> Self {
        v.map_or(Self::Empty, Into::into)
    }
}

/// `text` escaped for Markdown, on one line.
pub(crate) fn marked(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let chars: Vec<char> = text.chars().collect();
    let word = |i: Option<usize>| i.and_then(|i| chars.get(i)).is_some_and(|c| c.is_alphanumeric());
    let mut out = String::new();
    for (i, &c) in chars.iter().enumerate() {
        let special = match c {
            '|' | '\\' | '`' | '*' | '<' | '[' | '~' => true,
            // Within a word it has no special meaning.
            '_' => !(word(i.checked_sub(1)) && word(Some(i + 1))),
            // Otherwise it does not begin an entity.
            '&' => word(Some(i + 1)) || chars.get(i + 1) == Some(&'#'),
            _ => false,
        };
        if special {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

fn json_text(text: String) -> String {
    serde_json::Value::from(text).to_string()
}

/// The names, with a number appended to repeated ones, because the keys of an object are unique.
fn distinct(names: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for name in names {
        let mut unique = name.clone();
        let mut n = 2;
        while out.contains(&unique) {
            unique = format!("{name} {n}");
            n += 1;
        }
        out.push(unique);
    }
    out
}

#[cfg(test)]
mod tests;
