//! What programs take, to the picosecond. A cycle of a2a3 has 540.54 ps, of a5 606.06 ps.

use sim_core::profile::{Arch, Bandwidth, Confidence, Profile};

use super::cluster::Role;
use super::instruction::*;
use super::{CoreKind, L2Share, MemoryRates, PipeError, PipeModel, Program, Timeline};

const A2A3: Arch = Arch::A2a3;
const A5: Arch = Arch::A5;

fn model(arch: Arch, core: CoreKind) -> PipeModel {
    PipeModel::of(&Profile::load(arch).unwrap(), core)
}

fn run(core: CoreKind, instructions: &[Instruction]) -> Result<Timeline, PipeError> {
    model(A2A3, core).run(&Program::new(instructions.to_vec()), &MemoryRates::alone())
}

/// How long these instructions take on an AIV of a2a3, in picoseconds.
fn vector_ps(instructions: &[Instruction]) -> u64 {
    run(CoreKind::Aiv, instructions).unwrap().duration.as_ps()
}

/// How long one instruction takes by itself.
fn ps_of(arch: Arch, instruction: Instruction) -> u64 {
    let pipe = instruction.pipe().unwrap();
    let core = if CoreKind::Aiv.has(pipe) { CoreKind::Aiv } else { CoreKind::Aic };
    model(arch, core).cost_of(instruction).unwrap().duration.as_ps()
}

fn place(offset: u64) -> GmPlace {
    GmPlace { tensor: Some(0), offset, alignment: (offset % 512) as u16 }
}

fn transfer(path: Path, rows: u32, row_bytes: u32) -> Instruction {
    let stride = u64::from(row_bytes);
    Instruction::Transfer(Transfer { path, rows, row_bytes, stride, place: place(0), nd2nz: false })
}

/// 64 KiB from GM to UB.
fn load() -> Instruction {
    transfer(Path::GmToUb, 128, 512)
}

fn vector(op: VectorOp, element: Element, rows: u32, cols: u32) -> Instruction {
    let extent = Extent::Tile { rows, cols, width: cols };
    Instruction::Vector(VectorWork { op, element, to: element, extent, places: None })
}

/// 64 repeats.
fn add() -> Instruction {
    vector(VectorOp::Add, Element::Fp32, 64, 64)
}

fn set(from: Pipe, to: Pipe) -> Instruction {
    Instruction::SetFlag { from, to, event: 0 }
}

fn wait(from: Pipe, to: Pipe) -> Instruction {
    Instruction::WaitFlag { from, to, event: 0 }
}

// 264 cycles, 64 KiB at 128 B a cycle; startup and 64 repeats of vadd.
const LATENCY: u64 = 142_703;
/// The same of rows that become fractals: 81 cycles.
const FRACTALS: u64 = 43_784;
const BYTES: u64 = 276_757;
const LOAD: u64 = LATENCY + BYTES;
const ADD: u64 = 85_968;

#[test]
fn do_transfers_in_one_pipe_pay_the_latency_once() {
    assert_eq!(vector_ps(&[load()]), LOAD);
    assert_eq!(vector_ps(&[load(), load(), load()]), LATENCY + 3 * BYTES);
}

#[test]
fn do_many_small_transfers_take_their_instructions() {
    let small = transfer(Path::GmToUb, 1, 128);
    // 11.15 ns each; 128 B take a cycle, and the latency is that of the last one.
    assert_eq!(vector_ps(&[small; 1000]), 999 * 11_150 + LATENCY + 541);
}

#[test]
fn does_every_vector_operation_pay_its_startup() {
    assert_eq!(vector_ps(&[add()]), ADD);
    assert_eq!(vector_ps(&[add(), add()]), 2 * ADD);
    assert_eq!(vector_ps(&[add(), Instruction::Barrier(Pipe::V), add()]), 2 * ADD);
    assert_eq!(vector_ps(&[add(), Instruction::BarrierAll, add()]), 2 * ADD);
}

#[test]
fn do_pipes_run_side_by_side_but_for_flags() {
    let store = transfer(Path::UbToGm, 128, 512);
    // 300 cycles until what was stored has arrived.
    let store_ps = 162_163 + BYTES;
    assert_eq!(vector_ps(&[load(), add(), store]), store_ps);
    let chain = [
        load(),
        set(Pipe::Mte2, Pipe::V),
        wait(Pipe::Mte2, Pipe::V),
        add(),
        set(Pipe::V, Pipe::Mte3),
        wait(Pipe::V, Pipe::Mte3),
        store,
    ];
    assert_eq!(vector_ps(&chain), LOAD + ADD + store_ps);
    let busy = run(CoreKind::Aiv, &chain).unwrap().busy.map(|busy| busy.as_ps());
    assert_eq!(busy, [0, ADD, 0, 0, BYTES, BYTES, 0]);
}

