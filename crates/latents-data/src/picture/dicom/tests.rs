//! DICOM files written element by element, intact, cut short and damaged.

#![allow(clippy::float_cmp)] // Values are kept exactly.

use image::codecs::jpeg::JpegEncoder;

use super::super::{guarded, paged::Paged};
use super::frames::unpacked;
use super::*;

const IMPLICIT: &str = "1.2.840.10008.1.2";
const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const BIG: &str = "1.2.840.10008.1.2.2";
const RUN_LENGTHS: &str = "1.2.840.10008.1.2.5";
const JPEG: &str = "1.2.840.10008.1.2.4.50";

/// An element with a value, or of unknown length.
fn element(syntax: &str, (group, element): (u16, u16), vr: &str, value: Option<&[u8]>) -> Vec<u8> {
    let word = |x: u16| if syntax == BIG { x.to_be_bytes() } else { x.to_le_bytes() };
    let long = |x: u32| if syntax == BIG { x.to_be_bytes() } else { x.to_le_bytes() };
    let mut value = value.map(<[u8]>::to_vec);
    if let Some(value) = value.as_mut().filter(|value| value.len() % 2 == 1) {
        value.push(if matches!(vr, "OB" | "OW" | "UI") { 0 } else { b' ' });
    }
    let length = value.as_ref().map_or(u32::MAX, |value| value.len() as u32);
    let mut bytes = [word(group), word(element)].concat();
    if syntax == IMPLICIT {
        bytes.extend(long(length));
    } else {
        bytes.extend(vr.as_bytes());
        if matches!(vr, "OB" | "OW" | "SQ") {
            bytes.extend([0, 0]);
            bytes.extend(long(length));
        } else {
            bytes.extend(word(length as u16));
        }
    }
    bytes.extend(value.unwrap_or_default());
    bytes
}

/// What describes the pixels of a file of 3 x 2 pixels, which a test may change.
#[derive(Clone)]
struct About {
    syntax: &'static str,
    kind: &'static str,
    samples: u16,
    bits: [u16; 3],
    signed: u16,
    planar: u16,
    frames: Option<&'static str>,
    /// Elements before the pixels.
    more: Vec<u8>,
}

const GREY: About = About {
    syntax: EXPLICIT,
    kind: "MONOCHROME2",
    samples: 1,
    bits: [16, 12, 11],
    signed: 0,
    planar: 0,
    frames: None,
    more: vec![],
};

impl About {
    fn before_pixels(&self) -> Vec<u8> {
        let syntax = self.syntax;
        let word = |x: u16| if syntax == BIG { x.to_be_bytes() } else { x.to_le_bytes() };
        let meta = element(EXPLICIT, (2, 0x10), "UI", Some(syntax.as_bytes()));
        let length = (meta.len() as u32).to_le_bytes();
        let mut file =
            [&[0; 128][..], b"DICM", &element(EXPLICIT, (2, 0), "UL", Some(&length)), &meta]
                .concat();
        let mut add = |tag: u16, vr: &str, value: &[u8]| {
            file.extend(element(syntax, (0x28, tag), vr, Some(value)));
        };
        add(2, "US", &word(self.samples));
        add(4, "CS", self.kind.as_bytes());
        if self.samples > 1 {
            add(6, "US", &word(self.planar));
        }
        if let Some(frames) = self.frames {
            add(8, "IS", frames.as_bytes());
        }
        add(0x10, "US", &word(2));
        add(0x11, "US", &word(3));
        for (tag, value) in [0x100, 0x101, 0x102].into_iter().zip(self.bits) {
            add(tag, "US", &word(value));
        }
        add(0x103, "US", &word(self.signed));
        file.extend(&self.more);
        file
    }

    fn with(&self, pixels: &[u8]) -> Vec<u8> {
        let vr = if self.bits[0] > 8 { "OW" } else { "OB" };
        [self.before_pixels(), element(self.syntax, (0x7fe0, 0x10), vr, Some(pixels))].concat()
    }

    /// A file with pixels in fragments, after a table of offsets.
    fn with_fragments(&self, offsets: &[u8], fragments: &[&[u8]]) -> Vec<u8> {
        let mut file = self.before_pixels();
        file.extend(element(self.syntax, (0x7fe0, 0x10), "OB", None));
        for value in [offsets].iter().chain(fragments) {
            file.extend(element(IMPLICIT, (0xfffe, 0xe000), "OB", Some(value)));
        }
        file.extend(element(IMPLICIT, (0xfffe, 0xe0dd), "OB", Some(&[])));
        file
    }

