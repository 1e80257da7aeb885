//! The strategies by name, and ladders of them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::super::ledger::{LoadOrigin, LoadStrategy};

/// A way from bytes in memory to something that the dynamic linker can open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strategy {
    /// A sealed memory file, opened through a link with a name never used before.
    Memfd,
    /// A sealed memory file, opened as `/proc/self/fd/N`, in a spelling never used before.
    ProcFd,
    /// A file of its own with a new name (`mkstemp`), in the first directory that takes it.
    UniqueFile,
    /// A file without a name (`O_TMPFILE`), in the first directory that takes it.
    UnnamedFile,
    /// A file whose name is that of the object and of the process. Two who do that at a time get in each other's way.
    FixedPath,
    /// A range of a bigger file, copied inside the kernel.
    View,
    /// A sealed memory file that a sandboxed child process links, initialises and finalises first.
    Sandbox,
}

impl Strategy {
    /// Every strategy.
    pub const ALL: [Strategy; 7] = [
        Strategy::Memfd,
        Strategy::ProcFd,
        Strategy::UniqueFile,
        Strategy::UnnamedFile,
        Strategy::FixedPath,
        Strategy::View,
        Strategy::Sandbox,
    ];

    /// Its name on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            Strategy::Memfd => "memfd",
            Strategy::ProcFd => "proc-fd",
            Strategy::UniqueFile => "unique-file",
            Strategy::UnnamedFile => "unnamed-file",
            Strategy::FixedPath => "fixed-path",
            Strategy::View => "view",
            Strategy::Sandbox => "sandbox",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `{name}` is no load strategy, did you mean `{nearest}`? There are {known}
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub struct UnknownStrategy {
    /// What was written.
    pub name: String,
    /// The nearest that there is.
    pub nearest: Strategy,
    /// All of them.
    pub known: String,
}

impl FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(name: &str) -> Result<Self, UnknownStrategy> {
        if let Some(strategy) = Strategy::ALL.into_iter().find(|strategy| strategy.name() == name) {
            return Ok(strategy);
        }
        let distance = |strategy: &Strategy| strsim::damerau_levenshtein(name, strategy.name());
        let nearest = Strategy::ALL.into_iter().min_by_key(distance).unwrap_or(Strategy::Memfd);
        let known = Strategy::ALL.map(Strategy::name).join(", ");
        Err(UnknownStrategy { name: name.to_owned(), nearest, known })
    }
}

/// Strategies in the order in which they are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder(pub Vec<Strategy>);

impl Default for Ladder {
    fn default() -> Self {
        Ladder(vec![Strategy::Memfd, Strategy::UniqueFile])
    }
}

impl From<Strategy> for Ladder {
    fn from(strategy: Strategy) -> Self {
        Ladder(vec![strategy])
    }
}

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(|strategy| strategy.name()).collect::<Vec<_>>().join(","))
    }
}

impl FromStr for Ladder {
    type Err = UnknownStrategy;

    /// Reads `memfd,unique-file`.
    fn from_str(text: &str) -> Result<Self, UnknownStrategy> {
        text.split(',').map(|name| name.trim().parse()).collect::<Result<_, _>>().map(Ladder)
    }
}

/// A ladder for all objects, or for those that are something to the device: `orchestration=fixed-path,memfd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LadderChoice {
    /// What the objects are; none is all.
    pub origin: Option<LoadOrigin>,
    /// What is tried for them.
    pub ladder: Ladder,
}

/// What objects can be called in a choice.
const ORIGINS: [(&str, LoadOrigin); 6] = [
    ("shim", LoadOrigin::Shim),
    ("host-runtime", LoadOrigin::HostRuntime),
    ("aicpu", LoadOrigin::Aicpu),
    ("aicore", LoadOrigin::Aicore),
    ("orchestration", LoadOrigin::Orchestration),
    ("kernel", LoadOrigin::Kernel),
];

/// Why a text is no choice of strategies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub enum BadChoice {
    /// {0}
    Strategy(#[from] UnknownStrategy),
    /// no object is called `{name}`, did you mean `{nearest}`? Write {known}
    Origin {
        /// What was written.
        name: String,
        /// The nearest that there is.
        nearest: &'static str,
        /// All of them.
        known: String,
    },
}

impl FromStr for LadderChoice {
    type Err = BadChoice;

    fn from_str(text: &str) -> Result<Self, BadChoice> {
        let Some((name, ladder)) = text.split_once('=') else {
            return Ok(LadderChoice { origin: None, ladder: text.parse()? });
        };
        let names = ORIGINS.map(|(name, _)| name);
        match ORIGINS.iter().find(|(known, _)| *known == name.trim()) {
            Some((_, origin)) => Ok(LadderChoice { origin: Some(*origin), ladder: ladder.parse()? }),
            None => {
                let nearest = names.into_iter().min_by_key(|known| strsim::damerau_levenshtein(name, known));
                let (name, known) = (name.to_owned(), names.join(", "));
                Err(BadChoice::Origin { name, nearest: nearest.unwrap_or_default(), known })
            }
        }
    }
}

