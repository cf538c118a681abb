// The methods that other peers may call.
#include <algorithm>

#include "agent/rpc/briefs.h"
#include "agent/rpc/call.h"
#include "common/crypto/hash.h"

namespace ica::rpc {
namespace {

template <typename T>
using Items = cluster::StreamPtr<T>;

// --- calls with one argument and one answer

template <typename A, typename R>
using Unary = Task<Result<R>> (*)(Backend, A, StopToken);

template <typename A, typename R, Unary<A, R> kFunction>
Task<void> unary(CallPtr call) {
  auto argument = co_await call->argument<A>(false);
  if (!argument) {
    co_await call->answer_error(std::move(argument.error()), ErrorType::Server);
    watch(call, true);
    co_return;
  }
  // While the method works nothing is expected of the caller; that it goes away ends the method.
  call->expect_within(Duration::zero());
  watch(call, true);
  auto result = co_await kFunction(call->backend(), std::move(*argument), call->stop());
  if (!result) {
    co_await call->answer_error(std::move(result.error()), ErrorType::Method);
    co_return;
  }
  call->add_answer(*result);
  (void)co_await call->flush();
  co_await call->finish();
}

Task<Result<api::Id>> id(Backend backend, Empty, StopToken stop) {
  return backend.cluster.id(std::move(stop));
}

Task<Result<Version>> version(Backend, Empty, StopToken) {
  co_return Version{std::string(api::kReferenceVersion)};
}

Task<Result<api::Id>> peer_add(Backend backend, PeerId peer, StopToken stop) {
  return backend.cluster.peer_add(std::move(peer), std::move(stop));
}

Task<Result<Empty>> peer_remove(Backend backend, PeerId peer, StopToken) {
  const Status removed = backend.cluster.peer_remove(peer);
  if (!removed) {
    co_return fail(removed.error());
  }
  co_return Empty();
}

// Members are who tells metrics; nothing has to be recorded.
Task<Result<Empty>> consensus_add_peer(Backend, PeerId, StopToken) {
  co_return Empty();
}

Task<Result<Empty>> log_pin(Backend backend, api::Pin pin, StopToken) {
  auto done = co_await backend.cluster.pin(std::move(pin));
  if (!done) {
    co_return fail(std::move(done.error()));
  }
  co_return Empty();
}

Task<Result<Empty>> log_unpin(Backend backend, api::Pin pin, StopToken stop) {
  auto done = co_await backend.cluster.unpin(std::move(pin.cid), std::move(stop));
  if (!done) {
    co_return fail(std::move(done.error()));
  }
  co_return Empty();
}

Task<Result<api::PinInfo>> status(Backend backend, Cid cid, StopToken stop) {
  return backend.cluster.own_status(std::move(cid), std::move(stop));
}

Task<Result<api::PinInfo>> recover(Backend backend, Cid cid, StopToken stop) {
  return backend.cluster.own_recover(std::move(cid), std::move(stop));
}

Task<Result<api::RepoGc>> repo_gc_local(Backend backend, Empty, StopToken stop) {
  return backend.cluster.own_repo_gc(std::move(stop));
}

Task<Result<ipfs::RepoStat>> repo_stat(Backend backend, Empty, StopToken stop) {
  return backend.connector.repo_stat(std::move(stop));
}

Task<Result<std::vector<PeerId>>> swarm_peers(Backend backend, Empty, StopToken stop) {
  return backend.connector.swarm_peers(std::move(stop));
}

// --- calls that answer with a stream

// What becomes of the items of a stream: an answer each.
template <typename T>
struct Whole {
  void add(Call& call, T&& item) { call.add_answer(item); }
  void end_page(Call&) {}
};

// Statuses in brief: an answer a page.
struct InBrief {
  Briefs page;

