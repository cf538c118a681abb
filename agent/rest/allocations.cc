#include "agent/rest/find.h"
#include "agent/rest/handlers.h"
#include "agent/rest/json_stream.h"
#include "agent/rest/read.h"

namespace ica::rest {

Task<void> list_allocations(Exchange& exchange) {
  auto types =
      co_await or_bad_request(exchange, api::parse_pin_type_filter(exchange.query.get("filter")));
  if (!types) {
    co_return;
  }
  auto find = co_await or_bad_request(exchange, read_find(exchange.query));
  if (!find) {
    co_return;
  }
  auto items = find->any() ? find_pins(exchange.cluster, *types, std::move(*find), exchange.stop())
                           : exchange.cluster.pins({.types = *types, .after = {}, .name = {}},
                                                   exchange.stop());
  co_await send_stream(exchange, std::move(items));
}

Task<void> get_allocation(Exchange& exchange) {
  auto cid = co_await or_bad_request(exchange, read_cid(exchange.var("cid")));
  if (!cid) {
    co_return;
  }
  api::PinOptions ignored;
  read_options_loosely(exchange, ignored);
  auto pin = exchange.cluster.pin_get(*cid);
  if (!pin) {
    co_await exchange.send_error(pin.error());
    co_return;
  }
  co_await exchange.send(200, api::to_json(*pin));
}

}  // namespace ica::rest
