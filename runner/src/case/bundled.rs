//! What is part of the program: cases, runtimes, orchestrations, kernels and variants of device objects.
//!
//! Each name is a type of its own, so that a misspelt one is an error of the case file and a table of objects by name
//! is checked by the compiler to be complete.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::nearest;

/// A case file that is part of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BundledCase {
    /// Its name.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

impl BundledCase {
    /// Every bundled case: examples first, then workloads, small ones before those that are for timing alone, at last what
    /// goes wrong on purpose.
    pub const ALL: [BundledCase; 60] = [
        BundledCase { name: "vector_example", text: include_str!("../../cases/vector_example.json") },
        BundledCase { name: "bgemm", text: include_str!("../../cases/bgemm.json") },
        BundledCase { name: "bgemm_pipes", text: include_str!("../../cases/bgemm_pipes.json") },
        BundledCase { name: "bgemm_heavy", text: include_str!("../../cases/bgemm_heavy.json") },
        BundledCase { name: "diamond", text: include_str!("../../cases/diamond.json") },
        BundledCase { name: "mixed", text: include_str!("../../cases/mixed.json") },
        BundledCase { name: "chain", text: include_str!("../../cases/chain.json") },
        BundledCase { name: "flood", text: include_str!("../../cases/flood.json") },
        BundledCase { name: "flood_2000", text: include_str!("../../cases/flood_2000.json") },
        BundledCase { name: "gemm", text: include_str!("../../cases/workloads/gemm.json") },
        BundledCase { name: "flash_attention", text: include_str!("../../cases/workloads/flash_attention.json") },
        BundledCase {
            name: "paged_attention_unroll_small",
            text: include_str!("../../cases/workloads/paged_attention_unroll_small.json"),
        },
        BundledCase {
            name: "paged_attention_small",
            text: include_str!("../../cases/workloads/paged_attention_small.json"),
        },
        BundledCase {
            name: "alternating_matmul_add_small",
            text: include_str!("../../cases/workloads/alternating_matmul_add_small.json"),
        },
        BundledCase { name: "topk", text: include_str!("../../cases/workloads/topk.json") },
        BundledCase { name: "topk_half", text: include_str!("../../cases/workloads/topk_half.json") },
        BundledCase { name: "multiply_add", text: include_str!("../../cases/workloads/multiply_add.json") },
        BundledCase { name: "row_reduce", text: include_str!("../../cases/workloads/row_reduce.json") },
        BundledCase { name: "copy_ub", text: include_str!("../../cases/workloads/copy_ub.json") },
        BundledCase { name: "copy_l1", text: include_str!("../../cases/workloads/copy_l1.json") },
        BundledCase { name: "matmul", text: include_str!("../../cases/workloads/matmul.json") },
        BundledCase { name: "matmul_float", text: include_str!("../../cases/workloads/matmul_float.json") },
        BundledCase { name: "matmul_mxfp8", text: include_str!("../../cases/workloads/matmul_mxfp8.json") },
        BundledCase { name: "matmul_mxfp4", text: include_str!("../../cases/workloads/matmul_mxfp4.json") },
        BundledCase { name: "matmul_gelu", text: include_str!("../../cases/workloads/matmul_gelu.json") },
        BundledCase { name: "dense_layer", text: include_str!("../../cases/workloads/dense_layer.json") },
        BundledCase { name: "conv2d", text: include_str!("../../cases/workloads/conv2d.json") },
        BundledCase { name: "add_stream", text: include_str!("../../cases/workloads/add_stream.json") },
        BundledCase { name: "nd_to_nz", text: include_str!("../../cases/workloads/nd_to_nz.json") },
        BundledCase { name: "gelu_stream", text: include_str!("../../cases/workloads/gelu_stream.json") },
        BundledCase { name: "gemm_1536", text: include_str!("../../cases/workloads/gemm_1536.json") },
        BundledCase { name: "gemm_3072", text: include_str!("../../cases/workloads/gemm_3072.json") },
        BundledCase { name: "gemm_6144", text: include_str!("../../cases/workloads/gemm_6144.json") },
        BundledCase { name: "gemm_7680", text: include_str!("../../cases/workloads/gemm_7680.json") },
        BundledCase { name: "flash_attention_1k", text: include_str!("../../cases/workloads/flash_attention_1k.json") },
        BundledCase { name: "flash_attention_2k", text: include_str!("../../cases/workloads/flash_attention_2k.json") },
        BundledCase { name: "flash_attention_4k", text: include_str!("../../cases/workloads/flash_attention_4k.json") },
        BundledCase { name: "flash_attention_8k", text: include_str!("../../cases/workloads/flash_attention_8k.json") },
        BundledCase {
            name: "flash_attention_16k",
            text: include_str!("../../cases/workloads/flash_attention_16k.json"),
        },
        BundledCase {
            name: "paged_attention_unroll",
            text: include_str!("../../cases/workloads/paged_attention_unroll.json"),
        },
        BundledCase {
            name: "paged_attention_65536",
            text: include_str!("../../cases/workloads/paged_attention_65536.json"),
        },
        BundledCase {
            name: "alternating_matmul_add",
            text: include_str!("../../cases/workloads/alternating_matmul_add.json"),
        },
        BundledCase { name: "topk_4800x1024", text: include_str!("../../cases/workloads/topk_4800x1024.json") },
        BundledCase { name: "multiply_add_large", text: include_str!("../../cases/workloads/multiply_add_large.json") },
        BundledCase { name: "row_reduce_large", text: include_str!("../../cases/workloads/row_reduce_large.json") },
        BundledCase { name: "copy_ub_128b", text: include_str!("../../cases/workloads/copy_ub_128b.json") },
        BundledCase { name: "copy_ub_128k", text: include_str!("../../cases/workloads/copy_ub_128k.json") },
        BundledCase { name: "copy_ub_misaligned", text: include_str!("../../cases/workloads/copy_ub_misaligned.json") },
        BundledCase { name: "copy_ub_l2", text: include_str!("../../cases/workloads/copy_ub_l2.json") },
        BundledCase { name: "copy_ub_in_step", text: include_str!("../../cases/workloads/copy_ub_in_step.json") },
        BundledCase { name: "copy_ub_staggered", text: include_str!("../../cases/workloads/copy_ub_staggered.json") },
        BundledCase { name: "copy_l1_32k", text: include_str!("../../cases/workloads/copy_l1_32k.json") },
        BundledCase { name: "copy_l1_misaligned", text: include_str!("../../cases/workloads/copy_l1_misaligned.json") },
        BundledCase { name: "copy_l1_l2", text: include_str!("../../cases/workloads/copy_l1_l2.json") },
        BundledCase { name: "hang_kernel", text: include_str!("../../cases/hang_kernel.json") },
        BundledCase { name: "null_write", text: include_str!("../../cases/null_write.json") },
        BundledCase { name: "lost_completion", text: include_str!("../../cases/lost_completion.json") },
        BundledCase { name: "ring_full", text: include_str!("../../cases/ring_full.json") },
        BundledCase { name: "self_wait", text: include_str!("../../cases/self_wait.json") },
        BundledCase { name: "hoarded_tiles", text: include_str!("../../cases/hoarded_tiles.json") },
    ];
}

