//! Pictures of more than 8 bits, and of the formats of science.

use super::*;

#[test]
fn deep_pictures_are_mapped_by_one_range() {
    let case = Case::new();
    for (i, white) in [1000u16, 4080].into_iter().enumerate() {
        let ramp = image::ImageBuffer::from_fn(8, 8, |x, y| {
            image::Luma([(u32::from(white) * (8 * y + x) / 63) as u16])
        });
        ramp.save(case.folder().join(format!("{i}.png"))).unwrap();
        case.age(&format!("{i}.png"));
    }
    // A picture of bytes among them is as bright as its bytes say.
    case.picture("white.png", [8, 8], [255; 3]);
    let set = Case { settings: Pictures { test_fraction: 0.0, ..Pictures::default() }, ..case }
        .load()
        .unwrap();
    assert_eq!((set.shape(), set.range), ([1, 8, 8], [0.0, 65_535.0]));
    let case = Case::new();
    for i in 0..3u16 {
        let ramp = image::ImageBuffer::from_fn(8, 8, |x, y| {
            image::Luma([((8 * y + x) as u16) * 20 * (i + 1)])
        });
        ramp.save(case.folder().join(format!("{i}.png"))).unwrap();
        case.age(&format!("{i}.png"));
    }
    let with = |range: &str| {
        let settings =
            Pictures { test_fraction: 0.0, range: range.parse().unwrap(), ..Pictures::default() };
        read(&case.folder(), &settings, &case.locations, &Monitor::default()).unwrap()
    };
    let set = with("auto");
    assert_eq!((set.range, set.pictures.range.to_string().as_str()), ([0.0, 4095.0], "0..4095"));
    let largest = |set: &Dataset| set.train.images.to_unit().into_iter().fold(0.0f32, f32::max);
    assert!((largest(&set) - 3780.0 / 4095.0).abs() < 1e-4);
    assert_eq!(with("auto"), set, "the same from the cache");
    assert!((largest(&with("0..3780")) - 1.0).abs() < f32::EPSILON);
    let clipped = with("0..1000");
    assert!(notes(&clipped).contains("outside the range were clipped"), "{}", notes(&clipped));
}

#[test]
fn pictures_of_numbers_that_all_fail_are_an_error() {
    let case = Case::new();
    let mut file = std::io::Cursor::new(vec![]);
    let mut encoder = tiff::encoder::TiffEncoder::new(&mut file).unwrap();
    let values = [1.0, 2.0, f32::NAN, 4.0];
    encoder.write_image::<tiff::encoder::colortype::Gray32Float>(2, 2, &values).unwrap();
    case.file("a.tif", &file.into_inner());
    let error = case.load().unwrap_err().to_string();
    assert!(
        error.ends_with("damaged: a.tif (it has a value that is NaN; pictures must be finite)")
    );
}

/// A FITS file of 2 x 2 bytes.
fn fits(values: [u8; 4]) -> Vec<u8> {
    let number = |name: &str, value: u8| format!("{:<80}", format!("{name:<8}= {value:>20}"));
    let logical = format!("{:<80}", "SIMPLE  =                    T");
    let axes = [("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", 2), ("NAXIS2", 2)];
    let head = axes.map(|(name, value)| number(name, value)).concat();
    let mut bytes = format!("{:<2880}", format!("{logical}{head}END")).into_bytes();
    bytes.extend(values);
    bytes.resize(2 * 2880, 0);
    bytes
}

#[test]
fn a_format_that_the_build_lacks_is_named() {
    let case = Case::new();
    case.file("a.fits", &fits([1, 2, 3, 4]));
    case.file("b.FIT", &fits([5, 6, 7, 8]));
    case.file("c.dcm", &[&[0; 128][..], b"DICM"].concat());
    case.picture("d.png", [2, 2], [9; 3]);
    let set = case.load().unwrap();
    let (all, _) = set.all();
    let notes = notes(&set);
    if cfg!(feature = "fits") {
        assert_eq!(all.len(), 3);
        let a = (0..3).find(|&i| all.name_of(i) == "a.fits").unwrap();
        assert_eq!(all.images.image(a).to_bytes()[..], [3, 4, 1, 2]);
    } else {
        assert_eq!(all.len(), 1);
        let reason = "a.fits (this build does not support FITS; build with the feature `fits`)";
        assert!(notes.contains(reason), "{notes}");
    }
    let reason = "c.dcm (this build does not support DICOM; build with the feature `dicom`)";
    assert_eq!(notes.contains(reason), !cfg!(feature = "dicom"), "{notes}");
    assert!(notes.contains("c.dcm ("), "{notes}");
}
