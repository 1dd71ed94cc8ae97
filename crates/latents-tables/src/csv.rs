//! CSV as in RFC 4180. A first pass over the file finds the kinds of its columns; a second reads the rows.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use csv::{ByteRecord, ErrorKind, ReaderBuilder};
use latents_files::FileError;

use crate::table::{Column, ColumnTable, Field, Kind, Values, until_error};
use crate::{Error, Result};

/// How to read a CSV file, if the defaults do not recognise it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The separator; otherwise the most frequent of `,`, `;` and a tab in the first line.
    pub separator: Option<u8>,
    /// Whether the first line has the names of the columns; otherwise this is recognised.
    pub header: Option<bool>,
}

/// The most columns, as many as a spreadsheet has; images of 64 x 64 in colour are 12,288 numbers.
const MAX_COLUMNS: usize = 1 << 20;
/// Cells that mean a missing value where the other cells are no text.
const MISSING: [&str; 7] = ["NA", "N/A", "n/a", "#N/A", "null", "NULL", "None"];

/// What is known of a file.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) fields: Vec<Field>,
    pub(crate) header: bool,
    separator: u8,
    /// For each column, whether its numbers have decimal commas.
    commas: Vec<bool>,
}

/// What the cells of a column may all be.
#[allow(clippy::struct_excessive_bools)] // Each is true or not on its own.
#[derive(Clone, Debug)]
struct Guess {
    any: bool,
    whole: bool,
    number: bool,
    comma: bool,
    truth: bool,
    /// Whether a cell repeats that of the first line.
    repeats_first: bool,
}

impl Guess {
    fn add(&mut self, cell: &str, commas: bool) {
        if cell.is_empty() || MISSING.contains(&cell) {
            return;
        }
        self.any = true;
        self.truth &= truth(cell).is_some();
        self.whole &= whole(cell).is_some();
        self.number &= number(cell).is_some();
        self.comma &= commas && number_with_comma(cell).is_some();
    }

    fn has_numbers(&self) -> bool {
        matches!(self.kind(), Kind::I64 | Kind::F64)
    }

    fn kind(&self) -> Kind {
        match () {
            () if !self.any => Kind::Text,
            () if self.whole => Kind::I64,
            () if self.number || self.comma => Kind::F64,
            () if self.truth => Kind::Bool,
            () => Kind::Text,
        }
    }
}

