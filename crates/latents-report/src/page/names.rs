//! Anchors within the page, which are also file names: short, unique, and made of letters, digits and hyphens only, whatever the ids
//! of a page are.

use std::collections::BTreeSet;

use super::content::{Block, Page};

/// The anchor of each section and of each block of a page, in reading order. Blocks without an id are numbered.
pub(super) struct Names {
    pub(super) sections: Vec<String>,
    pub(super) blocks: Vec<String>,
}

impl Names {
    pub(super) fn of(page: &Page) -> Self {
        // Anchors of the page itself.
        let mut taken: BTreeSet<String> = ["main", "summary", "contents"].map(str::to_owned).into();
        let sections =
            page.sections.iter().map(|section| distinct(&section.id, "section", &mut taken));
        let sections = sections.collect();
        let name = |block: &Block| match block {
            Block::Figure { id, .. } => distinct(id, "figure", &mut taken),
            Block::Table { id, .. } => distinct(id, "table", &mut taken),
            Block::Explorer(_) => distinct("", "explorer", &mut taken),
            _ => String::new(),
        };
        let blocks = page.blocks().map(name).collect();
        Self { sections, blocks }
    }

    /// The anchor of the section with this id.
    pub(super) fn section(&self, page: &Page, id: &str) -> Option<&str> {
        let place = page.sections.iter().position(|section| section.id == id)?;
        Some(&self.sections[place])
    }
}

/// Makes a name like `id` that is not taken, and marks it as taken. Names differ even on file systems that ignore case.
fn distinct(id: &str, otherwise: &str, taken: &mut BTreeSet<String>) -> String {
    let mut name = String::new();
    for c in id.chars().take(60) {
        if c.is_ascii_alphanumeric() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    let name = name.trim_end_matches('-');
    let name = if name.is_empty() { otherwise } else { name };
    let mut unique = name.to_owned();
    let mut n = 2;
    while !taken.insert(unique.to_ascii_lowercase()) {
        unique = format!("{name}-{n}");
        n += 1;
    }
    unique
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_distinct() {
        let mut taken = BTreeSet::new();
        let mut name = |id: &str| distinct(id, "figure", &mut taken);
        assert_eq!(name("F5a"), "F5a");
        assert_eq!(name("F5A"), "F5A-2");
        assert_eq!(name("../../etc/passwd"), "etc-passwd");
        assert_eq!(name("<script>"), "script");
        assert_eq!(name(""), "figure");
        assert_eq!(name("数"), "figure-2");
    }
}
