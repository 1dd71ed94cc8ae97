//! `latents study`: the page and all files beside it, what is not done twice, and what it says when it cannot go on.

use crate::support::Sandbox;

const STUDY: &str = "study fashion-mnist-sample --quick --only S1,S2 --out s";
/// How the page says that it was made.
const MADE: &str = "latents study fashion-mnist-sample --quick --only S1,S2 --seed 1 --out s";

#[test]
fn a_part_of_it_gives_a_page_and_is_done_once() {
    let sandbox = Sandbox::new();
    let first = sandbox.json(STUDY);
    assert_eq!(first["report"], "s/report.html");
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
    assert_eq!(sandbox.read("s/runs/ae-adam/config.toml"), config);
    assert_eq!(sandbox.text("s/report.html"), page, "drawn again it is the same");

    let said = sandbox.run("study fashion-mnist-sample --quick --only S1 --seed 7 --out s");
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("choose another --out"), "{}", said.stderr);
}
