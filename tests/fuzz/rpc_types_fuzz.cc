#include "agent/rpc/briefs.h"
#include "agent/rpc/frames.h"
#include "agent/rpc/types.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;

namespace {

// What can be read can be written, and reads as the same again.
template <typename T>
void check(BytesView input) {
  const auto value = rpc::decode<T>(input);
  if (!value) {
    return;
  }
  const Bytes written = rpc::encode(*value);
  const auto again = rpc::decode<T>(written);
  ICA_ASSERT(again.has_value());
  ICA_ASSERT(rpc::encode(*again) == written);
}

// Each item can be shown, or is refused.
void check_briefs(BytesView input) {
  const auto items = rpc::read_briefs(input);
  if (!items) {
    return;
  }
  ICA_ASSERT(!items->empty());
  const cluster::BriefBatch batch{std::make_shared<const api::PinInfoShort>(), {}, *items};
  for (const cluster::BriefStatus& item : batch.items) {
    const auto info = cluster::full_info(batch, item);
    ICA_ASSERT(!info || info->cid.bytes() == item.cid);
  }
}

}  // namespace

ICA_FUZZ(BytesView input) {
  if (input.empty()) {
    return;
  }
  const auto type = static_cast<uint8_t>(input[0]);
  input.remove_prefix(1);
  switch (type % 17) {
    case 0:
      return check<rpc::Empty>(input);
    case 1:
      return check<rpc::Filter>(input);
    case 2:
      return check<rpc::NodeWithMeta>(input);
    case 3:
      return check<PeerId>(input);
    case 4:
      return check<Cid>(input);
    case 5:
      return check<std::vector<PeerId>>(input);
    case 6:
      return check<api::Id>(input);
    case 7:
      return check<api::Pin>(input);
    case 8:
      return check<api::PinInfo>(input);
    case 9:
      return check<api::GlobalPinInfo>(input);
    case 10:
      return check<api::Metric>(input);
    case 11:
      return check<api::Alert>(input);
    case 12:
      return check<api::RepoGc>(input);
    case 13:
      return check<ipfs::RepoStat>(input);
    case 14:
      return check<rpc::ServiceId>(input);
    case 15:
      return check<rpc::ResponseHeader>(input);
    default:
      return check_briefs(input);
  }
}