/// A runtime: the host, AICPU and AICore objects that work together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Runtime {
    /// The host builds the whole task graph.
    HostBuildGraph,
    /// An AICPU thread builds the task graph.
    AicpuBuildGraph,
    /// An AICPU thread submits tasks to rings, and dependencies follow from the tensors.
    #[default]
    TensormapAndRingbuffer,
}

impl Runtime {
    /// Every runtime.
    pub const ALL: [Runtime; 3] = [Runtime::TensormapAndRingbuffer, Runtime::AicpuBuildGraph, Runtime::HostBuildGraph];

    /// The name in case files.
    pub const fn name(self) -> &'static str {
        match self {
            Runtime::HostBuildGraph => "host_build_graph",
            Runtime::AicpuBuildGraph => "aicpu_build_graph",
            Runtime::TensormapAndRingbuffer => "tensormap_and_ringbuffer",
        }
    }

    /// Whether its orchestrations run on the AICPU, and so have to get there.
    pub const fn orchestrates_on_device(self) -> bool {
        matches!(self, Runtime::AicpuBuildGraph | Runtime::TensormapAndRingbuffer)
    }
}

/// `{name}` is no runtime: the nearest is `{nearest}`
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub struct UnknownRuntime {
    /// What was written.
    pub name: String,
    /// The known name that is most like it.
    pub nearest: String,
}

