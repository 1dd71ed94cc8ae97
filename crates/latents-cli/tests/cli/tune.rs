//! Studies as their users meet them: one command, killed and started again, by one process and by many.

use std::process::Stdio;
use std::time::{Duration, Instant};

use latents_random::{Purpose, stream};
use serde_json::Value;

use crate::support::{Sandbox, assert_same_run};

/// Eight trials of a fraction of a second.
const AE: &str = "tune ae --data fashion-mnist-sample --train-limit 256 --test-limit 64 --epochs 4 --batch-size 64 --trials 8 \
    --seed 1 --out study";

/// The rows of a study's table of trials, less the clock.
pub(crate) fn trials(sandbox: &Sandbox, out: &str) -> Vec<Value> {
    let table: Value =
        serde_json::from_str(&sandbox.text(&format!("{out}/tables/trials.json"))).unwrap();
    let mut rows = table.as_array().unwrap().clone();
    for row in &mut rows {
        row.as_object_mut().unwrap().remove("seconds");
    }
    rows
}

fn count(rows: &[Value], state: &str) -> usize {
    rows.iter().filter(|row| row["state"] == state).count()
}

#[test]
fn a_study_of_autoencoders_and_a_run_of_its_best() {
    let sandbox = Sandbox::new();
    let summary = sandbox.json(AE);
    let rows = trials(&sandbox, "study");
    assert_eq!(rows.len(), 8);
    assert_eq!(summary["complete"].as_u64().unwrap() as usize, count(&rows, "complete"));
    let best = rows.iter().find(|row| row["best"] == "*").unwrap();
    assert_eq!(best["validation loss"], summary["best"]["value"]);
    let least = rows.iter().filter(|row| row["state"] == "complete");
    let least = least.filter_map(|row| row["validation loss"].as_f64()).min_by(f64::total_cmp);
    assert_eq!(best["validation loss"].as_f64(), least);
    // Eight trials say nothing about importances.
    assert!(!sandbox.path("study/figures/importances.png").exists());
    for name in ["trials", "parallel", "slices"] {
        assert!(
            sandbox.read(&format!("study/figures/{name}.png")).starts_with(b"\x89PNG"),
            "{name}"
        );
    }
    assert!(sandbox.text("study/tables/best.md").starts_with("| setting"));

    // Again: there is nothing left to do, and nothing changes.
    assert_eq!(sandbox.json(AE), summary);
    assert_eq!(trials(&sandbox, "study"), rows);

    // The best trial trained again is that trial, to the bit, but for the checkpoint that a finished trial does not keep.
    sandbox.ok("train ae --from-study sqlite:///study/study.db --out best");
    let folder = format!("study/trials/{:05}", best["trial"].as_u64().unwrap());
    let mut again = sandbox.run_files("best");
    assert!(again.remove("checkpoint/best.safetensors").is_some());
    assert_same_run(&again, &sandbox.run_files(&folder), "trained again");
    sandbox.ok("train ae --from-study sqlite:///study/study.db#ae --epochs 5 --out longer");
    assert_eq!(sandbox.metrics("longer").len(), 5);
    sandbox.ok("tune show sqlite:///study/study.db --label loss --out shown");
    assert_eq!(trials(&sandbox, "shown").len(), 8);
}

#[test]
fn minutes_become_epochs_that_the_study_keeps() {
    let sandbox = Sandbox::new();
    let run = AE.replace("--epochs 4", "--minutes 0.05").replace("--trials 8", "--trials 2");
    sandbox.ok(&run);
    // With more trials there would be fewer epochs of each, if the study did not keep their number.
    sandbox.ok(&run.replace("--trials 2", "--trials 12"));
    let epochs = |trial: &str| {
        let config = sandbox.text(&format!("study/trials/{trial}/config.toml"));
        config.lines().find(|line| line.starts_with("epochs = ")).unwrap().to_owned()
    };
    assert_eq!(epochs("00011"), epochs("00000"));
    let said = sandbox.run(&AE.replace("--epochs 4", "--minutes 0"));
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("minutes = 0 must be more than 0"), "{}", said.stderr);
}

