//! The colours of every figure: one categorical palette for data and a few greys for everything else.

/// Colours for groups of data, to be taken in this order: the palette of Masataka Okabe and Kei Ito ("Color Universal
/// Design", 2008), which stays distinct under the common kinds of colour blindness. Its yellow is left out because it
/// vanishes on white, and black comes last because text is nearly black.
pub const CATEGORICAL: [&str; 7] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

/// The colour of a group; groups beyond the palette start over.
pub(crate) fn of_group(group: usize) -> &'static str {
    CATEGORICAL[group % CATEGORICAL.len()]
}

/// Titles.
pub(crate) const INK: &str = "#1a1a1a";
/// Labels, captions and legends.
pub(crate) const TEXT: &str = "#333333";
/// Numbers along the axes and names of axes.
pub(crate) const MUTED: &str = "#5c5c5c";
/// Axis lines, ticks and leaders.
pub(crate) const AXIS: &str = "#8c8c8c";
/// Grid lines and frames of images.
pub(crate) const GRID: &str = "#e4e4e4";