    fn rescaled(&self, slope: &str, intercept: &str) -> Self {
        let value =
            |tag, text: &str| element(self.syntax, (0x28, tag), "DS", Some(text.as_bytes()));
        Self { more: [value(0x1052, intercept), value(0x1053, slope)].concat(), ..self.clone() }
    }
}

fn words(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn head(file: &[u8]) -> Header {
    header(file, file.len() as u64, Pages::Pictures).unwrap()
}

fn values(file: &[u8], page: u32) -> Vec<Vec<f32>> {
    bands(file, page, 1.0).unwrap().channels.into_iter().map(|plane| plane.values).collect()
}

fn refused(file: &[u8]) -> String {
    let said = guarded(|| header(file, file.len() as u64, Pages::Pictures)).unwrap_err();
    assert_eq!(guarded(|| bands(file, 0, 1.0).map(|_| ())).unwrap_err(), said);
    said
}

#[test]
fn grey_is_read_in_every_uncompressed_syntax() {
    for syntax in [EXPLICIT, IMPLICIT, BIG] {
        let about = About { syntax, ..GREY };
        let pixels = [0u16, 1, 256, 4095, 7, 8];
        let bytes = if syntax == BIG { u16::to_be_bytes } else { u16::to_le_bytes };
        let file = about.with(&pixels.map(bytes).concat());
        assert_eq!(Paged::of(&file), Ok(Some(Paged::Dicom)));
        let expected = Header { size: [2, 3], precision: Precision::Words, channels: 1, pages: 1 };
        assert_eq!(head(&file), expected, "{syntax}");
        assert_eq!(values(&file, 0), [pixels.map(f32::from)], "{syntax}");
    }
    let bytes = About { bits: [8, 8, 7], ..GREY }.with(&[0, 1, 2, 3, 254, 255]);
    assert_eq!(head(&bytes).precision, Precision::Bytes);
    let picture = bands(&bytes, 0, 1.0).unwrap().into_picture().unwrap();
    assert_eq!(picture.into_luma8().into_raw(), [0, 1, 2, 3, 254, 255]);
}

#[test]
fn only_the_bits_that_are_stored_count() {
    let pixels = words(&[0xf001, 0x0fff, 0x0800, 0x07ff, 0x1000, 0]);
    assert_eq!(values(&GREY.with(&pixels), 0), [[1.0, 4095.0, 2048.0, 2047.0, 0.0, 0.0]]);
    let signed = About { signed: 1, ..GREY }.with(&pixels);
    assert_eq!(head(&signed).precision, Precision::Floats);
    assert_eq!(values(&signed, 0), [[1.0, -1.0, -2048.0, 2047.0, 0.0, 0.0]]);
    let higher = About { bits: [16, 12, 15], ..GREY }.with(&pixels);
    assert_eq!(values(&higher, 0), [[3840.0, 255.0, 128.0, 127.0, 256.0, 0.0]]);
    let long: Vec<u8> =
        [1u32, 2, 3, 70_000, 5, u32::MAX].iter().flat_map(|x| x.to_le_bytes()).collect();
    let long = About { bits: [32, 32, 31], ..GREY }.with(&long);
    assert_eq!(values(&long, 0)[0][3..], [70_000.0, 5.0, 4_294_967_295.0]);
    // Bits are packed, the lowest first, without a gap between frames.
    let bits =
        About { bits: [1, 1, 0], frames: Some("2"), ..GREY }.with(&[0b0100_0101, 0b0000_1111]);
    assert_eq!(head(&bits).precision, Precision::Bytes);
    assert_eq!(values(&bits, 0), [[255.0, 0.0, 255.0, 0.0, 0.0, 0.0]]);
    assert_eq!(values(&bits, 1), [[255.0, 0.0, 255.0, 255.0, 255.0, 255.0]]);
}

#[test]
fn rescaled_and_inverted_values_are_those_of_the_modality() {
    let pixels = words(&[0, 1, 2, 1024, 2048, 4095]);
    let file = GREY.rescaled("1", "-1024").with(&pixels);
    assert_eq!(head(&file).precision, Precision::Floats);
    assert_eq!(values(&file, 0), [[-1024.0, -1023.0, -1022.0, 0.0, 1024.0, 3071.0]]);
    let file = GREY.rescaled("0.5", "10.25").with(&pixels);
    assert_eq!(values(&file, 0)[0][..3], [10.25, 10.75, 11.25]);
    assert_eq!(head(&GREY.rescaled("1.0", "0").with(&pixels)).precision, Precision::Words);
    let inverted = About { kind: "MONOCHROME1", ..GREY };
    assert_eq!(values(&inverted.with(&pixels), 0), [[4095.0, 4094.0, 4093.0, 3071.0, 2047.0, 0.0]]);
    let both = inverted.rescaled("2", "-1").with(&pixels);
    assert_eq!(values(&both, 0)[0], [8189.0, 8187.0, 8185.0, 6141.0, 4093.0, -1.0]);
    let signed = About { kind: "MONOCHROME1", signed: 1, ..GREY };
    assert_eq!(values(&signed.with(&pixels), 0)[0], [-1.0, -2.0, -3.0, -1025.0, 2047.0, 0.0]);
    assert!(refused(&GREY.rescaled("one", "0").with(&pixels)).contains("is not a number"));
}

#[test]
fn frames_are_pages_or_channels() {
    let about = About { frames: Some("2 "), ..GREY };
    let pixels: Vec<u16> = (0..12).collect();
    let file = about.with(&words(&pixels));
    assert_eq!((head(&file).pages, head(&file).channels), (2, 1));
    assert_eq!(values(&file, 1), [[6.0, 7.0, 8.0, 9.0, 10.0, 11.0]]);
    assert!(bands(&file, 2, 1.0).is_err());
    let channels = header(&file, file.len() as u64, Pages::Channels).unwrap();
    assert_eq!((channels.pages, channels.channels), (1, 2));
    assert_eq!(Paged::Dicom.all_pages(&file, 1.0).unwrap().channels[1].values[0], 6.0);
    for frames in ["0", "-1", "x", "70000", "3"] {
        let about = About { frames: Some(frames), ..GREY };
        refused(&about.with(&words(&pixels)));
    }
}

#[test]
fn frames_may_have_their_own_slopes() {
    let item = |content: &[u8]| element(IMPLICIT, (0xfffe, 0xe000), "OB", Some(content));
    let slope = |text: &str| element(EXPLICIT, (0x28, 0x1053), "DS", Some(text.as_bytes()));
    let transformation =
        |text: &str| element(EXPLICIT, (0x28, 0x9145), "SQ", Some(&item(&slope(text))));
    let groups = [item(&transformation("2")), item(&transformation("3"))].concat();
    let more = element(EXPLICIT, (0x5200, 0x9230), "SQ", Some(&groups));
    let pixels = words(&[1; 12]);
    let file = About { frames: Some("2"), more, ..GREY }.with(&pixels);
    assert_eq!(head(&file).precision, Precision::Floats);
    assert_eq!((values(&file, 0)[0][0], values(&file, 1)[0][0]), (2.0, 3.0));
    let more = element(EXPLICIT, (0x5200, 0x9229), "SQ", Some(&item(&transformation("5"))));
    let file = About { frames: Some("2"), more, ..GREY }.with(&pixels);
    assert_eq!((values(&file, 0)[0][0], values(&file, 1)[0][0]), (5.0, 5.0));
    let more = element(EXPLICIT, (0x28, 0x3000), "SQ", Some(&item(&slope("1"))));
    assert!(refused(&About { more, ..GREY }.with(&pixels)).contains("modality lookup table"));
}

#[test]
fn colours_are_red_green_and_blue() {
    let about = About { kind: "RGB", samples: 3, bits: [8, 8, 7], ..GREY };
    let pixels: Vec<u8> = (0..18).collect();
    let file = about.with(&pixels);
    assert_eq!((head(&file).precision, head(&file).channels), (Precision::Bytes, 3));
    assert_eq!(values(&file, 0)[1], [1.0, 4.0, 7.0, 10.0, 13.0, 16.0]);
    let picture = bands(&file, 0, 1.0).unwrap().into_picture().unwrap();
    assert_eq!(picture.into_rgb8().into_raw(), pixels);
    let planes = About { planar: 1, ..about.clone() }.with(&pixels);
    assert_eq!(values(&planes, 0)[1], [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]);
    let ybr = About { kind: "YBR_FULL", ..about.clone() };
    let red = [76, 85, 255].repeat(6);
    let colours = values(&ybr.with(&red), 0);
    assert_eq!([colours[0][5], colours[1][5], colours[2][5]], [254.0, 0.0, 0.0]);
    for kind in ["PALETTE COLOR", "YBR_FULL_422", "HSV", ""] {
        let said = refused(&About { kind, ..about.clone() }.with(&pixels));
        assert!(said.starts_with("its colours are of an unsupported kind"), "{said}");
    }
}

/// A frame of run lengths: the bytes of each segment as one run of literal bytes.
fn packed(segments: &[&[u8]]) -> Vec<u8> {
    let mut head = vec![segments.len() as u32];
    let mut body = vec![];
    for segment in segments {
        head.push(64 + body.len() as u32);
        body.push(segment.len() as u8 - 1);
        body.extend(*segment);
        // No operation.
        body.push(128);
    }
    head.resize(16, 0);
    [head.iter().flat_map(|x| x.to_le_bytes()).collect(), body].concat()
}

#[test]
fn run_lengths_are_unpacked() {
    assert_eq!(unpacked(&[1, 5, 6, 254, 7, 128, 0, 8], 9), [5, 6, 7, 7, 7, 8]);
    assert_eq!(unpacked(&[129, 1], 5), [1; 5]);
    assert_eq!(unpacked(&[5, 1, 2], 9), [1, 2]);
    assert_eq!(unpacked(&[200], 9), [0; 0]);
    let about = About { syntax: RUN_LENGTHS, frames: Some("2"), ..GREY };
    let one = packed(&[&[0, 1, 2, 3, 4, 15], &[0, 1, 2, 3, 4, 255]]);
    let other = packed(&[&[0; 6], &[9; 6]]);
    let file = about.with_fragments(&[], &[&one, &other]);
    assert_eq!(head(&file).pages, 2);
    assert_eq!(values(&file, 0), [[0.0, 257.0, 514.0, 771.0, 1028.0, 4095.0]]);
    assert_eq!(values(&file, 1), [[9.0; 6]]);
    // Without a conversion, colours of run lengths are luma and chroma.
    let colour = About { kind: "YBR_FULL", samples: 3, bits: [8, 8, 7], frames: None, ..about };
    let file = colour.with_fragments(&[], &[&packed(&[&[76; 6], &[85; 6], &[255; 6]])]);
    assert_eq!(values(&file, 0), [[254.0; 6], [0.0; 6], [0.0; 6]]);
    let file = colour.with_fragments(&[], &[&packed(&[&[76; 6], &[85; 6], &[255; 5]])]);
    assert!(bands(&file, 0, 1.0).is_err());
    let file = colour.with_fragments(&[], &[&u32::MAX.to_le_bytes()]);
    assert!(bands(&file, 0, 1.0).err().unwrap().contains("has not 3 segments"));
}

#[test]
fn jpeg_frames_are_decoded_from_their_fragments() {
    let encoded = |value: u8| {
        let mut bytes = vec![];
        JpegEncoder::new_with_quality(&mut bytes, 100)
            .encode(&[value; 6], 3, 2, image::ExtendedColorType::L8)
            .unwrap();
        if bytes.len() % 2 == 1 {
            bytes.push(0);
        }
        bytes
    };
    let (one, other) = (encoded(40), encoded(90));
    let about = About { syntax: JPEG, bits: [8, 8, 7], frames: Some("2"), ..GREY };
    let file = about.with_fragments(&[], &[&one, &other]);
    assert_eq!((values(&file, 0), values(&file, 1)), (vec![vec![40.0; 6]], vec![vec![90.0; 6]]));
    // A frame in two fragments needs the table of offsets, unless it is the only one.
    let (start, end) = one.split_at(100);
    let offsets = [0, one.len() as u32 + 16].map(u32::to_le_bytes).concat();
    let file = about.with_fragments(&offsets, &[start, end, &other]);
    assert_eq!((values(&file, 0), values(&file, 1)), (vec![vec![40.0; 6]], vec![vec![90.0; 6]]));
    let file = about.with_fragments(&[], &[start, end, &other]);
    assert!(bands(&file, 0, 1.0).err().unwrap().contains("the fragments of frame 0 are not known"));
    let only = About { frames: None, ..about.clone() };
    assert_eq!(values(&only.with_fragments(&[], &[start, end]), 0), [[40.0; 6]]);
    assert_eq!(
        bands(&only.with_fragments(&[], &[start]), 0, 1.0).err().unwrap(),
        "it is cut short"
    );
    let wrong = About { bits: [16, 12, 11], ..only.clone() };
    assert!(bands(&wrong.with_fragments(&[], &[&one]), 0, 1.0).err().unwrap().contains("bits: 8"));
    let colour = image::RgbImage::from_pixel(3, 2, image::Rgb([200, 40, 10]));
    let mut bytes = vec![];
    JpegEncoder::new_with_quality(&mut bytes, 100).encode_image(&colour).unwrap();
    let about = About { kind: "YBR_FULL_422", samples: 3, ..only };
    let found = values(&about.with_fragments(&[], &[&bytes]), 0);
    assert!((found[0][0] - 200.0).abs() < 4.0 && (found[2][5] - 10.0).abs() < 4.0, "{found:?}");
}

#[test]
fn other_syntaxes_are_named() {
    for (syntax, name) in [
        ("1.2.840.10008.1.2.1.99", "deflated"),
        ("1.2.840.10008.1.2.4.80", "JPEG-LS"),
        ("1.2.840.10008.1.2.4.91", "JPEG 2000"),
        ("1.2.840.10008.1.2.4.201", "HTJ2K"),
        ("1.2.3", "of an unsupported kind"),
    ] {
        let said = refused(&About { syntax, ..GREY }.with(&words(&[0; 6])));
        assert!(said.contains(&format!("{syntax} ({name}) is not supported")), "{said}");
    }
}

#[test]
fn files_that_are_cut_short_are_errors() {
    let plain = GREY.with(&words(&[1, 2, 3, 4, 5, 6]));
    let runs = About { syntax: RUN_LENGTHS, ..GREY };
    let runs = runs.with_fragments(&[], &[&packed(&[&[0; 6], &[9; 6]])]);
    for whole in [plain, runs] {
        assert!(bands(&whole, 0, 1.0).is_ok());
        for length in 0..whole.len() {
            let read = guarded(|| bands(&whole[..length], 0, 1.0).map(|_| ()));
            assert!(read.is_err(), "{length} of {}", whole.len());
        }
    }
}

#[test]
fn damaged_files_are_errors_or_other_pictures() {
    let groups = element(IMPLICIT, (0xfffe, 0xe000), "OB", Some(&[0; 10]));
    let more = element(EXPLICIT, (0x5200, 0x9230), "SQ", Some(&groups));
    let plain = About { frames: Some("2"), more, ..GREY }.with(&words(&[5; 12]));
    let runs = About { syntax: RUN_LENGTHS, ..GREY };
    let runs = runs.with_fragments(&[0; 4], &[&packed(&[&[0; 6], &[9; 6]])]);
    for whole in [plain, runs] {
        let mut file = whole.clone();
        for at in 128..file.len() {
            for byte in [0, 1, 0x7f, 0xff, whole[at] ^ 0x80] {
                file[at] = byte;
                let _ = guarded(|| header(&file, file.len() as u64, Pages::Channels));
                let _ = guarded(|| bands(&file, 1, 1.0).map(|_| ()));
            }
            file[at] = whole[at];
        }
    }
}

#[test]
fn deep_sequences_and_long_values_are_refused() {
    let mut deep = vec![];
    for _ in 0..100_000 {
        deep.extend(element(EXPLICIT, (0x40, 0x275), "SQ", None));
        deep.extend(element(IMPLICIT, (0xfffe, 0xe000), "OB", None));
    }
    let file = About { more: deep, ..GREY }.with(&words(&[0; 6]));
    assert_eq!(refused(&file), "its sequences are too deep");
    let mut long = element(EXPLICIT, (0x40, 0x280), "OB", Some(&[]));
    let length = long.len();
    long[length - 4..].copy_from_slice(&0xffff_fff0u32.to_le_bytes());
    let file = About { more: long, ..GREY }.with(&words(&[0; 6]));
    assert_eq!(refused(&file), "it has no pixels, or is cut short before them");
    let frames = element(EXPLICIT, (0x28, 8), "IS", Some(&[b'1'; 100]));
    let file = About { more: frames, ..GREY }.with(&words(&[0; 6]));
    assert!(refused(&file).ends_with("is too long"));
}
