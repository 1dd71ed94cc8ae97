//! The settings that make images of one shape from pictures of any size and kind. They are part of a run's `config.toml`, so that
//! the run can be repeated. They are applied in `picture` (one picture), `folder` and `arrays` (many).

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::range::{Range, Scale};

/// How a picture is resized to the size of the images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// `contain` for a picture with transparency, which a cut would leave in pieces, and `crop` for any other.
    #[default]
    Auto,
    /// Scale until the picture covers the size, and cut off what sticks out, equally on both sides.
    Crop,
    /// Scale until the whole picture is inside, and fill the rest with the background.
    Contain,
    /// Scale height and width independently.
    Stretch,
}

/// What the pages of a TIFF file, the planes of a FITS file or the frames of a DICOM file are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pages {
    /// Pictures of their own, named `FILE[0]`, `FILE[1]`, ...
    #[default]
    Pictures,
    /// The channels of one picture.
    Channels,
}

/// A colour, written as `white`, `black` or `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Colour(pub [u8; 3]);

impl Colour {
    const NAMED: [(&'static str, Self); 2] = [("white", Self([255; 3])), ("black", Self([0; 3]))];
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMED.iter().find(|(_, colour)| colour == self) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "#{:02x}{:02x}{:02x}", self.0[0], self.0[1], self.0[2]),
        }
    }
}

impl FromStr for Colour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((_, colour)) = Self::NAMED.iter().find(|(name, _)| *name == text) {
            return Ok(*colour);
        }
        let digits = text
            .strip_prefix('#')
            .filter(|d| d.len() == 6 && d.bytes().all(|b| b.is_ascii_hexdigit()));
        let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let [_, r, g, b] = number
            .ok_or_else(|| format!("`{text}` is not a colour: use white, black or #rrggbb"))?
            .to_be_bytes();
        Ok(Self([r, g, b]))
    }
}

impl TryFrom<String> for Colour {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Colour> for String {
    fn from(colour: Colour) -> Self {
        colour.to_string()
    }
}

/// The largest height and width of images.
pub(crate) const MAX_SIDE: usize = 4096;

/// Parses a size, written as `64` or, height first, `48x64`, as `[h, w]`.
///
/// # Errors
/// A message that names the text and the accepted forms.
pub fn parse_size(text: &str) -> Result<[usize; 2], String> {
    let explain = || {
        format!(
            "`{text}` is not a size: use 64 or 48x64 (height x width), with sides of 1 to {MAX_SIDE}"
        )
    };
    let side = |text: &str| {
        text.parse().ok().filter(|side| (1..=MAX_SIDE).contains(side)).ok_or_else(explain)
    };
    let (h, w) = text.split_once(['x', 'X', '×']).unwrap_or((text, text));
    Ok([side(h)?, side(w)?])
}

/// Parses the shape of images in rows of numbers, written as `28x28` or, with channels, `3x32x32`.
///
/// # Errors
/// A message that names the text and the accepted forms.
pub fn parse_shape(text: &str) -> Result<Vec<usize>, String> {
    let side = |text: &str| text.parse().ok().filter(|side| (1..=MAX_SIDE).contains(side));
    let sides: Option<Vec<usize>> = text.split(['x', 'X', '×']).map(side).collect();
    sides.filter(|sides| matches!(sides.len(), 2 | 3)).ok_or_else(|| {
        format!("`{text}` is not a shape: use 28x28 (height x width) or 3x32x32 (channels x height x width)")
    })
}

/// The example in the schema of the settings.
const EXAMPLE_SIZE: [usize; 2] = [64, 64];

/// How pictures become a data set.
///
/// ```
/// use latents_data::{Fit, Pictures, parse_size};
///
/// let pictures = Pictures { size: parse_size("48x64").ok(), fit: Fit::Contain, ..Pictures::default() };
/// assert_eq!(pictures.size, Some([48, 64]));
/// assert!(!pictures.is_default());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools)] // Settings that are on or off.
pub struct Pictures {
    /// Height and width of the images; chosen from the sizes of the pictures if not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = EXAMPLE_SIZE)]
    pub size: Option<[usize; 2]>,
    /// How pictures are resized to that size.
    pub fit: Fit,
    /// Height and width, or channels, height and width, of images in rows of numbers; square images if not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = EXAMPLE_SIZE)]
    pub shape: Option<Vec<usize>>,
    /// Which label, by name, gives the classes, if the source has several for each image.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"breed")]
    pub label: Option<String>,
    /// A table that has the label of each picture: `FILE`, or `FILE:file=COLUMN,label=COLUMN`; found by itself if not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"labels.csv:file=image,label=breed")]
    pub labels: Option<String>,
    /// A regular expression whose first group, in the name of a file without its folders, is its label.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &r"^(\w+)\.")]
    pub label_pattern: Option<String>,
    /// Exchange rows and columns of images in IDX files, arrays or tables, as those of EMNIST need it.
    pub transpose: bool,
    /// Convert all pictures to grey. If off, images are grey only if no pixel of any picture has a colour.
    pub grey: bool,
    /// The colour behind transparent pictures, and around pictures that are fitted with `contain`.
    pub background: Colour,
    /// The values that become black and white: `auto`, `0..4095`, `p1..p99` (percentiles), or a pair for each channel.
    pub range: Range,
    /// Find the range of each channel by itself.
    pub range_per_channel: bool,
    /// How values between black and white are scaled.
    pub scale: Scale,
    /// What the pages of a TIFF file, the planes of a FITS file or the frames of a DICOM file are.
    pub pages: Pages,
    /// Fraction of the pictures that is held out for testing if the source has no test part of its own, in `[0, 1)`.
    pub test_fraction: f64,
    /// Seed of the random choice of the pictures that are held out.
    pub split_seed: u64,
    /// Keep copies of one picture on the same side when pictures are held out for testing.
    pub keep_copies_together: bool,
    /// Fail if a picture cannot be read, rather than leave it out.
    pub strict: bool,
}

impl Default for Pictures {
    fn default() -> Self {
        Self {
            size: None,
            fit: Fit::Auto,
            shape: None,
            label: None,
            labels: None,
            label_pattern: None,
            transpose: false,
            grey: false,
            background: Colour([255; 3]),
            range: Range::Auto,
            range_per_channel: false,
            scale: Scale::Linear,
            pages: Pages::Pictures,
            test_fraction: 0.2,
            split_seed: 0,
            keep_copies_together: true,
            strict: false,
        }
    }
}

impl Pictures {
    /// Whether all settings are the default ones.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether no setting but `transpose` differs from the default ones.
    pub(crate) fn only_transposes(&self) -> bool {
        Self { transpose: false, ..self.clone() }.is_default()
    }

