//! Packs numbers for the page: tables quantised to 8 or 16 bits with a range for each column, indices, and weights as 16-bit floats,
//! all as base64 of little-endian bytes. `data.js` unpacks them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use half::f16;
use serde_json::{Value, json};

/// Upper bound of the indices of classes and clusters.
pub(super) const MAX_INDEX: usize = 1 << 16;

/// Number of bits of a quantised value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bits {
    Eight,
    Sixteen,
}

/// A table `[rows, columns]`, each column quantised between its smallest and largest value, which are kept exactly. `None` if a number
/// is not finite.
pub(super) fn table(values: &[f32], columns: usize, bits: Bits) -> Option<Value> {
    if !values.iter().all(|v| v.is_finite()) {
        return None;
    }
    let levels = match bits {
        Bits::Eight => 255.0,
        Bits::Sixteen => 65_535.0,
    };
    let mut low = vec![f64::INFINITY; columns];
    let mut high = vec![f64::NEG_INFINITY; columns];
    for row in values.chunks_exact(columns) {
        for (i, &v) in row.iter().enumerate() {
            low[i] = low[i].min(v.into());
            high[i] = high[i].max(v.into());
        }
    }
    let step: Vec<f64> = low.iter().zip(&high).map(|(l, h)| (h - l) / levels).collect();
    let mut bytes = Vec::with_capacity(values.len() * 2);
    for row in values.chunks_exact(columns) {
        for (i, &v) in row.iter().enumerate() {
            let level =
                if step[i] > 0.0 { ((f64::from(v) - low[i]) / step[i]).round() } else { 0.0 };
            match bits {
                Bits::Eight => bytes.push(level as u8),
                Bits::Sixteen => bytes.extend((level as u16).to_le_bytes()),
            }
        }
    }
    let bits = if bits == Bits::Eight { 8 } else { 16 };
    Some(json!({ "bits": bits, "low": low, "step": step, "data": STANDARD.encode(bytes) }))
}

/// Indices below [`MAX_INDEX`], as 16 bits each.
pub(super) fn indices(values: &[usize]) -> Value {
    let bytes: Vec<u8> = values.iter().flat_map(|&v| (v as u16).to_le_bytes()).collect();
    STANDARD.encode(bytes).into()
}

/// Numbers as IEEE 754 binary16, rounded to nearest; `None` if one is not finite after rounding.
pub(super) fn halves(values: &[f32]) -> Option<Value> {
    let mut bytes = Vec::with_capacity(values.len() * 2);
    for &v in values {
        let half = f16::from_f32(v);
        if !half.is_finite() {
            return None;
        }
        bytes.extend(half.to_le_bytes());
    }
    Some(STANDARD.encode(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(packed: &Value) -> Vec<u8> {
        STANDARD.decode(packed.as_str().unwrap()).unwrap()
    }

    #[test]
    fn quantised_numbers_are_within_half_a_step_and_ends_are_exact() {
        // Columns: a wide range, one value, a small range.
        let values: Vec<f32> = (0..300)
            .map(|i| match i % 3 {
                0 => (i as f32 * 0.7).sin() * 100.0,
                1 => 5.0,
                _ => i as f32 * 1e-6,
            })
            .collect();
        for (bits, width) in [(Bits::Eight, 1), (Bits::Sixteen, 2)] {
            let packed = table(&values, 3, bits).unwrap();
            let data = bytes(&packed["data"]);
            assert_eq!(data.len(), values.len() * width);
            for (i, &v) in values.iter().enumerate() {
                let level = match bits {
                    Bits::Eight => f64::from(data[i]),
                    Bits::Sixteen => f64::from(u16::from_le_bytes([data[2 * i], data[2 * i + 1]])),
                };
                let [low, step] = ["low", "step"].map(|k| packed[k][i % 3].as_f64().unwrap());
                let off = (low + level * step - f64::from(v)).abs();
                assert!(off <= step * 0.500_1 + 1e-12, "{v}: {off} of {step}");
            }
        }
        assert_eq!(table(&[1.0, f32::NAN], 2, Bits::Eight), None);
    }

    #[test]
    fn halves_are_rounded_to_nearest_and_never_infinite() {
        let packed = bytes(&halves(&[1.0, -2.5, 65_504.0, 0.1]).unwrap());
        assert_eq!(packed[..6], [0x00, 0x3c, 0x00, 0xc1, 0xff, 0x7b]);
        assert_eq!(packed[6..], [0x66, 0x2e], "0.1 is 0x2e66");
        assert_eq!(halves(&[70_000.0]), None);
        assert_eq!(halves(&[f32::NAN]), None);
    }

    #[test]
    fn indices_are_little_endian() {
        assert_eq!(bytes(&indices(&[1, 258])), [1, 0, 2, 1]);
    }
}
