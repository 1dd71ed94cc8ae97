//! The elements of a DICOM file (PS3.5 and PS3.10 of the standard) that its pictures need. Tokens are read one by one and every other
//! element is skipped, so that neither a length that a file claims nor a sequence in a sequence costs memory.

use std::collections::BTreeMap;
use std::ops::Range;

use dicom_core::Tag;
use dicom_encoding::decode::BasicDecode;
use dicom_encoding::decode::basic::{BigEndianBasicDecoder, LittleEndianBasicDecoder};
use dicom_encoding::decode::explicit_be::ExplicitVRBigEndianDecoder;
use dicom_encoding::decode::explicit_le::ExplicitVRLittleEndianDecoder;
use dicom_encoding::decode::implicit_le::StandardImplicitVRLittleEndianDecoder;
use dicom_encoding::text::SpecificCharacterSet;
use dicom_parser::dataset::LazyDataToken;
use dicom_parser::dataset::lazy_read::LazyDataSetReader;
use dicom_parser::{StatefulDecode, StatefulDecoder};

use super::MAX_PAGES;

pub(super) const SAMPLES: Tag = Tag(0x0028, 0x0002);
pub(super) const PHOTOMETRIC: Tag = Tag(0x0028, 0x0004);
pub(super) const PLANAR: Tag = Tag(0x0028, 0x0006);
pub(super) const FRAMES: Tag = Tag(0x0028, 0x0008);
pub(super) const ROWS: Tag = Tag(0x0028, 0x0010);
pub(super) const COLUMNS: Tag = Tag(0x0028, 0x0011);
pub(super) const ALLOCATED: Tag = Tag(0x0028, 0x0100);
pub(super) const STORED: Tag = Tag(0x0028, 0x0101);
pub(super) const HIGH_BIT: Tag = Tag(0x0028, 0x0102);
pub(super) const SIGNED: Tag = Tag(0x0028, 0x0103);
const INTERCEPT: Tag = Tag(0x0028, 0x1052);
const SLOPE: Tag = Tag(0x0028, 0x1053);
const TRANSFER_SYNTAX: Tag = Tag(0x0002, 0x0010);
const MODALITY_TABLE: Tag = Tag(0x0028, 0x3000);
const TRANSFORMATION: Tag = Tag(0x0028, 0x9145);
const SHARED_GROUPS: Tag = Tag(0x5200, 0x9229);
const FRAME_GROUPS: Tag = Tag(0x5200, 0x9230);
const PIXELS: Tag = Tag(0x7fe0, 0x0010);

/// The elements whose values are kept.
const KEPT: [Tag; 12] = [
    SAMPLES,
    PHOTOMETRIC,
    PLANAR,
    FRAMES,
    ROWS,
    COLUMNS,
    ALLOCATED,
    STORED,
    HIGH_BIT,
    SIGNED,
    INTERCEPT,
    SLOPE,
];
/// The longest value of these, in bytes.
const MAX_VALUE: usize = 64;
/// The deepest sequence.
const MAX_DEPTH: usize = 32;
/// The offset of the first element, after the preamble and `DICM`.
const START: usize = 132;

/// How the pixels of a frame are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Plain,
    RunLengths,
    Jpeg,
}

/// The place of the pixels in the file.
pub(super) enum Pixels {
    /// All of them, from an offset on.
    Plain { start: usize, length: usize },
    /// In fragments, with a table of the offsets of frames, which may be empty.
    Fragments { offsets: Range<usize>, fragments: Vec<Range<usize>> },
}

/// Slope and intercept, as text.
type Rescale<'a> = [Option<&'a [u8]>; 2];

/// The elements of a file.
pub(super) struct Elements<'a> {
    pub(super) coding: Coding,
    /// Whether numbers start with their highest byte.
    pub(super) is_big: bool,
    pub(super) pixels: Pixels,
    values: BTreeMap<Tag, Option<&'a [u8]>>,
    shared: Rescale<'a>,
    /// Of each frame.
    frames: Vec<Rescale<'a>>,
}

/// A decoder of the elements from an offset of the file.
type Decoder<'a, D, B> = StatefulDecoder<D, &'a [u8], B, SpecificCharacterSet>;

fn decoder<D: Default, B: BasicDecode + Default>(file: &[u8], start: usize) -> Decoder<'_, D, B> {
    let (rest, text) = (file.get(start..).unwrap_or_default(), SpecificCharacterSet::default());
    StatefulDecoder::new_with_position(rest, D::default(), B::default(), text, start as u64)
}

