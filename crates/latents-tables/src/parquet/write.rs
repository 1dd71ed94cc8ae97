//! Tables as Parquet files: Snappy, row groups of a fixed number of rows, nothing that differs from one run to the next.

use std::io;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::column::writer::ColumnWriterImpl;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int64Type,
};
use parquet::errors::Result as ParquetResult;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{ColumnPath, Type};

use crate::table::{Column, ColumnTable, Kind, Values};
use crate::{Error, Result};

/// Rows of a row group.
const GROUP: usize = 1 << 16;

/// Writes a table, and keys and values.
pub(crate) fn write(path: &Path, table: &ColumnTable, metadata: &[(&str, &str)]) -> Result<()> {
    // The crate may refuse a schema, for instance one of an empty name.
    let schema =
        schema(table).map_err(|e| Error::content(path, format!("it cannot be written ({e})")))?;
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_dictionary_enabled(false)
        .set_created_by("latents".into());
    for column in &table.columns {
        if matches!(column.values.kind(), Kind::Text | Kind::I64) {
            let path = ColumnPath::new(vec![column.name.clone()]);
            properties = properties.set_column_dictionary_enabled(path, true);
        }
    }
    if !metadata.is_empty() {
        let pair =
            |(key, value): &(&str, &str)| KeyValue::new((*key).to_owned(), (*value).to_owned());
        properties = properties.set_key_value_metadata(Some(metadata.iter().map(pair).collect()));
    }
    let properties = Arc::new(properties.build());
    latents_files::write_with(path, |out| {
        let mut writer =
            SerializedFileWriter::new(out, schema, properties).map_err(io::Error::other)?;
        let mut start = 0;
        while start < table.rows() {
            let end = table.rows().min(start + GROUP);
            let mut group = writer.next_row_group().map_err(io::Error::other)?;
            for column in &table.columns {
                let next = group.next_column().map_err(io::Error::other)?;
                let mut next = next.ok_or_else(|| io::Error::other("a column has no place"))?;
                write_column(&mut next, &column.values, start, end).map_err(io::Error::other)?;
                next.close().map_err(io::Error::other)?;
            }
            group.close().map_err(io::Error::other)?;
            start = end;
        }
        writer.close().map_err(io::Error::other)?;
        Ok(())
    })?;
    Ok(())
}

fn schema(table: &ColumnTable) -> ParquetResult<Arc<Type>> {
    let fields = table.columns.iter().map(|column| field(column).map(Arc::new));
    let fields = fields.collect::<ParquetResult<_>>()?;
    Ok(Arc::new(Type::group_type_builder("schema").with_fields(fields).build()?))
}

/// A column, each of whose values may be missing; a list's items may not.
fn field(column: &Column) -> ParquetResult<Type> {
    let (physical, logical) = match column.values.kind() {
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Bytes => (Physical::BYTE_ARRAY, None),
        Kind::Bool => (Physical::BOOLEAN, None),
        Kind::I64 | Kind::I64s => (Physical::INT64, None),
        Kind::F32 | Kind::F32s => (Physical::FLOAT, None),
        Kind::F64 | Kind::F64s => (Physical::DOUBLE, None),
    };
    if !column.values.kind().is_list() {
        return Type::primitive_type_builder(&column.name, physical)
            .with_logical_type(logical)
            .with_repetition(Repetition::OPTIONAL)
            .build();
    }
    let item = Type::primitive_type_builder("element", physical)
        .with_repetition(Repetition::REQUIRED)
        .build()?;
    let items = Type::group_type_builder("list")
        .with_repetition(Repetition::REPEATED)
        .with_fields(vec![Arc::new(item)])
        .build()?;
    Type::group_type_builder(&column.name)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(Some(LogicalType::List))
        .with_fields(vec![Arc::new(items)])
        .build()
}

fn write_column(
    out: &mut SerializedColumnWriter<'_>,
    values: &Values,
    start: usize,
    end: usize,
) -> ParquetResult<()> {
    match values {
        Values::Text(values) => singles(out.typed::<ByteArrayType>(), &values[start..end], |x| {
            ByteArray::from(x.as_str())
        }),
        Values::Bytes(values) => singles(out.typed::<ByteArrayType>(), &values[start..end], |x| {
            ByteArray::from(x.clone())
        }),
        Values::Bool(values) => singles(out.typed::<BoolType>(), &values[start..end], |&x| x),
        Values::I64(values) => singles(out.typed::<Int64Type>(), &values[start..end], |&x| x),
        Values::F32(values) => singles(out.typed::<FloatType>(), &values[start..end], |&x| x),
        Values::F64(values) => singles(out.typed::<DoubleType>(), &values[start..end], |&x| x),
        Values::I64s(values) => lists(out.typed::<Int64Type>(), &values[start..end]),
        Values::F32s(values) => lists(out.typed::<FloatType>(), &values[start..end]),
        Values::F64s(values) => lists(out.typed::<DoubleType>(), &values[start..end]),
    }
}

fn singles<T: DataType, U>(
    out: &mut ColumnWriterImpl<'_, T>,
    values: &[Option<U>],
    convert: impl Fn(&U) -> T::T,
) -> ParquetResult<()> {
    let levels: Vec<i16> = values.iter().map(|x| i16::from(x.is_some())).collect();
    let values: Vec<T::T> = values.iter().flatten().map(convert).collect();
    out.write_batch(&values, Some(&levels), None).map(|_| ())
}

fn lists<T: DataType>(
    out: &mut ColumnWriterImpl<'_, T>,
    values: &[Option<Vec<T::T>>],
) -> ParquetResult<()> {
    let (mut definitions, mut repetitions, mut items) = (vec![], vec![], vec![]);
    for list in values {
        // Level 0 is a missing list, 1 an empty one, 2 an item.
        let list = list.as_ref();
        let length = list.map_or(0, Vec::len);
        let level = if length > 0 { 2 } else { i16::from(list.is_some()) };
        definitions.extend(std::iter::repeat_n(level, length.max(1)));
        repetitions.push(0);
        repetitions.extend(std::iter::repeat_n(1, length.saturating_sub(1)));
        items.extend(list.into_iter().flatten().cloned());
    }
    out.write_batch(&items, Some(&definitions), Some(&repetitions)).map(|_| ())
}
