//! What the bundled workloads compute: those that are written with the tile API, in several types of elements.
//!
//! Sums are in the order of the kernels, so results of GEMM, tiles and rows are exact. Attention is computed as it is
//! defined, in double precision and all keys at once: kernels round weights and rescale on the way, so a case that is
//! compared with it has tolerances.

use rayon::prelude::*;

use super::reference::{Expected, Reference, multiply_tile};
use crate::case::{Direction, TensorSpec};
use crate::tensor::{DType, HostTensor};

/// Columns of which [`Reference::TopK`] takes the largest; the tensor may have more.
const RANKED_COLUMNS: usize = 1024;
/// Elements in a row of [`Reference::NdToNz`].
const BLOCK: usize = 16;
/// Elements that [`Reference::CopyToUb`] keeps of a tile, and edge of the part that [`Reference::CopyToL1`] keeps.
const KEPT: usize = 16;
/// How blocks of [`Reference::PagedAttention`] are scattered: `paged_attention.cpp`.
const SCATTER: usize = 7919;

/// A reference with the sizes of a case that it fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Workload {
    /// `c = a @ b.T`.
    Gemm { m: usize, n: usize, k: usize },
    /// `c = a @ b`, `z = x + y`, tile by tile.
    MatmulAdd { edge: usize },
    /// `a * b + a`.
    MultiplyAdd,
    /// Sum and largest element of each row.
    RowReduce { cols: usize },
    /// The largest elements of each row, and where they are.
    TopK { cols: usize, count: usize },
    /// Columns of 16 elements, one after the other.
    NdToNz { cols: usize },
    /// What is left of the tiles that were read last.
    Copies(Copies),
    /// `softmax(queries @ keys.T / sqrt(head)) @ values`.
    Attention { head: usize },
    /// The same for keys and values in blocks.
    PagedAttention(Paged),
}

/// Who reads which tiles: `copies.cpp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Copies {
    rows: usize,
    cols: usize,
    blocks: usize,
    tile_rows: usize,
    tile_cols: usize,
    passes: usize,
    /// Of each block, read one after the other.
    sections: usize,
    /// 0: each block its part; 1: all everything; 2: all everything, each from another tile on.
    sharing: u64,
    /// 1: the cube's product of the tile with its transpose.
    cube: bool,
}

/// Sequences whose keys and values lie in blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paged {
    heads: usize,
    head_dim: usize,
    block_size: usize,
    total_blocks: usize,
    /// Width of the table of blocks; without one they are scattered.
    table_width: Option<usize>,
    context: usize,
}

