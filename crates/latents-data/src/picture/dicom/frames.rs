//! The fragments of a frame, and frames that are stored by run lengths.

use std::ops::Range;

/// The fragments of a frame: one for each, all for the only one, or those between two offsets of the table.
pub(super) fn parts_of<'f>(
    frame: usize,
    frames: usize,
    offsets: &[u8],
    fragments: &'f [Range<usize>],
) -> Result<&'f [Range<usize>], String> {
    if fragments.len() == frames {
        return Ok(&fragments[frame..=frame]);
    }
    if frames == 1 {
        return Ok(fragments);
    }
    let offset = |i: usize| {
        let bytes = offsets.get(4 * i..4 * i + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
    };
    // Offsets count from the head, of 8 bytes, of the first fragment.
    let first = fragments[0].start;
    let at = |offset: usize| fragments.iter().position(|part| part.start == first + offset);
    let missing = || format!("it is damaged: the fragments of frame {frame} are not known");
    let start = offset(frame).and_then(at).ok_or_else(missing)?;
    let end = if frame + 1 == frames {
        fragments.len()
    } else {
        offset(frame + 1).and_then(at).ok_or_else(missing)?
    };
    fragments.get(start..end).filter(|parts| !parts.is_empty()).ok_or_else(missing)
}

/// Decodes a frame of run lengths (PS3.5, annex G) to planes of samples that start with their highest byte.
pub(super) fn run_lengths(
    frame: &[u8],
    pixels: usize,
    samples: usize,
    width: usize,
) -> Result<Vec<u8>, String> {
    let number = |i: usize| -> Option<usize> {
        let bytes = frame.get(4 * i..4 * i + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
    };
    let segments = samples * width;
    if number(0) != Some(segments) {
        return Err(format!("it is damaged: a frame has not {segments} segments"));
    }
    let mut planes = vec![0; pixels * segments];
    for segment in 0..segments {
        let end = if segment + 1 == segments { Some(frame.len()) } else { number(segment + 2) };
        let bytes = number(segment + 1).zip(end).and_then(|(start, end)| frame.get(start..end));
        let bytes = unpacked(bytes.ok_or("it is damaged: a segment is missing")?, pixels);
        if bytes.len() != pixels {
            return Err("it is cut short".into());
        }
        let (sample, byte) = (segment / width, segment % width);
        let plane = &mut planes[sample * pixels * width..][..pixels * width];
        for (to, from) in plane.iter_mut().skip(byte).step_by(width).zip(bytes) {
            *to = from;
        }
    }
    Ok(planes)
}

/// Up to `most` bytes of a segment in the coding `PackBits`.
pub(super) fn unpacked(mut segment: &[u8], most: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(most);
    while let [head, rest @ ..] = segment
        && bytes.len() < most
    {
        let left = most - bytes.len();
        let (repeated, taken) = match (*head, rest) {
            (0..=127, _) => (1, rest.len().min(usize::from(*head) + 1)),
            (129.., [_, ..]) => (257 - usize::from(*head), 1),
            _ => (0, 0),
        };
        if repeated == 1 {
            bytes.extend(&rest[..taken.min(left)]);
        } else if repeated > 1 {
            bytes.resize(bytes.len() + repeated.min(left), rest[0]);
        }
        segment = &rest[taken..];
    }
    bytes
}
