//! AICPU pool, MMIO register file and orchestration objects of npusim.
