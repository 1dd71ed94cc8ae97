//! Axes as arithmetic: from values to places, linear or logarithmic, and the ticks with their labels. Powers and
//! logarithms come from `libm`, so that every machine gets the same digits.

/// The largest magnitude that is drawn; beyond it differences would overflow.
const LARGEST: f64 = 1e300;
/// The smallest positive value that a logarithmic axis takes, and the smallest width of a linear one.
const SMALLEST: f64 = 1e-290;

/// Whether a value can be placed on an axis.
pub(crate) fn drawable(v: f64) -> bool {
    v.abs() <= LARGEST
}

/// Smallest and largest of the values that can be drawn.
pub(crate) fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|&v| drawable(v)).fold(None, |range, v| match range {
        None => Some((v, v)),
        Some((lo, hi)) => Some((v.min(lo), v.max(hi))),
    })
}

/// A position along an axis that deserves a mark.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    /// From 0 at the axis's lower end to 1.
    pub(crate) at: f64,
    /// Empty for a minor tick.
    pub(crate) label: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// Ticks may lie between whole numbers, or not.
    Linear {
        whole: bool,
    },
    Log,
}

/// A mapping of values to `0..=1`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    kind: Kind,
    /// The ends: values for a linear axis, decimal logarithms for a logarithmic one.
    lo: f64,
    hi: f64,
}

impl Scale {
    /// A linear axis from `lo` to `hi`, widened where they are too close to tell apart; `whole`: ticks at whole numbers.
    pub(crate) fn linear(lo: f64, hi: f64, whole: bool) -> Self {
        let size = lo.abs().max(hi.abs());
        let (lo, hi) = if hi - lo > (size * 1e-9).max(SMALLEST) {
            (lo, hi)
        } else {
            let room = if whole || size < SMALLEST { 1.0_f64.max(size * 1e-8) } else { size * 0.1 };
            (lo - room, hi + room)
        };
        Self { kind: Kind::Linear { whole }, lo, hi }
    }

    /// An axis for values from `lo` to `hi` such as losses, with some room around them: logarithmic where all are
    /// positive and span a factor of more than eight, else linear; from zero where zero is near anyway.
    pub(crate) fn for_values(lo: f64, hi: f64) -> Self {
        if lo > SMALLEST && hi / lo > 8.0 {
            let (lo, hi) = (libm::log10(lo), libm::log10(hi));
            let room = (hi - lo) * 0.05;
            return Self { kind: Kind::Log, lo: lo - room, hi: hi + room };
        }
        let Self { lo: from, hi: to, .. } = Self::linear(lo, hi, false);
        let room = (to - from) * 0.05;
        let near_zero = (0.0..0.35 * hi).contains(&lo);
        Self::linear(if near_zero { 0.0 } else { from - room }, to + room, false)
    }

    /// Where `v` lies: 0 at the lower end, 1 at the upper.
    pub(crate) fn place(&self, v: f64) -> f64 {
        let v = if self.kind == Kind::Log { libm::log10(v) } else { v };
        (v - self.lo) / (self.hi - self.lo)
    }

    /// Ticks from the lower end up, of which about `most` are labelled.
    pub(crate) fn ticks(&self, most: usize) -> Vec<Tick> {
        match self.kind {
            Kind::Linear { whole } => self.linear_ticks(most.max(1), whole),
            Kind::Log => self.log_ticks(),
        }
    }

    fn linear_ticks(&self, most: usize, whole: bool) -> Vec<Tick> {
        let (factor, exponent) = nice((self.hi - self.lo) / most as f64);
        let (factor, exponent) = if whole && exponent < 0 { (1, 0) } else { (factor, exponent) };
        let step = f64::from(factor) * power(exponent);
        // Less than 1e10 steps from zero, since the axis is at least 1e-9 of its values wide.
        let first = (self.lo / step - 1e-9).ceil() as i64;
        let last = (self.hi / step + 1e-9).floor() as i64;
        let size = self.lo.abs().max(self.hi.abs());
        (first..=last)
            .map(|i| {
                let v = i as f64 * step;
                Tick { at: self.place(v), label: plain(v, exponent, size) }
            })
            .collect()
    }

