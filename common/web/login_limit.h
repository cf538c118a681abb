#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/base/time.h"

namespace ica::web {

// How many wrong credentials an address may show: so many at once, and as many again in a minute.
// An address beyond that is not heard at all, so that a right guess cannot be told from a wrong
// one; other addresses notice nothing. An IPv6 network of 64 bits counts as one address.
// Memory: at most kMaxAddresses entries; when they are used up the one that failed longest ago is
// forgotten. Thread-safety: all methods from any thread.
class LoginLimit {
 public:
  using Moment = std::chrono::steady_clock::time_point;
  static constexpr size_t kMaxAddresses = 4096;

  // 0: no limit.
  explicit LoginLimit(int failures_per_minute);

  // How long this address must wait, in whole seconds from 1; nothing when it may try.
  // `remote` is http::Request::remote; an empty one (unix socket) is never limited.
  std::optional<int> wait(std::string_view remote, Moment now);
  void failed(std::string_view remote, Moment now);
  size_t size() const;

 private:
  struct Entry {
    std::string address;
    Moment faded;  // when none of its failures counts any more
  };
  using Entries = std::list<Entry>;

  const Duration interval_;  // in which one failure fades; 0: no limit
  mutable std::mutex mutex_;
  Entries entries_;  // the latest failure first
  std::unordered_map<std::string, Entries::iterator> by_address_;
};

// What failures of `remote` ("192.0.2.1:4711", "[2001:db8::1]:4711") are counted under.
std::string login_address(std::string_view remote);

}  // namespace ica::web
