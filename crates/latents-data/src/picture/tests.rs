//! Valid and invalid pictures.

use std::io::Cursor;

use image::{GrayImage, ImageFormat, Luma, Rgb, Rgba, RgbaImage};

use super::*;

fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(vec![]);
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// The picture in a file's content, as of [`read`]; `path` tells the format of those that do not say it themselves.
fn decode(
    file: &[u8],
    path: &Path,
    size: [usize; 2],
    settings: &Pictures,
) -> Result<Vec<u8>, String> {
    guarded(|| Ok(fitted(picture(file, path, 0)?, size, settings)))
}

fn read(bytes: &[u8], size: [usize; 2], settings: &Pictures) -> Result<Vec<u8>, String> {
    decode(bytes, Path::new("in"), size, settings)
}

fn with(fit: Fit) -> Pictures {
    Pictures { fit, ..Pictures::default() }
}

#[test]
fn every_kind_of_file_is_read_as_it_is() {
    let picture = RgbImage::from_fn(4, 2, |x, y| Rgb([60 * x as u8, 100 * y as u8, 7]));
    let expected = planes(&picture);
    assert_eq!(expected[..8], [0, 60, 120, 180, 0, 60, 120, 180]);
    let exact = [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif, ImageFormat::Bmp];
    for format in exact.into_iter().chain([ImageFormat::Pnm, ImageFormat::Qoi]) {
        let bytes = encoded(picture.clone(), format);
        assert_eq!(read(&bytes, [2, 4], &Pictures::default()).unwrap(), expected, "{format:?}");
    }
    let tga = encoded(picture.clone(), ImageFormat::Tga);
    let read_tga = decode(&tga, Path::new("a.TGA"), [2, 4], &Pictures::default());
    assert_eq!(read_tga.unwrap(), expected);
    let grey = encoded(GrayImage::from_pixel(8, 8, Luma([77])), ImageFormat::Jpeg);
    assert_eq!(read(&grey, [8, 8], &Pictures::default()).unwrap(), [77; 192]);
}

#[test]
fn what_is_transparent_lies_on_the_background() {
    let picture =
        RgbaImage::from_fn(2, 1, |x, _| Rgba([100, 0, 200, if x == 0 { 255 } else { 51 }]));
    let bytes = encoded(picture, ImageFormat::Png);
    let on = |background| {
        let settings = Pictures { background: crate::Colour(background), ..Pictures::default() };
        read(&bytes, [1, 2], &settings).unwrap()
    };
    assert_eq!(on([255; 3]), [100, 224, 0, 204, 200, 244]);
    assert_eq!(on([0; 3]), [100, 20, 0, 0, 200, 40]);
}

#[test]
fn a_transparent_picture_is_not_cut_unless_that_is_asked_for() {
    // A line along the whole width.
    let line = RgbaImage::from_fn(30, 10, |_, y| Rgba([0, 0, 0, if y == 5 { 255 } else { 0 }]));
    let bytes = encoded(line.clone(), ImageFormat::Png);
    let rows = |fit| {
        let pixels = read(&bytes, [10, 10], &with(fit)).unwrap();
        pixels[..100].chunks_exact(10).filter(|row| row.iter().all(|&p| p == 255)).count()
    };
    assert!(rows(Fit::Contain) >= 7 && rows(Fit::Contain) < 10, "{}", rows(Fit::Contain));
    let read = |bytes: &[u8], fit| read(bytes, [10, 10], &with(fit)).unwrap();
    assert_eq!(read(&bytes, Fit::Auto), read(&bytes, Fit::Contain));
    assert_ne!(read(&bytes, Fit::Auto), read(&bytes, Fit::Crop));
    let opaque = encoded(DynamicImage::from(line).into_rgb8(), ImageFormat::Png);
    assert_eq!(read(&opaque, Fit::Auto), read(&opaque, Fit::Crop));
}

#[test]
fn the_camera_may_have_been_held_on_its_side() {
    // Left half white, right half black; EXIF orientation 6 rotates by 90 degrees clockwise: white above.
    let picture = GrayImage::from_fn(32, 16, |x, _| Luma([if x < 16 { 255 } else { 0 }]));
    let jpeg = encoded(picture, ImageFormat::Jpeg);
    let tiff = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let length = (tiff.len() as u16 + 2).to_be_bytes();
    let turned = [&jpeg[..2], &[0xff, 0xe1], &length, tiff, &jpeg[2..]].concat();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("turned.jpg");
    std::fs::write(&path, &turned).unwrap();
    let header = read_header(&turned, turned.len() as u64, &path, &Pictures::default());
    assert_eq!(header.unwrap().size, [32, 16]);
    let pixels = super::read(&turned, &path, 0, [32, 16], &Pictures::default()).unwrap();
    assert!(pixels[..16 * 14].iter().all(|&p| p > 200), "{pixels:?}");
    assert!(pixels[16 * 18..16 * 32].iter().all(|&p| p < 50), "{pixels:?}");
}

