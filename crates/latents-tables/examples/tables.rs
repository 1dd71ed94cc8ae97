//! Writes a table of every kind of column as `table.parquet` and as much of it as CSV holds as `table.csv`, into a folder:
//! `cargo run -p latents-tables --features parquet --example tables -- FOLDER`. `cargo xtask interop` reads both by pandas and pyarrow.

use std::path::PathBuf;

use latents_tables::{Column, ColumnTable, Values, write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("expected: FOLDER")?);
    let text = [Some("a".into()), None, Some("ä, \"b\"\nc".into())];
    let mut columns = vec![
        Column::new("text", Values::Text(text.to_vec())),
        Column::new("f32", Values::F32(vec![Some(0.1), None, Some(-1e-30)])),
        Column::new("f64", Values::F64(vec![Some(0.1), None, Some(f64::INFINITY)])),
        Column::new("i64", Values::I64(vec![Some(i64::MIN), None, Some(7)])),
        Column::new("bool", Values::Bool(vec![Some(true), None, Some(false)])),
    ];
    write(&folder.join("table.csv"), &ColumnTable::new(columns.clone())?)?;
    columns.extend([
        Column::new("bytes", Values::Bytes(vec![Some(vec![0, 255]), None, Some(vec![])])),
        Column::new("f32s", Values::F32s(vec![Some(vec![0.5, 1.5]), None, Some(vec![])])),
        Column::new("f64s", Values::F64s(vec![Some(vec![0.1]), None, Some(vec![0.2, 0.3])])),
        Column::new("i64s", Values::I64s(vec![Some(vec![1, 2, 3]), None, Some(vec![-4])])),
    ]);
    write(&folder.join("table.parquet"), &ColumnTable::new(columns)?)?;
    Ok(())
}
