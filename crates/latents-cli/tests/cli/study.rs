//! `latents study`: the page and all files beside it, what is not done twice, and what it says when it cannot go on.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use latents_random::{Purpose, stream};

use crate::support::Sandbox;

const KILLS: u64 = 8;

const STUDY: &str = "study fashion-mnist-sample --quick --only S1,S2 --out s";
/// How the page says that it was made.
const MADE: &str = "latents study fashion-mnist-sample --quick --only S1,S2 --seed 1 --out s";

#[test]
fn a_part_of_it_gives_a_page_and_is_done_once() {
    let sandbox = Sandbox::new();
    let first = sandbox.json(STUDY);
    assert_eq!(first["report"], "s/report.html");
    let stages = first["stages"].as_array().unwrap();
    assert!(stages.iter().any(|s| s["stage"] == "tune-ae" && s["seconds"].as_f64() > Some(0.0)));
    let page = sandbox.text("s/report.html");
    for expected in ["small sample of Fashion-MNIST", "id=\"S1\"", "id=\"S2\"", MADE] {
        assert!(page.contains(expected), "{expected}");
    }
    for file in
        ["report.md", "figures/F1.svg", "figures/F7a.svg", "figures/F8.svg", "tables/T4.csv"]
    {
        assert!(!sandbox.read(&format!("s/{file}")).is_empty(), "{file}");
    }
    // The numbers of the page are those of the results.
    let result: serde_json::Value =
        serde_json::from_str(&sandbox.text("s/results/ae-best.json")).unwrap();
    let error = format!("{:.4}", result["test_error"].as_f64().unwrap());
    let row = sandbox.text("s/tables/S2-components.csv");
    assert!(row.contains(&error[..5]), "{error}: {row}");

    let config = sandbox.read("s/runs/ae-adam/config.toml");
    let again = sandbox.json(STUDY);
    assert_eq!(again["findings"], first["findings"]);
    assert_eq!(again["stages"], serde_json::json!([]));
    assert_eq!(sandbox.read("s/runs/ae-adam/config.toml"), config);
    assert_eq!(sandbox.text("s/report.html"), page, "drawn again it is the same");

    for (left, expected) in [("{}", "missing field"), ("[", "EOF"), ("null", "expected struct")] {
        sandbox.write("s/results/pca.json", left);
        let said = sandbox.run(STUDY);
        assert_eq!(said.code, Some(1), "{left}");
        for expected in ["s/results/pca.json: ", "; delete this file to repeat the stage", expected]
        {
            assert!(said.stderr.contains(expected), "{left}: {}", said.stderr);
        }
    }
    std::fs::remove_file(sandbox.path("s/results/pca.json")).unwrap();
    assert_eq!(sandbox.json(STUDY)["stages"].as_array().map(Vec::len), Some(1));
    assert_eq!(sandbox.text("s/report.html"), page, "with that stage done again");

    let said = sandbox.run("study fashion-mnist-sample --quick --only S1 --seed 7 --out s");
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("choose another --out"), "{}", said.stderr);
}

#[test]
fn killed_at_any_instant_it_ends_with_the_same_page() {
    let whole = Sandbox::new();
    let begun = Instant::now();
    whole.ok(STUDY);
    let time = begun.elapsed();
    let killed = Sandbox::new();
    let mut hits = 0;
    for i in 0..KILLS {
        let mut child =
            killed.command(STUDY).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Each gets as far as the one before it or a stage further, by the study's own clock, and then a random bit.
        let done = || std::fs::read_dir(killed.path("s/results")).map_or(0, Iterator::count);
        while done() < i as usize / 2 && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(time.mul_f64(0.1 * stream(5, Purpose::Synthetic, i, 0).uniform()));
        child.kill().unwrap();
        hits += u64::from(child.wait().unwrap().signal() == Some(9));
    }
    assert!(hits >= 3, "only {hits} of {KILLS} were killed before they were over");
    killed.ok(STUDY);
    for file in ["report.html", "report.md", "tables/T4.csv", "figures/F8.svg"] {
        let [a, b] = [&killed, &whole].map(|sandbox| sandbox.text(&format!("s/{file}")));
        assert!(a == b, "{file}");
    }
}

#[test]
fn names_of_folders_are_text_and_no_markup() {
    let sandbox = Sandbox::new();
    for (i, name) in ["rgb.png", "rgba.png", "rgb.jpg", "lossy.webp"].iter().enumerate() {
        let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
        let picture = std::fs::read(corpus.join("picture").join(name)).unwrap();
        for class in ["<script>x", "b&b"] {
            for copy in 0..4 {
                sandbox.write(&format!("mine/{class}/{i}-{copy}-{name}"), &picture);
            }
        }
    }
    sandbox.ok("study mine --quick --no-cnn --only S3 --out s");
    let page = sandbox.text("s/report.html");
    assert!(page.contains("&lt;script&gt;x") && !page.contains("<script>x"));
}
