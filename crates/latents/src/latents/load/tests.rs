//! Files of vectors as people have them, and ours, which come back.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use latents_data::Part;
use latents_data::npz::{self, Array, Numbers};
use latents_progress::{Cancel, Monitor, Reporter};

use super::*;

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Reporter for Notes {
    fn note(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    fn npz(&self, arrays: &[(&str, &[usize], Numbers)]) -> PathBuf {
        let array = |(name, shape, numbers): &(&str, &[usize], Numbers)| Array {
            name: (*name).into(),
            shape: shape.to_vec(),
            numbers: numbers.clone(),
        };
        let arrays: Vec<Array> = arrays.iter().map(array).collect();
        npz::write(&self.path("a.npz"), &arrays).unwrap();
        self.path("a.npz")
    }
}

/// The vectors of a file, and the notes without its name.
fn load(path: &Path) -> (Latents, Vec<String>) {
    let notes = Arc::new(Notes::default());
    let monitor = Monitor::new(notes.clone(), Cancel::default());
    let latents = Latents::load_with(path, &monitor).unwrap();
    let notes = notes.0.lock().unwrap().clone();
    let bare = notes
        .iter()
        .map(|note| note.strip_prefix(&format!("{}: ", path.display())).unwrap().to_owned());
    (latents, bare.collect())
}

fn refuse(path: &Path) -> String {
    Latents::load(path).unwrap_err().to_string()
}

fn floats(n: usize) -> Numbers {
    Numbers::F32((0..n).map(|i| i as f32).collect())
}

#[allow(clippy::unnecessary_wraps)] // It is compared with labels that may be missing.
fn some(labels: &[u16]) -> Option<Vec<Option<u16>>> {
    Some(labels.iter().copied().map(Some).collect())
}

#[test]
fn every_format_brings_the_vectors_back() {
    let folder = Folder::new();
    let full = Latents {
        z: vec![0.1, -2.5, 1e-30, 3.0, 4.0, f32::MAX],
        dim: 2,
        log_variances: Some(vec![-1.0, 0.5, 0.25, 0.0, 7.0, 8.0]),
        labels: Some(vec![Some(1), None, Some(0)]),
        names: Some(vec!["a, b.png".into(), "ä".into(), "007".into()]),
        parts: Some(vec![Part::Train, Part::Test, Part::Unlabelled]),
        classes: vec!["class 2".into(), "class 10".into()],
    };
    let bare = Latents { z: vec![1.0, 2.0, 3.0], dim: 1, ..Latents::default() };
    let mut endings = vec!["npz", "csv", "tsv"];
    if cfg!(feature = "parquet") {
        endings.push("parquet");
    }
    for ending in endings {
        for latents in [&full, &bare] {
            let path = folder.path("z").with_extension(ending);
            latents.save(&path).unwrap();
            let first = std::fs::read(&path).unwrap();
            assert_eq!(load(&path), (latents.clone(), vec![]), "{ending}");
            latents.save(&path).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), first, "{ending}: the same bytes");
        }
    }
    let said = full.save(folder.path("z.h5")).unwrap_err().to_string();
    assert!(said.ends_with("z.h5: unknown ending; known are .npz, .csv, .tsv, .parquet"), "{said}");
}

#[test]
fn arrays_of_other_programs_are_understood() {
    let folder = Folder::new();
    let words = |words: &[&str]| Numbers::Text(words.iter().map(|&w| w.to_owned()).collect());
    let ints = |numbers: &[i64]| Numbers::I64(numbers.to_vec());

    let path =
        folder.npz(&[("embeddings", &[3, 2], floats(6)), ("labels", &[3, 1], ints(&[10, 2, 300]))]);
    let (z, notes) = load(&path);
    assert_eq!(
        (z.dim, z.z.len(), z.classes.clone()),
        (2, 6, vec!["2".into(), "10".into(), "300".into()])
    );
    assert_eq!(z.labels, some(&[1, 0, 2]));
    assert_eq!(
        notes,
        [
            "the vectors are array `embeddings` [3, 2] of <f4",
            "the labels are array `labels` [3, 1] of <i8"
        ]
    );

    let path = folder.npz(&[("z", &[3, 2], floats(6)), ("label", &[3], ints(&[-1, 0, 1]))]);
    let (z, notes) = load(&path);
    assert_eq!(
        (z.labels, z.classes.len(), notes.len()),
        (Some(vec![None, Some(0), Some(1)]), 2, 0)
    );
    let path = folder.npz(&[("z", &[3, 2], floats(6)), ("label", &[3], ints(&[-1, -2, 1]))]);
    assert_eq!(load(&path).0.classes, ["-1", "-2", "1"], "-1 is a class among negative numbers");
    let path =
        folder.npz(&[("z", &[3, 2], floats(6)), ("label", &[3], words(&["dog", "", "cat"]))]);
    let (z, _) = load(&path);
    assert_eq!(
        (z.labels, z.classes),
        (Some(vec![Some(1), None, Some(0)]), vec!["cat".into(), "dog".into()])
    );

    // A name says more than being the only one; [n, d, 1, 1] is how features leave a network.
    let path =
        folder.npz(&[("other", &[3, 9], floats(27)), ("features", &[3, 2, 1, 1], floats(6))]);
    assert_eq!(load(&path).0.dim, 2);
    let path =
        folder.npz(&[("whatever", &[3, 2], floats(6)), ("y", &[3, 2], ints(&[0, 1, 1, 0, 1, 0]))]);
    let (z, notes) = load(&path);
    assert_eq!((z.dim, z.labels, notes.len()), (2, some(&[1, 0, 0]), 2));
    let path =
        folder.npz(&[("z", &[3, 2], floats(6)), ("y", &[3], Numbers::F32(vec![0.5, 1.0, 2.0]))]);
    let (z, notes) = load(&path);
    assert_eq!(z.labels, None);
    assert_eq!(notes, ["array `y` [3] of <f4 is left out: it has not one class for each vector"]);

    let path = folder.npz(&[("a", &[3, 2], floats(6)), ("b", &[3, 2], floats(6))]);
    assert!(refuse(&path).ends_with("it has: `a` [3, 2] of <f4, `b` [3, 2] of <f4"));
    let path = folder.npz(&[("z", &[3, 2], floats(6)), ("label", &[2], ints(&[0, 1]))]);
    assert!(refuse(&path).ends_with("array `label` has shape [2], but there are 3 latents"));
    let path = folder.npz(&[("z", &[6], floats(6))]);
    assert!(refuse(&path).ends_with("array `z` has shape [6], but latents are [n, d]"));
}

