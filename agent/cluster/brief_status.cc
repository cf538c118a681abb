#include "agent/cluster/brief_status.h"

#include "agent/cluster/core.h"

namespace ica::cluster {

api::PinInfoShort short_info(const BriefBatch& batch, const BriefStatus& item) {
  api::PinInfoShort info = *batch.peer;
  info.status = item.status;
  info.timestamp = item.timestamp;
  info.error = item.error;
  info.attempt_count = item.attempt_count;
  info.priority_pin = item.priority_pin;
  return info;
}

Result<api::PinInfo> full_info(const BriefBatch& batch, const BriefStatus& item) {
  api::Pin pin;
  TRY(pin.cid, Cid::from_bytes(item.cid));
  if (!item.pin.empty()) {
    TRY(pin, api::decode_pin(pin.cid, item.pin));
  }
  complete(pin, item.status, item.timestamp);
  api::PinInfo info;
  take_pin(info, std::move(pin));
  info.info = short_info(batch, item);
  return info;
}

}  // namespace ica::cluster