#[test]
fn a_setting_that_is_given_is_not_tuned() {
    let sandbox = Sandbox::new();
    let run = AE.replace("--trials 8", "--trials 2 --optimizer adamw --latent-dim 8");
    sandbox.ok(&run);
    for row in trials(&sandbox, "study") {
        assert!(row.get("optimizer").is_none() && row.get("latent_dim").is_none(), "{row}");
        assert!(row["learning_rate"].is_number(), "{row}");
    }
    let config = sandbox.text("study/trials/00001/config.toml");
    assert!(config.contains("optimizer = \"adamw\"") && config.contains("latent_dim = 8\n"));
}

#[test]
fn workers_in_lockstep_repeat_themselves() {
    let sandbox = Sandbox::new();
    let run = |out: &str, flags: &str| {
        sandbox.ok(&format!("{} {flags}", AE.replace("--out study", &format!("--out {out}"))));
        trials(&sandbox, out)
    };
    let first = run("a", "--workers 3 --deterministic");
    assert_eq!(run("b", "--workers 3 --deterministic --threads 5"), first);
}

#[cfg(unix)]
#[test]
fn kill_9_at_any_instant_changes_no_trial() {
    let sandbox = Sandbox::new();
    let begun = Instant::now();
    sandbox.ok(&AE.replace("--out study", "--out whole"));
    let (length, whole) = (begun.elapsed(), trials(&sandbox, "whole"));
    // Twenty kills of one study, each within what it had still to do.
    let mut hits = 0;
    for i in 0..20 {
        let mut child =
            sandbox.command(AE).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let part = stream(4, Purpose::Synthetic, i, 0).uniform();
        std::thread::sleep(length.mul_f64(0.02 + 0.15 * part));
        hits += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(hits >= 5, "only {hits} were killed before they were over");
    sandbox.ok(AE);
    assert_eq!(trials(&sandbox, "study"), whole);
    let complete = whole.iter().filter(|row| row["state"] == "complete");
    for row in complete {
        let number = row["trial"].as_u64().unwrap();
        let files = |out: &str| sandbox.run_files(&format!("{out}/trials/{number:05}"));
        assert_same_run(&files("study"), &files("whole"), &format!("trial {number}"));
    }
}

/// A trial can be computed again, so damage to what it goes on from costs time and changes nothing.
#[cfg(unix)]
#[test]
fn a_trial_that_was_damaged_is_trained_again() {
    let sandbox = Sandbox::new();
    let tune = "tune ae --data fashion-mnist-sample --train-limit 256 --test-limit 64 --epochs 2 --trials 2 --sampler random --out";
    sandbox.ok(&format!("{tune} whole"));
    for name in ["checkpoint/last.safetensors", "metrics.jsonl"] {
        let out = name.replace('/', "-");
        // It ends in the second epoch of the first trial, where there is a checkpoint of the first.
        let mut command = sandbox.command(&format!("{tune} {out}"));
        let output = command.env("LATENTS_FAULT", "kill:40").output().unwrap();
        assert_eq!(output.status.code(), None);
        let path = format!("{out}/trials/00000/{name}");
        let mut bytes = sandbox.read(&path);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        sandbox.write(&path, bytes);
        std::fs::remove_file(sandbox.path(&path).with_file_name("previous.safetensors")).ok();
        let said = sandbox.run(&format!("{tune} {out}"));
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        assert!(said.stderr.contains("it is trained again from its beginning"), "{}", said.stderr);
        assert_eq!(trials(&sandbox, &out), trials(&sandbox, "whole"));
    }
}

#[cfg(unix)]
#[test]
fn a_trial_of_a_process_that_dies_goes_on_mid_training_in_another() {
    let sandbox = Sandbox::new();
    let tune = "tune ae --data fashion-mnist-sample --train-limit 1024 --test-limit 64 --epochs 40 --batch-size 64 --trials 1 \
        --study sqlite:///study.db";
    let spawn = || {
        let mut command = sandbox.command(&format!("{tune} --name shared --out out"));
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut first = spawn();
    let path = sandbox.path("out/trials/00000/metrics.jsonl");
    let epochs = || std::fs::read_to_string(&path).unwrap_or_default();
    let begun = Instant::now();
    while epochs().lines().count() < 3 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
    let second = spawn();
    std::thread::sleep(Duration::from_millis(100));
    assert!(first.try_wait().unwrap().is_none(), "it is over already");
    first.kill().unwrap();
    first.wait().unwrap();
    // The last line may have been cut short, and the checkpoint of a whole one's epoch comes after it: that epoch may be done again.
    let before = epochs();
    let whole = before.lines().count() - usize::from(!before.ends_with('\n'));
    assert!(whole < 40);
    let before: String = before.split_inclusive('\n').take(whole - 1).collect();
    let second = second.wait_with_output().unwrap();
    assert!(second.status.success(), "{}", String::from_utf8_lossy(&second.stderr));
    // Times and all: it was not begun again.
    assert!(epochs().starts_with(&before));
    sandbox.ok(&format!("{tune} --name alone --out alone"));
    let files = |out: &str| sandbox.run_files(&format!("{out}/trials/00000"));
    assert_same_run(&files("out"), &files("alone"), "taken up");
    assert_eq!(trials(&sandbox, "out"), trials(&sandbox, "alone"));
}

#[cfg(unix)]
#[test]
fn eight_processes_on_one_file_of_which_one_is_killed_now_and_then() {
    const TRIALS: usize = 1000;
    let sandbox = Sandbox::new();
    let command = format!(
        "tune command --study sqlite:///study.db --trials {TRIALS} --sampler random --pruner none --out out -- echo {{x:float:0..1}}"
    );
    let spawn = || {
        let mut command = sandbox.command(&command);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut workers: Vec<_> = (0..8).map(|_| spawn()).collect();
    let (begun, mut kills) = (Instant::now(), 0);
    let mut killed = Instant::now();
    while !workers.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(300), "{} are still at it", workers.len());
        std::thread::sleep(Duration::from_millis(20));
        // Not for ever: those who only draw what is done would never come to an end.
        if kills < 10 && killed.elapsed() >= Duration::from_millis(300) {
            killed = Instant::now();
            let mut worker = workers.remove(0);
            if worker.try_wait().unwrap().is_none() {
                worker.kill().unwrap();
                worker.wait().unwrap();
                kills += 1;
                workers.push(spawn());
                continue;
            }
            workers.insert(0, worker);
        }
        for i in (0..workers.len()).rev() {
            if workers[i].try_wait().unwrap().is_some() {
                let output = workers.remove(i).wait_with_output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(output.status.success(), "{said}");
            }
        }
    }
    assert!(kills > 0);
    sandbox.ok("tune show sqlite:///study.db --out shown");
    let rows = trials(&sandbox, "shown");
    let numbers: Vec<u64> = rows.iter().map(|row| row["trial"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..TRIALS as u64).collect::<Vec<_>>());
    assert_eq!(count(&rows, "complete"), TRIALS, "after {kills} kills");
    assert!(rows.iter().all(|row| row["x"] == row["value"]));
}

#[cfg(unix)]
#[test]
fn any_program_can_be_tuned() {
    let sandbox = Sandbox::new();
    // Says what it was given, reports two steps, fails for some, prints its value last.
    sandbox.write(
        "program.sh",
        r#"
        echo "lr is $1, kind is $2" >&2
        echo "$LATENTS_TRIAL $LATENTS_PARAMS" > "$LATENTS_FOLDER/seen"
        case $LATENTS_TRIAL in 2) exit 3 ;; 3) echo "no number"; exit ;; esac
        echo "1 9$LATENTS_TRIAL"
        echo
        echo "2 8.5"
        echo "result: $1"
        "#,
    );
    let run = "tune command --trials 6 --pruner none --direction maximize --out out -- sh program.sh {lr:log:1e-4..1e-1} {kind:choice:a,b}";
    sandbox.ok(run);
    let rows = trials(&sandbox, "out");
    assert_eq!((count(&rows, "complete"), count(&rows, "failed")), (4, 2));
    for row in rows.iter().filter(|row| row["state"] == "complete") {
        assert_eq!((&row["value"], &row["last step"]), (&row["lr"], &Value::from(2)));
        let lr = row["lr"].as_f64().unwrap();
        assert!((1e-4..=1e-1).contains(&lr));
    }
    let best = rows.iter().find(|row| row["best"] == "*").unwrap();
    let most = rows.iter().filter_map(|row| row["value"].as_f64()).max_by(f64::total_cmp);
    assert_eq!(best["value"].as_f64(), most);
    assert!(sandbox.text("out/trials/00002/log.txt").starts_with("lr is "));
    let seen = sandbox.text("out/trials/00004/seen");
    let params: Value = serde_json::from_str(seen.strip_prefix("4 ").unwrap()).unwrap();
    assert_eq!(params["kind"], rows[4]["kind"]);
    assert!(sandbox.text("out/trials/00005/log.txt").contains("1 95\n"));
}

