//! What the bundled orchestrations compute, computed natively.
//!
//! A [`Plan`] is a reference that has been found to fit the arguments of a case. Every operation is an f32 operation in
//! the order of the kernels, and nothing is contracted.

use std::fmt;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::products::Product;
use super::workloads::Workload;
use crate::case::{CaseSpec, Direction, TensorSpec};
use crate::tensor::{DType, HostTensor, element_count};

/// Expected values that are computed from the inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// `f = (a + b + 1) * (a + b + 2) + (a + b)`.
    VectorExample,
    /// `c += a @ b` for each batch, tile by tile.
    Bgemm,
    /// `slices[i] = (input + 1) * (i + 1)`, and their sum.
    Diamond,
    /// `rows[i] = [input + input, input + 1, input + 2]`.
    Mixed,
    /// `counter + 1 + 1 + …`.
    Chain,
    /// `c = a @ b.T`.
    Gemm,
    /// `softmax(queries @ keys.T / sqrt(head)) @ values`.
    Attention,
    /// The same for sequences with keys and values in blocks, which are scattered; not scaled.
    PagedAttention,
    /// The same with a table of blocks.
    PagedAttentionUnroll,
    /// `c = a @ b` and `z = x + y`, tile by tile.
    MatmulAdd,
    /// `result = a * b + a`.
    MultiplyAdd,
    /// Sum and largest element of each row.
    RowReduce,
    /// The largest of the first 1,024 elements of each row, and their places.
    TopK,
    /// What is kept of the tiles that were read last.
    Copies,
    /// `c = a @ b.T`, a half or a float.
    Matmul,
    /// The same of 8-bit floats (e5m2), of which 32 along k share an exponent (e8m0).
    MatmulMxfp8,
    /// The same of 4-bit floats (e2m1), two in a byte.
    MatmulMxfp4,
    /// `c = gelu(a @ b.T)`.
    MatmulGelu,
    /// `y = gelu(relu(x) @ weights + bias)`.
    DenseLayer,
    /// Pictures seen through windows of 3 x 3, with one pixel of padding.
    Conv2d,
    /// `sum = left + right`, halves.
    Add,
    /// `result = x / (1 + exp(-1.595769 (x + 0.044715 x³)))`.
    Gelu,
    /// Columns of 16 elements, one after the other.
    NdToNz,
}

