//! Vectors and tables in every format: what one command writes another reads, and what others wrote is understood.

use ::latents::Latents;
use ::latents::data::npz::{self, Numbers};
use ::latents::tables::TableFile;

use crate::support::{Sandbox, TRAIN};

#[test]
fn latents_in_every_format_give_the_same_map() {
    let sandbox = Sandbox::trained();
    let map = |file: &str, out: &str| {
        sandbox.ok(&format!("map --latents {file} --method pca --out {out}"));
        sandbox.read(out)
    };
    sandbox.ok("encode --run ae --out z.npz");
    let of_arrays = map("z.npz", "of-arrays.npz");
    assert_eq!(npz::open(&sandbox.path("z.npz")).unwrap().read("classes").unwrap().len(), 10);
    for ending in ["csv", "tsv", "parquet"] {
        sandbox.ok(&format!("encode --run ae --out z.{ending}"));
        let table = TableFile::open(&sandbox.path(&format!("z.{ending}"))).unwrap();
        let names: Vec<&str> = table.fields().iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names[..4], ["part", "label", "z0", "z1"]);
        // Classes of tables are in the order of their names, so only the points are the same.
        map(&format!("z.{ending}"), "of-table.npz");
        let points = |file: &str| npz::read_f32(&sandbox.path(file), "xy").unwrap();
        assert_eq!(points("of-table.npz"), points("of-arrays.npz"), "{ending}");
    }
    for ending in ["csv", "parquet"] {
        let file = format!("m.{ending}");
        map("z.npz", &file);
        let points = Latents::load(sandbox.path(&file)).unwrap();
        assert_eq!(points.z, npz::read_f32(&sandbox.path("of-arrays.npz"), "xy").unwrap().1);
        assert_eq!((points.dim, points.labels.is_some(), points.parts.is_some()), (2, true, true));
    }
    assert_eq!(map("z.npz", "again.npz"), of_arrays);
    let said = sandbox.run("encode --run ae --out z.h5");
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("z.h5: unknown ending; known are .npz, .csv, .tsv, .parquet"));

    sandbox.ok("outliers --run ae --top 3 --out o.csv");
    let outliers = TableFile::open(&sandbox.path("o.csv")).unwrap().read().unwrap();
    assert_eq!(outliers.columns[0].name, "kind");
    assert!(outliers.rows() >= 6 && outliers.column("squared_error").is_some());
}

#[test]
fn vectors_of_others_are_mapped() {
    let sandbox = Sandbox::new();
    let z = || Numbers::F32((0..60).map(|i| (i * i % 17) as f32).collect());
    let map = |file: &str| {
        let said = sandbox.run(&format!("map --method pca --latents {file} --out m.npz"));
        assert_eq!(said.code, Some(0), "{file}: {}", said.stderr);
        let mut map = npz::open(&sandbox.path("m.npz")).unwrap();
        let labels = map.read("label").ok().and_then(|labels| labels.i64s());
        (labels.map(|labels| labels[..3].to_vec()), said.stderr)
    };
    let words = Numbers::Text((0..20).map(|i| ["dog", "cat", ""][i % 3].to_owned()).collect());
    sandbox.npz("words.npz", &[("z", &[20, 3], z()), ("label", &[20], words)]);
    assert_eq!(map("words.npz").0, Some(vec![1, 0, -1]));
    let noise = Numbers::I64((0..20).map(|i| i % 3 - 1).collect());
    sandbox.npz("noise.npz", &[("embeddings", &[20, 3], z()), ("labels", &[20, 1], noise)]);
    let (labels, said) = map("noise.npz");
    assert_eq!(labels, Some(vec![-1, 0, 1]));
    assert!(said.contains("the vectors are array `embeddings` [20, 3] of <f4"), "{said}");
    let rows: Vec<String> = (0..20).map(|i| format!("{i}.png,{},{i}", i * i % 7)).collect();
    sandbox.write("rows.csv", format!("file,a,b\n{}", rows.join("\n")));
    let (labels, said) = map("rows.csv");
    assert_eq!(labels, None);
    assert!(said.contains("the vectors are 2 columns, `a` to `b`"), "{said}");
}

#[test]
fn predictions_are_tables_with_the_probability_of_each_class() {
    let sandbox = Sandbox::trained();
    let classifier = TRAIN.replace("train ae", "train classifier --encoder ae");
    sandbox.ok(&format!("{} --out cl", classifier.replace("--latent-dim 8", "")));
    sandbox.npz(
        "x.npz",
        &[("image", &[2, 28, 28], Numbers::F32((0..1568).map(|i| (i % 2) as f32).collect()))],
    );
    for file in ["p.csv", "p.parquet"] {
        sandbox.ok(&format!("predict --run cl --input x.npz --out {file}"));
        let table = TableFile::open(&sandbox.path(file)).unwrap().read().unwrap();
        assert_eq!((table.rows(), table.columns.len()), (2, 14));
        let of = |row: usize| -> f32 {
            table.columns[4..].iter().map(|c| c.values.f32s().unwrap()[row].unwrap()).sum()
        };
        assert!((of(0) - 1.0).abs() < 1e-5 && (of(1) - 1.0).abs() < 1e-5, "{file}");
    }
    let said = sandbox.run("predict --run cl --input x.npz --out p.txt");
    assert!(
        said.stderr.contains("p.txt: unknown ending; known are .csv, .tsv, .parquet, .json, .md")
    );
}

#[test]
fn vectors_of_another_program_are_studied_probed_and_searched_for_outliers() {
    let sandbox = Sandbox::trained();
    sandbox.ok("encode --run ae --split all --out z.parquet");
    let done = sandbox.json("study --latents z.parquet --out vectors --seed 3");
    assert_eq!(done["findings"].as_array().unwrap().len(), 5);
    let page = sandbox.text("vectors/report.html");
    let again = "latents study --latents z.parquet --seed 3 --out vectors";
    assert!(page.contains(again) && page.contains("V4-names"));
    let refused =
        sandbox.run("study --latents z.parquet --images fashion-mnist-sample --out other");
    let why = "it has 3000 images, but there are 320 vectors";
    assert!(refused.code == Some(1) && refused.stderr.contains(why), "{}", refused.stderr);
    let found = sandbox.json("probe --latents z.parquet --labels 50 --draws 1 --out probe");
    assert!(found["probes"][0]["neighbours"].as_f64().unwrap() > 0.15, "{found}");
    assert!(sandbox.text("probe/tables/probes.md").contains("latents"));
    let found = sandbox.json("outliers --latents z.parquet --top 4 --out far.csv");
    assert_eq!(found["farthest"].as_array().unwrap().len(), 4);
    assert!(sandbox.text("far.csv").starts_with("kind,rank,image,name,"));
    // Copies in the latents of a run, of its own images.
    let groups = sandbox.json("duplicates --run ae --near-latents 0");
    assert!(groups["groups"].is_array(), "{groups}");
}

#[test]
fn the_training_image_that_a_sample_is_most_like_is_named() {
    let sandbox = Sandbox::trained();
    let made = sandbox.json("sample --run ae --n 6 --nearest --out new.npz");
    assert_eq!(made["nearest"], "new-nearest.csv");
    let table = sandbox.text("new-nearest.csv");
    assert!(table.starts_with("sample,nearest,label,difference\n0,"), "{table}");
    assert_eq!(table.lines().count(), 7);
    assert!(sandbox.text("new-nearest.svg").contains("nearest"));
}
