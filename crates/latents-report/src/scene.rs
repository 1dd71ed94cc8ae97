//! A drawing in memory: shapes and texts in CSS pixels (x to the right, y down), and the writer that turns them into SVG. The
//! figures decide what is drawn where.

use std::fmt::Write as _;

use crate::font::{self, Weight};
use crate::svg::{escape, num};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A line of text on its baseline.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    /// Class of the element, for style sheets and tests: `title`, `label`, `tick`, `key` or `caption`.
    pub(crate) class: &'static str,
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) size: f64,
    pub(crate) weight: Weight,
    pub(crate) anchor: Anchor,
    pub(crate) fill: &'static str,
    /// Whether the text has a white edge, which keeps it readable on top of data.
    pub(crate) halo: bool,
    /// Whether the text is rotated about (x, y) and reads upwards.
    pub(crate) turned: bool,
    /// The text, cleaned but not escaped.
    pub(crate) content: String,
}

/// How letters are written: as text for a viewer, or as outlines for the renderer, which has no fonts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Letters {
    Text,
    Outlines,
}

enum Item {
    Markup(String),
    Text(Text),
}

/// Shapes and texts. Later ones are drawn on top.
pub(crate) struct Scene {
    title: String,
    items: Vec<Item>,
}

impl Scene {
    /// An empty scene. Screen readers read `title` as its name.
    pub(crate) fn new(title: &str) -> Self {
        Self { title: font::clean(title), items: Vec::new() }
    }

    /// Adds an element as it is. The caller escapes texts in it.
    pub(crate) fn markup(&mut self, element: String) {
        self.items.push(Item::Markup(element));
    }

    pub(crate) fn text(&mut self, text: Text) {
        if !text.content.is_empty() {
            self.items.push(Item::Text(text));
        }
    }

    /// Adds a straight line one pixel wide.
    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: &str, class: &str) {
        self.markup(format!(
            r#"<path class="{class}" d="M{} {}L{} {}" stroke="{stroke}"/>"#,
            num(from.0),
            num(from.1),
            num(to.0),
            num(to.1)
        ));
    }

    pub(crate) fn svg(&self, width: f64, height: f64, letters: Letters) -> String {
        let (w, h) = (num(width), num(height));
        let mut out = format!(
            concat!(
                r#"<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" "#,
                r#"role="img" font-family="{family}">"#,
                "\n<title>{title}</title>\n",
                r##"<rect width="{w}" height="{h}" fill="#ffffff"/>"##,
                "\n"
            ),
            w = w,
            h = h,
            family = font::FAMILY,
            title = escape(&self.title)
        );
        for item in &self.items {
            match item {
                Item::Markup(element) => out.push_str(element),
                Item::Text(text) if letters == Letters::Text => out.push_str(&written(text)),
                Item::Text(text) => out.push_str(&outlined(text)),
            }
            out.push('\n');
        }
        out.push_str("</svg>\n");
        out
    }
}

/// Stroke width of the white edge around letters; half of it lies outside.
const HALO: f64 = 3.0;

fn halo(width: f64) -> String {
    let width = num(width);
    format!(
        r##" stroke="#ffffff" stroke-width="{width}" stroke-linejoin="round" paint-order="stroke""##
    )
}

fn written(t: &Text) -> String {
    let mut out = format!(
        r#"<text class="{}" x="{}" y="{}" font-size="{}" fill="{}""#,
        t.class,
        num(t.x),
        num(t.y),
        num(t.size),
        t.fill
    );
    if t.weight == Weight::SemiBold {
        out.push_str(r#" font-weight="600""#);
    }
    match t.anchor {
        Anchor::Start => {}
        Anchor::Middle => out.push_str(r#" text-anchor="middle""#),
        Anchor::End => out.push_str(r#" text-anchor="end""#),
    }
    if t.halo {
        out.push_str(&halo(HALO));
    }
    if t.turned {
        // Writing to a string cannot fail.
        let _ = write!(out, r#" transform="rotate(-90 {} {})""#, num(t.x), num(t.y));
    }
    let _ = write!(out, ">{}</text>", escape(&t.content));
    out
}

fn outlined(t: &Text) -> String {
    let width = font::width(&t.content, t.size, t.weight);
    let start = match t.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => -width / 2.0,
        Anchor::End => -width,
    };
    let (x, y, turn) =
        if t.turned { (t.x, t.y - start, " rotate(-90)") } else { (t.x + start, t.y, "") };
    let (data, scale) = font::outline(&t.content, t.size, t.weight);
    let halo = if t.halo { halo(HALO / scale) } else { String::new() };
    format!(
        r#"<path d="{data}" fill="{}"{halo} transform="translate({} {}){turn} scale({scale:.7} -{scale:.7})"/>"#,
        t.fill,
        num(x),
        num(y)
    )
}