impl Reference {
    /// The name in case files.
    pub const fn name(self) -> &'static str {
        match self {
            Reference::VectorExample => "vector_example",
            Reference::Bgemm => "bgemm",
            Reference::Diamond => "diamond",
            Reference::Mixed => "mixed",
            Reference::Chain => "chain",
            Reference::Gemm => "gemm",
            Reference::Attention => "attention",
            Reference::PagedAttention => "paged_attention",
            Reference::PagedAttentionUnroll => "paged_attention_unroll",
            Reference::MatmulAdd => "matmul_add",
            Reference::MultiplyAdd => "multiply_add",
            Reference::RowReduce => "row_reduce",
            Reference::TopK => "top_k",
            Reference::Copies => "copies",
            Reference::Matmul => "matmul",
            Reference::MatmulMxfp8 => "matmul_mxfp8",
            Reference::MatmulMxfp4 => "matmul_mxfp4",
            Reference::MatmulGelu => "matmul_gelu",
            Reference::DenseLayer => "dense_layer",
            Reference::Conv2d => "conv2d",
            Reference::Add => "add",
            Reference::Gelu => "gelu",
            Reference::NdToNz => "nd_to_nz",
        }
    }

    /// The arguments that it is for.
    const fn arguments(self) -> &'static str {
        match self {
            Reference::VectorExample => "a[…] f32, b likewise, f likewise and written",
            Reference::Bgemm => {
                "a[batch * m_tiles * k_tiles * edge * edge] f32, b[batch * k_tiles * n_tiles * edge * edge] f32, \
                 c[batch * m_tiles * n_tiles * edge * edge] f32 inout; batch, m_tiles, n_tiles, k_tiles, edge"
            }
            Reference::Diamond => "input[n] f32, slices[width, n] f32 written, output[n] f32 written; width",
            Reference::Mixed => "input[n] f32, rows[rounds, 3, n] f32 written; rounds",
            Reference::Chain => "counter[…] f32 inout; length",
            Reference::Gemm => "a[m, k] f16, b[n, k] f16, c[m, n] f32 written; m, n, k, m_blocks, n_blocks",
            Reference::Attention => {
                "queries[…, head] f16, keys[…, head] f16, values f16 likewise, result[…, head] f32 written; …"
            }
            Reference::PagedAttention => {
                "queries[batch, heads, head_dim] bf16, keys[total_blocks, block_size, head_dim] bf16, values bf16 \
                 likewise, result f32 like queries; batch, heads, head_dim, block_size, total_blocks, context"
            }
            Reference::PagedAttentionUnroll => {
                "queries[batch, heads, head_dim] bf16, keys[total_blocks, block_size, head_dim] bf16, values bf16 \
                 likewise, table[batch, table_width] i32, result f32 like queries; batch, heads, head_dim, block_size, \
                 total_blocks, table_width, context"
            }
            Reference::MatmulAdd => {
                "a, b and written c[products, edge, edge] f32, x, y and written z[sums, edge, edge] f32; products, \
                 sums, tiles of a product, tiles of a sum, edge"
            }
            Reference::MultiplyAdd => "a[…] f32, b likewise, result likewise and written; …",
            Reference::RowReduce => "input[rows, cols] f32, sums[rows, 1] f32 written, maxima likewise; …",
            Reference::TopK => {
                "input[rows, 1024 or more] f32 or f16, values[rows, count] likewise and written, places[rows, count] u32 \
                 written; …"
            }
            Reference::Copies => {
                "input[rows, cols] f16, last[blocks, 16] f16 or, for the cube, last[blocks, 16, 16] f32 out; rows, \
                 cols, blocks, tile_rows, tile_cols, passes, mode, cube, sections"
            }
            Reference::Matmul => "a[m, k] f16, b[n, k] f16, c[m, n] f16 or f32 written; m, n, k, …",
            Reference::MatmulMxfp8 => {
                "a[m, k] u8, b[n, k] u8, scales_a[m, k / 32] u8, scales_b[n, k / 32] u8, c[m, n] bf16 written; m, n, k, …"
            }
            Reference::MatmulMxfp4 => {
                "a[m, k / 2] u8, b[n, k / 2] u8, scales_a[m, k / 32] u8, scales_b[n, k / 32] u8, c[m, n] bf16 written; \
                 m, n, k, …"
            }
            Reference::MatmulGelu => "a[m, k] f16, b[n, k] f16, c[m, n] f32 written; m, n, k, …",
            Reference::DenseLayer => "x[rows, k] f32, weights[k, n] f32, bias[n] f32, y[rows, n] f32 written; …",
            Reference::Conv2d => {
                "x[pictures, channels, height, width, 16] f16, weights[channels * 9, columns / 16, 16, 16] f16, \
                 y[pictures * height * width, columns] f16 written; pictures, channels, height, width, columns, …"
            }
            Reference::Add => "left[…] f16, right likewise, sum likewise and written; …",
            Reference::Gelu => "x[…] f32, result likewise and written; …",
            Reference::NdToNz => "from[rows, cols] f16, to[cols / 16, rows, 16] f16 written; …",
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a reference cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub enum ReferenceError {
    /// the reference {reference} is for the arguments ({expected}), the case has ({found})
    Arguments {
        /// The reference.
        reference: Reference,
        /// What it is for.
        expected: &'static str,
        /// What the case has.
        found: String,
    },
}

/// What one tensor should hold after the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// Its position among the tensors.
    pub tensor: usize,
    /// What it should hold.
    pub value: HostTensor,
}

/// A reference with the sizes of a case that it fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan(Sizes);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sizes {
    VectorExample,
    Bgemm(Tiling),
    Diamond { width: usize },
    Mixed { rounds: usize },
    Chain { length: u64 },
    Workload(Workload),
    Product(Product),
}

/// How the matrices of a batched multiplication are cut into tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tiling {
    batch: usize,
    m_tiles: usize,
    n_tiles: usize,
    k_tiles: usize,
    edge: usize,
}

