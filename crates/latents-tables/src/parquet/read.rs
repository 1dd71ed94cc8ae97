//! The rows of a Parquet file, in batches over its row groups.

use std::fs::File;
use std::path::Path;

use latents_files::FileError;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::{Layout, Leaf, check, damaged, guarded, layout};
use crate::expansion::check_expansion;
use crate::table::until_error;
use crate::table::{Column, ColumnTable, Values};
use crate::{Error, Result};

impl Layout {
    /// Reads chosen columns in batches.
    pub(crate) fn batches<'a>(
        &'a self,
        path: &'a Path,
        chosen: Vec<usize>,
        rows: usize,
    ) -> Result<impl Iterator<Item = Result<ColumnTable>> + use<'a>> {
        let mut groups = guarded(path, || {
            let file = File::open(path).map_err(FileError::on("read", path))?;
            let pages = file.try_clone().map_err(FileError::on("read", path))?;
            check::footer(&file).map_err(|reason| damaged(path, reason))?;
            let reader = SerializedFileReader::new(file).map_err(|e| damaged(path, e))?;
            if layout(path, &reader)? != *self {
                return Err(Error::content(path, "the file changed after it was opened"));
            }
            let size = pages.metadata().map_err(FileError::on("read", path))?.len();
            Ok(Groups { path, reader, file: pages, size, next: 0, columns: vec![], left: 0 })
        })?;
        let leaves: Vec<Leaf> = chosen.iter().map(|&i| self.leaves[i]).collect();
        Ok(until_error(move || {
            let mut columns: Vec<Column> = chosen
                .iter()
                .map(|&i| Column::new(&self.fields[i].name, self.fields[i].kind.empty()))
                .collect();
            let mut room = Room { packed: groups.size, taken: 0 };
            let mut read = 0;
            while read < rows {
                if groups.left == 0 && !guarded(path, || groups.advance(&leaves))? {
                    break;
                }
                let n = groups.left.min(rows - read);
                for ((reader, leaf), column) in
                    groups.columns.iter_mut().zip(&leaves).zip(&mut columns)
                {
                    guarded(path, || {
                        append(reader, leaf, n, &mut column.values, &mut room).map_err(|reason| {
                            damaged(path, format!("column `{}`: {reason}", column.name))
                        })
                    })?;
                }
                groups.left -= n;
                read += n;
            }
            Ok((read > 0).then_some(ColumnTable { columns }))
        }))
    }
}

/// The row groups of a file.
struct Groups<'a> {
    path: &'a Path,
    reader: SerializedFileReader<File>,
    file: File,
    /// Bytes of the file.
    size: u64,
    next: usize,
    /// Readers of the chosen columns in the present row group.
    columns: Vec<ColumnReader>,
    /// Rows of it that were not read yet.
    left: usize,
}

impl Groups<'_> {
    /// Goes to the next row group with rows; `false` at the end.
    fn advance(&mut self, leaves: &[Leaf]) -> Result<bool> {
        while self.left == 0 {
            if self.next == self.reader.num_row_groups() {
                return Ok(false);
            }
            let damaged = |error: &dyn std::fmt::Display| damaged(self.path, error);
            let group = self.reader.get_row_group(self.next).map_err(|e| damaged(&e))?;
            self.left = usize::try_from(group.metadata().num_rows()).map_err(|e| damaged(&e))?;
            self.columns.clear();
            let mut room = Room { packed: self.size, taken: 0 };
            for leaf in leaves {
                let column = group.metadata().column(leaf.index);
                let pages = check::pages(&self.file, column).map_err(|reason| damaged(&reason))?;
                // A page of each column is in memory; and a row may have all values of a list.
                let of_lists = if leaf.list { LIST_ITEM * pages.values } else { 0 };
                room.take(pages.raw.saturating_add(of_lists)).map_err(|reason| damaged(&reason))?;
                self.columns.push(group.get_column_reader(leaf.index).map_err(|e| damaged(&e))?);
            }
            self.next += 1;
        }
        Ok(true)
    }
}

/// Bytes of an item of a list while it is read: its value and its levels.
const LIST_ITEM: u64 = 12;

/// How much of what is read may be in memory at once, beside how much the file has: places in a dictionary repeat long values.
struct Room {
    packed: u64,
    taken: u64,
}

impl Room {
    fn take(&mut self, bytes: u64) -> Result<(), String> {
        self.taken = self.taken.saturating_add(bytes);
        check_expansion("it", self.packed, self.taken).map_err(|e| e.to_string())
    }
}

/// The levels and the values of some rows.
struct Rows<T> {
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
    values: Vec<T>,
}

fn read<T: DataType>(reader: &mut ColumnReaderImpl<T>, rows: usize) -> Result<Rows<T::T>, String> {
    let mut read = Rows { definitions: vec![], repetitions: vec![], values: vec![] };
    let mut done = 0;
    while done < rows {
        let (definitions, repetitions) = (&mut read.definitions, &mut read.repetitions);
        let (more, _, _) = reader
            .read_records(rows - done, Some(definitions), Some(repetitions), &mut read.values)
            .map_err(|e| e.to_string())?;
        if more == 0 {
            return Err("it has fewer rows than its row group".into());
        }
        done += more;
    }
    Ok(read)
}