  void add(Call& call, tracker::TrackedPin&& tracked) {
    rpc::add(page, std::move(tracked));
    if (page.data.size() >= kBriefsBytes) {
      end_page(call);
    }
  }
  void end_page(Call& call) {
    if (!page.data.empty()) {
      call.add_answer(page);
      page.data.clear();
    }
  }
};

template <typename T, typename Form = Whole<T>>
Task<void> send_all(CallPtr call, Items<T> items) {
  Form form;
  while (true) {
    call->expect_within(Duration::zero());
    auto batch = co_await items->next();
    if (!batch) {
      co_await call->answer_error(std::move(batch.error()), ErrorType::Method);
      co_return;
    }
    if (batch->empty()) {
      break;
    }
    for (T& item : *batch) {
      form.add(*call, std::move(item));
      if (call->wants_flush()) {
        const Status sent = co_await call->flush();
        if (!sent) {
          co_return;
        }
      }
    }
    // What is known is shown at once, however long the next batch takes.
    form.end_page(*call);
    const Status sent = co_await call->flush();
    if (!sent) {
      co_return;
    }
  }
  (void)co_await call->flush();
  co_await call->finish();
}

Task<void> status_all(CallPtr call) {
  auto filter = co_await call->argument<Filter>(true);
  if (!filter) {
    co_await call->answer_error(std::move(filter.error()), ErrorType::Server);
    watch(call, true);
    co_return;
  }
  call->expect_within(Duration::zero());
  watch(call, false);
  cluster::Cluster& cluster = call->backend().cluster;
  if (call->stream()->protocol() == kOwnProtocol) {
    call->add_answer(cluster.own_info());  // the same for all
    co_await send_all<tracker::TrackedPin, InBrief>(
        call, cluster.own_tracked_all(filter->mask, call->stop()));
  } else {
    co_await send_all<api::PinInfo>(call, cluster.own_status_all(filter->mask, call->stop()));
  }
}

Task<void> recover_all_local(CallPtr call) {
  call->expect_within(Duration::zero());
  watch(call, false);
  co_await send_all<api::PinInfo>(call, call->backend().cluster.own_recover_all(call->stop()));
}

Task<void> peers(CallPtr call) {
  call->expect_within(Duration::zero());
  watch(call, false);
  co_await send_all<api::Id>(call, call->backend().cluster.peers(call->stop()));
}

Task<void> id_stream(CallPtr call) {
  call->expect_within(Duration::zero());
  watch(call, false);
  auto own = co_await call->backend().cluster.id(call->stop());
  if (!own) {
    co_await call->answer_error(std::move(own.error()), ErrorType::Method);
    co_return;
  }
  call->add_answer(*own);
  (void)co_await call->flush();
  co_await call->finish();
}

// --- blocks of an upload into Kubo, as fast as Kubo takes them

Status check(const NodeWithMeta& node) {
  if (!node.cid.defined()) {
    return fail(Code::InvalidArgument, "block without a CID");
  }
  Status whole = check_block(node.cid, node.data);
  // Kubo knows more hash functions than we do, and looks itself.
  if (!whole && whole.error().code() != Code::Unsupported) {
    return whole;
  }
  return {};
}

Task<Status> receive_blocks(CallPtr call) {
  Backend& backend = call->backend();
  std::unique_ptr<ipfs::BlockSink> sink;
  while (true) {
    call->expect_within(backend.options.stall_limit);
    auto bytes = co_await call->reader().next(backend.options.max_block);
    if (!bytes) {
      co_return fail(std::move(bytes.error()));
    }
    if (!bytes->has_value()) {
      break;
    }
    auto node = decode<NodeWithMeta>(**bytes);
    if (!node) {
      co_return fail(std::move(node.error()));
    }
    const Status good = check(*node);
    if (!good) {
      co_return good;
    }
    if (!sink) {
      auto opened = co_await backend.connector.block_put_stream(call->stop());
      if (!opened) {
        co_return fail(std::move(opened.error()));
      }
      sink = std::move(*opened);
    }
    ipfs::BlockToPut block{std::move(node->cid), std::move(node->data)};
    auto written = co_await sink->write(std::move(block));
    if (!written) {
      co_return written;
    }
  }
  if (!sink) {
    co_return Status();
  }
  call->expect_within(Duration::zero());
  co_return co_await sink->finish();
}

Task<void> block_stream(CallPtr call) {
  const Status outcome = co_await receive_blocks(call);
  if (!outcome) {
    co_await call->answer_error(outcome.error(), ErrorType::Method);
    // The sender goes on until it has read that; cutting it off would lose the answer.
    constexpr size_t kOnTheWay = 64 << 20;
    watch(call, true, kOnTheWay);
    co_return;
  }
  co_await call->finish();
}

struct Implementation {
  std::string_view service;
  std::string_view name;
  Task<void> (*run)(CallPtr);
};

constexpr Implementation kImplementations[] = {
    {"Cluster", "ID", unary<Empty, api::Id, id>},
    {"Cluster", "IDStream", id_stream},
    {"Cluster", "PeerAdd", unary<PeerId, api::Id, peer_add>},
    {"Cluster", "PeerRemove", unary<PeerId, Empty, peer_remove>},
    {"Cluster", "Peers", peers},
    {"Cluster", "RecoverAllLocal", recover_all_local},
    {"Cluster", "RecoverLocal", unary<Cid, api::PinInfo, recover>},
    {"Cluster", "RepoGCLocal", unary<Empty, api::RepoGc, repo_gc_local>},
    {"Cluster", "Version", unary<Empty, Version, version>},
    {"Consensus", "AddPeer", unary<PeerId, Empty, consensus_add_peer>},
    {"Consensus", "LogPin", unary<api::Pin, Empty, log_pin>},
    {"Consensus", "LogUnpin", unary<api::Pin, Empty, log_unpin>},
    {"Consensus", "RmPeer", unary<PeerId, Empty, peer_remove>},
    {"IPFSConnector", "BlockStream", block_stream},
    {"IPFSConnector", "RepoStat", unary<Empty, ipfs::RepoStat, repo_stat>},
    {"IPFSConnector", "SwarmPeers", unary<Empty, std::vector<PeerId>, swarm_peers>},
    {"PinTracker", "Recover", unary<Cid, api::PinInfo, recover>},
    {"PinTracker", "Status", unary<Cid, api::PinInfo, status>},
    {"PinTracker", "StatusAll", status_all},
};

const Implementation* find(std::string_view service, std::string_view name) {
  const auto* const end = std::end(kImplementations);
  const auto* const found = std::find_if(
      std::begin(kImplementations), end,
      [&](const Implementation& one) { return one.service == service && one.name == name; });
  return found == end ? nullptr : found;
}

}  // namespace

bool implemented(std::string_view service, std::string_view name) {
  return find(service, name) != nullptr;
}

Task<void> run_method(CallPtr call) {
  const Implementation* method = find(call->id().service, call->id().method);
  ICA_ASSERT(method != nullptr);
  return method->run(std::move(call));
}

}  // namespace ica::rpc
