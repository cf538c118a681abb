#include "common/web/login_limit.h"

#include <doctest/doctest.h>

namespace ica::web {
namespace {

using std::chrono::seconds;
const LoginLimit::Moment kStart{seconds(1'000'000)};

TEST_CASE("login limit: so many at once, and they fade") {
  LoginLimit limit(60);
  for (int i = 0; i < 60; ++i) {
    CHECK(!limit.wait("192.0.2.1:1000", kStart));
    limit.failed("192.0.2.1:" + std::to_string(1000 + i), kStart);
  }
  CHECK(limit.wait("192.0.2.1:9", kStart) == 1);
  CHECK(!limit.wait("192.0.2.2:9", kStart));  // others notice nothing
  CHECK(!limit.wait("", kStart));             // nor does a unix socket
  CHECK(!limit.wait("192.0.2.1:9", kStart + seconds(1)));
  limit.failed("192.0.2.1:9", kStart + seconds(1));
  CHECK(limit.wait("192.0.2.1:9", kStart + seconds(1)));
  CHECK(!limit.wait("192.0.2.1:9", kStart + seconds(61)));
}

TEST_CASE("login limit: a small one says how long to wait") {
  LoginLimit limit(2);
  limit.failed("192.0.2.1:1", kStart);
  CHECK(!limit.wait("192.0.2.1:1", kStart));
  limit.failed("192.0.2.1:1", kStart);
  CHECK(limit.wait("192.0.2.1:1", kStart) == 30);
  CHECK(limit.wait("192.0.2.1:1", kStart + seconds(20)) == 10);
  CHECK(!limit.wait("192.0.2.1:1", kStart + seconds(30)));
}

TEST_CASE("login limit: off") {
  LoginLimit limit(0);
  for (int i = 0; i < 1000; ++i) {
    limit.failed("192.0.2.1:1", kStart);
  }
  CHECK(!limit.wait("192.0.2.1:1", kStart));
  CHECK(limit.size() == 0);
}

TEST_CASE("login limit: memory is bounded, the oldest failure is forgotten") {
  LoginLimit limit(1);
  limit.failed("192.0.2.1:1", kStart);
  limit.failed("192.0.2.2:1", kStart);
  limit.failed("192.0.2.1:1", kStart);
  for (size_t i = 0; i + 1 < LoginLimit::kMaxAddresses; ++i) {
    limit.failed("10.0." + std::to_string(i / 256) + "." + std::to_string(i % 256) + ":1", kStart);
  }
  CHECK(limit.size() == LoginLimit::kMaxAddresses);
  CHECK(limit.wait("192.0.2.1:1", kStart));
  CHECK(!limit.wait("192.0.2.2:1", kStart));
}

TEST_CASE("login limit: what counts as one address") {
  CHECK(login_address("192.0.2.1:80") == "192.0.2.1");
  CHECK(login_address("[::ffff:192.0.2.1]:80") == "192.0.2.1");
  CHECK(login_address("[2001:db8::1]:80") == login_address("[2001:db8::ffff:1]:81"));
  CHECK(login_address("[2001:db8::1]:80") != login_address("[2001:db8:0:1::1]:80"));
  CHECK(login_address("[fe80::1%eth0]:80") == login_address("[fe80::2]:80"));
}

}  // namespace
}  // namespace ica::web
