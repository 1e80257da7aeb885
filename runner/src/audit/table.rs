//! The audit as a terminal shows it.

use std::fmt;

use sim_core::loader::symbols::printable;

use super::{Audit, AuditedObject, JudgedFinding};

/// The table of an audit.
#[derive(Clone, Copy, Debug)]
pub struct AuditTable<'a> {
    /// What was audited.
    pub subject: &'a str,
    /// What is shown.
    pub audit: &'a Audit,
}

impl fmt::Display for AuditTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Audit { objects, findings, unused } = self.audit;
        let refused = self.audit.refused().count();
        let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let allowed = findings.len() - refused;
        writeln!(
            f,
            "{}: {}, {}, {allowed} of them allowed",
            self.subject,
            count(objects.len(), "object"),
            count(findings.len(), "finding")
        )?;
        let width = objects.iter().map(|object| object.name.len()).max().unwrap_or(0).max("object".len());
        writeln!(f, "\n{:<width$}  {:>7}  served by", "object", "imports")?;
        for AuditedObject { name, bindings, .. } in objects {
            let Some(bindings) = bindings else {
                writeln!(f, "{name:<width$}  {:>7}  not looked at", "-")?;
                continue;
            };
            let imports: usize = bindings.values().map(Vec::len).sum();
            let by: Vec<_> =
                bindings.iter().map(|(provider, symbols)| format!("{provider} {}", symbols.len())).collect();
            writeln!(f, "{name:<width$}  {imports:>7}  {}", by.join(", "))?;
        }
        if !findings.is_empty() {
            let width = |longest: usize, heading: &str| longest.max(heading.len());
            let keys =
                width(findings.iter().map(|finding| finding.key.to_string().len()).max().unwrap_or(0), "finding");
            let names = width(findings.iter().map(|finding| finding.finding.object.len()).max().unwrap_or(0), "object");
            writeln!(f, "\n{:<keys$}  {:<names$}  provider", "finding", "object")?;
            for JudgedFinding { finding, key, allowed } in findings {
                let allowed = if *allowed { " (allowed)" } else { "" };
                let key = key.to_string();
                let (key, object, provider) =
                    (printable(&key), printable(&finding.object), printable(&finding.provider));
                writeln!(f, "{key:<keys$}  {object:<names$}  {provider}{allowed}")?;
            }
        }
        for unused in unused {
            write!(f, "\nallowed and not found: {}", unused.key)?;
            match &unused.nearest {
                Some(nearest) => writeln!(f, "; the nearest finding is {nearest}")?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}
