//! Products of tiles by Intel's Advanced Matrix Extensions. The compiler's own functions for them are not stable yet, so this is written in assembly; one block holds a whole sum, so
//! nothing that the compiler does can come between its instructions.

#![allow(unsafe_code)]

use std::arch::asm;
use std::arch::x86_64::{
    __m512, __m512i, _CMP_NLT_UQ, _mm512_abs_ps, _mm512_cmp_ps_mask, _mm512_cvtne2ps_pbh,
    _mm512_maskz_mov_ps, _mm512_permutex2var_epi64, _mm512_permutexvar_epi16, _mm512_set1_ps,
    _mm512_setr_epi64, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32,
    _mm512_unpacklo_epi64,
};

use super::machine::{Block, Machine, TileWork};
use crate::bfloat16::{HALF, Pair, SIDE, SMALLEST, Step, Tile, TileShape};
use crate::simd::LANES;

/// The shapes of the eight tiles.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// Tiles in registers; dropping it empties them.
pub(crate) struct Amx(());

/// Runs work on tiles.
///
/// # Safety
/// [`crate::isa::amx::is_available`].
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(crate) unsafe fn run(shape: TileShape, work: impl TileWork) {
    let mut shapes =
        Shapes { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
    let (rows, pairs) = (shape.rows as u8, shape.pairs as u8);
    // Four tiles of sums, two of the left side, two of the right one.
    shapes.rows[..8].copy_from_slice(&[rows, rows, rows, rows, rows, rows, pairs, pairs]);
    shapes.row_bytes[..8].fill(64);
    shapes.row_bytes[4..6].fill(4 * u16::from(pairs));
    // SAFETY: the caller's promise; the shapes are those that the instruction reads. Dropping `Amx` empties the tiles.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const shapes, options(nostack, readonly)) };
    work.run(&mut Amx(()));
}

impl Drop for Amx {
    fn drop(&mut self) {
        // SAFETY: there is an `Amx` only inside `run`.
        unsafe { asm!("tilerelease", options(nomem, nostack)) };
    }
}

/// Rounds two rows to bfloat16, the first into the lower half.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn round(first: &[f32; LANES], second: &[f32; LANES]) -> __m512i {
    let flushed = |row: &[f32; LANES]| {
        // SAFETY: both sides are plain data of 64 bytes.
        let row: __m512 = unsafe { std::mem::transmute(*row) };
        // A NaN is not less than anything.
        let kept = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(_mm512_abs_ps(row), _mm512_set1_ps(SMALLEST));
        _mm512_maskz_mov_ps(kept, row)
    };
    // SAFETY: both sides are plain data of 64 bytes.
    unsafe { std::mem::transmute(_mm512_cvtne2ps_pbh(flushed(second), flushed(first))) }
}

/// The pairs of 16 rows, with rows and columns exchanged.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn transpose(rows: &[[f32; LANES]; SIDE]) -> [__m512i; HALF] {
    // The pairs of rows i and i + 8. Quarters of a vector are exchanged like single vectors of four pairs.
    let both: [__m512i; 8] = std::array::from_fn(|i| round(&rows[i], &rows[i + 8]));
    // Of four rows each: pairs 0 and 4, 1 and 5, 2 and 6, 3 and 7.
    let fours = |i: usize| {
        let [a, b, c, d] = [both[i], both[i + 1], both[i + 2], both[i + 3]];
        let (low, high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let others = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        [
            _mm512_unpacklo_epi64(low, others.0),
            _mm512_unpackhi_epi64(low, others.0),
            _mm512_unpacklo_epi64(high, others.1),
            _mm512_unpackhi_epi64(high, others.1),
        ]
    };
    let (first, second) = (fours(0), fours(4));
    let even = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
    let odd = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
    std::array::from_fn(|j| {
        let order = if j < 4 { even } else { odd };
        _mm512_permutex2var_epi64(first[j % 4], order, second[j % 4])
    })
}

/// The pairs of one number from each row.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn zip(first: &[f32; LANES], second: &[f32; LANES]) -> __m512i {
    // SAFETY: both sides are plain data of 64 bytes.
    let places: __m512i = unsafe { std::mem::transmute(ZIPPED) };
    _mm512_permutexvar_epi16(places, round(first, second))
}

/// For each 16-bit number of two rows in pairs, its place when the rows follow each other.
const ZIPPED: [u16; 2 * LANES] = {
    let mut places = [0; 2 * LANES];
    let mut i = 0;
    while i < LANES {
        places[2 * i] = i as u16;
        places[2 * i + 1] = (LANES + i) as u16;
        i += 1;
    }
    places
};

