#include <algorithm>

#include "agent/p2p/bitswap_impl.h"
#include "agent/p2p/frames.h"
#include "common/base/log.h"

namespace ica::p2p {
namespace {

void complain(Bitswap::Impl& impl, const PeerId& peer, const Error& error) {
  if (error.code() == Code::Closed || error.code() == Code::Timeout ||
      error.code() == Code::Cancelled) {
    return;
  }
  impl.counters.malformed.fetch_add(1);
  static LogLimiter limiter;
  if (limiter.allow(peer.bytes())) {
    log_warn("bitswap", "peer {} sent what is no bitswap message: {}", peer, error.message());
  }
}

}  // namespace

void Bitswap::Impl::flush(const PeerPtr& peer) {
  if (peer->writing) {
    peer->changed.notify_all();
  } else if (peer->connected && !stopped()) {
    peer->writing = true;
    launch(run_writer(shared_from_this(), peer), "bitswap stream");
  }
}

BitswapMessage Bitswap::Impl::next_message(const Options& options, Peer& peer) {
  BitswapMessage message;
  while (!peer.wants.empty() && message.wants.size() < options.message_entries) {
    message.wants.push_back(std::move(peer.wants.front()));
    peer.wants.pop_front();
  }
  while (!peer.presences.empty() && message.presences.size() < options.message_entries) {
    message.presences.push_back(std::move(peer.presences.front()));
    peer.presences.pop_front();
  }
  size_t bytes = 0;
  while (!peer.blocks.empty() &&
         (bytes == 0 || bytes + peer.blocks.front().data.size() <= options.message_bytes)) {
    const size_t size = peer.blocks.front().data.size();
    bytes += size + 1;
    peer.block_bytes -= size;
    message.blocks.push_back(std::move(peer.blocks.front()));
    peer.blocks.pop_front();
  }
  return message;
}

// Over the stream that is open, else over a new one. A stream that turns out to be dead is replaced
// once.
Task<bool> Bitswap::Impl::send(Self self, PeerPtr peer, Bytes bytes) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (!peer->out) {
      std::vector<std::string> protocols(1, std::string(kBitswap12));
      auto opened = co_await self->network.open_stream(
          peer->id, std::move(protocols), self->options.open_limit, self->stop.get_token());
      if (!opened) {
        co_return false;
      }
      if (!peer->connected || self->stopped()) {
        reset_on_stream(*opened);
        co_return false;
      }
      peer->out = *std::move(opened);
    }
    const StreamPtr stream = peer->out;
    const Status written = co_await write_on_stream(stream, bytes, self->options.write_limit);
    if (written) {
      co_return true;
    }
    reset_on_stream(stream);
    peer->out = nullptr;
    if (!peer->connected || self->stopped() || written.error().code() == Code::Timeout) {
      co_return false;
    }
  }
  co_return false;
}

Task<void> Bitswap::Impl::run_writer(Self self, PeerPtr peer) {
  const StopToken token = self->stop.get_token();
  while (peer->connected && !token.stop_requested()) {
    if (peer->nothing_to_send()) {
      co_await peer->changed.wait(self->options.idle_limit, token);
      if (peer->nothing_to_send()) {
        break;
      }
      continue;
    }
    const BitswapMessage message = next_message(self->options, *peer);
    peer->changed.notify_all();  // there is room again
    const bool sent = co_await send(self, peer, frame(encode_bitswap(message)));
    if (!sent) {
      // What it was asked for is asked of others, and what it wanted it may ask for again.
      self->refuse_all(peer->id);
      peer->wants.clear();
      peer->presences.clear();
      peer->blocks.clear();
      peer->block_bytes = 0;
      self->forget_ledger(peer);
    }
  }
  reset_on_stream(peer->out);
  peer->out = nullptr;
  peer->writing = false;
  if (peer->connected && !peer->nothing_to_send()) {
    self->flush(peer);
  }
}

Task<bool> Bitswap::Impl::enter(Self self, StreamPtr stream) {
  if (self->stopped()) {
    co_return false;
  }
  self->inbound.insert(std::move(stream));
  co_return true;
}

Task<void> Bitswap::Impl::leave(Self self, StreamPtr stream) {
  self->inbound.erase(stream);
  co_return;
}

Task<bool> Bitswap::Impl::take(Self self, PeerId from, Incoming incoming) {
  if (self->stopped()) {
    co_return false;
  }
  const auto connected = self->network.connected_peers();
  if (std::find(connected.begin(), connected.end(), from) == connected.end()) {
    co_return false;
  }
  for (auto& [cid, data] : incoming.blocks) {
    self->take_block(from, cid, std::move(data));
  }
  for (const BlockPresence& presence : incoming.message.presences) {
    if (!presence.have) {
      self->refuse(from, presence.cid);
    }
  }
  if (incoming.message.full || !incoming.message.wants.empty()) {
    self->take_wants(self->peer_of(from), incoming.message);
  }
  co_return true;
}

Task<void> Bitswap::Impl::read_stream(Self self, StreamPtr stream) {
  FrameReader reader(stream, kMaxBitswapFrame);
  while (true) {
    auto bytes = co_await reader.next();
    if (!bytes || !bytes->has_value()) {
      if (!bytes) {
        complain(*self, stream->peer(), bytes.error());
      }
      break;
    }
    auto message = decode_bitswap(**bytes);
    if (!message) {
      complain(*self, stream->peer(), message.error());
      break;
    }
    Incoming incoming;
    incoming.message = *std::move(message);
    // Hashed here, on the connection's strand. The hash is the check: data that is not what was
    // wanted has another CID.
    for (BitswapBlock& block : incoming.message.blocks) {
      if (auto cid = cid_of_block(block.prefix, block.data)) {
        incoming.blocks.emplace_back(*std::move(cid), std::move(block.data));
      } else {
        self->counters.malformed.fetch_add(1);
      }
    }
    incoming.message.blocks.clear();
    const bool go_on = co_await asio::co_spawn(
        self->strand, take(self, stream->peer(), std::move(incoming)), asio::use_awaitable);
    if (!go_on) {
      break;
    }
  }
}

Task<void> Bitswap::Impl::accept(std::weak_ptr<Impl> weak, StreamPtr stream) {
  const Self self = weak.lock();
  if (!self || self->stopped()) {
    stream->reset();
    co_return;
  }
  self->running.fetch_add(1);
  const bool entered =
      co_await asio::co_spawn(self->strand, enter(self, stream), asio::use_awaitable);
  if (entered) {
    co_await read_stream(self, stream);
    co_await asio::co_spawn(self->strand, leave(self, stream), asio::use_awaitable);
  }
  stream->reset();
  self->running.fetch_sub(1);
}

}  // namespace ica::p2p
