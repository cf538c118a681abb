#pragma once

#include <string>
#include <vector>

#include "agent/ipfs/connector.h"
#include "common/api/peer.h"
#include "common/api/pin.h"
#include "common/api/status.h"
#include "common/codec/msgpack.h"

namespace ica::rpc {

// Types that exist on the wire only.
struct Empty {};
struct Version {
  std::string version;
};
struct Filter {
  api::StatusFilter mask = 0;
};
// One block of an upload.
struct NodeWithMeta {
  Bytes data;
  Cid cid;
  uint64_t cumulative_size = 0;
};

// Values as arguments and results of calls (and, for metrics, as messages of the monitor topic).
// Written byte for byte as the reference writes them; read from every form that it reads. What does
// not fit damages the reader: bytes that are no peer ID, CID or multiaddr, numbers out of range.
void write(Bytes& out, const Empty& value);
void write(Bytes& out, const Version& value);
void write(Bytes& out, const Filter& value);
void write(Bytes& out, const NodeWithMeta& value);
void write(Bytes& out, const PeerId& value);
void write(Bytes& out, const Cid& value);
void write(Bytes& out, const std::vector<PeerId>& value);
void write(Bytes& out, const api::IpfsId& value);
void write(Bytes& out, const api::Id& value);
void write(Bytes& out, const api::Pin& value);
void write(Bytes& out, const api::PinInfoShort& value);
void write(Bytes& out, const api::PinInfo& value);
void write(Bytes& out, const api::GlobalPinInfo& value);
void write(Bytes& out, const api::Metric& value);
void write(Bytes& out, const api::Alert& value);
void write(Bytes& out, const api::RepoGc& value);
void write(Bytes& out, const ipfs::RepoStat& value);

void read(MsgpackReader& in, Empty& value);
void read(MsgpackReader& in, Version& value);
void read(MsgpackReader& in, Filter& value);
void read(MsgpackReader& in, NodeWithMeta& value);
void read(MsgpackReader& in, PeerId& value);
void read(MsgpackReader& in, Cid& value);
void read(MsgpackReader& in, std::vector<PeerId>& value);
void read(MsgpackReader& in, api::IpfsId& value);
void read(MsgpackReader& in, api::Id& value);
void read(MsgpackReader& in, api::Pin& value);
void read(MsgpackReader& in, api::PinInfoShort& value);
void read(MsgpackReader& in, api::PinInfo& value);
void read(MsgpackReader& in, api::GlobalPinInfo& value);
void read(MsgpackReader& in, api::Metric& value);
void read(MsgpackReader& in, api::Alert& value);
void read(MsgpackReader& in, api::RepoGc& value);
void read(MsgpackReader& in, ipfs::RepoStat& value);

template <typename T>
Bytes encode(const T& value) {
  Bytes out;
  write(out, value);
  return out;
}

// The whole of `bytes` must be one value. InvalidArgument when it is not.
template <typename T>
Result<T> decode(BytesView bytes) {
  MsgpackReader in(bytes);
  T value{};
  read(in, value);
  if (!in.at_end()) {
    in.mark_damaged();
  }
  TRY_VOID(in.status());
  return value;
}

// Messages of the monitor topic. A message of more than 64 KiB is refused.
Bytes encode_metric(const api::Metric& metric);
Result<api::Metric> decode_metric(BytesView message);

}  // namespace ica::rpc