    fn log_ticks(&self) -> Vec<Tick> {
        let decades = self.hi - self.lo;
        let labelled: &[i32] = match decades {
            d if d <= 2.4 => &[1, 2, 5],
            d if d <= 4.0 => &[1, 3],
            _ => &[1],
        };
        let stride = (decades / 7.0).ceil() as i32;
        let decimal = self.lo >= -5.0 && self.hi <= 5.0;
        let mut ticks = Vec::new();
        for exponent in self.lo.floor() as i32..=self.hi.floor() as i32 {
            for digit in 1..=9 {
                let at = (libm::log10(f64::from(digit)) + f64::from(exponent) - self.lo) / decades;
                let minor_wanted = digit == 1 || (stride == 1 && decades <= 5.0);
                if !(0.0..=1.0).contains(&at) || !minor_wanted {
                    continue;
                }
                let major = labelled.contains(&digit) && exponent.rem_euclid(stride) == 0;
                let label = match (major, decimal) {
                    (false, _) => String::new(),
                    (true, true) => {
                        format!(
                            "{:.*}",
                            -exponent.min(0) as usize,
                            f64::from(digit) * power(exponent)
                        )
                    }
                    (true, false) if digit == 1 => format!("10{}", superscript(exponent)),
                    (true, false) => format!("{digit}×10{}", superscript(exponent)),
                };
                ticks.push(Tick { at, label });
            }
        }
        ticks
    }
}

fn power(exponent: i32) -> f64 {
    libm::pow(10.0, f64::from(exponent))
}

/// The smallest of 1, 2, 5 times a power of ten that is not below `step`, as factor and exponent.
fn nice(step: f64) -> (i32, i32) {
    let exponent = libm::log10(step).floor() as i32;
    let rest = step / power(exponent);
    match rest {
        r if r <= 1.0 + 1e-9 => (1, exponent),
        r if r <= 2.0 + 1e-9 => (2, exponent),
        r if r <= 5.0 + 1e-9 => (5, exponent),
        _ => (1, exponent + 1),
    }
}

/// `v`, a multiple of a step of the order `10^exponent`, on an axis of values up to `size`, with as many digits as the
/// step needs; values far from 1 are written as multiples of one common power of ten.
fn plain(v: f64, exponent: i32, size: f64) -> String {
    let top = libm::log10(size).floor() as i32;
    let text = if (-3..6).contains(&top) {
        format!("{v:.*}", -exponent.min(0) as usize)
    } else {
        let digits = (top - exponent).max(0) as usize;
        format!("{:.digits$}×10{}", v / power(top), superscript(top))
    };
    if v == 0.0 || text.trim_start_matches(['-', '0', '.']).is_empty() {
        return "0".to_owned();
    }
    text.replace('-', "−")
}

