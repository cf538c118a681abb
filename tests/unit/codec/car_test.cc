#include "common/codec/car.h"

#include <doctest/doctest.h>

#include "common/codec/cbor_cursor.h"
#include "common/codec/varint.h"
#include "tests/unit/vectors.h"

using namespace ica;

namespace {

const Cid& v0() {
  static const Cid cid = Cid::parse("QmP63DkAFEnDYNjDYBpyNDfttu1fvUw99x1brscPzpqmmq").value();
  return cid;
}

const Cid& v1() {
  static const Cid cid =
      Cid::parse("bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4").value();
  return cid;
}

Bytes archive() {
  Bytes out;
  append_car_header(out, {v1()});
  append_car_block(out, v1(), "one");
  append_car_block(out, v0(), "");
  append_car_block(out, v1(), std::string(1000, 'x'));
  return out;
}

Status read_all(BytesView data, size_t piece, std::vector<CarBlock>& blocks, CarReader& car) {
  for (size_t at = 0; at < data.size(); at += piece) {
    car.push(data.substr(at, piece));
    while (true) {
      TRY(auto block, car.next());
      if (!block.has_value()) {
        break;
      }
      blocks.push_back(std::move(*block));
    }
  }
  return car.finish();
}

std::string error_of(BytesView data, CarLimits limits = {}) {
  std::vector<CarBlock> blocks;
  CarReader car(limits);
  const Status status = read_all(data, 7, blocks, car);
  return status.has_value() ? "" : status.error().message();
}

Bytes with_header(const Bytes& header) {
  Bytes out;
  append_varint(out, header.size());
  return out + header;
}

}  // namespace

TEST_CASE("car: written and read in pieces of any size") {
  const Bytes data = archive();
  for (size_t piece = 1; piece <= data.size() + 1; ++piece) {
    std::vector<CarBlock> blocks;
    CarReader car;
    CHECK(car.roots() == nullptr);
    REQUIRE(read_all(data, piece, blocks, car).has_value());
    REQUIRE(car.roots() != nullptr);
    CHECK(*car.roots() == std::vector<Cid>{v1()});
    REQUIRE(blocks.size() == 3);
    CHECK(blocks[0].cid == v1());
    CHECK(blocks[0].data == "one");
    CHECK(blocks[1].cid == v0());
    CHECK(blocks[1].data.empty());
    CHECK(blocks[2].data.size() == 1000);
  }
}

TEST_CASE("car: the header's bytes") {
  Bytes out;
  append_car_header(out, {v0()});
  CHECK(base16(out) ==
        "38a265726f6f747381d82a5823001220" + base16(v0().bytes()).substr(4) + "6776657273696f6e01");
  out.clear();
  append_car_header(out, {});
  CHECK(error_of(out).empty());
}

TEST_CASE("car: an end anywhere but between sections is told") {
  const Bytes data = archive();
  std::vector<size_t> ends;
  for (size_t cut = 0; cut <= data.size(); ++cut) {
    std::vector<CarBlock> blocks;
    CarReader car;
    const Status status = read_all(BytesView(data).substr(0, cut), 64, blocks, car);
    if (status.has_value()) {
      ends.push_back(cut);
    } else {
      CHECK(status.error().message() == (cut < 2 ? "EOF" : "unexpected EOF"));
    }
  }
  CHECK(ends.size() == 4);
  CHECK(ends.back() == data.size());
}

TEST_CASE("car: malformed archives") {
  using namespace std::string_literals;
  CHECK(error_of("not a car at all" + std::string(100, '!')).find("invalid header") !=
        std::string::npos);
  CHECK_FALSE(error_of(with_header("")).empty());
  CHECK_FALSE(error_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s).empty());
  Bytes version2 = archive();
  version2[version2.find("version") + 7] = 2;
  CHECK(error_of(version2) == "invalid header: invalid car version: 2");
  CHECK(error_of(with_header("\xa1\x65roots\x80"s)) == "invalid header: invalid car version: 0");
  CHECK(error_of(with_header("\xa1\x67version\x01"s)) == "invalid header: not a car header");
  CHECK_FALSE(error_of(with_header("\xa2\x65roots\x9b\xff\xff\xff\xff\xff\xff\xff\xff"s)).empty());
  CHECK_FALSE(error_of(with_header("\xa2\x67version\x01\x65other\x01"s)).empty());
  CHECK_FALSE(error_of(with_header("\xa2\x67version\x18\x01\x65roots\x80"s)).empty());
  CHECK_FALSE(error_of(with_header("\xbf\x67version\x01\x65roots\x80\xff"s)).empty());
  CHECK_FALSE(error_of(with_header("\xa2\x67version\x01\x65roots\x80\x00"s)).empty());
  Bytes bad_block;
  append_car_header(bad_block, {v1()});
  append_varint(bad_block, 3);
  CHECK_FALSE(error_of(bad_block + "abc").empty());
  append_varint(bad_block, 0);
  CHECK_FALSE(error_of(bad_block).empty());
}

TEST_CASE("car: limits hold before anything is kept") {
  CarLimits limits;
  limits.header_bytes = 10;
  CHECK_FALSE(error_of(archive(), limits).empty());
  limits = {};
  limits.section_bytes = 500;
  CHECK(error_of(archive(), limits).find("over the limit of 500") != std::string::npos);
}

TEST_CASE("cbor: heads of every size") {
  for (const uint64_t value : {0ULL, 23ULL, 24ULL, 255ULL, 256ULL, 65535ULL, 65536ULL,
                               0xffffffffULL, 0x100000000ULL, ~0ULL}) {
    Bytes out;
    append_cbor_head(out, 0, value);
    CborCursor in(out);
    CHECK(in.unsigned_integer().value() == value);
    CHECK(in.at_end());
    CHECK_FALSE(
        CborCursor(BytesView(out).substr(0, out.size() - 1)).unsigned_integer().has_value());
  }
  Bytes link;
  append_cbor_link(link, v1());
  CHECK(CborCursor(link).link().value() == v1());
  CHECK_FALSE(CborCursor("\xc1\x01").link().has_value());
  CHECK_FALSE(CborCursor("\xd8\x2a\x41\x01").link().has_value());
}
