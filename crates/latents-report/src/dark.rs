//! The colours of drawings on a dark page. Each colour gets a counterpart with the same hue and inverted lightness, as one rule of a
//! style sheet. The drawings themselves do not change.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::oklab::Oklch;
use crate::palette;

/// Lightness that replaces white: that of the page background.
const BACKGROUND: f64 = 0.215;
/// Lightness that replaces black.
const INK: f64 = 0.96;

/// The counterpart of `#rrggbb` on a dark page.
pub(crate) fn counterpart(hex: &str) -> Option<String> {
    if palette::is_class(hex) {
        // Colours of classes suit both backgrounds, and a class has the same colour everywhere.
        return Some(hex.to_owned());
    }
    let mut colour = inverted(hex)?;
    if colour.chroma > 0.04 {
        // Coloured marks are data: they must be neither too dark nor too bright.
        colour.lightness = colour.lightness.clamp(0.58, 0.86);
    }
    Some(colour.hex())
}

/// The colour of `#rrggbb` with inverted lightness. A cell with text on it becomes this colour, since its text is inverted too.
fn inverted(hex: &str) -> Option<Oklch> {
    let mut colour = Oklch::parse(hex)?;
    colour.lightness = INK + (BACKGROUND - INK) * colour.lightness;
    Some(colour)
}

/// Whether the start tag is that of a cell of a matrix.
fn is_cell(element: &str) -> bool {
    element.contains(r#" class="cell "#)
}

/// A style rule for each fill and stroke colour of the drawings.
pub(crate) fn rules<'a>(drawings: impl Iterator<Item = &'a str>) -> String {
    let mut found = BTreeSet::new();
    for svg in drawings {
        for property in ["fill", "stroke"] {
            let marker = format!(" {property}=\"#");
            for (at, _) in svg.match_indices(&marker) {
                let start = at + marker.len() - 1;
                if let Some(hex) = svg.get(start..start + 7) {
                    let element = &svg[svg[..at].rfind('<').unwrap_or(at)..at];
                    found.insert((property, hex, is_cell(element)));
                }
            }
        }
    }
    let mut out = String::new();
    for (property, hex, is_cell) in found {
        let (which, dark) =
            if is_cell { (".cell", inverted(hex).map(Oklch::hex)) } else { ("", counterpart(hex)) };
        if let Some(dark) = dark {
            // Writing to a string cannot fail.
            let _ = writeln!(
                out,
                r#".drawing {which}[{property}="{hex}"]{{{property}:light-dark({hex},{dark})}}"#
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lightness(hex: &str) -> f64 {
        Oklch::parse(hex).unwrap().lightness
    }

    #[test]
    fn light_becomes_dark_and_data_stays_visible() {
        let ground = lightness(&counterpart("#ffffff").unwrap());
        assert!(ground < 0.25);
        for ink in [palette::INK, palette::TEXT, palette::MUTED] {
            assert!(lightness(&counterpart(ink).unwrap()) > ground + 0.38, "{ink}");
        }
        let grid = lightness(&counterpart(palette::GRID).unwrap());
        assert!(grid > ground + 0.02 && grid < ground + 0.2, "{grid}");
        let sequence = (0..=10).map(|i| palette::sequential(f64::from(i) / 10.0));
        let data = palette::CATEGORICAL.map(str::to_owned).into_iter().chain(sequence);
        for hex in data.chain([palette::BEST.to_owned()]) {
            let dark = counterpart(&hex).unwrap();
            assert!(lightness(&dark) > ground + 0.33, "{hex} becomes {dark}");
        }
    }

    /// The contrast ratio of the Web Content Accessibility Guidelines 2.2, which require 4.5 for text.
    fn contrast(a: &str, b: &str) -> f64 {
        let luminance = |hex: &str| -> f64 {
            let channel = |i: usize| u8::from_str_radix(&hex[i..i + 2], 16).unwrap();
            let linear = |v: u8| match f64::from(v) / 255.0 {
                v if v <= 0.040_45 => v / 12.92,
                v => libm::pow((v + 0.055) / 1.055, 2.4),
            };
            [(1, 0.2126), (3, 0.7152), (5, 0.0722)]
                .map(|(i, w)| w * linear(channel(i)))
                .iter()
                .sum()
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn numbers_can_be_read_in_every_cell_of_a_confusion_matrix_by_day_and_night() {
        let rows = (0..=50).map(|i| vec![100 - i, i]).chain((0..=50).map(|i| vec![i, 100 - i]));
        let counts: Vec<Vec<u64>> = rows.collect();
        let mut cells = 0;
        for pair in counts.chunks(2) {
            let figure = crate::confusion("", &[], pair);
            let svg = figure.svg();
            let document = roxmltree::Document::parse(svg).unwrap();
            let text = crate::testing::of_class(&document, "count")[0].attribute("fill").unwrap();
            let sheet = rules([svg].into_iter());
            for cell in document
                .descendants()
                .filter(|e| e.attribute("class").is_some_and(|c| c.starts_with("cell")))
            {
                let light = cell.attribute("fill").unwrap();
                let dark = inverted(light).unwrap().hex();
                assert!(sheet.contains(&format!(
                    ".drawing .cell[fill=\"{light}\"]{{fill:light-dark({light},{dark})}}"
                )));
                let contrasts =
                    [contrast(text, light), contrast(&counterpart(text).unwrap(), &dark)];
                assert!(contrasts.iter().all(|&c| c > 4.5), "{light} {dark}: {contrasts:?}");
                cells += 1;
            }
        }
        assert!(cells > 150, "{cells}");
    }

    #[test]
    fn each_colour_of_a_drawing_has_one_rule() {
        let svg = r##"<rect fill="#ffffff"/><path stroke="#0072b2" fill="none"/><path fill="#ffffff"/><a fill="#12"/>"##;
        let rules = rules([svg, svg].into_iter());
        assert_eq!(rules.lines().count(), 2, "{rules}");
        assert!(rules.contains(r##".drawing [stroke="#0072b2"]{stroke:light-dark(#0072b2,#"##));
        // Nothing in a drawing can end the style sheet.
        let hostile = r##"<a fill="#</styl"/><a fill="#}*{a:b"/>"##;
        assert_eq!(super::rules([hostile].into_iter()), "");
    }
}
