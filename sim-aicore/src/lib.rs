//! AICores: clusters, kernel registry and cost model of npusim.

pub mod cost;
