//! What a matrix consists of, from names and patterns.

use glob::Pattern;
use sim_core::profile::Arch;

use crate::case::{BundledCase, CaseError, CaseSpec, Runtime, nearest_case};
use crate::device::programs::Mode;

/// Cases, runtimes and generations; an empty list stands for all of them.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The generations.
    pub archs: Vec<Arch>,
    /// The runtimes.
    pub runtimes: Vec<Runtime>,
    /// Patterns for names of bundled cases, or paths of case files.
    pub cases: Vec<String>,
    /// Cases that are expected to fail, too.
    pub with_faults: bool,
}

/// One run of a matrix.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The generation.
    pub arch: Arch,
    /// The runtime.
    pub runtime: Runtime,
    /// The case.
    pub case: CaseSpec,
}

/// Why there is no such matrix.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum SelectionError {
    /// {0}
    Case(#[from] CaseError),
    /// `{pattern}` is no pattern: {reason}
    Pattern {
        /// What was written.
        pattern: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// no bundled case matches `{pattern}`; the nearest is `{nearest}`
    NoCase {
        /// What was written.
        pattern: String,
        /// The case that is most like it.
        nearest: String,
    },
    /// every case that matches `{pattern}` is expected to fail; add --faults to run it
    FaultsAlone {
        /// What was written.
        pattern: String,
    },
}

impl Selection {
    /// The runs: by generation, by runtime, by case in the order of `npusim list`.
    pub fn entries(&self) -> Result<Vec<Entry>, SelectionError> {
        let archs = if self.archs.is_empty() { Arch::ALL.to_vec() } else { without_repeats(&self.archs) };
        let runtimes = if self.runtimes.is_empty() { Runtime::ALL.to_vec() } else { without_repeats(&self.runtimes) };
        let cases = self.cases()?;
        let mut entries = Vec::new();
        for arch in archs {
            for runtime in &runtimes {
                entries.extend(cases.iter().map(|case| Entry { arch, runtime: *runtime, case: case.clone() }));
            }
        }
        Ok(entries)
    }

    fn cases(&self) -> Result<Vec<CaseSpec>, SelectionError> {
        let (files, patterns): (Vec<_>, Vec<_>) = self.cases.iter().partition(|case| CaseSpec::is_file(case));
        let mut chosen = vec![self.cases.is_empty(); BundledCase::ALL.len()];
        for text in patterns {
            let pattern = Pattern::new(text)
                .map_err(|error| SelectionError::Pattern { pattern: text.clone(), reason: error.msg })?;
            let matching: Vec<usize> =
                (0..BundledCase::ALL.len()).filter(|index| pattern.matches(BundledCase::ALL[*index].name)).collect();
            if matching.is_empty() {
                return Err(SelectionError::NoCase { pattern: text.clone(), nearest: nearest_case(text).to_owned() });
            }
            let mut runs = false;
            for index in matching {
                chosen[index] = true;
                runs = runs || self.runs(&CaseSpec::bundled(BundledCase::ALL[index].name)?);
            }
            if !runs {
                return Err(SelectionError::FaultsAlone { pattern: text.clone() });
            }
        }
        let mut cases = Vec::new();
        for (case, _) in BundledCase::ALL.iter().zip(chosen).filter(|(_, chosen)| *chosen) {
            cases.push(CaseSpec::bundled(case.name)?);
        }
        cases.retain(|case| self.runs(case));
        // Whoever names a file wants that file.
        for file in files {
            cases.push(CaseSpec::find(file)?);
        }
        Ok(cases)
    }

    /// Whether a case is part of the matrix. Those that are too large to be computed are only for who names them.
    fn runs(&self, case: &CaseSpec) -> bool {
        (self.with_faults || case.expected_failure.is_none())
            && (!self.cases.is_empty() || case.mode == Mode::Functional)
    }
}

fn without_repeats<T: Copy + PartialEq>(names: &[T]) -> Vec<T> {
    let mut once = Vec::new();
    for name in names {
        if !once.contains(name) {
            once.push(*name);
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(cases: &[&str], with_faults: bool) -> Result<Vec<String>, String> {
        let selection = Selection {
            archs: vec![Arch::A5],
            runtimes: vec![Runtime::HostBuildGraph, Runtime::HostBuildGraph],
            cases: cases.iter().map(|case| (*case).to_owned()).collect(),
            with_faults,
        };
        let entries = selection.entries().map_err(|error| error.to_string())?;
        Ok(entries.into_iter().map(|entry| entry.case.name).collect())
    }

    #[test]
    fn which_cases_does_a_pattern_choose() {
        assert_eq!(selected(&["flood*", "bgemm", "bgemm"], false).unwrap(), ["bgemm", "flood", "flood_2000"]);
        assert_eq!(selected(&["?hain", "*_write"], true).unwrap(), ["chain", "null_write"]);
    }

    #[test]
    fn are_cases_that_fail_on_purpose_left_out_unless_they_are_asked_for() {
        let all = selected(&[], false).unwrap();
        assert_eq!(all.len(), 30);
        assert!(!all.contains(&"ring_full".to_owned()));
        assert_eq!(selected(&[], true).unwrap().len(), 36);
        assert_eq!(
            selected(&["ring_*"], false).unwrap_err(),
            "every case that matches `ring_*` is expected to fail; add --faults to run it"
        );
    }

    #[test]
    fn does_a_pattern_that_matches_nothing_name_the_nearest_case() {
        assert_eq!(selected(&["flod"], false).unwrap_err(), "no bundled case matches `flod`; the nearest is `flood`");
        assert_eq!(selected(&["a[b"], false).unwrap_err(), "`a[b` is no pattern: invalid range pattern");
    }

    #[test]
    fn is_the_whole_matrix_every_case_on_every_runtime_for_every_generation() {
        let entries = Selection::default().entries().unwrap();
        assert_eq!(entries.len(), 2 * 3 * 30);
        let last = entries.last().unwrap();
        assert_eq!(
            (last.arch, last.runtime, last.case.name.as_str()),
            (Arch::A5, Runtime::HostBuildGraph, "gelu_stream")
        );
    }

    #[test]
    fn are_cases_that_are_too_large_to_compute_left_out_unless_they_are_named() {
        let all = selected(&[], true).unwrap();
        assert!(all.contains(&"gemm".to_owned()) && !all.contains(&"gemm_6144".to_owned()));
        assert_eq!(selected(&["gemm_6*"], false).unwrap(), ["gemm_6144"]);
    }
}
