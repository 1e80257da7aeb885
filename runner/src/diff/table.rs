//! A difference on a terminal.

use std::fmt;

use super::compare::{Change, Difference, Group, Rise};

/// A difference as a table: of each group what has changed, the largest change first.
pub struct DifferenceTable<'a> {
    /// What was compared.
    pub difference: &'a Difference,
    /// What the reports are called.
    pub titles: [&'a str; 2],
    /// How many lines a group has at most.
    pub most: usize,
}

impl fmt::Display for DifferenceTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [before, after] = self.titles;
        writeln!(f, "before: {before}\nafter:  {after}")?;
        let changed = |change: &&Change| change.before != change.after;
        if !self.difference.changes.iter().any(|change| changed(&change)) {
            return writeln!(f, "no virtual time differs");
        }
        for group in Group::ALL {
            let of_group = || self.difference.changes.iter().filter(move |change| change.group == group);
            let count = of_group().filter(changed).count();
            if count == 0 {
                continue;
            }
            writeln!(f, "{}", group.name())?;
            for change in of_group().filter(changed).take(self.most) {
                let [before, after] = [change.before, change.after].map(|time| time.to_string());
                writeln!(
                    f,
                    "  {:<28} {before:>14} {after:>14} {:>12}",
                    change.name,
                    RiseText(change.rise).to_string()
                )?;
            }
            if count > self.most {
                writeln!(f, "  and {} more", count - self.most)?;
            }
        }
        Ok(())
    }
}

struct RiseText(Rise);

impl fmt::Display for RiseText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Rise::New => f.write_str("new"),
            Rise::By(thousandths) => write!(f, "{:+.2} %", thousandths as f64 / 1e3),
        }
    }
}
