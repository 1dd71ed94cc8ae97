//! Numbers for axes, labels and tables: few digits, and powers of ten instead of many zeros.

/// `value` with `digits` significant digits, including trailing zeros. From 0.0001 to below a million it is a plain decimal with
/// all digits before the point, else it looks like `1.500e-7`.
pub(crate) fn significant(value: f64, digits: usize) -> String {
    if !value.is_finite() || value == 0.0 {
        return if value == 0.0 { "0".into() } else { value.to_string() };
    }
    let text = format!("{value:.*e}", digits.max(1) - 1);
    // The exponent of the rounded number: 9.9999 becomes 10.00.
    let exponent = text.split_once('e').and_then(|(_, e)| e.parse::<i32>().ok()).unwrap_or(0);
    if !(-4..6).contains(&exponent) {
        return text;
    }
    let places = (digits as i32 - 1 - exponent).max(0) as usize;
    format!("{value:.places$}")
}

/// The text of a number without trailing zeros in its fraction.
pub(crate) fn trimmed(text: &str) -> String {
    let (mantissa, exponent) = text.find('e').map_or((text, ""), |at| text.split_at(at));
    let mantissa = if mantissa.contains('.') {
        mantissa.trim_end_matches('0').trim_end_matches('.')
    } else {
        mantissa
    };
    format!("{mantissa}{exponent}")
}

/// The text of a number as a figure shows it: with a real minus sign, and `×10⁻⁷` for `e-7`.
pub(crate) fn typeset(text: &str) -> String {
    let (mantissa, power) = match text.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, format!("×10{}", superscript(exponent))),
        None => (text, String::new()),
    };
    format!("{}{power}", mantissa.replace('-', "−"))
}

/// The text of an integer in superscript.
pub(crate) fn superscript(exponent: &str) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    exponent.chars().map(|c| c.to_digit(10).map_or('⁻', |d| DIGITS[d as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_significant_ones() {
        let cases = [
            (0.020_704_9, "0.02070"),
            (-3.0, "-3.000"),
            (9.999_96, "10.00"),
            (123_456.7, "123457"),
            (999_999.9, "1.000e6"),
            (1e-4, "0.0001000"),
            (9.999_99e-5, "0.0001000"),
            (1.5e-7, "1.500e-7"),
            (-2.5e300, "-2.500e300"),
            (5e-324, "4.941e-324"),
            (0.0, "0"),
            (-0.0, "0"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (value, text) in cases {
            assert_eq!(significant(value, 4), text);
        }
        assert_eq!(significant(0.26, 1), "0.3");
    }

    #[test]
    fn zeros_at_the_end_may_go() {
        for (text, short) in [
            ("0.02070", "0.0207"),
            ("10.00", "10"),
            ("100", "100"),
            ("1.500e-10", "1.5e-10"),
            ("-inf", "-inf"),
        ] {
            assert_eq!(trimmed(text), short);
        }
    }

    #[test]
    fn figures_have_real_signs_and_powers() {
        assert_eq!(typeset("-1.50e-107"), "−1.50×10⁻¹⁰⁷");
        assert_eq!(typeset("0.5"), "0.5");
    }
}
