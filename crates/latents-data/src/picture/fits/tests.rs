//! FITS files written card by card, intact, cut short and damaged.

#![allow(clippy::float_cmp)] // Values are kept exactly.

use super::super::{guarded, paged::Paged};
use super::*;

/// A unit of a file: its header and its data, each in whole blocks.
fn unit(cards: &[&str], data: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        cards.iter().chain(&["END"]).flat_map(|card| format!("{card:<80}").into_bytes()).collect();
    bytes.resize(bytes.len().next_multiple_of(BLOCK_SIZE), b' ');
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(BLOCK_SIZE), 0);
    bytes
}

/// A file with an image of 3 x 2 pixels, or planes of them, and more cards.
fn file(bitpix: i64, planes: usize, more: &[&str], data: &[u8]) -> Vec<u8> {
    let cards = [
        "SIMPLE  =                    T".to_owned(),
        format!("BITPIX  = {bitpix:>20} / bits"),
        format!("NAXIS   = {:>20}", if planes == 1 { 2 } else { 3 }),
        "NAXIS1  =                    3".into(),
        "NAXIS2  =                    2".into(),
        format!("NAXIS3  = {planes:>20}"),
    ];
    let count = if planes == 1 { 5 } else { 6 };
    let mut all: Vec<&str> = cards[..count].iter().map(String::as_str).collect();
    all.extend(more);
    unit(&all, data)
}

fn words(values: &[i16]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_be_bytes()).collect()
}

fn values(file: &[u8], page: u32) -> Vec<f32> {
    bands(file, page, 1.0).unwrap().channels.remove(0).values
}

fn head(file: &[u8]) -> Header {
    header(file, file.len() as u64, Pages::Pictures).unwrap()
}

#[test]
fn values_of_every_type_are_kept_and_the_first_row_is_the_lowest() {
    let bytes = file(8, 1, &[], &[1, 2, 3, 4, 5, 255]);
    assert_eq!(Paged::of(&bytes), Ok(Some(Paged::Fits)));
    let expected = Header { size: [2, 3], precision: Precision::Bytes, channels: 1, pages: 1 };
    assert_eq!(head(&bytes), expected);
    assert_eq!(values(&bytes, 0), [4.0, 5.0, 255.0, 1.0, 2.0, 3.0]);
    let picture = bands(&bytes, 0, 1.0).unwrap().into_picture().unwrap();
    assert_eq!(picture.into_luma8().into_raw(), [4, 5, 255, 1, 2, 3]);

    let signed = file(16, 1, &[], &words(&[-1, 0, 1, i16::MIN, i16::MAX, 7]));
    assert_eq!(head(&signed).precision, Precision::Floats);
    assert_eq!(values(&signed, 0), [-32_768.0, 32_767.0, 7.0, -1.0, 0.0, 1.0]);

    let thirty_two: Vec<u8> = (1..=6).flat_map(|x: i32| (x * -70_000).to_be_bytes()).collect();
    let thirty_two = file(32, 1, &[], &thirty_two);
    assert_eq!(values(&thirty_two, 0)[..2], [-280_000.0, -350_000.0]);
    let long: Vec<u8> = (1..=6).flat_map(|x: i64| (x << 40).to_be_bytes()).collect();
    assert_eq!(values(&file(64, 1, &[], &long), 0)[5], 3.0 * 2f32.powi(40));

    let float: Vec<u8> = (1..=6).flat_map(|x: u8| (f32::from(x) / 8.0).to_be_bytes()).collect();
    let float = file(-32, 1, &[], &float);
    assert_eq!(head(&float).precision, Precision::Floats);
    assert_eq!(values(&float, 0), [0.5, 0.625, 0.75, 0.125, 0.25, 0.375]);
    let double: Vec<u8> = (1..=6).flat_map(|x: u8| (f64::from(x) / -4.0).to_be_bytes()).collect();
    assert_eq!(values(&file(-64, 1, &[], &double), 0)[3..], [-0.25, -0.5, -0.75]);
}

#[test]
fn offset_and_scale_are_applied() {
    let unsigned = ["BZERO   =                32768", "BSCALE  =                    1"];
    let file_of = |more: &[&str]| file(16, 1, more, &words(&[-32_768, 0, 32_767, 1, 2, 3]));
    let unsigned = file_of(&unsigned);
    assert_eq!(head(&unsigned).precision, Precision::Words);
    let bands = bands(&unsigned, 0, 257.0).unwrap();
    assert_eq!(bands.white, 65_535.0);
    assert_eq!(bands.channels[0].values, [32_769.0, 32_770.0, 32_771.0, 0.0, 32_768.0, 65_535.0]);
    let scaled = file_of(&["BSCALE  = 2.5E-1 / quarters", "BZERO   = -1.0D2"]);
    assert_eq!(head(&scaled).precision, Precision::Floats);
    assert_eq!(values(&scaled, 0)[..4], [-99.75, -99.5, -99.25, -8292.0]);
    // A scaled byte is no byte.
    let scaled = file(8, 1, &["BZERO   =                 -128"], &[0, 1, 2, 127, 128, 255]);
    assert_eq!(head(&scaled).precision, Precision::Floats);
    assert_eq!(values(&scaled, 0), [-1.0, 0.0, 127.0, -128.0, -127.0, -126.0]);
}

#[test]
fn pixels_without_a_value_are_an_error() {
    let blank = file(16, 1, &["BLANK   =                   -1"], &words(&[-1, 0, 1, 2, -1, 7]));
    let said = bands(&blank, 0, 1.0).err().unwrap();
    assert!(said.starts_with("it has 2 pixels without a value (NaN or BLANK)"), "{said}");
    let nan: Vec<u8> =
        [1.0, 2.0, f32::NAN, 4.0, 5.0, 6.0].iter().flat_map(|x| x.to_be_bytes()).collect();
    let said = bands(&file(-32, 1, &[], &nan), 0, 1.0).err().unwrap();
    assert!(said.starts_with("it has 1 pixel without a value"), "{said}");
}