/// Programs that print their value in their own ways; `$2` is the value.
#[cfg(unix)]
const PRINTS: &str = r#"
    case $1 in
        plain) echo $2 ;;
        done) echo "val_loss: $2"; echo "Training done." ;;
        stderr) echo $2; echo "Warning: 7 is deprecated" >&2 ;;
        crlf) printf 'acc: %s\r\n' $2 ;;
        percent) echo "acc $2%" ;;
        bar) printf '\r 50%%|#####   \r100%%|##########\n%s\n' $2 ;;
        tensor) echo "tensor($2, device='cuda:0')" ;;
        eq) echo "loss=$2" ;;
        last) printf '%s' $2 ;;
        blank) printf '%s\n\n\n' $2 ;;
        ansi) printf '\033[32m%s\033[0m\n' $2 ;;
        steps) echo "1 0.9"; echo "2 0.5"; echo "Epoch 3: 0.4"; echo $2 ;;
        many) echo "epoch 3  loss $2  acc 0.9  2.5 s"; echo "Done in 3.2 s" ;;
        inf) echo inf ;;
        nan) echo "loss: nan" ;;
        comma) echo 0,5 ;;
        fail) echo $2; exit 3 ;;
        time) echo "loss: $2"; echo "Total time: 3.2" ;;
        nothing) ;;
    esac
