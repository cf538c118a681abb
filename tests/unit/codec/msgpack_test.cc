#include "common/codec/msgpack.h"

#include <limits>

#include "common/codec/cid.h"
#include "common/codec/peer_id.h"
#include "tests/unit/vectors.h"

using namespace ica;
using namespace std::string_literals;

namespace {

template <typename F>
Bytes written(F write) {
  Bytes out;
  MsgpackWriter writer(out);
  write(writer);
  return out;
}

}  // namespace

TEST_CASE("msgpack: takes every form that Go takes") {
  const nlohmann::json all_cases = test::load_vectors("msgpack-decoder-leniency.json")["cases"];
  for (const auto& item : all_cases) {
    const std::string name = item["name"];
    CAPTURE(name);
    const Bytes input = test::hex_field(item, "input_hex");
    MsgpackScanner scanner(1000);
    CHECK(scanner.scan(input).value());
    CHECK(scanner.size() == input.size());

    MsgpackReader in(input);
    const auto& expected = item["decoded_json"];
    if (name.starts_with("peer ID")) {
      CHECK(PeerId::from_bytes(in.raw()).value().text() == expected.get<std::string>());
    } else if (name.starts_with("cid")) {
      CHECK(Cid::from_bytes(in.raw()).value().text() == expected.get<std::string>());
    } else if (name.starts_with("string")) {
      CHECK(in.raw() == std::string(expected));
    } else if (name.starts_with("time")) {
      CHECK(in.time() == Time::parse(std::string(expected)).value());
    } else if (name.starts_with("int64")) {
      CHECK(in.integer() == int64_t(expected));
    } else if (name.starts_with("bytes")) {
      CHECK(in.raw() == "\x01\x02");
    } else if (name.starts_with("struct{}")) {
      MsgpackFields fields(in, {});
      CHECK(!fields.next());
    } else if (name.starts_with("service id")) {
      static constexpr std::string_view kNames[] = {"Name", "Method"};
      std::string got[2];
      MsgpackFields fields(in, kNames);
      while (fields.next()) {
        got[fields.index()] = in.raw();
      }
      CHECK(got[0] == "X");
      CHECK(got[1] == "Y");
    } else {
      static constexpr std::string_view kNames[] = {"n", "p"};
      std::string got[2];
      MsgpackFields fields(in, kNames);
      while (fields.next()) {
        got[fields.index()] = in.raw();
      }
      CHECK(got[0] == expected["name"].get<std::string>());
      CHECK(PeerId::from_bytes(got[1]).value().text() == expected["peer"].get<std::string>());
    }
    CHECK(in.ok());
    CHECK(in.at_end());
  }
}

TEST_CASE("msgpack: integers as Go writes them, read back from every width") {
  const std::pair<int64_t, std::string> kSigned[] = {
      {0, "00"},
      {127, "7f"},
      {128, "d10080"},
      {12345, "d13039"},
      {32768, "d200008000"},
      {int64_t{1} << 31, "d30000000080000000"},
      {-1, "ff"},
      {-32, "e0"},
      {-33, "d0df"},
      {-128, "d080"},
      {-129, "d1ff7f"},
      {-32769, "d2ffff7fff"},
      {std::numeric_limits<int64_t>::min(), "d38000000000000000"}};
  for (const auto& [value, hex] : kSigned) {
    CAPTURE(value);
    const Bytes bytes = test::from_hex(hex);
    CHECK(written([value = value](MsgpackWriter& w) { w.integer(value); }) == bytes);
    MsgpackReader in(bytes);
    CHECK(in.integer() == value);
    CHECK(in.ok());
  }
  const std::pair<uint64_t, std::string> kUnsigned[] = {
      {127, "7f"},
      {128, "cc80"},
      {256, "cd0100"},
      {65536, "ce00010000"},
      {10000000000, "cf00000002540be400"},
      {std::numeric_limits<uint64_t>::max(), "cfffffffffffffffff"}};
  for (const auto& [value, hex] : kUnsigned) {
    CAPTURE(value);
    const Bytes bytes = test::from_hex(hex);
    CHECK(written([value = value](MsgpackWriter& w) { w.unsigned_integer(value); }) == bytes);
    MsgpackReader in(bytes);
    CHECK(in.unsigned_integer() == value);
    CHECK(in.ok());
  }
  // Out of the range asked for.
  MsgpackReader too_large("\xcf\xff\xff\xff\xff\xff\xff\xff\xff");
  (void)too_large.integer();
  CHECK(!too_large.ok());
  MsgpackReader negative("\xff");
  (void)negative.unsigned_integer();
  CHECK(!negative.ok());
  // A signed form of a positive number is one all the same.
  MsgpackReader positive("\xd0\x07");
  CHECK(positive.unsigned_integer() == 7);
  CHECK(positive.ok());
}

