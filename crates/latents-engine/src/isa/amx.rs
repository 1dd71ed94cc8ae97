//! Whether this process may use Intel's Advanced Matrix Extensions: the processor has them, and the system saves them and permits their use.

#![allow(unsafe_code)]

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count};
use std::sync::LazyLock;

/// Whether the processor has tiles of bfloat16 and the system lets this process use them. The first call asks the system.
pub(crate) fn is_available() -> bool {
    static AVAILABLE: LazyLock<bool> = LazyLock::new(|| has_tiles() && saves_tiles() && permit());
    *AVAILABLE
}

/// Whether the processor has them, and rounds to bfloat16.
fn has_tiles() -> bool {
    const TILES: u32 = 1 << 24;
    const BF16: u32 = 1 << 22;
    // The function that says which others there are is available on every x86-64.
    __cpuid(0).eax >= 7
        && __cpuid_count(7, 0).edx & (TILES | BF16) == TILES | BF16
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512bf16")
}

/// Whether the system keeps them when it changes threads.
fn saves_tiles() -> bool {
    const KNOWS: u32 = 1 << 27;
    const TILES: u32 = 0b11 << 17;
    if __cpuid(1).ecx & KNOWS == 0 {
        return false;
    }
    let enabled: u32;
    // SAFETY: the system has set the bit of `xgetbv`; register 0 always exists.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") enabled, out("edx") _, options(nomem, nostack));
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
