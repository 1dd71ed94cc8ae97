//! The report: a page as data, written as one self-contained HTML file and as Markdown with its figures and tables beside it. Both are
//! made from the same blocks, so their numbers are the same. The caller decides what a page says.

mod content;
mod html;
mod markdown;
mod names;

use std::path::{Path, PathBuf};

pub use content::{Block, Finding, Page, PageSection, Picture, Tone};

use crate::error::Error;
use names::Names;

impl Page {
    /// The report as one HTML file that refers to nothing outside itself. Its Content-Security-Policy forbids all connections and all
    /// scripts except its own.
    #[must_use]
    pub fn html(&self) -> String {
        html::render(self, &Names::of(self))
    }

    /// The report as Markdown (GitHub Flavored). It links to pictures in `figures/` beside it, which [`Page::save`] writes.
    #[must_use]
    pub fn markdown(&self) -> String {
        markdown::render(self, &Names::of(self))
    }

    /// Writes `report.html` and `report.md` into `folder`, the figures into `folder/figures`, and the tables as CSV and JSON into
    /// `folder/tables`. Returns the paths of the files in the order in which they were written; `report.html` is the last.
    /// Folders are created if they do not exist. Each file is written whole or not at all.
    ///
    /// # Errors
    /// [`Error::File`] if a file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<Vec<PathBuf>, Error> {
        let names = Names::of(self);
        let mut written = vec![];
        let mut write = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            latents_files::write(&path, bytes)?;
            written.push(path);
            Ok::<(), Error>(())
        };
        for (block, name) in self.blocks().zip(&names.blocks) {
            match block {
                Block::Figure { picture, .. } => {
                    let (bytes, kind) = picture.file();
                    write(&format!("figures/{name}.{kind}"), bytes)?;
                }
                Block::Table { table, .. } => {
                    write(&format!("tables/{name}.csv"), table.csv().as_bytes())?;
                    write(&format!("tables/{name}.json"), table.json().as_bytes())?;
                }
                _ => {}
            }
        }
        write("report.md", self.markdown().as_bytes())?;
        write("report.html", self.html().as_bytes())?;
        Ok(written)
    }
}

#[cfg(test)]
mod tests;
