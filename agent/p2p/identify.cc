#include "agent/p2p/identify.h"

#include "common/codec/pbwire.h"
#include "common/crypto/signed_envelope.h"

namespace ica::p2p {

namespace {

enum Field : uint32_t {
  kPublicKey = 1,
  kListenAddress = 2,
  kProtocol = 3,
  kObserved = 4,
  kProtocolVersion = 5,
  kAgentVersion = 6,
  kSignedRecord = 8,
};

void take_address(BytesView bytes, std::vector<Multiaddr>& out) {
  if (out.size() >= kMaxIdentifyAddresses) {
    return;
  }
  if (auto address = Multiaddr::from_bytes(bytes); address && !address->empty()) {
    out.push_back(*std::move(address));
  }
}

}  // namespace

Bytes encode_identify(const IdentifyMessage& message) {
  Bytes out;
  PbWriter writer(out);
  if (message.key) {
    writer.bytes(kPublicKey, message.key->protobuf());
  }
  for (const Multiaddr& address : message.listen_addresses) {
    writer.bytes(kListenAddress, address.bytes());
  }
  for (const std::string& protocol : message.protocols) {
    writer.bytes(kProtocol, protocol);
  }
  writer.bytes_or_skip(kObserved, message.observed.bytes());
  writer.bytes_or_skip(kProtocolVersion, message.protocol_version);
  writer.bytes_or_skip(kAgentVersion, message.agent_version);
  writer.bytes_or_skip(kSignedRecord, message.signed_record);
  return out;
}

Status merge_identify(BytesView bytes, IdentifyMessage& message) {
  PbReader in(bytes);
  while (in.next()) {
    switch (in.field()) {
      case kPublicKey:
        if (auto key = PublicKey::from_protobuf(in.bytes())) {
          message.key = *std::move(key);
        }
        break;
      case kListenAddress:
        take_address(in.bytes(), message.listen_addresses);
        break;
      case kProtocol: {
        const BytesView name = in.bytes();
        if (message.protocols.size() < kMaxIdentifyProtocols && name.size() <= kMaxIdentifyText) {
          message.protocols.emplace_back(name);
        }
        break;
      }
      case kObserved:
        if (auto address = Multiaddr::from_bytes(in.bytes())) {
          message.observed = *std::move(address);
        }
        break;
      case kProtocolVersion:
        message.protocol_version = in.bytes().substr(0, kMaxIdentifyText);
        break;
      case kAgentVersion:
        message.agent_version = in.bytes().substr(0, kMaxIdentifyText);
        break;
      case kSignedRecord:
        message.signed_record = in.bytes();
        break;
    }
  }
  return in.status();
}

std::vector<Multiaddr> identified_addresses(const IdentifyMessage& message, const PeerId& peer) {
  if (message.signed_record.empty()) {
    return message.listen_addresses;
  }
  auto record = open_peer_record(message.signed_record);
  if (!record) {
    return message.listen_addresses;
  }
  if (record->peer != peer) {
    return {};
  }
  if (record->addresses.size() > kMaxIdentifyAddresses) {
    record->addresses.resize(kMaxIdentifyAddresses);
  }
  return std::move(record->addresses);
}

Task<Result<IdentifyMessage>> read_identify(BufferedChannel& channel) {
  IdentifyMessage message;
  for (int i = 0; i < kMaxIdentifyMessages; ++i) {
    auto more = co_await channel.at_end();
    if (!more) {
      co_return fail(std::move(more).error());
    }
    if (*more) {
      if (i == 0) {
        co_return fail(Code::Protocol, "identify: nothing was said");
      }
      co_return message;
    }
    auto length = co_await channel.read_varint(kMaxIdentifyMessage);
    if (!length) {
      co_return fail(std::move(length).error());
    }
    auto bytes = co_await channel.read_exactly(*length);
    if (!bytes) {
      co_return fail(std::move(bytes).error());
    }
    auto merged = merge_identify(*bytes, message);
    if (!merged) {
      co_return fail(std::move(merged).error());
    }
  }
  co_return message;
}

}  // namespace ica::p2p
