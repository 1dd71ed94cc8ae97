//! Arrays that are written and read again, and damaged or hostile files.

use std::io::Cursor;

use proptest::prelude::*;

use super::*;

fn zip_of(name: &str, bytes: &[u8], method: zip::CompressionMethod) -> Cursor<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(vec![]));
    zip.start_file(name, SimpleFileOptions::default().compression_method(method)).unwrap();
    zip.write_all(bytes).unwrap();
    zip.finish().unwrap()
}

fn npy(kind: &str, shape: &[usize], bytes: &[u8]) -> Vec<u8> {
    [&header(kind, shape), bytes].concat()
}

#[test]
fn arrays_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let z = Array {
        name: "z".into(),
        shape: vec![2, 3],
        numbers: Numbers::F32(vec![1.5, -2.0, 0.0, 3.25, f32::MIN, f32::MAX]),
    };
    let label = Array { name: "label".into(), shape: vec![2], numbers: Numbers::I64(vec![7, 9]) };
    write(&path, &[z.clone(), label.clone()]).unwrap();
    let name = Array {
        name: "name".into(),
        shape: vec![2],
        numbers: Numbers::Text(vec!["ä/b.png".into(), "<c>".into()]),
    };
    let (shape, numbers) = read_f32(&path, "z").unwrap();
    assert_eq!((shape, Numbers::F32(numbers)), (z.shape.clone(), z.numbers.clone()));
    let error = read_f32(&path, "x").unwrap_err().to_string();
    assert!(error.contains("no array `x`; it has: ") && error.contains("label"), "{error}");
    assert!(read_f32(&path, "label").unwrap_err().to_string().contains("<i8"));
    let mut archive = open(&path).unwrap();
    assert_eq!(archive.arrays().len(), 2);
    assert_eq!(archive.read("label").unwrap().i64s(), Some(vec![7, 9]));
    let first = std::fs::read(&path).unwrap();
    write(&path, &[z, label]).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), first, "the same arrays give the same bytes");
    write(&path, &[name]).unwrap();
    let names = open(&path).unwrap().read("name").unwrap();
    assert_eq!((names.dtype().as_str(), names.shape()), ("<U7", &[2][..]));
    assert_eq!(names.texts(), ["ä/b.png", "<c>"]);
    // From Python: numpy.array(["ä/b.png", "<c>"]) has dtype <U7 and these bytes.
    let bytes = encode_texts(&names.texts()).1;
    assert_eq!((bytes.len(), &bytes[..8]), (56, &[0xe4, 0, 0, 0, b'/', 0, 0, 0][..]));
    assert_eq!(bytes[28..44], *b"<\0\0\0c\0\0\0>\0\0\0\0\0\0\0");
}

#[test]
fn headers_are_as_numpy_writes_them() {
    let one = header("<f4", &[5]);
    assert_eq!(one.len() % 64, 0);
    let text = String::from_utf8_lossy(&one[10..]).into_owned();
    assert!(text.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (5,), }"));
    assert!(text.ends_with(" \n"));
    assert!(String::from_utf8_lossy(&header("<f4", &[2, 3])).contains("(2, 3), }"));
}

/// One array in an uncompressed `.npz` file.
fn read_one(bytes: &[u8]) -> Result<Values, String> {
    Reader::new(zip_of("z.npy", bytes, zip::CompressionMethod::Stored))?.read("z")
}

fn values(kind: &str, shape: &[usize], bytes: &[u8]) -> Values {
    read_one(&npy(kind, shape, bytes)).unwrap()
}

fn fortran(kind: &str, shape: &[usize], bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(&header(kind, shape)[10..]).replace("False", "True ");
    [MAGIC, &[1, 0], &(text.len() as u16).to_le_bytes(), text.as_bytes(), bytes].concat()
}

#[test]
fn compressed_arrays_are_read() {
    let bytes: Vec<u8> = [1.0f64, 2.5].iter().flat_map(|x| x.to_le_bytes()).collect();
    let file = zip_of("z.npy", &npy("<f8", &[2, 1], &bytes), zip::CompressionMethod::Deflated);
    let z = Reader::new(file).unwrap().read("z").unwrap();
    assert_eq!((z.shape(), z.f32s()), (&[2, 1][..], Some(vec![1.0, 2.5])));
}

