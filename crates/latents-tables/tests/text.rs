//! CSV and JSON lines as people write them, and tables that come back from the files that are written.

#![allow(clippy::unwrap_used)] // A failure is a failure of the test.

use std::path::PathBuf;

#[cfg(feature = "parquet")]
use latents_tables::Field;
use latents_tables::{Column, ColumnTable, Error, Kind, Options, TableFile, Values, write};
use proptest::prelude::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

fn read(name: &str, content: impl AsRef<[u8]>) -> Result<(bool, ColumnTable), String> {
    let folder = Folder::new();
    let path = folder.file(name, content);
    let file = TableFile::open(&path).map_err(|e| e.to_string())?;
    Ok((file.is_named(), file.read().map_err(|e| e.to_string())?))
}

fn csv(content: &str) -> (bool, ColumnTable) {
    read("a.csv", content).unwrap()
}

fn names(table: &ColumnTable) -> Vec<&str> {
    table.columns.iter().map(|column| column.name.as_str()).collect()
}

fn texts(values: &[&str]) -> Values {
    Values::Text(values.iter().map(|&x| (!x.is_empty()).then(|| x.to_owned())).collect())
}

fn ints(values: &[i64]) -> Values {
    Values::I64(values.iter().copied().map(Some).collect())
}

#[test]
fn csv_as_the_standard_says() {
    let (_, table) =
        csv("\u{feff}name,text,n\r\na,\"two\r\nlines, \"\"quoted\"\"\",1\r\nb,\"\",\r\n\r\n");
    assert_eq!(names(&table), ["name", "text", "n"]);
    assert_eq!(table.columns[1].values, texts(&["two\r\nlines, \"quoted\"", ""]));
    assert_eq!(table.columns[2].values, Values::I64(vec![Some(1), None]));
    for (separator, name) in [(",", "a.csv"), (";", "a.csv"), ("\t", "a.csv"), ("\t", "a.tsv")] {
        let content = format!("name{separator}\"a,b;c\"\nx{separator}1\ny{separator}2");
        let (_, table) = read(name, content).unwrap();
        assert_eq!(names(&table), ["name", "a,b;c"], "{separator:?}");
        assert_eq!(table.columns[1].values, ints(&[1, 2]));
    }
}

#[test]
fn kinds_fit_all_cells() {
    let kind = |cells: &str| csv(&format!("x,k\n{cells}")).1.columns[0].values.kind();
    for (cells, expected) in [
        ("1,\n-2,", Kind::I64),
        ("1,\n2.5,", Kind::F64),
        ("1e-3,\nnan,\n-inf,", Kind::F64),
        ("1,\n,\nNA,", Kind::I64),
        ("true,\nFalse,", Kind::Bool),
        ("true,\n1,", Kind::Text),
        // Names of digits keep their zeros; numbers that would be rounded keep their digits.
        ("007,\n008,", Kind::Text),
        ("12345678901234567890,\n1,", Kind::Text),
        ("1,\nNA,\nb,", Kind::Text),
        ("1;5,\n2,", Kind::Text),
        (",\n,", Kind::Text),
    ] {
        assert_eq!(kind(cells), expected, "{cells}");
    }
    let (_, table) = csv("x;y\n0,5;1\n-2,25;2\n");
    assert_eq!(table.columns[0].values, Values::F64(vec![Some(0.5), Some(-2.25)]));
    let (_, table) = csv("x,k\nNA,1\n,2\n");
    assert_eq!(table.columns[0].values, texts(&["NA", ""]), "a word, if it is the only one");
}

#[test]
fn a_line_of_names_is_recognised() {
    for (content, named) in [
        ("name,label\na,1\nb,2", true),
        ("a.png,cat\nb.png,dog\nc.png,cat", false),
        ("0.5,0.25\n1,2", false),
        ("0,1\n2,3", false),
        ("0,1,2,3\n0.5,0.1,0.2,0.3", true),
        (",0,1\n7,0.5,0.1", true),
        ("name,0,1\na,0.5,0.1", true),
        ("name,z1,2\na,0.5,0.1", true),
        ("x,x\na,b", false),
        ("only", true),
    ] {
        let (is_named, table) = csv(content);
        assert_eq!(is_named, named, "{content}");
        let rows = content.lines().count() - usize::from(named);
        assert_eq!(table.rows(), rows, "{content}");
    }
    let (_, table) = csv("0.5,0.25\n1,2");
    assert_eq!(names(&table), ["column 1", "column 2"]);
    let folder = Folder::new();
    let path = folder.file("a.csv", "a|b\nc|d\n");
    let options = Options { separator: Some(b'|'), header: Some(false) };
    let file = TableFile::open_with(&path, options).unwrap();
    assert_eq!((file.rows(), file.fields().len(), file.is_named()), (2, 2, false));
}

