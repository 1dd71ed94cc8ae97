//! Colours by perceived lightness, chroma and hue: conversions to and from `OKLab` by Björn Ottosson (2020).

use libm::{atan2, cbrt, cos, hypot, pow, sin};

/// A colour as lightness (0 to 1), chroma (0 for greys) and hue (radians).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Oklch {
    pub(crate) lightness: f64,
    pub(crate) chroma: f64,
    pub(crate) hue: f64,
}

impl Oklch {
    /// The colour of `#rrggbb`.
    pub(crate) fn parse(hex: &str) -> Option<Self> {
        let digits = hex.strip_prefix('#').filter(|d| d.len() == 6 && d.is_ascii())?;
        let channel = |i: usize| u8::from_str_radix(digits.get(2 * i..2 * i + 2)?, 16).ok();
        let linear = |v: u8| {
            let v = f64::from(v) / 255.0;
            if v <= 0.040_45 { v / 12.92 } else { pow((v + 0.055) / 1.055, 2.4) }
        };
        let [r, g, b] = [channel(0)?, channel(1)?, channel(2)?].map(linear);
        let l = cbrt(0.412_221_470_8 * r + 0.536_332_536_3 * g + 0.051_445_992_9 * b);
        let m = cbrt(0.211_903_498_2 * r + 0.680_699_545_1 * g + 0.107_396_956_6 * b);
        let s = cbrt(0.088_302_461_9 * r + 0.281_718_837_6 * g + 0.629_978_700_5 * b);
        let lightness = 0.210_454_255_3 * l + 0.793_617_785_0 * m - 0.004_072_046_8 * s;
        let a = 1.977_998_495_1 * l - 2.428_592_205_0 * m + 0.450_593_709_9 * s;
        let b = 0.025_904_037_1 * l + 0.782_771_766_2 * m - 0.808_675_766_0 * s;
        Some(Self { lightness, chroma: hypot(a, b), hue: atan2(b, a) })
    }

    /// The colour as `#rrggbb`. If a screen cannot show its chroma, the chroma is reduced.
    pub(crate) fn hex(self) -> String {
        let mut colour = self;
        let mut channels = colour.linear();
        while channels.iter().any(|&v| !(-1e-4..=1.000_1).contains(&v)) && colour.chroma > 1e-3 {
            colour.chroma *= 0.97;
            channels = colour.linear();
        }
        let [r, g, b] = channels.map(|v| {
            let v = v.clamp(0.0, 1.0);
            let v = if v <= 0.003_130_8 { v * 12.92 } else { 1.055 * pow(v, 1.0 / 2.4) - 0.055 };
            (v * 255.0).round() as u8
        });
        format!("#{r:02x}{g:02x}{b:02x}")
    }

    /// Linear red, green and blue.
    fn linear(self) -> [f64; 3] {
        let (a, b) = (self.chroma * cos(self.hue), self.chroma * sin(self.hue));
        let cube = |v: f64| v * v * v;
        let l = cube(self.lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b);
        let m = cube(self.lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b);
        let s = cube(self.lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b);
        [
            4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
            -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
            -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701_0 * s,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_come_back() {
        for hex in ["#000000", "#ffffff", "#0072b2", "#d55e00", "#5ec962", "#440154", "#808080"] {
            assert_eq!(Oklch::parse(hex).unwrap().hex(), hex);
        }
        // From the article's table: red has lightness 0.628, chroma 0.258, hue 29 degrees.
        let red = Oklch::parse("#ff0000").unwrap();
        assert!((red.lightness - 0.628).abs() < 1e-3 && (red.chroma - 0.2577).abs() < 1e-3);
        assert!((red.hue.to_degrees() - 29.23).abs() < 0.1, "{red:?}");
        for text in ["", "#fff", "red", "#12345g", "#ääb"] {
            assert_eq!(Oklch::parse(text), None, "{text}");
        }
    }

    #[test]
    fn too_much_chroma_is_cut_and_the_lightness_stays() {
        let wanted = Oklch { lightness: 0.7, chroma: 0.4, hue: 2.0 };
        let got = Oklch::parse(&wanted.hex()).unwrap();
        assert!((got.lightness - 0.7).abs() < 0.01 && (got.hue - 2.0).abs() < 0.05, "{got:?}");
    }
}