impl<'a> Elements<'a> {
    /// Reads the elements of a file up to its pixels.
    pub(super) fn read(file: &'a [u8]) -> Result<Self, String> {
        type Little = LittleEndianBasicDecoder;
        let (syntax, start) = transfer_syntax(file)?;
        let coding = coding(&syntax)?;
        let mut found = Self {
            coding,
            is_big: syntax == "1.2.840.10008.1.2.2",
            pixels: Pixels::Fragments { offsets: 0..0, fragments: vec![] },
            values: BTreeMap::new(),
            shared: [None; 2],
            frames: vec![],
        };
        if syntax == "1.2.840.10008.1.2" {
            let decoder: Decoder<'_, StandardImplicitVRLittleEndianDecoder, Little> =
                decoder(file, start);
            found.collect(file, decoder)?;
        } else if found.is_big {
            let decoder: Decoder<'_, ExplicitVRBigEndianDecoder, BigEndianBasicDecoder> =
                decoder(file, start);
            found.collect(file, decoder)?;
        } else {
            let decoder: Decoder<'_, ExplicitVRLittleEndianDecoder, Little> = decoder(file, start);
            found.collect(file, decoder)?;
        }
        Ok(found)
    }

    fn collect(&mut self, file: &'a [u8], decoder: impl StatefulDecode) -> Result<(), String> {
        let mut tokens = LazyDataSetReader::new(decoder);
        // The sequences around the token, and the number of items of the outermost.
        let mut path: Vec<Tag> = vec![];
        let mut items = 0;
        let (mut offsets, mut fragments) = (0..0, vec![]);
        while let Some(token) = tokens.advance() {
            match token.map_err(damage)? {
                LazyDataToken::SequenceStart { tag: MODALITY_TABLE, .. } if path.is_empty() => {
                    return Err(
                        "its values need a modality lookup table, which is not supported".into()
                    );
                }
                LazyDataToken::SequenceStart { tag, .. } => path.push(tag),
                LazyDataToken::PixelSequenceStart => path.push(PIXELS),
                LazyDataToken::SequenceEnd => {
                    if path == [PIXELS] {
                        break;
                    }
                    path.pop();
                    if path.is_empty() {
                        items = 0;
                    }
                }
                LazyDataToken::ItemStart { .. } if path.len() == 1 => {
                    items += 1;
                    if path == [FRAME_GROUPS] {
                        if self.frames.len() > MAX_PAGES as usize {
                            return Err("it has too many frames".into());
                        }
                        self.frames.push([None; 2]);
                    }
                }
                LazyDataToken::LazyItemValue { len, decoder } => {
                    let range = range(decoder.position(), len, file)?;
                    decoder.skip_bytes(len).map_err(damage)?;
                    match (path == [PIXELS], items) {
                        (true, 1) => offsets = range,
                        (true, _) => fragments.push(range),
                        (false, _) => {}
                    }
                }
                LazyDataToken::LazyValue { header, decoder } => {
                    let start = decoder.position();
                    if header.tag == PIXELS && path.is_empty() {
                        let length = header.len.0 as usize;
                        self.pixels = Pixels::Plain { start: start as usize, length };
                        return Ok(());
                    }
                    if let Some(place) = self.place(header.tag, &path) {
                        let value = &file[range(start, header.len.0, file)?];
                        if value.len() > MAX_VALUE {
                            return Err(format!("it is damaged: {} is too long", header.tag));
                        }
                        *place = Some(value);
                    }
                    decoder.skip_bytes(header.len.0).map_err(damage)?;
                }
                _ => {}
            }
            if path.len() > MAX_DEPTH {
                return Err("its sequences are too deep".into());
            }
        }
        if fragments.is_empty() {
            return Err("it has no pixels, or is cut short before them".into());
        }
        self.pixels = Pixels::Fragments { offsets, fragments };
        Ok(())
    }

