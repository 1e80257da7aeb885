// What the shim's driver front needs of the rest of it.
#pragma once

#include "npusim/driver_hooks.h"

// From now on the driver's functions hand over to `table`.
void npusim_driver_bind(const NpusimDriverHooks *table);
