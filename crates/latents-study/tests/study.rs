//! A whole study of a few small images: what it leaves, that it continues after a stop with the same results, and what it refuses.

#![allow(clippy::unwrap_used)] // A failure is a failed test.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use latents::data::{Images, Labelled};
use latents::{Cancel, Dataset, Progress, Reporter, Session};
use latents_study::results::{Autoencoder, ClassifierScores, Mapped, StageResults};
use latents_study::{CollectionStudy, Error};

const SIDE: usize = 8;

/// Images of three classes: a bright row, a bright column, or a bright corner, at a place that depends on the image.
fn part(n: usize) -> Labelled {
    let (mut pixels, mut labels) = (vec![0; n * SIDE * SIDE], vec![]);
    for (i, image) in pixels.chunks_exact_mut(SIDE * SIDE).enumerate() {
        let (class, at) = (i % 3, i / 3 % SIDE);
        for (place, pixel) in image.iter_mut().enumerate() {
            let (y, x) = (place / SIDE, place % SIDE);
            let bright = [y == at, x == at, y < at && x < at][class];
            *pixel = if bright { 230 } else { (7 * place + 13 * i) as u8 % 40 };
        }
        labels.push(Some(class as u16));
    }
    let images = Images::new(1, SIDE, SIDE, pixels).unwrap();
    Labelled { labels: Some(labels), ..Labelled::unlabelled(images) }
}

fn dataset() -> Dataset {
    let classes = ["row", "column", "corner"].map(str::to_owned).to_vec();
    Dataset::from_parts("patterns", classes, part(90), part(36)).unwrap()
}

fn study(out: &Path) -> CollectionStudy {
    CollectionStudy {
        quick: true,
        out: out.to_owned(),
        jobs: Some(2),
        ..CollectionStudy::default()
    }
}

fn session() -> Session {
    Session::default().threads(2)
}

/// The result files and the maps, without times.
fn results(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for folder in ["results", "maps"] {
        for entry in std::fs::read_dir(out.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("SHA256SUMS") {
                // The digests are of results with their times.
                continue;
            }
            let mut bytes = std::fs::read(&path).unwrap();
            if folder == "results" {
                let text = String::from_utf8(bytes).unwrap();
                let lines = text.lines().filter(|line| !line.contains("\"seconds\""));
                bytes = lines.collect::<String>().into_bytes();
            }
            found.insert(path.file_name().unwrap().to_str().unwrap().to_owned(), bytes);
        }
    }
    found
}

/// Cancels when so many stages are finished and the next one is at work.
struct Canceller {
    cancel: Cancel,
    left: AtomicUsize,
}

impl Reporter for Canceller {
    fn note(&self, text: &str) {
        if text.trim_start().starts_with('[') {
            self.left.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn progress(&self, progress: &Progress<'_>) {
        assert_eq!((progress.task, progress.total), ("study", 1000));
        if self.left.load(Ordering::Relaxed) == 0 {
            self.cancel.cancel();
        }
    }
}

#[test]
fn a_stopped_study_continues_and_ends_with_the_same_results() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, stopped) = (folder.path().join("whole"), folder.path().join("stopped"));
    let done = study(&whole).run_on(dataset(), &session()).unwrap();
    assert_eq!((done.stages.len(), done.report.exists()), (12, true));
    assert_eq!(results(&whole).len(), 14);
    let read = StageResults::at(whole.join("results"));
    assert_eq!(read.get::<Mapped>("map-vae").unwrap().unwrap().images, 36);
    assert_eq!(read.get::<Vec<ClassifierScores>>("classifier").unwrap().unwrap().len(), 2);
    assert!(read.get::<Autoencoder>("ae-best").unwrap().unwrap().test_error < 0.2);
    let page = std::fs::read_to_string(&done.markdown).unwrap();
    for expected in ["A study of patterns", "quick study", "90 training and 36 test images of 8x8"]
    {
        assert!(page.contains(expected), "{expected}");
    }
    assert!(!page.contains("numbers again"), "no command is known");

    let mut finished = 0;
    for after in [0, 2, 5] {
        let cancel = Cancel::default();
        let left = AtomicUsize::new(after);
        let canceller = Arc::new(Canceller { cancel: cancel.clone(), left });
        let session = session().cancel(cancel).reporter(canceller);
        let error = study(&stopped).run_on(dataset(), &session).unwrap_err();
        assert!(matches!(error, Error::Interrupted(_)), "{error}");
        let files = std::fs::read_dir(stopped.join("results")).into_iter().flatten().flatten();
        let now = files.filter(|file| !file.path().ends_with("SHA256SUMS")).count();
        assert!(now >= finished + after, "{now} results after {finished} and {after} more");
        finished = now;
    }
    let again = study(&stopped).run_on(dataset(), &session().threads(3)).unwrap();
    assert_eq!((again.stages.len(), &again.findings.len()), (12 - finished, &done.findings.len()));
    assert!(results(&stopped) == results(&whole));
    // A run that some other call left unfinished keeps what it goes on from.
    let (best, other) = (stopped.join("runs/ae-best"), stopped.join("runs/unfinished"));
    std::fs::create_dir_all(other.join("checkpoint")).unwrap();
    std::fs::copy(best.join("config.toml"), other.join("config.toml")).unwrap();
    let checkpoint = "checkpoint/last.safetensors";
    std::fs::write(other.join(checkpoint), "some epochs").unwrap();
    let none = study(&stopped).run_on(dataset(), &session()).unwrap();
    assert!(none.stages.is_empty() && none.findings == again.findings);
    assert!(other.join(checkpoint).exists() && !best.join(checkpoint).exists());
    std::fs::remove_dir_all(other).unwrap();

