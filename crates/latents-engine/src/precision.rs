//! The numbers that products of convolutions and linear layers are computed in.

/// The numbers that the products of convolutions and linear layers are computed in. Results depend on it, but not on how a machine computes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// The numbers of the engine.
    #[default]
    Full,
    /// Products of numbers that are rounded to bfloat16 (8 bits of precision, the range of `f32`), in layers that are large enough; their sums and everything else (normalisation, losses, parameters, the optimiser) are
    /// as before. Much faster on processors with AMX ([`crate::Isa::Amx`]), slower on all others, which compute the same bits in `f32`.
    Bf16,
}
