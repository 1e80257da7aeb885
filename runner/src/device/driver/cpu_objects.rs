//! AICPU functions: the lists that say which function is in which object, the functions that the host has asked for,
//! and the objects that the AICPU has loaded.
//!
//! The host's side knows the list alone. Whether the object is in the preinstall directory, and has the function, turns
//! out on the AICPU, when the first task begins.

use std::collections::BTreeMap;

use serde::Deserialize;
use sim_core::loader::namespace::ObjectId;
use sim_hbm::DevicePtr;

use super::error::DriverError;
use super::handles::{HandleKind, Handles};

/// Where a function is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::device) struct CpuFunction {
    /// The object's name in the preinstall directory.
    pub(in crate::device) object: String,
    /// The function's symbol.
    pub(in crate::device) symbol: String,
}

/// An object that the AICPU has loaded. It stays until the device is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::device) struct LoadedCpuObject {
    /// In the namespace.
    pub(in crate::device) object: ObjectId,
    /// What it occupies.
    pub(in crate::device) block: DevicePtr,
}

/// The lists and objects of a context.
pub(in crate::device) struct CpuObjects {
    lists: Handles<BTreeMap<String, CpuFunction>>,
    functions: Handles<HandedOut>,
    loaded: BTreeMap<String, LoadedCpuObject>,
}

/// A function that the host has a handle of.
#[derive(Clone, Debug)]
struct HandedOut {
    list: u64,
    function: CpuFunction,
}

/// An entry of a list, as CANN writes it: `"op": {"opInfo": {"kernelSo": "lib.so", "functionName": "f"}}`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedOp {
    op_info: OpInfo,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OpInfo {
    kernel_so: String,
    function_name: String,
}

impl Default for CpuObjects {
    fn default() -> Self {
        CpuObjects {
            lists: Handles::new(HandleKind::CpuBinary),
            functions: Handles::new(HandleKind::CpuFunction),
            loaded: BTreeMap::new(),
        }
    }
}

/// The functions that a list names.
pub(super) fn parse_list(path: &str, text: &[u8]) -> Result<BTreeMap<String, CpuFunction>, DriverError> {
    let bad = |reason: String| DriverError::BadList { path: path.to_owned(), reason };
    let ops: BTreeMap<String, ListedOp> = serde_json::from_slice(text).map_err(|error| bad(error.to_string()))?;
    if ops.is_empty() {
        return Err(bad("it names no function".to_owned()));
    }
    let function = |op: ListedOp| CpuFunction { object: op.op_info.kernel_so, symbol: op.op_info.function_name };
    Ok(ops.into_iter().map(|(name, op)| (name, function(op))).collect())
}

impl CpuObjects {
    /// Takes in the text of a list.
    pub(in crate::device) fn add_list(&mut self, path: &str, text: &[u8]) -> Result<u64, DriverError> {
        Ok(self.lists.add(parse_list(path, text)?))
    }

    /// Forgets a list and the functions that were handed out from it. Objects stay.
    pub(in crate::device) fn remove_list(&mut self, list: u64) -> Result<(), DriverError> {
        self.lists.remove(list).ok_or(DriverError::NoSuchHandle { kind: "list of AICPU functions", handle: list })?;
        self.functions.retain(|function| function.list != list);
        Ok(())
    }

    /// A handle of a function by its name in the list.
    pub(in crate::device) fn hand_out(&mut self, list: u64, name: &str) -> Result<u64, DriverError> {
        let kind = "list of AICPU functions";
        let names = self.lists.get(list).ok_or(DriverError::NoSuchHandle { kind, handle: list })?;
        let Some(function) = names.get(name) else {
            let nearest = names.keys().min_by_key(|known| strsim::damerau_levenshtein(known, name));
            let nearest = nearest.map_or_else(String::new, |known| format!("; did you mean `{known}`?"));
            return Err(DriverError::invalid(format!("the list names no function `{name}`{nearest}")));
        };
        let function = function.clone();
        Ok(self.functions.add(HandedOut { list, function }))
    }

    pub(in crate::device) fn function(&self, handle: u64) -> Result<CpuFunction, DriverError> {
        let found = self.functions.get(handle).map(|handed| handed.function.clone());
        found.ok_or(DriverError::NoSuchHandle { kind: "AICPU function", handle })
    }

    /// The object of that name, if the AICPU has loaded it.
    pub(in crate::device) fn loaded(&self, name: &str) -> Option<LoadedCpuObject> {
        self.loaded.get(name).copied()
    }

    pub(in crate::device) fn add_loaded(&mut self, name: &str, object: LoadedCpuObject) {
        self.loaded.insert(name.to_owned(), object);
    }

    /// Forgets everything; gives what the AICPU has loaded.
    pub(in crate::device) fn take_all(&mut self) -> Vec<LoadedCpuObject> {
        drop(self.lists.take_all());
        drop(self.functions.take_all());
        std::mem::take(&mut self.loaded).into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &[u8] =
        br#"{"run": {"opInfo": {"kernelSo": "a.so", "functionName": "f", "opKernelLib": "AICPUKernel"}}}"#;

    fn message<T>(result: Result<T, DriverError>) -> (i32, String) {
        result.map(drop).map_err(|error| (error.code() as i32, error.to_string())).unwrap_err()
    }

    #[test]
    fn is_a_function_found_by_its_name_in_the_list() {
        let mut objects = CpuObjects::default();
        let list = objects.add_list("l.json", LIST).unwrap();
        let handle = objects.hand_out(list, "run").unwrap();
        let function = CpuFunction { object: "a.so".to_owned(), symbol: "f".to_owned() };
        assert_eq!(objects.function(handle).unwrap(), function);
        assert_eq!(
            message(objects.hand_out(list, "rum")),
            (107_000, "the list names no function `rum`; did you mean `run`?".to_owned())
        );
        objects.remove_list(list).unwrap();
        assert_eq!(message(objects.function(handle)).0, 107_017);
        assert_eq!(message(objects.remove_list(list)).0, 107_017);
    }

    #[test]
    fn is_a_list_that_is_none_refused_with_its_place() {
        let refusal = |text: &[u8]| message(parse_list("l.json", text));
        let cannot = "\"l.json\" cannot be read as a list of AICPU functions";
        assert_eq!(refusal(b"{}"), (107_009, format!("{cannot}: it names no function")));
        assert_eq!(refusal(b""), (107_009, format!("{cannot}: EOF while parsing a value at line 1 column 0")));
        assert_eq!(
            refusal(br#"{"run": {"opInfo": {"kernelSo": "a.so"}}}"#),
            (107_009, format!("{cannot}: missing field `functionName` at line 1 column 39"))
        );
    }
}