fn superscript(exponent: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digit = |c: char| c.to_digit(10).map_or('⁻', |d| DIGITS[d as usize]);
    exponent.to_string().chars().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: &Scale, most: usize) -> Vec<String> {
        let ticks = scale.ticks(most);
        assert!(ticks.iter().all(|t| (-1e-6..=1.0 + 1e-6).contains(&t.at)), "{ticks:?}");
        assert!(ticks.windows(2).all(|w| w[0].at < w[1].at), "{ticks:?}");
        ticks.into_iter().map(|t| t.label).filter(|l| !l.is_empty()).collect()
    }

    #[test]
    fn a_linear_axis_places_values_in_proportion() {
        let scale = Scale::linear(10.0, 30.0, false);
        for (v, place) in [(10.0, 0.0), (15.0, 0.25), (30.0, 1.0)] {
            assert!((scale.place(v) - place).abs() < 1e-12, "{v}");
        }
    }

    #[test]
    fn a_log_axis_places_ratios_evenly() {
        let scale = Scale::for_values(0.01, 1.0);
        assert_eq!(scale.kind, Kind::Log);
        let [a, b, c] = [0.01, 0.1, 1.0].map(|v| scale.place(v));
        assert!((b - 0.5).abs() < 1e-12 && (b - a - (c - b)).abs() < 1e-12 && a > 0.0 && c < 1.0);
    }

    #[test]
    fn the_kind_follows_the_values() {
        assert_eq!(Scale::for_values(0.1, 0.81).kind, Kind::Log);
        assert_eq!(Scale::for_values(0.1, 0.79).kind, Kind::Linear { whole: false });
        assert_eq!(Scale::for_values(0.0, 5.0).kind, Kind::Linear { whole: false });
        assert_eq!(Scale::for_values(-1.0, 50.0).kind, Kind::Linear { whole: false });
        assert!(Scale::for_values(0.2, 1.0).lo.abs() < f64::EPSILON, "zero is near");
        assert!(Scale::for_values(0.8, 1.0).lo > 0.75, "zero is far");
    }

    #[test]
    fn ticks_are_round_and_labelled_with_the_digits_they_need() {
        let linear = |lo, hi| labels(&Scale::linear(lo, hi, false), 6);
        assert_eq!(linear(0.0, 1.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"].map(zero));
        assert_eq!(linear(0.148, 0.186), ["0.15", "0.16", "0.17", "0.18"]);
        assert_eq!(linear(-3.0, 2.0), ["−3", "−2", "−1", "0", "1", "2"]);
        assert_eq!(linear(0.0, 4e-5), ["0", "1×10⁻⁵", "2×10⁻⁵", "3×10⁻⁵", "4×10⁻⁵"]);
        assert_eq!(
            linear(0.0, 2.5e7),
            ["0", "0.5×10⁷", "1.0×10⁷", "1.5×10⁷", "2.0×10⁷", "2.5×10⁷"]
        );
        assert_eq!(labels(&Scale::linear(0.0, 42.0, true), 8), ["0", "10", "20", "30", "40"]);
        assert_eq!(labels(&Scale::linear(1.0, 3.0, true), 8), ["1", "2", "3"]);
    }

    fn zero(label: &str) -> &str {
        if label == "0.0" { "0" } else { label }
    }

    #[test]
    fn log_ticks_suit_the_span() {
        assert_eq!(labels(&Scale::for_values(0.0207, 0.19), 6), ["0.02", "0.05", "0.1", "0.2"]);
        assert_eq!(
            labels(&Scale::for_values(0.003, 3.0), 6),
            ["0.003", "0.01", "0.03", "0.1", "0.3", "1", "3"]
        );
        assert_eq!(labels(&Scale::for_values(1e-9, 1e-8), 6), ["10⁻⁹", "2×10⁻⁹", "5×10⁻⁹", "10⁻⁸"]);
        let wide = labels(&Scale::for_values(1e-280, 1e280), 6);
        assert!((4..=9).contains(&wide.len()), "{wide:?}");
        assert!(wide.contains(&"10⁰".to_owned()), "{wide:?}");
    }

    #[test]
    fn hostile_ranges_give_a_few_finite_ticks() {
        let ranges = [
            (0.0, 0.0),
            (1e300, 1e300),
            (-1e300, 1e300),
            (5e-324, 5e-324),
            (0.0, 5e-324),
            (1e15, 1e15 + 1.0),
            (-7.0, -7.0),
            (1e-300, 1e300),
        ];
        for (lo, hi) in ranges {
            for scale in [
                Scale::linear(lo, hi, false),
                Scale::linear(lo, hi, true),
                Scale::for_values(lo, hi),
            ] {
                let labels = labels(&scale, 6);
                assert!((1..=14).contains(&labels.len()), "{lo} {hi} {scale:?} {labels:?}");
                assert!([lo, hi].iter().all(|&v| (0.0..=1.0).contains(&scale.place(v))));
            }
        }
    }

    #[test]
    fn extent_skips_what_cannot_be_drawn() {
        let values = [f64::NAN, 2.0, f64::INFINITY, -1.0, f64::MIN];
        assert_eq!(extent(values.into_iter()), Some((-1.0, 2.0)));
        assert_eq!(extent([f64::NAN].into_iter()), None);
    }
}
