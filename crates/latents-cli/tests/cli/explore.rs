//! The latent space explored from the command line: maps, samples, ways, outliers, the card.

use ::latents::data::npz;

use crate::support::Sandbox;

#[test]
fn a_map_is_repeated_to_the_byte_on_any_threads() {
    let sandbox = Sandbox::trained();
    let map = "map --run ae --seed 1 --iterations 50 --thumbnails --threads";
    sandbox.ok(&format!("{map} 1 --out one.npz"));
    sandbox.ok(&format!("{map} 3 --out three.npz"));
    assert_eq!(sandbox.read("one.npz"), sandbox.read("three.npz"));
    assert_eq!(sandbox.read("one.svg"), sandbox.read("three.svg"));
    let (shape, xy) = npz::read_f32(&sandbox.path("one.npz"), "xy").unwrap();
    let labels =
        npz::open(&sandbox.path("one.npz")).unwrap().read("label").unwrap().i64s().unwrap();
    assert_eq!((shape.len(), shape[1], xy.len()), (2, 2, 2 * labels.len()));
    assert!(sandbox.path("one-thumbnails.png").exists());
    // Of an array just the same.
    sandbox.ok("encode --run ae --out z.npz");
    sandbox.ok("map --latents z.npz --seed 1 --iterations 50 --out again.npz");
    assert_eq!(sandbox.read("one.npz"), sandbox.read("again.npz"));
    sandbox.ok("map --run ae --method pca --out pca.npz");
    assert!(sandbox.text("pca.svg").contains("component 1 ("));
}

#[test]
fn samples_and_ways_have_their_sizes() {
    let sandbox = Sandbox::trained();
    for sampler in ["prior", "normal", "mixture --components 2", "uniform"] {
        sandbox.ok(&format!("sample --run ae --sampler {sampler} --n 12 --seed 1 --out s.npz"));
        let (shape, pixels) = npz::read_f32(&sandbox.path("s.npz"), "image").unwrap();
        assert_eq!(shape, [12, 1, 28, 28]);
        assert!(pixels.iter().all(|p| (0.0..=1.0).contains(p)));
    }
    // The prior is N(0, I) where none is learned, and is called so.
    let plain = sandbox.json("sample --run ae --n 2 --out s.npz");
    assert_eq!(plain["sampler"], "normal");
    assert_eq!(plain["temperature"], 1.0);
    let cold = sandbox.json("sample --run ae --n 2 --temperature 0.5 --out cold.npz");
    assert_eq!(cold["temperature"], 0.5);
    assert!(sandbox.text("cold.svg").contains("drawn from N(0, I) at temperature 0.5"));
    for (wrong, why) in [
        ("--temperature 0", "the temperature is 0, but must be a number above 0"),
        ("--sampler uniform --temperature 0.5", "have no temperature"),
    ] {
        let said = sandbox.run(&format!("sample --run ae {wrong} --n 2 --out no.npz"));
        assert!(said.code == Some(1) && said.stderr.contains(why), "{}", said.stderr);
    }
    sandbox.ok("traverse --run ae --from 3 --to 42 --steps 10 --out t.png");
    assert_eq!(sandbox.text("t.svg").matches("<image").count(), 12);
    sandbox.ok("traverse --run ae --corners 0 1 2 3 --steps 4 --out c.png");
    assert_eq!(sandbox.text("c.svg").matches("<image").count(), 16);
    sandbox.ok("traverse --run ae --from 0 --axis all --steps 5 --out a.png");
    assert_eq!(sandbox.text("a.svg").matches("<image").count(), 8 * 5);
}