#[test]
fn numbers_of_every_type_and_order_are_read() {
    let cases: &[(&str, &[u8], &[f64])] = &[
        ("|b1", &[0, 1, 7], &[0.0, 1.0, 1.0]),
        ("|i1", &[0x80, 0xff, 5], &[-128.0, -1.0, 5.0]),
        ("|u1", &[0x80, 0xff], &[128.0, 255.0]),
        ("<i2", &[0xfe, 0xff, 1, 2], &[-2.0, 513.0]),
        (">i2", &[0xff, 0xfe, 2, 1], &[-2.0, 513.0]),
        ("<u2", &[0xfe, 0xff], &[65534.0]),
        (">u2", &[0xff, 0xfe], &[65534.0]),
        ("<i4", &[0xfe, 0xff, 0xff, 0xff], &[-2.0]),
        (">i4", &[0xff, 0xff, 0xff, 0xfe], &[-2.0]),
        ("=u4", &[0xfe, 0xff, 0xff, 0xff], &[4_294_967_294.0]),
        (">u4", &[0xff, 0xff, 0xff, 0xfe], &[4_294_967_294.0]),
        ("<i8", &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], &[-2.0]),
        (">i8", &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe], &[-2.0]),
        ("<u8", &[3, 1, 0, 0, 0, 0, 0, 0], &[259.0]),
        (">u8", &[0, 0, 0, 0, 0, 0, 1, 3], &[259.0]),
        ("<f2", &[0x00, 0x3e, 0x00, 0xc0], &[1.5, -2.0]),
        (">f2", &[0x3e, 0x00, 0xc0, 0x00], &[1.5, -2.0]),
        ("<f4", &[0, 0, 0xc0, 0x3f], &[1.5]),
        (">f4", &[0x3f, 0xc0, 0, 0], &[1.5]),
        ("<f8", &[0, 0, 0, 0, 0, 0, 0xf8, 0x3f], &[1.5]),
        (">f8", &[0x3f, 0xf8, 0, 0, 0, 0, 0, 0], &[1.5]),
    ];
    for &(kind, bytes, expected) in cases {
        let read = values(kind, &[expected.len()], bytes);
        assert_eq!(read.f64s().as_deref(), Some(expected), "{kind}");
        let whole: Vec<i64> = expected.iter().map(|&x| x as i64).collect();
        let all_whole = expected.iter().all(|x| x.fract() == 0.0);
        assert_eq!(read.i64s(), all_whole.then_some(whole), "{kind}");
        let texts: Vec<String> = expected.iter().map(f64::to_string).collect();
        assert_eq!(read.texts(), texts, "{kind}");
    }
    // Integers of 64 bits are exact, if they fit.
    let most = values("<u8", &[1], &[0xff; 8]);
    assert_eq!((most.i64s(), most.texts()), (None, vec!["18446744073709551615".to_owned()]));
    let odd = values(">i8", &[1], &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!((odd.i64s(), odd.len()), (Some(vec![i64::MAX]), 1));
}

#[test]
fn text_of_either_order_is_read() {
    let little = b"a\0\0\0\xe4\0\0\0b\0\0\0\0\0\0\0";
    assert_eq!(values("<U2", &[2], little).texts(), ["aä", "b"]);
    let big = b"\0\0\0a\0\0\0\xe4\0\0\0b\0\0\0\0";
    assert_eq!(values(">U2", &[2], big).texts(), ["aä", "b"]);
    // UTF-8, Latin-1, and a zero in the middle.
    assert_eq!(values("|S3", &[3], b"a\xc3\xa4b\xe4\0a\0b").texts(), ["aä", "bä", "a\0b"]);
    let words = values("|S1", &[2], b"12");
    assert_eq!((words.f64s(), words.i64s(), words.is_text()), (None, None, true));
}

#[test]
fn fortran_order_becomes_c_order() {
    // The array [[[0, 1], [2, 3], [4, 5]], [[6, 7], [8, 9], [10, 11]]].
    let bytes = [0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11];
    let z = read_one(&fortran("|u1", &[2, 3, 2], &bytes)).unwrap();
    let expected: Vec<i64> = (0..12).collect();
    assert_eq!((z.shape(), z.i64s()), (&[2, 3, 2][..], Some(expected)));
    let two = [1u16, 3, 2, 4].iter().flat_map(|x| x.to_be_bytes()).collect::<Vec<_>>();
    assert_eq!(read_one(&fortran(">u2", &[2, 2], &two)).unwrap().i64s(), Some(vec![1, 2, 3, 4]));
    assert_eq!(read_one(&fortran(">u2", &[0, 2], &[])).unwrap().len(), 0);
    assert_eq!(read_one(&fortran(">u2", &[], &[0, 7])).unwrap().i64s(), Some(vec![7]));
}