#[test]
fn does_a_pipe_that_waited_begin_anew_and_one_whose_flag_was_up_go_on() {
    let flags = [set(Pipe::Mte2, Pipe::V), wait(Pipe::Mte2, Pipe::V)];
    let up = [flags[0], add(), flags[1], add()];
    assert_eq!(vector_ps(&up), 2 * ADD);
    let late = [add(), load(), flags[0], flags[1], add()];
    assert_eq!(vector_ps(&late), LOAD + ADD);
}

#[test]
fn can_a_pipe_wait_for_a_flag_that_is_set_later_in_the_program() {
    let program = [wait(Pipe::Mte2, Pipe::V), add(), load(), set(Pipe::Mte2, Pipe::V)];
    assert_eq!(vector_ps(&program), LOAD + ADD);
}

#[test]
fn do_flags_count() {
    let flags = |number| std::iter::repeat_n(set(Pipe::Mte2, Pipe::V), number);
    let waits = |number| std::iter::repeat_n(wait(Pipe::Mte2, Pipe::V), number);
    let program: Vec<_> = [load()].into_iter().chain(flags(2)).chain(waits(2)).chain([add()]).collect();
    assert_eq!(vector_ps(&program), LOAD + ADD);
    let program: Vec<_> = flags(2).chain(waits(3)).collect();
    let never = PipeError::NeverSet { index: 4, pipe: Pipe::V, from: Pipe::Mte2, event: 0 };
    assert_eq!(run(CoreKind::Aiv, &program), Err(never));
}

#[test]
fn does_the_scalar_unit_hold_up_all_that_follows() {
    let scalar = Instruction::Scalar { cycles: 37 };
    assert_eq!(vector_ps(&[scalar, load()]), 20_000 + LOAD);
    // What was handed over before goes on meanwhile.
    assert_eq!(vector_ps(&[load(), scalar]), LOAD);
    let waits = [load(), set(Pipe::Mte2, Pipe::S), wait(Pipe::Mte2, Pipe::S), add()];
    assert_eq!(vector_ps(&waits), LOAD + ADD);
}

#[test]
fn which_instruction_waits_in_vain() {
    let error = |instructions: &[Instruction]| run(CoreKind::Aiv, instructions).unwrap_err().to_string();
    assert_eq!(
        error(&[load(), Instruction::WaitFlag { from: Pipe::Mte2, to: Pipe::V, event: 3 }, add()]),
        "instruction 1: V waits for event 3 of MTE2, which nobody sets: its set_flag is missing, or cannot be reached \
         while this waits"
    );
    // The scalar unit waits for what it would have to hand over first.
    let behind = [wait(Pipe::V, Pipe::S), add(), set(Pipe::V, Pipe::S)];
    let never = PipeError::NeverSet { index: 0, pipe: Pipe::S, from: Pipe::V, event: 0 };
    assert_eq!(run(CoreKind::Aiv, &behind), Err(never));
    // Two pipes wait for each other: named is the first in the program.
    let circle = [
        wait(Pipe::V, Pipe::Mte2),
        load(),
        set(Pipe::Mte2, Pipe::V),
        wait(Pipe::Mte2, Pipe::V),
        set(Pipe::V, Pipe::Mte2),
    ];
    let never = PipeError::NeverSet { index: 0, pipe: Pipe::Mte2, from: Pipe::V, event: 0 };
    assert_eq!(run(CoreKind::Aiv, &circle), Err(never));
}

