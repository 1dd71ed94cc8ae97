//! Files that pandas, pyarrow and `datasets` wrote (`golden.py`).

#![allow(clippy::unwrap_used)] // A failure is a failure of the test.

use std::path::{Path, PathBuf};

#[cfg(feature = "parquet")]
use latents_tables::Kind;
use latents_tables::{TableFile, Values};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn column(file: &TableFile, name: &str) -> Values {
    file.read_columns(&[name]).unwrap().columns.remove(0).values
}

fn texts(values: &[Option<&str>]) -> Values {
    Values::Text(values.iter().map(|text| text.map(str::to_owned)).collect())
}

#[test]
fn a_frame_of_pandas_is_the_same_in_every_text_format() {
    for name in ["frame.csv", "frame.tsv", "frame.jsonl"] {
        let file = TableFile::open(&golden(name)).unwrap();
        assert!(file.is_named(), "{name}");
        assert_eq!(column(&file, "name"), texts(&[Some("a"), Some("b,c"), None]), "{name}");
        assert_eq!(column(&file, "label"), Values::I64(vec![Some(3), Some(1), Some(2)]), "{name}");
        assert_eq!(column(&file, "z0"), Values::F64(vec![Some(0.1), None, Some(1e-30)]), "{name}");
    }
    let file = TableFile::open(&golden("frame.csv")).unwrap();
    // pandas gives the index no name.
    assert_eq!(column(&file, "column 1"), Values::I64(vec![Some(7), Some(8), Some(9)]));
    assert_eq!(column(&file, "ok"), Values::Bool(vec![Some(true), Some(false), Some(true)]));
}

#[cfg(feature = "parquet")]
mod parquet {
    use super::*;

    /// The columns of `types.parquet` and `plain_v2.parquet`.
    fn check_types(name: &str) {
        let file = TableFile::open(&golden(name)).unwrap();
        assert_eq!(file.rows(), 6);
        let is = |name: &str, expected: Values| assert_eq!(column(&file, name), expected, "{name}");
        is("text", texts(&[Some("a"), Some("ä"), None, Some(""), Some("b"), Some("b")]));
        is("large", texts(&[Some("x"), None, Some("y"), Some("z"), Some("x"), Some("x")]));
        let category = [Some("cat"), Some("dog"), Some("cat"), None, Some("dog"), Some("dog")];
        is("category", texts(&category));
        let bytes = |values: &[Option<&[u8]>]| {
            Values::Bytes(values.iter().map(|x| x.map(<[u8]>::to_vec)).collect())
        };
        is(
            "bytes",
            bytes(&[Some(b"\x00\xff"), None, Some(b""), Some(b"abc"), Some(b"d"), Some(b"e")]),
        );
        is(
            "fixed",
            bytes(&[Some(b"ab"), Some(b"cd"), None, Some(b"ef"), Some(b"gh"), Some(b"ij")]),
        );
        let bools = [Some(true), Some(false), None, Some(true), Some(true), Some(false)];
        is("bool", Values::Bool(bools.to_vec()));
        let ints = |a: i64, b: i64, rest: [i64; 3]| {
            let rest = rest.map(Some);
            Values::I64([vec![Some(a), Some(b), None], rest.to_vec()].concat())
        };
        is("i8", ints(-128, 127, [0, 1, 2]));
        is("u8", ints(0, 255, [1, 2, 3]));
        is("i16", ints(-32768, 32767, [0, 1, 2]));
        is("u32", ints(0, 4_294_967_295, [1, 2, 3]));
        is("i64", ints(i64::MIN, i64::MAX, [0, 1, 2]));
        is("u64", ints(0, i64::MAX, [1, 2, 3]));
        let halves = [1.5, -2.0, 0.0, 0.25, 65504.0, 1.192_092_9e-7];
        is("f16", Values::F32(halves.map(Some).to_vec()));
        let f32s = [Some(1.5), None, Some(-0.1), Some(3e38), Some(f32::INFINITY), Some(0.0)];
        is("f32", Values::F32(f32s.to_vec()));
        let f64s = [Some(1.5), None, Some(-0.1), Some(1e308), Some(f64::NEG_INFINITY), Some(0.0)];
        is("f64", Values::F64(f64s.to_vec()));
        is("struct.a", Values::I64(vec![Some(1), None, None, Some(4), Some(5), Some(6)]));
        is("struct.b.c", texts(&[Some("x"), None, None, None, Some("y"), Some("z")]));
        is(
            "list",
            Values::F64s(vec![
                Some(vec![1.0, 2.0]),
                Some(vec![]),
                None,
                Some(vec![3.0]),
                Some(vec![4.0, 5.0, 6.0]),
                Some(vec![7.0]),
            ]),
        );
        let pair = |a: f32| Some(vec![a, a + 1.0]);
        let vectors = vec![pair(1.0), pair(3.0), None, pair(5.0), pair(7.0), pair(9.0)];
        is("vector", Values::F32s(vectors));
        let ints = vec![
            Some(vec![1]),
            Some(vec![2, 3]),
            None,
            Some(vec![]),
            Some(vec![-4]),
            Some(vec![5]),
        ];
        is("ints", Values::I64s(ints));
        is("empty", Values::I64(vec![None; 6]));
        let Values::F64s(holes) = column(&file, "holes") else { panic!("lists") };
        let lengths: Vec<_> = holes.iter().map(|list| list.as_ref().map(Vec::len)).collect();
        assert_eq!(lengths, [Some(2), Some(1), Some(0), Some(1), Some(0), Some(0)]);
        let first = holes[0].as_ref().unwrap();
        assert!(
            first[0].to_bits() == 1.0f64.to_bits()
                && first[1].is_nan()
                && holes[1].as_ref().unwrap()[0].is_nan()
        );
        let unreadable: Vec<_> =
            file.unreadable().iter().map(|(n, why)| format!("{n}: {why}")).collect();
        assert_eq!(
            unreadable,
            [
                "date: it has dates or times, which are not supported",
                "time: it has dates or times, which are not supported",
                "decimal: it has decimals, which are not supported",
                "texts: it has lists of text, which are not supported",
                "deep: it has lists of lists, which are not supported",
            ]
        );
        let said = file.batches(&["date"], 1).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(said.contains("it has no column `date`; it has: text, large, "), "{said}");
    }

