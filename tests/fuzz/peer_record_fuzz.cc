#include "common/crypto/signed_envelope.h"
#include "tests/fuzz/fuzz.h"

using namespace ica;

// Once as an envelope, once as the payload of a good one.
ICA_FUZZ(BytesView input) {
  static const PrivateKey key = PrivateKey::from_seed(std::string(32, 's'));
  (void)open_peer_record(input);
  const Bytes sealed = seal_envelope(key, "libp2p-peer-record", "\x03\x01", input);
  ICA_ASSERT(open_envelope(sealed, "libp2p-peer-record").value().payload == input);
  if (const auto record = open_peer_record(sealed); record.has_value()) {
    ICA_ASSERT(record->peer == key.peer_id());
    ICA_ASSERT(record->addresses.size() <= kMaxRecordAddresses);
    const auto again = open_peer_record(seal_peer_record(key, *record)).value();
    ICA_ASSERT(again.sequence == record->sequence && again.addresses == record->addresses);
  }
}
