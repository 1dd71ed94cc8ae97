//! The book's table of unsafe code, compared with the code.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::files;

/// The page with the table.
const PAGE: &str = "docs/book/src/method/unsafe.md";

/// What the table says of the code and is not true.
pub(super) fn wrong(root: &Path) -> Result<Vec<String>> {
    let page =
        fs::read_to_string(root.join(PAGE)).with_context(|| format!("cannot read {PAGE}"))?;
    let mut counts = BTreeMap::new();
    let code = files(&root.join("crates"))?.into_iter();
    for file in code.filter(|path| path.extension().is_some_and(|ending| ending == "rs")) {
        let uses = uses(&fs::read_to_string(&file)?);
        if uses > 0 {
            let name = file.strip_prefix(root)?.display().to_string().replace('\\', "/");
            counts.insert(name, uses);
        }
    }
    Ok(compare(&listed(&page), &counts))
}

/// The blocks, functions and implementations in a file.
fn uses(code: &str) -> usize {
    let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let kinds = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"];
    code.map(|line| kinds.iter().map(|kind| line.matches(kind).count()).sum::<usize>()).sum()
}

/// The files and numbers of the table.
fn listed(page: &str) -> BTreeMap<String, usize> {
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split('|');
        let file = cells.next()?.trim().trim_end_matches('`').to_owned();
        Some((file, cells.next()?.trim().parse().ok()?))
    };
    page.lines().filter_map(row).collect()
}

fn compare(listed: &BTreeMap<String, usize>, counts: &BTreeMap<String, usize>) -> Vec<String> {
    let files = listed.keys().chain(counts.keys().filter(|file| !listed.contains_key(*file)));
    let number = |numbers: &BTreeMap<String, usize>, file| numbers.get(file).copied().unwrap_or(0);
    files
        .map(|file| (file, number(listed, file), number(counts, file)))
        .filter(|(_, listed, counted)| listed != counted)
        .map(|(file, listed, counted)| {
            format!("{PAGE} lists {listed} uses of unsafe code in {file}; there are {counted}")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_use_is_listed() {
        let code = "// SAFETY: unsafe { }\nlet x = unsafe { y };\nunsafe fn f() {}\n";
        assert_eq!(uses(code), 2);
        let page =
            "| file | uses | what |\n|---|---|---|\n| `a.rs` | 2 | x |\n| `b.rs` | 1 | y |\n";
        let listed = listed(page);
        let counted = |counts: &[(&str, usize)]| {
            let counts = counts.iter().map(|&(file, uses)| (file.to_owned(), uses)).collect();
            compare(&listed, &counts).len()
        };
        assert_eq!(counted(&[("a.rs", 2), ("b.rs", 1)]), 0);
        assert_eq!(counted(&[("a.rs", 2)]), 1);
        assert_eq!(counted(&[("a.rs", 3), ("b.rs", 1), ("c.rs", 1)]), 2);
    }
}
