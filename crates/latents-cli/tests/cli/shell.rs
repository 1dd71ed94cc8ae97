//! How the command behaves among others: exit codes, help, completions, wrong command lines, and readers that go away.

use std::process::Stdio;

use crate::support::{Said, Sandbox};

#[test]
fn help_and_version_are_results() {
    let sandbox = Sandbox::new();
    let help = sandbox.ok("--help");
    for command in ["train", "encode", "decode", "reconstruct", "figures", "data", "completions"] {
        assert!(help.contains(&format!("\n  {command}  ")), "{command}");
        assert!(sandbox.ok(&format!("help {command}")).contains("Usage: latents "), "{command}");
    }
    assert_eq!(sandbox.ok("--version"), format!("latents {}\n", env!("CARGO_PKG_VERSION")));
    let train = sandbox.ok("train ae --help").split_whitespace().collect::<Vec<_>>().join(" ");
    for default in ["[default: 42]", "[default: 0.0005]", "for 28x28, 8k4s2p1,16k4s2p1,32k3s2p0]"] {
        assert!(train.contains(default), "{default}");
    }
}

#[test]
fn completions_know_the_commands() {
    let sandbox = Sandbox::new();
    let bash = sandbox.ok("completions bash");
    assert!(bash.starts_with("_latents()"), "{bash}");
    for word in ["reconstruct", "--latent-dim", "--train-limit"] {
        assert!(bash.contains(word), "{word}");
    }
    for shell in ["zsh", "fish", "powershell", "elvish"] {
        assert!(sandbox.ok(&format!("completions {shell}")).contains("reconstruct"), "{shell}");
    }
}

#[test]
fn a_wrong_command_line_is_told_what_is_wrong_with_it() {
    let sandbox = Sandbox::new();
    for (arguments, expected) in [
        ("", "Usage: latents"),
        ("trian", "unrecognized subcommand 'trian'"),
        ("train ae", "--out <DIR>"),
        ("train ae --out a --epoch 3", "a similar argument exists: '--epochs'"),
        ("train ae --out a --epochs x", "invalid value 'x' for '--epochs <N>'"),
        ("train ae --out a --lr fast", "invalid value 'fast' for '--lr <RATE>'"),
        ("train ae --out a --optimizer adm", "[possible values: adam, adamw, sgd]"),
        ("train ae --out a --init zero", "'zero' for '--init <NAME>'"),
        ("train ae --out a --nonlinearity step", "relu, leaky-relu, silu, gelu]"),
        ("train ae --out a --schedule never", "constant, cosine, warmup-cosine, one-cycle]"),
        ("train ae --out a --stages 8k4s2", "`8k4s2` is not of the form 8k4s2p1"),
        ("train ae --out a --stages 8k4s2p-1", "`8k4s2p-1` is not of the form 8k4s2p1"),
        ("train ae --out a --hidden 64,x", "invalid value 'x' for '--hidden <WIDTHS>'"),
        ("train ae --out a --warmup 0.2", "--schedule <NAME>"),
        ("train ae --out a --resume --config b", "cannot be used with '--config <FILE>'"),
        ("train ae --out a --threads 0", "invalid value '0' for '--threads <N>'"),
        ("train ae --out a --isa sse9", "this machine has: "),
        ("train vea --out a", "unrecognized subcommand 'vea'"),
        ("encode --run a", "--out <FILE>"),
        (
            "encode --run a --out z --split half",
            "[possible values: train, validation, test, unlabelled, all]",
        ),
        ("figures", "<RUN>..."),
        ("data fetch mnist", "[possible values: fashion-mnist]"),
        ("completions tcsh", "invalid value 'tcsh'"),
    ] {
        let said = sandbox.run(arguments);
        assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{arguments}");
        assert!(said.stderr.contains(expected), "{arguments}: {}", said.stderr);
    }
    assert_eq!(std::fs::read_dir(sandbox.path("")).unwrap().count(), 0, "nothing was written");
}

/// With nobody to read its standard output from the start, so that its first word already fails.
fn unread(sandbox: &Sandbox, arguments: &str) -> Said {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = sandbox.command(arguments);
    let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    // The command holds the end that is written to.
    drop(command);
    Said::new(arguments, &child.wait_with_output().unwrap())
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let sandbox = Sandbox::trained();
    for arguments in [
        "data list",
        "data list --json",
        "data show fashion-mnist-sample",
        "completions bash",
        "--help",
        "encode --run ae --out z.npz",
        "figures ae",
        "train ae --resume --out ae",
    ] {
        let said = unread(&sandbox, arguments);
        assert_eq!(said.code, Some(0), "{arguments}: {}", said.stderr);
        assert!(!said.stderr.contains("error"), "{arguments}: {}", said.stderr);
    }
    assert!(sandbox.path("z.npz").exists(), "the work was done");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let sandbox = Sandbox::new();
    for arguments in ["data list", "completions bash"] {
        let mut command = sandbox.command(arguments);
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let said = Said::new(arguments, &command.stdout(full).output().unwrap());
        assert_eq!(said.code, Some(1), "{arguments}");
        assert!(said.stderr.starts_with("error: No space left"), "{}", said.stderr);
    }
}
