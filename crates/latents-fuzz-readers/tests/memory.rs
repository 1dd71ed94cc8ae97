//! Hostile files: every reader refuses them, and never holds more than a fixed number of bytes, whatever they claim. One test, because the
//! allocator counts for the whole process. Those of Parquet that no program writes by itself are in `latents-tables`.

#![allow(unsafe_code)]
#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Cursor, Write};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use latents_fuzz_readers as readers;

/// The most bytes that a reader may hold of a hostile file.
const LIMIT: usize = 200 << 20;
/// More zeros than that.
const BOMB: usize = 300 << 20;

/// The system's allocator, with a count of the bytes that are held.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

fn add(bytes: usize) {
    MOST.fetch_max(NOW.fetch_add(bytes, Relaxed) + bytes, Relaxed);
}

// SAFETY: all calls go to the system's allocator as they are; the counts touch no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size);
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Reads a hostile file, which must be refused with little memory.
#[track_caller]
fn refuse(name: &str, read: fn(&[u8]) -> bool, file: &[u8]) {
    assert!(!bounded(name, read, file), "{name} is taken");
}

/// Reads a hostile file, which may be taken, with little memory.
#[track_caller]
fn bounded(name: &str, read: fn(&[u8]) -> bool, file: &[u8]) -> bool {
    let before = NOW.load(Relaxed);
    MOST.store(before, Relaxed);
    let taken = read(file);
    let most = MOST.load(Relaxed) - before;
    assert!(most < LIMIT, "{name}: {} MiB", most >> 20);
    taken
}

/// The head of a `.npy` file of bytes.
fn npy(shape: &str) -> Vec<u8> {
    let head = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
    let head = format!("{head:<117}\n");
    [b"\x93NUMPY\x01\0", &(head.len() as u16).to_le_bytes()[..], head.as_bytes()].concat()
}

fn zeros(mut out: impl Write) {
    let block = vec![0; 1 << 20];
    (0..BOMB >> 20).for_each(|_| out.write_all(&block).unwrap());
}

/// An archive whose array has more bytes than its file suggests.
fn zip_bomb(shape: &str) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(vec![]));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .compression_level(Some(9));
    zip.start_file("image.npy", options).unwrap();
    zip.write_all(&npy(shape)).unwrap();
    zeros(&mut zip);
    zip.finish().unwrap().into_inner()
}

fn idx_head(dims: [u32; 3]) -> Vec<u8> {
    [0x0803, dims[0], dims[1], dims[2]].iter().flat_map(|x: &u32| x.to_be_bytes()).collect()
}

/// Images of a size by their head, and many zeros.
fn gzip_bomb(dims: [u32; 3]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(vec![], flate2::Compression::best());
    out.write_all(&idx_head(dims)).unwrap();
    zeros(&mut out);
    out.finish().unwrap()
}

/// An archive of samples of which each has other fields.
fn tar_of_fields(samples: usize, fields: usize) -> Vec<u8> {
    let mut archive = tar::Builder::new(vec![]);
    let mut add = |name: String, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, content).unwrap();
    };
    for sample in 0..samples {
        let fields: Vec<String> = (0..fields).map(|i| format!("\"{sample} {i}\":1")).collect();
        add(format!("{sample}.json"), format!("{{{}}}", fields.join(",")).as_bytes());
        add(format!("{sample}.png"), b"x");
    }
    archive.into_inner().unwrap()
}

/// A grey PNG file of 4x4 pixels with another chunk before its pixels, and zeros after them, all packed.
fn png_of(kind: &[u8], head: &[u8], inner: usize, pixels: usize) -> Vec<u8> {
    let packed = |zeros: usize| {
        let mut out = flate2::write::ZlibEncoder::new(vec![], flate2::Compression::fast());
        let block = vec![0; 1 << 20];
        (0..zeros >> 20).for_each(|_| out.write_all(&block).unwrap());
        out.write_all(&[0; 20]).unwrap();
        out.finish().unwrap()
    };
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut add = |kind: &[u8], data: &[u8]| {
        let mut sum = flate2::Crc::new();
        sum.update(kind);
        sum.update(data);
        file.extend((data.len() as u32).to_be_bytes());
        file.extend([kind, data, &sum.sum().to_be_bytes()].concat());
    };
    add(b"IHDR", &[0, 0, 0, 4, 0, 0, 0, 4, 8, 0, 0, 0, 0]);
    if inner > 0 {
        add(kind, &[head, &packed(inner)].concat());
    }
    add(b"IDAT", &packed(pixels));
    add(b"IEND", b"");
    file
}

/// An archive whose only picture has so many bytes by its head.
fn tar_of(size: u64, name: &str) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_path(name).unwrap();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    [header.as_bytes(), &[0x89; 2048][..]].concat()
}

