//! Loops from compilers and from hand-assembled bytes, and code that looks like a waiting loop and is none.

use super::*;
use crate::loader::symbols::NamedRange;
use crate::loader::test_objects::{Language, shared_object};

/// Searches bytes placed at address 0x1000, as one function.
fn search(bytes: &[u8]) -> WaitLoops {
    let mut found = WaitLoops { search: Search::Functions, waits: Vec::new(), hopeless: Vec::new() };
    let function = NamedRange { address: 0x1000, size: bytes.len() as u64, name: "code".to_owned() };
    let symbols = SymbolMap::with_functions(vec![function]);
    Finder::new(&symbols, Vec::new()).search(Code { address: 0x1000, bytes }, &mut found);
    found
}

/// Assembles the body of one function.
fn assembled(source: &str) -> WaitLoops {
    assembled_file(&format!(".globl f\n.type f, @function\nf:\n{source}\n.size f, . - f\n"))
}

fn assembled_file(source: &str) -> WaitLoops {
    let text = format!(".intel_syntax noprefix\n{source}\n.section .note.GNU-stack,\"\",@progbits\n");
    find("test.so", &shared_object(Language::Assembly, &text, &["-nostdlib"])).expect("a loadable object")
}

/// Assembles `source` between two functions, so that it belongs to none.
fn assembled_between_functions(source: &str) -> WaitLoops {
    let function = |name| format!(".globl {name}\n.type {name}, @function\n{name}: ret\n.size {name}, 1\n");
    assembled_file(&format!("{}{source}\n{}", function("f"), function("g")))
}

fn compiled(source: &str, optimisation: &str) -> WaitLoops {
    let source = format!("#include <atomic>\n{source}");
    find("test.so", &shared_object(Language::Cxx, &source, &[optimisation])).expect("a loadable object")
}

fn bodies(found: &WaitLoops) -> Vec<Vec<&str>> {
    found.waits.iter().map(|wait| wait.site.body.iter().map(String::as_str).collect()).collect()
}

fn nothing() -> WaitLoops {
    WaitLoops { search: Search::Functions, waits: Vec::new(), hopeless: Vec::new() }
}

// ---- encodings ------------------------------------------------------------------------------------------------------

#[test]
fn is_a_short_conditional_branch_read_exactly() {
    // cmp byte ptr [rdi+0x10], 0; je to the start; ret
    let found = search(&[0x80, 0x7f, 0x10, 0x00, 0x74, 0xfa, 0xc3]);
    let expected = WaitLoop {
        site: LoopSite {
            back_edge: BackEdge {
                address: 0x1004,
                bytes: vec![0x74, 0xfa],
                condition: Condition::Equal,
                target: 0x1000,
                fall_through: 0x1006,
            },
            symbol: Some(SymbolOffset { symbol: "code".to_owned(), offset: 4 }),
            body: vec!["cmp byte ptr [rdi+0x10], 0".to_owned(), "je 0x1000".to_owned()],
        },
        watches: vec![Watch {
            text: "1 byte at rdi+0x10".to_owned(),
            size: 1,
            address: Some(WatchAddress::InRegisters { base: Some(7), index: None, displacement: 0x10 }),
        }],
    };
    assert_eq!(found.waits, [expected]);
    assert_eq!(found.hopeless, []);
}

#[test]
fn is_a_near_conditional_branch_read_exactly() {
    // cmp byte ptr [rdi+0x10], 0; jne rel32 to the start; ret
    let found = search(&[0x80, 0x7f, 0x10, 0x00, 0x0f, 0x85, 0xf6, 0xff, 0xff, 0xff, 0xc3]);
    let expected = BackEdge {
        address: 0x1004,
        bytes: vec![0x0f, 0x85, 0xf6, 0xff, 0xff, 0xff],
        condition: Condition::NotEqual,
        target: 0x1000,
        fall_through: 0x100a,
    };
    assert_eq!(found.waits.iter().map(|wait| &wait.site.back_edge).collect::<Vec<_>>(), [&expected]);
}

