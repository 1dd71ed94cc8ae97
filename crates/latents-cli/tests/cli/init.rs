//! `latents init`: a file that trains as the command does without it, and is never lost.

use crate::support::Sandbox;

#[test]
fn a_file_of_settings_is_written_once_and_trained_from() {
    let sandbox = Sandbox::new();
    assert_eq!(
        sandbox.ok("init"),
        "latents.toml\n  latents train ae --config latents.toml --out runs/ae\n"
    );
    let text = sandbox.text("latents.toml");
    assert!(text.contains("# Passes over the training images.\nepochs = 42\n"), "{text}");
    let said = sandbox.run("init vae");
    assert_eq!(said.code, Some(1));
    assert_eq!(
        said.stderr,
        "error: latents.toml exists already and is left as it is: choose another --out\n"
    );
    assert_eq!(sandbox.text("latents.toml"), text);

    let text = text.replace("epochs = 42", "epochs = 1").replace("\nseed = 0", "\nseed = 5");
    sandbox.write("latents.toml", text);
    let flags = "--data fashion-mnist-sample --train-limit 64 --seed 6";
    sandbox.ok(&format!("train ae --config latents.toml {flags} --out file"));
    sandbox.ok(&format!("train ae --epochs 1 {flags} --out flags"));
    assert_eq!(sandbox.text("file/config.toml"), sandbox.text("flags/config.toml"));

    let made = sandbox.json("init vae --out v/vae.toml");
    assert_eq!(made, serde_json::json!({ "file": "v/vae.toml", "kind": "vae" }));
    let text = sandbox.text("v/vae.toml").replace("beta = ", "betta = ");
    sandbox.write("v/vae.toml", text);
    let said = sandbox.run("train vae --config v/vae.toml --out v/run");
    assert_eq!(said.code, Some(1));
    for expected in ["v/vae.toml", "unknown field `betta`", "did you mean `beta`?"] {
        assert!(said.stderr.contains(expected), "{}", said.stderr);
    }
}
