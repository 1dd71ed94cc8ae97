//! Parts and data sets: what is kept, and what does not fit together.

use super::*;
use crate::images::Pixels;

fn part(shape: [usize; 3], n: usize, labels: Option<&[u16]>) -> Labelled {
    let [c, h, w] = shape;
    let pixels = (0..n * c * h * w).map(|i| i as u8).collect();
    let images = Images::new(c, h, w, pixels).unwrap();
    let labels = labels.map(|labels| known(labels.to_vec()));
    Labelled { labels, ..Labelled::unlabelled(images) }
}

fn classes(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("class {i}")).collect()
}

#[test]
fn truncating_cuts_images_and_labels_alike() {
    let images = Images::new(1, 1, 2, vec![1, 2, 3, 4, 5, 6]).unwrap();
    let mut part = Labelled {
        images,
        labels: Some(known(vec![7u16, 8, 9])),
        names: Some(["a", "b", "c"].map(str::to_owned).into()),
        columns: vec![ColumnLabels { name: "size".into(), labels: known(vec![3u16, 4, 5]) }],
    };
    part.truncate(usize::MAX);
    assert_eq!(part.len(), 3);
    part.truncate(2);
    assert_eq!(part.images.pixels(), [1, 2, 3, 4]);
    assert_eq!(part.labels, Some(known(vec![7u16, 8])));
    assert_eq!(part.names.unwrap(), ["a", "b"]);
    assert_eq!(part.columns[0].labels, known(vec![3u16, 4]));
}

#[test]
fn subsampling_keeps_some_of_every_class() {
    let images = Images::new(1, 1, 1, (0..10).collect()).unwrap();
    let labels = Some(known(vec![0u16, 0, 0, 1, 1, 1, 2, 2, 2, 2]));
    let names = Some((0..10).map(|i| i.to_string()).collect());
    let columns = vec![ColumnLabels { name: "size".into(), labels: known((0..10u16).collect()) }];
    let whole = Labelled { images, labels, names, columns };
    let subsample = |n| {
        let mut part = whole.clone();
        part.subsample(n);
        part
    };
    assert_eq!((subsample(10), subsample(99)), (whole.clone(), whole.clone()));
    assert_eq!(subsample(4).images.pixels(), [0, 2, 5, 7]);
    assert_eq!(subsample(4).labels, Some(known(vec![0u16, 0, 1, 2])));
    assert_eq!(subsample(4).names.unwrap(), ["0", "2", "5", "7"]);
    assert_eq!(subsample(4).columns[0].labels, known(vec![0u16, 2, 5, 7]));
    assert!(subsample(0).is_empty());
    assert_eq!(evenly_spaced(3, 0).count(), 0);
}

#[test]
fn a_data_set_is_made_of_parts_in_memory() {
    let shape = [3, 2, 1];
    let train = part(shape, 4, Some(&[0, 1, 1, 0]));
    let data =
        Dataset::from_parts("mine", classes(2), train.clone(), part(shape, 0, None)).unwrap();
    assert_eq!((data.shape(), data.range, data.is_labelled()), (shape, [0.0, 255.0], false));
    assert_eq!(data.describe(), "mine: 4 training and 0 test images in memory");
    assert_eq!((data.part(Part::Train), data.part(Part::Test).len()), (&train, 0));
    assert_eq!(data.digest(), train.images.digest());
    let data = Dataset::from_parts("mine", classes(2), train.clone(), train).unwrap();
    assert!(data.is_labelled());
}

#[test]
fn parts_that_do_not_fit_together_are_named() {
    let shape = [1, 1, 1];
    let (good, none) = (part(shape, 3, Some(&[0, 1, 2])), part(shape, 2, None));
    let named = Labelled { names: Some(vec!["a".into()]), ..none.clone() };
    let cases = [
        (
            3,
            (good.clone(), part([1, 1, 2], 2, None)),
            "training images have shape [c, h, w] = [1, 1, 1], but test images [1, 1, 2]",
        ),
        (
            65_537,
            (good.clone(), none.clone()),
            "there are 65537 classes, but there can be at most 65536",
        ),
        (
            2,
            (good.clone(), none.clone()),
            "label 2 of the train part is 2, but there are 2 classes",
        ),
        (
            3,
            (none.clone(), part(shape, 2, Some(&[0]))),
            "the test part has 2 images, but its number of labels is 1",
        ),
        (3, (good, named), "the test part has 2 images, but its number of names is 1"),
    ];
    for (n, (train, test), text) in cases {
        let error = Dataset::from_parts("mine", classes(n), train, test).unwrap_err();
        assert!(matches!(error, Error::Parts { .. }));
        assert_eq!(error.to_string(), format!("data set \"mine\": {text}"));
    }
}