#[test]
fn a_single_array_needs_no_archive() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("z.npy");
    std::fs::write(&path, npy("|u1", &[2, 1], &[3, 4])).unwrap();
    let mut archive = open(&path).unwrap();
    assert_eq!(archive.arrays()[0].to_string(), "[2, 1] of |u1");
    // Twice, because reading starts anew.
    for _ in 0..2 {
        assert_eq!(archive.read("").unwrap().i64s(), Some(vec![3, 4]));
    }
    let said = archive.read("z").unwrap_err().to_string();
    assert!(said.ends_with("it has no array `z`; it has one array, without a name"), "{said}");
    std::fs::write(&path, npy("|O", &[2], &[0; 16])).unwrap();
    let archive = open(&path).unwrap();
    assert_eq!((archive.arrays().len(), archive.unreadable().len()), (0, 1));
}

#[test]
fn objects_do_not_hide_other_arrays() {
    let mut zip = zip::ZipWriter::new(Cursor::new(vec![]));
    for (name, bytes) in [("labels", npy("|O", &[2], b"pickled")), ("x", npy("|u1", &[1], &[9]))] {
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        zip.write_all(&bytes).unwrap();
    }
    let mut reader = Reader::new(zip.finish().unwrap()).unwrap();
    let (arrays, broken) = reader.arrays();
    assert_eq!((arrays.len(), broken[0].0.as_str()), (1, "labels"));
    assert!(broken[0].1.contains("save array.astype(str)"), "{}", broken[0].1);
    assert_eq!(reader.read("x").unwrap().i64s(), Some(vec![9]));
    let said = reader.read("labels").unwrap_err();
    assert!(said.starts_with("array `labels` has Python objects, which are never"), "{said}");
}

#[test]
fn hostile_files_are_refused() {
    let huge =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({0}, {0}), }}", usize::MAX);
    let huge = [MAGIC, &[1, 0], &(huge.len() as u16).to_le_bytes(), huge.as_bytes()].concat();
    for (bytes, expected) in [
        (npy("<f4", &[2], &[0; 7]), "fewer"),
        (npy("<f4", &[2], &[0; 9]), "more"),
        (npy("<f4", &[1 << 20], &[0; 8]), "fewer"),
        (npy("<f4", &[1 << 31], &[0; 8]), "unpacks from 136 bytes to 8.6 GB"),
        (fortran("<f4", &[1 << 16, 1 << 15], &[0; 8]), "unpacks from"),
        (npy("|O", &[1], &[0; 8]), "never unpickled"),
        (npy("<U99999999999999999999", &[1], &[0; 8]), "which is not supported"),
        (npy("<U0", &[1 << 60], &[]), "which is not supported"),
        (huge, "too large"),
        (npy("<f4", &[0, 6, 4, usize::MAX], &[]), "too large"),
        (b"\x93NUMPX\x01\x00".to_vec(), "does not start"),
        (b"\x93NUM".to_vec(), "truncated"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f".to_vec(), "too long"),
        (b"\x93NUMPY\x04\x00\xff\xff\xff\x7f".to_vec(), "version 4"),
    ] {
        let error = read_one(&bytes).unwrap_err();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    for bytes in [&b"no zip"[..], b"", b"\x93NUM"] {
        let said = Reader::new(Cursor::new(bytes.to_vec())).unwrap_err();
        assert!(said.contains("not an intact"), "{said}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_an_array_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_one(&bytes);
        let _ = Reader::new(Cursor::new(bytes.clone())).and_then(|mut reader| reader.read(""));
        let magic = [b"\x93NUMPY\x01\x00", &bytes[..]].concat();
        let _ = Reader::new(Cursor::new(magic)).and_then(|mut reader| reader.read(""));
    }

    #[test]
    fn fortran_order_is_undone(shape in prop::collection::vec(1usize..5, 0..5), size in 0u32..3) {
        let size = 1usize << size;
        let n: usize = shape.iter().product();
        // Item i of the array in C order, found by its index in Fortran order.
        let place = |mut i: usize| {
            let mut index = vec![0; shape.len()];
            for axis in (0..shape.len()).rev() {
                index[axis] = i % shape[axis];
                i /= shape[axis];
            }
            (0..shape.len()).rev().fold(0, |at, axis| at * shape[axis] + index[axis])
        };
        let mut bytes = vec![0; n * size];
        for i in 0..n {
            bytes[place(i) * size..][..size].copy_from_slice(&(i as u64).to_le_bytes()[..size]);
        }
        let read = read_one(&fortran(&format!("<u{size}"), &shape, &bytes)).unwrap();
        let mask = (1u64 << (8 * size)) - 1;
        let expected: Vec<i64> = (0..n).map(|i| (i as u64 & mask) as i64).collect();
        prop_assert_eq!(read.i64s(), Some(expected));
    }
}