impl Plan {
    /// Whether the reference fits the case's arguments.
    pub fn new(reference: Reference, case: &CaseSpec) -> Result<Plan, ReferenceError> {
        let scalars: Option<Vec<u64>> =
            case.scalars.iter().map(|scalar| scalar.value.as_integer()?.try_into().ok()).collect();
        let all_floats = case.tensors.iter().all(|tensor| tensor.dtype == DType::F32);
        let own = |scalars: &[u64]| reference.sizes(&case.tensors, scalars).filter(|_| all_floats);
        let workload = |scalars: &[u64]| Workload::of(reference, &case.tensors, scalars).map(Sizes::Workload);
        let product = |scalars: &[u64]| Product::of(reference, &case.tensors, scalars).map(Sizes::Product);
        let sizes =
            scalars.and_then(|scalars| own(&scalars).or_else(|| workload(&scalars)).or_else(|| product(&scalars)));
        sizes.map(Plan).ok_or_else(|| ReferenceError::Arguments {
            reference,
            expected: reference.arguments(),
            found: arguments_of(case),
        })
    }

    /// What the outputs should hold after a run on `inputs`, which are the tensors of the case.
    pub fn compute(&self, inputs: &[HostTensor]) -> Vec<Expected> {
        let values: Vec<Vec<f32>> = inputs.iter().map(|tensor| tensor.to_f32().unwrap_or_default()).collect();
        let outputs = match self.0 {
            Sizes::VectorExample => vec![(2, vector_example(&values[0], &values[1]))],
            Sizes::Bgemm(tiling) => vec![(2, bgemm(tiling, &values[0], &values[1], &values[2]))],
            Sizes::Diamond { width } => {
                let slices = diamond_slices(width, &values[0]);
                let output = diamond_output(&slices, values[0].len());
                vec![(1, slices), (2, output)]
            }
            Sizes::Mixed { rounds } => vec![(1, mixed(rounds, &values[0]))],
            Sizes::Chain { length } => vec![(0, chain(length, &values[0]))],
            Sizes::Workload(workload) => return workload.compute(inputs),
            Sizes::Product(product) => return product.compute(inputs),
        };
        let expected = outputs.into_iter().filter_map(|(tensor, values)| {
            HostTensor::from_f32(inputs[tensor].shape(), &values).map(|value| Expected { tensor, value })
        });
        expected.collect()
    }
}

impl Reference {
    /// The sizes, if the arguments fit; all tensors are f32.
    fn sizes(self, tensors: &[TensorSpec], scalars: &[u64]) -> Option<Sizes> {
        match (self, tensors, scalars) {
            (Reference::VectorExample, [a, b, f], []) => {
                (a.shape == b.shape && a.shape == f.shape && f.direction.is_written()).then_some(Sizes::VectorExample)
            }
            (Reference::Bgemm, [a, b, c], &[batch, m_tiles, n_tiles, k_tiles, edge]) => {
                let has = |tensor: &TensorSpec, rows, columns| {
                    let product = [batch, rows, columns, edge, edge].into_iter().try_fold(1_u64, u64::checked_mul);
                    product == Some(element_count(&tensor.shape) as u64)
                };
                let fits = has(a, m_tiles, k_tiles) && has(b, k_tiles, n_tiles) && has(c, m_tiles, n_tiles);
                let [batch, m_tiles, n_tiles, k_tiles, edge] =
                    [batch, m_tiles, n_tiles, k_tiles, edge].map(|size| size as usize);
                let tiling = Tiling { batch, m_tiles, n_tiles, k_tiles, edge };
                (fits && c.direction == Direction::InOut).then_some(Sizes::Bgemm(tiling))
            }
            (Reference::Diamond, [input, slices, output], &[width]) => {
                let elements = element_count(&input.shape);
                let fits = matches!(*slices.shape, [rows, columns]
                    if u64::from(rows) == width && columns as usize == elements);
                let is_written = slices.direction.is_written() && output.direction.is_written();
                (fits && is_written && element_count(&output.shape) == elements)
                    .then_some(Sizes::Diamond { width: width as usize })
            }
            (Reference::Mixed, [input, rows], &[rounds]) => {
                let fits = matches!(*rows.shape, [count, 3, columns]
                    if u64::from(count) == rounds && columns as usize == element_count(&input.shape));
                (fits && rows.direction.is_written()).then_some(Sizes::Mixed { rounds: rounds as usize })
            }
            (Reference::Chain, [counter], &[length]) => {
                (counter.direction == Direction::InOut).then_some(Sizes::Chain { length })
            }
            _ => None,
        }
    }
}

