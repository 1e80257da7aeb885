//! Where the imports of a runtime's objects lead: one table, by symbol.
//!
//! It holds what the device has to answer: its registers, its clock, its memory; what would wait in the kernel, since
//! only one actor runs at a time; and what leaves something behind.

use std::io;

use sim_core::charges::ResolvedCharges;
use sim_core::loader::imports::ImportSlots;
use sim_core::loader::ledger::LoadOrigin;
use sim_core::loader::thunk::{Before, Instead, Thunk};

use crate::hooks::keys::KeyList;
use crate::hooks::{charges, code, keys, locks, memory, registers, threads, time};

/// Where an import leads.
#[derive(Clone, Copy)]
enum Lead {
    /// To a function that takes its place.
    To(usize),
    /// To what it is bound to, after somebody has seen the call.
    Seen(Before),
    /// To a function that takes its place and knows what it was bound to.
    Around(Instead),
    /// To a function that takes its place and knows the keys of the object.
    Keys(Instead),
}

/// What redirected imports of an object need for as long as it is loaded. The keys that it made go with this.
pub(crate) struct Kept {
    _thunks: Vec<Thunk>,
    _keys: Box<KeyList>,
    /// A word that was changed, and what it holds since.
    sample: Option<(u64, usize)>,
}

impl Kept {
    /// Whether the object at `load_address` is still the one that was redirected.
    pub(crate) fn is_in_place(&self, load_address: usize) -> bool {
        self.sample.is_some_and(|(offset, target)| {
            // SAFETY: a word of the object that is loaded there.
            let word = unsafe { ((load_address + offset as usize) as *const usize).read_volatile() };
            word == target
        })
    }
}

/// Leads the imports of an object to where this table says. What charges say is due before that.
///
/// # Safety
///
/// The object with these slots must be loaded at `load_address`, and nobody may run its code meanwhile.
pub(crate) unsafe fn apply(
    role: LoadOrigin,
    slots: &ImportSlots,
    load_address: usize,
    charges: Option<&ResolvedCharges>,
) -> io::Result<Kept> {
    let keys = Box::<KeyList>::default();
    let key_list = std::ptr::from_ref::<KeyList>(&keys) as usize;
    let mut thunks = Vec::new();
    let mut failure = None;
    let mut sample = None;
    let mut thunk = |made: io::Result<Thunk>| match made {
        Ok(thunk) => {
            let address = thunk.address();
            thunks.push(thunk);
            Some(address)
        }
        Err(error) => {
            failure.get_or_insert(error);
            None
        }
    };
    // SAFETY: each function of the table takes what the one it stands for does.
    unsafe {
        slots.redirect(load_address, |slot, bound| {
            let mut target = match find(role, &slot.symbol) {
                None => None,
                Some(Lead::To(function)) => Some(function),
                Some(Lead::Seen(hook)) => thunk(Thunk::before(hook, 0, bound)),
                Some(Lead::Around(hook)) => thunk(Thunk::instead(hook, bound)),
                Some(Lead::Keys(hook)) => thunk(Thunk::instead(hook, key_list)),
            };
            if let Some(charge) = charges.filter(|_| slot.call).and_then(|charges| charges.get(&slot.symbol)) {
                target = thunk(Thunk::before(charging(role), charge.index, target.unwrap_or(bound)));
            }
            sample = target.map(|target| (slot.offset, target)).or(sample);
            target
        })?;
    }
    match failure {
        Some(error) => Err(error),
        None => Ok(Kept { _thunks: thunks, _keys: keys, sample }),
    }
}

/// Who sees charged calls of an object. The code of an orchestration runs on the host or on the device, as the runtime
/// has it.
fn charging(role: LoadOrigin) -> Before {
    match role {
        LoadOrigin::HostRuntime | LoadOrigin::Orchestration => charges::anywhere,
        _ => charges::on_device,
    }
}

fn to(function: *const ()) -> Lead {
    Lead::To(function as usize)
}