#[test]
fn tables_of_other_programs_are_understood() {
    let folder = Folder::new();
    let path = folder
        .write("a.csv", ",file_name,species,sepal,petal,split\n0,a,x,1.5,2,val\n1,b,y,3,4,train\n");
    let (z, notes) = load(&path);
    assert_eq!((z.z, z.dim, z.labels), (vec![1.5, 2.0, 3.0, 4.0], 2, None));
    assert_eq!(z.names, Some(vec!["a".into(), "b".into()]));
    assert_eq!(z.parts, Some(vec![Part::Validation, Part::Train]));
    assert_eq!(notes, ["the vectors are 2 columns, `sepal` to `petal`"]);

    // Columns in the order of their numbers, and labels that pandas made numbers with a point.
    let path = folder.write("a.csv", "target,z10,z2,z1,z3,z4,z5,z6,z7,z8,z9,age\n3.0,10,2,1,3,4,5,6,7,8,9,50\n,0,0,0,0,0,0,0,0,0,0,60\n");
    let (z, notes) = load(&path);
    assert_eq!(z.z[..10], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]);
    assert_eq!((z.labels, z.classes.len()), (Some(vec![Some(3), None]), 4));
    assert_eq!(notes, ["the labels are column `target`"]);

    // Numbers alone, and a map.
    let (z, _) = load(&folder.write("a.csv", "0.5,1,2\n3,4,5\n"));
    assert_eq!((z.dim, z.len()), (3, 2));
    let (z, _) = load(&folder.write("a.csv", "name,label,x,y\na,cat,1,2\nb,dog,3,4\n"));
    assert_eq!((z.z, z.classes), (vec![1.0, 2.0, 3.0, 4.0], vec!["cat".into(), "dog".into()]));

    let lines = "{\"id\": \"a\", \"embedding\": [1, 2.5], \"label\": \"b\"}\n{\"id\": \"c\", \"embedding\": [3, 4]}\n";
    let (z, notes) = load(&folder.write("a.jsonl", lines));
    assert_eq!((z.z, z.labels), (vec![1.0, 2.5, 3.0, 4.0], Some(vec![Some(0), None])));
    assert_eq!(notes, ["the vectors are the lists in column `embedding`"]);

    let said = refuse(&folder.write("a.csv", "z0,z1,z3\n1,2,3\n"));
    assert!(said.ends_with("there is a column `z3`, but no or no single column `z2`"), "{said}");
    let said = refuse(&folder.write("a.csv", "z0,z1\n1,2\n3,\n"));
    assert!(said.ends_with("column `z1` has no value in row 1 (counted from 0)"), "{said}");
    let said = refuse(&folder.write("a.csv", "name,label\na,cat\n"));
    assert!(said.ends_with("it has: `name` (text), `label` (text)"), "{said}");
    let ragged = "{\"z\": [1, 2]}\n{\"z\": [3]}\n";
    let said = refuse(&folder.write("a.jsonl", ragged));
    assert!(said.contains("a list of 1 numbers in row 1"), "{said}");
}

#[test]
fn images_that_are_asked_for_are_named() {
    let z = Latents::new(vec![0.0; 6], 2).unwrap();
    let said = z.vector(3).unwrap_err().to_string();
    assert_eq!(said, "there is no image 3: images are numbered from 0 to 2");
}
