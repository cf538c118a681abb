#include "agent/p2p/gossip_rpc.h"

#include "common/codec/pbwire.h"

namespace ica::p2p {

namespace {

constexpr size_t kMinAuthor = 16;

Result<GossipMessage> decode_message(BytesView bytes, const GossipLimits& limits) {
  GossipMessage m;
  PbReader in(bytes);
  while (in.next()) {
    switch (in.field()) {
      case 1:
        m.from = in.bytes();
        break;
      case 2:
        m.data = in.bytes();
        m.has_data = true;
        break;
      case 3:
        m.seqno = in.bytes();
        break;
      case 4:
        m.topic = in.bytes();
        break;
      case 5:
        m.signature = in.bytes();
        break;
      case 6:
        m.key = in.bytes();
        break;
      default:
        m.unknown.append(in.raw());
        break;
    }
  }
  TRY_VOID(in.status());
  if (m.topic.size() > limits.topic_bytes || m.from.size() > 128 || m.seqno.size() > 64) {
    return fail(Code::TooLarge, "gossip message with an oversized field");
  }
  return m;
}

Status decode_control(BytesView bytes, const GossipLimits& limits, size_t& have_ids,
                      GossipRpc& rpc) {
  PbReader in(bytes);
  while (in.next()) {
    if (rpc.ihave.size() + rpc.graft.size() + rpc.prune.size() >= limits.control) {
      return fail(Code::TooLarge, "gossip RPC with too many control messages");
    }
    const uint32_t field = in.field();
    if (field < 1 || field > 4) {
      continue;
    }
    PbReader item(in.bytes());
    if (field == 1) {
      IHave have;
      while (item.next()) {
        if (item.field() == 1) {
          have.topic = item.bytes();
        } else if (item.field() == 2) {
          if (++have_ids > limits.ids || item.bytes().size() > limits.id_bytes) {
            return fail(Code::TooLarge, "gossip RPC with too many ids");
          }
          have.ids.emplace_back(item.bytes());
        }
      }
      rpc.ihave.push_back(std::move(have));
    } else if (field == 2) {
      while (item.next()) {
        if (item.field() == 1) {
          if (rpc.iwant.size() >= limits.ids || item.bytes().size() > limits.id_bytes) {
            return fail(Code::TooLarge, "gossip RPC with too many ids");
          }
          rpc.iwant.emplace_back(item.bytes());
        }
      }
    } else if (field == 3) {
      while (item.next()) {
        if (item.field() == 1) {
          rpc.graft.emplace_back(item.bytes());
        }
      }
    } else {
      Prune prune;
      while (item.next()) {
        if (item.field() == 1) {
          prune.topic = item.bytes();
        } else if (item.field() == 3) {
          prune.backoff_seconds = item.varint();
        }
      }
      rpc.prune.push_back(std::move(prune));
    }
    TRY_VOID(item.status());
  }
  return in.status();
}

}  // namespace

Bytes GossipMessage::unsigned_bytes() const {
  Bytes out;
  PbWriter w(out);
  w.bytes_or_skip(1, from);
  if (has_data) {
    w.bytes(2, data);
  }
  w.bytes_or_skip(3, seqno);
  w.bytes(4, topic);
  out += unknown;
  return out;
}

Bytes GossipMessage::encode() const {
  Bytes out;
  PbWriter w(out);
  w.bytes_or_skip(1, from);
  if (has_data) {
    w.bytes(2, data);
  }
  w.bytes_or_skip(3, seqno);
  w.bytes(4, topic);
  w.bytes_or_skip(5, signature);
  w.bytes_or_skip(6, key);
  out += unknown;
  return out;
}

Bytes encode_rpc(const GossipRpc& rpc) {
  Bytes out;
  PbWriter w(out);
  for (const Subscription& s : rpc.subscriptions) {
    w.message(1, [&](PbWriter& m) { m.boolean(1, s.subscribe).bytes(2, s.topic); });
  }
  for (const GossipMessage& message : rpc.messages) {
    w.bytes(2, message.encode());
  }
  if (rpc.ihave.empty() && rpc.iwant.empty() && rpc.graft.empty() && rpc.prune.empty()) {
    return out;
  }
  w.message(3, [&](PbWriter& control) {
    for (const IHave& have : rpc.ihave) {
      control.message(1, [&](PbWriter& m) {
        m.bytes(1, have.topic);
        for (const Bytes& id : have.ids) {
          m.bytes(2, id);
        }
      });
    }
    if (!rpc.iwant.empty()) {
      control.message(2, [&](PbWriter& m) {
        for (const Bytes& id : rpc.iwant) {
          m.bytes(1, id);
        }
      });
    }
    for (const std::string& topic : rpc.graft) {
      control.message(3, [&](PbWriter& m) { m.bytes(1, topic); });
    }
    for (const Prune& prune : rpc.prune) {
      control.message(4, [&](PbWriter& m) {
        m.bytes(1, prune.topic).varint_or_skip(3, prune.backoff_seconds);
      });
    }
  });
  return out;
}

Result<GossipRpc> decode_rpc(BytesView bytes, const GossipLimits& limits) {
  if (bytes.size() > kMaxGossipFrame) {
    return fail(Code::TooLarge, "gossip RPC of {} bytes", bytes.size());
  }
  GossipRpc rpc;
  size_t have_ids = 0;
  PbReader in(bytes);
  while (in.next()) {
    switch (in.field()) {
      case 1: {
        if (rpc.subscriptions.size() >= limits.subscriptions) {
          return fail(Code::TooLarge, "gossip RPC with too many subscriptions");
        }
        Subscription s;
        PbReader item(in.bytes());
        while (item.next()) {
          if (item.field() == 1) {
            s.subscribe = item.boolean();
          } else if (item.field() == 2) {
            s.topic = item.bytes();
          }
        }
        TRY_VOID(item.status());
        if (s.topic.size() > limits.topic_bytes) {
          return fail(Code::TooLarge, "gossip topic of {} bytes", s.topic.size());
        }
        rpc.subscriptions.push_back(std::move(s));
        break;
      }
      case 2: {
        if (rpc.messages.size() >= limits.messages) {
          return fail(Code::TooLarge, "gossip RPC with too many messages");
        }
        TRY(auto message, decode_message(in.bytes(), limits));
        rpc.messages.push_back(std::move(message));
        break;
      }
      case 3:
        TRY_VOID(decode_control(in.bytes(), limits, have_ids, rpc));
        break;
      default:
        break;
    }
  }
  TRY_VOID(in.status());
  return rpc;
}

std::optional<Bytes> message_id(const GossipMessage& message) {
  if (message.from.size() < kMinAuthor) {
    return std::nullopt;
  }
  return message.from.substr(0, kMinAuthor) + message.seqno;
}

}  // namespace ica::p2p
