#include "agent/crdt/epoch.h"

#include "common/codec/pbwire.h"

namespace ica::crdt {

namespace {

constexpr size_t kDigestBytes = 32;

}  // namespace

Bytes encode_epoch(const Epoch& epoch) {
  Bytes out;
  PbWriter(out)
      .varint(1, epoch.number)
      .bytes_or_skip(2, epoch.base)
      .varint_or_skip(3, epoch.digest)
      .varint_or_skip(4, epoch.began)
      .varint_or_skip(5, epoch.height);
  return out;
}

Bytes announced_history(const Epoch& epoch) {
  return epoch.number == 0 ? Bytes() : encode_epoch(epoch);
}

Result<Epoch> decode_epoch(BytesView record) {
  Epoch epoch;
  PbReader in(record);
  while (in.next()) {
    switch (in.field()) {
      case 1:
        epoch.number = in.varint();
        break;
      case 2:
        epoch.base = in.bytes();
        break;
      case 3:
        epoch.digest = in.varint();
        break;
      case 4:
        epoch.began = in.varint();
        break;
      case 5:
        epoch.height = in.varint();
        break;
    }
  }
  TRY_VOID(in.status());
  if (!epoch.base.empty() && epoch.base.size() != kDigestBytes) {
    return fail(Code::InvalidArgument, "a history begins with a digest of {} bytes",
                epoch.base.size());
  }
  return epoch;
}

Result<Epoch> load_epoch(const store::Store& store) {
  TRY(const auto record, store.get(store::Family::Meta, kEpochKey));
  if (!record) {
    return Epoch();
  }
  auto epoch = decode_epoch(*record);
  if (!epoch) {
    return fail(Code::Corrupt, "the record of the pinset's history is damaged");
  }
  return epoch;
}

}  // namespace ica::crdt
