//! Parquet files that unpack to far more than they have are refused before memory is taken. No program writes such files by itself. That of a reader of images is bounded in
//! `latents-fuzz-readers`.

#![cfg(feature = "parquet")]
#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

use std::path::PathBuf;
use std::sync::Arc;

use latents_tables::TableFile;
use parquet::basic::{Compression, GzipLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FloatType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

/// A file with these columns, each of which has the same values, compressed by gzip.
fn file<T: DataType>(
    folder: &tempfile::TempDir,
    schema: &str,
    dictionary: bool,
    values: &[T::T],
    levels: Option<[Vec<i16>; 2]>,
) -> PathBuf {
    let path = folder.path().join("a.parquet");
    let properties = WriterProperties::builder()
        .set_compression(Compression::GZIP(GzipLevel::try_new(9).unwrap()))
        .set_dictionary_enabled(dictionary)
        .set_dictionary_page_size_limit(1 << 30)
        .set_data_page_size_limit(1 << 30)
        .set_data_page_row_count_limit(1 << 30)
        .build();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let out = std::fs::File::create(&path).unwrap();
    let mut writer = SerializedFileWriter::new(out, schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let [definitions, repetitions] = levels.map_or([None, None], |levels| levels.map(Some));
    while let Some(mut column) = group.next_column().unwrap() {
        let out = column.typed::<T>();
        out.write_batch(values, definitions.as_deref(), repetitions.as_deref()).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    path
}

/// Reads all columns, in batches of so many rows or as a whole.
fn read(path: &std::path::Path, rows: Option<usize>) -> Result<usize, String> {
    let table = TableFile::open(path).map_err(|e| e.to_string())?;
    let names: Vec<&str> = table.fields().iter().map(|field| field.name.as_str()).collect();
    let Some(rows) = rows else {
        return table.read().map(|table| table.rows()).map_err(|e| e.to_string());
    };
    let batches = table.batches(&names, rows).map_err(|e| e.to_string())?;
    batches.map(|batch| batch.map(|b| b.rows()).map_err(|e| e.to_string())).sum()
}

#[track_caller]
fn assert_refused(path: &std::path::Path, rows: Option<usize>, what: &str) {
    let said = read(path, rows).unwrap_err();
    assert!(said.contains("a.parquet: ") && said.contains(what), "{said}");
    assert!(said.contains("over 128 times as much"), "{said}");
}

#[test]
fn a_long_value_that_each_row_repeats() {
    let folder = tempfile::tempdir().unwrap();
    let values = vec![ByteArray::from(vec![0; 1 << 22]); 100];
    let schema = "message m { REQUIRED BYTE_ARRAY image; }";
    let path = file::<ByteArrayType>(&folder, schema, true, &values, None);
    // A batch is refused before it has more than 128 MiB; smaller ones are read.
    assert_refused(&path, Some(64), "column `image`: it unpacks");
    assert_eq!(read(&path, Some(16)), Ok(100));
    assert_refused(&path, None, "column `image`: it unpacks");
}

#[test]
fn a_page_of_zeros() {
    let folder = tempfile::tempdir().unwrap();
    let values = vec![0.0; 40 << 20];
    let path = file::<FloatType>(&folder, "message m { REQUIRED FLOAT x; }", false, &values, None);
    assert_refused(&path, Some(16), "a page unpacks from 16");
}

#[test]
fn pages_of_many_columns_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let columns: Vec<String> = (0..40).map(|i| format!("REQUIRED FLOAT x{i}; ")).collect();
    let columns = columns.concat();
    let values = vec![0.0; 1 << 20];
    let schema = format!("message m {{ {columns} }}");
    let path = file::<FloatType>(&folder, &schema, false, &values, None);
    assert_refused(&path, Some(16), "it unpacks");
}

#[test]
fn a_list_of_equal_numbers_in_one_row() {
    let folder = tempfile::tempdir().unwrap();
    let n = 16 << 20;
    let repetitions = (0..n).map(|i| i16::from(i > 0)).collect();
    let levels = Some([vec![1; n], repetitions]);
    let path =
        file::<FloatType>(&folder, "message m { REPEATED FLOAT x; }", true, &vec![0.0; n], levels);
    let said = read(&path, Some(1)).unwrap_err();
    assert!(said.contains("a.parquet: ") && said.contains("declares 16777216 values"), "{said}");
}