    /// These settings with the size and colour of images `[c, h, w]` that were read with them.
    pub(crate) fn pinned(&self, [c, h, w]: [usize; 3]) -> Self {
        Self { size: Some([h, w]), grey: c == 1, ..self.clone() }
    }

    /// These settings with the range that was found, too.
    pub(crate) fn pinned_range(&self, ends: &[[f64; 2]]) -> Self {
        Self { range: Range::Values(ends.to_vec()), range_per_channel: false, ..self.clone() }
    }

    /// Whether values are mapped from the range of a byte to that of a byte, so that bytes stay as they are.
    #[must_use]
    pub fn keeps_bytes(&self) -> bool {
        let whole = match &self.range {
            Range::Auto => true,
            // The exact values are meant.
            #[allow(clippy::float_cmp)]
            Range::Values(ends) => ends.iter().all(|ends| *ends == [0.0, 255.0]),
            Range::Percentiles(_) => false,
        };
        whole && self.scale == Scale::Linear
    }

    /// Checks that every setting is in its range.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if let Some([h, w]) = self.size
            && [h, w].iter().any(|side| !(1..=MAX_SIDE).contains(side))
        {
            let problem = format!("size = [{h}, {w}] must have sides of 1 to {MAX_SIDE}");
            return Err(Error::Setting { problem });
        }
        if !(0.0..1.0).contains(&self.test_fraction) {
            let problem = format!(
                "test_fraction = {} must be at least 0 and less than 1",
                self.test_fraction
            );
            return Err(Error::Setting { problem });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_height_first() {
        assert_eq!(parse_size("64"), Ok([64, 64]));
        assert_eq!(parse_size("48x64"), Ok([48, 64]));
        for wrong in ["", "0", "x", "64x", "64x0", "-3", "4097", "6.4", "1x2x3"] {
            let said = parse_size(wrong).unwrap_err();
            assert!(
                said.starts_with(&format!("`{wrong}` is not a size: use 64 or 48x64")),
                "{said}"
            );
        }
    }

    #[test]
    fn colours_are_read_as_they_are_written() {
        for (text, colour) in [("white", [255; 3]), ("black", [0; 3]), ("#0080ff", [0, 128, 255])] {
            assert_eq!(text.parse(), Ok(Colour(colour)));
            assert_eq!(Colour(colour).to_string(), text);
        }
        for wrong in ["", "red", "#12345", "#12345g", "#1234567", "#é123", "#+12345"] {
            assert!(wrong.parse::<Colour>().is_err(), "{wrong}");
        }
    }
}
