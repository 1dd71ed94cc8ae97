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
    let first = std::fs::read(&path).unwrap();
    write(&path, &[z, label]).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), first, "the same arrays give the same bytes");
    write(&path, &[name]).unwrap();
    let raw = Reader::new(std::fs::File::open(&path).unwrap()).unwrap().read("name").unwrap();
    // From Python: numpy.array(["ä/b.png", "<c>"]) has dtype <U7 and these bytes.
    assert_eq!((raw.kind.as_str(), raw.shape, raw.bytes.len()), ("<U7", vec![2], 56));
    assert_eq!(raw.bytes[..8], [0xe4, 0, 0, 0, b'/', 0, 0, 0]);
    assert_eq!(raw.bytes[28..44], *b"<\0\0\0c\0\0\0>\0\0\0\0\0\0\0");
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

#[test]
fn compressed_and_double_arrays_are_read() {
    let bytes: Vec<u8> = [1.0f64, 2.5].iter().flat_map(|x| x.to_le_bytes()).collect();
    let file = zip_of("z.npy", &npy("<f8", &[2, 1], &bytes), zip::CompressionMethod::Deflated);
    assert_eq!(read_from(file, "z").unwrap(), (vec![2, 1], vec![1.0, 2.5]));
}

#[test]
fn hostile_files_are_refused() {
    let stored = zip::CompressionMethod::Stored;
    let huge =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({0}, {0}), }}", usize::MAX);
    let huge = [MAGIC, &[1, 0], &(huge.len() as u16).to_le_bytes(), huge.as_bytes()].concat();
    let fortran = String::from_utf8_lossy(&header("<f4", &[1])[10..]).replace("False", "True ");
    let fortran =
        [MAGIC, &[1, 0], &(fortran.len() as u16).to_le_bytes(), fortran.as_bytes()].concat();
    for (bytes, expected) in [
        (npy("<f4", &[2], &[0; 7]), "fewer"),
        (npy("<f4", &[2], &[0; 9]), "more"),
        (npy("<f4", &[1 << 31], &[0; 8]), "fewer"),
        (npy("|O", &[1], &[0; 8]), "of type |O"),
        (npy("<U99999999999999999999", &[1], &[0; 8]), "which is not supported"),
        (huge, "too large"),
        (fortran, "Fortran"),
        (b"\x93NUMPX\x01\x00".to_vec(), "does not start"),
        (b"\x93NUM".to_vec(), "truncated"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f".to_vec(), "too long"),
    ] {
        let error = read_from(zip_of("z.npy", &bytes, stored), "z").unwrap_err();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    assert!(read_from(Cursor::new(b"no zip".to_vec()), "z").unwrap_err().contains("not an intact"));
}

proptest! {
    #[test]
    fn any_bytes_are_an_array_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_from(zip_of("z.npy", &bytes, zip::CompressionMethod::Stored), "z");
        let _ = read_from(Cursor::new(bytes), "z");
    }
}