#[test]
fn are_short_and_near_jumps_read_exactly() {
    // mov eax, [rdi]; test eax, eax; jne to the ret; jmp to the start; ret
    let short = search(&[0x8b, 0x07, 0x85, 0xc0, 0x75, 0x02, 0xeb, 0xf8, 0xc3]);
    let near = search(&[0x8b, 0x07, 0x85, 0xc0, 0x75, 0x05, 0xe9, 0xf5, 0xff, 0xff, 0xff, 0xc3]);
    let edge = |bytes: &[u8]| BackEdge {
        address: 0x1006,
        bytes: bytes.to_vec(),
        condition: Condition::Always,
        target: 0x1000,
        fall_through: 0x1006 + bytes.len() as u64,
    };
    assert_eq!(short.waits[0].site.back_edge, edge(&[0xeb, 0xf8]));
    assert_eq!(near.waits[0].site.back_edge, edge(&[0xe9, 0xf5, 0xff, 0xff, 0xff]));
}

#[test]
fn is_every_condition_code_read_from_its_opcode() {
    for code in 0..16 {
        let found = search(&[0x80, 0x7f, 0x10, 0x00, 0x70 | code, 0xfa, 0xc3]);
        let conditions: Vec<_> = found.waits.iter().map(|wait| wait.site.back_edge.condition).collect();
        assert_eq!(conditions, [Condition::BY_CODE[usize::from(code)]]);
    }
}

#[test]
fn does_the_branch_go_where_the_flags_say() {
    let edge = search(&[0x80, 0x7f, 0x10, 0x00, 0x74, 0xfa, 0xc3]).waits.remove(0).site.back_edge;
    assert_eq!((edge.destination(1 << 6), edge.destination(0)), (0x1000, 0x1006));
}

#[test]
fn is_code_that_ends_in_the_middle_of_an_instruction_searched_up_to_there() {
    assert_eq!(search(&[0x80, 0x7f, 0x10, 0x00, 0x74, 0xfa, 0x0f, 0x85, 0xf6]).waits.len(), 1);
    assert_eq!(search(&[0x80, 0x7f, 0x10, 0x00, 0x74]).waits.len(), 0);
    // The branch goes into the middle of the comparison.
    assert_eq!(search(&[0x80, 0x7f, 0x10, 0x00, 0x74, 0xfb, 0xc3]), nothing());
}

// ---- loops that wait ------------------------------------------------------------------------------------------------

#[test]
fn are_waits_in_optimised_code_found_with_what_they_wait_for() {
    let source = "std::atomic<int> ready;
        extern \"C\" void until_ready() { while (!ready.load(std::memory_order_acquire)) {} }";
    let found = compiled(source, "-O2");
    assert_eq!(found.search, Search::Functions);
    assert_eq!(found.waits.len(), 1, "{found:?}");
    assert_eq!(found.hopeless, []);
    let wait = &found.waits[0];
    assert_eq!(wait.site.symbol.as_ref().map(|symbol| symbol.symbol.as_str()), Some("until_ready"));
    assert_eq!((wait.watches.len(), wait.watches[0].size), (1, 4));
}

#[test]
fn is_a_wait_with_a_way_out_found() {
    let source = "std::atomic<bool> done, failed;
        extern \"C\" int both() { while (!done.load()) { if (failed.load()) return -1; } return 0; }";
    let found = compiled(source, "-O3");
    assert_eq!(found.waits.len(), 1, "{found:?}");
    assert_eq!(found.waits[0].watches.len(), 2);
}

#[test]
fn is_a_wait_for_a_number_of_arrivals_found() {
    let source = "struct Team { std::atomic<int> arrived; int size; };
        extern \"C\" void all(Team *team, int n) { while (team->arrived.load() < n) { __builtin_ia32_pause(); } }";
    let found = compiled(source, "-O2");
    assert_eq!(found.waits.len(), 1, "{found:?}");
    assert_eq!(found.waits[0].watches[0].text, "4 bytes at rdi");
}