impl Workload {
    /// The sizes, if the arguments fit.
    pub(super) fn of(reference: Reference, tensors: &[TensorSpec], scalars: &[u64]) -> Option<Workload> {
        let types: Vec<DType> = tensors.iter().map(|tensor| tensor.dtype).collect();
        let shapes: Vec<Vec<usize>> =
            tensors.iter().map(|tensor| tensor.shape.iter().map(|length| *length as usize).collect()).collect();
        let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
        let sizes: Vec<usize> = scalars.iter().map(|scalar| *scalar as usize).collect();
        let written: Vec<bool> = tensors.iter().map(|tensor| tensor.direction.is_written()).collect();
        let (f16, bf16, f32) = (DType::F16, DType::Bf16, DType::F32);
        match (reference, &types[..], &shapes[..], &sizes[..], &written[..]) {
            (Reference::Gemm, [t, u, DType::F32], &[a, b, c], &[m, n, k, _, _], [_, _, true]) => (*t == f16
                && *u == f16
                && *a == [m, k]
                && *b == [n, k]
                && *c == [m, n])
            .then_some(Workload::Gemm { m, n, k }),
            (
                Reference::MatmulAdd,
                types,
                &[a, b, c, x, y, z],
                &[products, sums, _, _, edge],
                [_, _, true, _, _, true],
            ) => {
                let fits = [a, b, c].iter().all(|shape| **shape == [products, edge, edge])
                    && [x, y, z].iter().all(|shape| **shape == [sums, edge, edge]);
                (fits && types.iter().all(|dtype| *dtype == f32)).then_some(Workload::MatmulAdd { edge })
            }
            (Reference::MultiplyAdd, types, &[a, b, result], _, [_, _, true]) => {
                (a == b && a == result && types.iter().all(|dtype| *dtype == f32)).then_some(Workload::MultiplyAdd)
            }
            (Reference::RowReduce, types, &[&[rows, cols], sums, maxima], _, [_, true, true]) => {
                (*sums == [rows, 1] && *maxima == [rows, 1] && types.iter().all(|dtype| *dtype == f32))
                    .then_some(Workload::RowReduce { cols })
            }
            (Reference::TopK, [t, u, DType::U32], &[&[rows, cols], &[r, count], places], _, [_, true, true]) => {
                let fits = r == rows && *places == [rows, count] && cols >= RANKED_COLUMNS && count <= RANKED_COLUMNS;
                (fits && t == u && (*t == f32 || *t == f16)).then_some(Workload::TopK { cols, count })
            }
            (Reference::NdToNz, [t, u], &[&[rows, cols], to], _, [_, true]) => {
                let fits = *to == [cols / BLOCK, rows, BLOCK] && cols % BLOCK == 0;
                (fits && *t == f16 && *u == f16).then_some(Workload::NdToNz { cols })
            }
            (
                Reference::Copies,
                [t, u],
                &[input, last],
                &[rows, cols, blocks, tile_rows, tile_cols, passes, _, _, sections],
                _,
            ) => {
                let cube = scalars[7] != 0;
                let kept: &[usize] = if cube { &[blocks, KEPT, KEPT] } else { &[blocks, KEPT] };
                let kept_type = if cube { f32 } else { f16 };
                let fits = *input == [rows, cols] && last == kept && *t == f16 && *u == kept_type;
                let some = sections > 0 && blocks > 0 && tile_rows > 0 && tile_cols > 0 && passes > 0;
                let copies =
                    Copies { rows, cols, blocks, tile_rows, tile_cols, passes, sections, sharing: scalars[6], cube };
                (fits && some && tensors[1].direction == Direction::Out).then_some(Workload::Copies(copies))
            }
            (Reference::Attention, [t, u, v, DType::F32], &[&[queries, head], keys, values, result], _, [.., true]) => {
                let fits = keys == values && keys.len() == 2 && keys[1] == head && *result == [queries, head];
                (fits && [t, u, v].iter().all(|dtype| **dtype == f16)).then_some(Workload::Attention { head })
            }
            (
                Reference::PagedAttentionUnroll,
                [t, u, v, DType::I32, DType::F32],
                &[queries, keys, values, table, result],
                &[batch, heads, head_dim, block_size, total_blocks, table_width, context],
                _,
            ) => {
                let paged =
                    Paged { heads, head_dim, block_size, total_blocks, table_width: Some(table_width), context };
                let fits = paged.fits(batch, queries, keys, values, result) && *table == [batch, table_width];
                (fits && [t, u, v].iter().all(|dtype| **dtype == bf16)).then_some(Workload::PagedAttention(paged))
            }
            (
                Reference::PagedAttention,
                [t, u, v, DType::F32],
                &[queries, keys, values, result],
                &[batch, heads, head_dim, block_size, total_blocks, context],
                _,
            ) => {
                let paged = Paged { heads, head_dim, block_size, total_blocks, table_width: None, context };
                let fits = paged.fits(batch, queries, keys, values, result);
                (fits && [t, u, v].iter().all(|dtype| **dtype == bf16)).then_some(Workload::PagedAttention(paged))
            }
            _ => None,
        }
    }

