//! Drawings on a dark page: each colour of a drawing gets a counterpart with its lightness turned over and its hue kept, as
//! one rule of a style sheet. The drawings themselves stay as they are.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::oklab::Oklch;
use crate::palette;

/// Lightness of what is white on a light page: the page's own ground.
const GROUND: f64 = 0.215;
/// Lightness of what is black there.
const INK: f64 = 0.96;

/// The counterpart of `#rrggbb` on a dark page.
pub(crate) fn counterpart(hex: &str) -> Option<String> {
    if palette::is_class(hex) {
        // Made for both grounds, and a class has one colour wherever it is shown.
        return Some(hex.to_owned());
    }
    let mut colour = Oklch::parse(hex)?;
    colour.lightness = INK + (GROUND - INK) * colour.lightness;
    if colour.chroma > 0.04 {
        // Coloured marks are data: none may sink into the ground, or glare.
        colour.lightness = colour.lightness.clamp(0.58, 0.86);
    }
    Some(colour.hex())
}

/// A rule for each colour that fills or strokes something in the drawings.
pub(super) fn rules<'a>(drawings: impl Iterator<Item = &'a str>) -> String {
    let mut found = BTreeSet::new();
    for svg in drawings {
        for property in ["fill", "stroke"] {
            let marker = format!(" {property}=\"#");
            for (at, _) in svg.match_indices(&marker) {
                let start = at + marker.len() - 1;
                if let Some(hex) = svg.get(start..start + 7) {
                    found.insert((property, hex));
                }
            }
        }
    }
    let mut out = String::new();
    for (property, hex) in found {
        if let Some(dark) = counterpart(hex) {
            // Writing to a string cannot fail.
            let _ = writeln!(
                out,
                r#".drawing [{property}="{hex}"]{{{property}:light-dark({hex},{dark})}}"#
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

    #[test]
    fn each_colour_of_a_drawing_has_one_rule() {
        let svg = r##"<rect fill="#ffffff"/><path stroke="#0072b2" fill="none"/><path fill="#ffffff"/><a fill="#12"/>"##;
        let rules = rules([svg, svg].into_iter());
        assert_eq!(rules.lines().count(), 2, "{rules}");
        assert!(rules.contains(r##".drawing [stroke="#0072b2"]{stroke:light-dark(#0072b2,#"##));
        // Nothing that a drawing holds can end the style sheet.
        let hostile = r##"<a fill="#</styl"/><a fill="#}*{a:b"/>"##;
        assert_eq!(super::rules([hostile].into_iter()), "");
    }
}