#[test]
fn what_cannot_be_run_on_which_core() {
    let error = |arch, core, instruction| model(arch, core).cost_of(instruction).unwrap_err().to_string();
    assert_eq!(
        error(A2A3, CoreKind::Aic, add()),
        "instruction 0: an AIC has no pipe V: the kernel is one for the other kind of core"
    );
    let drain =
        |path| Instruction::Drain(Drain { path, m: 16, n: 16, element: Element::Fp32, stride: 64, place: place(0) });
    assert_eq!(error(A2A3, CoreKind::Aic, drain(Path::L0cToUb)), "instruction 0: a2a3 has no path L0cToUb");
    assert!(model(A5, CoreKind::Aic).cost_of(drain(Path::L0cToUb)).is_ok());
    assert_eq!(
        error(A5, CoreKind::Aiv, vector(VectorOp::Exp, Element::Int8, 1, 64)),
        "instruction 0: nothing is known of Exp on Int8"
    );
    assert_eq!(
        error(A5, CoreKind::Aiv, Instruction::SetCross { pipe: Pipe::Mte3, peer: Role::Aiv1, flag: 0 }),
        "instruction 0: an AIV and AIV1 have no flags between them: those are between the AIC of a cluster and each of its \
         AIVs"
    );
    let used = [0, 0, 65_536, 65_537, 0];
    assert_eq!(
        model(A2A3, CoreKind::Aic).check_memory(&used).unwrap_err().to_string(),
        "the kernel has 65537 bytes of L0B, the core 65536"
    );
}

#[test]
fn does_a_part_of_the_memory_slow_transfers_down_and_nothing_else() {
    let rate = Bandwidth::from_bytes_per_s(100_000_000_000);
    let half = MemoryRates { read: rate, ..MemoryRates::alone() };
    let timed = |rates: &MemoryRates, instruction| {
        let program = Program::new(vec![instruction]);
        let timeline = model(A2A3, CoreKind::Aiv).run(&program, rates).unwrap();
        (timeline.duration.as_ps(), timeline.read_bytes, timeline.written_bytes)
    };
    assert_eq!(timed(&half, load()), (LATENCY + 655_360, 65_536, 0));
    assert_eq!(timed(&half, add()), (ADD, 0, 0));
    let store = transfer(Path::UbToGm, 128, 512);
    assert_eq!(timed(&half, store), (162_163 + BYTES, 0, 65_536));
    assert_eq!(timed(&MemoryRates { write: rate, ..half }, store), (162_163 + 655_360, 0, 65_536));
    // 100 GB/s are more than the port to the HBM lets through, which is 32 B a cycle, and less than that to the L2.
    let through = |share| MemoryRates { through: Some(share), ..half };
    assert_eq!(timed(&through(L2Share::default()), load()), (LATENCY + 1_107_028, 65_536, 0));
    assert_eq!(timed(&through(L2Share::ALL), load()), (LATENCY + 655_360, 65_536, 0));
    // 110 B a cycle.
    assert_eq!(timed(&MemoryRates::of_ports(L2Share::ALL), load()), (LATENCY + 322_045, 65_536, 0));
    // Half of it from there.
    let between = (1_107_028 + 322_045) / 2;
    assert_eq!(timed(&MemoryRates::of_ports(L2Share::of(3, 6)), load()), (LATENCY + between, 65_536, 0));
    assert_eq!(timed(&MemoryRates::of_ports(L2Share::ALL), store), (162_163 + 553_514, 0, 65_536));
}

#[test]
fn do_rows_that_are_not_aligned_cost_the_memory_but_not_a_core_alone() {
    let rows = |path, stride| {
        Instruction::Transfer(Transfer { path, rows: 128, row_bytes: 512, stride, place: place(0), nd2nz: true })
    };
    let half = MemoryRates { read: Bandwidth::from_bytes_per_s(100_000_000_000), ..MemoryRates::alone() };
    let timed = |rates: &MemoryRates, path, stride| {
        let program = Program::new(vec![rows(path, stride)]);
        let timeline = model(A2A3, CoreKind::Aic).run(&program, rates).unwrap();
        (timeline.duration.as_ps(), timeline.read_bytes)
    };
    assert_eq!(timed(&MemoryRates::alone(), Path::GmToUb, 24_574), (LOAD, 83_755));
    assert_eq!(timed(&half, Path::GmToUb, 24_576), (LATENCY + 655_360, 65_536));
    assert_eq!(timed(&half, Path::GmToUb, 24_574), (LATENCY + 837_550, 83_755));
    assert_eq!(timed(&half, Path::GmToL1, 24_574), (FRACTALS + 1_291_060, 129_106));
}

/// So many millionths of a cycle of a2a3, rounded up to a picosecond.
fn ps_of_micro_cycles(micro: u64) -> u64 {
    (micro * 1_000_000).div_ceil(1_850_000_000)
}

