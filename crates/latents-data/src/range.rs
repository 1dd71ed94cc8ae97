//! Which values of a source become black and white, and how the values between them are scaled. Values are mapped to 16 bits.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

/// The values that become black and white. Written as `auto`, `0..4095`, `p1..p99`, or with a pair for each channel,
/// `0..4095,0..1023`. What lies outside is clipped.
///
/// ```
/// use latents_data::Range;
///
/// assert_eq!("0..4095".parse(), Ok(Range::Values(vec![[0.0, 4095.0]])));
/// assert_eq!("p1..p99".parse(), Ok(Range::Percentiles([1.0, 99.0])));
/// assert_eq!(Range::default().to_string(), "auto");
/// assert!("4095".parse::<Range>().is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Range {
    /// The range of the numbers' type, or one that is usual for such values: 0 to 255 for bytes, the fewest of 8, 10, 12, 14 or 16
    /// bits that hold all values of 16-bit pictures.
    #[default]
    Auto,
    /// These values, of all channels or of each.
    Values(Vec<[f64; 2]>),
    /// These percentiles of the values of all pictures, from 0 to 100.
    Percentiles([f64; 2]),
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Values(ends) => {
                let one = |[black, white]: &[f64; 2]| format!("{black}..{white}");
                f.write_str(&ends.iter().map(one).collect::<Vec<_>>().join(","))
            }
            Self::Percentiles([low, high]) => write!(f, "p{low}..p{high}"),
        }
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not a range of values: use auto, 0..4095 (black..white; a pair for each channel: 0..4095,0..255) or p1..p99 (percentiles)"
            )
        };
        let number = |text: &str| text.trim().parse().ok().filter(|x: &f64| x.is_finite());
        let ends = |text: &str| {
            let (black, white) = text.split_once("..")?;
            let differ = |ends: &[f64; 2]| (ends[0] - ends[1]).abs() > 0.0;
            Some([number(black)?, number(white)?]).filter(differ)
        };
        if text == "auto" {
            return Ok(Self::Auto);
        }
        if text.starts_with('p') {
            let ends = ends(&text.replace('p', "")).ok_or_else(wrong)?;
            let within = (0.0..=100.0).contains(&ends[0]) && ends[1] <= 100.0 && ends[0] < ends[1];
            return if within { Ok(Self::Percentiles(ends)) } else { Err(wrong()) };
        }
        let all: Option<Vec<_>> = text.split(',').map(ends).collect();
        all.map(Self::Values).ok_or_else(wrong)
    }
}

impl TryFrom<String> for Range {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Range> for String {
    fn from(range: Range) -> Self {
        range.to_string()
    }
}

impl JsonSchema for Range {
    fn schema_name() -> Cow<'static, str> {
        "Range".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "string" })
    }
}

/// How values between black and white are scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// In proportion.
    #[default]
    Linear,
    /// asinh(10 x) / asinh(10), as astronomers show faint light (Lupton et al., 2004).
    Asinh,
    /// ln(1 + 1000 x) / ln(1001), as `SAOImage` DS9 does.
    Log,
}

impl Scale {
    /// A value from 0 to 1, scaled.
    fn apply(self, x: f64) -> f64 {
        match self {
            Self::Linear => x,
            Self::Asinh => libm::asinh(10.0 * x) / libm::asinh(10.0),
            Self::Log => libm::log1p(1000.0 * x) / libm::log1p(1000.0),
        }
    }
}

/// The largest 16-bit integer, white.
const WHITE: f64 = 65_535.0;

/// Maps a value to 16 bits; says too whether it was clipped.
pub(crate) fn word(x: f64, [black, white]: [f64; 2], scale: Scale) -> (u16, bool) {
    let unit = (x - black) / (white - black);
    let inside = unit.clamp(0.0, 1.0);
    // A rounding error at the ends is no clipping.
    let clipped = (unit - inside).abs() > 1e-6;
    let scaled = if scale == Scale::Linear { inside } else { scale.apply(inside) };
    ((scaled * WHITE).round() as u16, clipped)
}

/// The range of 16-bit integers of which the largest is `most`: the fewest bits that cameras and scanners use.
pub(crate) fn of_words(most: f64) -> [f64; 2] {
    let bits = [8, 10, 12, 14, 16].into_iter().find(|&bits| most < f64::from(1u32 << bits));
    [0.0, f64::from(1u32 << bits.unwrap_or(16)) - 1.0]
}

/// The range of floating-point values from `least` to `most`, all of them whole numbers or not: a usual one if they fit it.
pub(crate) fn of_floats(least: f64, most: f64, whole: bool) -> Option<[f64; 2]> {
    let little = 1e-6;
    Some(match () {
        () if least >= 0.0 && most <= 1.0 + little => [0.0, 1.0],
        () if least >= -1.0 - little && most <= 1.0 + little => [-1.0, 1.0],
        () if least >= 0.0 && most <= 16.0 && whole => [0.0, 16.0],
        () if least >= 0.0 && most <= 255.0 => [0.0, 255.0],
        () if least >= 0.0 && most <= WHITE && whole => [0.0, WHITE],
        () => return None,
    })
}

