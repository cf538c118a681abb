#include "common/crypto/hash.h"

#include <doctest/doctest.h>

#include "common/codec/multihash.h"
#include "common/crypto/random.h"
#include "tests/unit/vectors.h"

using namespace ica;

TEST_CASE("hash: known digests") {
  CHECK(base16(sha256("abc")) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(base16(md5("")) == "d41d8cd98f00b204e9800998ecf8427e");
  // RFC 4231, test case 2.
  CHECK(base16(hmac_sha256("Jefe", "what do ya want for nothing?")) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(base16(hmac_sha384("Jefe", "what do ya want for nothing?")).substr(0, 32) ==
        "af45d2e376484031617f78d2b58a6b1b");
  CHECK(base16(hmac_sha512("Jefe", "what do ya want for nothing?")).substr(0, 32) ==
        "164b7a7bfcf819e2e395fbe73b56e0a3");
}

TEST_CASE("hash: topics of clusters") {
  const auto vectors = test::load_vectors("topics.json");
  for (const auto& c : vectors["cases"]) {
    const std::string name = c["cluster_name"];
    CHECK(base16(md5(name)) == c["md5_hex"].get<std::string>());
    CHECK(make_multihash(multicodec::kMd5, name).value() == test::hex_field(c, "multihash_hex"));
  }
}

TEST_CASE("hash: data in pieces") {
  Sha256 h;
  h.update("a");
  h.update("");
  h.update("bc");
  CHECK(h.finish() == sha256("abc"));
  h.update("x");
  Sha256 moved = std::move(h);
  CHECK(moved.finish() == sha256("x"));
}

TEST_CASE("hash: every function that we have agrees with go-multihash") {
  const auto vectors = test::load_vectors("key-kinds.json");
  int computed = 0;
  for (const auto& c : vectors["hashes"]) {
    const std::string name = c["name"];
    CAPTURE(name);
    const auto code = hash_code_by_name(name);
    if (code.has_value()) {
      CHECK(*code == c["code"].get<uint64_t>());
    }
    if (!code.has_value() || !can_hash(*code)) {
      CHECK_FALSE(make_multihash(c["code"].get<uint64_t>(), "the data").has_value());
      continue;
    }
    const auto hash = make_multihash(*code, "the data");
    REQUIRE_MESSAGE(hash.has_value(), hash.error().message());
    if (c.contains("multihash_hex")) {
      CHECK(base16(*hash) == c["multihash_hex"].get<std::string>());
      ++computed;
    }
  }
  CHECK(computed >= 50);
  CHECK(make_multihash(0x1100, "x").error().code() == Code::Unsupported);
  CHECK_FALSE(hash_code_by_name("sha2-384").has_value());  // go-multihash has no name for it
  CHECK(make_multihash(0x20, "x").has_value());
  CHECK(hash_code_by_name("blake2s-128") == 0xb250);
  CHECK_FALSE(hash_code_by_name("nonsense").has_value());
  CHECK_FALSE(hash_code_by_name("").has_value());
}

TEST_CASE("hash: blocks and chunks of every length") {
  const auto vectors = test::load_vectors("hash-lengths.json");
  for (const auto& c : vectors["cases"]) {
    CAPTURE(c.dump());
    Bytes data(c["length"].get<size_t>(), '\0');
    for (size_t i = 0; i < data.size(); ++i) {
      data[i] = static_cast<char>(i % 251);
    }
    const auto hash = make_multihash(c["code"].get<uint64_t>(), data);
    REQUIRE(hash.has_value());
    CHECK(base16(*hash) == c["multihash_hex"].get<std::string>());
  }
}

TEST_CASE("hash: blocks are held against their CIDs") {
  const Bytes hash = make_multihash(multicodec::kSha2_256, "block").value();
  const Cid v1 = Cid::make_v1(multicodec::kRaw, hash);
  CHECK(check_block(v1, "block").has_value());
  CHECK(check_block(Cid::make_v0(hash), "block").has_value());
  CHECK(check_block(v1, "blocK").error().code() == Code::Corrupt);
  CHECK_FALSE(check_block(Cid(), "block").has_value());
  CHECK(check_block(Cid::make_v1(multicodec::kRaw, encode_multihash(0x1100, std::string(32, 'x'))),
                    "block")
            .error()
            .code() == Code::Unsupported);
  // A digest that was cut counts while it is long enough to mean something.
  const Bytes digest = sha256("block");
  const auto cut = [&](size_t n) {
    return Cid::make_v1(multicodec::kRaw,
                        encode_multihash(multicodec::kSha2_256, BytesView(digest).substr(0, n)));
  };
  CHECK(check_block(cut(20), "block").has_value());
  CHECK_FALSE(check_block(cut(20), "other").has_value());
  CHECK_FALSE(check_block(cut(4), "block").has_value());
  CHECK_FALSE(check_block(cut(0), "block").has_value());
  const Cid inlined =
      Cid::make_v1(multicodec::kRaw, make_multihash(multicodec::kIdentity, "hi").value());
  CHECK(check_block(inlined, "hi").has_value());
  CHECK_FALSE(check_block(inlined, "hi!").has_value());
}

TEST_CASE("random: sizes, differences, bounds") {
  CHECK(random_bytes(0).empty());
  CHECK(random_bytes(32).size() == 32);
  CHECK(random_bytes(32) != random_bytes(32));
  CHECK(random_u64() != random_u64());
  for (int i = 0; i < 100; ++i) {
    CHECK(random_below(3) < 3);
  }
  CHECK(random_below(1) == 0);
  CHECK(equal_constant_time("abc", "abc"));
  CHECK_FALSE(equal_constant_time("abc", "abd"));
  CHECK_FALSE(equal_constant_time("abc", "ab"));
  CHECK(equal_constant_time("", ""));
  Bytes secret = "secret";
  wipe(secret);
  CHECK(secret == Bytes(6, '\0'));
}
