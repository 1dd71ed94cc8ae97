//! `cargo xtask book`: writes the book's command pages, which show the output of `latents help`, and checks every link in the documents and the
//! table of unsafe code. It does not touch the other pages, which are written by hand.

mod unsafe_code;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{Workspace, files};

/// Writes the pages of the book that show the command's help.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Write nothing, and fail if a page is out of date
    #[arg(long)]
    check: bool,
}

/// The folder of the book's pages.
const BOOK: &str = "docs/book/src";
/// Documents outside `docs`. The README of each crate is added to them.
const DOCUMENTS: [&str; 8] = [
    "README.md",
    "ARCHITECTURE.md",
    "BENCHMARKS.md",
    "CHANGELOG.md",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "fuzz/README.md",
];

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    workspace.build(&["--bin=latents"])?;
    let book = workspace.root.join(BOOK);
    let folder = book.join("commands");
    let pages = pages(&workspace.release("latents"))?;
    let summary = fs::read_to_string(book.join("SUMMARY.md")).context("cannot read the summary")?;
    let summary = with_commands(&summary.replace('\r', ""), pages.keys());
    let there: BTreeSet<PathBuf> =
        if folder.exists() { entries(&folder)?.into_iter().collect() } else { BTreeSet::new() };
    let count = pages.len();
    let mut wanted: BTreeMap<PathBuf, String> =
        pages.into_iter().map(|(name, text)| (folder.join(name), text)).collect();
    wanted.insert(book.join("SUMMARY.md"), summary);
    for stale in there.iter().filter(|path| !wanted.contains_key(*path)) {
        ensure!(
            !options.check,
            "{}: this command no longer exists; run `cargo xtask book`",
            stale.display()
        );
        fs::remove_file(stale)?;
    }
    fs::create_dir_all(&folder)?;
    for (path, text) in &wanted {
        // Git may have changed the line endings.
        let is_current = fs::read_to_string(path).is_ok_and(|old| old.replace('\r', "") == *text);
        ensure!(
            is_current || !options.check,
            "{} differs from `latents help`: run `cargo xtask book`",
            path.display()
        );
        if !is_current {
            fs::write(path, text)?;
            println!("wrote {}", path.display());
        }
    }
    let wrong = broken_links(&workspace.root)?;
    ensure!(wrong.is_empty(), "broken links:\n{}", wrong.join("\n"));
    let wrong = unsafe_code::wrong(&workspace.root)?;
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!(
        "{count} command pages and the table of unsafe code are up to date, and every link works"
    );
    Ok(())
}

/// The command pages by file name: one for each command, with a section for each of its subcommands.
fn pages(latents: &Path) -> Result<BTreeMap<String, String>> {
    let main = help(latents, &[])?;
    let mut pages = BTreeMap::new();
    let mut index = format!(
        "# The commands\n\nThese pages are what `latents help COMMAND` prints.\n\n{}\n",
        fenced(&main)
    );
    for (name, about) in commands(&main) {
        let text = help(latents, &[&name])?;
        let mut page = format!("# latents {name}\n\n{}", fenced(&text));
        for (part, _) in commands(&text) {
            let text = help(latents, &[&name, &part])?;
            write!(page, "\n## latents {name} {part}\n\n{}", fenced(&text))?;
        }
        writeln!(index, "- [`latents {name}`]({name}.md): {about}")?;
        pages.insert(format!("{name}.md"), page);
    }
    pages.insert("README.md".into(), index);
    Ok(pages)
}

/// The book's summary with these command pages in place of those that it listed before.
fn with_commands<'a>(summary: &str, pages: impl Iterator<Item = &'a String>) -> String {
    let names = pages.filter_map(|page| page.strip_suffix(".md")).filter(|name| *name != "README");
    let entry = |name| format!("  - [{name}](commands/{name}.md)\n");
    let entries = names.fold(String::new(), |text, name| text + &entry(name));
    let kept =
        summary.lines().filter(|line| !line.starts_with("  ") || !line.contains("](commands/"));
    kept.fold(String::new(), |text, line| {
        let entries = if line.ends_with("](commands/README.md)") { &*entries } else { "" };
        text + line + "\n" + entries
    })
}

/// The output of `latents help` for a command, on a terminal of 100 columns.
fn help(latents: &Path, command: &[&str]) -> Result<String> {
    let output = Command::new(latents)
        .arg("help")
        .args(command)
        .env("COLUMNS", "100")
        .env("NO_COLOR", "1")
        .output()
        .with_context(|| format!("cannot start {}", latents.display()))?;
    ensure!(output.status.success(), "`latents help {}` failed", command.join(" "));
    let text = String::from_utf8(output.stdout)?.replace('\r', "");
    Ok(text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_owned())
}

fn fenced(text: &str) -> String {
    format!("```text\n{text}\n```\n")
}

