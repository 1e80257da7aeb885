//! Instructions of one core, on its pipes.

use sim_aicore::pipes::{
    CoreKind, Drain, Extent, GmPlace, Instruction, L2Share, Mad, MemoryRates, PipeModel, Program, Transfer, UbPlaces,
    VectorWork,
};
use sim_core::profile::Profile;
use sim_core::time::SimDuration;

use super::super::measure::{CoreProgram, MemoryLevel, Step};
use super::{Answer, Missing, Quantity};

/// A place that begins a line of the L2.
const ALIGNED: GmPlace = GmPlace { tensor: None, offset: 0, alignment: 0 };

/// How long the program takes, or one of its pipes works.
pub(super) fn predict(profile: &Profile, measured: &CoreProgram) -> Answer {
    let instructions: Vec<Instruction> = measured.steps.iter().map(instruction).collect();
    let of_vector_core = |instruction: &Instruction| instruction.pipe().is_none_or(|pipe| CoreKind::Aiv.has(pipe));
    let core = if instructions.iter().all(of_vector_core) { CoreKind::Aiv } else { CoreKind::Aic };
    let model = PipeModel::of(profile, core);
    let turns = usize::try_from(measured.repeat.max(1)).unwrap_or(usize::MAX);
    let rates = match measured.from {
        None => MemoryRates::alone(),
        Some(MemoryLevel::Hbm) => MemoryRates::of_ports(L2Share::default()),
        Some(MemoryLevel::L2) => MemoryRates::of_ports(L2Share::ALL),
    };
    let time = |instructions: Vec<Instruction>| -> Result<SimDuration, Missing> {
        let timeline =
            model.run(&Program::new(instructions.repeat(turns)), &rates).map_err(|error| Missing(error.to_string()))?;
        Ok(measured.pipe.map_or(timeline.duration, |pipe| timeline.busy[pipe.index()]))
    };
    let once = if measured.each {
        instructions.into_iter().map(|instruction| time(vec![instruction])).sum::<Result<SimDuration, Missing>>()?
    } else {
        time(instructions)?
    };
    let parts = u128::from(measured.cores.max(1)) * turns as u128;
    let ps = u128::from(once.as_ps()) * u128::from(measured.times) / parts;
    Ok(Quantity::Time(SimDuration::from_ps(u64::try_from(ps).unwrap_or(u64::MAX))))
}

fn instruction(step: &Step) -> Instruction {
    match *step {
        Step::Vector { op, element, to, rows, cols, width, places } => {
            let extent = Extent::Tile { rows, cols, width: width.unwrap_or(cols) };
            let places = places.map(|at| UbPlaces { result: at.result, first: at.first, second: at.second });
            Instruction::Vector(VectorWork { op, element, to: to.unwrap_or(element), extent, places })
        }
        Step::Repeats { op, element, repeats } => {
            Instruction::Vector(VectorWork { op, element, to: element, extent: Extent::Repeats(repeats), places: None })
        }
        Step::Mad { m, k, n, element } => Instruction::Mad(Mad { m, k, n, element }),
        Step::Transfer { path, rows, row_bytes, stride, nd2nz } => {
            let stride = stride.unwrap_or(u64::from(row_bytes));
            Instruction::Transfer(Transfer { path, rows, row_bytes, stride, place: ALIGNED, nd2nz })
        }
        Step::Drain { path, m, n, element } => {
            let stride = u64::from(n) * element.bytes();
            Instruction::Drain(Drain { path, m, n, element, stride, place: ALIGNED })
        }
    }
}
