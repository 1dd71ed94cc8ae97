//! The page as one HTML file. The markup is made by maud, which checks templates at compile time and escapes every text. The style
//! sheet and the script are `page.css` and `page.js`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::content::{Block, Finding, Page, Picture, Tone};
use super::names::Names;
use crate::dark;
use crate::explorer;
use crate::table::{Cell, Table};

pub(super) fn render(page: &Page, names: &Names) -> String {
    let explores = page.blocks().any(|block| matches!(block, Block::Explorer(_)));
    let script = script(explores);
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'unsafe-inline'; img-src data:; font-src data:; \
         base-uri 'none'; form-action 'none'",
        STANDARD.encode(Sha256::digest(&script))
    );
    let title = if page.title.is_empty() { "Report" } else { &page.title };
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content=(concat!("latents ", env!("CARGO_PKG_VERSION")));
                title { (title) }
                style { (PreEscaped(style(page, explores))) }
            }
            body {
                a.skip href="#main" { "Skip to the report" }
                header.masthead {
                    div.bar {
                        span.mark aria-hidden="true" {}
                        span { "latents" }
                        button.theme type="button" hidden aria-pressed="false" { "Dark" }
                    }
                    h1 { (title) }
                    @if !page.lead.is_empty() { p.lead { (page.lead) } }
                    @for notice in &page.notices { p.notice role="note" { (notice) } }
                }
                (contents(page, names))
                main id="main" tabindex="-1" {
                    @if !page.summary.is_empty() {
                        section aria-labelledby="summary" {
                            h2 id="summary" { "Summary" }
                            ul.findings {
                                @for finding in &page.summary { (self::finding(finding, page, names)) }
                            }
                        }
                    }
                    (sections(page, names))
                }
                footer {
                    p { "Made by latents " (env!("CARGO_PKG_VERSION")) ". This file is self-contained and makes no network requests." }
                }
                script { (PreEscaped(script)) }
            }
        }
    };
    markup.into_string()
}

fn contents(page: &Page, names: &Names) -> Markup {
    html! {
        nav.contents aria-label="Contents" {
            ol {
                @if !page.summary.is_empty() { li { a href="#summary" { "Summary" } } }
                @for (section, name) in page.sections.iter().zip(&names.sections) {
                    li { a href={ "#" (name) } { (section.title) } }
                }
            }
        }
    }
}

fn finding(finding: &Finding, page: &Page, names: &Names) -> Markup {
    let section = finding.section.as_ref().and_then(|id| names.section(page, id));
    html! {
        li class=(tone_class(finding)) {
            @if let Some(word) = finding.tone.word() { strong.tone { (word) } " " }
            (finding.text)
            @if let (Some(name), Some(id)) = (section, &finding.section) { " " a href={ "#" (name) } { (id) } }
        }
    }
}

fn tone_class(finding: &Finding) -> &'static str {
    match finding.tone {
        Tone::Better => "better",
        Tone::Same => "same",
        Tone::Worse => "worse",
        Tone::Contrary => "contrary",
        Tone::Neutral => "neutral",
    }
}

fn sections(page: &Page, names: &Names) -> Markup {
    let mut block_names = names.blocks.iter();
    html! {
        @for (section, name) in page.sections.iter().zip(&names.sections) {
            section aria-labelledby=(name) {
                h2 id=(name) { (section.title) }
                @for (block, name) in section.blocks.iter().zip(&mut block_names) { (self::block(block, name)) }
            }
        }
    }
}