fn truth(cell: &str) -> Option<bool> {
    match cell {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// A whole number. Digits after a leading zero are a name, such as `007`.
fn whole(cell: &str) -> Option<i64> {
    let cell = cell.trim_matches(' ');
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let canonical = digits.bytes().all(|b| b.is_ascii_digit())
        && !(digits.len() > 1 && digits.starts_with('0'));
    cell.parse().ok().filter(|_| canonical)
}

/// A number, but no name of digits and no whole number that would be rounded.
fn number(cell: &str) -> Option<f64> {
    let trimmed = cell.trim_matches(' ');
    if trimmed.bytes().all(|b| b.is_ascii_digit() || b == b'-') && whole(cell).is_none() {
        return None;
    }
    trimmed.parse().ok()
}

fn number_with_comma(cell: &str) -> Option<f64> {
    if cell.contains('.') { None } else { number(&cell.replacen(',', ".", 1)) }
}

/// Reads a file once and finds out what its columns are.
pub(crate) fn open(path: &Path, options: Options) -> Result<(usize, Layout)> {
    let separator = match options.separator {
        Some(separator) => separator,
        None => separator_of(path)?,
    };
    let mut lines = Lines::open(path, separator)?;
    if !lines.next()? {
        return Err(Error::content(path, "it is empty; expected is a table in CSV"));
    }
    let columns = lines.record.len();
    if columns > MAX_COLUMNS {
        let reason = format!("it has {columns} columns, more than {MAX_COLUMNS}");
        return Err(Error::content(path, reason));
    }
    let first = lines.cells()?;
    let commas = separator == b';';
    let blank = Guess {
        any: false,
        whole: true,
        number: true,
        comma: true,
        truth: true,
        repeats_first: false,
    };
    let mut guesses = vec![blank; first.len()];
    let mut rows = 0;
    while lines.next()? {
        for (i, (guess, first)) in guesses.iter_mut().zip(&first).enumerate() {
            let cell = lines.cell(i)?;
            guess.repeats_first |= !cell.is_empty() && cell == first;
            guess.add(cell, commas);
        }
        rows += 1;
    }
    let header = options.header.unwrap_or_else(|| is_header(&first, &guesses));
    let names: Vec<String> = if header {
        first.clone()
    } else {
        for (guess, cell) in guesses.iter_mut().zip(&first) {
            guess.add(cell, commas);
        }
        rows += 1;
        vec![String::new(); first.len()]
    };
    let mut fields: Vec<Field> = vec![];
    for (i, (name, guess)) in names.into_iter().zip(&guesses).enumerate() {
        let name =
            if name.is_empty() { format!("column {}", i + 1) } else { text_of(&name).into() };
        fields.push(Field { name, kind: guess.kind() });
    }
    let mut names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    names.sort_unstable();
    let twice = names.iter().zip(&names[1..]).find(|(a, b)| a == b);
    if let Some((twice, _)) = twice {
        return Err(Error::content(path, format!("two columns are named `{twice}`")));
    }
    let commas = guesses.iter().map(|guess| !guess.number && guess.comma).collect();
    Ok((rows, Layout { fields, header, separator, commas }))
}

/// Whether the first line has names: a text above numbers; or different texts, none of which occurs again below, and numbers only if
/// they count the columns.
fn is_header(first: &[String], guesses: &[Guess]) -> bool {
    let is_text = |cell: &str| {
        !cell.is_empty() && !MISSING.contains(&cell) && number_with_comma(cell).is_none()
    };
    let above_numbers = |(cell, guess): (&String, &Guess)| {
        is_text(cell) && number(cell).is_none() && guess.has_numbers()
    };
    if first.iter().zip(guesses).any(above_numbers) {
        return true;
    }
    let numbers: Vec<&String> = first.iter().filter(|cell| number(cell).is_some()).collect();
    let counted = numbers.iter().enumerate().all(|(i, cell)| **cell == i.to_string());
    let counts = numbers.len() > 2 || first[0].is_empty() || numbers.len() < first.len();
    if !(numbers.is_empty() || counted && counts) {
        return false;
    }
    let texts: Vec<&String> =
        first.iter().filter(|cell| !cell.is_empty() && number(cell).is_none()).collect();
    let mut different = texts.clone();
    different.sort_unstable();
    different.dedup();
    let repeats =
        first.iter().zip(guesses).any(|(c, guess)| number(c).is_none() && guess.repeats_first);
    let all_empty = texts.is_empty() && numbers.is_empty();
    !repeats && different.len() == texts.len() && !all_empty
}

/// The most frequent separator of the first line, outside quotes.
fn separator_of(path: &Path) -> Result<u8> {
    let file = File::open(path).map_err(FileError::on("read", path))?;
    let mut line = vec![];
    // A line of 16 MiB has a separator before its end.
    let mut start = std::io::Read::take(BufReader::new(file), 1 << 24);
    while line.iter().all(|b| matches!(b, b'\r' | b'\n' | b' ')) {
        line.clear();
        let read = start.read_until(b'\n', &mut line).map_err(FileError::on("read", path))?;
        if read == 0 {
            break;
        }
    }
    let mut counts = [(b',', 0usize), (b';', 0), (b'\t', 0)];
    let mut quoted = false;
    for byte in line {
        quoted ^= byte == b'"';
        for (separator, count) in &mut counts {
            *count += usize::from(!quoted && byte == *separator);
        }
    }
    // The first of the most frequent.
    let most = counts.iter().rev().max_by_key(|(_, count)| count);
    Ok(most.map_or(b',', |(separator, _)| *separator))
}

/// The records of a file.
struct Lines<'a> {
    path: &'a Path,
    reader: csv::Reader<File>,
    record: ByteRecord,
}

impl<'a> Lines<'a> {
    fn open(path: &'a Path, separator: u8) -> Result<Self> {
        let file = File::open(path).map_err(FileError::on("read", path))?;
        let reader = ReaderBuilder::new()
            .delimiter(separator)
            .has_headers(false)
            .buffer_capacity(1 << 16)
            .from_reader(file);
        Ok(Self { path, reader, record: ByteRecord::new() })
    }

    fn line(&self) -> u64 {
        self.record.position().map_or(1, csv::Position::line)
    }

    /// Reads the next record; `false` at the end.
    fn next(&mut self) -> Result<bool> {
        let line = self.reader.position().line();
        self.reader.read_byte_record(&mut self.record).map_err(|e| {
            let reason = match e.into_kind() {
                ErrorKind::Io(source) => {
                    return Error::File(FileError::on("read", self.path)(source));
                }
                ErrorKind::UnequalLengths { pos, expected_len, len } => {
                    let line = pos.map_or(line, |pos| pos.line());
                    format!(
                        "line {line} has {len} columns, but the lines before it have {expected_len}"
                    )
                }
                _ => format!("line {line} is no CSV"),
            };
            Error::content(self.path, reason)
        })
    }

    fn cell(&self, i: usize) -> Result<&str> {
        let cell = self.record.get(i).unwrap_or_default();
        str::from_utf8(cell).map_err(|_| {
            let reason = format!("line {}, column {}: the text is not UTF-8", self.line(), i + 1);
            Error::content(self.path, reason)
        })
    }

    fn cells(&self) -> Result<Vec<String>> {
        (0..self.record.len()).map(|i| self.cell(i).map(str::to_owned)).collect()
    }
}

/// Reads chosen columns in batches.
pub(crate) fn batches<'a>(
    path: &'a Path,
    layout: &'a Layout,
    chosen: Vec<usize>,
    rows: usize,
) -> Result<impl Iterator<Item = Result<ColumnTable>> + use<'a>> {
    let mut lines = Lines::open(path, layout.separator)?;
    let mut skip = layout.header;
    Ok(until_error(move || {
        let mut columns: Vec<Column> = chosen
            .iter()
            .map(|&i| Column::new(&layout.fields[i].name, layout.fields[i].kind.empty()))
            .collect();
        let mut read = 0;
        while read < rows && lines.next()? {
            if std::mem::take(&mut skip) {
                continue;
            }
            for (&i, column) in chosen.iter().zip(&mut columns) {
                if !push(&mut column.values, lines.cell(i)?, layout.commas[i]) {
                    let reason = format!(
                        "line {}: column `{}` no longer has {}; did the file change while it was read?",
                        lines.line(),
                        column.name,
                        layout.fields[i].kind
                    );
                    return Err(Error::content(path, reason));
                }
            }
            read += 1;
        }
        Ok((read > 0).then_some(ColumnTable { columns }))
    }))
}

