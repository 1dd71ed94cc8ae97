//! Labels and parts of the pictures of a folder: from its sub-folders, tables and names, and in archives of samples.

use super::*;

#[test]
fn sub_folders_are_labels_and_may_be_deep() {
    let case = Case::new();
    for (i, class) in ["b/deep/er", "a", "<script>"].into_iter().enumerate() {
        for n in 0..10 {
            case.picture(&format!("{class}/{n}.png"), [8, 6], [i as u8; 3]);
        }
    }
    let set = case.load().unwrap();
    assert_eq!(set.classes, ["<script>", "a", "b"]);
    assert_eq!(set.train.images.shape(), [1, 8, 6]);
    assert_eq!((set.train.len(), set.test.len()), (24, 6));
    let labels = set.test.all_labels().unwrap();
    assert_eq!(labels, [0, 0, 1, 1, 2, 2]);
    for (i, label) in labels.iter().enumerate() {
        assert_eq!(set.test.images.image(i).to_bytes()[0], [2, 1, 0][usize::from(*label)]);
    }
    assert!(names(&set.test)[5].starts_with("b/deep/er/"));
    // The test part is random, not the first pictures.
    let other = Case { settings: Pictures { split_seed: 1, ..Pictures::default() }, ..case };
    assert_ne!(names(&other.load().unwrap().test), names(&set.test));
}

#[test]
fn labels_that_are_none() {
    let case = Case::new();
    case.picture("a/0.png", [4, 4], [0; 3]);
    case.picture("a/1.png", [4, 4], [0; 3]);
    let set = case.load().unwrap();
    assert!(set.classes.is_empty() && notes(&set).contains("all pictures are in one sub-folder"));
    case.picture("b/1.png", [4, 4], [0; 3]);
    assert_eq!(case.load().unwrap().classes, ["a", "b"]);
    case.picture("loose.png", [4, 4], [0; 3]);
    let set = case.load().unwrap();
    assert_eq!((set.classes.len(), set.train.len() + set.test.len()), (2, 3));
    assert!(notes(&set).contains("1 picture beside the sub-folders left out: loose.png"));
}

#[test]
fn labels_come_from_a_table_beside_the_pictures() {
    let case = Case::new();
    let all = || Pictures { test_fraction: 0.0, ..Pictures::default() };
    for n in 0..4 {
        case.picture(&format!("train_images/{n:04}.png"), [4, 4], [20 * n; 3]);
    }
    let table = |name: &str, text: &str| {
        case.file(name, text.as_bytes());
        Case {
            settings: all(),
            locations: case.locations.clone(),
            place: tempfile::tempdir().unwrap(),
        }
    };
    let load =
        |settings: Pictures| read(&case.folder(), &settings, &case.locations, &Monitor::default());
    table("train.csv", "id_code,label\n0000,cat\n0001,dog\n0002,cat\n0009,dog\n");
    let set = load(all()).unwrap();
    assert_eq!(set.classes, ["cat", "dog"]);
    assert_eq!(set.train.labels, Some(vec![Some(0), Some(1), Some(0), None]));
    let said = notes(&set);
    assert!(said.contains("labels from the table train.csv"), "{said}");
    assert!(said.contains("1 row of the table of labels without a picture"), "{said}");
    assert!(said.contains("1 picture has no label"), "{said}");
    assert!(!said.contains("sub-folder;"), "{said}");

    // Several columns: one is chosen by name.
    table(
        "train.csv",
        "file,breed,age,split\n0000.png,a,1,train\n0001.png,b,2,train\n0002.png,a,3,test\n0003.png,b,1,test\n",
    );
    let set = load(all()).unwrap();
    assert_eq!((set.classes.len(), set.train.len(), set.test.len()), (0, 2, 2));
    assert!(notes(&set).contains("choose one of the columns breed, age"), "{}", notes(&set));
    let column = |name: &str, labels: [u16; 2]| ColumnLabels {
        name: name.into(),
        labels: labels.map(Some).to_vec(),
    };
    assert_eq!(set.train.columns, [column("breed", [0, 1]), column("age", [1, 2])]);
    assert_eq!(set.test.columns, [column("breed", [0, 1]), column("age", [3, 1])]);
    let by = |label: &str| load(Pictures { label: Some(label.into()), ..all() });
    assert_eq!(by("breed").unwrap().classes, ["a", "b"]);
    assert_eq!(by("age").unwrap().test.all_labels(), Some(vec![3, 1]));
    assert!(by("size").unwrap_err().to_string().contains("no label `size`; there are: breed, age"));

    // With two tables, one has to be named; its columns may be too.
    table("other.csv", "a,b\n0000,x\n0001,y\n0002,x\n0003,y\n");
    assert!(notes(&load(all()).unwrap()).contains("there are several"));
    let named = |text: &str| load(Pictures { labels: Some(text.into()), ..all() });
    assert_eq!(named("other.csv:file=a,label=b").unwrap().classes, ["x", "y"]);
    assert!(named("none.csv").is_err());
    let said = named("other.csv:file=c").unwrap_err().to_string();
    assert!(said.contains("it has no column `c`"), "{said}");
    assert!(
        named("other.csv:x=c").unwrap_err().to_string().contains("expected FILE or FILE:file=")
    );
}