fn block(block: &Block, name: &str) -> Markup {
    match block {
        Block::Heading(text) => html! { h3 { (text) } },
        Block::Paragraph(text) => html! { p { (text) } },
        Block::Figure { id, picture, caption, alt } => html! {
            figure id=(name) {
                (self::picture(picture, if alt.is_empty() { caption } else { alt }))
                figcaption { (label(id)) (caption) }
            }
        },
        Block::Table { id, table, caption } => html! {
            figure.table id=(name) {
                @if !(id.is_empty() && caption.is_empty()) { figcaption { (label(id)) (caption) } }
                (self::table(table, id, caption))
                p.downloads { (download(name, "csv", &table.csv())) (download(name, "json", &table.json())) }
            }
        },
        Block::Settings { caption, entries } => html! {
            div.settings {
                @if !caption.is_empty() { p.caption { (caption) } }
                dl { @for (name, value) in entries { div { dt { (name) } dd { (value) } } } }
            }
        },
        Block::Code { caption, text } => html! {
            div.code {
                @if !caption.is_empty() { p.caption { (caption) } }
                pre tabindex="0" role="region" aria-label=(if caption.is_empty() { "Code" } else { caption }) {
                    code { (text.trim_end()) }
                }
            }
        },
        Block::Explorer(explorer) => explorer.markup(name),
    }
}

fn label(id: &str) -> Markup {
    html! { @if !id.is_empty() { span.id { (id) } " " } }
}

fn picture(picture: &Picture, alt: &str) -> Markup {
    match picture {
        Picture::Svg(svg) => {
            html! { div.drawing role="img" aria-label=(alt) { (PreEscaped(svg)) } }
        }
        Picture::Png(png) => {
            html! { img alt=(alt) src={ "data:image/png;base64," (STANDARD.encode(png)) }; }
        }
    }
}

fn table(table: &Table, id: &str, caption: &str) -> Markup {
    let names = table.names();
    let numeric: Vec<bool> = (0..names.len()).map(|i| table.is_numeric(i)).collect();
    let class = |i: usize| if numeric[i] { Some("number") } else { None };
    let label_of = if caption.is_empty() { id } else { caption };
    html! {
        div.scroll tabindex="0" role="region" aria-label=(label_of) {
            table {
                thead { tr { @for (i, name) in names.iter().enumerate() { th scope="col" class=[class(i)] { (name) } } } }
                tbody {
                    @for row in table.full_rows() {
                        tr { @for (i, cell) in row.enumerate() { (self::cell(cell, i, class(i))) } }
                    }
                }
            }
        }
    }
}

/// A cell. A text in the first column is the header of its row.
fn cell(cell: &Cell, column: usize, class: Option<&str>) -> Markup {
    match cell {
        Cell::Text(text) if column == 0 => html! { th scope="row" { (text) } },
        other => html! { td class=[class] { (other.to_string()) } },
    }
}

fn download(name: &str, kind: &str, content: &str) -> Markup {
    let media = if kind == "csv" { "text/csv" } else { "application/json" };
    html! {
        a download={ (name) "." (kind) } href={ "data:" (media) ";base64," (STANDARD.encode(content)) } {
            (kind.to_uppercase()) span.unseen { " of table " (name) }
        }
    }
}

fn script(explores: bool) -> String {
    let explorer = if explores { explorer::SCRIPT } else { "" };
    format!("(() => {{\n'use strict';\n{}{explorer}}})();\n", include_str!("page.js"))
}

/// The style sheet: fonts, page, explorer, and the colours of drawings on a dark page.
fn style(page: &Page, explores: bool) -> String {
    let face = |weight: u16, font: &[u8]| {
        format!(
            "@font-face{{font-family:Inter;font-weight:{weight};src:url(data:font/otf;base64,{}) format('opentype')}}\n",
            STANDARD.encode(font)
        )
    };
    let drawings = page.blocks().filter_map(|block| match block {
        Block::Figure { picture: Picture::Svg(svg), .. } => Some(svg.as_str()),
        _ => None,
    });
    let ground = dark::counterpart("#ffffff").unwrap_or_default();
    [
        face(400, crate::font::REGULAR).as_str(),
        face(600, crate::font::SEMI_BOLD).as_str(),
        &format!(":root{{--ground:light-dark(#ffffff,{ground})}}\n"),
        include_str!("page.css"),
        if explores { explorer::STYLE } else { "" },
        &dark::rules(drawings),
    ]
    .concat()
}
