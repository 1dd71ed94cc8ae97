//! A drawing before it is a file: shapes and texts in CSS pixels (x to the right, y down) and the one writer that turns
//! them into SVG. What a figure shows and where is decided elsewhere.

use std::fmt::Write as _;

use crate::font::{self, Weight};

/// A number as SVG: two decimals at most, no trailing zeros, never `-0`.
pub(crate) fn num(v: f64) -> String {
    let text = format!("{v:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// `text` for the inside of an element or a double-quoted attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A line of text on its baseline.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    /// What it is, for style sheets and tests: `title`, `label`, `tick`, `key` or `caption`.
    pub(crate) class: &'static str,
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) size: f64,
    pub(crate) weight: Weight,
    pub(crate) anchor: Anchor,
    pub(crate) fill: &'static str,
    /// Edged in white, to be read where it lies on data.
    pub(crate) halo: bool,
    /// Turned about (x, y) to be read upwards.
    pub(crate) turned: bool,
    /// Already cleaned, not yet escaped.
    pub(crate) content: String,
}

/// How the letters are written: as text for a reader, or as outlines for a renderer that knows no fonts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Letters {
    Text,
    Outlines,
}

enum Item {
    Markup(String),
    Text(Text),
}

/// Shapes and texts, drawn in the order in which they are added.
pub(crate) struct Scene {
    title: String,
    items: Vec<Item>,
}

impl Scene {
    /// An empty scene; `title` is its name for screen readers.
    pub(crate) fn new(title: &str) -> Self {
        Self { title: font::clean(title), items: Vec::new() }
    }

    /// Adds an element as it is; texts within its attributes must be escaped.
    pub(crate) fn markup(&mut self, element: String) {
        self.items.push(Item::Markup(element));
    }

    pub(crate) fn text(&mut self, text: Text) {
        if !text.content.is_empty() {
            self.items.push(Item::Text(text));
        }
    }

    /// A straight hairline.
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

/// Width of the edge around letters, of which half lies outside.
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
