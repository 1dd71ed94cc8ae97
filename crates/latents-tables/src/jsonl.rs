//! JSON lines: an object on each line. A first pass over the file finds the columns and their kinds; a second reads the rows.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use latents_files::FileError;
use serde_json::Value;

use crate::table::{Column, ColumnTable, Field, Kind, Values, until_error};
use crate::{Error, Result};

/// What a value may be, from the most special to the most general.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Nothing but missing values.
    Missing,
    Bool,
    Whole,
    Number,
    Text,
    /// Lists without items.
    Nothings,
    Wholes,
    Numbers,
}

impl Shape {
    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Missing,
            Value::Bool(_) => Self::Bool,
            Value::Number(n) if n.is_i64() => Self::Whole,
            // A whole number that would be rounded is a name.
            Value::Number(n) if n.is_u64() => Self::Text,
            Value::Number(_) => Self::Number,
            Value::String(_) | Value::Object(_) => Self::Text,
            Value::Array(items) => {
                items.iter().map(Self::of).fold(Self::Nothings, |all, item| match (all, item) {
                    (Self::Nothings | Self::Wholes, Self::Whole) => Self::Wholes,
                    (Self::Nothings | Self::Wholes | Self::Numbers, Self::Whole | Self::Number) => {
                        Self::Numbers
                    }
                    _ => Self::Text,
                })
            }
        }
    }

    /// What both are.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::Missing, x)
            | (x, Self::Missing)
            | (Self::Nothings, x @ (Self::Wholes | Self::Numbers))
            | (x @ (Self::Wholes | Self::Numbers), Self::Nothings) => x,
            (Self::Whole, Self::Number) | (Self::Number, Self::Whole) => Self::Number,
            (Self::Wholes, Self::Numbers) | (Self::Numbers, Self::Wholes) => Self::Numbers,
            _ => Self::Text,
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Bool => Kind::Bool,
            Self::Whole => Kind::I64,
            Self::Number => Kind::F64,
            Self::Missing | Self::Text => Kind::Text,
            Self::Wholes => Kind::I64s,
            Self::Nothings | Self::Numbers => Kind::F64s,
        }
    }
}

/// Calls a function with the dotted name and the value of everything in an object that is not itself an object.
fn flatten(prefix: &str, value: Value, see: &mut impl FnMut(String, Value)) {
    let Value::Object(object) = value else { return };
    for (key, value) in object {
        let name = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
        match value {
            Value::Object(_) => flatten(&name, value, see),
            value => see(name, value),
        }
    }
}

struct Lines<'a> {
    path: &'a Path,
    reader: BufReader<File>,
    line: Vec<u8>,
    number: usize,
}

impl<'a> Lines<'a> {
    fn open(path: &'a Path) -> Result<Self> {
        let file = File::open(path).map_err(FileError::on("read", path))?;
        Ok(Self { path, reader: BufReader::new(file), line: vec![], number: 0 })
    }

    /// The object of the next line that is not blank.
    fn next(&mut self) -> Result<Option<Value>> {
        loop {
            self.line.clear();
            let read = self.reader.read_until(b'\n', &mut self.line);
            if read.map_err(FileError::on("read", self.path))? == 0 {
                return Ok(None);
            }
            self.number += 1;
            let mark = if self.number == 1 { &b"\xef\xbb\xbf"[..] } else { b"" };
            let text = self.line.strip_prefix(mark).unwrap_or(&self.line);
            if text.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let value: Value = serde_json::from_slice(text).map_err(|e| {
                let reason = format!("line {} is not JSON: {e}", self.number);
                Error::content(self.path, reason)
            })?;
            if !value.is_object() {
                let reason = format!("line {} is not a JSON object {{...}}", self.number);
                return Err(Error::content(self.path, reason));
            }
            return Ok(Some(value));
        }
    }
}

/// Reads a file once and finds out its columns, in the order in which they appear.
pub(crate) fn open(path: &Path) -> Result<(usize, Vec<Field>)> {
    let mut lines = Lines::open(path)?;
    let mut index: HashMap<String, usize> = HashMap::new();
    let mut found: Vec<(String, Shape)> = vec![];
    let (mut rows, mut cells) = (0usize, 0usize);
    while let Some(value) = lines.next()? {
        flatten("", value, &mut |name, value| {
            cells += 1;
            let shape = Shape::of(&value);
            if let Some(&i) = index.get(&name) {
                found[i].1 = found[i].1.or(shape);
            } else {
                index.insert(name.clone(), found.len());
                found.push((name, shape));
            }
        });
        rows += 1;
    }
    // A row needs memory for each column, also for those that it lacks.
    if rows.saturating_mul(found.len()) > cells.saturating_mul(16).max(1 << 20) {
        let reason = format!(
            "its {rows} lines have {} different names, most of which each line lacks",
            found.len()
        );
        return Err(Error::content(path, reason));
    }
    let fields = found.into_iter().map(|(name, shape)| Field { name, kind: shape.kind() });
    Ok((rows, fields.collect()))
}

/// Reads chosen columns in batches.
pub(crate) fn batches<'a>(
    path: &'a Path,
    fields: &'a [Field],
    chosen: Vec<usize>,
    rows: usize,
) -> Result<impl Iterator<Item = Result<ColumnTable>> + use<'a>> {
    let mut lines = Lines::open(path)?;
    Ok(until_error(move || {
        let mut columns: Vec<Column> =
            chosen.iter().map(|&i| Column::new(&fields[i].name, fields[i].kind.empty())).collect();
        let mut read = 0;
        while read < rows {
            let Some(value) = lines.next()? else { break };
            let mut cells = HashMap::new();
            flatten("", value, &mut |name, value| {
                cells.insert(name, value);
            });
            for column in &mut columns {
                let value = cells.get(&column.name).unwrap_or(&Value::Null);
                push(&mut column.values, value);
            }
            read += 1;
        }
        Ok((read > 0).then_some(ColumnTable { columns }))
    }))
}

fn push(values: &mut Values, value: &Value) {
    let items = value.as_array();
    match values {
        Values::Text(values) => values.push(match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }),
        Values::F64(values) => values.push(value.as_f64()),
        Values::I64(values) => values.push(value.as_i64()),
        Values::Bool(values) => values.push(value.as_bool()),
        Values::F64s(values) => {
            values.push(items.map(|items| items.iter().filter_map(Value::as_f64).collect()));
        }
        Values::I64s(values) => {
            values.push(items.map(|items| items.iter().filter_map(Value::as_i64).collect()));
        }
        Values::F32(_) | Values::F32s(_) | Values::Bytes(_) => {}
    }
}
