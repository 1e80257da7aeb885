//! Simulated HBM: address range, allocator, residency ledger and DMA of npusim.
