//! `latents search`: neighbours of images of a run, of pictures from elsewhere, and of vectors from a file.

use ::latents::data::npz::{self, Numbers};
use image::{Rgb, RgbImage};
use serde_json::Value;

use crate::support::Sandbox;

/// The names, or numbers in their part, of a query's neighbours.
fn near(query: &Value) -> Vec<String> {
    let name = |n: &Value| match n["name"].as_str() {
        Some(name) => name.to_owned(),
        None => n["index"].to_string(),
    };
    query["neighbours"].as_array().unwrap().iter().map(name).collect()
}

#[test]
fn vectors_are_searched_by_number_name_and_vector() {
    let sandbox = Sandbox::new();
    let z = vec![0.0, 1.0, 0.0, 3.0, 0.0, 1.0, 5.0, 0.0];
    let label = Numbers::I64(vec![0, 1, 0, 1]);
    sandbox.npz("z.npz", &[("z", &[4, 2], Numbers::F32(z)), ("label", &[4], label)]);
    let found = sandbox.json("search --latents z.npz --image 0 3 -k 2 --out near.npz");
    assert_eq!((&found["searched"], &found["metric"]), (&4.into(), &"euclidean".into()));
    let queries = found["queries"].as_array().unwrap();
    // Its copy is a neighbour; it is not its own.
    assert_eq!(near(&queries[0]), ["2", "1"]);
    assert_eq!(queries[0]["neighbours"][0]["distance"], 0.0);
    assert_eq!(queries[0]["neighbours"][1]["label"], "1");
    assert_eq!(near(&queries[1]), ["0", "2"]);
    assert_eq!(npz::read_f32(&sandbox.path("near.npz"), "distance").unwrap().0, [2, 2]);
    // Lengths do not matter to the cosine: 0, 1 and 2 have the same direction.
    let cosine = sandbox.json("search --latents z.npz --image 1 --metric cosine");
    assert_eq!(near(&cosine["queries"][0]), ["0", "2", "3"]);
    assert_eq!(cosine["queries"][0]["neighbours"][2]["distance"], 1.0);
    // A vector from elsewhere may equal one of the collection, which then is its neighbour.
    sandbox.npz("q.npz", &[("z", &[1, 2], Numbers::F32(vec![0.0, 3.0]))]);
    let found = sandbox.json("search --latents z.npz --queries q.npz -k 1");
    assert_eq!(near(&found["queries"][0]), ["1"]);
    assert!(sandbox.ok("search --latents z.npz --image 3").starts_with("3  1\n    1  5.09902"));
}

#[test]
fn images_of_a_run_are_searched_in_one_part_or_all() {
    let sandbox = Sandbox::trained();
    let found = sandbox.json("search --run ae --image 5 261 -k 7");
    let queries = found["queries"].as_array().unwrap();
    assert_eq!(found["searched"], 256 + 64);
    let member = |q: &Value| (q["member"]["part"].clone(), q["member"]["index"].clone());
    assert_eq!(member(&queries[0]), ("train".into(), 5.into()));
    assert_eq!(member(&queries[1]), ("test".into(), 261.into()));
    for query in queries {
        let neighbours = query["neighbours"].as_array().unwrap();
        assert_eq!(neighbours.len(), 7);
        assert!(neighbours.iter().all(|n| n["index"] != query["member"]["index"]));
        let distance = |n: &Value| n["distance"].as_f64().unwrap();
        assert!(distance(&neighbours[0]) > 0.0);
        assert!(neighbours.is_sorted_by_key(distance));
        assert!(neighbours.iter().all(|n| n["label"].is_string()));
    }
    assert_eq!(sandbox.text("ae/figures/search.svg").matches("<image").count(), 2 * 8);
    assert!(sandbox.read("ae/figures/search.png").starts_with(b"\x89PNG"));
    // The test part has numbers of its own.
    let test = sandbox.json("search --run ae --image 5 --split test -k 100");
    assert_eq!((&test["searched"], near(&test["queries"][0]).len()), (&64.into(), 63));
    let whole = sandbox.json("search --run ae --image 261 -k 319");
    let of_test = |n: &&Value| n["part"] == "test";
    let first = whole["queries"][0]["neighbours"].as_array().unwrap().iter().find(of_test);
    let same = &test["queries"][0]["neighbours"][0];
    assert_eq!(first.unwrap()["distance"], same["distance"]);
    assert_eq!(first.unwrap()["index"].as_u64(), same["index"].as_u64().map(|i| i + 256));
    let refused = sandbox.run("search --run ae --image 320");
    assert_eq!(refused.code, Some(1));
    assert!(
        refused
            .stderr
            .starts_with("error: there is no file or folder 320, and no such image is searched: "),
        "{}",
        refused.stderr
    );
}

#[test]
fn pictures_are_found_by_name_and_by_path() {
    let sandbox = Sandbox::new();
    let picture = |name: &str, seed: u32| {
        let path = sandbox.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let colour = |x, y| Rgb([(x * seed) as u8, (y * 8 + seed) as u8, (seed * 17) as u8]);
        RgbImage::from_fn(16, 16, colour).save(path).unwrap();
    };
    for i in 0..30 {
        picture(&format!("photos/{}/{i}.png", ["a", "b"][i as usize % 2]), i);
    }
    std::fs::copy(sandbox.path("photos/a/4.png"), sandbox.path("photos/b/copy.png")).unwrap();
    picture("elsewhere/new.png", 9);
    std::fs::copy(sandbox.path("photos/a/2.png"), sandbox.path("elsewhere/other.png")).unwrap();
    let train = "train ae --epochs 1 --latent-dim 4 --batch-size 8";
    sandbox.ok(&format!("{train} --data photos --out run"));
    let first = |query: &str| {
        let found = sandbox.json(&format!("search --run run --image {query} --out s.json -k 3"));
        let query = &found["queries"][0];
        let distance = query["neighbours"][0]["distance"].as_f64().unwrap();
        (near(query)[0].clone(), distance, query["member"]["name"].clone())
    };
    // By its name and by its path it is the same image, whose copy is its neighbour.
    assert_eq!(first("a/4.png"), ("b/copy.png".into(), 0.0, "a/4.png".into()));
    assert_eq!(first("photos/a/4.png"), ("b/copy.png".into(), 0.0, "a/4.png".into()));
    // The same pixels from elsewhere find the picture itself.
    assert_eq!(first("elsewhere/other.png"), ("a/2.png".into(), 0.0, Value::Null));
    let folder = sandbox.json("search --run run --image elsewhere --out s.json -k 3");
    let queries = folder["queries"].as_array().unwrap();
    assert_eq!(queries.len(), 2);
    assert_eq!(queries[0]["query"], "elsewhere/new.png");
    assert_eq!(near(&queries[0])[0], "b/9.png");
    // A name that is also the path of another file is not guessed.
    picture("a/4.png", 3);
    let said = sandbox.run("search --run run --image a/4.png");
    assert!(
        said.stderr.contains("may mean the image") && said.stderr.contains("./a/4.png"),
        "{}",
        said.stderr
    );
    assert_eq!(first("./a/4.png").0, "b/3.png");
}
