#include "agent/ctl/pin_request.h"

#include <doctest/doctest.h>

namespace ica::ctl {
namespace {
const std::string kCid = "QmZfkxahnYCzHDawHwzLnYMWifagVQaBavFruo6SJ8UGrw";
}  // namespace

TEST_CASE("content paths") {
  CHECK(content_path(kCid).value() == "/ipfs/" + kCid);
  CHECK(content_path(kCid + "/a/../b/").value() == "/ipfs/" + kCid + "/b/");
  CHECK(content_path("/ipns/example.org/x").value() == "/ipns/example.org/x");
  CHECK(content_path("/ipld/" + kCid).value() == "/ipld/" + kCid);
  CHECK(content_path("").error().message() ==
        "invalid path \"/ipfs/\": path does not have enough components");
  CHECK(content_path("bogus").error().message() ==
        "invalid path \"/ipfs/bogus\": invalid cid: invalid cid: expected 1 as the cid version "
        "number, "
        "got: 113");
  CHECK(content_path("/").error().message().starts_with("invalid path \"/ipfs//\": "));
}

TEST_CASE("the query of a pin always has the same keys") {
  PinParameters pin;
  Query query;
  pin.write_to(query);
  CHECK(query.text() ==
        "mode=recursive&name=&replication-max=0&replication-min=0&shard-size=0&user-allocations=");
  pin.name = "é &";
  pin.metadata = {{"k", "v=1"}, {"", "dropped"}};
  pin.pin_update = kCid;
  pin.allocations = {"a", "b"};
  pin.expire_at = Time::from_unix(0);
  Query full;
  pin.write_to(full);
  CHECK(
      full.text() ==
      "expire-at=1970-01-01T00%3A00%3A00Z&meta-k=v%3D1&mode=recursive&name=%C3%A9+%26&pin-update=" +
          kCid + "&replication-max=0&replication-min=0&shard-size=0&user-allocations=a%2Cb");
}

}  // namespace ica::ctl