#[test]
fn what_do_short_rows_cost_the_memory_and_the_core() {
    let rows = |path, row_bytes, nd2nz| {
        let place = place(0);
        Instruction::Transfer(Transfer { path, rows: 128, row_bytes, stride: 24_576, place, nd2nz })
    };
    let timed = |core, instruction| {
        let timeline = model(A2A3, core).run(&Program::new(vec![instruction]), &MemoryRates::alone()).unwrap();
        (timeline.duration.as_ps(), timeline.read_bytes)
    };
    // A row of 128 B lacks three quarters of a line: 15 and 68 B for a whole one.
    let bytes = 16_384;
    assert_eq!(timed(CoreKind::Aiv, rows(Path::GmToUb, 128, false)), (LATENCY + 69_190, bytes + 128 * 15 * 3 / 4));
    assert_eq!(timed(CoreKind::Aiv, rows(Path::GmToUb, 512, false)), (LATENCY + 276_757, 65_536));
    // 128 rows of 3.385 cycles, where their bytes would take one each.
    let fractals = timed(CoreKind::Aic, rows(Path::GmToL1, 128, true));
    assert_eq!(fractals, (FRACTALS + 234_240, bytes + 128 * 68 * 3 / 4));
}

#[test]
fn how_many_repeats_has_a_tile_on_a2a3() {
    // The startup of vadd is 24 cycles, of vadds 25; a repeat takes 2.11 and 1, setting the mask 16 and 17.
    let add = |rows, cols| ps_of(A2A3, vector(VectorOp::Add, Element::Fp32, rows, cols));
    assert_eq!(add(64, 64), ADD);
    // 80 repeats, the last of each row cut off.
    assert_eq!(add(64, 80), ps_of_micro_cycles(24_000_000 + 80 * 2_110_000 + 16_000_000));
    // A row that fills half a repeat takes one.
    assert_eq!(add(64, 32), ps_of_micro_cycles(24_000_000 + 64 * 2_110_000 + 16_000_000));
    let adds = |rows, cols| ps_of(A2A3, vector(VectorOp::Adds, Element::Fp32, rows, cols));
    assert_eq!(adds(64, 32), ps_of_micro_cycles(25_000_000 + 32_000_000));
    assert_eq!(adds(64, 96), ps_of_micro_cycles(25_000_000 + 96_000_000 + 17_000_000));
    // A run that ends in the middle of a repeat: 31.5 of them.
    assert_eq!(adds(63, 32), ps_of_micro_cycles(25_000_000 + 32_000_000 + 17_000_000));
    // Rows that do not touch take repeats of their own.
    let apart = Extent::Tile { rows: 64, cols: 64, width: 128 };
    let work =
        VectorWork { op: VectorOp::Adds, element: Element::Fp16, to: Element::Fp16, extent: apart, places: None };
    assert_eq!(ps_of(A2A3, Instruction::Vector(work)), ps_of_micro_cycles(25_000_000 + 64_000_000 + 17_000_000));
    let repeats = VectorWork { extent: Extent::Repeats(10), ..work };
    assert_eq!(ps_of(A2A3, Instruction::Vector(repeats)), ps_of_micro_cycles(25_000_000 + 10_000_000));
}

#[test]
fn does_the_element_change_what_an_instruction_takes() {
    let of = |op, element| ps_of(A2A3, vector(op, element, 64, 64));
    // Integers: 23 cycles and two a repeat; rows of int16 fill half a repeat and take a mask.
    assert_eq!(of(VectorOp::Add, Element::Int32), ps_of_micro_cycles(23_000_000 + 128_000_000));
    assert_eq!(of(VectorOp::Sub, Element::Int16), ps_of_micro_cycles(23_000_000 + 128_000_000 + 16_000_000));
    assert_eq!(of(VectorOp::Mul, Element::Int32), ps_of_micro_cycles(24_000_000 + 128_000_000));
    // A repeat of fp16 takes as long as one of fp32, and there are half as many.
    for op in [VectorOp::Exp, VectorOp::Sqrt] {
        assert_eq!(of(op, Element::Fp32), ps_of_micro_cycles(31_000_000 + 128_000_000));
        assert_eq!(of(op, Element::Fp16), ps_of_micro_cycles(31_000_000 + 64_000_000));
    }
}

