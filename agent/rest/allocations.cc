#include "agent/rest/find.h"
#include "agent/rest/handlers.h"
#include "agent/rest/json_stream.h"
#include "agent/rest/read.h"

namespace ica::rest {

Task<void> list_allocations(Exchange& exchange) {
  auto types = api::parse_pin_type_filter(exchange.query.get("filter"));
  if (!types) {
    co_await exchange.send_error(400, types.error().message());
    co_return;
  }
  auto find = read_find(exchange.query);
  if (!find) {
    co_await exchange.send_error(400, find.error().message());
    co_return;
  }
  auto items = find->any() ? find_pins(exchange.cluster, *types, std::move(*find), exchange.stop())
                           : exchange.cluster.pins({.types = *types, .after = {}, .name = {}},
                                                   exchange.stop());
  co_await send_stream(exchange, std::move(items));
}

Task<void> get_allocation(Exchange& exchange) {
  auto cid = read_cid(exchange.var("cid"));
  if (!cid) {
    co_await exchange.send_error(400, cid.error().message());
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
