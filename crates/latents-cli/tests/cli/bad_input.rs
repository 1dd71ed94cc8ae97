//! Input that nothing can be made of. A table for each kind: what is wrong, the command, and all that it says. What it should say stands in
//! `bad_input/*.txt`, to be read as a user would: it tells what is wrong, where, and what to do. After a wanted change, write them
//! anew with `LATENTS_BLESS=1 cargo test --release -p latents bad_input`, and read what has changed.

mod checkpoints;
mod data;
mod runs;
mod settings;
mod studies;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::Sandbox;

/// Commands that must fail, in a folder of their own.
struct Table {
    name: &'static str,
    sandbox: Sandbox,
    /// What was said, case by case.
    cases: Vec<(String, String)>,
    /// What is wrong whatever was said.
    faults: Vec<String>,
}

impl Table {
    fn new(name: &'static str, sandbox: Sandbox) -> Self {
        Table { name, sandbox, cases: vec![], faults: vec![] }
    }

    /// Writes a file that is not as it should be.
    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        self.sandbox.write(name, bytes);
        self
    }

    /// A case: the command must fail, say so in one error, print no result, and leave every file as it was.
    fn refuse(&mut self, wrong: &str, arguments: &str) {
        let before = files(&self.sandbox.path(""));
        let said = self.sandbox.run(arguments);
        let after = files(&self.sandbox.path(""));
        let one = said.stderr.lines().filter(|line| line.starts_with("error: ")).count() == 1;
        if !matches!(said.code, Some(1 | 2)) || !said.stdout.is_empty() || !one {
            let (code, out, err) = (said.code, &said.stdout, &said.stderr);
            self.faults.push(format!("{wrong}: ends with {code:?} and says {out}{err}"));
        }
        let differs = |name: &&PathBuf| before.get(*name) != after.get(*name);
        for name in before.keys().chain(after.keys()).filter(differs) {
            self.faults.push(format!("{wrong}: {} is not as it was", name.display()));
        }
        let here = self.sandbox.path("").canonicalize().unwrap().display().to_string();
        let stderr = without_reasons(&said.stderr).replace(&here, "[here]");
        self.cases.push((wrong.to_owned(), format!("$ latents {arguments}\n{stderr}")));
    }

    /// Holds all that was said against what should be.
    #[track_caller]
    fn finish(mut self) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("tests/cli/bad_input/{}.txt", self.name));
        let case = |(wrong, said): &(String, String)| format!("# {wrong}\n{said}\n");
        let text: String = self.cases.iter().map(case).collect();
        if std::env::var_os("LATENTS_BLESS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        for case in self.cases.iter().map(case).filter(|case| !expected.contains(case)) {
            self.faults.push(format!("it is not what the file has: {case}"));
        }
        let file = path.display();
        assert!(self.faults.is_empty(), "{file}:\n{}", self.faults.join("\n"));
        assert_eq!(text, expected, "{file} has other cases, or in another order");
    }
}

/// Every file in a folder, with its bytes; but for the cache of data, and what SQLite keeps beside a database while it is open.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().is_some_and(|name| name == "cache") {
            continue;
        }
        if path.is_dir() {
            found.insert(path.clone(), vec![]);
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

/// The system's own words, which differ between systems, end in its number for them.
fn without_reasons(text: &str) -> String {
    let mut parts = text.split(" (os error ");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let words = plain.rfind(": ").map_or(0, |at| at + 2);
        plain.truncate(words);
        plain += "[the system's reason]";
        plain += part.split_once(')').map_or("", |(_, rest)| rest);
    }
    plain
}
