//! The instruction sets that the kernels are compiled for, and their detection.

#[cfg(target_arch = "x86_64")]
pub(crate) mod amx;

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// The instruction set that the kernels run on. The results do not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// [`Isa::Avx512`], and matrices of bfloat16 (AMX; on Linux only). Only networks in [`crate::Precision::Bf16`] are faster with it.
    Amx,
    /// 512-bit vectors (x86-64 with AVX-512 F, BW, CD, DQ and VL).
    Avx512,
    /// 256-bit vectors with fused multiply-add (x86-64 since Haswell and Zen).
    Avx2,
    /// 128-bit vectors (every 64-bit ARM).
    Neon,
    /// No explicit vectors: runs everywhere, but slowly if a fused multiply-add is a library call.
    Portable,
}

impl Isa {
    const ALL: [Isa; 5] = [Isa::Amx, Isa::Avx512, Isa::Avx2, Isa::Neon, Isa::Portable];

    /// The best instruction set of this machine.
    #[must_use]
    pub fn detect() -> Isa {
        Self::ALL.into_iter().find(|isa| isa.is_available()).unwrap_or(Isa::Portable)
    }

    /// The instruction sets of this machine, best first.
    #[must_use]
    pub fn available() -> Vec<Isa> {
        Self::ALL.into_iter().filter(|isa| isa.is_available()).collect()
    }

    /// Whether it has the vectors of AVX-512.
    pub(crate) fn has_avx512(self) -> bool {
        matches!(self, Isa::Amx | Isa::Avx512)
    }

    fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Amx => Isa::Avx512.is_available() && amx::is_available(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => pulp::x86::V4::try_new().is_some(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => pulp::x86::V3::try_new().is_some(),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => pulp::aarch64::Neon::try_new().is_some(),
            Isa::Portable => true,
            #[allow(unreachable_patterns)]
            _ => false,
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Isa::Amx => "amx",
            Isa::Avx512 => "avx512",
            Isa::Avx2 => "avx2",
            Isa::Neon => "neon",
            Isa::Portable => "portable",
        })
    }
}

impl FromStr for Isa {
    type Err = Error;

    /// Fails if the name is unknown or this machine does not have the instruction set.
    fn from_str(name: &str) -> Result<Self, Error> {
        let names = |all: &[Isa]| all.iter().map(Isa::to_string).collect::<Vec<_>>().join(", ");
        let available = Isa::available();
        available
            .iter()
            .copied()
            .find(|isa| isa.to_string() == name)
            .ok_or_else(|| Error::Isa { name: name.to_owned(), available: names(&available) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_unknown_ones_say_what_there_is() {
        for isa in Isa::available() {
            assert_eq!(isa.to_string().parse::<Isa>().unwrap(), isa);
        }
        let error = "sse9".parse::<Isa>().unwrap_err().to_string();
        assert!(error.contains("sse9") && error.contains("portable"), "{error}");
    }
}
