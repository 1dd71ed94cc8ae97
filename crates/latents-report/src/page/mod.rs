//! The report: a page as data, written as one self-contained HTML file for people and as Markdown with its figures and tables
//! beside it. Both are made from the same blocks, so their numbers are the same. What a page says is decided elsewhere.

pub(crate) mod dark;
mod html;
mod markdown;
mod names;

use std::path::Path;

use crate::error::Error;
use crate::explorer::Explorer;
use crate::figure::Figure;
use crate::table::Table;
use names::Names;

/// A report. Every text is plain text: it is shown as it is, whatever it holds.
///
/// ```
/// use latents_report::{Block, Finding, Page, Section, Tone};
///
/// let page = Page {
///     title: "Fashion-MNIST".into(),
///     summary: vec![Finding::new(Tone::Better, "The test error is 0.0098; the reference's is 0.0100.")],
///     sections: vec![Section {
///         id: "S1".into(),
///         title: "Autoencoder".into(),
///         blocks: vec![Block::Paragraph("Losses by epoch, for 1 < d < 65.".into())],
///     }],
///     ..Page::default()
/// };
/// assert!(page.html().contains("1 &lt; d &lt; 65"));
/// assert!(page.markdown().contains("## Autoencoder"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// What the report is of.
    pub title: String,
    /// A line or two below the title; may be empty.
    pub lead: String,
    /// What a reader must know before the numbers, such as that they come from a small sample.
    pub notices: Vec<String>,
    /// What was found, most important first.
    pub summary: Vec<Finding>,
    /// The report itself.
    pub sections: Vec<Section>,
}

/// One computed sentence of the summary.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// How it compares.
    pub tone: Tone,
    /// The sentence.
    pub text: String,
    /// The section that shows it.
    pub section: Option<String>,
}

/// How a finding compares with the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Better than the reference.
    Better,
    /// As the reference has it, within noise.
    Same,
    /// Worse than the reference.
    Worse,
    /// It contradicts what the reference says.
    Contrary,
    /// There is nothing to compare with.
    Neutral,
}

/// A part of the report with a heading of its own.
#[derive(Debug, Clone)]
pub struct Section {
    /// Short and distinct, such as `S1`: the section's address within the page.
    pub id: String,
    /// The heading.
    pub title: String,
    /// What it holds, in reading order.
    pub blocks: Vec<Block>,
}

/// A piece of a section. An `id` is short and distinct, such as `F1` or `T4`; it is shown, it is the piece's address within the
/// page, and its files are named after it. An empty one is not shown.
#[derive(Debug, Clone)]
pub enum Block {
    /// A heading within the section.
    Heading(String),
    /// Some sentences.
    Paragraph(String),
    /// A picture with one sentence of what it shows.
    Figure {
        /// Such as `F1`.
        id: String,
        /// What is shown.
        picture: Picture,
        /// One computed sentence.
        caption: String,
        /// What somebody who cannot see it must know; empty where the caption says it all.
        alt: String,
    },
    /// A table with one sentence of what it shows.
    Table {
        /// Such as `T4`.
        id: String,
        /// What is shown.
        table: Table,
        /// One computed sentence.
        caption: String,
    },
    /// Names and values: settings, seeds, the machine, versions.
    Settings {
        /// What they are of; may be empty.
        caption: String,
        /// Name and value of each.
        entries: Vec<(String, String)>,
    },
    /// Text to be copied, such as the command that made the report.
    Code {
        /// What it does; may be empty.
        caption: String,
        /// The text.
        text: String,
    },
    /// A map of latents to be explored; in Markdown, a hint to the page.
    Explorer(Explorer),
}

/// A picture of a page.
#[derive(Debug, Clone, PartialEq)]
pub enum Picture {
    /// A drawing that this crate made. Its colours adapt to a dark page.
    Svg(String),
    /// The bytes of a PNG, shown as they are.
    Png(Vec<u8>),
}

impl Finding {
    /// A finding that names no section.
    #[must_use]
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { tone, text: text.into(), section: None }
    }

    /// The finding with the section that shows it, by its id.
    #[must_use]
    pub fn of(mut self, section: impl Into<String>) -> Self {
        self.section = Some(section.into());
        self
    }
}

impl Tone {
    /// What stands beside the finding.
    fn word(self) -> Option<&'static str> {
        match self {
            Self::Better => Some("better"),
            Self::Same => Some("as the reference"),
            Self::Worse => Some("worse"),
            Self::Contrary => Some("contradicts the reference"),
            Self::Neutral => None,
        }
    }
}

impl From<&Figure> for Picture {
    fn from(figure: &Figure) -> Self {
        Self::Svg(figure.svg().to_owned())
    }
}

impl Page {
    /// The report as one HTML file that refers to nothing outside itself; its Content-Security-Policy forbids every connection
    /// and every script but its own.
    #[must_use]
    pub fn html(&self) -> String {
        html::render(self, &Names::of(self))
    }

    /// The report as Markdown. Pictures are in `figures/` beside it; [`Page::save`] writes them.
    #[must_use]
    pub fn markdown(&self) -> String {
        markdown::render(self, &Names::of(self))
    }

    /// Writes `report.html` and `report.md` into `dir`, the figures into `dir/figures`, and the tables as CSV and JSON into
    /// `dir/tables`. Each file appears whole or not at all; the page comes last.
    ///
    /// # Errors
    /// [`Error::File`] where the system refuses.
    pub fn save(&self, dir: &Path) -> Result<(), Error> {
        let names = Names::of(self);
        for (block, name) in self.blocks().zip(&names.blocks) {
            match block {
                Block::Figure { picture, .. } => {
                    let (bytes, kind) = picture.file();
                    latents_files::write(&dir.join(format!("figures/{name}.{kind}")), bytes)?;
                }
                Block::Table { table, .. } => {
                    let path = |kind: &str| dir.join(format!("tables/{name}.{kind}"));
                    latents_files::write(&path("csv"), table.csv().as_bytes())?;
                    latents_files::write(&path("json"), table.json().as_bytes())?;
                }
                _ => {}
            }
        }
        latents_files::write(&dir.join("report.md"), self.markdown().as_bytes())?;
        latents_files::write(&dir.join("report.html"), self.html().as_bytes())?;
        Ok(())
    }

    /// All blocks, in reading order.
    fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.sections.iter().flat_map(|section| &section.blocks)
    }
}

impl Picture {
    /// Its bytes and the ending of its file's name.
    fn file(&self) -> (&[u8], &'static str) {
        match self {
            Self::Svg(svg) => (svg.as_bytes(), "svg"),
            Self::Png(png) => (png, "png"),
        }
    }
}

#[cfg(test)]
mod tests;
