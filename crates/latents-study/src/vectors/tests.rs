//! Studies of small vectors.

use latents::report::Page;

use super::*;

/// Vectors in three clusters, with labels and names.
fn vectors() -> Latents {
    let noise = latents::explore::samplers::normal(60, 4, 1);
    let centre = |i: usize, axis: usize| if axis == i % 3 { 8.0 } else { 0.0 };
    let z = noise.iter().enumerate().map(|(at, x)| x + centre(at / 4, at % 4)).collect();
    let mut latents = Latents::new(z, 4).unwrap();
    latents.labels = Some((0..60).map(|i| Some(i % 3)).collect());
    latents.classes = ["one", "two", "three"].map(String::from).into();
    latents.names = Some((0..60).map(|i| format!("{i:02}.png")).collect());
    latents
}

#[test]
fn vectors_alone_leave_a_page_a_map_and_clusters() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("z.csv");
    vectors().save(&file).unwrap();
    let study = VectorStudy { out: folder.path().join("out"), ..VectorStudy::of(&file) };
    let done = study.run(&Session::default()).unwrap();
    assert_eq!(done.findings.len(), 5);
    let page = std::fs::read_to_string(&done.markdown).unwrap();
    for part in ["## Maps", "logistic regression", "most frequent label", "Mahalanobis"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let clusters = std::fs::read_to_string(study.out.join("clusters.csv")).unwrap();
    assert!(
        clusters.starts_with("name,label,cluster\n00.png,one,") && clusters.lines().count() == 61
    );
    assert!(study.out.join("map.csv").exists());
    // The same again, but no other study into the same folder.
    study.run(&Session::default()).unwrap();
    let other = VectorStudy { seed: 2, ..study };
    assert!(matches!(other.run(&Session::default()), Err(Error::OtherStudy { .. })));
}

#[test]
fn images_belong_to_vectors_by_name_by_file_or_by_order() {
    let images = |names: Option<&[&str]>, n: usize| Labelled {
        names: names.map(|names| names.iter().map(|&name| name.to_owned()).collect()),
        ..Labelled::unlabelled(latents::data::Images::new(1, 1, 1, vec![0; n]).unwrap())
    };
    let mut latents = Latents::new(vec![0.0; 3], 1).unwrap();
    assert_eq!(places(&latents, &images(None, 3), "x").unwrap(), [Some(0), Some(1), Some(2)]);
    assert!(matches!(places(&latents, &images(None, 2), "x"), Err(Error::OtherImages { .. })));
    latents.names = Some(["a/1.png", "/home/me/a/2.png", "3.png"].map(String::from).into());
    let named = images(Some(&["a/2.png", "b/3.png", "a/1.png", "c/3.png"]), 4);
    // 3.png may be either of two files.
    assert_eq!(places(&latents, &named, "x").unwrap(), [Some(2), Some(0), None]);
    let others = images(Some(&["x.png"]), 1);
    assert!(matches!(places(&latents, &others, "x"), Err(Error::OtherImages { .. })));
}

#[test]
fn images_are_shown_and_can_be_explored() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = folder.path().join("pictures");
    std::fs::create_dir(&pictures).unwrap();
    let latents = vectors();
    for (i, name) in latents.names.iter().flatten().enumerate() {
        // A netpbm file of one grey value.
        std::fs::write(
            pictures.join(name).with_extension("pgm"),
            format!("P2 2 2 255 {0} {0} {0} 9", 4 * i),
        )
        .unwrap();
    }
    let mut latents = latents;
    for name in latents.names.iter_mut().flatten() {
        *name = name.replace("png", "pgm");
    }
    let file = folder.path().join("z.npz");
    latents.save(&file).unwrap();
    let images = Some(pictures.display().to_string());
    let study = VectorStudy { images, out: folder.path().join("out"), ..VectorStudy::of(&file) };
    let session = Session::default();
    let (latents, images) = study.open(&session).unwrap();
    assert_eq!(images.as_ref().map(Labelled::len), Some(60));
    let found = study.explore(latents, images, &session).unwrap();
    let page: Page = page::page(&study, &found, &session).unwrap();
    let ids: Vec<&str> = page.sections.iter().map(|section| section.id.as_str()).collect();
    assert_eq!(ids, ["V1", "V2", "V3", "V4", "V5", "explore", "made"]);
    assert!(page.html().contains("V4-images"));
}
