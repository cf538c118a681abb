#include "agent/cmd/ports.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>

#include "common/base/asio.h"

namespace ica::cmd {
namespace {

using asio::ip::make_address;

// Sockets stay open until all ports are chosen, so that no port is given twice.
struct Held {
  asio::io_context context;
  std::vector<asio::ip::tcp::acceptor> tcp;
  std::vector<asio::ip::udp::socket> udp;
};

Result<uint16_t> free_port(Held& held, bool tcp, const std::string& host) {
  boost::system::error_code error;
  const auto address = make_address(host, error);
  if (error) {
    return fail(Code::Unavailable, "{} is not an IP address", host);
  }
  if (tcp) {
    const asio::ip::tcp::endpoint endpoint(address, 0);
    asio::ip::tcp::acceptor acceptor(held.context);
    acceptor.open(endpoint.protocol(), error);
    if (!error) {
      acceptor.bind(endpoint, error);
    }
    const auto bound = error ? endpoint : acceptor.local_endpoint(error);
    if (error) {
      return fail(Code::Unavailable, "listen tcp {}: {}", host, error.message());
    }
    held.tcp.push_back(std::move(acceptor));
    return bound.port();
  }
  const asio::ip::udp::endpoint endpoint(address, 0);
  asio::ip::udp::socket socket(held.context);
  socket.open(endpoint.protocol(), error);
  if (!error) {
    socket.bind(endpoint, error);
  }
  const auto bound = error ? endpoint : socket.local_endpoint(error);
  if (error) {
    return fail(Code::Unavailable, "listen udp {}: {}", host, error.message());
  }
  held.udp.push_back(std::move(socket));
  return bound.port();
}

}  // namespace

Result<config::Addresses> randomize_ports(const config::Addresses& addresses) {
  Held held;
  config::Addresses changed;
  for (const auto& address : addresses) {
    std::string text;
    std::string before;
    for (const auto& component : address.components()) {
      std::string value = component.value;
      if (component.name == "tcp" || component.name == "udp") {
        TRY(const uint16_t port, free_port(held, component.name == "tcp", before));
        value = std::to_string(port);
      }
      text += "/" + component.name + (value.empty() ? "" : "/" + value);
      before = component.value;
    }
    TRY(auto parsed, Multiaddr::parse(text));
    changed.push_back(std::move(parsed));
  }
  return changed;
}

}  // namespace ica::cmd
