//! Profiles: the constants of each device generation and of its parts, every one with its unit, its source and how far
//! to trust it.
//!
//! The files in `profiles` are embedded, each under a [`ProfileName`]. A file has a section per part of the device and
//! in it a value per key: `{"value": 95, "unit": "ns", "confidence": "measured", "source": "…"}`, perhaps with the
//! `range` that sources allow and a `note`. Its life:
//!
//! 1. It is parsed into entries by key, `mmio.load`. One with `inherits` takes from that profile what it does not
//!    state itself; where the generations differ, such a value is no more than inferred, and says so.
//! 2. Keys that `a2a3.json` does not have are refused: that file is complete, and so decides what a key is.
//! 3. Overrides (`--set mmio.load=100ns`) replace entries; they say so, and lose range and note.
//! 4. Entries are converted into the typed sections of a [`Profile`], exactly, and checked.
//!
//! Other parts of the model have constants of their own. With an [`Extension`], a profile takes overrides of those too,
//! and keeps them for the part, which checks them.
//!
//! Whatever is wrong is a [`ProfileError`] that names the file and the key. A [`Profile`] in hand is sound: no rate is
//! zero, no poll is free, every register is in its block.

mod arch;
mod document;
mod entry;
mod error;
mod name;
mod quantity;
mod sections;
mod spelling;
#[cfg(test)]
mod tests;
mod trust;

pub use arch::Arch;
pub use document::Override;
pub use entry::{Confidence, Entry, Sourced};
pub use error::ProfileError;
pub use name::ProfileName;
pub use quantity::{Bandwidth, Dimension, Ratio};
pub use sections::{Aicore, Aicpu, Clock, Coherence, Driver, Guards, Hbm, HostLink, L2, Mmio, Registers, Topology};
pub use trust::TimeByConfidence;

use document::Document;

/// Constants that another part of the model has, with keys that no section of a profile begins like.
#[derive(Clone, Copy, Debug)]
pub struct Extension {
    /// The constants.
    pub entries: fn() -> &'static [Entry],
    /// Refuses a profile that changes them to what the part cannot use.
    pub check: fn(&Profile) -> Result<(), ProfileError>,
}

/// The constants of one device.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name: that of the file, without overrides.
    pub name: String,
    /// The generation.
    pub arch: Arch,
    /// How many of everything there are.
    pub topology: Topology,
    /// Clock rates.
    pub clock: Clock,
    /// Where a core's registers are.
    pub registers: Registers,
    /// Device memory.
    pub hbm: Hbm,
    /// The cache before it.
    pub l2: L2,
    /// What the host pays to reach the device.
    pub host_link: HostLink,
    /// What register accesses cost.
    pub mmio: Mmio,
    /// What scalar accesses of device memory cost.
    pub coherence: Coherence,
    /// What AICPU threads pay.
    pub aicpu: Aicpu,
    /// What AICores pay.
    pub aicore: Aicore,
    /// What the host's driver costs.
    pub driver: Driver,
    /// When the simulator intervenes.
    pub guards: Guards,
    document: Document,
}

impl Profile {
    /// An embedded profile, by the generation, by its name, or by that as text: `a2a3`, `910B2`.
    pub fn load(name: impl AsRef<str>) -> Result<Profile, ProfileError> {
        let name = name.as_ref().parse()?;
        Profile::from_document(Document::of(name)?)
    }

    /// The profile that this one takes the values from that it does not state.
    pub fn parent(&self) -> Option<ProfileName> {
        self.document.parent
    }

    /// Reads a profile from the text of a file, which errors call `name`. It may inherit from an embedded one.
    pub fn from_json(name: &str, text: &str) -> Result<Profile, ProfileError> {
        Profile::from_document(Document::parse(name, text)?)
    }

    /// This profile with some values replaced; of two for the same key, the later one counts.
    pub fn with_overrides(&self, overrides: &[Override]) -> Result<Profile, ProfileError> {
        let mut document = self.document.clone();
        overrides.iter().try_for_each(|change| document.set(change))?;
        Profile::from_document(document)
    }

    /// Every value by key, in the order of the file.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.document.entries.iter()
    }

    /// This profile, which takes overrides of other constants too.
    pub fn extended_by(mut self, extension: Extension) -> Profile {
        self.document.extension = Some(extension);
        self
    }

    /// The constants of its extension by key, as they are with overrides.
    pub fn extended(&self) -> impl Iterator<Item = &Entry> {
        let changed = |entry: &Entry| self.changes().iter().find(|change| change.path == entry.path);
        self.document.extended().iter().map(move |entry| changed(entry).unwrap_or(entry))
    }

    /// The constants of its extension that were replaced.
    pub fn changes(&self) -> &[Entry] {
        &self.document.changes
    }

    /// The error for a key that there is not, which names the nearest.
    pub fn unknown_key(&self, key: &str) -> ProfileError {
        self.document.unknown_key(&self.name, key)
    }

    fn from_document(document: Document) -> Result<Profile, ProfileError> {
        document.check_keys(&Document::of(ProfileName::A2a3)?)?;
        let clock = Clock::read(&document)?;
        let profile = Profile {
            name: document.name().to_owned(),
            arch: document.arch,
            topology: Topology::read(&document)?,
            registers: Registers::read(&document)?,
            hbm: Hbm::read(&document)?,
            l2: L2::read(&document)?,
            host_link: HostLink::read(&document)?,
            mmio: Mmio::read(&document)?,
            coherence: Coherence::read(&document)?,
            aicpu: Aicpu::read(&document)?,
            aicore: Aicore::read(&document, *clock.aicore)?,
            driver: Driver::read(&document)?,
            guards: Guards::read(&document)?,
            clock,
            document,
        };
        match profile.document.extension {
            Some(extension) if !profile.changes().is_empty() => (extension.check)(&profile)?,
            Some(_) | None => {}
        }
        Ok(profile)
    }
}