/// One strategy where it is to be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Kept(PathBuf),
    Memfd,
    ProcFd,
    UniqueFile(PathBuf),
    UnnamedFile(PathBuf),
    FixedPath(PathBuf),
    View,
    Sandbox,
}

impl Attempt {
    /// What there is to try, in order. Strategies that need a directory go down the ladder of directories.
    pub(super) fn all(keep: Option<&Path>, ladder: &Ladder, directories: &[PathBuf]) -> Vec<Attempt> {
        let in_each = |attempt: fn(PathBuf) -> Attempt| directories.iter().cloned().map(attempt).collect();
        let of = |strategy: &Strategy| -> Vec<Attempt> {
            match strategy {
                Strategy::Memfd => vec![Attempt::Memfd],
                Strategy::ProcFd => vec![Attempt::ProcFd],
                Strategy::UniqueFile => in_each(Attempt::UniqueFile),
                Strategy::UnnamedFile => in_each(Attempt::UnnamedFile),
                Strategy::FixedPath => in_each(Attempt::FixedPath),
                Strategy::View => vec![Attempt::View],
                Strategy::Sandbox => vec![Attempt::Sandbox],
            }
        };
        let kept = keep.map(|directory| Attempt::Kept(directory.to_owned()));
        kept.into_iter().chain(ladder.0.iter().flat_map(of)).collect()
    }

    /// As the ledger has it.
    pub(super) fn record(&self) -> LoadStrategy {
        let text = |directory: &Path| directory.display().to_string();
        match self {
            Attempt::Kept(directory) => LoadStrategy::KeptFile { directory: text(directory) },
            Attempt::Memfd => LoadStrategy::SealedMemfd,
            Attempt::ProcFd => LoadStrategy::ProcFd,
            Attempt::UniqueFile(directory) => LoadStrategy::TemporaryFile { directory: text(directory) },
            Attempt::UnnamedFile(directory) => LoadStrategy::UnnamedFile { directory: text(directory) },
            Attempt::FixedPath(directory) => LoadStrategy::FixedPath { directory: text(directory) },
            Attempt::View => LoadStrategy::View,
            Attempt::Sandbox => LoadStrategy::Sandbox,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_ladder_read_as_it_is_written() {
        for strategy in Strategy::ALL {
            assert_eq!(strategy.name().parse(), Ok(strategy));
        }
        let ladder: Ladder = "sandbox, memfd,unique-file".parse().unwrap();
        assert_eq!(ladder, Ladder(vec![Strategy::Sandbox, Strategy::Memfd, Strategy::UniqueFile]));
        assert_eq!(ladder.to_string(), "sandbox,memfd,unique-file");
    }

    #[test]
    fn is_a_ladder_for_some_objects_alone_read_as_it_is_written() {
        let choice: LadderChoice = "orchestration=fixed-path".parse().unwrap();
        assert_eq!(
            choice,
            LadderChoice { origin: Some(LoadOrigin::Orchestration), ladder: Strategy::FixedPath.into() }
        );
        assert_eq!("memfd".parse(), Ok(LadderChoice { origin: None, ladder: Strategy::Memfd.into() }));
        assert_eq!(
            "kernels=memfd".parse::<LadderChoice>().unwrap_err().to_string(),
            "no object is called `kernels`, did you mean `kernel`? Write shim, host-runtime, aicpu, aicore, \
             orchestration, kernel"
        );
    }

    #[test]
    fn is_a_misspelt_strategy_answered_with_the_nearest() {
        assert_eq!(
            "memfd,unqiue-file".parse::<Ladder>().unwrap_err().to_string(),
            "`unqiue-file` is no load strategy, did you mean `unique-file`? There are memfd, proc-fd, unique-file, \
             unnamed-file, fixed-path, view, sandbox"
        );
        assert_eq!("".parse::<Ladder>().unwrap_err().nearest, Strategy::View);
    }

    #[test]
    fn does_each_strategy_of_files_go_down_the_directories_before_the_next() {
        let directories = ["/a".into(), "/b".into()];
        let attempts = Attempt::all(None, &"unnamed-file,memfd,fixed-path".parse().unwrap(), &directories);
        let text: Vec<String> = attempts.iter().map(|attempt| attempt.record().to_string()).collect();
        assert_eq!(
            text,
            ["unnamed file in /a", "unnamed file in /b", "sealed memfd", "fixed path in /a", "fixed path in /b"]
        );
    }
}
