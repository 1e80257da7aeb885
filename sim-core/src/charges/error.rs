//! What can be wrong with a charge file.

use super::symbol::SymbolMistake;
use crate::profile::ProfileError;

/// Why a charge file was refused. `origin` is the file, `key` the place in it, such as `charges[2].symbol`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
#[ignore_extra_doc_attributes]
pub enum ChargeError {
    /// {origin}: cannot be read: {reason}; expected the path of a charge file
    Unreadable {
        /// Where.
        origin: String,
        /// What the system said.
        reason: String,
    },
    /// {origin}: `{key}` is "{symbol}": {mistake}
    Symbol {
        /// Where.
        origin: String,
        /// Path of the key.
        key: String,
        /// What stands there.
        symbol: String,
        /// What is wrong with it.
        mistake: SymbolMistake,
    },
    /// {origin}: `{second}` charges `{symbol}`, as `{first}` does; remove one, or let each name another `object`
    Duplicate {
        /// Where.
        origin: String,
        /// The symbol of both.
        symbol: String,
        /// Path of the earlier charge.
        first: String,
        /// Path of the later one.
        second: String,
    },
    /// {0}
    ///
    /// The file is not JSON, a field is missing, unknown or of the wrong kind, or a cost makes no sense.
    Value(#[from] ProfileError),
}
