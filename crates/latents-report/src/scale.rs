//! The arithmetic of axes: positions of values on a linear or logarithmic scale, and ticks with their labels. Powers and logarithms
//! come from `libm`, so every machine gets the same digits.

use crate::font;
use crate::number::superscript;

/// The largest magnitude that is drawn. Beyond it, differences could overflow.
const LARGEST: f64 = 1e300;
/// Lower bound of the values on a logarithmic axis, and of the width of a linear one.
const SMALLEST: f64 = 1e-290;

/// Whether a value can be placed on an axis.
pub(crate) fn drawable(v: f64) -> bool {
    v.abs() <= LARGEST
}

/// The smallest and the largest value that can be drawn; `None` if there is none.
pub(crate) fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|&v| drawable(v)).fold(None, |range, v| match range {
        None => Some((v, v)),
        Some((lo, hi)) => Some((v.min(lo), v.max(hi))),
    })
}

/// A tick of an axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    /// Position, from 0 at the lower end of the axis to 1 at the upper.
    pub(crate) at: f64,
    /// The label; empty for a minor tick.
    pub(crate) label: String,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    /// `whole`: ticks are at whole numbers only.
    Linear {
        whole: bool,
    },
    Log,
    /// The names of the values 0, 1, 2, ...
    Choices(Vec<String>),
}

/// A mapping from values to positions in `0..=1`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scale {
    kind: Kind,
    /// The ends of the axis: values, or decimal logarithms of values on a logarithmic axis.
    lo: f64,
    hi: f64,
}

impl Scale {
    /// A linear axis from `lo` to `hi`, widened if they are too close to each other. `whole`: ticks are at whole numbers only.
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

    /// A logarithmic axis for values from `lo` to `hi`, with a margin.
    pub(crate) fn log(lo: f64, hi: f64) -> Self {
        let (lo, hi) = (libm::log10(lo), libm::log10(hi));
        let room = if hi - lo > 1e-6 { (hi - lo) * 0.05 } else { 0.1 };
        Self { kind: Kind::Log, lo: lo - room, hi: hi + room }
    }

    /// An axis with one position for each name, the first at the lower end.
    pub(crate) fn choices(names: &[String]) -> Self {
        let kind = Kind::Choices(names.iter().map(|name| font::clean(name)).collect());
        Self { kind, lo: -0.5, hi: names.len().max(1) as f64 - 0.5 }
    }

    /// An axis for values such as losses from `lo` to `hi`, with a margin. It is logarithmic if all values are positive and span a
    /// factor of more than eight, else linear. A linear axis starts at zero if zero is near.
    pub(crate) fn for_values(lo: f64, hi: f64) -> Self {
        let scale = Self::for_differences(lo, hi);
        let near_zero = scale.kind != Kind::Log && (0.0..0.35 * hi).contains(&lo);
        if near_zero { Self::linear(0.0, scale.hi, false) } else { scale }
    }

    /// Like [`Scale::for_values`], but a linear axis does not start at zero: for values of which only differences matter.
    pub(crate) fn for_differences(lo: f64, hi: f64) -> Self {
        if Self::takes_log(lo) && hi / lo > 8.0 {
            return Self::log(lo, hi);
        }
        let Self { lo: from, hi: to, .. } = Self::linear(lo, hi, false);
        let room = (to - from) * 0.05;
        Self::linear(from - room, to + room, false)
    }

    /// Moves the ends of the axis out until `v` is at least `below` away from the lower end and at least `above` from the upper end,
    /// both as fractions of the length.
    pub(crate) fn clear_around(mut self, v: f64, below: f64, above: f64) -> Self {
        let at = self.place(v);
        if at < below {
            self.lo -= (below - at) / (1.0 - below) * (self.hi - self.lo);
        }
        let at = self.place(v);
        if 1.0 - at < above {
            self.hi += (above - 1.0 + at) / (1.0 - above) * (self.hi - self.lo);
        }
        self
    }

    /// Whether a logarithmic axis can show `v`.
    pub(crate) fn takes_log(v: f64) -> bool {
        drawable(v) && v > SMALLEST
    }

    /// Whether this kind of axis can show `v`, regardless of its ends.
    pub(crate) fn takes(&self, v: f64) -> bool {
        match &self.kind {
            Kind::Linear { .. } => drawable(v),
            Kind::Log => Self::takes_log(v),
            Kind::Choices(names) => (0.0..names.len() as f64).contains(&v) && v.fract() == 0.0,
        }
    }

    pub(crate) fn is_choices(&self) -> bool {
        matches!(self.kind, Kind::Choices(_))
    }

    /// Position of `v`: 0 at the lower end, 1 at the upper.
    pub(crate) fn place(&self, v: f64) -> f64 {
        let v = if self.kind == Kind::Log { libm::log10(v) } else { v };
        (v - self.lo) / (self.hi - self.lo)
    }

