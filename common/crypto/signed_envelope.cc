#include "common/crypto/signed_envelope.h"

#include "common/codec/pbwire.h"
#include "common/codec/varint.h"

namespace ica {

namespace {

constexpr uint32_t kPublicKey = 1;
constexpr uint32_t kPayloadType = 2;
constexpr uint32_t kPayload = 3;
constexpr uint32_t kSignature = 5;

constexpr uint32_t kPeer = 1;
constexpr uint32_t kSequence = 2;
constexpr uint32_t kAddresses = 3;
constexpr uint32_t kMultiaddr = 1;

constexpr std::string_view kRecordDomain = "libp2p-peer-record";
constexpr std::string_view kRecordType = "\x03\x01";

Bytes signed_text(std::string_view domain, BytesView type, BytesView payload) {
  Bytes out;
  out.reserve(domain.size() + type.size() + payload.size() + 3 * kMaxVarintBytes);
  for (const BytesView part : {domain, type, payload}) {
    append_varint(out, part.size());
    out.append(part);
  }
  return out;
}

}  // namespace

Bytes seal_envelope(const PrivateKey& key, std::string_view domain, BytesView payload_type,
                    BytesView payload) {
  Bytes out;
  PbWriter(out)
      .bytes(kPublicKey, key.public_key().protobuf())
      .bytes(kPayloadType, payload_type)
      .bytes(kPayload, payload)
      .bytes(kSignature, key.sign(signed_text(domain, payload_type, payload)));
  return out;
}

Result<SignedEnvelope> open_envelope(BytesView envelope, std::string_view domain) {
  BytesView key_message;
  BytesView type;
  BytesView payload;
  BytesView signature;
  PbReader in(envelope);
  while (in.next()) {
    switch (in.field()) {
      case kPublicKey:
        key_message = in.bytes();
        break;
      case kPayloadType:
        type = in.bytes();
        break;
      case kPayload:
        payload = in.bytes();
        break;
      case kSignature:
        signature = in.bytes();
        break;
      default:
        break;
    }
  }
  TRY_VOID(in.status());
  TRY(PublicKey key, PublicKey::from_protobuf(key_message));
  if (!key.verify(signed_text(domain, type, payload), signature)) {
    return fail(Code::PermissionDenied, "invalid signature or incorrect domain");
  }
  return SignedEnvelope{std::move(key), Bytes(type), Bytes(payload)};
}

Bytes seal_peer_record(const PrivateKey& key, const PeerRecord& record) {
  Bytes payload;
  PbWriter w(payload);
  w.bytes(kPeer, record.peer.bytes()).varint_or_skip(kSequence, record.sequence);
  for (const Multiaddr& address : record.addresses) {
    w.message(kAddresses, [&](PbWriter& info) { info.bytes(kMultiaddr, address.bytes()); });
  }
  return seal_envelope(key, kRecordDomain, kRecordType, payload);
}

Result<PeerRecord> open_peer_record(BytesView envelope) {
  TRY(const SignedEnvelope opened, open_envelope(envelope, kRecordDomain));
  if (opened.payload_type != kRecordType) {
    return fail(Code::InvalidArgument, "not a peer record");
  }
  PeerRecord record;
  PbReader in(opened.payload);
  while (in.next()) {
    switch (in.field()) {
      case kPeer: {
        TRY(record.peer, PeerId::from_bytes(in.bytes()));
        break;
      }
      case kSequence:
        record.sequence = in.varint();
        break;
      case kAddresses: {
        PbReader info(in.bytes());
        while (info.next()) {
          if (info.field() != kMultiaddr || record.addresses.size() == kMaxRecordAddresses) {
            continue;
          }
          if (auto address = Multiaddr::from_bytes(info.bytes()); address.has_value()) {
            record.addresses.push_back(std::move(*address));
          }
        }
        TRY_VOID(info.status());
        break;
      }
      default:
        break;
    }
  }
  TRY_VOID(in.status());
  if (record.peer != opened.key.peer_id()) {
    return fail(Code::PermissionDenied, "signing key does not match record peer ID");
  }
  return record;
}

}  // namespace ica
