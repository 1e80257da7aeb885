//! What follows from the bytes of an object: what it is, through which words it calls others, where it waits.

use std::sync::{Arc, OnceLock};

use sim_core::charges::ResolvedCharges;
use sim_core::loader::image::CodeImage;
use sim_core::loader::imports::ImportSlots;
use sim_core::loader::ledger::LoadOrigin;
use sim_core::loader::wait_loops::{self, WaitLoop};
use sim_core::profile::Arch;

use super::error::ObjectError;
use crate::charges::Tariff;

/// Everything about an object that follows from its bytes.
pub(crate) struct Facts {
    pub(super) image: CodeImage,
    pub(super) bytes: Vec<u8>,
    pub(super) role: LoadOrigin,
    pub(super) slots: ImportSlots,
    pub(super) waits: Vec<WaitLoop>,
    /// What calls of its imports cost, on devices of each generation.
    charges: [OnceLock<Option<Arc<ResolvedCharges>>>; Arch::ALL.len()],
}

impl Facts {
    pub(super) fn of(name: &str, bytes: Vec<u8>) -> Result<Facts, ObjectError> {
        let image = CodeImage::parse(name, &bytes)?;
        let role = role_of(&image);
        let waits = if role == LoadOrigin::Aicpu || role == LoadOrigin::Aicore {
            wait_loops::find(name, &bytes)?.waits
        } else {
            Vec::new()
        };
        Ok(Facts { role, slots: ImportSlots::parse(name, &bytes)?, waits, charges: Default::default(), image, bytes })
    }

    /// What calls of its imports cost.
    pub(super) fn charges(&self, tariff: &Tariff) -> Option<Arc<ResolvedCharges>> {
        let resolve = || tariff.resolve(self.role, self.slots.calls()).map(Arc::new);
        self.charges[tariff.arch as usize].get_or_init(resolve).clone()
    }
}

/// What an object is, by the function that others look up in it.
fn role_of(image: &CodeImage) -> LoadOrigin {
    let roles = [
        ("create_device_context", LoadOrigin::HostRuntime),
        ("aicpu_execute", LoadOrigin::Aicpu),
        ("aicore_execute_wrapper", LoadOrigin::Aicore),
        ("kernel_entry", LoadOrigin::Kernel),
    ];
    let found = roles.into_iter().find(|(symbol, _)| image.export(symbol).is_some());
    found.map_or(LoadOrigin::Orchestration, |(_, role)| role)
}