#[test]
fn do_banks_of_ub_slow_an_operation_on_two_tiles() {
    let of = |op, second, result| {
        let extent = Extent::Tile { rows: 64, cols: 64, width: 64 };
        let places = Some(UbPlaces { result, first: 0, second });
        ps_of(A2A3, Instruction::Vector(VectorWork { op, element: Element::Fp32, to: Element::Fp32, extent, places }))
    };
    // One cycle a repeat, two where the operands share groups, 1.787 where the result shares banks with one of them;
    // where all three are in the same banks, what the instruction was measured with.
    assert_eq!(of(VectorOp::Add, Some(0x10100), 0x20000), ps_of_micro_cycles(24_000_000 + 64_000_000));
    assert_eq!(of(VectorOp::Add, Some(0x10000), 0x14100), ps_of_micro_cycles(24_000_000 + 128_000_000));
    assert_eq!(of(VectorOp::Add, Some(0x10100), 0x4020), ps_of_micro_cycles(24_000_000 + 64 * 1_787_000));
    assert_eq!(of(VectorOp::Add, Some(0x4000), 0x8000), ADD);
    // A division is slower than UB, and what is read twice is read once.
    assert_eq!(of(VectorOp::Div, Some(0x10100), 0x20000), ps_of_micro_cycles(31_000_000 + 64 * 4_030_000));
    assert_eq!(of(VectorOp::Mul, Some(0), 0x20000), ps_of_micro_cycles(25_000_000 + 64_000_000));
    // One operand: only the result can be in its way.
    assert_eq!(of(VectorOp::Muls, None, 0x20000), ps_of_micro_cycles(26_000_000 + 64_000_000));
    assert_eq!(of(VectorOp::Muls, None, 0x4020), ps_of_micro_cycles(26_000_000 + 64 * 1_787_000));
}

#[test]
fn what_does_it_take_to_reduce_columns_row_after_row() {
    let max = |element, rows, cols| ps_of(A2A3, vector(VectorOp::ColMax, element, rows, cols));
    // The first row is copied, a block of 32 bytes a cycle and 5; 63 times vmax with the mask set by count.
    let row = 23_000_000 + 2_010_000 + 16_000_000;
    assert_eq!(max(Element::Fp32, 64, 64), ps_of_micro_cycles(5_000_000 + 8_000_000 + 63 * row));
    // Two repeats a row.
    assert_eq!(max(Element::Fp16, 2, 256), ps_of_micro_cycles(5_000_000 + 16_000_000 + row + 2_010_000));
    // One row is only copied.
    let copy = ps_of_micro_cycles(5_000_000 + 48 * 8_000_000);
    assert_eq!(max(Element::Fp32, 1, 3072), copy);
    assert_eq!(ps_of(A2A3, vector(VectorOp::ColSum, Element::Fp32, 1, 3072)), copy);
}

#[test]
fn what_do_conversions_and_sorts_take() {
    let convert = VectorWork {
        op: VectorOp::Convert,
        element: Element::Fp32,
        to: Element::Fp16,
        extent: Extent::Tile { rows: 4, cols: 64, width: 64 },
        places: None,
    };
    // 0.9 of a cycle for each of four repeats and 27; 16 for each 32 elements and 20; 78 for each 128 pairs and 20.
    assert_eq!(ps_of(A2A3, Instruction::Vector(convert)), ps_of_micro_cycles(27_000_000 + 3_600_000));
    let sort = vector(VectorOp::Sort32, Element::Fp32, 1, 1024);
    assert_eq!(ps_of(A2A3, sort), ps_of_micro_cycles(20_000_000 + 32 * 16_000_000));
    let merge = vector(VectorOp::Merge, Element::Uint64, 1, 1024);
    assert_eq!(ps_of(A2A3, merge), ps_of_micro_cycles(20_000_000 + 8 * 78_000_000));
}

