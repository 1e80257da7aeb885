//! The conditions of x86-64 branches, evaluated from a saved flags register.
//!
//! A trap that stands in for a branch finds the flags as the branch would have found them; [`Condition::holds`] says
//! whether it would have been taken.

use serde::Serialize;

/// When a branch is taken. The first sixteen are in the order of the condition codes in the instruction encoding:
/// each even one is followed by its opposite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// `jo`: OF.
    Overflow,
    /// `jno`: not OF.
    NoOverflow,
    /// `jb`: CF.
    Below,
    /// `jae`: not CF.
    AboveOrEqual,
    /// `je`: ZF.
    Equal,
    /// `jne`: not ZF.
    NotEqual,
    /// `jbe`: CF or ZF.
    BelowOrEqual,
    /// `ja`: neither CF nor ZF.
    Above,
    /// `js`: SF.
    Sign,
    /// `jns`: not SF.
    NoSign,
    /// `jp`: PF.
    Parity,
    /// `jnp`: not PF.
    NoParity,
    /// `jl`: SF is not OF.
    Less,
    /// `jge`: SF is OF.
    GreaterOrEqual,
    /// `jle`: ZF, or SF is not OF.
    LessOrEqual,
    /// `jg`: not ZF, and SF is OF.
    Greater,
    /// `jmp`.
    Always,
}

const CARRY: u64 = 1 << 0;
const PARITY: u64 = 1 << 2;
const ZERO: u64 = 1 << 6;
const SIGN: u64 = 1 << 7;
const OVERFLOW: u64 = 1 << 11;

impl Condition {
    /// All conditional ones, by condition code.
    pub const BY_CODE: [Condition; 16] = [
        Condition::Overflow,
        Condition::NoOverflow,
        Condition::Below,
        Condition::AboveOrEqual,
        Condition::Equal,
        Condition::NotEqual,
        Condition::BelowOrEqual,
        Condition::Above,
        Condition::Sign,
        Condition::NoSign,
        Condition::Parity,
        Condition::NoParity,
        Condition::Less,
        Condition::GreaterOrEqual,
        Condition::LessOrEqual,
        Condition::Greater,
    ];

    /// The low four bits of the branch's opcode; `None` for [`Condition::Always`].
    pub fn code(self) -> Option<u8> {
        (self != Condition::Always).then_some(self as u8)
    }

    /// Whether a branch on this condition is taken with these flags.
    pub fn holds(self, rflags: u64) -> bool {
        let set = |flag| rflags & flag != 0;
        match self {
            Condition::Overflow => set(OVERFLOW),
            Condition::NoOverflow => !set(OVERFLOW),
            Condition::Below => set(CARRY),
            Condition::AboveOrEqual => !set(CARRY),
            Condition::Equal => set(ZERO),
            Condition::NotEqual => !set(ZERO),
            Condition::BelowOrEqual => set(CARRY) || set(ZERO),
            Condition::Above => !set(CARRY) && !set(ZERO),
            Condition::Sign => set(SIGN),
            Condition::NoSign => !set(SIGN),
            Condition::Parity => set(PARITY),
            Condition::NoParity => !set(PARITY),
            Condition::Less => set(SIGN) != set(OVERFLOW),
            Condition::GreaterOrEqual => set(SIGN) == set(OVERFLOW),
            Condition::LessOrEqual => set(ZERO) || set(SIGN) != set(OVERFLOW),
            Condition::Greater => !set(ZERO) && set(SIGN) == set(OVERFLOW),
            Condition::Always => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The flags for which each condition holds, among all 32 combinations of the five flags; combination `n` has CF
    /// in bit 0, PF in bit 1, ZF in bit 2, SF in bit 3 and OF in bit 4 of `n`. From the processor manual's table.
    const TRUTH: [u32; 16] = [
        0xffff_0000, // o
        0x0000_ffff, // no
        0xaaaa_aaaa, // b
        0x5555_5555, // ae
        0xf0f0_f0f0, // e
        0x0f0f_0f0f, // ne
        0xfafa_fafa, // be
        0x0505_0505, // a
        0xff00_ff00, // s
        0x00ff_00ff, // ns
        0xcccc_cccc, // p
        0x3333_3333, // np
        0x00ff_ff00, // l
        0xff00_00ff, // ge
        0xf0ff_fff0, // le
        0x0f00_000f, // g
    ];

    fn flags(combination: u32) -> u64 {
        [CARRY, PARITY, ZERO, SIGN, OVERFLOW]
            .iter()
            .enumerate()
            .filter(|(bit, _)| combination & (1 << bit) != 0)
            .map(|(_, flag)| flag)
            .sum()
    }

    #[test]
    fn does_each_condition_hold_for_exactly_the_flags_of_the_manual() {
        for (code, condition) in Condition::BY_CODE.into_iter().enumerate() {
            assert_eq!(condition.code(), Some(code as u8));
            let held = (0..32).filter(|n| condition.holds(flags(*n))).map(|n| 1 << n).sum::<u32>();
            assert_eq!(held, TRUTH[code], "{condition:?}");
        }
    }

    #[test]
    fn do_flags_that_no_branch_looks_at_change_nothing() {
        let others = !(CARRY | PARITY | ZERO | SIGN | OVERFLOW);
        for condition in Condition::BY_CODE {
            for combination in 0..32 {
                let flags = flags(combination);
                assert_eq!(condition.holds(flags), condition.holds(flags | others), "{condition:?}");
            }
        }
    }

    #[test]
    fn is_a_jump_always_taken() {
        assert!((0..32).all(|n| Condition::Always.holds(flags(n))));
        assert_eq!(Condition::Always.code(), None);
    }
}
