//! Tables of pixels as people have them.

use super::*;
use crate::images::Pixels as Stored;

fn load_text(name: &str, text: &str, settings: &Pictures) -> Result<Dataset, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    load("x".into(), &path, settings, &Locations::nowhere(), &Monitor::default())
}

fn all() -> Pictures {
    Pictures { test_fraction: 0.0, ..Pictures::default() }
}

#[test]
fn pixels_in_columns_are_images() {
    let text = "label,pixel0,pixel1,pixel2,pixel3\n7,0,51,102,255\n9,1,2,3,4\n";
    let set = load_text("digits.csv", text, &all()).unwrap();
    assert_eq!((set.shape(), set.range), ([1, 2, 2], [0.0, 255.0]));
    assert_eq!(set.train.images.pixels(), Stored::Bytes(&[0, 51, 102, 255, 1, 2, 3, 4]));
    assert_eq!((set.train.all_labels(), &*set.classes[7]), (Some(vec![7, 9]), "7"));
    assert_eq!(set.columns, [LabelColumn { name: "label".into(), classes: 2, labelled: 2 }]);
    // Without a line of names, the first of 4 + 1 numbers is the label.
    let set = load_text("digits.csv", "7,0,51,102,255\n9,1,2,3,4\n", &all()).unwrap();
    assert_eq!((set.shape(), set.train.all_labels()), ([1, 2, 2], Some(vec![7, 9])));
    let wide = Pictures { shape: Some(vec![1, 4]), ..all() };
    assert_eq!(load_text("digits.csv", text, &wide).unwrap().shape(), [1, 1, 4]);
}

#[test]
fn pixels_in_one_cell_and_parts_in_a_column_are_read() {
    let text =
        "emotion,pixels,Usage\n0,0 10 20 30,Training\n1,1 1 1 2,Training\n0,9 9 9 8,PublicTest\n";
    let set = load_text("fer2013.csv", text, &all()).unwrap();
    assert_eq!((set.shape(), set.train.len(), set.test.len()), ([1, 2, 2], 2, 1));
    assert_eq!(set.test.all_labels(), Some(vec![0]));
    let text = "size,angle,a,b,c,d\ns,u,1.5,2,3,4\nl,v,2.5,3,4,5\n";
    let set = load_text("factors.csv", text, &all()).unwrap();
    let columns = set.train.columns.iter().map(|c| (&*c.name, &c.labels[..]));
    let expected = [("size", &[Some(1), Some(0)][..]), ("angle", &[Some(0), Some(1)][..])];
    assert_eq!(columns.collect::<Vec<_>>(), expected);
    let lines =
        "{\"x\": [0, 0.5, 1, 0.25], \"y\": \"cat\"}\n{\"x\": [1, 1, 0, 0], \"y\": \"dog\"}\n";
    let set = load_text("images.jsonl", lines, &all()).unwrap();
    assert_eq!((set.shape(), set.range, set.classes.len()), ([1, 2, 2], [0.0, 1.0], 2));
}

#[test]
fn what_is_no_table_of_images_has_a_reason() {
    let said = |text: &str, settings: &Pictures| {
        load_text("a.csv", text, settings).unwrap_err().to_string()
    };
    assert!(said("name,label\na.png,1\n", &all()).contains("neither pictures nor pixels"));
    let text = "label,a,b,c,d,e\n1,2,3,4,5,6\n";
    assert!(said(text, &all()).contains("name their shape"), "{}", said(text, &all()));
    assert!(said("label,a,b,c,d\n1,2,3,,5\n1,2,3,4,5\n", &all()).contains("a pixel is missing"));
    let settings = Pictures { label: Some("none".into()), ..all() };
    assert!(
        said("label,a,b,c,d\n1,2,3,4,5\n", &settings).contains("no label `none`; it has: label")
    );
}

#[cfg(feature = "parquet")]
mod parquet {
    use std::io::Cursor;

    use latents_tables::{Column, write};

    use super::*;

    #[allow(clippy::unnecessary_wraps)] // As columns have values.
    fn png(grey: u8) -> Option<Vec<u8>> {
        let mut bytes = Cursor::new(vec![]);
        let picture = image::GrayImage::from_pixel(3, 2, image::Luma([grey]));
        picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        Some(bytes.into_inner())
    }

    #[test]
    fn the_bytes_of_pictures_are_images() {
        let folder = tempfile::tempdir().unwrap();
        for (file, from, n) in [("train-0", 0u8, 200u8), ("test-0", 200, 3)] {
            let images = (from..from + n).map(png).collect();
            let labels = (from..from + n).map(|i| Some(i64::from(i % 2))).collect();
            let table = ColumnTable::new(vec![
                Column::new("image", Values::Bytes(images)),
                Column::new("label", Values::I64(labels)),
            ]);
            write(&folder.path().join(format!("{file}.parquet")), &table.unwrap()).unwrap();
        }
        let load = || {
            let cache = Some(folder.path().join("cache"));
            let locations = Locations { cache, ..Locations::nowhere() };
            load("x".into(), folder.path(), &Pictures::default(), &locations, &Monitor::default())
        };
        let set = load().unwrap();
        assert_eq!([set.train.len(), set.test.len(), set.classes.len()], [200, 3, 2]);
        assert_eq!(set.shape(), [1, 2, 3]);
        for i in 0..200u8 {
            assert_eq!(set.train.images.image(i.into()), [i; 6]);
        }
        assert_eq!(set.test.images.image(2), [202; 6]);
        assert_eq!(set.train.all_labels().unwrap()[..3], [0, 1, 0]);
        assert_eq!(set.train.names.as_ref().unwrap()[7], "train-0.parquet[7]");
        assert_eq!(load().unwrap().train, set.train);
    }
}