impl FromStr for Runtime {
    type Err = UnknownRuntime;

    fn from_str(name: &str) -> Result<Self, UnknownRuntime> {
        Runtime::ALL.into_iter().find(|runtime| runtime.name() == name).ok_or_else(|| UnknownRuntime {
            name: name.to_owned(),
            nearest: nearest(name, Runtime::ALL.map(Runtime::name)).unwrap_or_default().to_owned(),
        })
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A bundled AICore object other than the runtime's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AicoreVariant {
    /// Each core runs its third task but never reports its completion.
    Lossy,
    /// Each core looks at a register in the window, where only AICPU threads may.
    Window,
}

impl AicoreVariant {
    /// The name in case files.
    pub const fn name(self) -> &'static str {
        match self {
            AicoreVariant::Lossy => "lossy",
            AicoreVariant::Window => "window",
        }
    }
}

/// A bundled orchestration. Arguments are tensors, then scalars; the number before a kernel is its function id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Orchestration {
    /// `f = (a + b + 1) * (a + b + 2) + (a + b)` in five tasks.
    ///
    /// Arguments: `a` in, `b` in, `f` out, of one shape.
    /// Kernels: 0 [`Kernel::Add`], 1 [`Kernel::AddScalar`], 2 [`Kernel::Mul`].
    VectorExample,
    /// `c[b] += a[b] @ b[b]` for every batch, tile by tile: two tasks for each step of k.
    ///
    /// Arguments: `a[batch, m_tiles, k_tiles, edge, edge]` in, `b[batch, k_tiles, n_tiles, edge, edge]` in,
    /// `c[batch, m_tiles, n_tiles, edge, edge]` inout; `batch`, `m_tiles`, `n_tiles`, `k_tiles`, `edge`.
    /// Kernels: 0 [`Kernel::GemmTile`] on AIC, 1 [`Kernel::TileAdd`] on AIV.
    Bgemm,
    /// One task, `width` tasks that depend on it, one task that depends on them all.
    ///
    /// `slices[i] = (input + 1) * (i + 1)`, `output = slices[0] + slices[1] + …` in this order.
    /// Arguments: `input[n]` in, `slices[width, n]` out, `output[n]` out; `width`.
    /// Kernels: 0 [`Kernel::DiamondSource`], 1 [`Kernel::DiamondMiddle`], 2 [`Kernel::DiamondSink`].
    Diamond,
    /// `rounds` tasks that take a whole cluster each, among empty ones for an AIC and for an AIV.
    ///
    /// `rows[i] = [input + input, input + 1, input + 2]`.
    /// Arguments: `input[n]` in, `rows[rounds, 3, n]` out; `rounds`.
    /// Kernels: 0 [`Kernel::MixedCube`] on AIC, 1 [`Kernel::MixedVector`] on AIV, 2 [`Kernel::Empty`].
    Mixed,
    /// `length` tasks, each of which needs the one before and adds 1.
    ///
    /// Arguments: `counter` inout; `length`. Kernels: 0 [`Kernel::Increment`], or another that takes one tensor.
    Chain,
    /// `tasks` tasks that do nothing and need nothing.
    ///
    /// Arguments: `tasks`. Kernels: 0 [`Kernel::Empty`].
    Flood,
    /// `c = a @ b.T`, a task for each block of c.
    ///
    /// Arguments: `a[m, k]` f16 in, `b[n, k]` f16 in, `c[m, n]` f32 out; `m`, `n`, `k`, `m_blocks`, `n_blocks`.
    /// Kernels: 0 [`Kernel::GemmBlock`] on AIC.
    Gemm,
    /// `result = softmax(queries @ keys.T / sqrt(128)) @ values`, in steps of cube and vector.
    ///
    /// Arguments: `queries[query_count, 128]` f16 in, `keys[key_count, 128]` and `values` f16 in, `result` f32 out;
    /// `query_count`, `key_count`, `tiles`. Kernels: 0 [`Kernel::FlashCube`] on AIC, 1 [`Kernel::FlashVector`] on AIV.
    FlashAttention,
    /// Attention of sequences to keys and values in blocks that a table names, up to 64 blocks in a task.
    ///
    /// Arguments: `queries[batch, heads, head_dim]` bf16 in, `keys[total_blocks, block_size, head_dim]` and `values` bf16
    /// in, `table[batch, table_width]` i32 in, `result` f32 inout; `batch`, `heads`, `head_dim`, `block_size`,
    /// `total_blocks`, `table_width`, `context`. Kernels: 0 [`Kernel::PagedScores`] and 2 [`Kernel::PagedProduct`] on AIC,
    /// 1 [`Kernel::PagedSoftmax`] and 3 [`Kernel::AttentionUpdate`] on AIV.
    PagedAttentionUnroll,
    /// The same with a block in a task; which blocks are whose follows from their number.
    ///
    /// Arguments: as above without the table. Kernels: 0 [`Kernel::BlockScores`] and 2 [`Kernel::BlockProduct`] on AIC,
    /// 1 [`Kernel::BlockSoftmax`] and 3 [`Kernel::AttentionUpdate`] on AIV.
    PagedAttention,
    /// `c = a @ b` and `z = x + y`, tile by tile, in turn.
    ///
    /// Arguments: `a`, `b`, `c[matmul_tiles, edge, edge]`, `x`, `y`, `z[add_tiles, edge, edge]`; `matmul_tiles`,
    /// `add_tiles`, `tiles_per_matmul`, `tiles_per_add`, `edge`.
    /// Kernels: 0 [`Kernel::MatmulTiles`] on AIC, 1 [`Kernel::AddTiles`] on AIV.
    AlternatingMatmulAdd,
    /// One kernel on all rows of three tensors, split among AIVs.
    ///
    /// Arguments: three tensors of `rows` rows, the last `outputs` of them out; `rows`, `blocks`, `outputs` and one that
    /// the shapes need. Kernels: 0 [`Kernel::MultiplyAdd`], [`Kernel::RowReduce`], [`Kernel::TopK`] or
    /// [`Kernel::TopKHalf`].
    Rows,
    /// Reads a tensor tile by tile, and keeps a trace of each core's last tile.
    ///
    /// Arguments: `input[rows, cols]` f16 in, `last[blocks, …]` out; `rows`, `cols`, `blocks`, `tile_rows`, `tile_cols`,
    /// `passes`, `mode`, `cube`, `sections`. Kernels: 0 [`Kernel::CopyToUb`] on AIV or [`Kernel::CopyToL1`] on AIC.
    Copies,
    /// `c = a @ b.T`, a task for each block of c of `single_m` x `single_n`, with the tiling of the kernel.
    ///
    /// Arguments: `a[m, k]` in, `b[n, k]` in, with scales `scales_a[m, k / 32]` in, `scales_b[n, k / 32]` in,
    /// `c[m, n]` out; `m`, `n`, `k`, `single_m`, `single_n`, `rounds`, `tile_m`, `tile_n`, `step_k`, `steps_a`,
    /// `steps_b`, `buffers`, `l0_buffers`, `unit_flag`, `scale_stages`, with scales two more that the shapes need.
    /// Kernels: 0 [`Kernel::MatmulToHalf`], [`Kernel::MatmulToFloat`], [`Kernel::MatmulMxfp8`] or
    /// [`Kernel::MatmulMxfp4`] on AIC.
    Matmul,
    /// `c = gelu(a @ b.T)`, products by AICs and gelu by AIVs.
    ///
    /// Arguments: `a[m, k]` f16 in, `b[n, k]` f16 in, `c[m, n]` f32 out; `m`, `n`, `k`, `single_m`, `single_n`, `tile_m`,
    /// `tile_n`, `step_k`, `steps_a`, `steps_b`, `buffers`, `l0_buffers`, `unit_flag`, `gelu_rows`.
    /// Kernels: 0 [`Kernel::MatmulToFloat`] on AIC, 1 [`Kernel::GeluRows`] on AIV.
    MatmulGelu,
    /// `y = gelu(relu(x) @ weights + bias)` by mixed tasks whose parts hand tiles to each other.
    ///
    /// Arguments: `x[rows, k]`, `weights[k, n]`, `bias[n]` in, `y[rows, n]` out, f32; `tile_rows`, `tiles` of a task.
    /// Kernels: 0 [`Kernel::DenseCube`] on AIC, 1 [`Kernel::DenseVector`] or [`Kernel::HoardingVector`] on AIV.
    DenseLayer,
    /// Pictures seen through windows of 3 x 3, a task for each picture and part of the columns.
    ///
    /// Arguments: `x[pictures, channels, height, width, 16]` f16 in, `weights[channels * 9, columns / 16, 16, 16]` f16 in,
    /// `y[pictures * height * width, columns]` f16 out; `pictures`, `channels`, `height`, `width`, `columns`,
    /// `single_columns` and three that the shapes need. Kernels: 0 [`Kernel::Conv2d`] on AIC.
    Conv2d,
    /// One kernel on all elements of tensors, split among AIVs by rows.
    ///
    /// Arguments: tensors `[rows, cols]`, the last of them out; `rows`, `cols`, `blocks`, `piece`, `buffers`.
    /// Kernels: 0 [`Kernel::AddStream`] or [`Kernel::GeluStream`] on AIV.
    Streams,
    /// A matrix into columns of 16 elements, a task for each part of it.
    ///
    /// Arguments: `from[rows, cols]` f16 in, `to[cols / 16, rows, 16]` f16 out; `rows`, `cols`, `row_parts`, `col_parts`,
    /// `tile_rows`, `tile_cols` and one that the shapes need. Kernels: 0 [`Kernel::NdToNz`] on AIV.
    NdToNz,
    /// Fills a ring from within one scope, so that nothing retires. No arguments. Kernels: 0 [`Kernel::Empty`].
    RingFull,
    /// Waits for a word that only a task would write which it has not submitted yet.
    ///
    /// Arguments: `word`, one 0.0, inout. Kernels: 0 [`Kernel::Increment`].
    SelfWait,
}

