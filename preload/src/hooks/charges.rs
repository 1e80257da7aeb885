//! Charged calls: time passes for whoever makes them, before they go on to where they lead anyhow.

use sim_core::loader::thunk::Arguments;

use crate::caller::{Caller, on_actor, with_caller};

/// A function of the device is called. Only actors are charged: the host may call it too, to prepare something.
pub(crate) extern "C" fn on_device(charge: usize, _arguments: &Arguments, called_from: usize) {
    on_actor(|actor, rooms| {
        if let Some(charges) = &rooms.charges {
            let cost = charges.due(charge);
            rooms.worked(cost.confidence, cost.value);
            actor.elapse(cost.value, called_from);
        }
    });
}

/// A function is called that the host may as well call as the device.
pub(crate) extern "C" fn anywhere(charge: usize, _arguments: &Arguments, called_from: usize) {
    with_caller(|caller| {
        let Some(device) = caller.device() else { return };
        let Some(charges) = &device.charges else { return };
        let cost = charges.due(charge);
        match caller {
            Caller::Actor(actor, rooms) => {
                rooms.worked(cost.confidence, cost.value);
                actor.elapse(cost.value, called_from);
            }
            Caller::Other => device.spend(cost.value),
        }
    });
}