    #[test]
    fn every_kind_of_column_is_read() {
        check_types("types.parquet");
    }

    #[test]
    fn pages_of_version_2_without_dictionaries_are_read() {
        check_types("plain_v2.parquet");
    }

    #[test]
    fn other_encodings_are_read_and_other_codecs_are_named() {
        let types = TableFile::open(&golden("types.parquet")).unwrap();
        let file = TableFile::open(&golden("delta.parquet")).unwrap();
        for name in ["text", "large", "i64", "f64"] {
            assert_eq!(column(&file, name), column(&types, name), "{name}");
        }
        let file = TableFile::open(&golden("zstd.parquet")).unwrap();
        for name in ["i64", "f64"] {
            assert_eq!(column(&file, name), column(&types, name), "{name}");
        }
        let unreadable = file.unreadable();
        assert_eq!(unreadable.len(), 2);
        assert!(unreadable[0].1.starts_with("it is compressed by ZSTD, which"), "{unreadable:?}");
        assert!(
            unreadable[1].1.starts_with("it is compressed by LZ4_RAW, which"),
            "{unreadable:?}"
        );
        let file = TableFile::open(&golden("too_large.parquet")).unwrap();
        let said = file.read().unwrap_err().to_string();
        assert!(
            said.contains("column `u64`: the number 18446744073709551615 is too large"),
            "{said}"
        );
        let file = TableFile::open(&golden("no_rows.parquet")).unwrap();
        assert_eq!((file.rows(), column(&file, "text")), (0, Values::Text(vec![])));
    }

    #[test]
    fn batches_cross_pages_and_row_groups() {
        let file = TableFile::open(&golden("many.parquet")).unwrap();
        for size in [1, 7, 299, 300, 301, 5000] {
            let (mut n, mut last) = (0, size);
            for batch in file.batches(&["z", "i"], size).unwrap() {
                let batch = batch.unwrap();
                assert!(last == size && (1..=size).contains(&batch.rows()));
                last = batch.rows();
                let Values::F32s(z) = &batch.columns[0].values else { panic!("lists") };
                let Values::I64(i) = &batch.columns[1].values else { panic!("whole numbers") };
                for (z, i) in z.iter().zip(i) {
                    assert_eq!(*i, Some(n));
                    let expected = (n % 11 != 0).then(|| vec![n as f32, n as f32 / 2.0]);
                    assert_eq!(*z, expected);
                    n += 1;
                }
            }
            assert_eq!(n, 1000);
        }
        let Values::Text(names) = column(&file, "name") else { panic!("text") };
        assert_eq!((names[8].as_deref(), names[14].as_deref()), (Some("0008.png"), None));
    }