    /// What the outputs should hold after a run on `inputs`.
    pub(super) fn compute(&self, inputs: &[HostTensor]) -> Vec<Expected> {
        let floats = |index: usize| inputs[index].to_floats().unwrap_or_default();
        let like = |tensor: usize, values: Vec<f32>| {
            let input = &inputs[tensor];
            HostTensor::from_floats(input.dtype(), input.shape(), &values).map(|value| Expected { tensor, value })
        };
        let outputs = match *self {
            Workload::Gemm { m, n, k } => vec![like(2, gemm([m, n, k], &floats(0), &floats(1)))],
            Workload::MatmulAdd { edge } => vec![
                like(2, products_of_tiles(edge, &floats(0), &floats(1))),
                like(5, floats(3).iter().zip(&floats(4)).map(|(x, y)| x + y).collect()),
            ],
            Workload::MultiplyAdd => {
                vec![like(2, floats(0).iter().zip(&floats(1)).map(|(a, b)| a * b + a).collect())]
            }
            Workload::RowReduce { cols } => {
                let input = floats(0);
                let sum = |row: &[f32]| row[1..].iter().fold(row[0], |sum, value| sum + value);
                let maximum = |row: &[f32]| row[1..].iter().fold(row[0], |most, value| most.max(*value));
                vec![
                    like(1, input.par_chunks(cols).map(sum).collect()),
                    like(2, input.par_chunks(cols).map(maximum).collect()),
                ]
            }
            Workload::TopK { cols, count } => {
                let (values, places) = largest(cols, count, &floats(0));
                let bytes = places.iter().flat_map(|place| place.to_le_bytes()).collect();
                let places = HostTensor::from_bytes(DType::U32, inputs[2].shape(), bytes);
                vec![like(1, values), places.map(|value| Expected { tensor: 2, value })]
            }
            Workload::NdToNz { cols } => {
                let from = floats(0);
                let column = |first: usize| from.chunks(cols).flat_map(move |row| row[first..first + BLOCK].to_vec());
                vec![like(1, (0..cols).step_by(BLOCK).flat_map(column).collect())]
            }
            Workload::Copies(copies) => vec![like(1, copies.kept(&floats(0)))],
            Workload::Attention { head } => {
                let (queries, keys, values) = (floats(0), floats(1), floats(2));
                let scale = 1.0 / (head as f64).sqrt();
                let row = |query: &[f32]| attend(query, scale, keys.chunks(head).zip(values.chunks(head)));
                vec![like(3, queries.par_chunks(head).flat_map_iter(row).collect())]
            }
            Workload::PagedAttention(paged) => {
                let table = paged.table_width.map(|_| integers(&inputs[3]));
                let result = paged.attend(&floats(0), &floats(1), &floats(2), table.as_deref());
                vec![like(inputs.len() - 1, result)]
            }
        };
        outputs.into_iter().flatten().collect()
    }
}

impl Paged {
    fn fits(&self, batch: usize, queries: &[usize], keys: &[usize], values: &[usize], result: &[usize]) -> bool {
        let blocks = [self.total_blocks, self.block_size, self.head_dim];
        let enough = self.table_width.is_none_or(|width| self.context <= width * self.block_size);
        *queries == [batch, self.heads, self.head_dim]
            && result == queries
            && keys == blocks
            && values == blocks
            && enough
    }

    fn attend(&self, queries: &[f32], keys: &[f32], values: &[f32], table: Option<&[usize]>) -> Vec<f32> {
        let Paged { heads, head_dim, block_size, context, .. } = *self;
        let row = |(index, query): (usize, &[f32])| {
            let sequence = index / heads;
            let place =
                |key: usize| (self.block(sequence, key / block_size, table) * block_size + key % block_size) * head_dim;
            let places = (0..context).map(|key| place(key)..place(key) + head_dim);
            attend(query, 1.0, places.map(|place| (&keys[place.clone()], &values[place])))
        };
        queries.par_chunks(head_dim).enumerate().flat_map_iter(row).collect()
    }

    /// Where a block of a sequence lies.
    fn block(&self, sequence: usize, index: usize, table: Option<&[usize]>) -> usize {
        match (table, self.table_width) {
            (Some(table), Some(width)) => table[sequence * width + index],
            _ => (sequence * self.context.div_ceil(self.block_size) + index) * SCATTER % self.total_blocks,
        }
    }
}

