//! The embedded font: the width of a text, its line breaks and its outlines. Letters are set one after the other, left to right;
//! scripts that need shaping, such as Arabic, are left to the viewer of the SVG.

use std::fmt::Write as _;
use std::sync::LazyLock;

use crate::svg::num;
use ttf_parser::{Face, GlyphId, OutlineBuilder};

/// Font families of the SVG: the font that the layout is measured with, then common fonts of similar width.
pub(crate) const FAMILY: &str =
    "Inter, 'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif";

/// Height of a capital letter as a fraction of the font size. Text looks centred if half of this height is centred.
pub(crate) const CAP_HEIGHT: f64 = 2048.0 / 2816.0;

/// Layout reserves this factor more than the measured width of a text, because a fallback font may be wider.
pub(crate) const SLACK: f64 = 1.08;

/// The regular face, as an OpenType file.
pub(crate) const REGULAR: &[u8] = include_bytes!("../fonts/Inter-Regular-subset.otf");
/// The semi-bold face.
pub(crate) const SEMI_BOLD: &[u8] = include_bytes!("../fonts/Inter-SemiBold-subset.otf");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    Regular,
    SemiBold,
}

impl Weight {
    fn face(self) -> &'static Face<'static> {
        static REGULAR_FACE: LazyLock<Face<'static>> = LazyLock::new(|| parse(REGULAR));
        static SEMI_BOLD_FACE: LazyLock<Face<'static>> = LazyLock::new(|| parse(SEMI_BOLD));
        match self {
            Self::Regular => &REGULAR_FACE,
            Self::SemiBold => &SEMI_BOLD_FACE,
        }
    }
}

