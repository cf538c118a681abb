#include "agent/pinsvc/pinsvc.h"

#include "agent/cluster/http_status.h"
#include "agent/config/api_options.h"
#include "agent/pinsvc/pin_list.h"

namespace ica::pinsvc {
namespace {

constexpr size_t kMaxBody = 1 << 20;
constexpr std::string_view kNotFound = "pin not found";

enum Route : size_t { kList, kAdd, kGet, kReplace, kRemove, kToken, kHealth };

std::string json_of(const api::ServicePinStatus& status) {
  std::string out;
  JsonWriter json(out);
  write_json(json, status);
  out.push_back('\n');
  return out;
}

std::string json_of(const PinList& list) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("count").number(list.count);
  json.key("results").begin_array();
  for (const api::ServicePinStatus& status : list.results) {
    write_json(json, status);
  }
  json.end_array();
  json.end_object();
  out.push_back('\n');
  return out;
}

Task<void> send_error(web::Exchange& exchange, int status, std::string_view reason) {
  return exchange.send_text(status, api::service_error_json(reason) + "\n");
}

Task<void> send_error(web::Exchange& exchange, const Error& error) {
  if (error.code() == Code::Busy) {
    exchange.headers.emplace_back("Retry-After", "1");
  }
  return send_error(exchange, cluster::http_status_of(error), error.message());
}

// The pin of a request's body. Errors: InvalidArgument.
Task<Result<api::ServicePin>> read_pin(http::BodyReader* body) {
  const std::optional<Bytes> text = co_await web::small_body(body, kMaxBody);
  if (!text) {
    co_return fail(Code::InvalidArgument, "error decoding request body: unexpected EOF");
  }
  if (text->empty()) {
    co_return fail(Code::InvalidArgument, "error decoding request body: EOF");
  }
  auto pin = api::service_pin_from_json(*text);
  if (!pin) {
    co_return fail(Code::InvalidArgument, "error decoding request body: {}", pin.error().message());
  }
  co_return std::move(*pin);
}

Result<Cid> read_request_id(const web::Exchange& exchange) {
  auto cid = Cid::parse(exchange.var("requestID"));
  if (!cid) {
    return fail(Code::InvalidArgument, "error decoding requestID: {}", cid.error().message());
  }
  return std::move(*cid);
}

api::Pin to_pin(const api::ServicePin& wanted) {
  api::Pin pin;
  pin.cid = wanted.cid;
  pin.options.name = wanted.name;
  pin.options.origins = {wanted.origins, true};
  pin.options.metadata = wanted.meta;
  pin.options.metadata_present = true;
  return pin;
}

}  // namespace

struct PinningService::Impl final : web::ApiRoutes {
  Impl(asio::io_context& context, const config::Config& config, cluster::Cluster& use_cases)
      : cluster(use_cases),
        server(context,
               config::api_options(config, config.pinsvc_api, "pinsvcapi", "Pinning Service API"),
               *this) {}

  cluster::Cluster& cluster;
  web::ApiServer server;

  // In the order of enum Route.
  std::vector<ApiRoutes::Route> routes() const override {
    return {{"GET", "/pins"},
            {"POST", "/pins"},
            {"GET", "/pins/{requestID}"},
            {"POST", "/pins/{requestID}"},
            {"DELETE", "/pins/{requestID}"},
            {"POST", "/token"},
            {"GET", "/health"}};
  }

  Task<void> serve(size_t route, web::Exchange& exchange) override {
    switch (route) {
      case kList:
        return list(exchange);
      case kAdd:
        return add(exchange, false);
      case kGet:
        return get(exchange);
      case kReplace:
        return add(exchange, true);
      case kRemove:
        return remove(exchange);
      case kToken:
        return token(exchange);
      default:
        return exchange.send_empty(204);
    }
  }

  std::string error_body(int, std::string_view message) const override {
    return api::service_error_json(message) + "\n";
  }

  Task<void> list(web::Exchange& exchange) {
    auto query = read_list_query(exchange.query);
    if (!query) {
      co_await send_error(exchange, 500, query.error().message());
      co_return;
    }
    auto found = co_await list_pins(cluster, std::move(*query), exchange.stop());
    if (!found) {
      co_await send_error(exchange, found.error());
      co_return;
    }
    co_await exchange.send_text(200, json_of(*found));
  }

  Task<void> get(web::Exchange& exchange) {
    auto cid = read_request_id(exchange);
    if (!cid) {
      co_await send_error(exchange, 400, cid.error().message());
      co_return;
    }
    auto info = co_await cluster.status(std::move(*cid), exchange.stop());
    if (!info) {
      co_await send_error(exchange, info.error());
      co_return;
    }
    const api::ServicePinStatus status = to_service_status(*info);
    if (status.status == api::ServiceStatus::Undefined) {
      co_await send_error(exchange, 404, kNotFound);
      co_return;
    }
    co_await exchange.send_text(200, json_of(status));
  }