/// Appends a cell; `false` if it is not of the column's kind.
fn push(values: &mut Values, cell: &str, comma: bool) -> bool {
    let is_missing = || cell.is_empty() || MISSING.contains(&cell);
    macro_rules! parsed {
        ($values:expr, $parsed:expr) => {{
            let parsed = $parsed;
            let fits = parsed.is_some() || is_missing();
            $values.push(parsed);
            fits
        }};
    }
    match values {
        Values::Text(values) => {
            values.push((!cell.is_empty()).then(|| text_of(cell).to_owned()));
            true
        }
        Values::I64(values) => parsed!(values, whole(cell)),
        Values::F64(values) if comma => parsed!(values, number_with_comma(cell)),
        Values::F64(values) => parsed!(values, number(cell)),
        Values::Bool(values) => parsed!(values, truth(cell)),
        _ => false,
    }
}

/// What spreadsheets take for the beginning of a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Whether a text, with any quotes before it, begins as a formula does and is no number.
fn is_formula(text: &str) -> bool {
    let unquoted = text.trim_start_matches('\'');
    unquoted.len() > 1 && unquoted.starts_with(FORMULA) && unquoted.parse::<f64>().is_err()
}

/// A text as a cell of a table that spreadsheets open: with a quote before what they would take for a formula, and run. [`TableFile`](crate::TableFile) takes
/// the quote away again.
///
/// ```
/// use latents_tables::csv_text;
///
/// assert_eq!(csv_text("=1+2"), "'=1+2");
/// assert_eq!(csv_text("cat.png"), "cat.png");
/// assert_eq!(csv_text("-1"), "-1");
/// ```
#[must_use]
pub fn csv_text(text: &str) -> Cow<'_, str> {
    if is_formula(text) { format!("'{text}").into() } else { text.into() }
}

/// The text that [`csv_text`] made a cell of.
fn text_of(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(text) if is_formula(text) => text,
        _ => cell,
    }
}

/// Writes a table.
pub(crate) fn write(path: &Path, table: &ColumnTable, separator: u8) -> Result<()> {
    for column in &table.columns {
        let kind = column.values.kind();
        if kind.is_list() || kind == Kind::Bytes {
            return Err(Error::Unwritable {
                path: path.to_owned(),
                name: column.name.clone(),
                kind,
            });
        }
    }
    latents_files::write_with(path, |out| {
        let mut writer = csv::WriterBuilder::new().delimiter(separator).from_writer(out);
        let names = table.columns.iter().map(|column| csv_text(&column.name));
        writer.write_record(names.map(|name| name.as_bytes().to_vec()))?;
        let mut cell = vec![];
        for row in 0..table.rows() {
            for column in &table.columns {
                cell.clear();
                print(&mut cell, &column.values, row)?;
                writer.write_field(&cell)?;
            }
            writer.write_record(None::<&[u8]>)?;
        }
        writer.flush()
    })?;
    Ok(())
}

/// Prints the cell of a row: numbers in as few digits as give them again, with a point or an exponent unless they are whole by kind.
fn print(cell: &mut Vec<u8>, values: &Values, row: usize) -> std::io::Result<()> {
    match values {
        Values::Text(values) => match &values[row] {
            Some(text) => write!(cell, "{}", csv_text(text)),
            None => Ok(()),
        },
        Values::F32(values) => values[row].map_or(Ok(()), |x| write!(cell, "{x:?}")),
        Values::F64(values) => values[row].map_or(Ok(()), |x| write!(cell, "{x:?}")),
        Values::I64(values) => values[row].map_or(Ok(()), |x| write!(cell, "{x}")),
        Values::Bool(values) => values[row].map_or(Ok(()), |x| write!(cell, "{x}")),
        Values::Bytes(_) | Values::F32s(_) | Values::F64s(_) | Values::I64s(_) => Ok(()),
    }
}