"#;

#[cfg(unix)]
#[test]
fn a_value_is_read_where_it_is_plain() {
    let sandbox = Sandbox::new();
    sandbox.write("prints.sh", PRINTS);
    let tune = |kind: &str, flags: &str| {
        format!(
            "tune command --trials 2 --out {kind} {flags} -- sh prints.sh {kind} {{x:float:0.1..0.9}}"
        )
    };
    for kind in [
        "plain", "done", "stderr", "crlf", "percent", "bar", "tensor", "eq", "last", "blank",
        "ansi", "steps", "many",
    ] {
        let flags = if kind == "many" { "--value loss" } else { "" };
        let said = sandbox.run(&tune(kind, flags));
        assert_eq!(said.code, Some(0), "{kind}: {}", said.stderr);
        let rows = trials(&sandbox, kind);
        assert_eq!(rows.len(), 2);
        assert!(rows.iter().all(|row| row["x"] == row["value"]), "{kind}: {rows:?}");
        let is_bare = ["plain", "stderr", "bar", "last", "blank", "ansi", "steps"].contains(&kind);
        assert_eq!(said.stderr.contains("trial 0: value 0."), !is_bare, "{kind}: {}", said.stderr);
    }
    let said = sandbox.run(&tune("inf", ""));
    assert_eq!((said.code, count(&trials(&sandbox, "inf"), "complete")), (Some(0), 2));

    for (kind, reason) in [
        ("comma", "`0,5`: a comma is within the number"),
        ("nan", "its value is not a number, by the line `loss: nan`"),
        ("fail", "the program ended with exit status: 3"),
        ("time", "`Total time: 3.2`: the number after `time` may not be the value"),
        ("nothing", "it printed nothing to its standard output"),
    ] {
        let said = sandbox.run(&tune(kind, ""));
        assert_eq!(said.code, Some(1), "{kind}: {}", said.stderr);
        for start in
            ["warning: trial 0 failed: ", "error: study `command`: all 2 trials failed; trial 0: "]
        {
            let told = said.stderr.lines().find(|line| line.starts_with(start));
            assert!(told.is_some_and(|line| line.contains(reason)), "{kind}: {}", said.stderr);
        }
        assert_eq!(said.stderr.matches("failed: ").count(), 1, "only the first: {}", said.stderr);
        assert_eq!(count(&trials(&sandbox, kind), "failed"), 2);
    }
}