fn parse(bytes: &'static [u8]) -> Face<'static> {
    // The bytes are compiled in: if parsing works in the tests, it works everywhere.
    Face::parse(bytes, 0).expect("the embedded font is well formed")
}

/// The glyph of a character (a box if the font has none) and its advance in font units.
fn glyph(face: &Face<'_>, c: char) -> (GlyphId, f64) {
    match face.glyph_index(c) {
        Some(id) => (id, f64::from(face.glyph_hor_advance(id).unwrap_or(0))),
        // A viewer of the SVG takes the letter from another font; in most scripts it is at most as wide as it is high.
        None => (GlyphId(0), f64::from(face.units_per_em())),
    }
}

/// Width of `text` in the unit of `size`.
pub(crate) fn width(text: &str, size: f64, weight: Weight) -> f64 {
    let face = weight.face();
    let units: f64 = text.chars().map(|c| glyph(face, c).1).sum();
    units * size / f64::from(face.units_per_em())
}

/// `text` made safe to draw: characters that XML forbids become U+FFFD, and each run of white space becomes one space.
pub(crate) fn clean(text: &str) -> String {
    let visible: String = text
        .chars()
        .map(|c| match c {
            c if c.is_whitespace() => ' ',
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => '\u{fffd}',
            c => c,
        })
        .collect();
    visible.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// `text`, cut off with an ellipsis if it is wider than `limit`.
pub(crate) fn fit(text: &str, size: f64, weight: Weight, limit: f64) -> String {
    let cut = prefix(text, size, weight, limit);
    if cut == text.len() {
        return text.to_owned();
    }
    let room = (limit - width("…", size, weight)).max(0.0);
    format!("{}…", text[..prefix(text, size, weight, room)].trim_end())
}

/// Positions at which a name may break: after `_`, `.`, `-`, `/` and `:`, unless a digit follows, so that numbers stay whole.
fn joints(text: &str) -> impl Iterator<Item = usize> {
    let after = |at: usize| text[at + 1..].chars().next();
    text.match_indices(['_', '.', '-', '/', ':'])
        .filter(move |&(at, _)| after(at).is_some_and(|c| !c.is_ascii_digit()))
        .map(|(at, _)| at + 1)
}

/// Width of the widest part of `text` that [`wrap`] does not break if the lines are wide enough.
pub(crate) fn widest_part(text: &str, size: f64, weight: Weight) -> f64 {
    let mut widest = 0.0_f64;
    for word in text.split(' ') {
        let mut from = 0;
        for to in joints(word).chain([word.len()]) {
            widest = widest.max(width(&word[from..to], size, weight));
            from = to;
        }
    }
    widest
}

/// Breaks `text` into at most `lines` lines of width `limit`: at spaces, else between the parts of a name, else within a word
/// that is too long. The last line ends in an ellipsis if the text does not fit.
pub(crate) fn wrap(text: &str, size: f64, weight: Weight, limit: f64, lines: usize) -> Vec<String> {
    let mut rest = text;
    let mut out = Vec::new();
    while !rest.is_empty() {
        let cut = prefix(rest, size, weight, limit);
        if cut == rest.len() || out.len() + 1 == lines {
            out.push(fit(rest, size, weight, limit));
            break;
        }
        let first = rest.chars().next().map_or(1, char::len_utf8);
        // A line may also break at a space right after the prefix.
        let space = if rest[cut..].starts_with(' ') { Some(cut) } else { rest[..cut].rfind(' ') };
        let end = space.filter(|&at| at > 0);
        // A name such as `encoder.hidden_size` breaks after a joint of its parts.
        let end = end.or_else(|| joints(rest).take_while(|&at| at <= cut).last());
        let end = end.unwrap_or(cut).max(first);
        out.push(rest[..end].to_owned());
        rest = rest[end..].trim_start();
    }
    out
}

/// Number of bytes of `text` that fit into `limit`.
fn prefix(text: &str, size: f64, weight: Weight, limit: f64) -> usize {
    let face = weight.face();
    let limit = limit / size * f64::from(face.units_per_em());
    let mut sum = 0.0;
    for (at, c) in text.char_indices() {
        sum += glyph(face, c).1;
        if sum > limit {
            return at;
        }
    }
    text.len()
}

/// The outline of `text` as SVG path data in font units (y upwards, origin at the start of the baseline), and the factor that
/// scales it to `size`.
pub(crate) fn outline(text: &str, size: f64, weight: Weight) -> (String, f64) {
    let face = weight.face();
    let mut pen = Pen { data: String::new(), x: 0.0 };
    for c in text.chars() {
        let (id, advance) = glyph(face, c);
        // A glyph such as the space may have no outline.
        let _ = face.outline_glyph(id, &mut pen);
        pen.x += advance;
    }
    (pen.data, size / f64::from(face.units_per_em()))
}

struct Pen {
    data: String,
    x: f64,
}

impl Pen {
    fn add(&mut self, command: char, points: &[(f32, f32)]) {
        self.data.push(command);
        for &(x, y) in points {
            // Writing to a string cannot fail.
            let _ = write!(self.data, "{} {} ", num(self.x + f64::from(x)), num(f64::from(y)));
        }
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.add('M', &[(x, y)]);
    }
    fn line_to(&mut self, x: f32, y: f32) {
        self.add('L', &[(x, y)]);
    }
    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.add('Q', &[(x1, y1), (x, y)]);
    }
    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.add('C', &[(x1, y1), (x2, y2), (x, y)]);
    }
    fn close(&mut self) {
        self.add('Z', &[]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn width_is_the_sum_of_the_font_s_advances() {
        // Advances of Inter Regular in units of 1/2816 em, read from its hmtx table with fontTools.
        let em = width("e", 2816.0, Weight::Regular);
        assert!((em - f64::from(E_ADVANCE)).abs() < 1e-9, "{em}");
        let word = width("ee e", 12.0, Weight::Regular);
        let space = width(" ", 12.0, Weight::Regular);
        assert!((word - (3.0 * em * 12.0 / 2816.0 + space)).abs() < 1e-9);
        assert!(width("latent", 12.0, Weight::SemiBold) > width("latent", 12.0, Weight::Regular));
    }
    const E_ADVANCE: u16 = 1640;

    #[test]
    fn every_character_of_tick_labels_is_in_the_font() {
        for weight in [Weight::Regular, Weight::SemiBold] {
            for c in "0123456789.−-+×⁰¹²³⁴⁵⁶⁷⁸⁹⁻…%äßéñžłαβσμ→≈".chars()
            {
                assert!(weight.face().glyph_index(c).is_some(), "{c}");
            }
        }
    }

    #[test]
    fn long_text_wraps_at_spaces_and_ends_in_an_ellipsis() {
        let text = "the loss of a rather small network on a rather small machine";
        let lines = wrap(text, 12.0, Weight::Regular, 130.0, 9);
        assert_eq!(lines.join(" "), text);
        assert!(lines.len() >= 3);
        assert!(lines.iter().all(|l| width(l, 12.0, Weight::Regular) <= 130.0));
        let two = wrap(text, 12.0, Weight::Regular, 130.0, 2);
        assert_eq!(two.len(), 2);
        assert!(two[1].ends_with('…') && width(&two[1], 12.0, Weight::Regular) <= 130.0);
        let word = wrap(&"ü".repeat(50), 12.0, Weight::Regular, 60.0, 99);
        assert_eq!(word.concat(), "ü".repeat(50));
        assert!(word.iter().all(|l| width(l, 12.0, Weight::Regular) <= 60.0));
        // If not even one letter fits, each line gets one letter.
        assert_eq!(wrap("ab", 12.0, Weight::Regular, 0.0, 9).len(), 2);
    }

    #[test]
    fn names_break_where_their_parts_meet() {
        let broken = |text: &str, limit| wrap(text, 12.0, Weight::Regular, limit, 9);
        assert_eq!(broken("encoder.hidden_size", 60.0), ["encoder.", "hidden_", "size"]);
        assert_eq!(broken("a block_2_size", 50.0), ["a", "block_2_", "size"]);
        let widest = |text: &str| widest_part(text, 12.0, Weight::Regular);
        let alone = |text: &str| width(text, 12.0, Weight::Regular);
        assert!((widest("leaky_relu") - alone("leaky_")).abs() < 1e-9);
        assert!((widest("1e-05 0.01") - alone("1e-05")).abs() < 1e-9, "numbers stay whole");
    }

    #[test]
    fn clean_drops_what_xml_forbids() {
        assert_eq!(clean(" a\tb\n\u{0}c\u{ffff} "), "a b \u{fffd}c\u{fffd}");
    }
}
