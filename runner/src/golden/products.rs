//! What the kernels of published examples compute: products in tiles, also of factors that share exponents, and streams.
//!
//! Everything is in the order and with the roundings of the kernels.

use rayon::prelude::*;

use super::reference::{Expected, Reference};
use super::workloads::gemm;
use crate::case::TensorSpec;
use crate::tensor::{DType, HostTensor};

/// Elements along k that share an exponent.
const GROUP: usize = 32;
/// Edge of a window, its places, and how many channels lie together.
const EDGE: usize = 3;
const PLACES: usize = EDGE * EDGE;
const C0: usize = 16;

/// A reference with the sizes of a case that it fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Product {
    /// `c = a @ b.T`.
    Matmul { m: usize, n: usize, k: usize },
    /// The same of 8-bit floats with scales.
    Mxfp8 { m: usize, n: usize, k: usize },
    /// The same of 4-bit floats.
    Mxfp4 { m: usize, n: usize, k: usize },
    /// `sum = left + right`.
    Add,
    /// `result = gelu(x)`.
    Gelu,
    /// `c = gelu(a @ b.T)`.
    MatmulGelu { m: usize, n: usize, k: usize },
    /// `y = gelu(relu(x) @ weights + bias)`.
    DenseLayer { k: usize, n: usize },
    /// Pictures seen through windows of 3 x 3.
    Conv2d { channels: usize, height: usize, width: usize, columns: usize },
}

impl Product {
    /// The sizes, if the arguments fit.
    pub(super) fn of(reference: Reference, tensors: &[TensorSpec], scalars: &[u64]) -> Option<Product> {
        let types: Vec<DType> = tensors.iter().map(|tensor| tensor.dtype).collect();
        let shapes: Vec<Vec<usize>> =
            tensors.iter().map(|tensor| tensor.shape.iter().map(|length| *length as usize).collect()).collect();
        let (_, inputs) = tensors.split_last().filter(|(last, _)| last.direction.is_written())?;
        if inputs.iter().any(|tensor| tensor.direction.is_written()) {
            return None;
        }
        let sizes: Vec<usize> = scalars.iter().map(|scalar| *scalar as usize).collect();
        let (f16, bf16, f32, u8) = (DType::F16, DType::Bf16, DType::F32, DType::U8);
        let is = |expected: &[&[usize]]| shapes.iter().map(Vec::as_slice).eq(expected.iter().copied());
        let alike = || shapes.windows(2).all(|pair| pair[0] == pair[1]);
        match (reference, &types[..], &sizes[..]) {
            (Reference::Matmul, [a, b, c], &[m, n, k, ..]) => {
                let fits = is(&[&[m, k], &[n, k], &[m, n]]) && [*a, *b] == [f16; 2] && [f16, f32].contains(c);
                fits.then_some(Product::Matmul { m, n, k })
            }
            (Reference::MatmulGelu, types, &[m, n, k, ..]) => (is(&[&[m, k], &[n, k], &[m, n]])
                && types == [f16, f16, f32])
            .then_some(Product::MatmulGelu { m, n, k }),
            (Reference::DenseLayer, types, _) => {
                let &[k, n] = &shapes.get(1)?[..] else { return None };
                let rows = *shapes[0].first()?;
                (is(&[&[rows, k], &[k, n], &[n], &[rows, n]]) && types == [f32; 4])
                    .then_some(Product::DenseLayer { k, n })
            }
            (Reference::MatmulMxfp8 | Reference::MatmulMxfp4, types, &[m, n, k, ..]) => {
                let (row, scales) = (if reference == Reference::MatmulMxfp8 { k } else { k / 2 }, k / GROUP);
                let fits = is(&[&[m, row], &[n, row], &[m, scales], &[n, scales], &[m, n]])
                    && types == [u8, u8, u8, u8, bf16]
                    && k % GROUP == 0;
                let product = if row == k { Product::Mxfp8 { m, n, k } } else { Product::Mxfp4 { m, n, k } };
                fits.then_some(product)
            }
            (Reference::Conv2d, types, &[pictures, channels, height, width, columns, ..]) => {
                let x = [pictures, channels, height, width, C0];
                let fits = is(&[&x, &[channels * PLACES, columns / C0, C0, C0], &[pictures * height * width, columns]])
                    && columns % C0 == 0;
                (fits && types == [f16; 3]).then_some(Product::Conv2d { channels, height, width, columns })
            }
            (Reference::Add, types, _) => (types == [f16; 3] && alike()).then_some(Product::Add),
            (Reference::Gelu, types, _) => (types == [f32; 2] && alike()).then_some(Product::Gelu),
            _ => None,
        }
    }