#[cfg(unix)]
#[test]
fn a_search_that_only_fails_ends_early_and_goes_on_when_it_is_mended() {
    let sandbox = Sandbox::new();
    let tune = "tune command --trials 12 --out out -- sh program.sh {x:float:0..1}";
    sandbox.write("program.sh", "echo no number here");
    let said = sandbox.run(tune);
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    assert!(said.stderr.contains("all 5 trials failed; trial 0: "), "{}", said.stderr);
    assert!(said.stderr.contains("its last line is `no number here`"), "{}", said.stderr);
    assert!(said.stderr.contains("--value NAME"), "{}", said.stderr);
    assert_eq!(trials(&sandbox, "out").len(), 5, "its tables are written");
    sandbox.write("program.sh", "echo $1");
    sandbox.ok(tune);
    let rows = trials(&sandbox, "out");
    assert_eq!((count(&rows, "failed"), count(&rows, "complete")), (5, 7));
}

#[cfg(unix)]
#[test]
fn looking_at_a_study_writes_nothing() {
    let sandbox = Sandbox::new();
    sandbox
        .ok("tune command --trials 3 --study sqlite:///study.db --out out -- echo {x:float:0..1}");
    std::fs::create_dir(sandbox.path("db")).unwrap();
    std::fs::rename(sandbox.path("study.db"), sandbox.path("db/study.db")).unwrap();
    let allow = |name: &str, mode| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(sandbox.path(name), std::fs::Permissions::from_mode(mode))
            .unwrap();
    };
    let before = sandbox.read("db/study.db");
    allow("db/study.db", 0o444);
    allow("db", 0o555);
    sandbox.ok("tune show sqlite:///db/study.db --out shown");
    assert_eq!(trials(&sandbox, "shown"), trials(&sandbox, "out"));
    allow("db", 0o755);
    assert!(sandbox.read("db/study.db") == before);
    let files: Vec<_> = std::fs::read_dir(sandbox.path("db")).unwrap().collect();
    assert_eq!(files.len(), 1, "{files:?}");
}

#[cfg(unix)]
#[test]
fn every_sampler_finds_low_values_again_and_again() {
    let sandbox = Sandbox::new();
    for sampler in ["tpe", "tpe-group", "tpe-univariate", "cma-es", "random", "qmc", "grid"] {
        let run = |out: &str| {
            let tune = format!("tune command --sampler {sampler} --seed 1 --trials 24 --out {out}");
            sandbox.ok(&format!("{tune} -- echo {{k:choice:a,b}} {{n:int:0..9}}"));
            trials(&sandbox, out)
        };
        let rows = run(&format!("{sampler}-1"));
        assert_eq!(rows, run(&format!("{sampler}-2")), "{sampler}");
        let least = rows.iter().filter_map(|row| row["value"].as_f64()).min_by(f64::total_cmp);
        assert!(least.is_some_and(|least| least <= 1.0), "{sampler}: {least:?}");
        let importances = format!("{sampler}-2/figures/importances.png");
        assert!(sandbox.path(&importances).exists(), "{importances}");
    }
}

