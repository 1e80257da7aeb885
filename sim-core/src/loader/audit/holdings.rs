//! What objects hold of their process: libraries that they opened, file descriptors, temporary files.
//!
//! What a guest opens does not pass through the loader, so it is found by comparing: [`Watch::before`] is called before an
//! object is loaded, and [`Watch::gone`] when it is gone. Whatever came in between and is still there is a leak, if the
//! object imports a function that opens such things. What nobody's imports explain is told of the object that was there
//! for longest, which is the first.
//!
//! Descriptors, and the libraries in the namespace that the program began with, are those of the whole process: two devices
//! at once would be told of each other's. [`WatchScope`] says whether they are looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::super::elf::Elf;
use super::super::image::CodeImage;
use super::super::imports::ImportSlots;
use super::super::link;
use super::super::namespace::{Namespace, ObjectId};
use super::bindings::file_name;
use super::temporary_names::TemporaryNames;
use super::{Finding, FindingKind};

/// Functions that open libraries.
const OPEN_LIBRARIES: [&str; 2] = ["dlmopen", "dlopen"];

/// Functions that open descriptors. libstdc++'s streams do it inside of it.
const OPEN_DESCRIPTORS: &[&str] = &[
    "_ZNSt13basic_filebufIcSt11char_traitsIcEE4openEPKcSt13_Ios_Openmode",
    "_ZNSt14basic_ifstreamIcSt11char_traitsIcEE4openEPKcSt13_Ios_Openmode",
    "_ZNSt14basic_ofstreamIcSt11char_traitsIcEE4openEPKcSt13_Ios_Openmode",
    "_ZNSt14basic_ifstreamIcSt11char_traitsIcEEC1EPKcSt13_Ios_Openmode",
    "_ZNSt14basic_ofstreamIcSt11char_traitsIcEEC1EPKcSt13_Ios_Openmode",
    "creat",
    "dup",
    "dup2",
    "dup3",
    "epoll_create",
    "epoll_create1",
    "eventfd",
    "fdopen",
    "fopen",
    "fopen64",
    "inotify_init",
    "inotify_init1",
    "memfd_create",
    "mkostemp",
    "mkostemp64",
    "mkostemps",
    "mkstemp",
    "mkstemp64",
    "mkstemps",
    "mkstemps64",
    "open",
    "open64",
    "openat",
    "openat64",
    "opendir",
    "pipe",
    "pipe2",
    "popen",
    "shm_open",
    "signalfd",
    "socket",
    "socketpair",
    "timerfd_create",
    "tmpfile",
    "tmpfile64",
];

/// What the process and the namespace hold at one time.
#[derive(Clone, Debug, Default)]
pub struct Holdings {
    /// Descriptors, and what they are of.
    descriptors: BTreeMap<i32, String>,
    /// Libraries by load address.
    libraries: BTreeMap<usize, PathBuf>,
}

impl Holdings {
    fn of(namespace: &Namespace, scope: WatchScope) -> Holdings {
        let of_process = scope == WatchScope::Process;
        // The dynamic linker tells by the return address who opens something. For an initialiser that ends with the call
        // that is itself, and what is opened lands in the namespace of the process.
        let outside = if of_process { link::objects_of_process() } else { Vec::new() };
        let linked = namespace.linked().into_iter().chain(outside);
        Holdings {
            descriptors: if of_process { descriptors() } else { BTreeMap::new() },
            libraries: linked.map(|object| (object.load_address, object.path)).collect(),
        }
    }
}

/// Where leaks are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchScope {
    /// In the namespace of the device, and among the temporary files of its objects: other devices of the process may be
    /// at work.
    Namespace,
    /// In the whole process, which has no other device.
    Process,
}

/// Compares what is held before and after an object.
#[derive(Debug)]
pub struct Watch {
    scope: WatchScope,
    objects: Vec<Watched>,
    /// What has been told already.
    told: Holdings,
}

#[derive(Debug)]
struct Watched {
    id: ObjectId,
    before: Holdings,
    files: Option<TemporaryNames>,
}

impl Watch {
    /// Nothing was loaded yet.
    pub fn new(scope: WatchScope) -> Watch {
        Watch { scope, objects: Vec::new(), told: Holdings::default() }
    }

    /// To be called before an object is loaded; what it gives is for [`Watch::loaded`].
    pub fn before(&self, namespace: &Namespace) -> Holdings {
        Holdings::of(namespace, self.scope)
    }

    /// An object was loaded. From now on the temporary files that it makes are noted.
    pub fn loaded(&mut self, namespace: &Namespace, id: ObjectId, before: Holdings) {
        let files = namespace.object(id).and_then(|object| {
            let slots = ImportSlots::parse(&object.image.name, &object.bytes).ok()?;
            // SAFETY: the object was just loaded there and nobody runs its code yet; its thunks stay until it is gone.
            unsafe { TemporaryNames::of(&slots, object.load_address) }.ok()
        });
        self.objects.push(Watched { id, before, files });
    }