/// The four sums of a block over its steps. `$load` loads tiles and multiplies them for the offsets in `{a}` and `{b}`, with `{t}` to compute addresses in.
macro_rules! sum {
    ($steps:expr, $sums:expr, $keep:expr, [$($load:literal,)*], $($name:ident = $pointer:expr,)*) => {
        asm!(
            "test {t:e}, {t:e}",
            "jnz 4f",
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "jmp 2f",
            "4:",
            "tileloadd tmm0, [{sums} + {row}]",
            "tileloadd tmm1, [{sums} + {row} + 1024]",
            "tileloadd tmm2, [{sums} + {row} + 2048]",
            "tileloadd tmm3, [{sums} + {row} + 3072]",
            "2:",
            "cmp {step}, {end}",
            "je 3f",
            "movsxd {a}, dword ptr [{step}]",
            "movsxd {b}, dword ptr [{step} + 4]",
            $($load,)*
            "add {step}, 8",
            "jmp 2b",
            "3:",
            "tilestored [{sums} + {row}], tmm0",
            "tilestored [{sums} + {row} + 1024], tmm1",
            "tilestored [{sums} + {row} + 2048], tmm2",
            "tilestored [{sums} + {row} + 3072], tmm3",
            t = inout(reg) usize::from($keep) => _,
            step = inout(reg) $steps.as_ptr_range().start => _,
            end = in(reg) $steps.as_ptr_range().end,
            sums = in(reg) $sums,
            row = in(reg) 64_usize,
            a = out(reg) _,
            b = out(reg) _,
            $($name = in(reg) $pointer,)*
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack)
        )
    };
}

impl Machine for Amx {
    #[inline(always)]
    fn neighbours(&self, first: &[f32; LANES], second: &[f32; LANES]) -> [Pair; LANES] {
        // SAFETY: an `Amx` is used only inside `run`; both sides of a transmute are plain data of 64 bytes.
        unsafe { std::mem::transmute(round(first, second)) }
    }

    #[inline(always)]
    fn zip(&self, first: &[f32; LANES], second: &[f32; LANES]) -> [Pair; LANES] {
        // SAFETY: an `Amx` is used only inside `run`; both sides of a transmute are plain data of 64 bytes.
        unsafe { std::mem::transmute(zip(first, second)) }
    }

    #[inline(always)]
    fn transpose(&self, rows: &[[f32; LANES]; SIDE]) -> [[Pair; SIDE]; HALF] {
        // SAFETY: an `Amx` is used only inside `run`; both sides of a transmute are plain data of the same size.
        unsafe { std::mem::transmute(transpose(rows)) }
    }

    #[inline(always)]
    unsafe fn sum(&mut self, block: &Block, steps: &[Step], sums: &mut [Tile; 4], keep: bool) {
        let sums = sums.as_mut_ptr();
        // SAFETY: the caller's promise: every tile of every step is readable. The tiles of this thread are prepared.
        unsafe {
            match *block {
                Block::Square([a0, a1], [b0, b1]) => sum!(
                    steps,
                    sums,
                    keep,
                    [
                        "lea {t}, [{b0} + {b}]",
                        "tileloadd tmm6, [{t} + {row}]",
                        "lea {t}, [{a0} + {a}]",
                        "tileloadd tmm4, [{t} + {row}]",
                        "lea {t}, [{b1} + {b}]",
                        "tileloadd tmm7, [{t} + {row}]",
                        "tdpbf16ps tmm0, tmm4, tmm6",
                        "lea {t}, [{a1} + {a}]",
                        "tileloadd tmm5, [{t} + {row}]",
                        "tdpbf16ps tmm1, tmm4, tmm7",
                        "tdpbf16ps tmm2, tmm5, tmm6",
                        "tdpbf16ps tmm3, tmm5, tmm7",
                    ],
                    a0 = a0,
                    a1 = a1,
                    b0 = b0,
                    b1 = b1,
                ),
                Block::Tall([a0, a1, a2, a3], b0) => sum!(
                    steps,
                    sums,
                    keep,
                    [
                        "lea {t}, [{b0} + {b}]",
                        "tileloadd tmm6, [{t} + {row}]",
                        "lea {t}, [{a0} + {a}]",
                        "tileloadd tmm4, [{t} + {row}]",
                        "lea {t}, [{a1} + {a}]",
                        "tileloadd tmm5, [{t} + {row}]",
                        "tdpbf16ps tmm0, tmm4, tmm6",
                        "lea {t}, [{a2} + {a}]",
                        "tileloadd tmm4, [{t} + {row}]",
                        "tdpbf16ps tmm1, tmm5, tmm6",
                        "lea {t}, [{a3} + {a}]",
                        "tileloadd tmm5, [{t} + {row}]",
                        "tdpbf16ps tmm2, tmm4, tmm6",
                        "tdpbf16ps tmm3, tmm5, tmm6",
                    ],
                    a0 = a0,
                    a1 = a1,
                    a2 = a2,
                    a3 = a3,
                    b0 = b0,
                ),
                Block::Wide(a0, [b0, b1, b2, b3]) => sum!(
                    steps,
                    sums,
                    keep,
                    [
                        "lea {t}, [{a0} + {a}]",
                        "tileloadd tmm4, [{t} + {row}]",
                        "lea {t}, [{b0} + {b}]",
                        "tileloadd tmm6, [{t} + {row}]",
                        "lea {t}, [{b1} + {b}]",
                        "tileloadd tmm7, [{t} + {row}]",
                        "tdpbf16ps tmm0, tmm4, tmm6",
                        "lea {t}, [{b2} + {b}]",
                        "tileloadd tmm6, [{t} + {row}]",
                        "tdpbf16ps tmm1, tmm4, tmm7",
                        "lea {t}, [{b3} + {b}]",
                        "tileloadd tmm7, [{t} + {row}]",
                        "tdpbf16ps tmm2, tmm4, tmm6",
                        "tdpbf16ps tmm3, tmm4, tmm7",
                    ],
                    a0 = a0,
                    b0 = b0,
                    b1 = b1,
                    b2 = b2,
                    b3 = b3,
                ),
            }
        }
    }
}
