//! Parquet files: what their columns are. Rows are read in `read`, tables written in `write`. The crate `parquet` decodes; what it would
//! believe of a damaged or hostile file is checked before, in `check`, and its panics become errors.

mod check;
mod read;
mod thrift;
mod write;

use std::collections::HashSet;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use latents_files::FileError;
use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::{ColumnDescriptor, Type};

pub(crate) use self::write::write;
use crate::table::Field;
use crate::table::Kind;
use crate::{Error, Result};

/// What is known of a file.
#[derive(Debug, PartialEq)]
pub(crate) struct Layout {
    rows: usize,
    fields: Vec<Field>,
    /// For each field, where it is in the file.
    leaves: Vec<Leaf>,
    unreadable: Vec<(String, String)>,
    metadata: Vec<(String, String)>,
}

/// A column of the file that has values.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Leaf {
    /// Its index among all leaves of the schema.
    index: usize,
    /// The definition level of a value that is there.
    value_level: i16,
    /// The definition level of an item of a list, which may itself be missing.
    item_level: i16,
    unsigned: bool,
    list: bool,
}

impl Layout {
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn fields(&self) -> &[Field] {
        &self.fields
    }

    pub(crate) fn unreadable(&self) -> &[(String, String)] {
        &self.unreadable
    }

    pub(crate) fn metadata(&self) -> &[(String, String)] {
        &self.metadata
    }
}

/// Calls a function of the crate `parquet`, whose panics become errors.
fn guarded<T>(path: &Path, call: impl FnOnce() -> Result<T>) -> Result<T> {
    let damaged = |_| Error::content(path, "it is not an intact Parquet file");
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Err(damaged(panic)))
}

fn damaged(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::content(path, format!("it is not an intact Parquet file ({error})"))
}

/// Reads what a file says of its columns.
pub(crate) fn open(path: &Path) -> Result<Layout> {
    guarded(path, || {
        let file = File::open(path).map_err(FileError::on("read", path))?;
        check::footer(&file).map_err(|reason| damaged(path, reason))?;
        let reader = SerializedFileReader::new(file).map_err(|e| damaged(path, e))?;
        layout(path, &reader)
    })
}

fn layout(path: &Path, reader: &SerializedFileReader<File>) -> Result<Layout> {
    let metadata = reader.metadata();
    let size = std::fs::metadata(path).map_err(FileError::on("read", path))?.len();
    let mut rows = 0usize;
    for group in metadata.row_groups() {
        let more = usize::try_from(group.num_rows()).ok();
        rows = more.and_then(|more| rows.checked_add(more)).ok_or_else(|| damaged(path, "rows"))?;
    }
    // A run of equal values takes few bytes, but no table is all runs.
    if rows as u64 > size.saturating_mul(1 << 10).max(1 << 20) {
        return Err(damaged(path, format!("{rows} rows in {size} bytes")));
    }
    let schema = metadata.file_metadata().schema_descr();
    let mut names = vec![];
    for child in schema.root_schema().get_fields() {
        walk(child, child.name().to_owned(), &mut names);
    }
    if names.len() != schema.num_columns() {
        return Err(damaged(path, "its schema has other columns than its root"));
    }
    let (mut fields, mut leaves, mut unreadable): (Vec<Field>, _, _) = (vec![], vec![], vec![]);
    let mut seen = HashSet::new();
    let codecs =
        |i: usize| metadata.row_groups().iter().map(move |group| group.column(i).compression());
    for (index, name) in names.into_iter().enumerate() {
        let column = schema.column(index);
        let kind = kind(&column).and_then(|kind| check::codecs(codecs(index)).map(|()| kind));
        if seen.contains(&name) {
            return Err(Error::content(path, format!("two columns are named `{name}`")));
        }
        match kind {
            Err(why) => unreadable.push((name, why)),
            Ok((kind, unsigned)) => {
                seen.insert(name.clone());
                fields.push(Field { name, kind });
                leaves.push(Leaf {
                    index,
                    value_level: column.max_def_level(),
                    item_level: column.repeated_ancestor_def_level(),
                    unsigned,
                    list: column.max_rep_level() > 0,
                });
            }
        }
    }
    let pairs = metadata.file_metadata().key_value_metadata().into_iter().flatten();
    let metadata = pairs.filter_map(|pair| Some((pair.key.clone(), pair.value.clone()?))).collect();
    Ok(Layout { rows, fields, leaves, unreadable, metadata })
}

/// The names of the leaves of a node, in order. The groups around the items of a list have no place in a name.
fn walk(node: &Type, name: String, names: &mut Vec<String>) {
    if node.is_primitive() {
        names.push(name);
        return;
    }
    let info = node.get_basic_info();
    let is_list = info.converted_type() == ConvertedType::LIST
        || info.logical_type_ref() == Some(&LogicalType::List);
    let children = match node.get_fields() {
        [items] if is_list && is_repeated(items) && items.is_primitive() => {
            names.push(name);
            return;
        }
        [items] if is_list && is_repeated(items) => items.get_fields(),
        children => children,
    };
    if let ([item], true) = (children, is_list) {
        return walk(item, name, names);
    }
    for child in children {
        walk(child, format!("{name}.{}", child.name()), names);
    }
}

fn is_repeated(node: &Type) -> bool {
    let info = node.get_basic_info();
    info.has_repetition() && info.repetition() == Repetition::REPEATED
}

/// The kind of a column and whether its numbers have no sign, or why it cannot be read.
fn kind(column: &ColumnDescriptor) -> Result<(Kind, bool), String> {
    use ConvertedType as Old;
    use LogicalType as New;
    let unsupported = |what: &str| Err(format!("it has {what}, which are not supported"));
    let (new, old) = (column.logical_type_ref(), column.converted_type());
    let unsigned = matches!(new, Some(New::Integer(int)) if !int.is_signed)
        || matches!(old, Old::UINT_8 | Old::UINT_16 | Old::UINT_32 | Old::UINT_64);
    let single = match (column.physical_type(), new, old) {
        (_, Some(New::Decimal(_)), _) | (_, _, Old::DECIMAL) => return unsupported("decimals"),
        (_, Some(New::Date | New::Time(_) | New::Timestamp(_)), _)
        | (
            _,
            _,
            Old::DATE
            | Old::TIME_MILLIS
            | Old::TIME_MICROS
            | Old::TIMESTAMP_MILLIS
            | Old::TIMESTAMP_MICROS
            | Old::INTERVAL,
        )
        | (Physical::INT96, _, _) => return unsupported("dates or times"),
        (Physical::BOOLEAN, _, _) => Kind::Bool,
        (Physical::INT32 | Physical::INT64, _, _) => Kind::I64,
        (Physical::FLOAT, _, _) | (Physical::FIXED_LEN_BYTE_ARRAY, Some(New::Float16), _) => {
            Kind::F32
        }
        (Physical::DOUBLE, _, _) => Kind::F64,
        (Physical::BYTE_ARRAY, Some(New::String | New::Enum | New::Json), _)
        | (Physical::BYTE_ARRAY, _, Old::UTF8 | Old::ENUM | Old::JSON) => Kind::Text,
        (Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY, _, _) => Kind::Bytes,
    };
    let kind = match (column.max_rep_level(), single) {
        (0, single) => single,
        (1, Kind::F32) => Kind::F32s,
        (1, Kind::F64) => Kind::F64s,
        (1, Kind::I64) => Kind::I64s,
        (1, other) => return unsupported(&format!("lists of {other}")),
        _ => return unsupported("lists of lists"),
    };
    Ok((kind, unsigned))
}
