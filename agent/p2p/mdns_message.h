#pragma once

#include <boost/asio/ip/address.hpp>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/codec/multiaddr.h"

namespace ica::p2p {

// DNS packets of libp2p's discovery on the local network, with the service tag of the reference: a
// question for the service's PTR record, and answers whose TXT record holds `dnsaddr=<multiaddr>`.
inline constexpr std::string_view kMdnsService = "_ipfs-cluster-discovery._udp.local";
inline constexpr size_t kMaxMdnsPacket = 9000;
inline constexpr size_t kMaxMdnsAddresses = 64;

struct MdnsPacket {
  bool asks = false;                 // for our service
  std::vector<Multiaddr> addresses;  // from its answers, each with /p2p/
};

Bytes mdns_question();

// `instance` is a label of at most 63 bytes, without dots; `addresses` have /p2p/; those over 247
// bytes of text are left out. `hosts` are the machine's own addresses.
Bytes mdns_answer(const std::string& instance, const std::vector<Multiaddr>& addresses,
                  const std::vector<boost::asio::ip::address>& hosts);

// What concerns our service; everything else is skipped. Errors: Protocol.
Result<MdnsPacket> decode_mdns(BytesView packet);

}  // namespace ica::p2p