    #[test]
    fn pictures_of_hugging_face_are_read() {
        let file = TableFile::open(&golden("pictures.parquet")).unwrap();
        assert_eq!(file.class_names("label"), Some(vec!["cat".into(), "dog".into()]));
        assert_eq!(file.class_names("image"), None);
        assert_eq!(column(&file, "label"), Values::I64(vec![Some(1), Some(0), Some(1)]));
        assert_eq!(
            column(&file, "image.path"),
            texts(&[Some("7.png"), Some("8.png"), Some("9.png")])
        );
        let Values::Bytes(pictures) = column(&file, "image.bytes") else { panic!("bytes") };
        assert!(pictures.iter().flatten().all(|bytes| bytes.starts_with(b"\x89PNG\r\n")));
        assert_eq!(pictures.iter().flatten().count(), 3);
    }

    #[test]
    fn a_frame_of_pandas_keeps_its_index() {
        let file = TableFile::open(&golden("frame.parquet")).unwrap();
        let kinds: Vec<_> = file.fields().iter().map(|f| (f.name.as_str(), f.kind)).collect();
        assert_eq!(
            kinds,
            [
                ("name", Kind::Text),
                ("label", Kind::I64),
                ("z0", Kind::F64),
                ("ok", Kind::Bool),
                ("__index_level_0__", Kind::I64)
            ]
        );
        assert_eq!(column(&file, "z0"), Values::F64(vec![Some(0.1), None, Some(1e-30)]));
    }

    /// The crate `parquet` would panic on these.
    #[test]
    fn places_are_checked_before_they_are_used() {
        for (name, expected) in [
            ("no_dictionary.parquet", "the dictionary of a column is missing"),
            ("negative_place.parquet", "the place or the length of a column is negative"),
        ] {
            let read = TableFile::open(&golden(name)).and_then(|file| file.read());
            let said = read.unwrap_err().to_string();
            assert!(said.contains(expected), "{name}: {said}");
        }
    }

    /// Damaged files are tables or errors: no panic, and no memory that the file cannot justify.
    #[test]
    fn damaged_files_are_read_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("damaged.parquet");
        let mut state = 7u64;
        let mut draw = |n: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % n
        };
        let (mut read, mut refused) = (0, 0);
        for name in ["types.parquet", "plain_v2.parquet", "delta.parquet", "pictures.parquet"] {
            let intact = std::fs::read(golden(name)).unwrap();
            for round in 0..150 {
                let mut bytes = intact.clone();
                if round % 10 == 0 {
                    bytes.truncate(draw(bytes.len()));
                }
                for _ in 0..=draw(4) {
                    // Half of the changes are in the footer.
                    let from = if draw(2) == 0 { 0 } else { bytes.len() * 2 / 3 };
                    let place = (from + draw((bytes.len() - from).max(1)))
                        .min(bytes.len().saturating_sub(1));
                    if let Some(byte) = bytes.get_mut(place) {
                        *byte = draw(256) as u8;
                    }
                }
                std::fs::write(&path, &bytes).unwrap();
                match TableFile::open(&path).and_then(|file| file.read()) {
                    Ok(_) => read += 1,
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(read > 50 && refused > 50, "{read} were read, {refused} refused");
    }

    #[test]
    fn declared_sizes_are_checked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        for (bytes, expected) in [
            (&b"PAR1"[..], "too short"),
            (b"PAR1\0\0\0\0\0\0\0\0\0\0", "its end is missing"),
            (b"PAR1\xff\xff\xff\x7fPAR1", "its footer declares"),
            // A schema with a node of 2^30 children.
            (
                b"PAR1\x15\x02\x19\x1c\x48\x01a\x15\x80\x80\x80\x80\x08\0\0\x0f\0\0\0PAR1",
                "its schema declares",
            ),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let said = TableFile::open(&path).unwrap_err().to_string();
            assert!(said.contains(expected), "{expected}: {said}");
        }
    }
}