#[test]
fn is_a_wait_for_room_in_a_ring_found() {
    let source = "struct Ring { std::atomic<unsigned> head, tail; };
        extern \"C\" void room(Ring *ring) { while (ring->head.load() - ring->tail.load() >= 64) {} }";
    let found = compiled(source, "-O2");
    assert_eq!(found.waits.len(), 1, "{found:?}");
    assert_eq!(found.waits[0].watches.len(), 2);
}

#[test]
fn is_a_wait_behind_a_pointer_that_is_loaded_each_time_found() {
    let source = "struct Header { std::atomic<int> state; };
        struct Owner { std::atomic<Header *> header; };
        extern \"C\" void open(Owner *owner) { while (owner->header.load()->state.load() != 3) {} }";
    let found = compiled(source, "-O2");
    assert_eq!(found.waits.len(), 1, "{found:?}");
    let addresses: Vec<_> = found.waits[0].watches.iter().map(|watch| watch.address.is_some()).collect();
    assert_eq!(addresses, [true, false]);
}

#[test]
fn is_a_wait_in_unoptimised_code_found() {
    let source = "extern \"C\" void flag(volatile int *flag) { while (!*flag) {} }";
    assert_eq!(compiled(source, "-O0").waits.len(), 1);
}

#[test]
fn is_each_branch_back_of_a_wait_for_two_flags_found() {
    let found = assembled("head: mov al, [rdi]\n test al, al\n je head\n cmp byte ptr [rsi], 0\n je head\n ret");
    let conditions: Vec<_> = found.waits.iter().map(|wait| wait.site.back_edge.condition).collect();
    assert_eq!(conditions, [Condition::Equal, Condition::Equal]);
    assert_eq!(found.waits[1].site.body.len(), 5);
}

#[test]
fn is_a_wait_that_loads_at_its_end_found() {
    let found = assembled("mov eax, [rdi]\n jmp 2f\n 1: pause\n mov eax, [rdi]\n 2: test eax, eax\n je 1b\n ret");
    assert_eq!(found.waits.len(), 1);
    let found = assembled("mov eax, [rdi]\n 1: test eax, eax\n jne 2f\n mov eax, [rdi]\n jmp 1b\n 2: ret");
    assert_eq!(found.waits.len(), 1);
}

#[test]
fn is_code_that_a_wait_jumps_over_left_out_of_it() {
    let found = assembled("1: cmp byte ptr [rdi], 0\n je 2f\n mov qword ptr [rsi], 1\n ret\n 2: pause\n jmp 1b");
    let body: Vec<_> = found.waits[0].site.body.iter().map(|text| text.split(' ').next()).collect();
    assert_eq!(body, [Some("cmp"), Some("je"), Some("pause"), Some("jmp")]);
}

#[test]
fn are_waits_found_without_symbols() {
    let source = "extern \"C\" void until(volatile int *flag) { while (!*flag) {} }";
    let stripped = shared_object(Language::Cxx, source, &["-O2", "-s", "-fvisibility=hidden", "-nostdlib"]);
    let found = find("stripped.so", &stripped).expect("a loadable object");
    assert_eq!((found.search, found.waits.len()), (Search::Sections, 1));
    assert_eq!(found.waits[0].site.symbol, None);
}

#[test]
fn is_a_wait_between_functions_found() {
    let found = assembled_between_functions("1: cmp byte ptr [rdi], 0\n je 1b\n ret");
    assert_eq!(found.waits.iter().map(|wait| &wait.site.symbol).collect::<Vec<_>>(), [&None]);
}

// ---- code that looks like a wait ------------------------------------------------------------------------------------

#[test]
fn is_a_cold_block_that_jumps_back_no_loop() {
    // The hot path leaves the region; the block at its end is entered from elsewhere and jumps back.
    let found = assembled(
        "head: mov eax, [rdi]\n jmp out\n cold: mov ecx, [rsi]\n test ecx, ecx\n jmp head\n
         out: mov [rdx], eax\n cmp eax, 5\n je cold\n ret",
    );
    assert_eq!(found, nothing());
}

