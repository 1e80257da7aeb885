//! Hooks of kernels that hand tiles to other cores of their cluster: flags between cores, as their bodies see them.

use std::sync::atomic::Ordering;

use sim_aicore::pipes::cluster::Role;
use sim_core::engine::{CurrentActor, calling_actor};

use super::super::rooms::{FreeRooms, Rooms};
use super::{free_rooms, on_device};

pub(super) extern "C" fn cross_set(peer: u32, flag: u32) {
    let Some((peer, flag)) = named(peer, flag) else { return };
    if let Some(rooms) = free_rooms() {
        return on_free_core(rooms, |cluster, role| rooms.cross_flags.set(cluster, role, peer, flag));
    }
    on_device(|actor, rooms| {
        if let Some(seat) = seat(actor, rooms) {
            seat.set(actor, peer, flag);
        }
    });
}

pub(super) extern "C" fn cross_wait(peer: u32, flag: u32, caller: usize) {
    let Some((peer, flag)) = named(peer, flag) else { return };
    if let Some(rooms) = free_rooms() {
        return on_free_core(rooms, |cluster, role| rooms.cross_flags.wait(cluster, peer, role, flag));
    }
    on_device(|actor, rooms| match seat(actor, rooms) {
        Some(seat) => seat.wait(actor, peer, flag, caller),
        None => actor.refuse("only a kernel waits for flags of other cores of its cluster".to_owned(), caller),
    });
}

/// What the numbers name. The records say it too, and there it is an error if they name nothing.
fn named(peer: u32, flag: u32) -> Option<(Role, u16)> {
    let peer = Role::of_code(u8::try_from(peer).ok()?)?;
    Some((peer, u16::try_from(flag).ok()?))
}

fn seat(actor: &CurrentActor<'_>, rooms: &Rooms) -> Option<std::rc::Rc<sim_aicore::cluster::Seat>> {
    rooms.clusters.seat_of(actor.kind().core()?)
}

/// A free-running core's number follows from its actor's: cores are started first, from 1.
fn on_free_core(rooms: &FreeRooms, act: impl FnOnce(u16, Role)) {
    let array = rooms.array.with(rooms.launched.load(Ordering::Relaxed) as u16);
    let core = calling_actor().and_then(|context| u16::try_from(context.actor().0.saturating_sub(1)).ok());
    if let Some(core) = core.filter(|core| *core < array.count()) {
        let (cluster, role) = array.place(core);
        act(cluster, role);
    }
}
