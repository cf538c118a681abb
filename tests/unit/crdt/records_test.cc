#include "agent/crdt/records.h"

#include "tests/unit/crdt/support.h"

namespace ica::crdt {
namespace {

TEST_CASE("keys of pins are kept in binary and come back as they were") {
  const std::string v1 = "/AFYBEIGDYRZT5SFP7UDM7HU76UH7Y26NF3EFUYLQABF3OCLGTQY55FBZDI";
  const std::string v0 = "/CIQAWHLNSWVOD7E2KSWW5MMNS2FPEOZHYUP3M3MLYIOMTGPK54QIO2A";
  for (const auto& key : {v1, v0}) {
    const Bytes packed = pack_key(key);
    CHECK(packed.size() < 40);
    CHECK(key_text(packed) == key);
    CHECK(cid_of_key(packed).defined());
    CHECK(pack_key(cid_of_key(packed)) == packed);
  }
}

TEST_CASE("other keys are text, cleaned as the reference's datastore does") {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"/A", "/A"}, {"A", "/A"}, {"//A///b/", "/A/b"},   {"/a/./b/../c", "/a/c"}, {"/../x", "/x"},
      {"", "/"},    {"/", "/"},  {"/afybei", "/afybei"}, {"/AAAA", "/AAAA"}};
  for (const auto& [in, out] : table) {
    CHECK(key_text(pack_key(in)) == out);
    CHECK_FALSE(cid_of_key(pack_key(in)).defined());
  }
  // Base32 that is not canonical (a set low bit in the last character) is another key.
  std::string other = "/AFYBEIGDYRZT5SFP7UDM7HU76UH7Y26NF3EFUYLQABF3OCLGTQY55FBZDJ";
  CHECK_FALSE(cid_of_key(pack_key(other)).defined());
  CHECK(key_text(pack_key(other)) == other);
}

TEST_CASE("ids of blocks are kept in binary, others as text") {
  const std::string id = "/CIQFHX35WI4HSOGPHRD3GSSZIIY46MLMD74NCRQWIN4YGF56EVM5W5I";
  const Bytes packed = pack_id(id);
  CHECK(packed.size() == 33);
  CHECK(digest_of_id(packed).size() == kDigestBytes);
  CHECK(id_text(packed) == id);
  for (const std::string odd : {"/CIQ", "CIQFHX35WI4HSOGPHRD3GSSZIIY46MLMD74NCRQWIN4YGF56EVM5W5I",
                                "/DIQFHX35WI4HSOGPHRD3GSSZIIY46MLMD74NCRQWIN4YGF56EVM5W5I", ""}) {
    CHECK(digest_of_id(pack_id(odd)).empty());
  }
}

TEST_CASE("a pin's record is also readable as the pin's own protobuf") {
  const auto pin = test::test_pin(1, "name");
  const Bytes value = api::encode_pin(pin);
  for (const uint64_t priority : {uint64_t{0}, uint64_t{1}, uint64_t{300}, ~uint64_t{0}}) {
    const Bytes record = encode_current({value, priority});
    const auto back = decode_current(record);
    REQUIRE(back.has_value());
    CHECK(back->value == value);
    CHECK(back->priority == priority);
    CHECK(api::encode_pin(*pin_of_record(pin.cid, record)) == value);
    CHECK(api::encode_pin(*api::decode_pin(pin.cid, record)) == value);
  }
  CHECK(decode_current("short").error().code() == Code::Corrupt);
  CHECK(pin_of_record(pin.cid, "x").error().code() == Code::Corrupt);
}

TEST_CASE("numbers of variable length") {
  for (const uint64_t n : {uint64_t{0}, uint64_t{127}, uint64_t{128}, ~uint64_t{0}}) {
    Bytes out;
    append_uvarint(out, n);
    BytesView in = out;
    CHECK(take_uvarint(in) == n);
    CHECK(in.empty());
    BytesView cut = BytesView(out).substr(0, out.size() - 1);
    CHECK_FALSE(take_uvarint(cut).has_value());
  }
}

TEST_CASE("the digest tells keys and values apart") {
  const Bytes a = pack_key("/a");
  CHECK(digest_term(a, "x") == digest_term(a, "x"));
  CHECK(digest_term(a, "x") != digest_term(a, "y"));
  CHECK(digest_term("ab", "c") != digest_term("a", "bc"));
}

}  // namespace
}  // namespace ica::crdt