impl Orchestration {
    /// Every orchestration.
    pub const ALL: [Orchestration; 21] = [
        Orchestration::VectorExample,
        Orchestration::Bgemm,
        Orchestration::Diamond,
        Orchestration::Mixed,
        Orchestration::Chain,
        Orchestration::Flood,
        Orchestration::Gemm,
        Orchestration::FlashAttention,
        Orchestration::PagedAttentionUnroll,
        Orchestration::PagedAttention,
        Orchestration::AlternatingMatmulAdd,
        Orchestration::Rows,
        Orchestration::Copies,
        Orchestration::Matmul,
        Orchestration::MatmulGelu,
        Orchestration::DenseLayer,
        Orchestration::Conv2d,
        Orchestration::Streams,
        Orchestration::NdToNz,
        Orchestration::RingFull,
        Orchestration::SelfWait,
    ];

    /// The name in case files.
    pub const fn name(self) -> &'static str {
        match self {
            Orchestration::VectorExample => "vector_example",
            Orchestration::Bgemm => "bgemm",
            Orchestration::Diamond => "diamond",
            Orchestration::Mixed => "mixed",
            Orchestration::Chain => "chain",
            Orchestration::Flood => "flood",
            Orchestration::Gemm => "gemm",
            Orchestration::FlashAttention => "flash_attention",
            Orchestration::PagedAttentionUnroll => "paged_attention_unroll",
            Orchestration::PagedAttention => "paged_attention",
            Orchestration::AlternatingMatmulAdd => "alternating_matmul_add",
            Orchestration::Rows => "rows",
            Orchestration::Copies => "copies",
            Orchestration::Matmul => "matmul",
            Orchestration::MatmulGelu => "matmul_gelu",
            Orchestration::DenseLayer => "dense_layer",
            Orchestration::Conv2d => "conv2d",
            Orchestration::Streams => "streams",
            Orchestration::NdToNz => "nd_to_nz",
            Orchestration::RingFull => "ring_full",
            Orchestration::SelfWait => "self_wait",
        }
    }
}

