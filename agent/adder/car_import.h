#pragma once

#include "agent/adder/adder.h"
#include "agent/adder/destination.h"

namespace ica::adder {

// Stores the blocks of one CAR file with a single root and writes one line for it. Every block's
// hash is checked. Errors have the reference's words ("cannot wrap a CAR file upload", "only CAR
// files with a single root are supported", "unexpected EOF", ...).
Task<Result<Cid>> import_car(AddOptions options, PartSource& parts, OutputSink& output,
                             Destination& destination, Executor cpu, StopToken stop);

}  // namespace ica::adder
