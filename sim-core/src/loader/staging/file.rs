//! Objects in files.

use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use super::super::ledger::LoadStrategy;
use super::aicpu_os::{Claim, PathUser};
use super::names::{c_path, file_name, unique_file_name};
use super::system::System;
use super::{Leftover, Staged, StagingArea};

/// A file with a name never used before, removed with what is returned.
pub(super) fn unique(
    system: System<'_>,
    directory: &Path,
    name: &str,
    bytes: &[u8],
    strategy: LoadStrategy,
) -> io::Result<Staged> {
    let path = directory.join(unique_file_name(name));
    let leftover = Some(written(system, &path, bytes)?);
    Ok(Staged { leftover, in_file: true, ..Staged::new(c_path(&path), strategy, None) })
}

/// The same with a file that stays.
pub(super) fn kept(
    system: System<'_>,
    directory: &Path,
    name: &str,
    bytes: &[u8],
    strategy: LoadStrategy,
) -> io::Result<Staged> {
    let path = directory.join(unique_file_name(name));
    std::mem::forget(written(system, &path, bytes)?);
    Ok(Staged { in_file: true, ..Staged::new(c_path(&path), strategy, None) })
}

/// A new file with these bytes.
fn written(system: System<'_>, path: &Path, bytes: &[u8]) -> io::Result<Leftover> {
    let mut file = system.new_file(path)?;
    let leftover = Leftover(path.to_owned());
    system.write_all(&mut file, bytes)?;
    Ok(leftover)
}

/// A file without a name, behind a link with a name never used before.
pub(super) fn unnamed(
    area: &StagingArea,
    directory: &Path,
    name: &str,
    bytes: &[u8],
    strategy: LoadStrategy,
) -> io::Result<Staged> {
    let mut file = area.system().unnamed_file(directory)?;
    area.system().write_all(&mut file, bytes)?;
    let target = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
    let (path, leftover) = area.link(name, &target);
    Ok(Staged { leftover, in_file: true, ..Staged::new(path, strategy, Some(file.into())) })
}

/// A file whose name follows from that of the object and of the process. One that is there already is overwritten,
/// whoever uses it.
pub(super) fn fixed(
    area: &StagingArea,
    directory: &Path,
    name: &str,
    user: PathUser,
    bytes: &[u8],
    strategy: LoadStrategy,
) -> io::Result<Staged> {
    let (os, system) = (&area.os, area.system());
    let stem = file_name(name);
    let stem = stem.split(".so").next().unwrap_or(&stem);
    let path = directory.join(format!("{stem}_{}.so", os.process()));
    let (mut file, was_there) = match system.new_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => (system.emptied_file(&path)?, true),
        created => (created?, false),
    };
    let claim = Claim::new(os, &path, user, was_there);
    let staged = Staged { claim: Some(claim), in_file: true, ..Staged::new(c_path(&path), strategy, None) };
    system.write_all(&mut file, bytes)?;
    Ok(staged)
}