#[test]
fn what_is_no_csv_has_a_reason() {
    for (content, expected) in [
        (&b""[..], "a.csv: it is empty"),
        (b"a,b\n1,2\n3\n", "line 3 has 1 columns, but the lines before it have 2"),
        (b"a,b\n1,2\n3,\xff\n", "line 3, column 2: the text is not UTF-8"),
        (b"a,b,a\n1,2,x\n", "two columns are named `a`"),
    ] {
        let said = read("a.csv", content).unwrap_err();
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let said = read("a.xlsx", b"PK").unwrap_err();
    let expected =
        "a.xlsx: unknown ending; known are .csv, .tsv, .txt, .jsonl, .ndjson, .parquet, .pq";
    assert!(said.ends_with(expected), "{said}");
}

#[test]
fn json_lines_become_columns() {
    let content = r#"
{"file": "a.png", "label": 1, "meta": {"size": [2, 3], "deep": {"x": 0.5}}, "z": [1, 2.5], "mixed": 1, "tags": ["a", "b"]}

{"label": null, "file": "b.png", "z": [], "mixed": "x", "ok": true, "big": 18446744073709551615}"#;
    let (_, table) = read("a.jsonl", content).unwrap();
    let expected = ["file", "label", "meta.size", "meta.deep.x", "z", "mixed", "tags", "ok", "big"];
    let mut found = names(&table);
    found.sort_unstable();
    let mut sorted = expected.to_vec();
    sorted.sort_unstable();
    assert_eq!(found, sorted);
    let of = |name: &str| table.column(name).unwrap().values.clone();
    assert_eq!(of("file"), texts(&["a.png", "b.png"]));
    assert_eq!(of("label"), Values::I64(vec![Some(1), None]));
    assert_eq!(of("meta.size"), Values::I64s(vec![Some(vec![2, 3]), None]));
    assert_eq!(of("meta.deep.x"), Values::F64(vec![Some(0.5), None]));
    assert_eq!(of("z"), Values::F64s(vec![Some(vec![1.0, 2.5]), Some(vec![])]));
    assert_eq!(of("mixed"), texts(&["1", "x"]));
    assert_eq!(of("tags"), texts(&["[\"a\",\"b\"]", ""]));
    assert_eq!(of("ok"), Values::Bool(vec![None, Some(true)]));
    assert_eq!(of("big"), texts(&["", "18446744073709551615"]));
    for (content, expected) in
        [("{\"a\": 1}\n{\"a\": ", "line 2 is not JSON"), ("[1, 2]", "line 1 is not a JSON object")]
    {
        let said = read("a.jsonl", content).unwrap_err();
        assert!(said.contains(expected), "{said}");
    }
    // A few megabytes that would need gigabytes as a table.
    let sparse: Vec<String> = (0..20_000).map(|i| format!("{{\"{i}\": 1}}")).collect();
    assert!(read("a.jsonl", sparse.join("\n")).unwrap_err().contains("20000 different names"));
}

#[test]
fn a_table_has_columns_of_one_length_and_different_names() {
    let column = |name: &str, n| Column::new(name, Values::I64(vec![None; n]));
    let said = ColumnTable::new(vec![column("a", 2), column("b", 3)]).unwrap_err().to_string();
    assert_eq!(said, "column `a` has 2 values, but column `b` has 3");
    let said = ColumnTable::new(vec![column("a", 2), column("a", 2)]).unwrap_err().to_string();
    assert_eq!(said, "two columns are named `a`");
}

#[test]
fn what_a_format_cannot_hold_is_refused() {
    let folder = Folder::new();
    let path = folder.0.path().join("a.csv");
    let lists =
        ColumnTable::new(vec![Column::new("z", Values::F32s(vec![Some(vec![1.0])]))]).unwrap();
    let said = write(&path, &lists).unwrap_err().to_string();
    assert!(
        said.ends_with(
            "column `z` has lists of numbers, which CSV cannot hold; write Parquet instead"
        ),
        "{said}"
    );
    assert!(!path.exists());
    let said = write(&path.with_extension("json"), &lists).unwrap_err();
    assert!(matches!(said, Error::Ending { .. }), "{said}");
    #[cfg(not(feature = "parquet"))]
    assert!(matches!(write(&path.with_extension("parquet"), &lists), Err(Error::NoParquet { .. })));
}

/// Any table that CSV can hold as it is.
fn any_table() -> impl Strategy<Value = ColumnTable> {
    (1usize..20).prop_flat_map(|n| {
        let text = prop::collection::vec(prop::option::of("[a-z,;\"\n é]{1,6}"), n);
        let numbers = prop::collection::vec(prop::option::of(prop::num::f64::NORMAL), n);
        let floats = prop::collection::vec(prop::option::of(prop::num::f32::NORMAL), n);
        let whole = prop::collection::vec(prop::option::of(any::<i64>()), n);
        let truth = prop::collection::vec(prop::option::of(any::<bool>()), n);
        (text, numbers, floats, whole, truth).prop_map(|(text, numbers, floats, whole, truth)| {
            let columns = vec![
                Column::new("text", Values::Text(text)),
                Column::new("number, \"quoted\"", Values::F64(numbers)),
                Column::new("float", Values::F32(floats)),
                Column::new("whole", Values::I64(whole)),
                Column::new("truth", Values::Bool(truth)),
            ];
            ColumnTable::new(columns).unwrap()
        })
    })
}

proptest! {
    #[test]
    fn tables_come_back_from_csv(table in any_table()) {
        let folder = Folder::new();
        for ending in ["csv", "tsv"] {
            let path = folder.0.path().join("a").with_extension(ending);
            write(&path, &table).unwrap();
            let first = std::fs::read(&path).unwrap();
            let options = Options { header: Some(true), ..Options::default() };
            let again = TableFile::open_with(&path, options).unwrap().read().unwrap();
            for (column, again) in table.columns.iter().zip(&again.columns) {
                prop_assert_eq!(&column.name, &again.name);
                // A column without values has no kind in CSV; numbers of single precision are read in double.
                if (0..table.rows()).all(|row| column.values.is_missing(row)) {
                    prop_assert!((0..table.rows()).all(|row| again.values.is_missing(row)));
                } else if column.values.kind() == Kind::F32 {
                    prop_assert_eq!(column.values.f32s(), again.values.f32s());
                } else {
                    prop_assert_eq!(&column.values, &again.values);
                }
            }
            write(&path, &table).unwrap();
            prop_assert_eq!(std::fs::read(&path).unwrap(), first);
        }
    }

    #[test]
    fn any_bytes_are_a_table_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read("a.csv", &bytes);
        let _ = read("a.jsonl", &bytes);
        let _ = read("a.parquet", [&b"PAR1"[..], &bytes, b"PAR1"].concat());
        let text: String = bytes.iter().map(|b| char::from(b"{}[]:,\"'a1.\n \\"[usize::from(b % 14)])).collect();
        let _ = read("a.csv", &text);
        let _ = read("a.jsonl", &text);
    }
}