/// One value for each row.
fn singles<T, U>(
    rows: Rows<T>,
    n: usize,
    leaf: &Leaf,
    mut convert: impl FnMut(T) -> Result<U, String>,
    out: &mut Vec<Option<U>>,
) -> Result<(), String> {
    let mut values = rows.values.into_iter();
    if leaf.value_level == 0 {
        for value in values {
            out.push(Some(convert(value)?));
        }
        return Ok(());
    }
    if rows.definitions.len() != n {
        return Err("its levels do not match its rows".into());
    }
    for level in rows.definitions {
        let value = if level == leaf.value_level {
            let value = values.next().ok_or("it has fewer values than its levels say")?;
            Some(convert(value)?)
        } else {
            None
        };
        out.push(value);
    }
    Ok(())
}

/// One list for each row. An item that is missing is what `missing` gives, or an error.
fn lists<T, U>(
    rows: Rows<T>,
    n: usize,
    leaf: &Leaf,
    convert: impl Fn(T) -> Result<U, String>,
    missing: impl Fn() -> Result<U, String>,
    out: &mut Vec<Option<Vec<U>>>,
) -> Result<(), String> {
    let mut values = rows.values.into_iter();
    let levels = rows.definitions.len();
    if levels != rows.repetitions.len() || levels < n {
        return Err("its levels do not match its rows".into());
    }
    let start = out.len();
    for (level, repetition) in rows.definitions.into_iter().zip(rows.repetitions) {
        if repetition == 0 {
            // An empty list is one level below its items.
            out.push((level + 1 >= leaf.item_level).then(Vec::new));
        }
        if level < leaf.item_level {
            continue;
        }
        let item = if level == leaf.value_level {
            convert(values.next().ok_or("it has fewer values than its levels say")?)?
        } else {
            missing()?
        };
        let list = out.last_mut().and_then(Option::as_mut);
        list.ok_or("its levels are not those of a list")?.push(item);
    }
    if out.len() - start != n {
        return Err("its levels do not match its rows".into());
    }
    Ok(())
}

/// The bytes of a value, if there is room for a copy.
fn taken<'a>(bytes: &'a [u8], room: &mut Room) -> Result<&'a [u8], String> {
    room.take(bytes.len() as u64)?;
    Ok(bytes)
}

/// Reads so many rows of a column.
fn append(
    reader: &mut ColumnReader,
    leaf: &Leaf,
    n: usize,
    values: &mut Values,
    room: &mut Room,
) -> Result<(), String> {
    use ColumnReader as R;
    use Values as V;
    let start = values.len();
    let unsigned = leaf.unsigned;
    let int = |x: i32| Ok(if unsigned { i64::from(x as u32) } else { i64::from(x) });
    let long = |x: i64| {
        if unsigned && x < 0 {
            return Err(format!("the number {} is too large", x as u64));
        }
        Ok(x)
    };
    let hole = || Err("a whole number in a list is missing".to_owned());
    let half = |bytes: &[u8]| match bytes {
        &[a, b] => Ok(half::f16::from_le_bytes([a, b]).to_f32()),
        _ => Err("a number has another size than its type".to_owned()),
    };
    let text = |bytes: &[u8]| {
        str::from_utf8(bytes).map(str::to_owned).map_err(|_| "its text is not UTF-8".to_owned())
    };
    match (reader, &mut *values) {
        (R::BoolColumnReader(r), V::Bool(out)) => singles(read(r, n)?, n, leaf, Ok, out),
        (R::Int32ColumnReader(r), V::I64(out)) => singles(read(r, n)?, n, leaf, int, out),
        (R::Int64ColumnReader(r), V::I64(out)) => singles(read(r, n)?, n, leaf, long, out),
        (R::FloatColumnReader(r), V::F32(out)) => singles(read(r, n)?, n, leaf, Ok, out),
        (R::DoubleColumnReader(r), V::F64(out)) => singles(read(r, n)?, n, leaf, Ok, out),
        (R::ByteArrayColumnReader(r), V::Text(out)) => {
            singles(read(r, n)?, n, leaf, |x| text(taken(x.data(), room)?), out)
        }
        (R::ByteArrayColumnReader(r), V::Bytes(out)) => {
            singles(read(r, n)?, n, leaf, |x| Ok(taken(x.data(), room)?.to_vec()), out)
        }
        (R::FixedLenByteArrayColumnReader(r), V::Bytes(out)) => {
            singles(read(r, n)?, n, leaf, |x| Ok(taken(x.data(), room)?.to_vec()), out)
        }
        (R::FixedLenByteArrayColumnReader(r), V::F32(out)) => {
            singles(read(r, n)?, n, leaf, |x| half(x.data()), out)
        }
        (R::FloatColumnReader(r), V::F32s(out)) => {
            lists(read(r, n)?, n, leaf, Ok, || Ok(f32::NAN), out)
        }
        (R::FixedLenByteArrayColumnReader(r), V::F32s(out)) => {
            lists(read(r, n)?, n, leaf, |x| half(x.data()), || Ok(f32::NAN), out)
        }
        (R::DoubleColumnReader(r), V::F64s(out)) => {
            lists(read(r, n)?, n, leaf, Ok, || Ok(f64::NAN), out)
        }
        (R::Int32ColumnReader(r), V::I64s(out)) => lists(read(r, n)?, n, leaf, int, hole, out),
        (R::Int64ColumnReader(r), V::I64s(out)) => lists(read(r, n)?, n, leaf, long, hole, out),
        _ => Err("it is of another type than the schema says".into()),
    }?;
    if values.len() - start != n {
        return Err("it has another number of rows than its row group".into());
    }
    Ok(())
}
