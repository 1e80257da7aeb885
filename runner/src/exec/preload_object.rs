//! Where the object is that is preloaded: built with the program, and kept beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Its name.
const NAME: &str = "libnpusim_preload.so";

/// Why there is no object to preload.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum NoPreloadObject {
    /// where npusim itself is cannot be told: {0}
    Program(io::Error),
    /// there is no libnpusim_preload.so beside npusim in {directory:?}, nor in `deps` below it; build it with `cargo build -p npusim-preload`, and keep the two together
    Missing {
        /// Where npusim is.
        directory: PathBuf,
    },
}

/// The object beside the program or in `deps` below it; of two the later one, since a test renews only that in `deps`.
pub fn find() -> Result<PathBuf, NoPreloadObject> {
    let program = std::env::current_exe().map_err(NoPreloadObject::Program)?;
    find_in(program.parent().unwrap_or(Path::new("/")))
}

fn find_in(directory: &Path) -> Result<PathBuf, NoPreloadObject> {
    let made = |path: &PathBuf| fs::metadata(path).and_then(|facts| facts.modified()).ok();
    let found = [directory.join(NAME), directory.join("deps").join(NAME)].into_iter().filter(|path| path.is_file());
    found.max_by_key(made).ok_or_else(|| NoPreloadObject::Missing { directory: directory.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn is_the_later_of_two_objects_taken() {
        let scratch = tempfile::tempdir().unwrap();
        fs::create_dir(scratch.path().join("deps")).unwrap();
        assert!(
            find_in(scratch.path()).unwrap_err().to_string().starts_with("there is no libnpusim_preload.so beside")
        );
        let (beside, below) = (scratch.path().join(NAME), scratch.path().join("deps").join(NAME));
        File::create(&below).unwrap();
        assert_eq!(find_in(scratch.path()).unwrap(), below);
        let later = SystemTime::now() + Duration::from_secs(10);
        File::create(&beside).unwrap().set_modified(later).unwrap();
        assert_eq!(find_in(scratch.path()).unwrap(), beside);
    }
}
