//! How a charge names a function, and which symbols that means.
//!
//! There are three spellings, from the most to the least exact; where several charges fit a symbol, the most exact one
//! counts:
//!
//! 1. What begins with `_Z` is a mangled symbol, and means only itself.
//! 2. A qualified name with template arguments, `AsyncWaitList::poll_and_complete<false>`, means all overloads of that
//!    instance.
//! 3. A qualified name without them, `PTO2OrchestratorState::submit_task`, means all overloads and all instances. A
//!    symbol that is not mangled is its own name, so this is also how functions of C are named.
//!
//! Namespaces and classes belong to the name, results, parameters and `const` do not, and blanks count for nothing.

use std::fmt;

use cpp_demangle::DemangleOptions;
use serde::Serialize;

use crate::loader::symbols::demangled;

/// A function, as a charge names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(into = "String")]
pub struct Spelling {
    written: String,
    pub(super) key: Key,
}

/// What a symbol is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// The symbol itself.
    Mangled(String),
    /// Its qualified name with template arguments.
    Instance(String),
    /// Its qualified name without them.
    Name(String),
}

/// Why a text names no function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, displaydoc::Display)]
pub enum SymbolMistake {
    /// expected a function's name, such as `PTO2OrchestratorState::submit_task`
    Empty,
    /// names have no parameters and mean all overloads; leave them out, or give the mangled symbol of one
    Parameters,
    /// no mangled symbol of C++; copy one from `nm -D`, or give the function's qualified name
    NotMangled,
}

impl Spelling {
    /// Reads a symbol or a name.
    pub fn parse(text: &str) -> Result<Spelling, SymbolMistake> {
        let written = text.trim();
        let key = if written.is_empty() {
            return Err(SymbolMistake::Empty);
        } else if written.starts_with("_Z") {
            cpp_demangle::Symbol::new(written).map_err(|_| SymbolMistake::NotMangled)?;
            Key::Mangled(written.to_owned())
        } else {
            let instance = without_blanks(written);
            if instance.replace(ANONYMOUS, "").replace("operator()", "").contains('(') {
                return Err(SymbolMistake::Parameters);
            }
            let name = without_blanks(&without_template_arguments(written));
            if name == instance { Key::Name(name) } else { Key::Instance(instance) }
        };
        Ok(Spelling { written: written.to_owned(), key })
    }

    /// As the file has it.
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

impl fmt::Display for Spelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.written)
    }
}

impl From<Spelling> for String {
    fn from(spelling: Spelling) -> String {
        spelling.written
    }
}

/// An anonymous namespace in a name, less its blank.
const ANONYMOUS: &str = "(anonymousnamespace)";

/// The keys that mean `symbol`, from the most exact one.
pub(super) fn keys_of(symbol: &str) -> [Key; 3] {
    let qualified = qualified_name(symbol);
    let instance = without_blanks(&qualified);
    let name = without_blanks(&without_template_arguments(&qualified));
    [Key::Mangled(symbol.to_owned()), Key::Instance(instance), Key::Name(name)]
}

/// The name of a symbol's function with namespaces and classes; the symbol, if it is not one of C++.
pub(super) fn qualified_name(symbol: &str) -> String {
    let options = DemangleOptions::default().no_params().no_return_type();
    demangled(symbol, &options).unwrap_or_else(|| symbol.to_owned())
}

fn without_blanks(name: &str) -> String {
    name.split_whitespace().collect()
}

/// `A<int>::f<B<0>>` becomes `A::f`. The signs of operators stay; a blank ends them.
fn without_template_arguments(name: &str) -> String {
    let mut bare = String::new();
    let mut depth = 0_usize;
    for letter in name.chars() {
        let of_operator = depth == 0
            && ["operator", "operator<", "operator<=", "operator-", "operator>"]
                .iter()
                .any(|operator| bare.ends_with(operator));
        match letter {
            '<' if !of_operator => depth += 1,
            '>' if !of_operator && depth > 0 => depth -= 1,
            _ if depth == 0 => bare.push(letter),
            _ => {}
        }
    }
    bare
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The poll of a5's and a2a3's runtime, an instance of a template.
    const POLL: &str =
        "_ZN13AsyncWaitList17poll_and_completeILb0EEE15AsyncPollResultP23AICoreCompletionMailboxP18PTO2SchedulerState";

    #[test]
    fn is_a_qualified_name_free_of_results_parameters_and_const() {
        for (symbol, name) in [
            ("_Z8read_regm5RegId", "read_reg"),
            ("_ZNK7Runtime13get_gm_sm_ptrEv", "Runtime::get_gm_sm_ptr"),
            (POLL, "AsyncWaitList::poll_and_complete<false>"),
            ("_ZN12_GLOBAL__N_118graph_submit_outerEi", "(anonymous namespace)::graph_submit_outer"),
            ("_ZN13AicpuExecutor12load_orch_soEimmPKcS1_i", "AicpuExecutor::load_orch_so"),
            ("_ZlsIiEvRK1AT_", "operator<< <int>"),
            ("aicpu_execute", "aicpu_execute"),
            ("f", "f"),
        ] {
            assert_eq!(qualified_name(symbol), name);
        }
    }

    #[test]
    fn does_a_name_mean_every_overload_and_a_mangled_symbol_only_itself() {
        let means = |text: &str, symbol: &str| keys_of(symbol).contains(&Spelling::parse(text).unwrap().key);
        for symbol in ["_ZN1A1fEv", "_ZN1A1fEi", "_ZNK1A1fEi"] {
            assert!(means("A::f", symbol), "{symbol}");
            assert_eq!(means("_ZN1A1fEv", symbol), symbol == "_ZN1A1fEv");
        }
        assert!(means("malloc", "malloc"));
        for (text, symbol) in [("f", "_ZN1A1fEv"), ("A::f", "_ZN1B1A1fEv"), ("A::f", "_ZN1A2ffEv"), ("A", "_ZN1A1fEv")]
        {
            assert!(!means(text, symbol), "{text} {symbol}");
        }
    }

    #[test]
    fn does_a_name_without_template_arguments_mean_every_instance() {
        let means = |text: &str| keys_of(POLL).contains(&Spelling::parse(text).unwrap().key);
        assert!(means("AsyncWaitList::poll_and_complete"));
        assert!(means("AsyncWaitList::poll_and_complete<false>"));
        assert!(means("AsyncWaitList :: poll_and_complete< false >"));
        assert!(!means("AsyncWaitList::poll_and_complete<true>"));
    }

    #[test]
    fn do_operators_keep_their_signs_without_template_arguments() {
        for (name, bare) in [
            ("A<int>::f<B<0>>", "A::f"),
            ("A<int>::operator<< <B<1> >", "A::operator<< "),
            ("A<int>::operator->", "A::operator->"),
            ("operator<=>", "operator<=>"),
            ("operator>>", "operator>>"),
            ("A::operator()", "A::operator()"),
        ] {
            assert_eq!(without_template_arguments(name), bare);
        }
    }

    #[test]
    fn is_a_text_that_names_no_function_refused() {
        for (text, mistake) in [
            ("", SymbolMistake::Empty),
            (" ", SymbolMistake::Empty),
            ("A::f()", SymbolMistake::Parameters),
            ("A::f(int) const", SymbolMistake::Parameters),
            ("_Znonsense", SymbolMistake::NotMangled),
        ] {
            assert_eq!(Spelling::parse(text), Err(mistake), "{text}");
        }
        for text in ["(anonymous namespace)::f", "A::operator()", "_Z1fi", "main"] {
            assert_eq!(Spelling::parse(text).unwrap().as_str(), text);
        }
    }
}