/// A bundled kernel. Tensors are f32 and contiguous, unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernel {
    /// `sum = left + right`; left in, right in, sum out.
    Add,
    /// `sum = tensor + addend`; tensor in, sum out, addend f32.
    AddScalar,
    /// `product = left * right`; left in, right in, product out.
    Mul,
    /// `product = left @ right`, each element summed in the order of k; left in, right in, product out.
    GemmTile,
    /// `total = total + addend`; total inout, addend in.
    TileAdd,
    /// As [`Kernel::GemmTile`], by the tile API.
    CubeGemm,
    /// As [`Kernel::TileAdd`], by the tile API.
    VectorAdd,
    /// As [`Kernel::Add`], leaving a trace of its tile instructions.
    TracedAdd,
    /// `tile = input + 1`; input in, tile out.
    DiamondSource,
    /// `slice = tile * factor`; tile in, slice out, factor f32.
    DiamondMiddle,
    /// `output = slices[0] + slices[1] + …`; slices in, output out.
    DiamondSink,
    /// `rows[0] = input + input`; input in, rows out.
    MixedCube,
    /// `rows[1 + s] = input + (1 + s)` for sub-block s; input in, rows out.
    MixedVector,
    /// `counter = counter + 1`; counter inout.
    Increment,
    /// Nothing, with any arguments.
    Empty,
    /// `c = a @ b.T`, f16 to f32: a in, b in, c out.
    GemmBlock,
    /// The cube's part of a step of flash attention; nine tensors, step, chunks, tiles.
    FlashCube,
    /// The vector's part.
    FlashVector,
    /// `scores = queries @ keys.T` for blocks of a table; queries, keys, table in, scores out, blocks, first.
    PagedScores,
    /// Weights of scores of several blocks; scores in, weights, maxima, sums out, scale f32, blocks, valid.
    PagedSoftmax,
    /// `product = weights @ values` over blocks of a table; weights, values, table in, product out, blocks, first.
    PagedProduct,
    /// `scores = queries @ keys.T`; queries in, keys in, scores out.
    BlockScores,
    /// Weights of scores of one block; scores in, weights, maxima, sums out, scale f32, valid.
    BlockSoftmax,
    /// `product = weights @ values`; weights in, values in, product out.
    BlockProduct,
    /// Adds a group of blocks to those before; maxima, sums, product in, the same of all inout, result inout, first, last.
    AttentionUpdate,
    /// `product = left @ right`, tile by tile; left in, right in, product out.
    MatmulTiles,
    /// `sum = left + right`, tile by tile; left in, right in, sum out.
    AddTiles,
    /// `result = a * b + a`; a in, b in, result out.
    MultiplyAdd,
    /// Sum and largest element of each row; input in, sums out, maxima out.
    RowReduce,
    /// The largest elements of each row; input in, values out, places u32 out.
    TopK,
    /// The same of f16.
    TopKHalf,
    /// Reads tiles into UB; input f16 in, last f16 out, tile_rows, tile_cols, passes, first_tile.
    CopyToUb,
    /// Reads tiles into L1; input f16 in, last f32 out, and as above.
    CopyToL1,
    /// `c = a @ b.T`: a f16 in, b f16 in, c f16 out, the tiling.
    MatmulToHalf,
    /// The same: c f32 out.
    MatmulToFloat,
    /// The same of 8-bit floats with scales: a, b, scales_a, scales_b in, u8, c bf16 out, the tiling, scale_stages.
    MatmulMxfp8,
    /// The same of 4-bit floats.
    MatmulMxfp4,
    /// A picture seen through windows: x in, weights in, y f16 out, a part of its columns, height, width, first_column.
    Conv2d,
    /// `sum = left + right`, f16: left in, right in, sum out, piece, buffers.
    AddStream,
    /// `result = gelu(x)`: x in, result out, piece, buffers.
    GeluStream,
    /// `x = gelu(x)`: x inout, a part of a matrix, tile_rows, tile_cols.
    GeluRows,
    /// Columns of 16 elements: from f16 in, to f16 out, total_rows, tile_rows, tile_cols.
    NdToNz,
    /// Products of the tiles that it pops, which it pushes: x, weights, bias in, y out, slots of both pipes.
    DenseCube,
    /// Pushes half of each rectified tile of x, pops half of its product, adds the bias, gelu; likewise.
    DenseVector,
    /// Never returns and calls nothing.
    Hang,
    /// Writes through a null pointer.
    NullWrite,
    /// Says that it waits for a flag that nobody sets; counter inout.
    MissingFlag,
    /// As [`Kernel::DenseVector`], but pushes all tiles before it pops any.
    HoardingVector,
    /// `counter = counter + 1`, in steps that depend on the counter; counter inout.
    DataDependent,
}

