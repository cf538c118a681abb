#include "agent/rpc/briefs.h"

#include <limits>

namespace ica::rpc {

void write(Bytes& out, const Briefs& value) {
  MsgpackWriter(out).raw(value.data);
}

void add(Briefs& briefs, tracker::TrackedPin&& tracked) {
  MsgpackWriter out(briefs.data);
  const Cid cid = std::move(tracked.pin.cid);
  tracked.pin.cid = Cid();
  out.raw(cid.bytes());
  // What comes out of the pinset has its origins, be they none.
  out.raw(tracked.pin.options.origins.present ? api::encode_pin(tracked.pin) : Bytes());
  out.unsigned_integer(static_cast<uint64_t>(tracked.local.status));
  out.time(tracked.local.timestamp);
  out.raw(tracked.local.error);
  out.integer(tracked.local.attempt_count);
  out.boolean(tracked.local.priority);
}

Result<BytesView> briefs_data(BytesView value) {
  MsgpackReader in(value);
  const BytesView data = in.raw();
  if (!in.at_end()) {
    in.mark_damaged();
  }
  TRY_VOID(in.status());
  return data;
}

Result<std::vector<cluster::BriefStatus>> read_briefs(BytesView data) {
  std::vector<cluster::BriefStatus> out;
  MsgpackReader in(data);
  do {
    cluster::BriefStatus item;
    item.cid = in.raw();
    item.pin = in.raw();
    const uint64_t status = in.unsigned_integer();
    item.timestamp = in.time();
    item.error = in.raw();
    const int64_t attempts = in.integer();
    item.priority_pin = in.boolean();
    if (item.cid.empty() || status > std::numeric_limits<uint32_t>::max() || attempts < 0 ||
        attempts > std::numeric_limits<int>::max()) {
      in.mark_damaged();
    }
    TRY_VOID(in.status());
    item.status = static_cast<api::TrackerStatus>(status);
    item.attempt_count = static_cast<int>(attempts);
    out.push_back(item);
  } while (!in.at_end());
  return out;
}

}  // namespace ica::rpc
