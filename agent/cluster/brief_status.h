#pragma once

#include <memory>
#include <vector>

#include "common/api/status.h"

namespace ica::cluster {

// What a peer like us says of one pin in an answer about very many. Whoever merges such answers
// has the pin itself from its own pinset, so it comes as it is stored and is read only when no
// other peer told it. Views into the batch.
struct BriefStatus {
  BytesView cid;  // not yet known to be one
  BytesView pin;  // api::encode_pin, the CID left out; empty when the pinset has it no more
  api::TrackerStatus status = api::TrackerStatus::Undefined;
  Time timestamp;
  BytesView error;
  int attempt_count = 0;
  bool priority_pin = false;
};

struct BriefBatch {
  // Name and Kubo of the peer: the same for all of its answer.
  std::shared_ptr<const api::PinInfoShort> peer;
  std::shared_ptr<const Bytes> data;  // what the items point into
  std::vector<BriefStatus> items;     // not empty, in order of CID bytes
};

// What is shown of the peer for one item.
api::PinInfoShort short_info(const BriefBatch& batch, const BriefStatus& item);

// The item with its pin. Errors: InvalidArgument (no CID), those of api::decode_pin.
Result<api::PinInfo> full_info(const BriefBatch& batch, const BriefStatus& item);

}  // namespace ica::cluster
