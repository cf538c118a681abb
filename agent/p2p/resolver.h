#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <string>
#include <vector>

#include "common/base/asio.h"
#include "common/base/time.h"

namespace ica::p2p {

enum class AddressFamily { Any, V4, V6 };

// Call it from a coroutine on a strand. Looks a name up (A and AAAA) with the system's resolver,
// which cannot be interrupted: it runs on a thread of its own that nobody waits for, also not at
// the end of the process. At most a few such threads exist; more lookups fail with Busy. Errors:
// Timeout, Cancelled, Unavailable (the name does not exist, or the server does not answer).
Task<Result<std::vector<asio::ip::tcp::endpoint>>> resolve_name(std::string host, uint16_t port,
                                                                AddressFamily family,
                                                                Duration timeout, StopToken stop);

}  // namespace ica::p2p
