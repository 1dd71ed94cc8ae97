//! `latents data`: the list of sources, and what is in one.

use crate::support::Sandbox;

#[test]
fn every_source_is_listed_with_its_place() {
    let sandbox = Sandbox::new();
    let said = sandbox.ok("data list");
    let entries = sandbox.json("data list");
    let entries = entries.as_array().unwrap();
    let names: Vec<&str> = entries.iter().map(|e| e["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "fashion-mnist",
            "fashion-mnist-sample",
            "shapes",
            "folder:DIR",
            "npz:FILE",
            "table:FILE",
            "tar:FILE",
            "idx:DIR"
        ]
    );
    for entry in entries {
        for key in ["name", "description", "licence"] {
            assert!(said.contains(entry[key].as_str().unwrap()), "{key}: {said}");
        }
    }
    assert_eq!(entries[1]["place"]["kind"], "compiled-in");
    assert!(said.contains("  compiled in; licence: MIT (Expat)"), "{said}");
    // Where the full set is depends on the machine; downloads are off.
    let kind = entries[0]["place"]["kind"].as_str().unwrap();
    assert!(["system", "nowhere"].contains(&kind), "{kind}");
}

#[test]
fn a_set_is_described_and_drawn() {
    let sandbox = Sandbox::new();
    let said = sandbox.ok("data show fashion-mnist-sample");
    assert!(said.contains("2,500 training and 500 test images of 1 x 28 x 28"), "{said}");
    let result = sandbox.json("data show fashion-mnist-sample --out sheet");
    assert_eq!(result["name"], "fashion-mnist-sample");
    assert_eq!(result["shape"], serde_json::json!([1, 28, 28]));
    assert_eq!((result["train"].as_u64(), result["test"].as_u64()), (Some(2500), Some(500)));
    let classes = result["classes"].as_array().unwrap();
    assert_eq!(classes.len(), 10);
    for class in classes {
        assert_eq!((class["train"].as_u64(), class["test"].as_u64()), (Some(250), Some(50)));
        let row = format!("  {:<14} {:>8} {:>8}\n", class["name"].as_str().unwrap(), 250, 50);
        assert!(said.contains(&row), "{row}{said}");
    }
    let figures = serde_json::json!(["sheet/contact-sheet.svg", "sheet/contact-sheet.png"]);
    assert_eq!(result["figures"], figures);
    assert!(sandbox.text("sheet/contact-sheet.svg").contains("Ankle boot"));
    assert!(sandbox.read("sheet/contact-sheet.png").starts_with(b"\x89PNG"));
}
