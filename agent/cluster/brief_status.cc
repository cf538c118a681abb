#include "agent/cluster/brief_status.h"

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

void complete(api::Pin& pin, api::TrackerStatus status, Time since) {
  switch (status) {
    case api::TrackerStatus::UnpinQueued:
    case api::TrackerStatus::Unpinning:
    case api::TrackerStatus::UnpinError:
      pin.allocations.present = true;
      if (pin.timestamp.is_zero()) {
        pin.timestamp = since;
      }
      break;
    default:
      break;
  }
}

void take_pin(api::PinInfo& info, api::Pin&& pin) {
  info.cid = std::move(pin.cid);
  info.name = std::move(pin.options.name);
  info.allocations = std::move(pin.allocations);
  info.origins = std::move(pin.options.origins);
  info.created = pin.timestamp;
  info.metadata = std::move(pin.options.metadata);
}

}  // namespace ica::cluster
