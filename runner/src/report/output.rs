//! The directory of `--out`: files that are either whole or absent.
//!
//! A file is written under a temporary name in the same directory and renamed when it is complete; a failure removes
//! it. Content is any [`Serialize`], written as it is produced: [`Streamed`] sequences never exist in memory as JSON.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

/// Why an output file could not be written.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum OutputError {
    /// cannot use {path:?} as output directory: {source}; name a directory that can be created or written with --out
    Directory {
        /// The directory asked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// cannot write {path:?}: {source}
    File {
        /// The file's final path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A directory that exists and can be written.
#[derive(Debug)]
pub struct OutputDirectory {
    path: PathBuf,
}

impl OutputDirectory {
    /// Creates `path` with its parents if it is missing, and makes sure that files can be created in it: a run should
    /// not end in vain for want of a place for its results.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, OutputError> {
        let path = path.into();
        let usable = fs::create_dir_all(&path).and_then(|()| TemporaryFile::create(&path, "probe").map(drop));
        match usable {
            Ok(()) => Ok(OutputDirectory { path }),
            Err(source) => Err(OutputError::Directory { path, source }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `content` as JSON into the file called `name`, replacing one of that name.
    pub fn write_json(&self, name: &str, content: &impl Serialize) -> Result<PathBuf, OutputError> {
        let path = self.path.join(name);
        match write_renamed(&self.path, name, &path, |writer| write_json(writer, content)) {
            Ok(()) => Ok(path),
            Err(source) => Err(OutputError::File { path, source }),
        }
    }

    /// Writes `text` into the file called `name`, replacing one of that name.
    pub fn write_text(&self, name: &str, text: &str) -> Result<PathBuf, OutputError> {
        let path = self.path.join(name);
        match write_renamed(&self.path, name, &path, |writer| writer.write_all(text.as_bytes())) {
            Ok(()) => Ok(path),
            Err(source) => Err(OutputError::File { path, source }),
        }
    }
}

/// Writes one file outside of any output directory; it is whole or absent, too.
pub fn write_file(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> Result<(), OutputError> {
    let written = split(path).and_then(|(directory, name)| write_renamed(&directory, &name, path, content));
    written.map_err(|source| OutputError::File { path: path.to_owned(), source })
}

/// Makes sure that [`write_file`] could write this file: a run should not end in vain.
pub fn check_file(path: &Path) -> Result<(), OutputError> {
    let usable = split(path).and_then(|(directory, name)| TemporaryFile::create(&directory, &name).map(drop));
    usable.map_err(|source| OutputError::File { path: path.to_owned(), source })
}

/// Writes a file under a temporary name in `directory`, and gives it its own when it is complete.
fn write_renamed(
    directory: &Path,
    name: &str,
    path: &Path,
    content: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> io::Result<()> {
    let temporary = TemporaryFile::create(directory, name)?;
    let mut writer = BufWriter::new(&temporary.file);
    content(&mut writer)?;
    writer.flush()?;
    drop(writer);
    temporary.rename(path)
}

/// The directory of a file, and its name in it.
fn split(path: &Path) -> io::Result<(PathBuf, String)> {
    let name = path.file_name().filter(|_| !path.is_dir());
    let name = name.ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((directory.to_owned(), name.to_string_lossy().into_owned()))
}

/// A file that is removed unless it is renamed.
struct TemporaryFile {
    path: PathBuf,
    file: File,
    renamed: bool,
}

impl TemporaryFile {
    fn create(directory: &Path, name: &str) -> io::Result<Self> {
        let path = directory.join(format!(".{name}.{}.tmp", std::process::id()));
        let file = File::create(&path)?;
        Ok(TemporaryFile { path, file, renamed: false })
    }

    fn rename(mut self, to: &Path) -> io::Result<()> {
        fs::rename(&self.path, to)?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if !self.renamed {
            // Nothing is lost if this fails: the file that was asked for is reported as not written.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Writes JSON for programs that people can still page through: the outer two levels have one element a line, what
/// lies deeper is on one line.
pub fn write_json(writer: &mut impl Write, content: &impl Serialize) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *writer, ElementPerLine::default());
    content.serialize(&mut serializer)?;
    writer.write_all(b"\n")
}

/// A sequence that is produced while it is written.
pub struct Streamed<F>(pub F);

impl<F, I> Serialize for Streamed<F>
where
    F: Fn() -> I,
    I: IntoIterator<Item: Serialize>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// How many levels of nesting have their elements on lines of their own.
const LINED_LEVELS: usize = 2;

#[derive(Default)]
struct ElementPerLine {
    depth: usize,
    /// Whether the container that is being written has an element yet.
    occupied: bool,
}

impl ElementPerLine {
    fn begin(&mut self, writer: &mut (impl ?Sized + Write), bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.occupied = false;
        writer.write_all(bracket)
    }

    fn end(&mut self, writer: &mut (impl ?Sized + Write), bracket: &[u8]) -> io::Result<()> {
        self.depth -= 1;
        if self.occupied && self.depth < LINED_LEVELS {
            self.new_line(writer)?;
        }
        self.occupied = true;
        writer.write_all(bracket)
    }

    fn separate(&mut self, writer: &mut (impl ?Sized + Write), first: bool) -> io::Result<()> {
        self.occupied = true;
        if !first {
            writer.write_all(b",")?;
        }
        match (self.depth <= LINED_LEVELS, first) {
            (true, _) => self.new_line(writer),
            (false, true) => Ok(()),
            (false, false) => writer.write_all(b" "),
        }
    }

    fn new_line(&self, writer: &mut (impl ?Sized + Write)) -> io::Result<()> {
        writer.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| writer.write_all(b"  "))
    }
}

impl serde_json::ser::Formatter for ElementPerLine {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.separate(writer, first)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.separate(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

/// The text that [`write_json`] gives.
#[cfg(test)]
pub(super) fn json_text(content: &impl Serialize) -> String {
    let mut text = Vec::new();
    write_json(&mut text, content).unwrap();
    String::from_utf8(text).unwrap()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tempfile::tempdir;

    use super::*;

    fn files(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn does_the_layout_put_one_element_on_a_line() {
        let content = json!({"level": 4, "rows": [[0, 1], [2, {"a": [], "b": {}}]], "none": []});
        let lines = [
            r#"{"#,
            r#"  "level": 4,"#,
            r#"  "rows": ["#,
            r#"    [0, 1],"#,
            r#"    [2, {"a": [], "b": {}}]"#,
            r#"  ],"#,
            r#"  "none": []"#,
            "}\n",
        ];
        assert_eq!(json_text(&content), lines.join("\n"));
    }

    #[test]
    fn is_a_missing_directory_created_with_its_parents() {
        let scratch = tempdir().unwrap();
        let out = OutputDirectory::create(scratch.path().join("a/b")).unwrap();
        let path = out.write_json("x.json", &json!([1])).unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "[\n  1\n]\n");
        assert_eq!(files(&scratch.path().join("a/b")), ["x.json"]);
    }

    #[test]
    fn does_the_error_name_a_directory_that_cannot_be_used() {
        let scratch = tempdir().unwrap();
        let file = scratch.path().join("file");
        fs::write(&file, "kept").unwrap();
        let error = OutputDirectory::create(file.join("sub")).unwrap_err();
        assert!(matches!(&error, OutputError::Directory { path, .. } if *path == file.join("sub")), "{error}");
        assert!(error.to_string().starts_with(&format!("cannot use {:?}", file.join("sub"))), "{error}");
        assert_eq!(fs::read_to_string(file).unwrap(), "kept");
    }

    #[test]
    fn does_a_failed_write_leave_the_old_file_and_nothing_else() {
        struct Failing;
        impl Serialize for Failing {
            fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("broken halfway"))
            }
        }
        let scratch = tempdir().unwrap();
        let out = OutputDirectory::create(scratch.path()).unwrap();
        out.write_json("x.json", &json!(1)).unwrap();
        let error = out.write_json("x.json", &(1, Failing)).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot write {:?}: broken halfway", scratch.path().join("x.json")));
        assert_eq!(fs::read_to_string(scratch.path().join("x.json")).unwrap(), "1\n");
        assert_eq!(files(scratch.path()), ["x.json"]);
    }
}