/// A grey TIFF file of a size, all of whose strips are the same few bytes.
fn tiff_of(width: u32, height: u32, compression: u32, data: &[u8]) -> Vec<u8> {
    let entries = [
        (256, width),
        (257, height),
        (258, 8),
        (259, compression),
        (262, 1),
        (273, 8),
        (277, 1),
        (278, height),
        (279, data.len() as u32),
    ];
    let mut file = b"II*\0".to_vec();
    file.extend((8 + data.len() as u32).to_le_bytes());
    file.extend(data);
    file.extend((entries.len() as u16).to_le_bytes());
    for (tag, value) in entries {
        file.extend((tag as u16).to_le_bytes());
        file.extend(4u16.to_le_bytes());
        file.extend(1u32.to_le_bytes());
        file.extend(value.to_le_bytes());
    }
    file.extend([0; 4]);
    file
}

#[test]
fn hostile_files_are_refused_with_little_memory() {
    refuse("an array with a large shape", readers::npy, &npy("(1048576, 1024, 1024)"));
    refuse("an array with a huge shape", readers::npy, &npy("(9223372036854775807, 4, 4)"));
    refuse("an array with many axes", readers::npy, &npy(&format!("({})", "1, ".repeat(20))));
    refuse("a zip bomb with a small shape", readers::npz, &zip_bomb("(3, 4, 4)"));
    refuse("a zip bomb with a large shape", readers::npz, &zip_bomb("(300, 1024, 1024)"));
    refuse("a gzip bomb", readers::idx_folder, &gzip_bomb([3, 4, 4]));
    refuse("a gzip bomb of images", readers::idx_folder, &gzip_bomb([300, 1024, 1024]));
    refuse("images that are not there", readers::idx_folder, &idx_head([1 << 20, 32, 32]));
    refuse("too many images", readers::idx_folder, &idx_head([u32::MAX; 3]));
    refuse("an archive with a huge picture", readers::tar, &tar_of(1 << 40, "a.png"));
    refuse("an archive with a large picture", readers::tar, &tar_of(1 << 27, "a.png"));
    refuse("an archive with a huge label", readers::tar, &tar_of(1 << 40, "a.cls"));
    refuse("other fields in each sample", readers::tar, &tar_of_fields(1000, 1000));
    assert!(bounded("a small PNG file", readers::picture, &png_of(b"", b"", 0, 0)));
    for (kind, head) in [(b"zTXt", &b"a\0\0"[..]), (b"iTXt", b"a\0\x01\0\0\0"), (b"iCCP", b"a\0\0")]
    {
        bounded("a packed note in a PNG file", readers::picture, &png_of(kind, head, BOMB, 0));
    }
    bounded("many pixels in a PNG file", readers::picture, &png_of(b"", b"", 0, BOMB));
    refuse("a TIFF file of a huge size", readers::tiff, &tiff_of(u32::MAX, u32::MAX, 1, &[0; 9]));
    refuse("a TIFF file of a large size", readers::tiff, &tiff_of(65_535, 2000, 1, &[0; 9]));
    let mut packed = flate2::write::ZlibEncoder::new(vec![], flate2::Compression::fast());
    zeros(&mut packed);
    let packed = packed.finish().unwrap();
    refuse("a TIFF bomb", readers::tiff, &tiff_of(16_000, 16_000, 8, &packed));
    let line = format!("{{\"z\":{}", "[".repeat(1 << 20)).into_bytes();
    refuse("deep lists", readers::json_lines, &line);
    let wide = ["a,".repeat(1 << 21).as_bytes(), b"\n1\n"].concat();
    refuse("many columns", readers::csv, &wide);
    other_formats();
}

#[cfg(not(feature = "all-formats"))]
fn other_formats() {}

/// A Parquet file of so many columns of the same values.
#[cfg(feature = "all-formats")]
fn parquet_of(columns: usize, values: &latents::tables::Values) -> Vec<u8> {
    use latents::tables::{Column, ColumnTable};
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.parquet");
    let column = |i| Column::new(format!("pixel {i}"), values.clone());
    let table = ColumnTable::new((0..columns).map(column).collect()).unwrap();
    latents::tables::write(&file, &table).unwrap();
    std::fs::read(file).unwrap()
}