TEST_CASE("msgpack: strings, times, floats and nil") {
  for (const size_t size : {0U, 31U, 32U, 65535U, 65536U}) {
    const Bytes text(size, 'x');
    const Bytes bytes = written([&](MsgpackWriter& w) { w.raw(text); });
    CHECK(bytes.size() == size + (size < 32 ? 1 : size < 65536 ? 3 : 5));
    MsgpackReader in(bytes);
    CHECK(in.raw() == text);
  }
  for (const char* moment : {"0001-01-01T00:00:00Z", "1969-12-31T23:59:59.5Z",
                             "2023-11-14T22:13:20Z", "2023-11-14T22:13:20.123456789Z",
                             "2106-02-07T06:28:16Z", "2600-01-01T00:00:00.000000001Z"}) {
    CAPTURE(moment);
    const Time time = Time::parse(moment).value();
    const Bytes bytes = written([&](MsgpackWriter& w) { w.time(time); });
    MsgpackReader in(bytes);
    CHECK(in.time() == time);
    CHECK(in.ok());
    CHECK(in.at_end());
  }
  const Bytes half = written([](MsgpackWriter& w) { w.number(0.5); });
  MsgpackReader in(half);
  CHECK(in.number() == 0.5);
  const Bytes single = "\xca\x3f\x00\x00\x00"s;
  MsgpackReader narrow(single);
  CHECK(narrow.number() == 0.5);

  MsgpackReader nils("\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0");
  CHECK(nils.raw().empty());
  CHECK(nils.integer() == 0);
  CHECK(nils.unsigned_integer() == 0);
  CHECK(nils.number() == 0);
  CHECK(!nils.boolean());
  CHECK(nils.time().is_zero());
  CHECK(nils.array() == 0);
  CHECK(nils.map() == 0);
  CHECK(nils.ok());
  CHECK(nils.at_end());
}

TEST_CASE("msgpack: structs") {
  Bytes out;
  {
    MsgpackStruct fields(out);
    fields.key("a").integer(1);
    fields.key("b").raw("two");
  }
  CHECK(out == "\x82\xa1\x61\x01\xa1\x62\xa3two");
  out.clear();
  {
    MsgpackStruct fields(out);
    for (int i = 0; i < 16; ++i) {
      fields.key("k").nil();
    }
  }
  CHECK(out.substr(0, 4) == "\xde\x00\x10\xa1"s);

  static constexpr std::string_view kNames[] = {"a", "b"};
  // Unknown keys with values of any depth, keys that are no text, fields that nobody reads.
  const Bytes odd =
      "\x85\xa1z\x92\x01\x81\xa1q\xc0\x07\x08\xa1"
      "a\x91\x05\xa1"
      "b\x09\xa1"
      "y\xc4\x01\xff";
  MsgpackReader in(odd);
  MsgpackFields fields(in, kNames);
  REQUIRE(fields.next());
  CHECK(fields.index() == 0);
  REQUIRE(fields.next());
  CHECK(fields.index() == 1);
  CHECK(in.integer() == 9);
  CHECK(!fields.next());
  CHECK(in.ok());
  CHECK(in.at_end());

  MsgpackReader array("\x93\x01\x02\x03");
  MsgpackFields items(array, kNames);
  int64_t sum = 0;
  while (items.next()) {
    sum += array.integer();
  }
  CHECK(sum == 3);
  CHECK(array.at_end());
}

TEST_CASE("msgpack: damage") {
  for (const Bytes& input :
       {""s, "\xc1"s, "\xa5"s + "abc"s, "\xda\x00"s, "\x92\x01"s, "\xdd\xff\xff\xff\xff"s,
        "\xdf\xff\xff\xff\xff\x01"s, "\xdb\xff\xff\xff\xff"s, "\xc7\x01"s, "\xcf\x00"s}) {
    CAPTURE(input.size());
    MsgpackReader in(input);
    in.skip();
    CHECK(!in.ok());
    CHECK(in.at_end());
    CHECK(in.status().error().message() == "malformed msgpack");
  }
  MsgpackReader wrong("\xa1x");
  CHECK(wrong.array() == 0);
  CHECK(!wrong.ok());
  CHECK(wrong.raw().empty());
  MsgpackReader time("\xa3xyz");
  CHECK(time.time().is_zero());
  CHECK(!time.ok());
}

TEST_CASE("msgpack: a scanner finds the end however the bytes arrive") {
  Bytes value;
  MsgpackWriter writer(value);
  writer.array(3);
  writer.raw(Bytes(70000, 'x'));
  writer.map(2);
  for (int i = 0; i < 4; ++i) {
    writer.unsigned_integer(uint64_t{1} << (16 * i));
  }
  writer.time(Time::from_unix(1, 1));
  const Bytes both = value + "\x01";
  for (const size_t step : {1U, 7U, 1000U, 65536U, 100000U}) {
    MsgpackScanner scanner(100000);
    for (size_t have = 0;; have += step) {
      const size_t size = std::min(have, both.size());
      const bool complete = scanner.scan(BytesView(both).substr(0, size)).value();
      REQUIRE(complete == (size >= value.size()));
      if (complete) {
        CHECK(scanner.size() == value.size());
        break;
      }
    }
    scanner.restart();
    CHECK(scanner.scan(both.substr(value.size())).value());
    CHECK(scanner.size() == 1);
  }
}

TEST_CASE("msgpack: a scanner refuses what promises too much, at the promise") {
  for (const Bytes& input : {"\xdb\x00\x01\x00\x00"s, "\xdd\xff\xff\xff\xff"s,
                             "\xdf\x7f\xff\xff\xff"s, "\xc9\xff\xff\xff\xff"s}) {
    MsgpackScanner scanner(65536);
    CHECK(scanner.scan(input).error().code() == Code::TooLarge);
  }
  // An endless map of maps costs no more than its bytes.
  MsgpackScanner scanner(1 << 20);
  const Bytes nested(1 << 20, '\x8f');
  CHECK(scanner.scan(nested).error().code() == Code::TooLarge);
}
