#include "agent/rest/find.h"
#include "agent/rest/handlers.h"
#include "agent/rest/json_stream.h"
#include "agent/rest/read.h"
#include "agent/rest/verbose.h"

namespace ica::rest {
namespace {

Task<void> send_info(Exchange& exchange, Result<api::GlobalPinInfo> info) {
  if (!info) {
    co_await exchange.send_error(info.error());
    co_return;
  }
  if (wants_verbose(exchange)) {
    std::string out;
    JsonWriter json(out);
    write_json(json, verbose(exchange.cluster, std::move(*info)));
    co_await exchange.send(200, std::move(out));
    co_return;
  }
  co_await exchange.send(200, api::to_json(*info));
}

Task<void> send_infos(Exchange& exchange, cluster::StreamPtr<api::GlobalPinInfo> items) {
  if (wants_verbose(exchange)) {
    co_await send_stream(exchange, verbose(exchange.cluster, std::move(items)));
  } else {
    co_await send_stream(exchange, std::move(items));
  }
}

Task<void> send_pin(Exchange& exchange, Result<api::Pin> pin) {
  if (!pin) {
    co_await exchange.send_error(pin.error());
    co_return;
  }
  co_await exchange.send(200, api::to_json(*pin));
}

// GET /pins?cids=a,b: one question per CID, answered in the order asked.
class ListedCids final : public cluster::Stream<api::GlobalPinInfo> {
 public:
  ListedCids(cluster::Cluster& cluster, std::vector<Cid> cids, bool local, StopToken stop)
      : cluster_(cluster), cids_(std::move(cids)), local_(local), stop_(std::move(stop)) {}

  Task<Result<std::vector<api::GlobalPinInfo>>> next() override {
    std::vector<api::GlobalPinInfo> out;
    if (position_ < cids_.size()) {
      Cid cid = cids_[position_++];
      auto info = co_await ask(std::move(cid));
      if (!info) {
        co_return fail(std::move(info.error()));
      }
      out.push_back(std::move(*info));
    }
    co_return out;
  }

 private:
  Task<Result<api::GlobalPinInfo>> ask(Cid cid) {
    return local_ ? cluster_.status_local(std::move(cid), stop_)
                  : cluster_.status(std::move(cid), stop_);
  }

  cluster::Cluster& cluster_;
  const std::vector<Cid> cids_;
  const bool local_;
  const StopToken stop_;
  size_t position_ = 0;
};

}  // namespace

Task<void> list_pins(Exchange& exchange) {
  if (const auto list = exchange.query.get("cids"); !list.empty()) {
    auto cids = co_await or_bad_request(exchange, read_cids(list));
    if (!cids) {
      co_return;
    }
    cluster::StreamPtr<api::GlobalPinInfo> items = std::make_unique<ListedCids>(
        exchange.cluster, std::move(*cids), exchange.local(), exchange.stop());
    co_await send_infos(exchange, std::move(items));
    co_return;
  }
  auto filter =
      co_await or_bad_request(exchange, api::parse_status_filter(exchange.query.get("filter")));
  if (!filter) {
    co_return;
  }
  auto find = co_await or_bad_request(exchange, read_find(exchange.query));
  if (!find) {
    co_return;
  }
  if (find->any()) {
    auto found = find_statuses(exchange.cluster, *filter, exchange.local(), std::move(*find),
                               exchange.stop());
    co_await send_infos(exchange, std::move(found));
    co_return;
  }
  auto items = exchange.local() ? exchange.cluster.status_all_local(*filter, exchange.stop())
                                : exchange.cluster.status_all(*filter, exchange.stop());
  co_await send_infos(exchange, std::move(items));
}

Task<void> get_pin(Exchange& exchange) {
  auto cid = co_await or_bad_request(exchange, read_cid(exchange.var("cid")));
  if (!cid) {
    co_return;
  }
  api::PinOptions ignored;
  read_options_loosely(exchange, ignored);
  if (exchange.local()) {
    auto info = co_await exchange.cluster.status_local(std::move(*cid), exchange.stop());
    co_await send_info(exchange, std::move(info));
  } else {
    auto info = co_await exchange.cluster.status(std::move(*cid), exchange.stop());
    co_await send_info(exchange, std::move(info));
  }
}

Task<void> recover_pin(Exchange& exchange) {
  auto cid = co_await or_bad_request(exchange, read_cid(exchange.var("cid")));
  if (!cid) {
    co_return;
  }
  if (exchange.local()) {
    auto info = co_await exchange.cluster.recover_local(std::move(*cid), exchange.stop());
    co_await send_info(exchange, std::move(info));
  } else {
    auto info = co_await exchange.cluster.recover(std::move(*cid), exchange.stop());
    co_await send_info(exchange, std::move(info));
  }
}

Task<void> recover_all_pins(Exchange& exchange) {
  auto items = exchange.local() ? exchange.cluster.recover_all_local(exchange.stop())
                                : exchange.cluster.recover_all(exchange.stop());
  co_await send_stream(exchange, std::move(items));
}

Task<void> post_pin(Exchange& exchange) {
  auto cid = co_await or_bad_request(exchange, read_cid(exchange.var("cid")));
  if (!cid) {
    co_return;
  }
  api::Pin pin;
  pin.cid = std::move(*cid);
  read_options_loosely(exchange, pin.options);
  auto done = co_await exchange.cluster.pin(std::move(pin));
  co_await send_pin(exchange, std::move(done));
}

Task<void> delete_pin(Exchange& exchange) {
  auto cid = co_await or_bad_request(exchange, read_cid(exchange.var("cid")));
  if (!cid) {
    co_return;
  }
  api::PinOptions ignored;
  read_options_loosely(exchange, ignored);
  auto done = co_await exchange.cluster.unpin(std::move(*cid), exchange.stop());
  co_await send_pin(exchange, std::move(done));
}

Task<void> post_path(Exchange& exchange) {
  auto path = co_await or_bad_request(exchange, read_path(exchange));
  if (!path) {
    co_return;
  }
  api::PinOptions options;
  read_options_loosely(exchange, options);
  auto done =
      co_await exchange.cluster.pin_path(std::move(*path), std::move(options), exchange.stop());
  co_await send_pin(exchange, std::move(done));
}

Task<void> delete_path(Exchange& exchange) {
  auto path = co_await or_bad_request(exchange, read_path(exchange));
  if (!path) {
    co_return;
  }
  api::PinOptions ignored;
  read_options_loosely(exchange, ignored);
  auto done = co_await exchange.cluster.unpin_path(std::move(*path), exchange.stop());
  co_await send_pin(exchange, std::move(done));
}

}  // namespace ica::rest