    /// The slot for a needed value: a value of the file, or the slope or intercept of all frames or of one frame.
    fn place(&mut self, tag: Tag, path: &[Tag]) -> Option<&mut Option<&'a [u8]>> {
        let rescale = match path {
            [] if KEPT.contains(&tag) => return Some(self.values.entry(tag).or_default()),
            [SHARED_GROUPS, TRANSFORMATION] => &mut self.shared,
            [FRAME_GROUPS, TRANSFORMATION] => self.frames.last_mut()?,
            _ => return None,
        };
        match tag {
            SLOPE => Some(&mut rescale[0]),
            INTERCEPT => Some(&mut rescale[1]),
            _ => None,
        }
    }

    /// The bytes of a value.
    pub(super) fn bytes(&self, tag: Tag) -> Option<&'a [u8]> {
        self.values.get(&tag).copied().flatten().filter(|value| !value.is_empty())
    }

    /// The number in a value of 16 bits.
    pub(super) fn number(&self, tag: Tag) -> Option<u16> {
        let &[a, b, ..] = self.bytes(tag)? else { return None };
        Some(if self.is_big { u16::from_be_bytes([a, b]) } else { u16::from_le_bytes([a, b]) })
    }

    /// A value as text, without the characters that fill it up.
    pub(super) fn text(&self, tag: Tag) -> Option<&'a str> {
        self.bytes(tag).and_then(text)
    }

    /// Whether frames may have slopes and intercepts of their own.
    pub(super) fn frames_differ(&self) -> bool {
        !self.frames.is_empty()
    }

    /// How stored values of a frame become those of the image: slope and intercept.
    pub(super) fn rescale(&self, frame: u32) -> Result<[f64; 2], String> {
        let of_file = [SLOPE, INTERCEPT].map(|tag| self.bytes(tag));
        let of_frame = self.frames.get(frame as usize).copied().unwrap_or_default();
        let mut rescale = [1.0, 0.0];
        for (i, value) in rescale.iter_mut().enumerate() {
            let Some(bytes) = of_file[i].or(of_frame[i]).or(self.shared[i]) else { continue };
            let number =
                text(bytes).and_then(|text| text.parse().ok()).filter(|x: &f64| x.is_finite());
            *value =
                number.ok_or("it is damaged: its rescale slope or intercept is not a number")?;
        }
        Ok(rescale)
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    Some(std::str::from_utf8(bytes).ok()?.trim_matches([' ', '\0']))
}

/// The transfer syntax of a file, and where the elements after its head start.
fn transfer_syntax(file: &[u8]) -> Result<(String, usize), String> {
    let decoder: Decoder<'_, ExplicitVRLittleEndianDecoder, LittleEndianBasicDecoder> =
        decoder(file, START);
    let mut tokens = LazyDataSetReader::new(decoder);
    let (mut syntax, mut end) = (None, START);
    // The elements after the head may be of another kind, so an error may only mean its end.
    while let Some(Ok(token)) = tokens.advance() {
        match token {
            LazyDataToken::ElementHeader(header) if header.tag.group() == 2 => {}
            LazyDataToken::LazyValue { header, decoder } => {
                let value = range(decoder.position(), header.len.0, file)?;
                end = value.end;
                if header.tag == TRANSFER_SYNTAX && value.len() <= MAX_VALUE {
                    syntax = text(&file[value]).map(str::to_owned);
                }
                decoder.skip_bytes(header.len.0).map_err(damage)?;
            }
            _ => break,
        }
    }
    Ok((syntax.ok_or("it is damaged: it has no transfer syntax")?, end))
}

/// How pixels are stored in files of a transfer syntax.
fn coding(syntax: &str) -> Result<Coding, String> {
    let number = syntax.strip_prefix("1.2.840.10008.1.2");
    Ok(match number.unwrap_or("other") {
        "" | ".1" | ".2" => Coding::Plain,
        ".5" => Coding::RunLengths,
        ".4.50" | ".4.51" | ".4.57" | ".4.70" => Coding::Jpeg,
        other => {
            let name = match other {
                ".1.99" => "deflated",
                ".4.80" | ".4.81" => "JPEG-LS",
                ".4.90" | ".4.91" | ".4.92" | ".4.93" => "JPEG 2000",
                ".4.201" | ".4.202" | ".4.203" => "HTJ2K",
                _ => "of an unsupported kind",
            };
            return Err(format!(
                "its transfer syntax {syntax} ({name}) is not supported; convert it to an uncompressed one, such as by `gdcmconv --raw`"
            ));
        }
    })
}

/// The bytes of a value, if the file has them.
fn range(start: u64, length: u32, file: &[u8]) -> Result<Range<usize>, String> {
    let end = start + u64::from(length);
    if end > file.len() as u64 {
        return Err("it is cut short".into());
    }
    Ok(start as usize..end as usize)
}

fn damage(error: impl std::fmt::Display) -> String {
    format!("it is damaged or of an unsupported kind: {error}")
}
