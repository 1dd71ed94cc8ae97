//! The page as data. `html.rs` and `markdown.rs` write it.

use crate::explorer::Explorer;
use crate::figure::Figure;
use crate::table::Table;

/// A report. All texts are plain text: markup in them is shown, not interpreted.
///
/// ```
/// use latents_report::{Block, Finding, Page, PageSection, Tone};
///
/// let page = Page {
///     title: "Fashion-MNIST".into(),
///     summary: vec![Finding::new(Tone::Better, "The test error is 0.0098; the reference's is 0.0100.")],
///     sections: vec![PageSection {
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
    /// The title.
    pub title: String,
    /// One or two sentences below the title; may be empty.
    pub lead: String,
    /// Warnings that a reader needs before the numbers, such as that they come from a small sample.
    pub notices: Vec<String>,
    /// The findings, most important first.
    pub summary: Vec<Finding>,
    /// The sections of the report, in reading order.
    pub sections: Vec<PageSection>,
}

/// A finding of the summary.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Comparison with the reference.
    pub tone: Tone,
    /// One sentence.
    pub text: String,
    /// Id of the section that shows it.
    pub section: Option<String>,
}

/// Comparison of a finding with the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Better than the reference.
    Better,
    /// The same as the reference, within noise.
    Same,
    /// Worse than the reference.
    Worse,
    /// It contradicts the reference.
    Contrary,
    /// There is no reference.
    Neutral,
}

/// A section of a [`Page`].
#[derive(Debug, Clone)]
pub struct PageSection {
    /// Short and unique, such as `S1`. It is the anchor of the section in the page.
    pub id: String,
    /// The heading.
    pub title: String,
    /// The blocks, in reading order.
    pub blocks: Vec<Block>,
}

/// A block of a [`PageSection`]. An `id` is short and unique, such as `F1` or `T4`. It is shown, it is the anchor of the block in the
/// page, and the files of the block are named after it. An empty `id` is not shown.
#[derive(Debug, Clone)]
pub enum Block {
    /// A heading within the section.
    Heading(String),
    /// A paragraph.
    Paragraph(String),
    /// A picture with a caption.
    Figure {
        /// Such as `F1`.
        id: String,
        /// The picture.
        picture: Picture,
        /// One sentence.
        caption: String,
        /// Alternative text for people who cannot see the picture; if empty, the caption is used.
        alt: String,
    },
    /// A table with a caption.
    Table {
        /// Such as `T4`.
        id: String,
        /// The table.
        table: Table,
        /// One sentence.
        caption: String,
    },
    /// Names and values: settings, seeds, the machine, versions.
    Settings {
        /// The caption; may be empty.
        caption: String,
        /// Pairs of name and value.
        entries: Vec<(String, String)>,
    },
    /// Text to copy, such as the command that made the report.
    Code {
        /// The caption; may be empty.
        caption: String,
        /// The text.
        text: String,
    },
    /// An interactive map of latents. In Markdown, a link to the HTML page.
    Explorer(Explorer),
}

/// A picture in a [`Page`].
#[derive(Debug, Clone, PartialEq)]
pub enum Picture {
    /// An SVG document made by this crate. It is not escaped, and its colours adapt to a dark page.
    Svg(String),
    /// The bytes of a PNG.
    Png(Vec<u8>),
}

impl Finding {
    /// A finding without a section.
    #[must_use]
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { tone, text: text.into(), section: None }
    }

    /// Sets the id of the section that shows the finding.
    #[must_use]
    pub fn of(mut self, section: impl Into<String>) -> Self {
        self.section = Some(section.into());
        self
    }
}

impl Tone {
    /// The word beside the finding.
    pub(super) fn word(self) -> Option<&'static str> {
        match self {
            Self::Better => Some("better"),
            Self::Same => Some("same as the reference"),
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
    /// All blocks, in reading order.
    pub(super) fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.sections.iter().flat_map(|section| &section.blocks)
    }
}

impl Picture {
    /// The bytes and the extension of its file.
    pub(super) fn file(&self) -> (&[u8], &'static str) {
        match self {
            Self::Svg(svg) => (svg.as_bytes(), "svg"),
            Self::Png(png) => (png, "png"),
        }
    }
}
