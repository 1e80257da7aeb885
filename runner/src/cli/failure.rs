//! What a command that failed says.

use std::fmt;

use crate::run::exit::ExitStatus;

/// One line of what went wrong, what is known beyond it, and how the process ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// How the process ends.
    pub(super) status: ExitStatus,
    /// What went wrong, where, and what to do about it.
    pub(super) message: String,
    /// What each actor was waiting for, a line each.
    pub(super) details: Vec<String>,
}

impl Failure {
    /// Something that was asked for is not possible.
    pub(super) fn input(error: impl fmt::Display) -> Self {
        Failure { status: ExitStatus::BadInput, message: error.to_string(), details: Vec::new() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Messages that were written over several lines of source are one line here.
        let words: Vec<&str> = self.message.split_whitespace().collect();
        write!(f, "npusim: {}", words.join(" "))?;
        self.details.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_failure_one_line_with_details_below() {
        let failure = Failure {
            status: ExitStatus::Deadlock,
            message: "nothing\n  goes on".to_owned(),
            details: vec!["aic0 waits".to_owned(), "aic1 waits".to_owned()],
        };
        assert_eq!(failure.to_string(), "npusim: nothing goes on\n  aic0 waits\n  aic1 waits");
    }
}
