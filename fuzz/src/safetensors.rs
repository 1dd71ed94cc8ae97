//! Changes of a safetensors file: a header in JSON after its length, and the numbers of the tensors. Of a checkpoint, the progress of training is changed too,
//! and its checksum, which may be missing, left out.

use latents_random::Stream;
use serde_json::{Map, Value, json};

use crate::{index, mangle, mangle_text, number, pick};

const TYPES: [&str; 12] =
    ["F32", "F64", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL", "F8_E4M3", "F4"];
const NAMES: [&str; 5] = ["", "a.weight", "encoder.0.weight", "decoder.0.bias", "__metadata__"];
const NOTES: &str = "__metadata__";
/// Most bytes that the tensors are filled up to.
const MOST: u64 = 1 << 12;

/// Changes a file.
pub fn change(file: &[u8], random: &mut Stream) -> Option<Vec<u8>> {
    let length = usize::try_from(u64::from_le_bytes(file.get(..8)?.try_into().ok()?)).ok()?;
    let end = length.checked_add(8).filter(|&end| end <= file.len())?;
    let mut header: Map<String, Value> = serde_json::from_slice(&file[8..end]).ok()?;
    let mut numbers = file[end..].to_vec();
    match random.below(6) {
        0 => mangle(&mut numbers),
        1 | 2 => change_note(header.get_mut(NOTES)?.as_object_mut()?, random)?,
        _ => change_tensor(&mut header, random)?,
    }
    if random.below(4) > 0 {
        lay_out(&mut header, &mut numbers);
    }
    let header = Value::Object(header).to_string();
    Some([&(header.len() as u64).to_le_bytes(), header.as_bytes(), &numbers].concat())
}

fn change_tensor(header: &mut Map<String, Value>, random: &mut Stream) -> Option<()> {
    let names: Vec<String> = header.keys().filter(|name| *name != NOTES).cloned().collect();
    let name = &names[index(names.len(), random)?];
    match random.below(6) {
        0 => drop(header.remove(name)),
        1 => {
            let tensor = header.get(name)?.clone();
            header.insert(pick(&NAMES, random).into(), tensor);
        }
        2 => *header.get_mut(name)?.get_mut("dtype")? = pick(&TYPES, random).into(),
        3 => {
            let offsets = header.get_mut(name)?.get_mut("data_offsets")?.as_array_mut()?;
            let at = index(offsets.len(), random)?;
            offsets[at] = json!(number(random) as u64);
        }
        _ => {
            let shape = header.get_mut(name)?.get_mut("shape")?.as_array_mut()?;
            match (random.below(3), index(shape.len(), random)) {
                (0, Some(at)) => drop(shape.remove(at)),
                (1, Some(at)) => shape[at] = json!(number(random) as u64),
                _ => shape.push(1.into()),
            }
        }
    }
    Some(())
}

/// Changes a text that the file carries. If it is a table in JSON, a value of it.
fn change_note(notes: &mut Map<String, Value>, random: &mut Stream) -> Option<()> {
    let names: Vec<String> = notes.keys().cloned().collect();
    let note = &mut notes[&names[index(names.len(), random)?]];
    let mut text = note.as_str()?.to_owned();
    match serde_json::from_str::<Map<String, Value>>(&text) {
        Ok(mut table) if random.below(8) > 0 => {
            table.remove("crc");
            let names: Vec<String> = table.keys().cloned().collect();
            let value = &mut table[&names[index(names.len(), random)?]];
            *value = match (random.below(6), &*value) {
                (0, _) => Value::Null,
                (1, _) => json!(number(random) as u64),
                (2, _) => json!([number(random) as f64 / 3.0, number(random)]),
                (_, Value::String(text)) => {
                    let mut text = text.clone();
                    mangle_text(&mut text);
                    text.into()
                }
                (3, _) => json!(f64::MAX),
                _ => json!(number(random)),
            };
            text = Value::Object(table).to_string();
        }
        _ => mangle_text(&mut text),
    }
    *note = text.into();
    Some(())
}

/// Gives each tensor the bytes that its type and shape say, one after the other.
fn lay_out(header: &mut Map<String, Value>, numbers: &mut Vec<u8>) {
    let mut at = 0;
    for (_, tensor) in header.iter_mut().filter(|(name, _)| *name != NOTES) {
        let Some(tensor) = tensor.as_object_mut() else { return };
        let Some(shape) = tensor.get("shape").and_then(Value::as_array) else { return };
        let width = match tensor.get("dtype").and_then(Value::as_str) {
            Some("F64" | "I64") => 8,
            Some("F32" | "I32") => 4,
            Some("F16" | "BF16" | "I16") => 2,
            _ => 1,
        };
        let mut axes = shape.iter().map(|axis| axis.as_u64().unwrap_or(0));
        let size = axes.try_fold(width, |size: u64, axis| size.checked_mul(axis));
        let Some(end) = size.and_then(|size| size.checked_add(at)).filter(|&end| end <= MOST)
        else {
            return;
        };
        tensor.insert("data_offsets".into(), json!([at, end]));
        at = end;
    }
    numbers.resize(at as usize, 0x3f);
}
