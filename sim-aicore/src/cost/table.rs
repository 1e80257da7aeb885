//! Costs of kernels by name.

use std::collections::BTreeMap;

use serde_json::Value;
use sim_core::profile::{Confidence, Entry, ProfileError, Sourced};
use sim_core::time::{Frequency, SimDuration};

/// What named kernels cost, whatever the size of their tensors.
///
/// Each cost is stated like a value of a profile, `{"kernel_add": {"value": 2.1, "unit": "us", "source": "…"}}`, in
/// units of time or in cycles of the AICore. One that states no confidence is a placeholder.
#[derive(Clone, Debug, Default)]
pub struct KernelTable {
    costs: BTreeMap<String, Sourced<SimDuration>>,
}

impl KernelTable {
    /// Reads the text of a file, which errors call `origin`, for cores of this clock.
    pub fn from_json(origin: &str, text: &str, clock: Frequency) -> Result<Self, ProfileError> {
        let json = serde_json::from_str(text)
            .map_err(|error| ProfileError::NotJson { origin: origin.to_owned(), reason: error.to_string() })?;
        KernelTable::from_value(origin, &json, clock)
    }

    /// Reads a table that is part of the file `origin`, for cores of this clock.
    pub fn from_value(origin: &str, json: &Value, clock: Frequency) -> Result<Self, ProfileError> {
        let Value::Object(kernels) = json else {
            return Err(ProfileError::malformed(origin, ".", json, "an object with a cost per kernel name"));
        };
        let costs = kernels.iter().map(|(name, json)| {
            let entry = Entry::from_json(origin, name, json, Some(Confidence::Placeholder))?;
            Ok((name.clone(), entry.core_duration(clock)?))
        });
        Ok(KernelTable { costs: costs.collect::<Result<_, _>>()? })
    }

    /// What the kernel `name` costs, if the table knows.
    pub fn get(&self, name: &str) -> Option<SimDuration> {
        self.find(name).map(|cost| cost.value)
    }

    /// The same, with who says so.
    pub fn find(&self, name: &str) -> Option<&Sourced<SimDuration>> {
        self.costs.get(name)
    }

    /// Every cost by kernel name, sorted, with who says so.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Sourced<SimDuration>)> {
        self.costs.iter().map(|(name, cost)| (name.as_str(), cost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<KernelTable, ProfileError> {
        KernelTable::from_json("costs.json", text, Frequency::from_hz(1_850_000_000).unwrap())
    }

    #[test]
    fn are_costs_exact_in_time_and_in_cycles() {
        let table = table(
            r#"{"mul": {"value": 12438, "unit": "cycle", "source": "x", "confidence": "simulated"},
                "add": {"value": 2.1, "unit": "us", "source": "x"}, "empty": {"value": 0, "unit": "ns", "source": "x"}}"#,
        )
        .unwrap();
        let costs: Vec<_> = table.iter().map(|(name, cost)| (name, cost.as_ps(), cost.confidence)).collect();
        assert_eq!(
            costs,
            [
                ("add", 2_100_000, Confidence::Placeholder),
                ("empty", 0, Confidence::Placeholder),
                ("mul", 6_723_243, Confidence::Simulated),
            ]
        );
        assert_eq!(table.get("sub"), None);
    }

    #[test]
    fn does_each_mistake_get_an_error_that_names_file_and_kernel() {
        for (text, message) in [
            ("{", "costs.json: not JSON: EOF while parsing an object at line 1 column 1"),
            ("7", "costs.json: `.` is 7, expected an object with a cost per kernel name"),
            (r#"{"add": 7}"#, "costs.json: `add` is 7, expected an object with value, unit, source and confidence"),
            (
                r#"{"add": {"value": 2, "unit": "parsec", "source": "x"}}"#,
                "costs.json: `add` has the unit `parsec`, expected a span of time in ps, ns, us, ms, s or cycle",
            ),
            (
                r#"{"add": {"value": -2, "unit": "us", "source": "x"}}"#,
                "costs.json: `add` = -2 us is out of range, expected a time from zero to 213 days",
            ),
            (r#"{"add": {"value": 2, "unit": "us"}}"#, "costs.json: `add.source` is missing, expected who says so"),
            (
                r#"{"add": {"value": "2", "unit": "us", "source": "x"}}"#,
                r#"costs.json: `add.value` is "2", expected a number"#,
            ),
            (
                r#"{"add": {"valu": 2, "unit": "us", "source": "x"}}"#,
                "costs.json: no key `add.valu`; the nearest is `add.value`",
            ),
        ] {
            assert_eq!(table(text).unwrap_err().to_string(), message);
        }
    }
}
