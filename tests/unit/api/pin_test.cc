#include "common/api/pin.h"

#include <doctest/doctest.h>

#include "common/codec/pbwire.h"
#include "tests/unit/vectors.h"

using namespace ica;
using namespace ica::api;

namespace {

using ordered = nlohmann::ordered_json;

ordered ordered_vectors() {
  std::ifstream in(std::string(ICA_TEST_DATA) + "/pin-protobuf.json");
  REQUIRE(in.good());
  return ordered::parse(in);
}

Pin sample() {
  Pin pin;
  pin.cid = Cid::parse("bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi").value();
  pin.options.replication_factor_min = 1;
  pin.options.replication_factor_max = 2;
  pin.options.name = "n";
  return pin;
}

}  // namespace

TEST_CASE("pin: protobuf, key and JSON of every vector") {
  const ordered vectors = ordered_vectors();
  REQUIRE(vectors["cases"].size() == 11);
  for (const auto& c : vectors["cases"]) {
    CAPTURE(c["name"].get<std::string>());
    const Bytes stored = test::from_hex(c["protobuf_hex"].get<std::string>());
    const auto cid = Cid::from_bytes(test::from_hex(c["cid_bytes_hex"].get<std::string>())).value();
    const std::string key = c["datastore_key"];
    CHECK(state_key(cid) == key);
    CHECK(cid_from_state_key(key).value() == cid);

    const auto made = pin_from_json(c["pin_json"].dump());
    REQUIRE_MESSAGE(made.has_value(), made.error().message());
    CHECK(made->cid == cid);
    CHECK(base16(encode_pin(*made)) == base16(stored));

    const auto read = decode_pin(cid, stored);
    REQUIRE_MESSAGE(read.has_value(), read.error().message());
    CHECK(to_json(*read) == c["json_after_roundtrip"].dump());
    CHECK(base16(encode_pin(*read)) == base16(stored));
  }
}

TEST_CASE("pin: recorded JSON is read and written back byte for byte") {
  const auto vectors = test::load_vectors("rest-bodies.json");
  REQUIRE(vectors["cases"]["pin"].size() >= 50);
  for (const auto& text : vectors["cases"]["pin"]) {
    const auto pin = pin_from_json(text.get<std::string>());
    REQUIRE_MESSAGE(pin.has_value(), pin.error().message());
    CHECK(to_json(*pin) == text.get<std::string>());
  }
}

TEST_CASE("pin: JSON escapes as Go does and sorts metadata") {
  Pin pin = sample();
  pin.options.name = "a<b>&\"\\\n\t\x01\xff\xe2\x80\xa8";
  pin.options.metadata = {{"z", "1"}, {"a", "<"}};
  const std::string json = to_json(pin);
  CHECK(json.find(R"("name":"a\u003cb\u003e\u0026\"\\\n\t\u0001\ufffd\u2028")") !=
        std::string::npos);
  CHECK(json.find(R"("metadata":{"a":"\u003c","z":"1"})") != std::string::npos);
  std::string inside;
  JsonWriter out(inside);
  out.begin_array();
  write_json(out, pin);
  write_json(out, pin);
  out.end_array();
  CHECK(inside == "[" + json + "," + json + "]");
}

TEST_CASE("pin: null and [] are told apart") {
  Pin pin = sample();
  CHECK(to_json(pin).find("\"allocations\":null") != std::string::npos);
  pin.allocations.present = true;
  pin.options.metadata_present = true;
  pin.options.origins.present = true;
  const std::string json = to_json(pin);
  CHECK(json.find("\"allocations\":[]") != std::string::npos);
  CHECK(json.find("\"metadata\":{}") != std::string::npos);
  CHECK(json.find("\"origins\":[]") != std::string::npos);
  const Pin read = pin_from_json(json).value();
  CHECK(read.allocations.present);
  CHECK(read.options.metadata_present);
  CHECK_FALSE(read.options.user_allocations.present);
  CHECK(to_json(read) == json);
}

TEST_CASE("pin: JSON that is no pin") {
  CHECK_FALSE(pin_from_json("").has_value());
  CHECK_FALSE(pin_from_json("[]").has_value());
  CHECK_FALSE(pin_from_json("{\"cid\":5}").has_value());
  CHECK_FALSE(pin_from_json("{\"cid\":\"bogus\"}").has_value());
  CHECK_FALSE(pin_from_json("{\"name\":7}").has_value());
  CHECK_FALSE(pin_from_json("{\"allocations\":[\"x\"]}").has_value());
  CHECK_FALSE(pin_from_json("{\"allocations\":{}}").has_value());
  CHECK_FALSE(pin_from_json("{\"origins\":[5]}").has_value());
  CHECK_FALSE(pin_from_json("{\"metadata\":{\"a\":1}}").has_value());
  CHECK_FALSE(pin_from_json("{\"expire_at\":\"soon\"}").has_value());
  CHECK_FALSE(pin_from_json("{\"max_depth\":99999999999}").has_value());
  CHECK_FALSE(pin_from_json("{\"shard_size\":-1}").has_value());
  CHECK_FALSE(pin_from_json("{\"type\":\"cat\"}").has_value());
  const auto pin = pin_from_json("{\"mode\":\"direct\",\"unknown\":[{}],\"name\":null}");
  REQUIRE(pin.has_value());
  CHECK(pin->max_depth == kMaxDepthDirect);
  CHECK(pin->type == PinType::Data);
}