#[cfg(feature = "parquet")]
mod parquet {
    use super::*;

    proptest! {
        #[test]
        fn tables_come_back_from_parquet(
            table in any_table(),
            items in prop::collection::vec(prop::option::of(prop::collection::vec(any::<i64>(), 0..4)), 20),
            bytes in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..4)), 20),
            rows in 1usize..30,
        ) {
            let folder = Folder::new();
            let path = folder.0.path().join("a.parquet");
            let n = table.rows();
            let mut table = table;
            let floats = |list: &Vec<i64>| list.iter().map(|&x| x as f32).collect();
            let lists = items.iter().take(n).map(|list| list.as_ref().map(floats)).collect();
            let doubles = |list: &Vec<i64>| list.iter().map(|&x| x as f64).collect();
            let long = items.iter().take(n).map(|list| list.as_ref().map(doubles)).collect();
            table.columns.push(Column::new("lists", Values::F32s(lists)));
            table.columns.push(Column::new("long lists", Values::F64s(long)));
            table.columns.push(Column::new("whole lists", Values::I64s(items[..n].to_vec())));
            table.columns.push(Column::new("bytes", Values::Bytes(bytes[..n].to_vec())));
            write(&path, &table).unwrap();
            let first = std::fs::read(&path).unwrap();
            let file = TableFile::open(&path).unwrap();
            prop_assert_eq!(&file.read().unwrap(), &table);
            let names: Vec<&str> = file.fields().iter().map(|f: &Field| f.name.as_str()).collect();
            let counts: Vec<usize> = file.batches(&names, rows).unwrap().map(|b| b.unwrap().rows()).collect();
            prop_assert_eq!(counts.iter().sum::<usize>(), n);
            write(&path, &table).unwrap();
            prop_assert_eq!(std::fs::read(&path).unwrap(), first);
        }
    }

    #[test]
    fn many_rows_take_several_row_groups() {
        let folder = Folder::new();
        let path = folder.0.path().join("a.parquet");
        let n = 150_000;
        let numbers = Values::I64((0..n).map(|i| (i % 3 > 0).then_some(i)).collect());
        let table = ColumnTable::new(vec![Column::new("i", numbers)]).unwrap();
        write(&path, &table).unwrap();
        assert_eq!(TableFile::open(&path).unwrap().read().unwrap(), table);
    }
}