/// The commands that a help text lists, each with its description.
fn commands(help: &str) -> Vec<(String, String)> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| !line.is_empty());
    let mut commands: Vec<(String, String)> = vec![];
    for line in listed {
        match line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) {
            Some(entry) => {
                let (name, about) = entry.split_once(' ').unwrap_or((entry, ""));
                commands.push((name.to_owned(), about.trim().to_owned()));
            }
            // The line continues the one before it.
            None => {
                if let Some((_, about)) = commands.last_mut() {
                    *about += " ";
                    *about += line.trim();
                }
            }
        }
    }
    commands.retain(|(name, _)| name != "help");
    commands
}

/// Links in the repository's documents to files or headings that do not exist, and pages that the book's summary does not list.
fn broken_links(root: &Path) -> Result<Vec<String>> {
    let mut documents: Vec<PathBuf> = DOCUMENTS.iter().map(|name| root.join(name)).collect();
    documents
        .extend(entries(&root.join("crates"))?.into_iter().map(|krate| krate.join("README.md")));
    let pages = files(&root.join("docs"))?.into_iter();
    documents.extend(pages.filter(|path| path.extension().is_some_and(|ending| ending == "md")));
    let mut wrong = vec![];
    let mut linked = BTreeSet::new();
    let book = root.join(BOOK);
    for document in &documents {
        let text = fs::read_to_string(document)
            .with_context(|| format!("cannot read {}", document.display()))?;
        let here = document.parent().unwrap_or(root);
        for target in links(&text) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { document.clone() } else { here.join(file) };
            let is_there = path.exists()
                && (heading.is_empty()
                    || headings(&fs::read_to_string(&path)?).contains(&heading.to_owned()));
            if !is_there {
                wrong.push(format!("{}: {target}", document.display()));
            }
            if document.ends_with("SUMMARY.md") {
                linked.extend(path.canonicalize());
            }
        }
    }
    for document in documents.iter().filter(|d| d.starts_with(&book) && !d.ends_with("SUMMARY.md"))
    {
        if !linked.contains(&document.canonicalize()?) {
            wrong.push(format!("SUMMARY.md does not list {}", document.display()));
        }
    }
    Ok(wrong)
}

/// The contents of a folder, in order of name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths = read.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// The lines of a Markdown text that are not code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// The targets of the links and pictures of a Markdown text, except those on other sites.
fn links(text: &str) -> Vec<&str> {
    let targets =
        prose(text).flat_map(|line| line.split("](").skip(1).filter_map(|t| t.split(')').next()));
    targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:")).collect()
}

/// The anchors of the headings of a Markdown text.
fn headings(text: &str) -> Vec<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    let name = |heading: &str| {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_in_the_documents_works() {
        let wrong = broken_links(&Workspace::find().root).unwrap();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn links_and_headings_are_found() {
        let text = "# One, two\n[a](b.md#c) ![d](e.png)\n```sh\n[no](no.md)\n# No\n```\n[f](https://g)\n## `three` four";
        assert_eq!(links(text), ["b.md#c", "e.png"]);
        assert_eq!(headings(text), ["one-two", "three-four"]);
    }

    #[test]
    fn broken_links_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let book = folder.path().join(BOOK);
        fs::create_dir_all(&book).unwrap();
        for folder_of_documents in ["fuzz", "crates/one"] {
            fs::create_dir_all(folder.path().join(folder_of_documents)).unwrap();
        }
        for name in DOCUMENTS {
            fs::write(folder.path().join(name), "# Here\n[up](#here)").unwrap();
        }
        fs::write(folder.path().join("crates/one/README.md"), "[up](../../README.md) [no](no.md)")
            .unwrap();
        fs::write(folder.path().join("README.md"), "[a](docs/none.png) [b](BENCHMARKS.md#there)")
            .unwrap();
        fs::write(book.join("SUMMARY.md"), "[One](one.md)").unwrap();
        fs::write(book.join("one.md"), "[two](two.md)").unwrap();
        fs::write(book.join("two.md"), "").unwrap();
        let wrong = broken_links(folder.path()).unwrap().join("\n");
        for expected in ["docs/none.png", "BENCHMARKS.md#there", "no.md", "does not list"] {
            assert!(wrong.contains(expected), "{expected}: {wrong}");
        }
        assert_eq!(wrong.lines().count(), 4, "{wrong}");
    }

    #[test]
    fn the_summary_lists_the_commands_that_exist() {
        let old =
            "- [The commands](commands/README.md)\n  - [old](commands/old.md)\n- [Next](next.md)\n";
        let pages = ["README.md", "map.md", "new.md"].map(str::to_owned);
        let new = with_commands(old, pages.iter());
        let expected = "- [The commands](commands/README.md)\n  - [map](commands/map.md)\n  - [new](commands/new.md)\n- [Next](next.md)\n";
        assert_eq!(new, expected);
        assert_eq!(with_commands(&new, pages.iter()), new);
    }

    #[test]
    fn commands_are_read_from_a_help_text() {
        let help = "About\n\nCommands:\n  train  Train a model, or\n         resume\n  help   Print\n\nOptions:\n  --json";
        assert_eq!(commands(help), [("train".to_owned(), "Train a model, or resume".to_owned())]);
    }
}