#[test]
fn fits_differ_where_the_sides_do() {
    // Black, but for a white middle of half the width.
    let picture =
        || RgbImage::from_fn(8, 4, |x, _| Rgb([if (2..6).contains(&x) { 255 } else { 0 }; 3]));
    assert!(fit(picture(), [4, 4], Fit::Crop, [9; 3]).pixels().all(|p| p.0 == [255; 3]));
    let contained = fit(picture(), [8, 8], Fit::Contain, [9; 3]);
    assert_eq!(contained.get_pixel(0, 0).0, [9; 3]);
    assert_eq!(contained.get_pixel(0, 2).0, [0; 3]);
    assert_eq!(contained.get_pixel(4, 5).0, [255; 3]);
    assert_eq!(contained.get_pixel(4, 6).0, [9; 3]);
    let stretched = fit(picture(), [4, 8], Fit::Stretch, [9; 3]);
    assert_eq!(stretched, picture());
    for how in [Fit::Crop, Fit::Contain, Fit::Stretch] {
        for (from, to) in
            [((1, 1), [5, 7]), ((1, 900), [3, 3]), ((900, 1), [64, 2]), ((7, 5), [1, 1])]
        {
            let picture = RgbImage::from_pixel(from.0, from.1, Rgb([200, 100, 0]));
            let fitted = fit(picture, to, how, [200, 100, 0]);
            assert_eq!(fitted.dimensions(), (to[1] as u32, to[0] as u32));
            assert!(fitted.pixels().all(|p| p.0 == [200, 100, 0]), "{how:?} {from:?} {to:?}");
        }
    }
}

#[test]
fn large_pictures_are_averaged_not_sampled() {
    // A chequerboard of single pixels becomes grey.
    let board =
        RgbImage::from_fn(400, 300, |x, y| Rgb([if (x + y) % 2 == 0 { 255 } else { 0 }; 3]));
    let small = fit(board, [15, 20], Fit::Crop, [0; 3]);
    assert!(small.pixels().all(|p| (126..=129).contains(&p.0[0])), "{small:?}");
}

#[test]
fn grey_is_luminance() {
    assert_eq!(grey(&[255, 0, 0, 255, 0, 255, 0, 255, 0, 0, 255, 255]), [76, 150, 29, 255]);
    assert!(!is_coloured(&[1, 2, 1, 2, 1, 2]) && is_coloured(&[1, 2, 1, 2, 1, 3]));
}

/// A PNG whose header declares a size, without pixels.
fn png_of(width: u32, height: u32) -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 6, 0, 0, 0]);
    let crc = crc32fast::hash(&header).to_be_bytes();
    let data =
        [&[0, 0, 0, 4][..], b"IDAT\0\0\0\0", &crc32fast::hash(b"IDAT\0\0\0\0").to_be_bytes()];
    [b"\x89PNG\r\n\x1a\n\0\0\0\x0d", &header[..], &crc, &data.concat()].concat()
}

#[test]
fn what_is_no_picture_has_a_reason() {
    let whole = encoded(RgbImage::new(40, 30), ImageFormat::Png);
    for (bytes, expected) in [
        (&b"these are words, and no picture"[..], "its content is not a picture"),
        (&whole[..whole.len() / 2], "it is damaged: "),
        (&whole[..20], "it is damaged: "),
        (&png_of(70_000, 2), "it is too large"),
        (&png_of(60_000, 60_000), "it is too large"),
        (&png_of(8_000, 8_000), "are too many for a file of "),
        (&png_of(0, 5), "it is damaged: "),
        (b"\x76\x2f\x31\x01\0\0\0\0", "its content is of an unsupported format: "),
        (b"BM\0\0\0\0", "it is damaged: "),
        (b"II*\0\x08\0\0\0", "it is damaged or of an unsupported kind: "),
    ] {
        let said = read(bytes, [8, 8], &with(Fit::Crop)).unwrap_err();
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.png");
    std::fs::write(&path, b"").unwrap();
    assert_eq!(bytes(&path).unwrap_err(), "it is empty");
    assert!(bytes(&folder.path().join("none.png")).unwrap_err().starts_with("it cannot be read"));
}

#[test]
fn one_picture_becomes_one_image_of_a_shape() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.png");
    let picture = RgbImage::from_fn(4, 2, |x, y| Rgb([60 * x as u8, 100 * y as u8, 7]));
    std::fs::write(&path, encoded(picture.clone(), ImageFormat::Png)).unwrap();
    let read = |path: &Path, shape| read_picture(path, shape, &Pictures::default());
    assert_eq!(read(&path, [3, 2, 4]).unwrap().pixels(), planes(&picture));
    let one = read(&path, [1, 2, 4]).unwrap();
    assert_eq!(one.pixels(), grey(&planes(&picture)));
    assert!(read(&path, [2, 2, 4]).unwrap_err().to_string().contains("1 or 3 channels"));
    std::fs::write(&path, "no picture").unwrap();
    assert!(read(&path, [1, 2, 4]).unwrap_err().to_string().contains("one.png: "));
}