#[test]
fn limits_keep_the_first_images_of_shuffled_sources_and_evenly_spaced_ones_of_others() {
    let all = || part([1, 1, 1], 10, None);
    let limits = Limits { train: Some(3), test: Some(99) };
    let data = Dataset::from_parts("mine", vec![], all(), all()).unwrap().limited(limits);
    assert_eq!((data.train.images.pixels(), data.test.len()), (Pixels::Bytes(&[0, 3, 6]), 10));
    assert_eq!(data.limits, limits);
    let data = Dataset::of_bytes(String::new(), String::new(), vec![], all(), all());
    let data = data.limited(Limits::default()).limited(limits);
    assert_eq!((data.train.images.pixels(), data.limits), (Pixels::Bytes(&[0, 1, 2]), limits));
    let smaller = Limits { train: Some(5), test: Some(2) };
    let data = data.limited(smaller);
    assert_eq!((data.train.len(), data.test.len()), (3, 2));
    assert_eq!(data.limits, Limits { train: Some(3), test: Some(2) });
}

#[test]
fn images_without_a_label_stand_beside_labelled_ones() {
    let some = Labelled { labels: Some(vec![Some(1), None, Some(0)]), ..part([1, 1, 1], 3, None) };
    let (labelled, labels) = some.with_labels().unwrap();
    assert_eq!((labelled.images.pixels(), labels), (Pixels::Bytes(&[0, 2]), vec![1, 0]));
    assert_eq!((some.all_labels(), labelled.all_labels()), (None, Some(vec![1, 0])));
    let names = classes(2);
    assert_eq!(some.class_of(0, &names), Some("class 1"));
    assert_eq!((some.class_of(1, &names), some.class_of(9, &names)), (None, None));
    let none = Labelled { labels: Some(vec![None; 3]), ..some };
    assert!(none.with_labels().is_none());
}

#[test]
fn one_test_image_of_each_class_is_shown() {
    let shape = [1, 1, 1];
    let of = |test: Labelled| {
        Dataset::from_parts("mine", classes(4), part(shape, 1, None), test).unwrap()
    };
    let named = |i, class: usize| (i, format!("class {class}"));
    // No image is of class 2.
    let data = of(part(shape, 5, Some(&[3, 1, 1, 0, 3])));
    assert_eq!(data.one_of_each(10), [named(3, 0), named(1, 1), named(0, 3)]);
    assert_eq!(data.one_of_each(2), [named(3, 0), named(1, 1)]);
    let data = of(part(shape, 3, None));
    assert_eq!(data.one_of_each(2), [(0, "image 0".into()), (1, "image 1".into())]);
    let names = Some(["a/b.png", "c.png"].map(str::to_owned).into());
    let data = of(Labelled { names, ..part(shape, 2, None) });
    assert_eq!(data.one_of_each(9), [(0, "b.png".into()), (1, "c.png".into())]);
    assert!(of(part(shape, 0, None)).one_of_each(9).is_empty());
}

#[test]
fn images_are_found_by_name_or_number() {
    let names = ["a/crow.png", "b/crow.png", "b/jay.png", "1"].map(str::to_owned);
    let some = Labelled { names: Some(names.to_vec()), ..part([1, 1, 1], 4, None) };
    assert_eq!(some.find("b/crow.png").unwrap(), 1);
    assert_eq!((some.find("jay.png").unwrap(), some.find("./b/jay.png").unwrap()), (2, 2));
    assert_eq!((some.find("1").unwrap(), some.find("0").unwrap()), (3, 0));
    let said = |text: &str| some.find(text).unwrap_err().to_string();
    assert!(said("crow.png").contains("such as a/crow.png and b/crow.png"), "{}", said("crow.png"));
    assert!(said("row.png").contains("numbered from 0 to 3") && said("4").contains("no image 4"));
    let unnamed = part([1, 1, 1], 2, None);
    assert_eq!((unnamed.find("1").unwrap(), unnamed.name_of(1)), (1, "1".into()));
    assert_eq!(some.name_of(2), "b/jay.png");
}

#[test]
fn all_parts_together_keep_what_is_known() {
    let shape = [1, 1, 2];
    let train = part(shape, 3, Some(&[0, 1, 0]));
    let mut data = Dataset::from_parts("mine", classes(2), train, part(shape, 2, None)).unwrap();
    data.validation = part(shape, 1, Some(&[1]));
    let (all, parts) = data.all();
    assert_eq!((all.len(), all.names.is_none()), (6, true));
    assert_eq!(all.labels.unwrap(), [Some(0), Some(1), Some(0), Some(1), None, None]);
    let expected =
        [Part::Train, Part::Train, Part::Train, Part::Validation, Part::Test, Part::Test];
    assert_eq!(parts, expected);
    assert_eq!(all.images.image(4), data.test.images.image(0));
}
