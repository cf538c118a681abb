#include "agent/cmd/pinset_protocol.h"

#include <set>

#include "agent/crdt/delta.h"
#include "agent/p2p/frames.h"
#include "common/base/async.h"
#include "common/codec/pbwire.h"

namespace ica::cmd {
namespace {

constexpr Duration kOpenLimit = std::chrono::seconds(10);
constexpr auto kIdleLimit = std::chrono::seconds(15);
constexpr Duration kAskPeriod = std::chrono::seconds(15);
constexpr size_t kMaxRequest = 64 << 10;
constexpr size_t kMaxState = 1 << 10;
// Histories that are sent at the same time; each costs disk reads for as long as it lasts.
constexpr int kMaxServing = 4;
constexpr size_t kPiece = 128 << 10;
constexpr uint32_t kHistoryField = 8;

std::chrono::steady_clock::time_point soon() {
  return std::chrono::steady_clock::now() + kIdleLimit;
}

// Ends an answer. A stream that goes before the asker has closed its half is reset, and what was
// sent with it may be lost.
Task<void> finish(p2p::StreamPtr stream) {
  const Status closed = co_await stream->close_write();
  if (closed) {
    const auto end = co_await stream->read_some(1);
    (void)end;
  }
}

// The next frames of the walk; empty at its end.
Result<Bytes> next_piece(crdt::HistoryWalk& walk) {
  Bytes out;
  while (out.size() < kPiece) {
    TRY(const auto block, walk.next());
    if (!block) {
      break;
    }
    out += p2p::frame(*block);
  }
  return out;
}

}  // namespace

Bytes encode_pinset_info(const crdt::PinsetInfo& info) {
  Bytes out;
  PbWriter writer(out);
  writer.varint(1, info.digest)
      .varint_or_skip(2, info.pins)
      .varint_or_skip(3, info.blocks)
      .varint_or_skip(4, info.heads)
      .varint_or_skip(5, info.height)
      .varint_or_skip(6, info.work)
      .varint_or_skip(7, info.synced_to);
  return out;
}

Result<crdt::PinsetInfo> decode_pinset_info(BytesView message) {
  crdt::PinsetInfo info;
  uint64_t* const fields[] = {&info.digest, &info.pins, &info.blocks,   &info.heads,
                              &info.height, &info.work, &info.synced_to};
  PbReader in(message);
  while (in.next()) {
    if (in.field() <= std::size(fields)) {
      *fields[in.field() - 1] = in.varint();
    }
  }
  TRY_VOID(in.status());
  return info;
}

Bytes encode_pinset_state(const crdt::PinsetInfo& info, const crdt::Epoch& epoch) {
  Bytes out = encode_pinset_info(info);
  PbWriter(out).bytes_or_skip(kHistoryField, crdt::announced_history(epoch));
  return out;
}

Result<crdt::Epoch> decode_pinset_history(BytesView message) {
  crdt::Epoch epoch;
  PbReader in(message);
  while (in.next()) {
    if (in.field() == kHistoryField) {
      TRY(epoch, crdt::decode_epoch(in.bytes()));
    }
  }
  TRY_VOID(in.status());
  return epoch;
}

PinsetProtocol::PinsetProtocol(p2p::Network& network, const crdt::Replica& replica, Executor disk)
    : network_(network), replica_(replica), disk_(std::move(disk)) {}

void PinsetProtocol::serve() {
  network_.handle(std::string(kHistory),
                  [this](p2p::StreamPtr stream) { return serve_history(this, std::move(stream)); });
  network_.handle(std::string(kState),
                  [this](p2p::StreamPtr stream) { return serve_state(this, std::move(stream)); });
}

Task<void> PinsetProtocol::serve_history(PinsetProtocol* self, p2p::StreamPtr stream) {
  if (self->serving_.fetch_add(1) < kMaxServing) {
    co_await send_history(self, stream);
  } else {
    stream->reset();
  }
  self->serving_.fetch_sub(1);
}

Task<void> PinsetProtocol::send_history(PinsetProtocol* self, p2p::StreamPtr stream) {
  stream->set_deadline(soon());
  p2p::FrameReader reader(stream, kMaxRequest);
  const auto frame = co_await reader.next();
  const auto request =
      frame && *frame ? crdt::decode_history_request(**frame)
                      : Result<crdt::HistoryRequest>(fail(Code::InvalidArgument, "no request"));
  if (!request) {
    stream->reset();
    co_return;
  }
  crdt::HistoryWalk walk(self->replica_, *request);
  while (true) {
    co_await resume_on(self->disk_);
    auto piece = next_piece(walk);
    co_await resume_on(stream->executor());
    if (!piece) {
      stream->reset();
      co_return;
    }
    if (piece->empty()) {
      break;
    }
    stream->set_deadline(soon());
    const Status sent = co_await stream->write(*std::move(piece));
    if (!sent) {
      co_return;
    }
  }
  co_await finish(stream);
}

bool PinsetProtocol::streams(const PeerId& peer) const {
  return network_.speaks(peer, kHistory);
}

Task<Status> PinsetProtocol::stream(PeerId peer, Bytes request,
                                    std::shared_ptr<crdt::HistorySink> sink, StopToken stop) {
  return read_history(this, std::move(peer), std::move(request), std::move(sink), std::move(stop));
}

Task<Status> PinsetProtocol::read_history(PinsetProtocol* self, PeerId peer, Bytes request,
                                          std::shared_ptr<crdt::HistorySink> sink, StopToken stop) {
  std::vector<std::string> protocols(1, std::string(kHistory));
  auto opened = co_await self->network_.open_stream(peer, std::move(protocols), kOpenLimit, stop);
  if (!opened) {
    co_return fail(opened.error());
  }
  const p2p::StreamPtr stream = *opened;
  co_await resume_on(stream->executor());
  stream->set_deadline(soon());
  Status sent = co_await stream->write(p2p::frame(request));
  if (sent) {
    sent = co_await stream->close_write();
  }
  if (!sent) {
    co_return sent;
  }
  p2p::FrameReader reader(stream, crdt::kMaxBlockBytes);
  std::vector<Bytes> blocks;
  size_t bytes = 0;
  bool more = true;
  while (more) {
    stream->set_deadline(soon());
    auto frame = co_await reader.next();
    if (!frame) {
      co_return fail(frame.error());
    }
    more = frame->has_value();
    if (more) {
      bytes += (*frame)->size();
      blocks.push_back(**std::move(frame));
    }
    if (!blocks.empty() && (bytes >= kPiece || !more)) {
      auto piece = std::move(blocks);
      blocks.clear();
      const bool wanted = co_await sink->take(std::move(piece));
      co_await resume_on(stream->executor());
      bytes = 0;
      if (!wanted && more) {
        stream->reset();
        more = false;
      }
    }
  }
  co_return Status();
}

Task<void> PinsetProtocol::serve_state(PinsetProtocol* self, p2p::StreamPtr stream) {
  stream->set_deadline(soon());
  Bytes state = encode_pinset_state(self->replica_.info(), self->replica_.epoch());
  const Status sent = co_await stream->write(p2p::frame(state));
  if (sent) {
    co_await finish(stream);
  }
}

void PinsetProtocol::on_history(std::function<void(const PeerId&, const crdt::Epoch&)> handler) {
  heard_history_ = std::move(handler);
}

Task<std::optional<crdt::PeerPinset>> PinsetProtocol::ask(PinsetProtocol* self, PeerId peer,
                                                          StopToken stop) {
  std::vector<std::string> protocols(1, std::string(kState));
  auto opened = co_await self->network_.open_stream(peer, std::move(protocols), kOpenLimit, stop);
  if (!opened) {
    co_return std::nullopt;
  }
  const p2p::StreamPtr stream = *opened;
  co_await resume_on(stream->executor());
  stream->set_deadline(soon());
  const Status asked = co_await stream->close_write();
  (void)asked;  // what is wrong shows in the answer
  p2p::FrameReader reader(stream, kMaxState);
  const auto frame = co_await reader.next();
  if (!frame || !*frame) {
    co_return std::nullopt;
  }
  const auto info = decode_pinset_info(**frame);
  const auto epoch = decode_pinset_history(**frame);
  if (!info || !epoch) {
    co_return std::nullopt;
  }
  const crdt::PeerPinset answer = {.peer = peer, .info = *info, .epoch = *epoch, .at = Time::now()};
  {
    const std::lock_guard lock(self->mutex_);
    self->peers_[peer] = answer;
  }
  if (self->heard_history_) {
    self->heard_history_(peer, *epoch);
  }
  co_return answer;
}

Task<void> PinsetProtocol::ask_peers(PinsetProtocol* self, StopToken stop) {
  while (!stop.stop_requested()) {
    const std::vector<PeerId> connected = self->network_.connected_peers();
    for (const PeerId& peer : connected) {
      if (self->network_.speaks(peer, kState)) {
        const auto answer = co_await ask(self, peer, stop);
        (void)answer;  // kept
      }
    }
    {
      const std::set<PeerId> present(connected.begin(), connected.end());
      const std::lock_guard lock(self->mutex_);
      std::erase_if(self->peers_,
                    [&](const auto& entry) { return !present.contains(entry.first); });
    }
    const Status slept = co_await sleep_for(kAskPeriod, stop);
    (void)slept;
  }
}

std::vector<crdt::PeerPinset> PinsetProtocol::peers() const {
  const std::lock_guard lock(mutex_);
  std::vector<crdt::PeerPinset> out;
  out.reserve(peers_.size());
  for (const auto& [peer, state] : peers_) {
    out.push_back(state);
  }
  return out;
}

}  // namespace ica::cmd