    /// What the output should hold after a run on `inputs`.
    pub(super) fn compute(&self, inputs: &[HostTensor]) -> Vec<Expected> {
        let floats = |index: usize| inputs[index].to_floats().unwrap_or_default();
        let values = match *self {
            Product::Matmul { m, n, k } => gemm([m, n, k], &floats(0), &floats(1)),
            Product::MatmulGelu { m, n, k } => {
                gemm([m, n, k], &floats(0), &floats(1)).into_par_iter().map(gelu).collect()
            }
            Product::DenseLayer { k, n } => dense_layer([k, n], &floats(0), &floats(1), &floats(2)),
            Product::Mxfp8 { m, n, k } => {
                let factor = |index: usize| scaled(&fp8(&inputs[index]), &inputs[index + 2], k);
                gemm([m, n, k], &factor(0), &factor(1))
            }
            Product::Mxfp4 { m, n, k } => {
                let factor = |index: usize| scaled(&fp4(&inputs[index]), &inputs[index + 2], k);
                gemm([m, n, k], &factor(0), &factor(1))
            }
            Product::Conv2d { channels, height, width, columns } => {
                let k = channels * PLACES * C0;
                let seen = windows(&floats(0), [channels, height, width]);
                gemm([seen.len() / k, columns, k], &seen, &columns_of(&floats(1), columns))
            }
            Product::Add => floats(0).iter().zip(floats(1)).map(|(left, right)| left + right).collect(),
            Product::Gelu => floats(0).into_par_iter().map(gelu).collect(),
        };
        let tensor = inputs.len() - 1;
        let output = &inputs[tensor];
        let value = HostTensor::from_floats(output.dtype(), output.shape(), &values);
        value.map(|value| Expected { tensor, value }).into_iter().collect()
    }
}

/// Row by row, each element summed in the order of k.
fn dense_layer([k, n]: [usize; 2], x: &[f32], weights: &[f32], bias: &[f32]) -> Vec<f32> {
    let row = |row: &[f32]| {
        let mut sums = vec![0.0_f32; n];
        for (value, line) in row.iter().zip(weights.chunks_exact(n)) {
            let factor = if *value < 0.0 { 0.0 } else { *value };
            sums.iter_mut().zip(line).for_each(|(sum, weight)| *sum += factor * weight);
        }
        sums.into_iter().zip(bias).map(|(sum, bias)| gelu(sum + bias)).collect::<Vec<f32>>()
    };
    x.par_chunks_exact(k).flat_map_iter(row).collect()
}

/// Operation by operation, as a vector core does it.
fn gelu(x: f32) -> f32 {
    let inner = x + x * x * x * 0.044_715;
    let weight = (f64::from(inner * -1.595_769)).exp() as f32;
    x / (weight + 1.0)
}

/// Floats of 5 bits of exponent and 2 of mantissa: the upper byte of a binary16.
fn fp8(tensor: &HostTensor) -> Vec<f32> {
    let halves: Vec<u8> = tensor.bytes().iter().flat_map(|byte| [0, *byte]).collect();
    let shape = [halves.len() as u32 / 2];
    HostTensor::from_bytes(DType::F16, &shape, halves).and_then(|halves| halves.to_floats()).unwrap_or_default()
}