#[cfg(unix)]
#[test]
fn a_program_is_stopped_where_it_is_unpromising() {
    let sandbox = Sandbox::new();
    // The later the trial, the worse; a pruned program does not get to its end.
    let program =
        "echo \"1 $LATENTS_TRIAL\"; sleep 0.3; echo done > \"$LATENTS_FOLDER/end\"; echo $1";
    sandbox.write("program.sh", program);
    sandbox.ok("tune command --trials 8 --out out -- sh program.sh {x:float:0..1}");
    let rows = trials(&sandbox, "out");
    assert_eq!((count(&rows, "complete"), count(&rows, "pruned")), (5, 3));
    for row in rows {
        let end = sandbox.path(&format!("out/trials/{:05}/end", row["trial"].as_u64().unwrap()));
        assert_eq!(end.exists(), row["state"] == "complete", "{row}");
    }
}

#[test]
fn what_makes_no_sense_is_said() {
    let sandbox = Sandbox::new();
    let error = |arguments: &str| {
        let said = sandbox.run(arguments);
        assert_eq!(
            (said.code, said.stdout.as_str()),
            (Some(1), ""),
            "{arguments}: {}",
            said.stderr
        );
        said.stderr
    };
    sandbox.write("typo.toml", "latent_dims = { int = [8, 16] }");
    sandbox.write("cross.toml", "latent_dim = { int = [16, 8] }");
    sandbox.write("other.toml", "optimizer = { choices = [\"adam\", \"lbfgs\"] }");
    sandbox.write("far.toml", "dropout = { float = [0.0, 1.5] }");
    sandbox.write("text.db", "this is no database, but a text that is longer than a header of one");
    let small =
        "tune ae --data fashion-mnist-sample --train-limit 64 --epochs 1 --trials 1 --out new";
    for (arguments, expected) in [
        (format!("{small} --space none.toml"), "cannot read none.toml"),
        (format!("{small} --space typo.toml"), "did you mean `latent_dim`?"),
        (format!("{small} --space cross.toml"), "the lower bound is above the upper one"),
        (format!("{small} --space other.toml"), "unknown variant `lbfgs`"),
        (format!("{small} --space far.toml"), "`dropout` = 1.5"),
        (format!("{small} --study sqlite:///text.db"), "text.db"),
        (format!("{small} --study sqlite:///far.toml/folder.db"), "far.toml/folder.db"),
        (format!("{small} --study mysql://host/db"), "mysql"),
        (format!("{small} --sampler grid"), "grid"),
        ("tune show sqlite:///none.db --out x".into(), "there is no file none.db"),
        ("train ae --from-study sqlite:///none.db --out x".into(), "there is no file none.db"),
        ("tune command -- echo 1".into(), "there is no parameter in it"),
        ("tune command -- echo {x:float:1..0}".into(), "the lower bound is above the upper one"),
        ("tune command -- no-such-program {x:float:0..1}".into(), "cannot run no-such-program"),
    ] {
        let said = error(&arguments);
        assert!(said.contains(expected), "{arguments}: {said}");
    }
    assert!(!sandbox.path("new/trials").exists(), "no trial is begun");

    sandbox.ok(small);
    sandbox.ok(&format!("{small} --study sqlite:///deep/er/study.db"));
    assert!(sandbox.path("deep/er/study.db").exists(), "the folders are made");
    let said = error(&format!("{small} --pruner none"));
    assert!(
        said.contains("was begun with other settings")
            && said.contains("pruner was \"median\", is \"none\""),
        "{said}"
    );
    let said = error(&format!("{small} --seed 2"));
    assert!(said.contains("seed"), "{said}");
    let command = "tune command --study sqlite:///new/study.db --name ae --direction maximize -- echo {x:float:0..1}";
    assert!(error(command).contains("study `ae`: it minimises, but is asked to maximise"));
    sandbox.ok("tune command --study sqlite:///new/study.db --trials 1 -- echo {x:float:0..1}");
    let said = error("train ae --from-study sqlite:///new/study.db --out best");
    assert!(said.contains("sqlite:///new/study.db#NAME; there are: ae, command"), "{said}");
    let said = error("train ae --from-study sqlite:///new/study.db#command --out best");
    assert!(said.contains("study `command` does not tune models of kind `ae`"), "{said}");
}