    std::fs::write(stopped.join("results/components.json"), "{}").unwrap();
    let error = study(&stopped).run_on(dataset(), &session()).unwrap_err();
    assert!(
        matches!(&error, Error::DamagedResult { file, .. } if file.ends_with("components.json")),
        "{error}"
    );
    std::fs::write(stopped.join("results/map-ae.json"), r#"{"images": 35, "kl": 1.0}"#).unwrap();
    std::fs::remove_file(stopped.join("results/components.json")).unwrap();
    let error = study(&stopped).run_on(dataset(), &session()).unwrap_err().to_string();
    assert!(error.contains("map-ae.json: it is not the file that the study wrote"), "{error}");
    std::fs::remove_file(stopped.join("results/SHA256SUMS")).unwrap();
    let error = study(&stopped).run_on(dataset(), &session()).unwrap_err().to_string();
    assert!(error.contains("map-ae.json: 35 of 36 test images are mapped"), "{error}");
}

#[test]
fn a_study_of_some_minutes_keeps_its_budgets() {
    let folder = tempfile::tempdir().unwrap();
    let study = |minutes| CollectionStudy {
        quick: false,
        minutes: Some(minutes),
        only: vec!["S2".into()],
        ..study(folder.path())
    };
    let done = study(0.05).run_on(dataset(), &session()).unwrap();
    assert_eq!(done.stages.len(), 2);
    let identity = std::fs::read_to_string(folder.path().join("study.toml")).unwrap();
    assert!(identity.contains("minutes = 0.05") && identity.contains("share = 0."), "{identity}");
    let page = std::fs::read_to_string(&done.markdown).unwrap();
    assert!(page.contains("budgets for 3.0 s of training"));
    // The time of a step is not measured again, which could give other budgets.
    std::fs::remove_file(folder.path().join("results/ae-best.json")).unwrap();
    assert_eq!(study(0.05).run_on(dataset(), &session()).unwrap().stages.len(), 1);
    assert_eq!(std::fs::read_to_string(folder.path().join("study.toml")).unwrap(), identity);
    let error = study(0.1).run_on(dataset(), &session()).unwrap_err();
    assert!(matches!(error, Error::OtherStudy { .. }), "{error}");
    let error = study(f64::NAN).run_on(dataset(), &session()).unwrap_err();
    assert!(matches!(error, Error::Minutes { .. }), "{error}");
}

#[test]
fn what_cannot_be_studied_is_refused_before_the_first_stage() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("study");
    let run = |study: CollectionStudy, data| study.run_on(data, &session()).unwrap_err();
    let parts = CollectionStudy { only: vec!["S6".into()], ..study(&out) };
    let error = run(parts, dataset());
    assert_eq!(error.to_string(), "a study has no part `S6`; use one of S1, S2, S3, S4, S5");
    let few = Dataset::from_parts("few", dataset().classes, part(5), part(2)).unwrap();
    let error = run(study(&out), few);
    assert!(matches!(error, Error::TooFewImages { needed: 8, found: 7 }), "{error}");
    let untested = Dataset::from_parts("all", dataset().classes, part(90), part(0)).unwrap();
    let error = run(study(&out), untested);
    assert!(matches!(error, Error::NoTestImages { .. }), "{error}");
    assert!(!out.exists());

    std::fs::create_dir_all(&out).unwrap();
    std::fs::write(out.join("study.toml"), "a study").unwrap();
    let error = run(study(&out), dataset());
    assert!(matches!(error, Error::DamagedIdentity { .. }), "{error}");
    std::fs::remove_file(out.join("study.toml")).unwrap();
    let cancelled = session();
    cancelled.monitor().cancel().cancel();
    let error = study(&out).run_on(dataset(), &cancelled).unwrap_err();
    assert!(error.is_interrupted() && out.join("study.toml").exists());
    let error = run(CollectionStudy { seed: 2, ..study(&out) }, dataset());
    assert!(matches!(error, Error::OtherStudy { .. }), "{error}");
}

#[test]
fn of_few_images_what_can_be_said_is_said() {
    for (labelled, stages) in [(true, 9), (false, 8)] {
        let folder = tempfile::tempdir().unwrap();
        let part = |n| Labelled { labels: part(n).labels.filter(|_| labelled), ..part(n) };
        let classes = if labelled { dataset().classes } else { vec![] };
        let data = Dataset::from_parts("few", classes, part(7), part(2)).unwrap();
        let done = study(folder.path()).run_on(data, &session()).unwrap();
        assert_eq!(done.stages.len(), stages, "{:?}", done.stages);
        let page = std::fs::read_to_string(&done.markdown).unwrap();
        for expected in [
            "In a cross-validation of all 9 images",
            "9 images by t-SNE",
            "take at least 32 test and training images, and there are 2 and 7",
        ] {
            assert!(page.contains(expected), "{expected}\n{page}");
        }
        let classified = page.contains("a classifier on the autoencoder's encoder is right for");
        assert_eq!(classified, labelled, "{page}");
        assert!(!folder.path().join("folds-ae").exists());
    }
}

#[test]
fn images_without_labels_have_no_classifier() {
    let folder = tempfile::tempdir().unwrap();
    let unlabelled = |n| Labelled { labels: None, ..part(n) };
    let data = Dataset::from_parts("plain", vec![], unlabelled(90), unlabelled(36)).unwrap();
    let only = vec!["S2".to_owned(), "S3".into()];
    let done = CollectionStudy { only, ..study(folder.path()) }.run_on(data, &session()).unwrap();
    let stages: Vec<&str> = done.stages.iter().map(|s| s.stage.as_str()).collect();
    assert!(stages.len() == 2 && stages.contains(&"components"), "{stages:?}");
    let page = std::fs::read_to_string(done.markdown).unwrap();
    assert!(page.contains("The images have no labels, so there is no classifier."));
}
