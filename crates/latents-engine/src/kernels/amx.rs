//! Products of tiles by Intel's Advanced Matrix Extensions. The compiler's own functions for them are not stable yet, so this is written in assembly; one block holds a whole sum, so
//! nothing that the compiler does can come between its instructions.

#![allow(unsafe_code)]

use std::arch::asm;
use std::sync::LazyLock;

use super::tiles::{Block, Machine, Step, Tile};

/// Whether the processor has tiles of bfloat16 and the system lets this process use them. The first call asks the system.
pub(crate) fn is_available() -> bool {
    static AVAILABLE: LazyLock<bool> = LazyLock::new(|| has_tiles() && saves_tiles() && permit());
    *AVAILABLE
}

/// Whether the processor has them.
fn has_tiles() -> bool {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    const TILES: u32 = 1 << 24;
    const BF16: u32 = 1 << 22;
    // The function that says which others there are is available on every x86-64.
    __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & (TILES | BF16) == TILES | BF16
}

/// Whether the system keeps them when it changes threads.
fn saves_tiles() -> bool {
    use std::arch::x86_64::__cpuid;
    const KNOWS: u32 = 1 << 27;
    const TILES: u32 = 0b11 << 17;
    if __cpuid(1).ecx & KNOWS == 0 {
        return false;
    }
    let enabled: u32;
    // SAFETY: the system has set the bit of `xgetbv`; register 0 always exists.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") enabled, out("edx") _, options(nomem, nostack))
    };
    enabled & TILES == TILES
}

/// Asks Linux for the right to use them, which all threads of the process then have. Other systems are not asked.
#[cfg(target_os = "linux")]
fn permit() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const REQUEST: u64 = 0x1023;
    const TILES: u64 = 18;
    let result: i64;
    // SAFETY: `arch_prctl` with this request changes nothing but the right; a kernel that does not know it returns an error.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") REQUEST,
            in("rsi") TILES,
            out("rcx") _,
            out("r11") _,
            options(nostack)
        );
    };
    result == 0
}

#[cfg(not(target_os = "linux"))]
fn permit() -> bool {
    false
}

/// The shapes of the eight tiles, all of 16 rows of 64 bytes.
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

impl Amx {
    /// Prepares the tiles of this thread.
    ///
    /// # Safety
    /// [`is_available`], and the value stays in this thread.
    pub(crate) unsafe fn new() -> Amx {
        let mut shapes = Shapes {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        shapes.row_bytes[..8].fill(64);
        shapes.rows[..8].fill(16);
        // SAFETY: the caller's promise; the shapes are those that the instruction reads.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const shapes, options(nostack, readonly)) };
        Amx(())
    }
}

impl Drop for Amx {
    fn drop(&mut self) {
        // SAFETY: the tiles were available in `new`.
        unsafe { asm!("tilerelease", options(nomem, nostack)) };
    }
}

/// The four sums of a block over its steps. `$load` loads tiles and multiplies them for the offsets in `{a}` and `{b}`, with `{t}` to compute addresses in.
macro_rules! sum {
    ($steps:expr, $sums:expr, [$($load:literal,)*], $($name:ident = $pointer:expr,)*) => {
        asm!(
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
            t = out(reg) _,
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
    unsafe fn sum(&mut self, block: &Block, steps: &[Step], sums: &mut [Tile; 4]) {
        let sums = sums.as_mut_ptr();
        // SAFETY: the caller's promise: every tile of every step is readable. The tiles of this thread are prepared.
        unsafe {
            match *block {
                Block::Square([a0, a1], [b0, b1]) => sum!(
                    steps,
                    sums,
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
                    [
                        "lea {t}, [{b0} + {b}]",
                        "tileloadd tmm7, [{t} + {row}]",
                        "lea {t}, [{a0} + {a}]",
                        "tileloadd tmm4, [{t} + {row}]",
                        "lea {t}, [{a1} + {a}]",
                        "tileloadd tmm5, [{t} + {row}]",
                        "tdpbf16ps tmm0, tmm4, tmm7",
                        "lea {t}, [{a2} + {a}]",
                        "tileloadd tmm6, [{t} + {row}]",
                        "tdpbf16ps tmm1, tmm5, tmm7",
                        "lea {t}, [{a3} + {a}]",
                        "tileloadd tmm4, [{t} + {row}]",
                        "tdpbf16ps tmm2, tmm6, tmm7",
                        "tdpbf16ps tmm3, tmm4, tmm7",
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
                    [
                        "lea {t}, [{a0} + {a}]",
                        "tileloadd tmm7, [{t} + {row}]",
                        "lea {t}, [{b0} + {b}]",
                        "tileloadd tmm4, [{t} + {row}]",
                        "lea {t}, [{b1} + {b}]",
                        "tileloadd tmm5, [{t} + {row}]",
                        "tdpbf16ps tmm0, tmm7, tmm4",
                        "lea {t}, [{b2} + {b}]",
                        "tileloadd tmm6, [{t} + {row}]",
                        "tdpbf16ps tmm1, tmm7, tmm5",
                        "lea {t}, [{b3} + {b}]",
                        "tileloadd tmm4, [{t} + {row}]",
                        "tdpbf16ps tmm2, tmm7, tmm6",
                        "tdpbf16ps tmm3, tmm7, tmm4",
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
