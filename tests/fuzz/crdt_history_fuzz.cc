#include "agent/crdt/history.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;

ICA_FUZZ(BytesView input) {
  const auto request = crdt::decode_history_request(input);
  if (!request.has_value()) {
    return;
  }
  ICA_ASSERT(request->want.size() <= crdt::HistoryRequest::kMaxDigests);
  ICA_ASSERT(request->have.size() <= crdt::HistoryRequest::kMaxDigests);
  const Bytes encoded = crdt::encode_history_request(*request);
  ICA_ASSERT(crdt::encode_history_request(crdt::decode_history_request(encoded).value()) ==
             encoded);
}