#[test]
fn is_a_walk_along_a_list_no_wait() {
    let source = "struct Node { Node *volatile next; };
        extern \"C\" Node *last(Node *node) { while (node->next) node = node->next; return node; }";
    assert_eq!(compiled(source, "-O2"), nothing());
    // The pointer takes a way round through a second register.
    assert_eq!(assembled("1: mov rax, rcx\n cmp qword ptr [rax], 0\n mov rcx, [rax+8]\n jne 1b\n ret"), nothing());
}

#[test]
fn is_a_loop_that_counts_no_wait() {
    let source = "extern \"C\" int tries(volatile int *flag) {
        for (int i = 0; i < 1000; ++i) if (*flag) return i; return -1; }";
    for optimisation in ["-O1", "-O2", "-O3"] {
        assert_eq!(compiled(source, optimisation).waits, [], "{optimisation}");
    }
}

#[test]
fn is_a_step_to_another_state_no_wait() {
    // A search that goes on with a wider mask, once.
    let found = assembled("1: test [rdi], esi\n je 2f\n cmp esi, -1\n je 2f\n mov esi, -1\n jmp 1b\n 2: ret");
    assert_eq!(found, nothing());
}

#[test]
fn is_a_retry_at_a_position_that_was_loaded_no_wait() {
    let source = "struct Slot { std::atomic<unsigned long> sequence; void *task; };
        struct Queue { std::atomic<unsigned long> head; unsigned long mask; Slot slots[64]; };
        extern \"C\" Slot *claim(Queue *queue) { for (;;) {
            unsigned long position = queue->head.load();
            Slot &slot = queue->slots[position & 63];
            if (slot.sequence.load() == position) return &slot; } }";
    assert_eq!(compiled(source, "-O2"), nothing());
}

#[test]
fn is_a_loop_with_a_store_no_wait() {
    let source = "extern \"C\" void busy(volatile int *flag, volatile int *count) { while (!*flag) *count = 1; }";
    assert_eq!(compiled(source, "-O2"), nothing());
}

#[test]
fn is_a_loop_that_takes_a_lock_no_wait() {
    let source = "extern \"C\" void lock(std::atomic<int> *lock) { while (lock->exchange(1)) {} }";
    assert_eq!(compiled(source, "-O2"), nothing());
}

#[test]
fn is_a_loop_with_a_call_no_wait() {
    let source = "#include <sched.h>
        extern \"C\" void yielding(volatile int *flag) { while (!*flag) sched_yield(); }";
    assert_eq!(compiled(source, "-O2"), nothing());
    // Only one of two ways round calls.
    let found = assembled("1: cmp byte ptr [rdi], 0\n jne 3f\n test esi, esi\n je 2f\n call rdx\n 2: jmp 1b\n 3: ret");
    assert_eq!(found, nothing());
}

#[test]
fn is_a_loop_longer_than_a_wait_left_alone() {
    let padding = "nop\n".repeat(MOST_INSTRUCTIONS - 2);
    let found = assembled(&format!("1: cmp byte ptr [rdi], 0\n {padding} je 1b\n ret"));
    assert_eq!(found.waits.len(), 1);
    assert_eq!(assembled(&format!("1: cmp byte ptr [rdi], 0\n nop\n {padding} je 1b\n ret")), nothing());
}

#[test]
fn is_a_timed_wait_left_to_the_clock() {
    assert_eq!(assembled("1: rdtsc\n cmp eax, [rdi]\n jb 1b\n ret"), nothing());
}

// ---- loops that nobody can end --------------------------------------------------------------------------------------

#[test]
fn is_a_wait_on_the_own_stack_hopeless() {
    let source = "extern \"C\" int own() { volatile int flag = 0; while (!flag) {} return flag; }";
    let found = compiled(source, "-O2");
    assert_eq!(found.waits, []);
    let reasons: Vec<_> = found.hopeless.iter().map(|hopeless| hopeless.reason).collect();
    assert_eq!(reasons, [HopelessReason::StackSlot]);
    assert_eq!(found.hopeless[0].site.symbol.as_ref().map(|symbol| symbol.symbol.as_str()), Some("own"));
}