/// Percentiles of values that come in any number of pieces, by a histogram of fixed bins, so that the order of the pieces does not
/// matter.
pub(crate) struct Histogram {
    ends: [f64; 2],
    counts: Vec<u64>,
}

impl Histogram {
    const BINS: usize = 1 << 16;

    pub(crate) fn new(ends: [f64; 2]) -> Self {
        Self { ends, counts: vec![0; Self::BINS] }
    }

    pub(crate) fn add(&mut self, values: impl Iterator<Item = f64>) {
        let [least, most] = self.ends;
        let factor = (Self::BINS - 1) as f64 / (most - least).max(f64::MIN_POSITIVE);
        for x in values {
            self.counts[((x - least) * factor).round() as usize] += 1;
        }
    }

    /// The value below which `percent` of the values lie.
    pub(crate) fn percentile(&self, percent: f64) -> f64 {
        let total: u64 = self.counts.iter().sum();
        let rank = (percent / 100.0 * total.saturating_sub(1) as f64).round() as u64;
        let mut seen = 0;
        let bin = self.counts.iter().position(|&count| {
            seen += count;
            seen > rank
        });
        let step = (self.ends[1] - self.ends[0]) / (Self::BINS - 1) as f64;
        self.ends[0] + bin.unwrap_or(0) as f64 * step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_they_are_written() {
        for (text, range) in [
            ("auto", Range::Auto),
            ("-1..1", Range::Values(vec![[-1.0, 1.0]])),
            ("0..4095,10..0.5", Range::Values(vec![[0.0, 4095.0], [10.0, 0.5]])),
            ("p0.5..p99.5", Range::Percentiles([0.5, 99.5])),
        ] {
            assert_eq!((text.parse(), range.to_string()), (Ok(range.clone()), text.to_owned()));
        }
        for wrong in ["", "0", "0..", "1..1", "0..inf", "p99..p1", "p0..p101", "0..1,", "a..b"] {
            let said = wrong.parse::<Range>().unwrap_err();
            assert!(said.starts_with(&format!("`{wrong}` is not a range of values")), "{said}");
        }
    }

    #[test]
    fn all_words_stay_apart_and_ends_are_black_and_white() {
        let full = [0.0, 65_535.0];
        assert!((0..=u16::MAX).all(|x| word(x.into(), full, Scale::Linear) == (x, false)));
        assert_eq!(word(4095.0, [0.0, 4095.0], Scale::Linear), (65_535, false));
        assert_eq!(word(5000.0, [0.0, 4095.0], Scale::Linear), (65_535, true));
        assert_eq!(word(-1.0, [0.0, 1.0], Scale::Asinh), (0, true));
        // Black may be the larger value.
        assert_eq!(word(0.0, [1.0, 0.0], Scale::Linear), (65_535, false));
        for scale in [Scale::Asinh, Scale::Log] {
            assert_eq!(word(0.0, [0.0, 8.0], scale).0, 0);
            assert_eq!(word(8.0, [0.0, 8.0], scale).0, 65_535);
            assert!(word(0.8, [0.0, 8.0], scale).0 > 15_000);
        }
    }

    #[test]
    #[allow(clippy::float_cmp)] // Ranges are exact.
    fn usual_ranges_are_recognised() {
        assert_eq!(of_words(3680.0), [0.0, 4095.0]);
        assert_eq!((of_words(255.0), of_words(256.0)), ([0.0, 255.0], [0.0, 1023.0]));
        assert_eq!(of_words(65_535.0), [0.0, 65_535.0]);
        assert_eq!(of_floats(0.0, 1.0, false), Some([0.0, 1.0]));
        assert_eq!(of_floats(0.0, 200.5, false), Some([0.0, 255.0]));
        assert_eq!(of_floats(-5.0, 9.0, false), None);
    }

    #[test]
    fn percentiles_are_those_of_a_sort() {
        let mut values: Vec<f64> = (0..1000).map(|i| f64::from(i * 7919 % 1000)).collect();
        let mut histogram = Histogram::new([0.0, 999.0]);
        values.chunks(77).for_each(|some| histogram.add(some.iter().copied()));
        values.sort_by(f64::total_cmp);
        for percent in [0.0f64, 1.0, 50.0, 99.0, 100.0] {
            let expected = values[(percent / 100.0 * 999.0).round() as usize];
            assert!((histogram.percentile(percent) - expected).abs() < 0.02, "{percent}");
        }
        let mut one = Histogram::new([5.0, 5.0]);
        one.add([5.0; 3].into_iter());
        assert!((one.percentile(99.0) - 5.0).abs() < f64::EPSILON);
    }
}