  // `replaces`: the path names a pin that this one takes the place of.
  Task<void> add(web::Exchange& exchange, bool replaces) {
    auto wanted = co_await read_pin(exchange.request.body);
    if (!wanted) {
      co_await send_error(exchange, 400, wanted.error().message());
      co_return;
    }
    if (!wanted->cid.defined()) {
      // The reference forgets to answer, which its server takes as an empty success.
      const Status sent = co_await exchange.response.send(200, exchange.headers, Bytes());
      (void)sent;
      co_return;
    }
    Result<Cid> old = Cid();
    if (replaces) {
      old = read_request_id(exchange);
    }
    if (!old) {
      co_await send_error(exchange, 400, old.error().message());
      co_return;
    }
    auto pinned = co_await pin_instead_of(std::move(*wanted), std::move(*old), exchange.stop());
    if (!pinned) {
      co_await send_error(exchange, pinned.error());
      co_return;
    }
    co_await exchange.send_text(202, json_of(queued(*pinned)));
  }

  Task<Result<api::Pin>> pin_instead_of(api::ServicePin wanted, Cid old, StopToken stop) {
    api::Pin pin = to_pin(wanted);
    pin.options.pin_update = old;
    auto pinned = co_await cluster.pin(std::move(pin));
    if (!pinned || !old.defined() || old == wanted.cid) {
      co_return pinned;
    }
    // An update takes over everything of the old pin; what the request says itself goes before it.
    const bool other_meta = !wanted.meta.empty() && wanted.meta != pinned->options.metadata;
    const bool other_origins =
        !wanted.origins.empty() && wanted.origins != pinned->options.origins.items;
    if (other_meta || other_origins) {
      api::Pin changed = to_pin(wanted);
      changed.allocations = pinned->allocations;
      changed.options.name = pinned->options.name;
      changed.options.replication_factor_min = pinned->options.replication_factor_min;
      changed.options.replication_factor_max = pinned->options.replication_factor_max;
      changed.options.expire_at = pinned->options.expire_at;
      pinned = co_await cluster.pin(std::move(changed));
      if (!pinned) {
        co_return pinned;
      }
    }
    auto removed = co_await cluster.unpin(std::move(old), stop);
    if (!removed) {
      co_return fail(std::move(removed.error()));
    }
    co_return pinned;
  }

  api::ServicePinStatus queued(const api::Pin& pin) const {
    api::ServicePinStatus out;
    out.request_id = pin.cid.text();
    out.status = api::ServiceStatus::Queued;
    out.created = pin.timestamp;
    out.pin = {pin.cid, pin.options.name, pin.options.origins.items, pin.options.metadata};
    const auto peers = pin.everywhere() ? cluster.members() : pin.allocations.items;
    for (const PeerId& peer : peers) {
      const auto known = cluster.last_known(peer);
      out.delegates.insert(out.delegates.end(), known.ipfs_peer_addresses.begin(),
                           known.ipfs_peer_addresses.end());
    }
    return out;
  }

  Task<void> remove(web::Exchange& exchange) {
    auto cid = read_request_id(exchange);
    if (!cid) {
      co_await send_error(exchange, 400, cid.error().message());
      co_return;
    }
    auto removed = co_await cluster.unpin(std::move(*cid), exchange.stop());
    if (!removed) {
      co_await send_error(exchange, removed.error());
      co_return;
    }
    co_await exchange.send_empty(202);
  }

  Task<void> token(web::Exchange& exchange) {
    auto token = server.auth().token(exchange.request.header("Authorization"), Time::now());
    if (!token) {
      co_await send_error(exchange, 401, token.error().message());
      co_return;
    }
    std::string out;
    JsonWriter json(out);
    json.begin_object();
    json.key("token").string(*token);
    json.end_object();
    out.push_back('\n');
    co_await exchange.send_text(200, std::move(out));
  }
};

PinningService::PinningService(asio::io_context& context, const config::Config& config,
                               cluster::Cluster& cluster)
    : impl_(std::make_unique<Impl>(context, config, cluster)) {}

PinningService::~PinningService() = default;

Status PinningService::start() {
  return impl_->server.start();
}

const std::vector<uint16_t>& PinningService::ports() const {
  return impl_->server.ports();
}

Status PinningService::reload(const config::HttpApi& settings) {
  return impl_->server.reload(settings.basic_auth_credentials);
}

Task<void> PinningService::stop(Duration grace) {
  return impl_->server.stop(grace);
}

const http::ServerStats& PinningService::stats() const {
  return impl_->server.stats();
}

}  // namespace ica::pinsvc
