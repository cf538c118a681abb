#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/p2p/channel.h"

namespace ica::p2p {

// multistream-select 1.0 (facts wire.md 3.1, vectors multistream.json).

inline constexpr std::string_view kMultistreamHeader = "/multistream/1.0.0";
inline constexpr size_t kMaxProtocolName = 1024;

// One message: uvarint length, text, newline.
Bytes multistream_message(std::string_view text);

// As dialler: proposes `protocols` in turn; the one that was accepted.
Task<Result<std::string>> negotiate_outbound(BufferedChannel& channel,
                                             std::vector<std::string> protocols);

// As dialler that knows what the other side speaks: what to send in front of the first bytes, and
// the answer to it, which is read when something is awaited. Errors: Unsupported, Protocol.
Bytes lazy_proposal(std::string_view protocol);
Task<Status> read_lazy_answer(BufferedChannel& channel, std::string protocol);

// As listener: waits for proposals and accepts the first for which `accept` holds. Gives up after a
// bounded number of proposals.
Task<Result<std::string>> negotiate_inbound(BufferedChannel& channel,
                                            std::function<bool(std::string_view)> accept);

}  // namespace ica::p2p