/// The arguments of a case, in the order in which they are passed.
fn arguments_of(case: &CaseSpec) -> String {
    let tensors = case.tensors.iter().map(|tensor| {
        let direction = match tensor.direction {
            Direction::In => "in",
            Direction::Out => "out",
            Direction::InOut => "inout",
        };
        format!("{}{:?} {} {direction}", tensor.name, tensor.shape, tensor.dtype)
    });
    let scalars = case.scalars.iter().map(|scalar| format!("{} {}", scalar.name, scalar.value.scalar_type()));
    let (tensors, scalars): (Vec<_>, Vec<_>) = (tensors.collect(), scalars.collect());
    match (tensors.is_empty(), scalars.is_empty()) {
        (_, true) => tensors.join(", "),
        (true, false) => scalars.join(", "),
        (false, false) => format!("{}; {}", tensors.join(", "), scalars.join(", ")),
    }
}

fn vector_example(a: &[f32], b: &[f32]) -> Vec<f32> {
    let element = |(a, b): (&f32, &f32)| {
        let c = a + b;
        (c + 1.0) * (c + 2.0) + c
    };
    a.par_iter().zip(b).map(element).collect()
}

fn bgemm(tiling: Tiling, a: &[f32], b: &[f32], c: &[f32]) -> Vec<f32> {
    let Tiling { m_tiles, n_tiles, k_tiles, edge, .. } = tiling;
    let size = edge * edge;
    let tile = |index: usize| index * size..(index + 1) * size;
    let mut result = c.to_vec();
    result.par_chunks_mut(size).enumerate().for_each_init(
        || vec![0.0; size],
        |product, (index, total)| {
            let (batch, m, n) = (index / (m_tiles * n_tiles), index / n_tiles % m_tiles, index % n_tiles);
            for k in 0..k_tiles {
                let left = &a[tile((batch * m_tiles + m) * k_tiles + k)];
                let right = &b[tile((batch * k_tiles + k) * n_tiles + n)];
                multiply_tile(left, right, product, edge);
                total.iter_mut().zip(&*product).for_each(|(total, addend)| *total += addend);
            }
        },
    );
    result
}

/// `product = left @ right`, each element summed in the order of k, beginning with 0.
pub(super) fn multiply_tile(left: &[f32], right: &[f32], product: &mut [f32], edge: usize) {
    for (sums, factors) in product.chunks_exact_mut(edge).zip(left.chunks_exact(edge)) {
        sums.fill(0.0);
        // Four steps of k for each pass over the sums, which would otherwise be stored and loaded for every step.
        let (quads, rest) = factors.as_chunks::<4>();
        let mut lines = right.chunks_exact(4 * edge);
        for (factors, lines) in quads.iter().zip(&mut lines) {
            let (first, lines) = lines.split_at(edge);
            let (second, lines) = lines.split_at(edge);
            let (third, fourth) = lines.split_at(edge);
            for ((((sum, a), b), c), d) in sums.iter_mut().zip(first).zip(second).zip(third).zip(fourth) {
                *sum = *sum + factors[0] * a + factors[1] * b + factors[2] * c + factors[3] * d;
            }
        }
        for (factor, line) in rest.iter().zip(lines.remainder().chunks_exact(edge)) {
            sums.iter_mut().zip(line).for_each(|(sum, value)| *sum += factor * value);
        }
    }
}

fn diamond_slices(width: usize, input: &[f32]) -> Vec<f32> {
    let slice = |index: usize| input.iter().map(move |value| (value + 1.0) * (index + 1) as f32);
    (0..width).into_par_iter().flat_map_iter(slice).collect()
}

fn diamond_output(slices: &[f32], elements: usize) -> Vec<f32> {
    let sum = |index| slices.iter().skip(index).step_by(elements).fold(0.0, |sum, value| sum + value);
    (0..elements).into_par_iter().map(sum).collect()
}

fn mixed(rounds: usize, input: &[f32]) -> Vec<f32> {
    let rows: Vec<f32> = (0..3)
        .flat_map(|lane| input.iter().map(move |value| value + if lane == 0 { *value } else { lane as f32 }))
        .collect();
    rows.repeat(rounds)
}

fn chain(length: u64, counter: &[f32]) -> Vec<f32> {
    counter.par_iter().map(|start| (0..length).fold(*start, |value, _| value + 1.0)).collect()
}
