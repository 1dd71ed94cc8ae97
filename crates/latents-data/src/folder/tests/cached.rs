//! What is kept of pictures that were decoded.

use super::*;

#[test]
fn what_was_decoded_is_kept_and_never_stale() {
    let mut case = Case::new();
    for n in 0..5 {
        case.picture(&format!("{n}.png"), [4, 4], [n; 3]);
    }
    let (first, decoded) = case.decodes();
    assert!(decoded && case.cached().len() == 1);
    let (again, decoded) = case.decodes();
    assert!(!decoded && again == first);
    // The same from a file that is mapped.
    case.locations.memory = 0;
    let (mapped, decoded) = case.decodes();
    assert!(!decoded && mapped == first);

    case.picture("0.png", [4, 4], [9, 0, 0]);
    let (changed, decoded) = case.decodes();
    assert!(decoded && changed.train.images.shape() == [3, 4, 4]);
    assert_eq!(case.cached().len(), 1, "one file for a folder and its settings");
    assert!(!case.decodes().1);
    std::fs::remove_file(case.folder().join("4.png")).unwrap();
    assert!(case.decodes().1);

    for damage in [|b: &mut Vec<u8>| b[0] ^= 1, |b: &mut Vec<u8>| b.truncate(40), Vec::clear] {
        let file = &case.cached()[0];
        let mut bytes = std::fs::read(file).unwrap();
        damage(&mut bytes);
        std::fs::write(file, bytes).unwrap();
        assert!(case.decodes().1, "a damaged file is not believed");
        assert!(!case.decodes().1);
    }
    case.settings.size = Some([2, 2]);
    assert!(case.decodes().1 && case.cached().len() == 2);
    case.settings.size = None;
    for n in 0..4 {
        case.picture(&format!("{n}.png"), [6, 6], [n; 3]);
    }
    let (larger, decoded) = case.decodes();
    assert!(decoded && larger.train.images.shape() == [1, 6, 6], "the size is chosen anew");
}

#[test]
fn what_was_only_just_written_is_not_kept() {
    let case = Case::new();
    case.picture("0.png", [4, 4], [0; 3]);
    let path = case.folder().join("1.png");
    RgbImage::new(4, 4).save(path).unwrap();
    assert!(case.decodes().1 && case.decodes().1 && case.cached().is_empty());
}

#[test]
fn a_collection_may_be_larger_than_memory_and_have_no_cache() {
    let mut case = Case::new();
    for n in 0..12 {
        case.picture(&format!("{n:02}.png"), [5, 4], [n; 3]);
    }
    let grey = case.load().unwrap();
    (case.locations.memory, case.locations.cache) = (0, None);
    assert_eq!(case.load().unwrap(), grey);
    case.picture("00.png", [5, 4], [0, 0, 9]);
    let coloured = case.load().unwrap();
    assert_eq!(coloured.train.images.shape(), [3, 5, 4]);
    case.locations.memory = 1 << 20;
    assert_eq!(case.load().unwrap(), coloured);
    // A cache that cannot be written is no error.
    case.file("blocked", b"");
    case.locations.cache = Some(case.folder().join("blocked"));
    assert_eq!(case.load().unwrap().train, coloured.train);
    case.settings.grey = true;
    assert_eq!(case.load().unwrap().train.images.shape(), [1, 5, 4]);
}