impl Kernel {
    /// Every kernel.
    pub const ALL: [Kernel; 49] = [
        Kernel::Add,
        Kernel::AddScalar,
        Kernel::Mul,
        Kernel::GemmTile,
        Kernel::TileAdd,
        Kernel::CubeGemm,
        Kernel::VectorAdd,
        Kernel::TracedAdd,
        Kernel::DiamondSource,
        Kernel::DiamondMiddle,
        Kernel::DiamondSink,
        Kernel::MixedCube,
        Kernel::MixedVector,
        Kernel::Increment,
        Kernel::Empty,
        Kernel::GemmBlock,
        Kernel::FlashCube,
        Kernel::FlashVector,
        Kernel::PagedScores,
        Kernel::PagedSoftmax,
        Kernel::PagedProduct,
        Kernel::BlockScores,
        Kernel::BlockSoftmax,
        Kernel::BlockProduct,
        Kernel::AttentionUpdate,
        Kernel::MatmulTiles,
        Kernel::AddTiles,
        Kernel::MultiplyAdd,
        Kernel::RowReduce,
        Kernel::TopK,
        Kernel::TopKHalf,
        Kernel::CopyToUb,
        Kernel::CopyToL1,
        Kernel::MatmulToHalf,
        Kernel::MatmulToFloat,
        Kernel::MatmulMxfp8,
        Kernel::MatmulMxfp4,
        Kernel::Conv2d,
        Kernel::AddStream,
        Kernel::GeluStream,
        Kernel::GeluRows,
        Kernel::NdToNz,
        Kernel::DenseCube,
        Kernel::DenseVector,
        Kernel::Hang,
        Kernel::NullWrite,
        Kernel::MissingFlag,
        Kernel::HoardingVector,
        Kernel::DataDependent,
    ];

