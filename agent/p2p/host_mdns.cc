// Discovery on the local network, IPv4.
#include <algorithm>
#include <boost/asio/ip/multicast.hpp>
#include <boost/asio/ip/udp.hpp>
#include <ifaddrs.h>
#include <net/if.h>

#include "agent/p2p/host_core.h"
#include "agent/p2p/listen_addresses.h"
#include "agent/p2p/mdns_message.h"
#include "common/base/log.h"
#include "common/crypto/random.h"

namespace ica::p2p {

namespace {

using asio::ip::udp;

constexpr uint16_t kPort = 5353;
constexpr auto kAnswerPause = std::chrono::milliseconds(500);

asio::ip::address_v4 group() {
  return asio::ip::address_v4(0xe00000fbU);  // 224.0.0.251
}

// IPv4 addresses of the interfaces that are up and know multicast.
std::vector<asio::ip::address_v4> multicast_interfaces() {
  std::vector<asio::ip::address_v4> out;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) {
    return out;
  }
  for (const ifaddrs* i = list; i != nullptr; i = i->ifa_next) {
    const unsigned wanted = IFF_UP | IFF_MULTICAST;
    if (i->ifa_addr == nullptr || i->ifa_addr->sa_family != AF_INET ||
        (i->ifa_flags & wanted) != wanted) {
      continue;
    }
    const auto* address = reinterpret_cast<const sockaddr_in*>(i->ifa_addr);
    out.emplace_back(ntohl(address->sin_addr.s_addr));
  }
  ::freeifaddrs(list);
  return out;
}

struct Discovery {
  explicit Discovery(const Executor& home) : socket(home) {}
  udp::socket socket;
  std::vector<asio::ip::address_v4> interfaces;
  std::vector<asio::ip::address_v4> joined;
  std::string instance;
  SteadyTime answered;
};

Status open(Discovery& d) {
  boost::system::error_code ec;
  d.socket.open(udp::v4(), ec);
  if (!ec) {
    d.socket.set_option(udp::socket::reuse_address(true), ec);
  }
#ifdef SO_REUSEPORT
  using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;
  if (!ec) {
    d.socket.set_option(ReusePort(true), ec);
  }
#endif
  if (!ec) {
    d.socket.bind(udp::endpoint(asio::ip::address_v4::any(), kPort), ec);
  }
  if (!ec) {
    d.socket.set_option(asio::ip::multicast::hops(255), ec);
  }
  if (ec) {
    return fail(Code::Io, "{}", ec.message());
  }
  return {};
}

// Interfaces come and go; called before each question.
void join_interfaces(Discovery& d) {
  d.interfaces = multicast_interfaces();
  for (const auto& address : d.interfaces) {
    if (std::find(d.joined.begin(), d.joined.end(), address) == d.joined.end()) {
      boost::system::error_code ec;
      d.socket.set_option(asio::ip::multicast::join_group(group(), address), ec);
      d.joined.push_back(address);
    }
  }
}

void send(Discovery& d, const Bytes& packet) {
  for (const auto& address : d.interfaces) {
    boost::system::error_code ec;
    d.socket.set_option(asio::ip::multicast::outbound_interface(address), ec);
    if (!ec) {
      d.socket.send_to(asio::buffer(packet), udp::endpoint(group(), kPort), 0, ec);
    }
  }
}

void answer(const CorePtr& core, Discovery& d) {
  if (core->now() - d.answered < kAnswerPause) {
    return;  // one answer reaches all who ask
  }
  d.answered = core->now();
  std::vector<Multiaddr> addresses;
  for (const Multiaddr& address : core->announced_addresses()) {
    if (!is_loopback(address)) {
      if (auto full = Multiaddr::parse(address.text() + "/p2p/" + core->self.text())) {
        addresses.push_back(*std::move(full));
      }
    }
  }
  const std::vector<asio::ip::address> hosts(d.interfaces.begin(), d.interfaces.end());
  send(d, mdns_answer(d.instance, addresses, hosts));
}

Task<void> listen_for(CorePtr core, std::shared_ptr<Discovery> d) {
  Bytes buffer(kMaxMdnsPacket, '\0');
  while (!core->stopping()) {
    udp::endpoint from;
    boost::system::error_code ec;
    const size_t size = co_await d->socket.async_receive_from(
        asio::buffer(buffer), from, asio::redirect_error(asio::use_awaitable, ec));
    if (ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor) {
      break;
    }
    if (ec) {
      continue;
    }
    auto packet = decode_mdns(BytesView(buffer).substr(0, size));
    if (!packet) {
      continue;
    }
    if (packet->asks) {
      answer(core, *d);
    }
    bool fresh = false;
    for (const Multiaddr& address : packet->addresses) {
      fresh = core->book.add(*address.peer_id(), {address}, AddressSource::Learned, core->now()) ||
              fresh;
    }
    if (fresh) {
      core->keeper_wakes.notify_all();
    }
  }
}

}  // namespace

Task<void> HostCore::discover(CorePtr core) {
  const StopToken token = core->stopped();
  auto d = std::make_shared<Discovery>(core->home);
  if (auto opened = open(*d); !opened) {
    log_warn("p2p", "no discovery on the local network: {}", opened.error().message());
    co_return;
  }
  for (const char c : random_bytes(32)) {
    d->instance.push_back(static_cast<char>('a' + static_cast<uint8_t>(c) % 26));
  }
  core->launch(core->home, listen_for(core, d), "listening for discovery");
  join_interfaces(*d);
  answer(core, *d);
  while (!token.stop_requested()) {
    join_interfaces(*d);
    send(*d, mdns_question());
    const Status slept = co_await sleep_for(core->options.mdns_interval, token);
    if (!slept) {
      break;
    }
  }
  boost::system::error_code ignored;
  d->socket.close(ignored);
}

}  // namespace ica::p2p
