#pragma once

#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/codec/multiaddr.h"
#include "common/codec/peer_id.h"
#include "common/crypto/key.h"

namespace ica {

// libp2p's signed envelope: a payload of some type, signed for one purpose (`domain`).
struct SignedEnvelope {
  PublicKey key;
  Bytes payload_type;
  Bytes payload;
};
Bytes seal_envelope(const PrivateKey& key, std::string_view domain, BytesView payload_type,
                    BytesView payload);
// Checks the signature. InvalidArgument when the bytes are no envelope, PermissionDenied when the
// signature is wrong.
Result<SignedEnvelope> open_envelope(BytesView envelope, std::string_view domain);

// The addresses of a peer, vouched for by it; `sequence` grows with each new record.
struct PeerRecord {
  PeerId peer;
  uint64_t sequence = 0;
  std::vector<Multiaddr> addresses;
};
Bytes seal_peer_record(const PrivateKey& key, const PeerRecord& record);
// The record, checked to be about the peer that signed it. Addresses that cannot be read are left
// out; at most kMaxRecordAddresses are kept.
inline constexpr size_t kMaxRecordAddresses = 256;
Result<PeerRecord> open_peer_record(BytesView envelope);

}  // namespace ica