#[test]
fn is_a_comparison_with_a_spilled_value_hopeless_in_a_frame() {
    let found = assembled("push rbp\n mov rbp, rsp\n sub rsp, 0x800\n 1: cmp [rbp-0x7c8], r10d\n jge 1b\n leave\n ret");
    assert_eq!(found.waits, []);
    assert_eq!(found.hopeless[0].watches[0].text, "4 bytes at rbp-0x7c8");
}

#[test]
fn is_a_stack_slot_that_was_shared_a_wait() {
    let source = "extern \"C\" void start(std::atomic<int> *);
        extern \"C\" void joined() { std::atomic<int> done{0}; start(&done); while (!done.load()) {} }";
    let found = compiled(source, "-O2");
    assert_eq!((found.waits.len(), found.hopeless.len()), (1, 0), "{found:?}");
}

#[test]
fn is_rbp_a_register_like_any_other_without_a_frame() {
    let found = assembled("push rbp\n mov rbp, rdi\n 1: cmp byte ptr [rbp+8], 0\n je 1b\n pop rbp\n ret");
    assert_eq!((found.waits.len(), found.hopeless.len()), (1, 0));
}

#[test]
fn is_a_limit_on_the_stack_no_reason_to_give_up_a_wait() {
    let found = assembled("sub rsp, 24\n 1: mov eax, [rdi]\n cmp eax, [rsp+12]\n jl 1b\n add rsp, 24\n ret");
    assert_eq!((found.waits.len(), found.hopeless.len()), (1, 0));
}

#[test]
fn is_a_flag_that_is_not_atomic_hopeless() {
    let object = shared_object(Language::C, "int plain; void until(void) { while (!plain) {} }", &["-O2"]);
    let found = find("test.so", &object).expect("a loadable object");
    assert_eq!(found.waits, []);
    let reasons: Vec<_> = found.hopeless.iter().map(|hopeless| hopeless.reason).collect();
    assert_eq!(reasons, [HopelessReason::LoadsNothing]);
}

#[test]
fn is_data_between_functions_that_reads_like_a_hang_left_alone() {
    assert_eq!(assembled_between_functions("1: jmp 1b"), nothing());
    assert_eq!(assembled("1: jmp 1b").hopeless.len(), 1);
}

#[test]
fn is_a_loop_that_ends_by_itself_not_called_hopeless() {
    assert_eq!(assembled("1: mov eax, ebx\n mov ebx, 0\n test eax, eax\n jne 1b\n ret"), nothing());
}

// ---- addresses ------------------------------------------------------------------------------------------------------

#[test]
fn is_a_watched_address_computed_from_registers() {
    let found = assembled("1: cmp dword ptr [rbx+r12*4-0x20], 7\n jne 1b\n ret");
    assert_eq!(bodies(&found)[0][0], "cmp dword ptr [rbx+r12*4-0x20], 7");
    let watch = &found.waits[0].watches[0];
    assert_eq!(watch.text, "4 bytes at rbx+r12*4-0x20");
    let mut registers = [0; 16];
    (registers[3], registers[12]) = (0x7000, 5);
    assert_eq!(watch.address.map(|address| address.resolve(0x10_0000, &registers)), Some(0x6ff4));
}

#[test]
fn is_a_watched_variable_of_the_object_named() {
    let data = ".data\n .type flag, @object\n .size flag, 8\n flag: .quad 0\n .text\n";
    let found = assembled(&format!("1: cmp dword ptr flag[rip+4], 0\n je 1b\n ret\n {data}"));
    let watch = &found.waits[0].watches[0];
    let Some(WatchAddress::InObject(offset)) = watch.address else { panic!("{watch:?}") };
    assert_eq!(watch.text, format!("4 bytes at flag+0x4 ({offset:#x})"));
    assert_eq!(WatchAddress::InObject(offset).resolve(0x5000, &[0; 16]), 0x5000 + offset);
}