#[cfg(feature = "all-formats")]
fn other_formats() {
    use latents::tables::Values;
    let long = Some("0 ".repeat(1 << 18));
    let repeated = parquet_of(1, &Values::Text(vec![long; 400]));
    assert!(repeated.len() < 1 << 20, "{}", repeated.len());
    refuse("a long text in each row", readers::parquet, &repeated);
    let same = parquet_of(4, &Values::I64(vec![Some(1); 3 << 20]));
    assert!(same.len() < 1 << 19, "{}", same.len());
    bounded("many equal numbers", readers::parquet, &same);
    // The counts and the lengths of a Parquet file are in its footer.
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for name in ["pixels", "pictures", "lists"] {
        let file = std::fs::read(corpus.join(format!("parquet/{name}.parquet"))).unwrap();
        let mut damaged = file.clone();
        for at in 4..file.len() - 8 {
            for width in [1, 4] {
                let end = (at + width).min(file.len() - 8);
                damaged[at..end].fill(0xff);
                let before = NOW.load(Relaxed);
                MOST.store(before, Relaxed);
                let _ = readers::parquet(&damaged);
                let most = MOST.load(Relaxed) - before;
                assert!(most < LIMIT, "{name}, byte {at}: {} MiB", most >> 20);
                damaged[at..end].copy_from_slice(&file[at..end]);
            }
        }
    }

    let card = |text: &str| format!("{text:<80}");
    let fits = |cards: &[&str]| {
        let head: String = cards.iter().map(|text| card(text)).collect();
        format!("{:<2880}", format!("{head}{}", card("END"))).into_bytes()
    };
    let (simple, byte) = ("SIMPLE  =                    T", "BITPIX  =                    8");
    refuse("many axes", readers::fits, &fits(&[simple, byte, "NAXIS   = 999999999999"]));
    let huge = ["NAXIS   = 2", "NAXIS1  = 9999999999", "NAXIS2  = 999999999"];
    refuse("long axes", readers::fits, &fits(&[&[simple, byte][..], &huge].concat()));
    let endless = [fits(&[simple, byte]), card("COMMENT").repeat(500_000).into_bytes()].concat();
    let endless: Vec<u8> = String::from_utf8(endless).unwrap().replacen("END", "XYZ", 1).into();
    refuse("an endless header", readers::fits, &endless);

    let element = |group: u16, tag: u16, vr: &str, value: &[u8]| {
        let length = (value.len() as u16).to_le_bytes();
        [&group.to_le_bytes()[..], &tag.to_le_bytes(), vr.as_bytes(), &length, value].concat()
    };
    let long = |group: u16, tag: u16, vr: &str, length: u32| {
        let head = [&group.to_le_bytes()[..], &tag.to_le_bytes(), vr.as_bytes(), &[0; 2]].concat();
        [head, length.to_le_bytes().to_vec()].concat()
    };
    let dicom = |syntax: &str, side: u16, rest: &[u8]| {
        let meta = element(2, 0x10, "UI", syntax.as_bytes());
        let mut file = [&[0; 128][..], b"DICM", &meta].concat();
        file.extend(element(0x28, 2, "US", &[1, 0]));
        file.extend(element(0x28, 4, "CS", b"MONOCHROME2 "));
        for tag in [0x10, 0x11] {
            file.extend(element(0x28, tag, "US", &side.to_le_bytes()));
        }
        file.extend(element(0x28, 0x100, "US", &[8, 0]));
        file.extend(rest);
        file
    };
    let (plain, runs, jpeg) =
        ("1.2.840.10008.1.2.1\0", "1.2.840.10008.1.2.5\0", "1.2.840.10008.1.2.4.50");
    let value = long(0x40, 0x280, "OB", 0xffff_fff0);
    refuse("a long value", readers::dicom, &dicom(plain, 4, &value));
    let item = [&0xfffeu16.to_le_bytes()[..], &0xe000u16.to_le_bytes(), &[0xff; 4]].concat();
    let deep = [long(0x40, 0x275, "SQ", u32::MAX), item].concat().repeat(1_000_000);
    refuse("deep sequences", readers::dicom, &dicom(plain, 4, &deep));
    let pixels = long(0x7fe0, 0x10, "OB", 0xffff_fff0);
    refuse("pixels that are not there", readers::dicom, &dicom(plain, 65_535, &pixels));
    let fragments = |frame: &[u8]| {
        let item = |value: &[u8]| {
            let head = [&0xfffeu16.to_le_bytes()[..], &0xe000u16.to_le_bytes()].concat();
            [&head[..], &(value.len() as u32).to_le_bytes(), value].concat()
        };
        [long(0x7fe0, 0x10, "OB", u32::MAX), item(&[]), item(frame)].concat()
    };
    let lengths = fragments(&u32::MAX.to_le_bytes());
    refuse("many segments", readers::dicom, &dicom(runs, 4, &lengths));
    refuse("few bytes for many pixels", readers::dicom, &dicom(runs, 11_000, &lengths));
    let mut frame = vec![0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0xff, 0xff, 0xff, 0xff, 1, 1, 0x11, 0];
    frame.extend([0xff, 0xd9]);
    frame.push(0);
    refuse("a JPEG frame of another size", readers::dicom, &dicom(jpeg, 4, &fragments(&frame)));
}