fn find(role: LoadOrigin, symbol: &str) -> Option<Lead> {
    let lead = match symbol {
        // ---- the device's registers and caches
        "_Z16reg_load_acquirePVKj" => to(registers::load as *const ()),
        "_Z17reg_store_releasePVjj" => to(registers::store as *const ()),
        "_Z16sim_get_reg_basev" => to(registers::base as *const ()),
        "_ZN23aicpu_cache_maintenance21invalidate_range_implEPKvm" => to(registers::maintain_cache as *const ()),
        "_ZN23aicpu_cache_maintenance16flush_range_implEPKvm" => to(registers::maintain_cache as *const ()),
        // ---- time
        "sched_yield" => to(time::sched_yield as *const ()),
        "_ZNSt6chrono3_V212steady_clock3nowEv" => to(time::steady_clock_now as *const ()),
        "_ZNSt6chrono3_V212system_clock3nowEv" => to(time::system_clock_now as *const ()),
        "clock_gettime" => to(time::clock_gettime as *const ()),
        "gettimeofday" => to(time::gettimeofday as *const ()),
        "nanosleep" => to(time::nanosleep as *const ()),
        "clock_nanosleep" => to(time::clock_nanosleep as *const ()),
        "usleep" => to(time::usleep as *const ()),
        "sleep" => to(time::sleep as *const ()),
        "_ZNSt6thread20hardware_concurrencyEv" | "get_nprocs" => to(time::processors as *const ()),
        // ---- threads
        "_ZNSt6thread4joinEv" => to(threads::join_std_thread as *const ()),
        "pthread_join" => to(threads::join as *const ()),
        // ---- what threads wait for
        "pthread_mutex_lock" => to(locks::mutex_lock as *const ()),
        "pthread_mutex_trylock" => to(locks::mutex_trylock as *const ()),
        "pthread_mutex_unlock" => to(locks::mutex_unlock as *const ()),
        "pthread_cond_wait" => to(locks::cond_wait as *const ()),
        "pthread_cond_timedwait" => to(locks::cond_timedwait as *const ()),
        "pthread_cond_clockwait" => to(locks::cond_clockwait as *const ()),
        "pthread_cond_signal" => to(locks::cond_signal as *const ()),
        "pthread_cond_broadcast" => to(locks::cond_broadcast as *const ()),
        "_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE" => to(locks::condition_wait as *const ()),
        "_ZNSt18condition_variable10notify_oneEv" => to(locks::cond_signal as *const ()),
        "_ZNSt18condition_variable10notify_allEv" => to(locks::cond_broadcast as *const ()),
        "pthread_once" => to(locks::once as *const ()),
        "__cxa_guard_acquire" => to(locks::guard_acquire as *const ()),
        "__cxa_guard_release" => to(locks::guard_release as *const ()),
        "__cxa_guard_abort" => to(locks::guard_abort as *const ()),
        "pthread_key_create" => Lead::Keys(keys::create),
        "pthread_key_delete" => Lead::Keys(keys::delete),
        // ---- code
        "dlopen" => to(code::dlopen as *const ()),
        "dlsym" => to(code::dlsym as *const ()),
        "dlclose" => to(code::dlclose as *const ()),
        "mkstemp" => to(code::mkstemp as *const ()),
        "mkstemps" => to(code::mkstemps as *const ()),
        "unlink" => to(code::unlink as *const ()),
        "remove" => to(code::remove as *const ()),
        _ if role == LoadOrigin::HostRuntime => return find_in_host_runtime(symbol),
        _ => return None,
    };
    Some(lead)
}

/// Threads that a host runtime starts are the device's; those of a host's orchestration are the host's own. The device's
/// memory: the reference's allocator is built on the C library's, which here gives device memory.
fn find_in_host_runtime(symbol: &str) -> Option<Lead> {
    Some(match symbol {
        "_ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE" => {
            Lead::Around(threads::start_std_thread)
        }
        "pthread_create" => to(threads::create as *const ()),
        "_ZN15MemoryAllocator5allocEm" => Lead::Around(memory::allocate),
        "malloc" => to(memory::malloc as *const ()),
        "free" => to(memory::free as *const ()),
        "_ZN19SimDeviceRunnerBase14copy_to_deviceEPvPKvm" => Lead::Seen(memory::copied_to_device),
        "_ZN19SimDeviceRunnerBase16copy_from_deviceEPvPKvm" => Lead::Seen(memory::copied_from_device),
        "_ZN19SimDeviceRunnerBase13device_memsetEPvim" => Lead::Seen(memory::filled),
        _ => return None,
    })
}
