//! Searches that cannot be: search spaces, databases, studies of another kind; and the folder of a whole study.

use super::Table;
use crate::support::Sandbox;

/// A search of one short trial.
const TUNE: &str = "tune ae --data fashion-mnist-sample --train-limit 64 --test-limit 64 --epochs 1 --trials 1 --out new";

#[test]
fn spaces() {
    let mut t = Table::new("spaces", Sandbox::new());
    let space = |file: &str| format!("{TUNE} --space {file}");
    t.refuse("no such file", &space("none.toml"));
    t.file("cut.toml", "dropout = {");
    t.refuse("a file that is cut short", &space("cut.toml"));
    t.file("empty.toml", "");
    t.refuse("nothing to search", &space("empty.toml"));
    t.file("typo.toml", "latent_dims = { int = [8, 16] }");
    t.refuse("a setting that is none", &space("typo.toml"));
    t.file("cross.toml", "latent_dim = { int = [16, 8] }");
    t.refuse("bounds that have changed places", &space("cross.toml"));
    t.file("log.toml", "learning_rate = { float = [0.0, 0.1], log = true }");
    t.refuse("a logarithm of nothing", &space("log.toml"));
    t.file("step.toml", "dropout = { float = [0.0, 0.5], step = -0.1 }");
    t.refuse("a negative step", &space("step.toml"));
    t.file("both.toml", "learning_rate = { float = [0.01, 0.1], log = true, step = 0.01 }");
    t.refuse("steps of a logarithm", &space("both.toml"));
    t.file("other.toml", "optimizer = { choices = [\"adam\", \"lbfgs\"] }");
    t.refuse("a choice that is none", &space("other.toml"));
    t.file("none.toml", "optimizer = { choices = [] }");
    t.refuse("no choices", &space("none.toml"));
    t.file("far.toml", "dropout = { float = [0.0, 1.5] }");
    t.refuse("a bound out of range", &space("far.toml"));
    t.file("kind.toml", "dropout = { flaot = [0.0, 0.5] }");
    t.refuse("a kind of parameter that is none", &space("kind.toml"));
    t.file("when.toml", "dropout = { float = [0.0, 0.5], when = { optimizer = \"sgd\" } }");
    t.refuse("a condition on what is not searched", &space("when.toml"));
    t.file("given.toml", "dropout = { float = [0.0, 0.5] }");
    t.refuse(
        "a setting that is searched and given",
        &format!("{} --dropout 0.1", space("given.toml")),
    );
    t.refuse("a grid of what has no steps", &format!("{TUNE} --sampler grid"));
    t.refuse("no images to judge by", &format!("{TUNE} --validation 0"));
    t.refuse("no workers", &format!("{TUNE} --workers 0"));
    t.finish();
}

#[test]
fn programs() {
    let mut t = Table::new("programs", Sandbox::new());
    let tune = |program: &str| format!("tune command --trials 1 --out new -- {program}");
    t.refuse("no program", "tune command --trials 1 --out new");
    t.refuse("nothing to search", &tune("echo 1"));
    t.refuse("bounds that have changed places", &tune("echo {x:float:1..0}"));
    t.refuse("a kind of parameter that is none", &tune("echo {x:flaot:0..1}"));
    t.refuse("bounds that are no numbers", &tune("echo {x:int:a..b}"));
    t.refuse("a parameter without a space", &tune("echo {x}"));
    t.refuse("a parameter in two ways", &tune("echo {x:int:0..1} {x:int:0..2}"));
    t.refuse("braces that are not closed", &tune("echo {x:int:0..1"));
    t.finish();
}

