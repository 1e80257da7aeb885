//! A profile's file: the values by key, before they are typed.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::Extension;
use super::arch::Arch;
use super::entry::{Confidence, Entry};
use super::error::ProfileError;
use super::name::ProfileName;
use super::quantity::Number;
use super::spelling::distance;
use crate::printable::printable;

/// One value to be replaced, as in `mmio.load=100ns`: the text of `--set`.
///
/// The value may have a unit that fits the key, or none for the key's own; `none` removes what a generation may lack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Who asks for it.
    origin: String,
    key: String,
    value: String,
}

/// Keys that overrides may call by another name: that of the part of the device whose number they are.
const OTHER_NAMES: [(&str, &str); 1] = [("aicpu.schedulers", "topology.schedulers")];

/// Where an override comes from, unless it says otherwise.
const COMMAND_LINE: &str = "--set";

impl Override {
    /// The same, asked for by `origin` and not on the command line.
    pub fn asked_by(self, origin: impl Into<String>) -> Self {
        Override { origin: origin.into(), ..self }
    }
}

impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

impl FromStr for Override {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, ProfileError> {
        match text.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
            Some((key, value)) if !key.is_empty() && !value.is_empty() => {
                let other_name = OTHER_NAMES.iter().find(|(name, _)| *name == key);
                let key = other_name.map_or(key, |(_, key)| *key);
                Ok(Override { origin: COMMAND_LINE.to_owned(), key: key.to_owned(), value: value.to_owned() })
            }
            _ => Err(ProfileError::NotAnOverride { text: text.to_owned() }),
        }
    }
}

/// The values of a file and of those it inherits from, in the order of the file.
#[derive(Clone, Debug)]
pub(super) struct Document {
    origin: String,
    pub(super) arch: Arch,
    /// What it takes the values from that it does not state.
    pub(super) parent: Option<ProfileName>,
    pub(super) entries: Vec<Entry>,
    /// Values that other parts of the model have, which can be replaced as well.
    pub(super) extension: Option<Extension>,
    /// Those of the extension that were replaced.
    pub(super) changes: Vec<Entry>,
}

impl Document {
    /// An embedded file.
    pub(super) fn of(name: ProfileName) -> Result<Document, ProfileError> {
        let (origin, text) = name.file();
        Document::parse(origin, text)
    }

    /// Reads `text`, which errors call `origin`.
    pub(super) fn parse(origin: &str, text: &str) -> Result<Document, ProfileError> {
        let json: Value = serde_json::from_str(text)
            .map_err(|error| ProfileError::NotJson { origin: origin.to_owned(), reason: error.to_string() })?;
        let malformed =
            |key: &str, found: &Value, expected: &str| ProfileError::malformed(origin, key, found, expected);
        let Value::Object(top) = &json else { return Err(malformed(".", &json, "an object with a section per part")) };
        let own_arch = match top.get("arch") {
            None => {
                return Err(ProfileError::MissingKey {
                    origin: origin.to_owned(),
                    key: "arch".to_owned(),
                    expected: "a2a3 or a5".to_owned(),
                });
            }
            Some(name) => name
                .as_str()
                .and_then(|name| name.parse::<Arch>().ok())
                .ok_or_else(|| malformed("arch", name, "a2a3 or a5"))?,
        };
        let parent = match top.get("inherits") {
            None => None,
            Some(name) => match name.as_str().map(str::parse::<ProfileName>) {
                None => return Err(malformed("inherits", name, "the name of a profile, such as a2a3")),
                Some(Err(ProfileError::UnknownProfile { name, nearest })) => {
                    return Err(ProfileError::UnknownParent { origin: origin.to_owned(), name, nearest });
                }
                Some(parent) => Some(parent?),
            },
        };
        let mut entries = Vec::new();
        for (section, keys) in top.iter().filter(|(key, _)| !matches!(key.as_str(), "arch" | "inherits")) {
            let Value::Object(keys) = keys else {
                return Err(malformed(section, keys, "an object with a value per key"));
            };
            for (key, value) in keys {
                entries.push(Entry::from_json(origin, &format!("{section}.{key}"), value, None)?);
            }
        }
        let (extension, changes) = (None, Vec::new());
        let mut document = Document { origin: origin.to_owned(), arch: own_arch, parent, entries, extension, changes };
        if let Some(parent) = parent {
            document.inherit(Document::of(parent)?);
        }
        Ok(document)
    }

