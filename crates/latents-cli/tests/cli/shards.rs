//! `--shard` and `merge`: processes that know nothing of each other write the file that one would have written.

use serde_json::json;

use crate::support::Sandbox;

/// A run in `ae` and a folder of pictures with labels, one of which cannot be read.
fn with_pictures() -> Sandbox {
    let sandbox = Sandbox::trained();
    for i in 0..11u8 {
        let pixels: Vec<u8> = (0..784u32).map(|p| (p * u32::from(i + 1) % 251) as u8).collect();
        let head = b"P5 28 28 255\n".to_vec();
        sandbox.write(
            &format!("photos/{}/{i}.pgm", ["cats", "dogs"][i as usize / 6]),
            [head, pixels].concat(),
        );
    }
    sandbox.write("photos/dogs/7.pgm", "P5 28 28 255\ncut short");
    sandbox
}

#[test]
fn shards_of_pictures_make_the_file_of_one_process() {
    let sandbox = with_pictures();
    sandbox.ok("encode --run ae --data photos --out one.parquet");
    for shard in [3, 0, 2, 1] {
        sandbox.ok(&format!(
            "encode --run ae --data photos --out z.parquet --shard {shard}/4 --threads 1"
        ));
    }
    assert_eq!(sandbox.ok("merge z.parquet"), "10 rows of 4 shards in z.parquet\n");
    assert!(sandbox.read("z.parquet") == sandbox.read("one.parquet"));
    // More shards than pictures, and one of no picture that can be read.
    for shard in 0..13 {
        sandbox.ok(&format!("encode --run ae --data photos --out many.parquet --shard {shard}/13"));
    }
    assert_eq!(
        sandbox.json("merge many.parquet"),
        json!({"out": "many.parquet", "shards": 13, "rows": 10})
    );
    assert!(sandbox.read("many.parquet") == sandbox.read("one.parquet"));
    // A shard that is done again is the same file.
    let before = sandbox.read("z-00001-of-00004.parquet");
    sandbox.ok("encode --run ae --data photos --out z.parquet --shard 1/4");
    assert!(sandbox.read("z-00001-of-00004.parquet") == before);
}

#[test]
fn shards_of_the_runs_own_images_and_of_arrays_make_the_file_of_one_process() {
    let sandbox = Sandbox::trained();
    for images in ["--split all", "--data fashion-mnist-sample"] {
        sandbox.ok(&format!("encode --run ae {images} --out one.parquet"));
        for shard in 0..3 {
            sandbox.ok(&format!("encode --run ae {images} --out z.parquet --shard {shard}/3"));
        }
        sandbox.ok("merge z.parquet");
        assert!(sandbox.read("z.parquet") == sandbox.read("one.parquet"), "{images}");
    }
    sandbox.ok("train classifier --encoder ae --data fashion-mnist-sample --train-limit 100 --test-limit 20 --epochs 1 --out cl");
    for tta in ["", "--tta flip"] {
        let predict = format!("predict --run cl --data fashion-mnist-sample {tta} --out");
        sandbox.ok(&format!("{predict} one.parquet"));
        for shard in 0..2 {
            sandbox.ok(&format!("{predict} p.parquet --shard {shard}/2"));
        }
        assert_eq!(sandbox.ok("merge p.parquet"), "500 rows of 2 shards in p.parquet\n");
        assert!(sandbox.read("p.parquet") == sandbox.read("one.parquet"), "{tta}");
    }
}

#[test]
fn what_does_not_belong_together_is_not_merged() {
    let sandbox = with_pictures();
    let encode = |flags: &str| sandbox.ok(&format!("encode --run ae --data photos {flags}"));
    let fails = |command: &str| {
        let said = sandbox.run(command);
        assert_eq!(said.code, Some(1), "{command}: {}", said.stdout);
        said.stderr
    };
    let said = fails("merge z.parquet");
    assert!(
        said.contains("there are no files of shards beside it, such as z-00000-of-00008.parquet"),
        "{said}"
    );
    encode("--out z.parquet --shard 0/3");
    let said = fails("merge z.parquet");
    assert!(said.contains("2 of 3 shards are missing: 1/3 2/3"), "{said}");
    encode("--out z.parquet --shard 1/2");
    assert!(fails("merge z.parquet").contains("divisions into 2 and 3 shards"));
    std::fs::remove_file(sandbox.path("z-00001-of-00002.parquet")).unwrap();
    encode("--out z.parquet --shard 1/3");

    // A picture was added, or another model was used, or the file is another's.
    encode("--out z.parquet --shard 2/3");
    sandbox.ok("merge z.parquet");
    let kept = sandbox.read("z-00002-of-00003.parquet");
    let bytes = sandbox.read("photos/cats/1.pgm");
    sandbox.write("photos/cats/new.pgm", bytes);
    encode("--out z.parquet --shard 2/3");
    let said = fails("merge z.parquet");
    assert!(said.contains("do not belong together: the list of images is"), "{said}");
    std::fs::remove_file(sandbox.path("photos/cats/new.pgm")).unwrap();
    sandbox.train("other", "--seed 2");
    sandbox.ok("encode --run other --data photos --out z.parquet --shard 2/3");
    assert!(fails("merge z.parquet").contains("the model is"));
    sandbox.write("z-00002-of-00003.parquet", sandbox.read("z-00001-of-00003.parquet"));
    assert!(fails("merge z.parquet").contains("rows of shard 1/3"));
    sandbox.ok("encode --run ae --data photos --out x.parquet");
    sandbox.write("z-00002-of-00003.parquet", sandbox.read("x.parquet"));
    assert!(fails("merge z.parquet").contains("is not a file of a shard"));
    // A flipped bit is told, or without effect. The format itself does not notice that of a number.
    let (whole, mut told) = (sandbox.read("z.parquet"), 0);
    for at in (0..40).map(|i| i * kept.len() / 40) {
        let mut flipped = kept.clone();
        flipped[at] ^= 1;
        sandbox.write("z-00002-of-00003.parquet", &flipped);
        let said = sandbox.run("merge z.parquet");
        told += usize::from(said.stderr.contains("its rows are not those that were written"));
        assert!(said.code == Some(1) || sandbox.read("z.parquet") == whole, "bit at {at}");
    }
    assert!(told > 0);
    sandbox.write("z-00002-of-00003.parquet", &kept[..kept.len() / 2]);
    assert!(fails("merge z.parquet").contains("z-00002-of-00003.parquet"));

    let said = fails("encode --run ae --data photos --out z.npz --shard 0/3");
    assert!(said.contains("known are .parquet"), "{said}");
    let said = sandbox.run("encode --run ae --data photos --out z.parquet --shard 3/3");
    assert!(
        said.code == Some(2) && said.stderr.contains("index from 0 to COUNT - 1"),
        "{}",
        said.stderr
    );
    assert_eq!(sandbox.run("predict --run ae --input a.png --shard 0/3").code, Some(2));
}