impl Copies {
    /// What is kept of each block's last tile.
    fn kept(&self, input: &[f32]) -> Vec<f32> {
        let share = if self.sharing == 0 { self.rows.div_ceil(self.blocks) } else { self.rows };
        let across = self.cols.div_ceil(self.tile_cols);
        let corner = |block: usize| {
            let begin = if self.sharing == 0 { block * share } else { 0 };
            let rows = share.min(self.rows.saturating_sub(begin));
            let section = rows.div_ceil(self.sections);
            let before = (rows - 1) / section * section;
            let (begin, rows) = (begin + before, rows - before);
            let of = |rows: usize| rows.div_ceil(self.tile_rows) * across;
            let first = if self.sharing == 2 { block * of(share) / self.blocks } else { 0 };
            let last = (first + self.passes * of(rows) - 1) % of(rows);
            (begin + last / across * self.tile_rows) * self.cols + last % across * self.tile_cols
        };
        let keep = |block: usize| {
            let corner = corner(block);
            let row = |index: usize| &input[corner + index * self.cols..][..KEPT];
            if !self.cube {
                return row(0).to_vec();
            }
            let product = |index: usize| {
                let (left, right) = (row(index / KEPT), row(index % KEPT));
                left.iter().zip(right).fold(0.0, |sum, (a, b)| sum + a * b)
            };
            (0..KEPT * KEPT).map(product).collect()
        };
        (0..self.blocks).flat_map(keep).collect()
    }
}

/// The whole numbers of a table; what is negative is 0.
fn integers(tensor: &HostTensor) -> Vec<usize> {
    let elements = tensor.bytes().chunks_exact(tensor.dtype().size());
    elements
        .map(|element| tensor.dtype().decode_integer(element).and_then(|it| it.try_into().ok()).unwrap_or(0))
        .collect()
}

/// `a @ b.T`, each element summed in the order of k, beginning with 0.
pub(super) fn gemm([_, n, k]: [usize; 3], a: &[f32], b: &[f32]) -> Vec<f32> {
    let mut transposed = vec![0.0; b.len()];
    for (col, line) in b.chunks_exact(k).enumerate() {
        line.iter().enumerate().for_each(|(step, value)| transposed[step * n + col] = *value);
    }
    let mut result = vec![0.0; a.len() / k * n];
    result.par_chunks_exact_mut(n).zip(a.par_chunks_exact(k)).for_each(|(sums, factors)| {
        for (factor, line) in factors.iter().zip(transposed.chunks_exact(n)) {
            sums.iter_mut().zip(line).for_each(|(sum, value)| *sum += factor * value);
        }
    });
    result
}

fn products_of_tiles(edge: usize, a: &[f32], b: &[f32]) -> Vec<f32> {
    let size = edge * edge;
    let mut result = vec![0.0; a.len()];
    let tiles = result.par_chunks_exact_mut(size).zip(a.par_chunks_exact(size)).zip(b.par_chunks_exact(size));
    tiles.for_each(|((product, left), right)| multiply_tile(left, right, product, edge));
    result
}

/// The `count` largest of each row and their places, the largest first, of equal ones the first.
fn largest(cols: usize, count: usize, input: &[f32]) -> (Vec<f32>, Vec<u32>) {
    let of_row = |row: &[f32]| {
        let mut places: Vec<u32> = (0..RANKED_COLUMNS as u32).collect();
        let value = |place: &u32| row[*place as usize];
        places.sort_by(|left, right| value(right).total_cmp(&value(left)).then(left.cmp(right)));
        places.truncate(count);
        places.into_iter().map(|place| (row[place as usize], place)).collect::<Vec<_>>()
    };
    input.par_chunks_exact(cols).flat_map_iter(of_row).unzip()
}

/// One row of attention.
fn attend<'a>(query: &[f32], scale: f64, pairs: impl Iterator<Item = (&'a [f32], &'a [f32])>) -> Vec<f32> {
    let dot = |key: &[f32]| query.iter().zip(key).fold(0.0, |sum, (q, k)| sum + f64::from(*q) * f64::from(*k));
    let scored: Vec<(f64, &[f32])> = pairs.map(|(key, value)| (dot(key) * scale, value)).collect();
    let largest = scored.iter().fold(f64::NEG_INFINITY, |most, (score, _)| most.max(*score));
    let mut result = vec![0.0; query.len()];
    let mut total = 0.0;
    for (score, value) in scored {
        let weight = (score - largest).exp();
        total += weight;
        result.iter_mut().zip(value).for_each(|(sum, value)| *sum += weight * f64::from(*value));
    }
    result.into_iter().map(|sum| (sum / total) as f32).collect()
}
