#include "agent/ipfs/breaker.h"

#include <doctest/doctest.h>

using namespace ica;
using namespace ica::ipfs;

TEST_CASE("the breaker refuses with the last cause until the first success") {
  Breaker breaker({});
  CHECK_FALSE(breaker.reachable());  // nobody has asked yet
  CHECK_FALSE(breaker.refused().has_value());
  CHECK(breaker.failed("connection refused"));
  CHECK_FALSE(breaker.failed("no route to host"));  // open already
  CHECK(breaker.refused() == "no route to host");
  CHECK_FALSE(breaker.reachable());
  breaker.succeeded();
  CHECK_FALSE(breaker.refused().has_value());
  CHECK(breaker.reachable());
}

TEST_CASE("pauses double up to the limit, spread, and start anew after a success") {
  Breaker::Options options;
  options.first_delay = std::chrono::milliseconds(100);
  options.max_delay = std::chrono::seconds(10);
  options.seed = 5;
  Breaker breaker(options);
  double expected = 0.1;
  bool spread = false;
  for (int i = 0; i < 20; ++i) {
    const double delay = std::chrono::duration<double>(breaker.next_delay()).count();
    CHECK(delay >= expected * 0.75);
    CHECK(delay <= expected * 1.25);
    spread = spread || std::abs(delay - expected) > expected * 0.01;
    expected = std::min(expected * 2, 10.0);
  }
  CHECK(spread);
  breaker.succeeded();
  CHECK(breaker.next_delay() <= std::chrono::milliseconds(125));
}