#[test]
fn labels_come_from_the_names_of_files() {
    let mut case = Case::new();
    for name in ["cat.0", "cat.1", "dog.0", "dog.1", "x0"] {
        case.picture(&format!("all/{name}.png"), [4, 4], [9; 3]);
    }
    case.settings.test_fraction = 0.0;
    case.settings.label_pattern = Some(r"^(\w+)\.\d".into());
    let set = case.load().unwrap();
    assert_eq!(set.classes, ["cat", "dog"]);
    let labels = [Some(0), Some(0), Some(1), Some(1), None];
    assert_eq!(set.train.labels, Some(labels.to_vec()));
    for (wrong, expected) in [("(", "group"), ("cat", "no group"), ("(zebra)", "no file has")] {
        case.settings.label_pattern = Some(wrong.into());
        let said = case.load().unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn archives_of_samples_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let png = |grey: u8| {
        let mut bytes = std::io::Cursor::new(vec![]);
        RgbImage::from_pixel(4, 4, Rgb([grey; 3]))
            .write_to(&mut bytes, image::ImageFormat::Png)
            .unwrap();
        bytes.into_inner()
    };
    for shard in 0..2u8 {
        let mut archive = tar::Builder::new(vec![]);
        let mut add = |name: String, bytes: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, bytes).unwrap();
        };
        for sample in 0..5u8 {
            add(format!("{shard}{sample:03}.png"), &png(50 * shard + sample));
            match shard {
                0 => add(format!("{shard}{sample:03}.cls"), format!("{}\n", sample % 2).as_bytes()),
                _ => add(
                    format!("{shard}{sample:03}.json"),
                    format!("{{\"cls\": {}}}", sample % 2).as_bytes(),
                ),
            }
        }
        let bytes = archive.into_inner().unwrap();
        std::fs::write(folder.path().join(format!("shard-{shard}.tar")), bytes).unwrap();
    }
    let settings = Pictures { test_fraction: 0.0, ..Pictures::default() };
    let load = |path: &Path| {
        load(
            "x".into(),
            path,
            &list_archives(path, &settings)?,
            &settings,
            &Locations::nowhere(),
            &Monitor::default(),
        )
    };
    let set = load(folder.path()).unwrap();
    assert_eq!((set.train.len(), set.classes.len()), (10, 2));
    assert_eq!(set.train.all_labels().unwrap(), [0, 1, 0, 1, 0, 0, 1, 0, 1, 0]);
    assert_eq!(set.train.images.image(7), [52; 16]);
    assert_eq!(set.train.names.as_ref().unwrap()[7], "shard-1/1002.png");
    // One archive by itself; and a damaged one.
    let one = folder.path().join("shard-0.tar");
    assert_eq!(load(&one).unwrap().train.len(), 5);
    let bytes = std::fs::read(&one).unwrap();
    std::fs::write(&one, &bytes[..700]).unwrap();
    assert!(load(&one).is_err());
}
