//! The AICPU side of a device: the pool of threads, the register file they reach the AICores through, and what their
//! work costs.

pub mod mmio;
pub mod operation;
pub mod pool;
pub mod register_file;
pub mod split_store;
