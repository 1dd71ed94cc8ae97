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
    let list = folder.path().join("copies.csv");
    found.save(&list).unwrap();
    let csv = std::fs::read_to_string(list).unwrap();
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

#[test]
fn a_copy_without_transparency_is_found_and_unreadable_files_are_compared_by_their_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // Opaque within a circle; the colours outside are those of the drawing.
    let clear = |seed: u32, side: u32| {
        let drawing = drawing(seed, side);
        image::RgbaImage::from_fn(side, side, |x, y| {
            let [red, green, blue] = drawing.get_pixel(x, y).0;
            let middle = f64::from(side) / 2.0;
            let inside =
                (f64::from(x) - middle).hypot(f64::from(y) - middle) < 0.3 * f64::from(side);
            image::Rgba([red, green, blue, if inside { 255 } else { 0 }])
        })
    };
    for seed in 0..20 {
        clear(seed, 80).save(at(&format!("{seed:02}.png"))).unwrap();
    }
    // One copy in front of the background, one of the colours alone.
    image::DynamicImage::from(clear(5, 80)).to_rgb8().save(at("bare.jpg")).unwrap();
    let flat = image::RgbImage::from_fn(80, 80, |x, y| {
        let [colour @ .., opacity] = clear(7, 80).get_pixel(x, y).0;
        image::Rgb(if opacity == 0 { [255; 3] } else { colour })
    });
    flat.save(at("flat.jpg")).unwrap();
    for name in ["damaged 1.png", "damaged 2.png"] {
        std::fs::write(at(name), b"the same bytes").unwrap();
    }
    std::fs::write(at("damaged 3.png"), b"others").unwrap();
    let found = find(folder.path(), Keep::Largest);
    let names: Vec<(CopyKind, Vec<&str>)> = found
        .groups
        .iter()
        .map(|group| (group.kind, group.members.iter().map(|m| m.name.as_str()).collect()))
        .collect();
    assert_eq!(
        names,
        [
            (CopyKind::Near, vec!["05.png", "bare.jpg"]),
            (CopyKind::Near, vec!["07.png", "flat.jpg"]),
            (CopyKind::Exact, vec!["damaged 1.png", "damaged 2.png"]),
        ]
    );
    assert_eq!(found.groups[2].members[0].height, None);
    assert!(found.groups[2].members[0].keep && !found.groups[2].members[1].keep);
    assert_eq!(found.unreadable.len(), 3);
}

#[test]
fn near_latents_join_pictures_that_pixels_keep_apart() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..12).map(|i| format!("{i:02}.png")).collect();
    for (seed, name) in (0..).zip(&names) {
        drawing(seed, 60).save(folder.path().join(name)).unwrap();
    }
    // Far apart, but for the pictures 3 and 8; picture 11 has no latent.
    let z = (0..11).flat_map(|i| [f32::from(if i == 8 { 3u8 } else { i }), 0.01 * f32::from(i)]);
    let mut latents = Latents::new(z.collect(), 2).unwrap();
    latents.names = Some(names[..11].to_vec());
    let source = format!("folder:{}", folder.path().display());
    let config = DuplicateConfig::default();
    let find = |latents: &Latents| {
        let (pictures, session) = (Pictures::default(), Session::default());
        Duplicates::find_with_latents(&source, &pictures, latents, &config, &session)
    };
    let found = find(&latents).unwrap();
    assert_eq!(found.groups.len(), 1);
    assert_eq!(found.groups[0].kind, CopyKind::NearLatents);
    let members: Vec<&str> = found.groups[0].members.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(members, ["03.png", "08.png"]);
    latents.names = None;
    let said = find(&latents).unwrap_err().to_string();
    assert!(said.starts_with("none of the latents has the name of a picture"), "{said}");
}
