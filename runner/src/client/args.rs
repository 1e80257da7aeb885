//! The arguments of a run, and how it is to be carried out.

use super::abi::{
    CHIP_SCALARS, CHIP_TENSORS, CallConfig, ChipStorageTaskArgs, ChipTensor, NO_TASK, OUTPUT_PREFIX, RuntimeEnv,
};
use crate::tensor::{HostTensor, MAX_DIMS, element_count};

/// Why tensors and scalars cannot be arguments.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub enum ArgsError {
    /// there are {count} tensors, {max} are possible
    TooManyTensors {
        /// Tensors there are.
        count: usize,
        /// The most there may be.
        max: usize,
    },
    /// there are {count} scalars, {max} are possible
    TooManyScalars {
        /// Scalars there are.
        count: usize,
        /// The most there may be.
        max: usize,
    },
    /// tensor {index} has {dims} dimensions, 1 to {max} are possible
    Dimensions {
        /// Position among the tensors.
        index: usize,
        /// Dimensions it has.
        dims: usize,
        /// The most there may be.
        max: usize,
    },
}

/// Arguments that name the tensors' memory, which has to stay where it is until the run is finalised: the runtime reads
/// inputs from it and writes outputs back to it.
pub fn task_args(tensors: &mut [HostTensor], scalars: &[u64]) -> Result<Box<ChipStorageTaskArgs>, ArgsError> {
    if tensors.len() > CHIP_TENSORS {
        return Err(ArgsError::TooManyTensors { count: tensors.len(), max: CHIP_TENSORS });
    }
    if scalars.len() > CHIP_SCALARS {
        return Err(ArgsError::TooManyScalars { count: scalars.len(), max: CHIP_SCALARS });
    }
    let mut args = Box::new(ChipStorageTaskArgs {
        tensors: [UNUSED_TENSOR; CHIP_TENSORS],
        scalars: [0; CHIP_SCALARS],
        tensor_count: tensors.len() as i32,
        scalar_count: scalars.len() as i32,
    });
    for (index, (tensor, argument)) in tensors.iter_mut().zip(&mut args.tensors).enumerate() {
        let dims = tensor.shape().len();
        if !(1..=MAX_DIMS).contains(&dims) {
            return Err(ArgsError::Dimensions { index, dims, max: MAX_DIMS });
        }
        *argument = chip_tensor(tensor);
    }
    args.scalars[..scalars.len()].copy_from_slice(scalars);
    Ok(args)
}

/// A configuration that leaves everything but the ring sizes to the runtime.
pub fn call_config(runtime_env: RuntimeEnv) -> CallConfig {
    CallConfig {
        aicpu_threads: 0,
        chip_swimlane: 0,
        dump_args: 0,
        pmu: 0,
        dep_gen: 0,
        scope_stats: 0,
        runtime_env,
        output_prefix: [0; OUTPUT_PREFIX],
    }
}

/// An argument that is not in use.
const UNUSED_TENSOR: ChipTensor = ChipTensor {
    address: 0,
    size: 0,
    owner_task: NO_TASK,
    start_offset: 0,
    version: 0,
    dims: 0,
    dtype: 0,
    manual_dep: 0,
    is_contiguous: 0,
    address_space: 0,
    shape: [0; MAX_DIMS],
    extent: 0,
    strides: [0; MAX_DIMS],
    reserved: [0; 36],
};

/// A whole tensor in host memory.
fn chip_tensor(tensor: &mut HostTensor) -> ChipTensor {
    let mut argument = ChipTensor {
        address: tensor.bytes_mut().as_mut_ptr().expose_provenance() as u64,
        size: tensor.bytes().len() as u64,
        dims: tensor.shape().len() as u32,
        dtype: tensor.dtype().code(),
        is_contiguous: 1,
        extent: tensor.len() as u64,
        ..UNUSED_TENSOR
    };
    for (dim, &length) in tensor.shape().iter().enumerate() {
        argument.shape[dim] = length;
        argument.strides[dim] = element_count(&tensor.shape()[dim + 1..]) as u32;
    }
    argument
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::DType;

    #[test]
    fn is_a_tensor_described_as_a_dense_view_of_its_memory() {
        let mut tensors = [HostTensor::zeros(DType::F16, &[2, 3, 4])];
        let args = task_args(&mut tensors, &[5, u64::MAX]).unwrap();
        let tensor = args.tensors[0];
        assert_eq!(tensor.address, tensors[0].bytes().as_ptr().addr() as u64);
        assert_eq!((tensor.size, tensor.extent, tensor.dims, tensor.dtype), (48, 24, 3, 1));
        assert_eq!((tensor.shape, tensor.strides), ([2, 3, 4, 0, 0], [12, 4, 1, 0, 0]));
        assert_eq!((tensor.owner_task, tensor.is_contiguous, tensor.address_space), (u64::MAX, 1, 0));
        assert_eq!((args.tensor_count, args.scalar_count), (1, 2));
        assert_eq!(args.scalars[..3], [5, u64::MAX, 0]);
    }

    #[test]
    fn do_arguments_that_do_not_fit_say_how_many_do() {
        let message =
            |tensors: &mut [HostTensor], scalars: &[u64]| task_args(tensors, scalars).unwrap_err().to_string();
        let tensor = |shape: &[u32]| HostTensor::zeros(DType::I8, shape);
        assert_eq!(message(&mut vec![tensor(&[1]); 257], &[]), "there are 257 tensors, 256 are possible");
        assert_eq!(message(&mut [], &[0; 129]), "there are 129 scalars, 128 are possible");
        let shapes = &mut [tensor(&[1]), tensor(&[1; 6])];
        assert_eq!(message(shapes, &[]), "tensor 1 has 6 dimensions, 1 to 5 are possible");
    }
}
