#pragma once

// Statuses in brief, which only peers like us send each other (kOwnProtocol).
#include "agent/cluster/brief_status.h"
#include "agent/tracker/tracker.h"
#include "common/codec/msgpack.h"

namespace ica::rpc {

// Some statuses as one value, whose end is found without looking into it. It is sent when it has
// kBriefsBytes, so it is longer than that by one pin at most; a page of ordinary pins is shorter.
struct Briefs {
  Bytes data;
};
inline constexpr size_t kBriefsBytes = 64 << 10;
void write(Bytes& out, const Briefs& value);

void add(Briefs& briefs, tracker::TrackedPin&& tracked);

// The items of one value; they point into it. Errors: InvalidArgument for what is not of that form
// and for none at all. Memory: a small multiple of the value.
Result<std::vector<cluster::BriefStatus>> read_briefs(BytesView data);
// What Briefs holds, of the bytes of a value.
Result<BytesView> briefs_data(BytesView value);

}  // namespace ica::rpc