#[test]
fn what_are_operations_along_rows_made_of() {
    let of = |op, rows, cols| ps_of(A2A3, vector(op, Element::Fp32, rows, cols));
    let cycles = |thousandths: u64| ps_of_micro_cycles(1000 * thousandths);
    // By blocks: 31 and 128 repeats, twice two parts at a time (23 and 8 or 4 times 2.01), 31 and 4.
    assert_eq!(of(VectorOp::RowMax, 32, 256), cycles(159_000 + 39_080 + 31_040 + 35_000));
    assert_eq!(of(VectorOp::RowMin, 32, 256), of(VectorOp::RowMax, 32, 256));
    assert_eq!(of(VectorOp::RowSum, 64, 128), cycles(166_000 + 40_880 + 46_000));
    assert_eq!(of(VectorOp::RowSum, 16, 512), cycles(166_000 + 54_000 + 40_000));
    assert_eq!(of(VectorOp::RowMax, 8, 1024), cycles(159_000 + 47_000 + 25_010 + 32_000));
    // Row by row, which the fits are of: a shape that has no way of its own, rows apart, another element.
    assert_eq!(of(VectorOp::RowMax, 32, 128), cycles(256_000 + 48_000));
    let of_work = |element, width| {
        let extent = Extent::Tile { rows: 64, cols: 128, width };
        let work = VectorWork { op: VectorOp::RowMax, element, to: element, extent, places: None };
        ps_of(A2A3, Instruction::Vector(work))
    };
    assert_eq!(of_work(Element::Fp32, 256), cycles(512_000 + 48_000));
    assert_eq!(of_work(Element::Fp16, 128), ps_of_micro_cycles(54_700 * 64 * 128 + 33_000_000));
    // A block for each row's element, 18; an instruction for 64 columns, or for a row if there are fewer.
    assert_eq!(of(VectorOp::RowExpandSub, 32, 256), cycles(18_000 + 4 * (24_000 + 32 * 1_500)));
    assert_eq!(of(VectorOp::RowExpandMul, 64, 32), cycles(18_000 + 25_000 + 64 * 1_500));
    assert_eq!(of(VectorOp::RowExpandDiv, 2, 256), cycles(18_000 + 2 * (31_000 + 4 * 4_030)));
}

#[test]
fn what_do_fits_say_between_the_widths_that_they_know() {
    let row_sum = |rows, cols| ps_of(A2A3, vector(VectorOp::RowSum, Element::Fp32, rows, cols));
    // 0.1094 · 32 · 64 + 44 = 268.0512 cycles.
    assert_eq!(row_sum(32, 64), 144_893);
    // Rows of 64 cost 7.0016, of 96 9.0048, so of 80 8.0032; the constant is between 44 and 75.
    assert_eq!(row_sum(10, 80), 75_423);
    // Beyond 336: 0.0419 an element and 121. Narrower than 8: 7 a row and 58.
    assert_eq!(row_sum(10, 1000), 291_892);
    assert_eq!(row_sum(10, 4), 69_190);
}

#[test]
fn what_do_tiles_take_on_a5() {
    // 1.246967 · 31 + 55.073657 cycles; rows apart: (1.874944 + 2.876281) · 128 + 44.344619.
    assert_eq!(ps_of(A5, vector(VectorOp::Add, Element::Fp32, 31, 64)), 56_806);
    let apart = Extent::Tile { rows: 128, cols: 64, width: 128 };
    let work = VectorWork { op: VectorOp::Add, element: Element::Fp32, to: Element::Fp32, extent: apart, places: None };
    assert_eq!(ps_of(A5, Instruction::Vector(work)), 395_456);
    // An odd number of repeats is another code path.
    let select = |rows| ps_of(A5, vector(VectorOp::Select, Element::Fp32, rows, 64));
    assert_eq!((select(2), select(3)), (38_009, 45_836));
    // As one row of 64 repeats: 1.270353 · 64 + 1.929896 + 51.661692.
    let extent = Extent::Tile { rows: 64, cols: 64, width: 64 };
    let convert = VectorWork { op: VectorOp::Convert, element: Element::Fp16, to: Element::Fp32, extent, places: None };
    assert_eq!(ps_of(A5, Instruction::Vector(convert)), 81_755);
    // Rows apart that become narrower: 128 elements a repeat, (2.258005 · 3 + 1.042243) · 10 + 55.18408.
    let extent = Extent::Tile { rows: 10, cols: 384, width: 448 };
    let narrower = VectorWork { element: Element::Fp32, to: Element::Fp16, extent, ..convert };
    assert_eq!(ps_of(A5, Instruction::Vector(narrower)), 80_817);
    // Of a function: one cycle a repeat, overhead 47.5, latency 6.
    assert_eq!(ps_of(A5, vector(VectorOp::Max, Element::Fp32, 64, 64)), 71_213);
}

#[test]
fn do_loads_and_stores_limit_long_runs_on_a5() {
    let add = |repeats| ps_of(A5, vector(VectorOp::Add, Element::Fp32, repeats, 64));
    // 1.246967 · 16 + 55.073657 cycles is more than 2.04 · 16 + 29.7; of 170 repeats it is less.
    assert_eq!(add(16), 45_470);
    assert_eq!(add(170), 228_182);
}

