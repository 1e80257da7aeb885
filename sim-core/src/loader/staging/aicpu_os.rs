//! The operating system of the AICPUs, as far as fixed paths go: one file system, one process number, and whoever
//! shares them.
//!
//! A fixed path is named after the process. Two workers of one process, or two dies whose AICPUs share an operating
//! system, write to the same file then: the second empties and overwrites what the first has mapped, or, if it is
//! quick, what the first is about to open. Whoever is to share a file system is given the same [`AicpuOs`]; it keeps
//! account of who has which path, so that a collision can be told with names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use serde::Serialize;

use crate::trace::ContentHash;

/// Whoever loads an object from a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PathUser {
    /// The worker or die.
    pub worker: String,
    /// The object.
    pub object: String,
    /// The hash of its bytes.
    pub content: ContentHash,
}

impl std::fmt::Display for PathUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.object, self.worker)
    }
}

/// A file system and a process number, with whoever has a fixed path there.
#[derive(Debug)]
pub struct AicpuOs {
    process: u32,
    tickets: Mutex<BTreeMap<PathBuf, Vec<Weak<Ticket>>>>,
}

impl Default for AicpuOs {
    /// That of this process.
    fn default() -> Self {
        AicpuOs::of_process(std::process::id())
    }
}

impl AicpuOs {
    /// One in which `getpid` gives this number to all that share it.
    pub fn of_process(process: u32) -> Self {
        AicpuOs { process, tickets: Mutex::default() }
    }

    /// What `getpid` gives.
    pub fn process(&self) -> u32 {
        self.process
    }

    fn tickets(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Vec<Weak<Ticket>>>> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One use of a path.
#[derive(Debug)]
struct Ticket {
    user: PathUser,
    /// Who wrote to the path since.
    replaced_by: Mutex<Option<PathUser>>,
}

/// A fixed path in use. The file goes with its last user.
#[derive(Debug)]
pub(in super::super) struct Claim {
    os: Arc<AicpuOs>,
    path: PathBuf,
    ticket: Arc<Ticket>,
    /// Whoever had the path at that time.
    before: Option<PathUser>,
    /// The file was there, and nobody here knows whose it was.
    of_a_stranger: bool,
}

impl Claim {
    /// The path is about to be written to. Whoever has it loses what is mapped from it, even if the same bytes are
    /// written again: emptying a file takes the private copies of its pages away, too, and with them whatever the
    /// dynamic linker had filled in.
    pub(super) fn new(os: &Arc<AicpuOs>, path: &Path, user: PathUser, was_there: bool) -> Claim {
        let ticket = Arc::new(Ticket { user, replaced_by: Mutex::default() });
        let mut all = os.tickets();
        let tickets = all.entry(path.to_owned()).or_default();
        let live: Vec<Arc<Ticket>> = tickets.iter().filter_map(Weak::upgrade).collect();
        for other in &live {
            lock(&other.replaced_by).get_or_insert_with(|| ticket.user.clone());
        }
        let before = live.last().map(|other| other.user.clone());
        tickets.retain(|ticket| ticket.strong_count() > 0);
        tickets.push(Arc::downgrade(&ticket));
        let of_a_stranger = was_there && live.is_empty();
        drop(all);
        Claim { os: Arc::clone(os), path: path.to_owned(), ticket, before, of_a_stranger }
    }

    pub(in super::super) fn directory(&self) -> String {
        self.path.parent().unwrap_or(&self.path).display().to_string()
    }

    pub(in super::super) fn before(&self) -> Option<&PathUser> {
        self.before.as_ref()
    }

    pub(in super::super) fn of_a_stranger(&self) -> bool {
        self.of_a_stranger
    }

    /// Who wrote to the path since.
    pub(in super::super) fn replaced_by(&self) -> Option<PathUser> {
        lock(&self.ticket.replaced_by).clone()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut all = self.os.tickets();
        let own = Arc::downgrade(&self.ticket);
        let Some(tickets) = all.get_mut(&self.path) else { return };
        tickets.retain(|ticket| !ticket.ptr_eq(&own) && ticket.strong_count() > 0);
        if tickets.is_empty() {
            all.remove(&self.path);
            // Somebody else may have cleaned up already; there is nobody to tell.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(worker: &str, content: u64) -> PathUser {
        PathUser { worker: worker.to_owned(), object: "orch".to_owned(), content: ContentHash(content) }
    }

    #[test]
    fn do_both_sides_of_a_collision_know_each_other() {
        let os = Arc::new(AicpuOs::of_process(7));
        let path = tempfile::tempdir().unwrap().path().join("orch_7.so");
        let first = Claim::new(&os, &path, user("worker 0", 1), false);
        assert_eq!((first.replaced_by(), first.before(), first.of_a_stranger()), (None, None, false));
        let same = Claim::new(&os, &path, user("worker 1", 1), true);
        assert_eq!((same.before(), same.of_a_stranger()), (Some(&user("worker 0", 1)), false));
        let other = Claim::new(&os, &path, user("worker 2", 2), true);
        assert_eq!(first.replaced_by(), Some(user("worker 1", 1)));
        assert_eq!(same.replaced_by(), Some(user("worker 2", 2)));
        assert_eq!(other.before(), Some(&user("worker 1", 1)));
    }

    #[test]
    fn does_the_file_go_with_its_last_user() {
        let os = Arc::new(AicpuOs::of_process(7));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("orch_7.so");
        std::fs::write(&path, "bytes").unwrap();
        let first = Claim::new(&os, &path, user("worker 0", 1), true);
        assert!(first.of_a_stranger());
        let second = Claim::new(&os, &path, user("worker 1", 1), true);
        drop(first);
        assert!(path.exists());
        drop(second);
        assert!(!path.exists() && os.tickets().is_empty());
    }
}