TEST_CASE("pin: protobuf corners") {
  const Cid cid = sample().cid;
  // An empty value is a pin with defaults, of no type.
  const Pin empty = decode_pin(cid, "").value();
  CHECK(empty.cid == cid);
  CHECK(empty.type == PinType::Bad);
  CHECK(empty.options.mode == PinMode::Direct);
  CHECK(empty.timestamp.is_zero());

  // The CID comes from the key, whatever the value says.
  Pin other = sample();
  other.cid = Cid::make_v1(multicodec::kRaw, cid.multihash());
  CHECK(decode_pin(cid, encode_pin(other)).value().cid == cid);

  // Old metadata is read; the new form wins where both have a key, in any order.
  Bytes value;
  PbWriter(value).message(6, [](PbWriter& o) {
    o.message(10, [](PbWriter& e) { e.bytes(1, "k").bytes(2, "new"); });
    o.message(6, [](PbWriter& e) { e.bytes(1, "k").bytes(2, "old"); });
    o.message(6, [](PbWriter& e) { e.bytes(1, "only old").bytes(2, "v"); });
    o.bytes(99, "unknown");
  });
  const Pin old = decode_pin(cid, value).value();
  CHECK(old.options.metadata ==
        std::map<std::string, std::string>{{"k", "new"}, {"only old", "v"}});

  // What makes a pin unreadable in the reference does so here.
  const auto broken = [&](auto&& write) {
    Bytes bytes;
    PbWriter w(bytes);
    write(w);
    return !decode_pin(cid, bytes).has_value();
  };
  CHECK(broken([](PbWriter& w) { w.bytes(3, "not a peer"); }));
  CHECK(broken([](PbWriter& w) { w.message(6, [](PbWriter& o) { o.bytes(9, "\x04\x01"); }); }));
  CHECK(broken([](PbWriter& w) { w.message(6, [](PbWriter& o) { o.bytes(3, "\xff"); }); }));
  CHECK(broken([](PbWriter& w) { w.varint(3, 1); }));
  CHECK_FALSE(broken([](PbWriter& w) { w.bytes(5, "no cid").varint(2, 40).varint(55, 1); }));
  CHECK_FALSE(decode_pin(cid, "\x0a\xff").has_value());

  // Times that no calendar holds do not get through.
  value.clear();
  PbWriter(value).varint(7, ~0ULL >> 1);
  CHECK(decode_pin(cid, value).value().timestamp.utc().rfc3339() == "9999-12-31T23:59:59Z");
  value.clear();
  PbWriter(value).varint(7, 1ULL << 63);
  CHECK(decode_pin(cid, value).value().timestamp.utc().rfc3339() == "0000-01-01T00:00:00Z");
  // Before 1970 is possible.
  Pin early = sample();
  early.timestamp = Time::parse("1011-11-14T22:13:20.5Z").value();
  CHECK(decode_pin(cid, encode_pin(early)).value().timestamp.utc().rfc3339() ==
        "1011-11-14T22:13:20Z");
}

TEST_CASE("pin: text that is not UTF-8 never reaches the wire") {
  Pin pin = sample();
  pin.options.name =
      "a\xff"
      "b";
  CHECK_FALSE(has_valid_text(pin));
  const Pin read = decode_pin(pin.cid, encode_pin(pin)).value();
  CHECK(read.options.name ==
        "a\xef\xbf\xbd"
        "b");
  CHECK(has_valid_text(read));
  pin.options.name.clear();
  pin.options.metadata["\xc3"] = "x";
  CHECK_FALSE(has_valid_text(pin));
  pin.options.metadata = {{"x", "\xc3"}};
  CHECK_FALSE(has_valid_text(pin));
}

TEST_CASE("pin: type filters") {
  CHECK(parse_pin_type_filter("").value() == 30);
  CHECK(parse_pin_type_filter("all").value() == 30);
  CHECK(parse_pin_type_filter("pin").value() == 2);
  CHECK(parse_pin_type_filter("pin,shard-pin").value() == 18);
  CHECK((parse_pin_type_filter("pin,nonsense").value() & 30) == 2);
  CHECK(parse_pin_type_filter("nonsense").error().message() == "invalid filter value");
  CHECK_FALSE(parse_pin_type_filter("Pin, pin").has_value());
}

TEST_CASE("pin: replication factors") {
  const auto message = [](int min, int max) {
    const Status status = check_replication_factors(min, max);
    return status.has_value() ? std::string() : status.error().message();
  };
  CHECK(message(-1, -1).empty());
  CHECK(message(1, 1).empty());
  CHECK(message(2, 3).empty());
  CHECK(message(0, 1) == "cluster.replication_factor_min and max must be set");
  CHECK(message(3, 2) == "cluster.replication_factor_min is larger than max");
  CHECK(message(-2, 2) == "cluster.replication_factor_min is wrong");
  CHECK(message(-1, 2) == "cluster.replication_factor_min and max must be -1 when one of them is");
  CHECK(message(2, -1) == "cluster.replication_factor_min is larger than max");
}

TEST_CASE("pin: who holds it and when it ends") {
  const auto a = PeerId::parse("12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5").value();
  const auto b = PeerId::parse("12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq").value();
  Pin pin = sample();
  pin.allocations.items = {a};
  CHECK(pin.allocated_to(a));
  CHECK_FALSE(pin.allocated_to(b));
  pin.options.replication_factor_min = pin.options.replication_factor_max = -1;
  CHECK(pin.allocated_to(b));
  const Time now = Time::from_unix(1'700'000'000);
  CHECK_FALSE(pin.expired_at(now));
  pin.options.expire_at = Time::from_unix(0);
  CHECK_FALSE(pin.expired_at(now));
  pin.options.expire_at = now;
  CHECK_FALSE(pin.expired_at(now));
  CHECK(pin.expired_at(now.plus(std::chrono::nanoseconds(1))));
}