#[test]
fn what_does_the_cube_take() {
    let mad = |element| Instruction::Mad(Mad { m: 128, k: 64, n: 256, element });
    // 8 · 4 · 16 blocks, 10 of every product and 52 of one that the cube waited for; of fp32 8 · 8 · 16 in two passes,
    // on a5 in eight.
    assert_eq!(ps_of(A2A3, mad(Element::Fp16)), 28_109 + 282_163);
    assert_eq!(ps_of(A2A3, mad(Element::Fp32)), 28_109 + 1_112_433);
    assert_eq!(ps_of(A5, mad(Element::Fp16)), 50_304 + 315_758);
    assert_eq!(ps_of(A5, mad(Element::Fp32)), 50_304 + 4_970_304);
    let stream = run(CoreKind::Aic, &[mad(Element::Fp16); 3]).unwrap();
    assert_eq!(stream.busy[Pipe::M.index()].as_ps(), 28_109 + 3 * 282_163);
    // 16 KiB at 256 and 128 B a cycle, 23.5 each.
    let to_l0 = |path| ps_of(A2A3, transfer(path, 128, 128));
    assert_eq!((to_l0(Path::L1ToL0a), to_l0(Path::L1ToL0b)), (47_298, 81_892));
}

#[test]
fn what_does_it_take_to_fill_l0_while_the_cube_works() {
    let mad = Instruction::Mad(Mad { m: 128, k: 64, n: 256, element: Element::Fp16 });
    let load = transfer(Path::L1ToL0a, 128, 128);
    let mte1 = |program: &[Instruction]| run(CoreKind::Aic, program).unwrap().busy[Pipe::Mte1.index()].as_ps();
    // 87.5 cycles, and 1.17 times as many beside the cube.
    assert_eq!(mte1(&[load, load]), 2 * 47_298);
    assert_eq!(mte1(&[load, mad, load]), 47_298 + 55_338);
    assert_eq!(mte1(&[mad, load, load]), 2 * 55_338);
    // Not while the cube waits, nor when it is done.
    let flags = [set(Pipe::Mte1, Pipe::M), wait(Pipe::Mte1, Pipe::M)];
    assert_eq!(mte1(&[load, load, flags[0], flags[1], mad]), 2 * 47_298);
    let done = [set(Pipe::M, Pipe::Mte1), wait(Pipe::M, Pipe::Mte1)];
    assert_eq!(mte1(&[mad, done[0], done[1], load]), 47_298);
}

#[test]
fn how_long_does_a_product_take_to_leave() {
    let drain = |m, n, element| {
        let path = Path::L0cToGm;
        Instruction::Drain(Drain { path, m, n, element, stride: 1024, place: place(0) })
    };
    // 164 + 128 · 1024 / 118, whatever the elements become; rows of three odd blocks: 164 + 16 · (4.45 + 2.6 · 2).
    assert_eq!(ps_of(A2A3, drain(128, 256, Element::Fp32)), 88_649 + 600_422);
    assert_eq!(ps_of(A2A3, drain(128, 256, Element::Fp16)), 88_649 + 600_422);
    assert_eq!(ps_of(A2A3, drain(16, 48, Element::Fp32)), 88_649 + 83_460);
    // A fifth of 343.4 + 128 · 1024 / 30.
    assert_eq!(ps_of(A5, drain(128, 256, Element::Fp32)), 41_625 + 529_584);
    // The pipe can begin another one when the rows have left.
    let twice = run(CoreKind::Aic, &[drain(16, 48, Element::Fp32); 2]).unwrap();
    assert_eq!((twice.duration.as_ps(), twice.busy[Pipe::Fix.index()].as_ps()), (88_649 + 2 * 83_460, 2 * 83_460));
}

#[test]
fn which_confidence_has_a_program() {
    let confidence = |instructions: &[Instruction]| run(CoreKind::Aiv, instructions).unwrap().confidence;
    assert_eq!(confidence(&[add()]), Confidence::Measured);
    assert_eq!(confidence(&[add(), load()]), Confidence::Inferred);
    assert_eq!(confidence(&[load(), vector(VectorOp::Axpy, Element::Fp32, 1, 64)]), Confidence::Placeholder);
}
