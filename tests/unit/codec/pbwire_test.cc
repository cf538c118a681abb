#include "common/codec/pbwire.h"

#include <doctest/doctest.h>
#include <limits>

using namespace ica;
using namespace std::string_view_literals;
using namespace std::string_literals;

TEST_CASE("pbwire: writes and reads every kind of field") {
  Bytes out;
  PbWriter w(out);
  w.varint(1, 300).zigzag(2, -1).bytes(3, "abc").boolean(4, true);
  w.message(5, [](PbWriter& m) { m.varint(1, 7); });
  w.varint(6, std::numeric_limits<uint64_t>::max());
  w.zigzag(7, std::numeric_limits<int64_t>::min());
  CHECK(
      out.starts_with("\x08\xac\x02\x10\x01\x1a\x03"
                      "abc\x20\x01\x2a\x02\x08\x07"sv));
  PbReader in(out);
  REQUIRE(in.next());
  CHECK(in.field() == 1);
  CHECK(in.varint() == 300);
  REQUIRE(in.next());
  CHECK(in.zigzag() == -1);
  REQUIRE(in.next());
  CHECK(in.bytes() == "abc");
  REQUIRE(in.next());
  CHECK(in.boolean());
  REQUIRE(in.next());
  PbReader nested(in.bytes());
  REQUIRE(nested.next());
  CHECK(nested.varint() == 7);
  CHECK_FALSE(nested.next());
  REQUIRE(in.next());
  CHECK(in.varint() == std::numeric_limits<uint64_t>::max());
  REQUIRE(in.next());
  CHECK(in.zigzag() == std::numeric_limits<int64_t>::min());
  CHECK_FALSE(in.next());
  CHECK(in.status().has_value());
}

TEST_CASE("pbwire: the _or_skip calls leave defaults out") {
  Bytes out;
  PbWriter(out).varint_or_skip(1, 0).zigzag_or_skip(2, 0).bytes_or_skip(3, "");
  CHECK(out.empty());
  PbWriter(out).bytes(3, "");
  CHECK(out == "\x1a\x00"sv);
}

TEST_CASE("pbwire: nested messages of any length") {
  for (const size_t length : {0, 1, 125, 126, 127, 128, 129, 16381, 16384, 100'000}) {
    Bytes out = "before";
    const std::string payload(length, 'x');
    PbWriter w(out);
    w.message(2, [&](PbWriter& outer) {
      outer.message(3, [&](PbWriter& inner) { inner.bytes(1, payload); });
    });
    w.varint(9, 1);
    PbReader in(BytesView(out).substr(6));
    REQUIRE(in.next());
    PbReader outer(in.bytes());
    REQUIRE(outer.next());
    PbReader inner(outer.bytes());
    REQUIRE(inner.next());
    CHECK(inner.bytes() == payload);
    REQUIRE(in.next());
    CHECK(in.varint() == 1);
    CHECK_FALSE(in.next());
    CHECK(in.ok());
  }
}

TEST_CASE("pbwire: unknown fields of every wire type are skipped") {
  // fixed64, fixed32, a group with a nested group, then field 1.
  const Bytes message =
      "\x79"s + "12345678" + "\x7d" + "1234" + "\x7b\x0a\x01x\x83\x01\x84\x01\x7c"s + "\x08\x05"s;
  PbReader in(message);
  uint64_t value = 0;
  int fields = 0;
  while (in.next()) {
    ++fields;
    if (in.field() == 1) {
      value = in.varint();
    }
  }
  CHECK(in.ok());
  CHECK(value == 5);
  CHECK(fields == 3);
}

TEST_CASE("pbwire: damage stops the walk") {
  const std::string_view broken[] = {
      "\x08"sv,                                          // no value
      "\x08\xff"sv,                                      // cut varint
      "\x0a\x05xx"sv,                                    // cut bytes
      "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv,  // enormous length
      "\x00\x01"sv,                                      // field 0
      "\x0e\x01"sv,                                      // wire type 6
      "\x0c"sv,                                          // end of no group
      "\x0b"sv,                                          // group without end
      "\x0b\x14"sv,                                      // group with the wrong end
      "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"sv,  // 70 bits
      "\x79\x01\x02"sv,                                  // cut fixed64
  };
  for (const auto message : broken) {
    PbReader in(message);
    while (in.next()) {
    }
    CHECK_FALSE(in.ok());
    REQUIRE_FALSE(in.status().has_value());
    CHECK(in.status().error().code() == Code::InvalidArgument);
  }
  // Deep nesting of groups costs nothing and is refused.
  CHECK_FALSE(PbReader(std::string(1000, '\x0b')).next());
}

TEST_CASE("pbwire: asking for another type than the field has is damage") {
  PbReader in("\x08\x05\x08\x05"sv);
  REQUIRE(in.next());
  CHECK(in.bytes().empty());
  CHECK_FALSE(in.ok());
  CHECK_FALSE(in.next());
}
