//! Names of what a program consists of, and the file that hands them to the viewers.

use serde::{Serialize, Serializer};
use sim_core::trace::ContentHash;

/// The names of one program: its orchestration and its kernels.
#[derive(Clone, Debug, Default)]
pub struct ProgramNames {
    /// Name of the orchestration, if it has one.
    pub orchestrator: Option<String>,
    /// The kernels by ascending id.
    pub kernels: Vec<KernelName>,
}

/// One kernel of a program.
#[derive(Clone, Debug)]
pub struct KernelName {
    /// The id under which tasks refer to it.
    pub id: i32,
    /// Its bytes.
    pub content: ContentHash,
    /// Its name.
    pub name: String,
}

impl ProgramNames {
    /// The name of the kernel with these bytes. Where several ids share them, the one that the task asked for.
    pub fn kernel(&self, content: ContentHash, task_kernels: [i32; 3]) -> Option<&str> {
        let candidates = || self.kernels.iter().filter(|kernel| kernel.content == content);
        let asked_for = candidates().find(|kernel| task_kernels.contains(&kernel.id));
        asked_for.or_else(|| candidates().next()).map(|kernel| kernel.name.as_str())
    }
}

/// A task id as people read it: `t5` in ring 0, `r2t5` in ring 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskLabel(pub u64);

impl std::fmt::Display for TaskLabel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.0 >> 32, self.0 as u32) {
            (0, local) => write!(f, "t{local}"),
            (ring, local) => write!(f, "r{ring}t{local}"),
        }
    }
}

/// The content of `name_map_<case>.json`.
#[derive(Serialize)]
pub struct NameMap<'a> {
    /// 2: names of what runs on one chip.
    level: u8,
    orchestrator_name: Option<&'a str>,
    #[serde(serialize_with = "by_id")]
    callable_id_to_name: &'a [KernelName],
}

impl<'a> NameMap<'a> {
    /// The map of a program's names.
    pub fn new(names: &'a ProgramNames) -> Self {
        let orchestrator_name = names.orchestrator.as_deref();
        NameMap { level: 2, orchestrator_name, callable_id_to_name: &names.kernels }
    }

    /// The file's name: whatever in `case` is not a letter, digit, `-`, `_` or `.` becomes `_`.
    pub fn file_name(case: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        format!("name_map_{}.json", case.chars().map(plain).collect::<String>())
    }
}

fn by_id<S: Serializer>(kernels: &[KernelName], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(kernels.iter().map(|kernel| (kernel.id.to_string(), &kernel.name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn what_does_the_name_map_say() {
        let json = serde_json::to_string(&NameMap::new(&fixture::names())).unwrap();
        assert_eq!(json, r#"{"level":2,"orchestrator_name":"chain3","callable_id_to_name":{"0":"add","1":"matmul"}}"#);
    }

    #[test]
    fn can_a_case_name_leave_the_directory() {
        assert_eq!(NameMap::file_name("../cases/my case.json"), "name_map_.._cases_my_case.json.json");
    }

    #[test]
    fn does_the_task_decide_between_kernels_of_the_same_bytes() {
        let mut names = fixture::names();
        names.kernels.push(KernelName { id: 7, content: fixture::ADD, name: "add_again".into() });
        assert_eq!(names.kernel(fixture::ADD, [-1, 7, -1]), Some("add_again"));
        assert_eq!(names.kernel(fixture::ADD, [-1, -1, -1]), Some("add"));
        assert_eq!(names.kernel(ContentHash(1), [0, 1, 2]), None);
    }

    #[test]
    fn how_are_task_ids_shown() {
        assert_eq!([TaskLabel(5).to_string(), TaskLabel(2 << 32 | 5).to_string()], ["t5", "r2t5"]);
    }
}
