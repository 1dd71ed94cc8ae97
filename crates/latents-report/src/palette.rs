//! The colours of figures: categorical palettes, one sequential colour map, and a few greys.

use crate::oklab::Oklch;

/// Colours for groups of data, in this order: the palette of Masataka Okabe and Kei Ito ("Color Universal Design", 2008), which
/// stays distinct under the common kinds of colour blindness. Its yellow is omitted because it vanishes on white; black comes last
/// because text is nearly black.
pub const CATEGORICAL: [&str; 7] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

/// The colour of a group. Groups beyond the palette start over.
pub(crate) fn of_group(group: usize) -> &'static str {
    CATEGORICAL[group % CATEGORICAL.len()]
}

/// Colours of classes on both light and dark backgrounds: the ten of Observable Plot's categorical scheme.
const CLASSES: [&str; 10] = [
    "#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#ff8ab7", "#a463f2", "#97bbf5",
    "#9c6b4e", "#9498a0",
];

/// A colour for each of `count` classes: from one scheme of ten, or, if there are more, hues around the circle in alternating
/// lightness.
pub(crate) fn classes(count: usize) -> Vec<String> {
    if count <= CLASSES.len() {
        return CLASSES[..count].iter().map(|&hex| hex.to_owned()).collect();
    }
    let hue = |i: usize| std::f64::consts::TAU * i as f64 / count as f64;
    (0..count).map(|i| of_hue(LIGHTNESS[i % LIGHTNESS.len()], hue(i)).hex()).collect()
}

/// The alternating lightness of the colours of many classes.
const LIGHTNESS: [f64; 3] = [0.62, 0.76, 0.69];

fn of_hue(lightness: f64, hue: f64) -> Oklch {
    Oklch { lightness, chroma: 0.16, hue }
}

/// Whether a colour is one that [`classes`] gives.
pub(crate) fn is_class(hex: &str) -> bool {
    let Some(colour) = Oklch::parse(hex) else { return false };
    // Rounding to bytes changes the hue a little, which can cost one more step of chroma.
    let is_made = |lightness: f64| {
        let made = Oklch::parse(&of_hue(lightness, colour.hue).hex());
        made.is_some_and(|made| {
            (made.lightness - colour.lightness).abs() < 0.004
                && (made.chroma / colour.chroma - 1.0).abs() < 0.04
        })
    };
    CLASSES.contains(&hex) || !CATEGORICAL.contains(&hex) && LIGHTNESS.into_iter().any(is_made)
}

/// Colours of viridis by Stéfan van der Walt and Nathaniel Smith (2015), whose steps look equally large, at every eighth. Only its
/// range from green to dark violet is used, because its yellow vanishes on white.
const VIRIDIS: [[u8; 3]; 7] = [
    [0x5e, 0xc9, 0x62],
    [0x28, 0xae, 0x80],
    [0x21, 0x91, 0x8c],
    [0x2c, 0x72, 0x8e],
    [0x3b, 0x52, 0x8b],
    [0x47, 0x2d, 0x7b],
    [0x44, 0x01, 0x54],
];

/// The colour at `t` from 0 (light) to 1 (dark).
pub(crate) fn sequential(t: f64) -> String {
    let at = t.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f64;
    let i = (at as usize).min(VIRIDIS.len() - 2);
    let part = at - i as f64;
    let channel = |c: usize| {
        let [from, to] = [VIRIDIS[i][c], VIRIDIS[i + 1][c]].map(f64::from);
        (from + (to - from) * part).round() as u8
    };
    format!("#{:02x}{:02x}{:02x}", channel(0), channel(1), channel(2))
}

/// The best trial.
pub(crate) const BEST: &str = "#d8182c";
/// Titles.
pub(crate) const INK: &str = "#1a1a1a";
/// Labels, captions and legends.
pub(crate) const TEXT: &str = "#333333";
/// Tick labels and names of axes.
pub(crate) const MUTED: &str = "#5c5c5c";
/// Axis lines, ticks and leader lines.
pub(crate) const AXIS: &str = "#8c8c8c";
/// Grid lines and frames of images.
pub(crate) const GRID: &str = "#e4e4e4";

#[cfg(test)]
mod tests {
    use super::*;

    /// Lightness L* of CIELAB.
    fn lightness(colour: &str) -> f64 {
        let channel = |i: usize| {
            let v = f64::from(u8::from_str_radix(&colour[i..i + 2], 16).unwrap()) / 255.0;
            if v <= 0.040_45 { v / 12.92 } else { libm::pow((v + 0.055) / 1.055, 2.4) }
        };
        let y = 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
        116.0 * libm::cbrt(y) - 16.0
    }

    #[test]
    fn colours_of_classes_are_known_as_such() {
        for count in [1, 10, 11, 12, 30, 100] {
            let colours = classes(count);
            assert_eq!(colours.len(), count);
            assert_eq!(colours.iter().find(|hex| !is_class(hex)), None, "of {count}");
        }
        let sequence = (0..=10).map(|i| sequential(f64::from(i) / 10.0));
        let others = CATEGORICAL.map(str::to_owned).into_iter().chain(sequence);
        let others: Vec<String> = others.filter(|hex| is_class(hex)).collect();
        assert_eq!(others, Vec::<String>::new());
    }

    #[test]
    fn the_sequential_map_darkens_evenly() {
        let steps: Vec<f64> =
            (0..=20).map(|i| lightness(&sequential(f64::from(i) / 20.0))).collect();
        assert!(steps[0] > 70.0 && steps[20] < 16.0, "{steps:?}");
        let mean = (steps[0] - steps[20]) / 20.0;
        for pair in steps.windows(2) {
            let step = pair[0] - pair[1];
            assert!((0.6 * mean..1.4 * mean).contains(&step), "{pair:?} {mean}");
        }
        assert_eq!(sequential(-1.0), "#5ec962");
        assert_eq!(sequential(0.5), "#2c728e");
        assert_eq!(sequential(f64::INFINITY), "#440154");
    }
}