    /// An object that was at `load_address` was closed, its finalisers have run: what it left behind beside itself.
    pub fn gone(
        &mut self,
        namespace: &Namespace,
        id: ObjectId,
        image: &CodeImage,
        load_address: usize,
    ) -> Vec<Finding> {
        let Some(index) = self.objects.iter().position(|watched| watched.id == id) else { return Vec::new() };
        let Watched { before, files, .. } = self.objects.remove(index);
        // Nobody is left who could explain more.
        let is_last = self.objects.is_empty();
        let now = Holdings::of(namespace, self.scope);
        if let Some(own) = now.libraries.get(&load_address) {
            self.told.libraries.insert(load_address, own.clone());
        }
        let finding =
            |kind, symbol: String, provider: String| Finding { kind, object: image.name.clone(), symbol, provider };
        let mut findings = Vec::new();
        let openers = imported(image, &OPEN_LIBRARIES);
        if is_last || !openers.is_empty() {
            for (address, path) in opened_since(namespace, &now, &before) {
                if self.told.libraries.insert(address, path.clone()).as_ref() != Some(&path) {
                    findings.push(finding(FindingKind::LeakedHandle, file_name(&path), opener(&openers)));
                }
            }
        }
        let openers = imported(image, OPEN_DESCRIPTORS);
        if is_last || !openers.is_empty() {
            for (number, target) in now.descriptors {
                let is_known = |holdings: &Holdings| holdings.descriptors.get(&number) == Some(&target);
                if !is_known(&before) && !is_known(&self.told) {
                    self.told.descriptors.insert(number, target.clone());
                    findings.push(finding(FindingKind::LeakedDescriptor, kind_of(&target), opener(&openers)));
                }
            }
        }
        for left in files.iter().flat_map(TemporaryNames::left) {
            findings.push(finding(FindingKind::LeakedFile, left.pattern, left.function.to_owned()));
        }
        findings
    }
}

fn imported<'f>(image: &CodeImage, functions: &[&'f str]) -> Vec<&'f str> {
    functions.iter().copied().filter(|function| image.imports(function)).collect()
}

/// What an object has opened something with.
fn opener(openers: &[&str]) -> String {
    match openers {
        [] => "unknown".to_owned(),
        openers => openers.join(" or "),
    }
}

/// The libraries that came since, were opened by nobody we know, and that no object needs.
fn opened_since(namespace: &Namespace, now: &Holdings, before: &Holdings) -> Vec<(usize, PathBuf)> {
    let own: BTreeSet<usize> = namespace.objects().map(|object| object.range().start).collect();
    let came = now
        .libraries
        .iter()
        .filter(|(address, path)| !own.contains(address) && before.libraries.get(address) != Some(path));
    let came: Vec<_> = came.map(|(address, path)| (*address, path.clone())).collect();
    if came.is_empty() {
        return came;
    }
    let needed = needed(namespace, now);
    came.into_iter().filter(|(_, path)| !needed.contains(&file_name(path))).collect()
}

/// The names of all libraries that the objects of a namespace need, directly or not.
fn needed(namespace: &Namespace, now: &Holdings) -> BTreeSet<String> {
    let mut open: Vec<String> = namespace.objects().flat_map(|object| object.image.needed.clone()).collect();
    let mut needed = BTreeSet::new();
    while let Some(name) = open.pop() {
        if !needed.insert(name.clone()) {
            continue;
        }
        let library = now.libraries.values().find(|path| file_name(path) == name);
        open.extend(library.map_or_else(Vec::new, |path| needs_of(path)));
    }
    needed
}

fn needs_of(library: &Path) -> Vec<String> {
    let Ok(bytes) = fs::read(library) else { return Vec::new() };
    let name = library.display().to_string();
    let needs = Elf::open(&name, &bytes).and_then(|elf| elf.needed());
    needs.unwrap_or_default().into_iter().map(|need| String::from_utf8_lossy(need).into_owned()).collect()
}

/// The open descriptors of the process, and what they are of.
fn descriptors() -> BTreeMap<i32, String> {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return BTreeMap::new() };
    let own = format!("/proc/{}/fd", std::process::id());
    let described = entries.flatten().filter_map(|entry| {
        let number = entry.file_name().to_str()?.parse().ok()?;
        let target = fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned();
        // That is how they are listed.
        (target != own).then_some((number, target))
    });
    described.collect()
}

/// What a descriptor is of, without numbers that differ from run to run: `socket`, `memfd:name`, a path.
fn kind_of(target: &str) -> String {
    let target = target.strip_suffix(" (deleted)").unwrap_or(target);
    if let Some(kind) = target.strip_prefix("anon_inode:") {
        return kind.trim_matches(['[', ']']).to_owned();
    }
    match target.split_once(":[") {
        Some((kind, _)) => kind.to_owned(),
        None => target.strip_prefix("/memfd:").map_or_else(|| target.to_owned(), |name| format!("memfd:{name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_descriptor_called_the_same_in_every_run() {
        for (target, kind) in [
            ("socket:[4242]", "socket"),
            ("anon_inode:[eventfd]", "eventfd"),
            ("anon_inode:inotify", "inotify"),
            ("/memfd:ring (deleted)", "memfd:ring"),
            ("/tmp/log.txt", "/tmp/log.txt"),
        ] {
            assert_eq!(kind_of(target), kind);
        }
    }
}
