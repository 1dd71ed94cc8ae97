//! Tests of the page: texts that contain markup, the policy, anchors, equal numbers in both formats, and files.

use super::*;
use crate::table::{Cell, Table};
use crate::{Curve, curves};

const HOSTILE: &str = "</script><script>alert(1)</script> & \"x\" 'y' <!-- `z` | [a](b)";

fn numbers() -> Table {
    let columns = vec!["model".into(), "loss".into(), "n".into()];
    let row = |name: &str, loss: f64, n: usize| vec![name.into(), Cell::from(loss), n.into()];
    Table { columns, rows: vec![row("ae", 0.020_704_9, 12_000), row("vae", 1.5e-7, 3)] }
}

fn figure() -> Picture {
    let points = vec![(1.0, 0.5), (2.0, 0.25)];
    let curve = Curve { name: HOSTILE.into(), points, dashed: false, group: 0 };
    (&curves(HOSTILE, "epoch", "loss", &[curve])).into()
}

/// A page with every kind of block except an explorer, each with this text.
fn page(text: &str) -> Page {
    let id = || text.to_owned();
    let blocks = vec![
        Block::Heading(text.into()),
        Block::Paragraph(text.into()),
        Block::Figure { id: id(), picture: figure(), caption: text.into(), alt: text.into() },
        Block::Figure {
            id: id(),
            picture: Picture::Png(vec![1, 2]),
            caption: text.into(),
            alt: String::new(),
        },
        Block::Table { id: id(), table: numbers(), caption: text.into() },
        Block::Settings { caption: text.into(), entries: vec![(text.into(), text.into())] },
        Block::Code { caption: text.into(), text: text.into() },
    ];
    Page {
        title: text.into(),
        lead: text.into(),
        notices: vec![text.into()],
        summary: vec![Finding::new(Tone::Worse, text).of(text)],
        sections: vec![PageSection { id: id(), title: text.into(), blocks }],
    }
}

/// The parts of `text` between `from` and the next `to`.
fn between<'a>(text: &'a str, from: &str, to: &str) -> Vec<&'a str> {
    text.split(from).skip(1).map(|rest| rest.split(to).next().unwrap()).collect()
}

#[test]
fn no_text_becomes_markup() {
    let html = page(HOSTILE).html();
    // Only the script of the page itself.
    assert_eq!(html.matches("<script").count(), 1);
    assert_eq!(html.matches("</script").count(), 1);
    assert!(!html.contains("alert(1)</script>") && !html.contains("<!--"));
    assert!(html.matches("&lt;/script&gt;").count() >= 12);
}

#[test]
fn the_policy_allows_this_script_and_no_connection() {
    use base64::Engine as _;
    use sha2::Digest as _;

    let html = page("text").html();
    let policy = between(&html, "http-equiv=\"Content-Security-Policy\" content=\"", "\"")[0];
    let script = between(&html, "<script>", "</script>")[0];
    let digest = sha2::Sha256::digest(script);
    let digest = base64::engine::general_purpose::STANDARD.encode(digest);
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(policy.contains(&format!("script-src 'sha256-{digest}';")), "{policy}");
    assert!(!policy.contains("connect-src") && !policy.contains("http"), "{policy}");
    let outside = |html: &str| {
        let addresses = html.replace("http://www.w3.org/2000/svg", "");
        addresses.contains("http:") || addresses.contains("https:")
    };
    assert!(!outside(&html), "the page refers to something outside");
}

#[test]
fn addresses_are_distinct_and_links_lead_somewhere() {
    let html = page("S 1").html();
    let ids = between(&html, " id=\"", "\"");
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(ids.len(), distinct.len(), "{ids:?}");
    for link in between(&html, "href=\"#", "\"") {
        assert!(ids.contains(&link), "#{link} leads nowhere");
    }
    // No heading skips a level.
    let levels: Vec<u32> =
        between(&html, "<h", ">").iter().filter_map(|h| h[..1].parse().ok()).collect();
    assert_eq!(levels, [1, 2, 2, 3]);
}

#[test]
fn html_and_markdown_show_the_same_numbers() {
    let page = page("text");
    let (html, markdown) = (page.html(), page.markdown());
    let cells = between(&html, "<td class=\"number\">", "</td>");
    assert_eq!(cells, ["0.02070", "12000", "1.500e-7", "3"]);
    for cell in cells {
        assert!(markdown.contains(&format!(" {cell} |")), "{cell} in {markdown}");
    }
}

#[test]
fn markdown_shows_texts_as_they_are() {
    let markdown = page("1. # text `x`").markdown();
    assert!(markdown.starts_with("# 1\\. # text \\`x\\`\n"), "{markdown}");
    assert!(markdown.contains("- **worse:** 1\\. # text"), "{markdown}");
    assert!(markdown.contains("](figures/1-text-x-2.svg)"), "{markdown}");
    let fenced = page("```\nrm").markdown();
    assert!(fenced.contains("\n````\n```\nrm\n````\n"), "{fenced}");
    // Only code, within its fence, is not escaped.
    assert_eq!(page(HOSTILE).markdown().matches("\n<").count(), 1);
}

#[test]
fn saving_leaves_what_the_markdown_names() {
    let folder = tempfile::tempdir().unwrap();
    let page = page("../F 1");
    let written = page.save(folder.path()).unwrap();
    let wanted = [
        "figures/F-1-2.svg",
        "figures/F-1-3.png",
        "tables/F-1-4.csv",
        "tables/F-1-4.json",
        "report.md",
        "report.html",
    ];
    assert_eq!(written, wanted.map(|name| folder.path().join(name)));
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("report.html"), page.html());
    let markdown = read("report.md");
    assert_eq!(markdown, page.markdown());
    let named = between(&markdown, "](", ")");
    assert_eq!(named.len(), 2);
    for name in named {
        assert!(folder.path().join(name).is_file(), "{name}");
    }
    assert_eq!(read("tables/F-1-4.csv"), numbers().csv());
    assert_eq!(read("tables/F-1-4.json"), numbers().json());
    let outside = folder.path().parent().unwrap().join("F 1.svg");
    assert!(!outside.exists());
}

#[test]
fn an_empty_page_is_a_page() {
    let html = Page::default().html();
    assert!(html.contains("<h1>Report</h1>") && html.ends_with("</html>"));
    assert_eq!(Page::default().markdown(), "# \n");
}