#[test]
fn databases() {
    let mut t = Table::new("databases", Sandbox::new());
    let at = |url: &str| format!("{TUNE} --study {url}");
    t.refuse("no such file", "tune show sqlite:///none.db --out x");
    t.refuse("no such file, to train from", "train ae --from-study sqlite:///none.db --out x");
    t.refuse("no address", "tune show study.db --out x");
    t.file("file", "");
    t.refuse("a folder that is a file", &at("sqlite:///file/folder.db"));
    t.refuse("a database that is not built in", &at("mysql://me:secret@host/db"));
    t.file(
        "text.db",
        "this is no database, but a text that is longer than the header of one would be",
    );
    t.refuse("a text", &at("sqlite:///text.db"));
    t.refuse("a text, to show", "tune show sqlite:///text.db --out x");
    t.file("empty.db", "");
    t.refuse("an empty file, to show", "tune show sqlite:///empty.db --out x");

    t.sandbox.ok(&at("sqlite:///study.db"));
    let whole = t.sandbox.read("study.db");
    let patched = |from: &str, to: &str| {
        let mut bytes = whole.clone();
        let mut found = 0;
        for at in 0..bytes.len() - from.len() {
            if bytes[at..].starts_with(from.as_bytes()) {
                bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
                found += 1;
            }
        }
        assert!(found > 0, "{from}");
        bytes
    };
    t.file("cut.db", &whole[..whole.len() / 2]);
    t.refuse("a database that is cut short", &at("sqlite:///cut.db"));
    t.refuse("the same, to train from", "train ae --from-study sqlite:///cut.db --out x");
    t.file("state.db", patched("COMPLETE", "COMPLETF"));
    t.refuse("a state that is none", "tune show sqlite:///state.db --out x");
    t.file("distribution.db", patched("FloatDistribution", "FloatDistributiom"));
    t.refuse("a distribution that is none", "tune show sqlite:///distribution.db --out x");
    t.file("schema.db", patched("v3.2.0.a", "v9.0.0.a"));
    t.refuse("tables of a later Optuna", "tune show sqlite:///schema.db --out x");
    t.file("older.db", patched("v3.2.0.a", "v3.0.0.a"));
    t.refuse("tables of an earlier Optuna", "tune show sqlite:///older.db --out x");
    t.file("way.db", patched("MINIMIZE", "MINIMISE"));
    t.refuse("a direction that is none", "tune show sqlite:///way.db --out x");
    t.file("settings.db", patched("\"sampler\"", "\"sempler\""));
    t.refuse("settings that are none", "tune show sqlite:///settings.db --out x");
    t.finish();
}

#[test]
fn studies() {
    let mut t = Table::new("studies", Sandbox::new());
    t.sandbox.ok(TUNE);
    t.refuse("another pruner", &format!("{TUNE} --pruner none"));
    t.refuse("another seed", &format!("{TUNE} --seed 2"));
    t.refuse("fewer parameters", &format!("{TUNE} --dropout 0.1"));
    t.file("space.toml", "latent_dim = { int = [8, 16] }");
    t.refuse("another space", &format!("{TUNE} --space space.toml"));
    t.refuse("other images", &TUNE.replace("limit 64", "limit 80"));
    let command = "tune command --study sqlite:///new/study.db --trials 1 --out c";
    t.refuse(
        "another direction",
        &format!("{command} --name ae --direction maximize -- echo {{x:float:0..1}}"),
    );
    t.refuse("another objective", &format!("{command} --name ae -- echo {{x:float:0..1}}"));
    t.refuse("a study that is none", "train ae --from-study sqlite:///new/study.db#vae --out x");
    t.refuse(
        "an autoencoder's study, for a classifier",
        "train classifier --from-study sqlite:///new/study.db --out x",
    );
    t.sandbox.ok(&format!("{command} -- echo {{x:float:0..1}}"));
    t.refuse("one of several studies", "train ae --from-study sqlite:///new/study.db --out x");
    t.refuse(
        "a program's study, for a model",
        "train ae --from-study sqlite:///new/study.db#command --out x",
    );
    t.sandbox.run(&format!(
        "{TUNE} --name failed --study sqlite:///new/study.db --lr 1e30 --optimizer sgd"
    ));
    t.refuse(
        "a study without a complete trial",
        "train ae --from-study sqlite:///new/study.db#failed --out x",
    );
    t.file("file", "");
    t.refuse("a folder that is a file", &TUNE.replace("--out new", "--out file"));

    t.file("study/study.toml", "seed = 1\nquick = false\n[data]\nsource = \"fashion-mnist\"\n");
    t.refuse("a whole study of other images", "study fashion-mnist-sample --out study");
    t.file("text/study.toml", "a study");
    t.refuse("a whole study that is none", "study fashion-mnist-sample --out text");
    t.refuse("a whole study in a file", "study fashion-mnist-sample --out file");
    t.finish();
}
