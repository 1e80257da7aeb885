//! What is different between two texts, line by line.

use std::fmt;

/// Lines around a change that are shown, too.
const CONTEXT: usize = 2;

/// A line of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    Same(String),
    Gone(String),
    New(String),
}

/// The lines of two texts: `-` only in the first, `+` only in the second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineDifference {
    lines: Vec<Line>,
}

impl LineDifference {
    /// The difference; none if the texts are equal.
    pub fn between(before: &str, after: &str) -> Option<Self> {
        if before == after {
            return None;
        }
        let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
        let common = common_tails(&before, &after);
        let mut lines = Vec::new();
        let (mut at, mut to) = (0, 0);
        while at < before.len() || to < after.len() {
            if at < before.len() && to < after.len() && before[at] == after[to] {
                lines.push(Line::Same(before[at].to_owned()));
                (at, to) = (at + 1, to + 1);
            } else if at < before.len() && (to == after.len() || common[at + 1][to] >= common[at][to + 1]) {
                lines.push(Line::Gone(before[at].to_owned()));
                at += 1;
            } else {
                lines.push(Line::New(after[to].to_owned()));
                to += 1;
            }
        }
        Some(LineDifference { lines })
    }
}

/// How many lines the rest of one text and the rest of the other have in common, in order, by where the rests begin.
fn common_tails(before: &[&str], after: &[&str]) -> Vec<Vec<u32>> {
    let mut common = vec![vec![0; after.len() + 1]; before.len() + 1];
    for at in (0..before.len()).rev() {
        for to in (0..after.len()).rev() {
            common[at][to] = if before[at] == after[to] {
                common[at + 1][to + 1] + 1
            } else {
                common[at + 1][to].max(common[at][to + 1])
            };
        }
    }
    common
}

impl fmt::Display for LineDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changed: Vec<usize> =
            (0..self.lines.len()).filter(|at| !matches!(self.lines[*at], Line::Same(_))).collect();
        let is_near = |at: usize| changed.iter().any(|change| change.abs_diff(at) <= CONTEXT);
        let mut skipped = false;
        for (at, line) in self.lines.iter().enumerate() {
            let (mark, text) = match line {
                Line::Same(text) if is_near(at) => (' ', text),
                Line::Same(_) => {
                    skipped = true;
                    continue;
                }
                Line::Gone(text) => ('-', text),
                Line::New(text) => ('+', text),
            };
            if std::mem::take(&mut skipped) {
                writeln!(f, "  ...")?;
            }
            writeln!(f, "{}", format_args!("{mark} {text}").to_string().trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_changed_lines_shown_with_what_stands_around_them() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n";
        let shown = |after| LineDifference::between(before, after).map(|difference| difference.to_string());
        assert_eq!(shown(before), None);
        assert_eq!(shown("1\n2\n3\n4\nfive\n6\n7\n8\n").unwrap(), "  ...\n  3\n  4\n- 5\n+ five\n  6\n  7\n");
        assert_eq!(shown("1\n2\n3\n4\n5\n6\n7\n8\n9\n").unwrap(), "  ...\n  7\n  8\n+ 9\n");
        assert_eq!(shown("3\n4\n5\n6\n7\n8\n").unwrap(), "- 1\n- 2\n  3\n  4\n");
    }
}