/// Two floats in each byte, the lower half first, of 2 bits of exponent and 1 of mantissa.
fn fp4(tensor: &HostTensor) -> Vec<f32> {
    const MAGNITUDES: [f32; 8] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];
    let value = |bits: u8| {
        let magnitude = MAGNITUDES[usize::from(bits & 7)];
        if bits & 8 == 0 { magnitude } else { -magnitude }
    };
    tensor.bytes().iter().flat_map(|byte| [value(byte & 15), value(byte >> 4)]).collect()
}

/// Rows of `k` elements times the powers of two of their groups, whose bias is 127.
fn scaled(elements: &[f32], scales: &HostTensor, k: usize) -> Vec<f32> {
    let rows = elements.chunks_exact(k).zip(scales.bytes().chunks_exact(k / GROUP));
    let of_row = |(row, scales): (&[f32], &[u8])| -> Vec<f32> {
        let of_group = |(group, scale): (&[f32], &u8)| {
            let factor = f32::from_bits(if *scale == 0 { 1 << 22 } else { u32::from(*scale) << 23 });
            group.iter().map(|element| element * factor).collect::<Vec<_>>()
        };
        row.chunks_exact(GROUP).zip(scales).flat_map(of_group).collect()
    };
    rows.flat_map(of_row).collect()
}

/// What the window of each pixel of each picture has, as rows `[channel, place, C0]`; outside of a picture is 0.
fn windows(x: &[f32], [channels, height, width]: [usize; 3]) -> Vec<f32> {
    let pixels = height * width;
    let of_pixel = |index: usize| {
        let (picture, line, column) = (index / pixels, index % pixels / width, index % width);
        let place = move |channel: usize, place: usize| {
            let (line, column) = (line + place / EDGE, column + place % EDGE);
            let is_inside = (1..=height).contains(&line) && (1..=width).contains(&column);
            let first =
                is_inside.then(|| (((picture * channels + channel) * height + line - 1) * width + column - 1) * C0);
            (0..C0).map(move |offset| first.map_or(0.0, |first| x[first + offset]))
        };
        (0..channels).flat_map(move |channel| (0..PLACES).flat_map(move |index| place(channel, index)))
    };
    (0..x.len() / (channels * C0)).into_par_iter().flat_map_iter(of_pixel).collect()
}

/// Weights `[k / C0, columns / C0, C0, C0]`, the last of them along k, as rows of k.
fn columns_of(weights: &[f32], columns: usize) -> Vec<f32> {
    let of_column = |column: usize| {
        let lines = weights.chunks_exact(columns * C0);
        lines.flat_map(move |line| &line[column * C0..(column + 1) * C0]).copied()
    };
    (0..columns).into_par_iter().flat_map_iter(of_column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(values: &[u8]) -> HostTensor {
        HostTensor::from_bytes(DType::U8, &[values.len() as u32], values.to_vec()).unwrap()
    }

    #[test]
    fn what_do_the_bits_of_small_floats_stand_for() {
        assert_eq!(fp8(&bytes(&[0x3c, 0xbc, 0x01, 0x7b, 0x41])), [1.0, -1.0, 1.0 / 65536.0, 57344.0, 2.5]);
        assert_eq!(fp4(&bytes(&[0x2f, 0x71])), [-6.0, 1.0, 0.5, 6.0]);
    }

    #[test]
    fn does_each_group_of_32_have_a_scale_of_its_own() {
        let scaled = scaled(&[1.5; 64], &bytes(&[128, 126]), 64);
        assert_eq!(scaled, [[3.0; 32], [0.75; 32]].concat());
    }

    #[test]
    fn what_does_the_window_of_a_corner_see() {
        // A picture of 2 x 2 with one block of channels, of which the first counts the pixels.
        let x: Vec<f32> =
            (1..=4).flat_map(|pixel| (0..C0).map(move |c| if c == 0 { pixel as f32 } else { 0.0 })).collect();
        let seen: Vec<f32> = windows(&x, [1, 2, 2]).into_iter().step_by(C0).collect();
        assert_eq!(seen[..PLACES], [0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 0.0, 3.0, 4.0]);
        assert_eq!(seen[3 * PLACES..], [1.0, 2.0, 0.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0]);
    }
}
