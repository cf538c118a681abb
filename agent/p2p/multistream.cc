#include "agent/p2p/multistream.h"

#include "common/codec/varint.h"

namespace ica::p2p {

namespace {

constexpr int kMaxProposals = 64;
constexpr std::string_view kRefusal = "na";

Task<Result<std::string>> read_message(BufferedChannel& channel) {
  auto length = co_await channel.read_varint(kMaxProtocolName);
  if (!length) {
    co_return fail(std::move(length).error());
  }
  if (*length == 0) {
    co_return fail(Code::Protocol, "multistream: empty message");
  }
  auto text = co_await channel.read_exactly(*length);
  if (!text) {
    co_return fail(std::move(text).error());
  }
  if (text->back() != '\n') {
    co_return fail(Code::Protocol, "multistream: message without newline");
  }
  text->pop_back();
  co_return *std::move(text);
}

}  // namespace

Bytes multistream_message(std::string_view text) {
  Bytes out;
  append_varint(out, text.size() + 1);
  out.append(text);
  out.push_back('\n');
  return out;
}

Task<Result<std::string>> negotiate_outbound(BufferedChannel& channel,
                                             std::vector<std::string> protocols) {
  bool header_read = false;
  bool first = true;
  for (const std::string& protocol : protocols) {
    Bytes out;
    if (first) {
      out = multistream_message(kMultistreamHeader);
      first = false;
    }
    out += multistream_message(protocol);
    auto written = co_await channel.write(std::move(out));
    if (!written) {
      co_return fail(std::move(written).error());
    }
    auto answer = co_await read_message(channel);
    if (answer && !header_read) {
      if (*answer != kMultistreamHeader) {
        co_return fail(Code::Protocol, "multistream: the other side did not say {}",
                       kMultistreamHeader);
      }
      header_read = true;
      answer = co_await read_message(channel);
    }
    if (!answer) {
      co_return fail(std::move(answer).error());
    }
    if (*answer == protocol) {
      co_return protocol;
    }
    if (*answer != kRefusal) {
      co_return fail(Code::Protocol, "multistream: unexpected answer");
    }
  }
  co_return fail(Code::Unsupported, "protocols not supported: [{}]", fmt::join(protocols, " "));
}

Bytes lazy_proposal(std::string_view protocol) {
  return multistream_message(kMultistreamHeader) + multistream_message(protocol);
}

Task<Status> read_lazy_answer(BufferedChannel& channel, std::string protocol) {
  auto header = co_await read_message(channel);
  if (!header) {
    co_return fail(std::move(header).error());
  }
  if (*header != kMultistreamHeader) {
    co_return fail(Code::Protocol, "multistream: the other side did not say {}",
                   kMultistreamHeader);
  }
  auto answer = co_await read_message(channel);
  if (!answer) {
    co_return fail(std::move(answer).error());
  }
  if (*answer == kRefusal) {
    co_return fail(Code::Unsupported, "protocols not supported: [{}]", protocol);
  }
  if (*answer != protocol) {
    co_return fail(Code::Protocol, "multistream: unexpected answer");
  }
  co_return Status();
}

Task<Result<std::string>> negotiate_inbound(BufferedChannel& channel,
                                            std::function<bool(std::string_view)> accept) {
  auto header = co_await read_message(channel);
  if (!header) {
    co_return fail(std::move(header).error());
  }
  if (*header != kMultistreamHeader) {
    co_return fail(Code::Protocol, "multistream: the other side did not say {}",
                   kMultistreamHeader);
  }
  Bytes out = multistream_message(kMultistreamHeader);
  for (int i = 0; i < kMaxProposals; ++i) {
    auto proposal = co_await read_message(channel);
    if (!proposal) {
      co_return fail(std::move(proposal).error());
    }
    const bool ok = accept(*proposal);
    out += multistream_message(ok ? std::string_view(*proposal) : kRefusal);
    auto written = co_await channel.write(std::exchange(out, Bytes()));
    if (!written) {
      co_return fail(std::move(written).error());
    }
    if (ok) {
      co_return *std::move(proposal);
    }
  }
  co_return fail(Code::Protocol, "multistream: too many proposals");
}

}  // namespace ica::p2p
