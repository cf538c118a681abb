#include "common/web/login_limit.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>

namespace ica::web {
namespace {

constexpr std::chrono::seconds kMinute(60);
constexpr size_t kNetworkBytes = 8;  // of an IPv6 address: what one customer usually gets

}  // namespace

std::string login_address(std::string_view remote) {
  std::string host(remote.substr(0, remote.rfind(':')));
  if (!host.starts_with('[') || !host.ends_with(']')) {
    return host;
  }
  host = host.substr(1, host.size() - 2);
  std::array<unsigned char, 16> bytes{};
  const std::string bare = host.substr(0, host.find('%'));
  if (inet_pton(AF_INET6, bare.c_str(), bytes.data()) != 1) {
    return host;
  }
  if (IN6_IS_ADDR_V4MAPPED(reinterpret_cast<const in6_addr*>(bytes.data()))) {
    return bare.substr(bare.rfind(':') + 1);
  }
  return {reinterpret_cast<const char*>(bytes.data()), kNetworkBytes};
}

LoginLimit::LoginLimit(int failures_per_minute)
    : interval_(failures_per_minute > 0 ? Duration(kMinute) / failures_per_minute : Duration()) {}

std::optional<int> LoginLimit::wait(std::string_view remote, Moment now) {
  if (interval_ == Duration() || remote.empty()) {
    return std::nullopt;
  }
  const std::lock_guard lock(mutex_);
  const auto found = by_address_.find(login_address(remote));
  if (found == by_address_.end()) {
    return std::nullopt;
  }
  const Duration left = found->second->faded + interval_ - kMinute - now;
  if (left <= Duration()) {
    return std::nullopt;
  }
  return static_cast<int>(std::chrono::ceil<std::chrono::seconds>(left).count());
}

void LoginLimit::failed(std::string_view remote, Moment now) {
  if (interval_ == Duration() || remote.empty()) {
    return;
  }
  std::string address = login_address(remote);
  const std::lock_guard lock(mutex_);
  const auto found = by_address_.find(address);
  if (found != by_address_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
    Entry& entry = entries_.front();
    entry.faded = std::max(entry.faded, now) + interval_;
    return;
  }
  if (entries_.size() >= kMaxAddresses) {
    by_address_.erase(entries_.back().address);
    entries_.pop_back();
  }
  entries_.push_front({address, now + interval_});
  by_address_.emplace(std::move(address), entries_.begin());
}

size_t LoginLimit::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace ica::web
