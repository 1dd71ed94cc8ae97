//! Groups of copies among pictures made here.

use std::path::Path;

use super::*;

/// A picture with shapes that the seed decides.
fn drawing(seed: u32, side: u32) -> image::RgbImage {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    let circles: Vec<[f64; 3]> = (0..6)
        .map(|_| [0, 1, 2].map(|i| f64::from(next() % 1000) / if i == 2 { 4000.0 } else { 1000.0 }))
        .collect();
    let colours: Vec<[u8; 3]> =
        (0..6).map(|_| [next() as u8, next() as u8, next() as u8]).collect();
    image::RgbImage::from_fn(side, side, |x, y| {
        let (x, y) = (f64::from(x) / f64::from(side), f64::from(y) / f64::from(side));
        let inside = |[cx, cy, r]: &[f64; 3]| (x - cx).hypot(y - cy) < r + 0.05;
        image::Rgb(circles.iter().rposition(inside).map_or([255; 3], |i| colours[i]))
    })
}

fn find(folder: &Path, keep: Keep) -> Duplicates {
    let config = DuplicateConfig { keep, ..DuplicateConfig::default() };
    let source = format!("folder:{}", folder.display());
    Duplicates::find(&source, &Pictures::default(), &config, &Session::default()).unwrap()
}

#[test]
fn copies_of_every_kind_are_found_across_parts_and_others_stay_apart() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    };
    for seed in 0..60 {
        drawing(seed, 90).save(at(&format!("train/{}/{seed:02}.png", seed % 2))).unwrap();
    }
    std::fs::copy(at("train/0/00.png"), at("test/0/copy.png")).unwrap();
    drawing(1, 90).save(at("test/1/same.bmp")).unwrap();
    let filter = image::imageops::FilterType::CatmullRom;
    image::imageops::resize(&drawing(2, 90), 60, 60, filter).save(at("test/0/scaled.png")).unwrap();
    drawing(3, 90).save(at("test/1/jpeg.jpg")).unwrap();
    for i in 0..3 {
        image::RgbImage::from_pixel(40 + i, 40, image::Rgb([255; 3]))
            .save(at(&format!("train/0/white{i}.png")))
            .unwrap();
    }
    std::fs::write(at("train/0/broken.png"), b"no picture").unwrap();
    let found = find(folder.path(), Keep::Largest);
    let names: Vec<Vec<&str>> = found
        .groups
        .iter()
        .map(|group| group.members.iter().map(|m| m.name.as_str()).collect())
        .collect();
    assert_eq!(
        names,
        [
            ["test/0/copy.png", "train/0/00.png"],
            ["test/0/scaled.png", "train/0/02.png"],
            ["test/1/jpeg.jpg", "train/1/03.png"],
            ["test/1/same.bmp", "train/1/01.png"],
        ]
    );
    let kinds: Vec<CopyKind> = found.groups.iter().map(|group| group.kind).collect();
    assert_eq!(kinds, [CopyKind::Exact, CopyKind::Near, CopyKind::Near, CopyKind::SamePixels]);
    let member = &found.groups[1].members[0];
    assert_eq!((member.part, member.label.as_deref()), (Some(Part::Test), Some("0")));
    let kept: Vec<bool> = found.groups[1].members.iter().map(|member| member.keep).collect();
    assert_eq!((kept, found.surplus()), (vec![false, true], 4));
    assert_eq!((found.pictures, found.unreadable[0].0.as_str()), (67, "train/0/broken.png"));
    let csv = found.csv();
    assert!(csv.contains("1,near,test/0/scaled.png,test,0,60,60,"), "{csv}");
    assert_eq!(csv.lines().count(), 9);
    assert!(found.figure().svg().contains("scaled.png"));

    let kept = |keep| {
        let found = find(folder.path(), keep);
        let kept = found.groups.iter().flat_map(|g| g.members.clone()).filter(|m| m.keep);
        kept.map(|member| member.name).collect::<Vec<_>>()
    };
    assert!(kept(Keep::First).iter().all(|name| name.starts_with("test/")));
    assert!(kept(Keep::Folder("./train".into())).iter().all(|name| name.starts_with("train/")));
}
