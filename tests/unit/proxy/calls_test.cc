#include "agent/proxy/calls.h"

#include <doctest/doctest.h>

namespace ica::proxy {
namespace {

constexpr std::string_view kCid = "QmYtUdtdPCjJTqN4c4DvBqyYHs36WuQYo68mm8VaeGzzp4";

TEST_CASE("only the calls of the cluster are taken over") {
  CHECK(route_of("POST", "/api/v0/pin/add").call == Call::PinAdd);
  CHECK(route_of("GET", "/api/v0/pin/rm").call == Call::PinRm);
  CHECK(route_of("PUT", "/api/v0/add").call == Call::Add);
  CHECK(route_of("POST", "/api/v0/dag/put").call == Call::DagPut);
  for (const std::string_view path :
       {"/api/v0/pin", "/api/v0/pin/verify", "/api/v0/pin/add/", "/api/v0/pin/add/a/b",
        "/api/v0/added", "/api/v0/add/x", "/api/v0/repo/stat/x", "/api/v1/add", "/", ""}) {
    CAPTURE(path);
    CHECK(route_of("POST", path).call == Call::Other);
  }
  CHECK(route_of("OPTIONS", "/api/v0/pin/add").call == Call::Other);
  CHECK(route_of("HEAD", "/api/v0/add").call == Call::Other);
}

TEST_CASE("an argument may be the last segment of the path") {
  const Route route = route_of("POST", "/api/v0/pin/ls/abc");
  CHECK(route.call == Call::PinLs);
  CHECK(route.arg == "abc");
  CHECK(route_of("POST", "/api/v0/pin/update/abc").call == Call::Other);
}

TEST_CASE("arguments are paths or CIDs") {
  const std::string cid(kCid);
  CHECK(read_path(cid).value() == "/ipfs/" + cid);
  CHECK(read_path("/ipfs/" + cid + "/a//b/../c/").value() == "/ipfs/" + cid + "/a/c/");
  CHECK(read_path(cid + "/a").value() == "/ipfs/" + cid + "/a");
  CHECK(read_path("/ipns/example.org").value() == "/ipns/example.org");
  CHECK(read_path("/ipld/" + cid).value() == "/ipld/" + cid);
}

TEST_CASE("what is no path is refused in the reference's words") {
  CHECK(read_path("bogus").error().message() ==
        "invalid path \"bogus\": path does not have enough components");
  CHECK(read_path("").error().message() ==
        "invalid path \"\": path does not have enough components");
  CHECK(read_path("/ipfs/").error().message() ==
        "invalid path \"/ipfs/\": path does not have enough components");
  CHECK(read_path("/ipfs/zz").error().message().starts_with("invalid path \"/ipfs/zz\": invalid"));
  CHECK(read_path("/http/x").error().message() ==
        "invalid path \"/http/x\": unknown namespace: \"http\"");
}

TEST_CASE("errors have Kubo's form") {
  CHECK(error_json("a \"b\"") == R"({"Message":"a \"b\"","Code":0,"Type":"error"})");
}

}  // namespace
}  // namespace ica::proxy