    /// The name in case files.
    pub const fn name(self) -> &'static str {
        match self {
            Kernel::Add => "add",
            Kernel::AddScalar => "add_scalar",
            Kernel::Mul => "mul",
            Kernel::GemmTile => "gemm_tile",
            Kernel::TileAdd => "tile_add",
            Kernel::CubeGemm => "cube_gemm",
            Kernel::VectorAdd => "vector_add",
            Kernel::TracedAdd => "traced_add",
            Kernel::DiamondSource => "diamond_source",
            Kernel::DiamondMiddle => "diamond_middle",
            Kernel::DiamondSink => "diamond_sink",
            Kernel::MixedCube => "mixed_cube",
            Kernel::MixedVector => "mixed_vector",
            Kernel::Increment => "increment",
            Kernel::Empty => "empty",
            Kernel::GemmBlock => "gemm_block",
            Kernel::FlashCube => "flash_cube",
            Kernel::FlashVector => "flash_vector",
            Kernel::PagedScores => "paged_scores",
            Kernel::PagedSoftmax => "paged_softmax",
            Kernel::PagedProduct => "paged_product",
            Kernel::BlockScores => "block_scores",
            Kernel::BlockSoftmax => "block_softmax",
            Kernel::BlockProduct => "block_product",
            Kernel::AttentionUpdate => "attention_update",
            Kernel::MatmulTiles => "matmul_tiles",
            Kernel::AddTiles => "add_tiles",
            Kernel::MultiplyAdd => "multiply_add",
            Kernel::RowReduce => "row_reduce",
            Kernel::TopK => "top_k",
            Kernel::TopKHalf => "top_k_half",
            Kernel::CopyToUb => "copy_to_ub",
            Kernel::CopyToL1 => "copy_to_l1",
            Kernel::MatmulToHalf => "matmul_to_half",
            Kernel::MatmulToFloat => "matmul_to_float",
            Kernel::MatmulMxfp8 => "matmul_mxfp8",
            Kernel::MatmulMxfp4 => "matmul_mxfp4",
            Kernel::Conv2d => "conv2d",
            Kernel::AddStream => "add_stream",
            Kernel::GeluStream => "gelu_stream",
            Kernel::GeluRows => "gelu_rows",
            Kernel::NdToNz => "nd_to_nz",
            Kernel::DenseCube => "dense_cube",
            Kernel::DenseVector => "dense_vector",
            Kernel::Hang => "hang",
            Kernel::NullWrite => "null_write",
            Kernel::MissingFlag => "missing_flag",
            Kernel::HoardingVector => "hoarding_vector",
            Kernel::DataDependent => "data_dependent",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::CaseSpec;

    #[test]
    fn is_every_bundled_case_valid_and_described_in_one_line() {
        for case in BundledCase::ALL {
            let spec = CaseSpec::bundled(case.name).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(spec.name, case.name);
            assert!((10..100).contains(&spec.description.len()), "{}: {}", case.name, spec.description);
            assert!(!spec.description.contains('\n'), "{}", case.name);
        }
    }

    #[test]
    fn do_case_files_spell_names_as_they_are_shown() {
        for orchestration in Orchestration::ALL {
            assert_eq!(serde_json::to_value(orchestration).unwrap(), orchestration.name());
        }
        for kernel in Kernel::ALL {
            assert_eq!(serde_json::to_value(kernel).unwrap(), kernel.name());
        }
        for runtime in [Runtime::HostBuildGraph, Runtime::AicpuBuildGraph, Runtime::TensormapAndRingbuffer] {
            assert_eq!(serde_json::to_value(runtime).unwrap(), runtime.name());
        }
        assert_eq!(serde_json::to_value(AicoreVariant::Lossy).unwrap(), AicoreVariant::Lossy.name());
    }
}