#[test]
fn planes_are_pages_or_channels() {
    let data: Vec<u8> = (0..12).collect();
    let cube = file(8, 2, &[], &data);
    assert_eq!((head(&cube).pages, head(&cube).channels), (2, 1));
    assert_eq!(values(&cube, 0), [3.0, 4.0, 5.0, 0.0, 1.0, 2.0]);
    assert_eq!(values(&cube, 1), [9.0, 10.0, 11.0, 6.0, 7.0, 8.0]);
    assert!(bands(&cube, 2, 1.0).is_err());
    let channels = header(&cube, cube.len() as u64, Pages::Channels).unwrap();
    assert_eq!((channels.pages, channels.channels), (1, 2));
    let all = Paged::Fits.all_pages(&cube, 1.0).unwrap();
    assert_eq!(all.channels[1].values, values(&cube, 1));
    let many = file(8, 17, &[], &[0; 17 * 6]);
    let said = header(&many, many.len() as u64, Pages::Channels).unwrap_err();
    assert!(said.contains("17 channels, more than the accepted 16"), "{said}");
    assert_eq!(head(&many).pages, 17);
}

#[test]
fn the_first_image_may_be_in_an_extension() {
    let empty = unit(
        &[
            "SIMPLE  =                    T",
            "BITPIX  =                    8",
            "NAXIS   =                    0",
        ],
        &[],
    );
    let table = [
        "XTENSION= 'BINTABLE'",
        "BITPIX  =                    8",
        "NAXIS   =                    2",
        "NAXIS1  =                    4",
        "NAXIS2  =                  900",
        "PCOUNT  =                    0",
        "GCOUNT  =                    1",
        "TFIELDS =                    1",
        "TFORM1  = 'J'",
    ];
    let image = [
        "XTENSION= 'IMAGE   '",
        "BITPIX  =                    8",
        "NAXIS   =                    4",
        "NAXIS1  =                    3",
        "NAXIS2  =                    1",
        "NAXIS3  =                    1",
        "NAXIS4  =                    1",
        "PCOUNT  =                    0",
        "GCOUNT  =                    1",
    ];
    let (table, image) = (unit(&table, &[7; 3600]), unit(&image, &[1, 2, 3]));
    let file = [&empty[..], &table, &image].concat();
    assert_eq!(head(&file).size, [1, 3]);
    assert_eq!(values(&file, 0), [1.0, 2.0, 3.0]);
    let said = header(&[&empty[..], &table].concat(), 11_520, Pages::Pictures).unwrap_err();
    assert_eq!(said, "it has no image of two or three axes");
    // The head of a file does not suffice for the second unit.
    let said = header(&file[..2880], file.len() as u64, Pages::Pictures).unwrap_err();
    assert_eq!(said, "it is cut short");
}

#[test]
fn files_that_are_cut_short_are_errors() {
    let whole = file(16, 1, &[], &words(&[1, 2, 3, 4, 5, 6]));
    for length in 0..whole.len() {
        let read = guarded(|| bands(&whole[..length], 0, 1.0).map(|_| ()));
        // What fills the last block may be missing.
        assert_eq!(read.is_ok(), length >= BLOCK_SIZE + 12, "{length}");
    }
}

#[test]
fn damaged_headers_are_errors_or_other_pictures() {
    let whole = file(16, 2, &["BZERO   =                32768"], &words(&[5; 12]));
    let mut file = whole.clone();
    for at in 0..9 * 80 {
        for byte in [0, b' ', b'-', b'9', b'E', 0xff] {
            file[at] = byte;
            let _ = guarded(|| header(&file, file.len() as u64, Pages::Channels));
            let _ = guarded(|| bands(&file, 1, 1.0).map(|_| ()));
        }
        file[at] = whole[at];
    }
    let swapped = |from: &str, to: &str| {
        let text = String::from_utf8_lossy(&whole[..BLOCK_SIZE]).replace(from, to);
        let file = [text.as_bytes(), &whole[BLOCK_SIZE..]].concat();
        let said = guarded(|| header(&file, file.len() as u64, Pages::Pictures)).unwrap_err();
        assert_eq!(guarded(|| bands(&file, 0, 1.0).map(|_| ())).unwrap_err(), said);
        said
    };
    for (from, to, expected) in [
        ("NAXIS   =                    3", "NAXIS   =  9999999999999999999", "it is damaged"),
        (
            "NAXIS   =                    3",
            "NAXIS   =         999999999999",
            "NAXIS is 999999999999",
        ),
        ("NAXIS   =                    3", "NAXIS   =                   -3", "NAXIS is -3"),
        ("NAXIS1  =                    3", "NAXIS1  =        9999999999999", "it is cut short"),
        ("NAXIS1  =                    3", "NAXIS1  =  4611686018427387904", "overflow"),
        ("NAXIS1  =                    3", "NAXIS1  =                   -3", "NAXIS1 is -3"),
        ("NAXIS2  =                    2", "NAXIS2  =                    0", "it has no pixels"),
        ("NAXIS3  =                    2", "NAXIS3  =               999999", "it is cut short"),
        ("NAXIS3  =                    2", "NAXIS3  =                    0", "it has no pixels"),
        ("BITPIX  =                   16", "BITPIX  =                   17", "BITPIX"),
        ("BITPIX  =                   16", "BITPIX  =                    0", "BITPIX"),
        ("END", "XYZ", "it is cut short"),
    ] {
        let said = swapped(from, to);
        assert!(said.contains(expected), "{to}: {said}");
    }
}
