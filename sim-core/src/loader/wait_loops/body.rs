//! Which instructions make up a loop.

use iced_x86::{FlowControl, Instruction};

/// The instructions of a loop, from its head to the branch that closes it.
pub(super) struct Body<'code> {
    /// In the order of their addresses.
    pub(super) instructions: Vec<&'code Instruction>,
    /// For each, which of them may be executed next in the same iteration.
    pub(super) next: Vec<Vec<usize>>,
}

impl<'code> Body<'code> {
    /// The instructions on some path from the first of `region` to its last, which is the branch that closes the loop.
    /// `None` if there is no such path inside the region: then the branch belongs to code placed behind the function's
    /// hot path, that merely jumps back into it.
    ///
    /// Other instructions of the region are jumped over, or leave the loop.
    pub(super) fn of(region: &'code [Instruction]) -> Option<Self> {
        let last = region.len().checked_sub(1)?;
        let next: Vec<Vec<usize>> = (0..region.len()).map(|index| successors(region, index)).collect();
        let mut before = vec![Vec::new(); region.len()];
        for (from, targets) in next.iter().enumerate() {
            targets.iter().for_each(|target| before[*target].push(from));
        }
        let (forward, backward) = (reached(0, &next), reached(last, &before));
        if !forward[last] {
            return None;
        }
        let members: Vec<usize> = (0..region.len()).filter(|index| forward[*index] && backward[*index]).collect();
        let positions = |targets: &Vec<usize>| targets.iter().filter_map(|to| members.binary_search(to).ok()).collect();
        Some(Body {
            instructions: members.iter().map(|index| &region[*index]).collect(),
            next: members.iter().map(|index| positions(&next[*index])).collect(),
        })
    }
}

/// Where execution can go on inside the region after one instruction. The closing branch ends the path.
fn successors(region: &[Instruction], index: usize) -> Vec<usize> {
    if index + 1 == region.len() {
        return Vec::new();
    }
    let target = || region.binary_search_by_key(&region[index].near_branch_target(), Instruction::ip).ok();
    match region[index].flow_control() {
        FlowControl::ConditionalBranch => [index + 1].into_iter().chain(target()).collect(),
        FlowControl::UnconditionalBranch => target().into_iter().collect(),
        FlowControl::Return | FlowControl::IndirectBranch | FlowControl::Exception => Vec::new(),
        FlowControl::Next
        | FlowControl::Call
        | FlowControl::IndirectCall
        | FlowControl::Interrupt
        | FlowControl::XbeginXabortXend => vec![index + 1],
    }
}

/// Which nodes can be reached from `start`.
fn reached(start: usize, neighbours: &[Vec<usize>]) -> Vec<bool> {
    let mut reached = vec![false; neighbours.len()];
    let mut open = vec![start];
    while let Some(index) = open.pop() {
        if !std::mem::replace(&mut reached[index], true) {
            open.extend(&neighbours[index]);
        }
    }
    reached
}