    /// What the file is called, without its ending.
    pub(super) fn name(&self) -> &str {
        self.origin.strip_suffix(".json").unwrap_or(&self.origin)
    }

    /// Takes from `parent` every value that this file does not state.
    fn inherit(&mut self, parent: Document) {
        let mut own = std::mem::take(&mut self.entries);
        for entry in parent.entries {
            match own.iter().position(|stated| stated.path == entry.path) {
                Some(at) => self.entries.push(own.remove(at)),
                None if parent.arch == self.arch => self.entries.push(entry),
                None => self.entries.push(entry.expected_as_on(parent.arch, self.arch)),
            }
        }
        self.entries.append(&mut own);
    }

    /// The value of a key that every profile has.
    pub(super) fn entry(&self, path: &str) -> Result<&Entry, ProfileError> {
        self.entries.iter().find(|entry| entry.path == path).ok_or_else(|| ProfileError::MissingKey {
            origin: self.origin.clone(),
            key: path.to_owned(),
            expected: "a value with unit, source and confidence".to_owned(),
        })
    }

    /// Refuses keys that are none of `known`.
    pub(super) fn check_keys(&self, known: &Document) -> Result<(), ProfileError> {
        match self.entries.iter().find(|entry| known.entry(&entry.path).is_err()) {
            None => Ok(()),
            Some(unknown) => Err(known.unknown_key(&unknown.origin, &unknown.path)),
        }
    }

    /// Replaces one value; it loses its range and note, and says where it comes from now.
    pub(super) fn set(&mut self, change: &Override) -> Result<(), ProfileError> {
        let entry = self.to_change(&change.key).ok_or_else(|| self.unknown_key(&change.origin, &change.key))?;
        let (digits, unit) = Number::split(&change.value);
        let number = match change.value.as_str() {
            "none" => None,
            text => Some(Number::parse(digits).ok_or_else(|| ProfileError::NotANumber {
                origin: change.origin.clone(),
                key: change.key.clone(),
                text: text.to_owned(),
                example: entry.value().replace(' ', ""),
            })?),
        };
        let own_unit = number.is_none() || unit.is_empty();
        let changed = Entry {
            origin: change.origin.clone(),
            path: change.key.clone(),
            number,
            unit: if own_unit { entry.unit.clone() } else { unit.to_owned() },
            range: None,
            source: change.origin.clone(),
            confidence: Confidence::Override,
            note: None,
        };
        let entries = if self.has(&changed.path) { &mut self.entries } else { &mut self.changes };
        match entries.iter_mut().find(|entry| entry.path == changed.path) {
            Some(entry) => *entry = changed,
            None => entries.push(changed),
        }
        Ok(())
    }

    fn has(&self, path: &str) -> bool {
        self.entries.iter().any(|entry| entry.path == path)
    }

    /// The value of a key as it is before a change.
    fn to_change(&self, path: &str) -> Option<&Entry> {
        let own = self.entries.iter().chain(&self.changes).find(|entry| entry.path == path);
        own.or_else(|| self.extended().iter().find(|entry| entry.path == path))
    }

    /// The values of the extension, as nobody has changed them.
    pub(super) fn extended(&self) -> &'static [Entry] {
        self.extension.map_or(&[], |extension| (extension.entries)())
    }

    /// The error for a key that no profile has. A key without a section is compared with the names in all of them.
    pub(super) fn unknown_key(&self, origin: &str, key: &str) -> ProfileError {
        let edits = |path: &str| match path.split_once('.') {
            Some((_, name)) if !key.contains('.') => distance(key, name),
            _ => distance(key, path),
        };
        let paths = self.entries.iter().chain(self.extended()).map(|entry| entry.path.as_str());
        let nearest = paths.min_by_key(|path| edits(path));
        ProfileError::UnknownKey {
            origin: origin.to_owned(),
            key: printable(key),
            nearest: nearest.unwrap_or_default().to_owned(),
        }
    }
}