    /// Ticks from the lower end to the upper, about `most` of them with labels. An axis of choices only has labelled ticks.
    pub(crate) fn ticks(&self, most: usize) -> Vec<Tick> {
        match &self.kind {
            &Kind::Linear { whole } => self.linear_ticks((self.lo, self.hi), most.max(1), whole),
            Kind::Log => self.log_ticks(most.max(1)),
            Kind::Choices(names) => {
                let stride = names.len().div_ceil(most.max(1)).max(1);
                let labelled = names.iter().enumerate().step_by(stride);
                labelled
                    .map(|(i, name)| Tick { at: self.place(i as f64), label: name.clone() })
                    .collect()
            }
        }
    }

    /// Ticks at round values within `lo..=hi`.
    fn linear_ticks(&self, (lo, hi): (f64, f64), most: usize, whole: bool) -> Vec<Tick> {
        let (factor, exponent) = nice((hi - lo) / most as f64);
        let (factor, exponent) = if whole && exponent < 0 { (1, 0) } else { (factor, exponent) };
        let step = f64::from(factor) * power(exponent);
        // Fewer than 1e10 steps from zero, since the axis is at least 1e-9 of its values wide.
        let first = (lo / step - 1e-9).ceil() as i64;
        let last = (hi / step + 1e-9).floor() as i64;
        let size = lo.abs().max(hi.abs());
        (first..=last)
            .map(|i| {
                let v = i as f64 * step;
                Tick { at: self.place(v), label: plain(v, exponent, size) }
            })
            .collect()
    }

    fn log_ticks(&self, most: usize) -> Vec<Tick> {
        let decades = self.hi - self.lo;
        let densest = match decades {
            d if d <= 2.4 => 0,
            d if d <= 4.0 => 1,
            _ => 2,
        };
        let labelled = |ticks: &[Tick]| ticks.iter().filter(|t| !t.label.is_empty()).count();
        let mut stride = (decades / 7.0).ceil() as i32;
        let mut ticks = Vec::new();
        for digits in &[&[1, 2, 5][..], &[1, 3], &[1]][densest..] {
            ticks = self.decade_ticks(digits, stride);
            if labelled(&ticks) < 2 && most > 1 {
                // Less than a decade: use round values, as on a linear axis.
                return self.linear_ticks((power_of(self.lo), power_of(self.hi)), most, false);
            }
            if labelled(&ticks) <= most + most / 2 {
                return ticks;
            }
        }
        while labelled(&ticks) > most + most / 2 {
            stride += 1;
            ticks = self.decade_ticks(&[1], stride);
        }
        ticks
    }

    /// Ticks at all digits, with labels at `digits` in every `stride`th decade.
    fn decade_ticks(&self, digits: &[i32], stride: i32) -> Vec<Tick> {
        let decades = self.hi - self.lo;
        let decimal = self.lo >= -5.0 && self.hi <= 5.0;
        let mut ticks = Vec::new();
        for exponent in self.lo.floor() as i32..=self.hi.floor() as i32 {
            for digit in 1..=9 {
                let at = (libm::log10(f64::from(digit)) + f64::from(exponent) - self.lo) / decades;
                let minor_wanted = digit == 1 || (stride == 1 && decades <= 5.0);
                if !(0.0..=1.0).contains(&at) || !minor_wanted {
                    continue;
                }
                let major = digits.contains(&digit) && exponent.rem_euclid(stride) == 0;
                let order = || superscript(&exponent.to_string());
                let label = match (major, decimal) {
                    (false, _) => String::new(),
                    (true, true) => {
                        format!(
                            "{:.*}",
                            -exponent.min(0) as usize,
                            f64::from(digit) * power(exponent)
                        )
                    }
                    (true, false) if digit == 1 => format!("10{}", order()),
                    (true, false) => format!("{digit}×10{}", order()),
                };
                ticks.push(Tick { at, label });
            }
        }
        ticks
    }
}

fn power(exponent: i32) -> f64 {
    power_of(f64::from(exponent))
}

fn power_of(exponent: f64) -> f64 {
    libm::pow(10.0, exponent)
}

/// The smallest number that is at least `step` and 1, 2 or 5 times a power of ten, as factor and exponent.
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

/// The label of `v`, a multiple of a step of order `10^exponent`, on an axis of values up to `size`: with as many digits as the step
/// needs. Values far from 1 are multiples of one common power of ten.
fn plain(v: f64, exponent: i32, size: f64) -> String {
    let top = libm::log10(size).floor() as i32;
    let text = if (-3..6).contains(&top) {
        format!("{v:.*}", -exponent.min(0) as usize)
    } else {
        let digits = (top - exponent).max(0) as usize;
        format!("{:.digits$}×10{}", v / power(top), superscript(&top.to_string()))
    };
    if v == 0.0 || text.trim_start_matches(['-', '0', '.']).is_empty() {
        return "0".to_owned();
    }
    text.replace('-', "−")
}

#[cfg(test)]
mod tests;
