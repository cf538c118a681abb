#include "common/crypto/noise.h"

#include <algorithm>
#include <doctest/doctest.h>

#include "tests/unit/vectors.h"

using namespace ica;

namespace {

constexpr const char* kYamux = "/yamux/1.0.0";

NoiseKey fixed(const Bytes& bytes) {
  NoiseKey key;
  REQUIRE(bytes.size() == key.size());
  std::copy(bytes.begin(), bytes.end(), key.begin());
  return key;
}

Bytes text(const NoiseKey& key) {
  return Bytes(key.begin(), key.end());
}

NoiseHandshake::Options options(NoiseHandshake::Role role, std::vector<std::string> muxers = {}) {
  NoiseHandshake::Options out;
  out.role = role;
  out.muxers = std::move(muxers);
  return out;
}

// The body of a frame with its length in front.
Bytes body(const Bytes& frame) {
  REQUIRE(frame.size() >= 2);
  CHECK(static_cast<size_t>(static_cast<uint8_t>(frame[0])) * 256 +
            static_cast<uint8_t>(frame[1]) ==
        frame.size() - 2);
  return frame.substr(2);
}

// Runs both sides against each other; the first error ends it.
Status run(NoiseHandshake& a, NoiseHandshake& b) {
  while (!a.done() || !b.done()) {
    NoiseHandshake& writer = a.our_turn() ? a : b;
    NoiseHandshake& reader = a.our_turn() ? b : a;
    TRY(const Bytes message, writer.write());
    TRY_VOID(reader.read(message));
  }
  return {};
}

}  // namespace

TEST_CASE("noise: the whole recorded handshake, from both sides") {
  const auto vectors = test::load_vectors("noise-xx.json");
  REQUIRE(vectors["cases"].size() == 1);
  const auto& c = vectors["cases"][0];
  auto io = options(NoiseHandshake::Role::Initiator, {kYamux});
  io.static_secret = fixed(test::hex_field(c, "initiator_static_private_hex"));
  io.ephemeral_secret = fixed(test::hex_field(c, "initiator_ephemeral_private_hex"));
  auto ro = options(NoiseHandshake::Role::Responder, {kYamux});
  ro.static_secret = fixed(test::hex_field(c, "responder_static_private_hex"));
  ro.ephemeral_secret = fixed(test::hex_field(c, "responder_ephemeral_private_hex"));
  const auto ikey = PrivateKey::from_seed(test::hex_field(c, "initiator_identity_seed_hex"));
  const auto rkey = PrivateKey::from_seed(test::hex_field(c, "responder_identity_seed_hex"));
  io.expected_peer = rkey.peer_id();
  NoiseHandshake initiator(ikey, io);
  NoiseHandshake responder(rkey, ro);

  REQUIRE(initiator.our_turn());
  REQUIRE_FALSE(responder.our_turn());
  const Bytes m1 = initiator.write().value();
  CHECK(base16(m1) == base16(body(test::hex_field(c, "frame1_initiator_hex"))));
  REQUIRE(responder.read(m1).has_value());
  const Bytes m2 = responder.write().value();
  CHECK(base16(m2) == base16(body(test::hex_field(c, "frame2_responder_hex"))));
  REQUIRE(initiator.read(m2).has_value());
  const Bytes m3 = initiator.write().value();
  CHECK(base16(m3) == base16(body(test::hex_field(c, "frame3_initiator_hex"))));
  REQUIRE(responder.read(m3).has_value());
  REQUIRE(initiator.done());
  REQUIRE(responder.done());

  NoiseSession i = initiator.finish();
  NoiseSession r = responder.finish();
  CHECK(i.handshake_hash == test::hex_field(c, "handshake_hash_hex"));
  CHECK(r.handshake_hash == i.handshake_hash);
  CHECK(text(i.send.key()) == test::hex_field(c, "key_initiator_to_responder_hex"));
  CHECK(text(i.receive.key()) == test::hex_field(c, "key_responder_to_initiator_hex"));
  CHECK(i.remote_peer == rkey.peer_id());
  CHECK(r.remote_peer == ikey.peer_id());
  CHECK(i.muxer == kYamux);
  CHECK(r.muxer == kYamux);

  Bytes wire;
  noise_seal_frames(i.send, c["transport_plain_i2r_0"].get<std::string>(), wire);
  CHECK(wire == test::hex_field(c, "transport_frame_i2r_0_hex"));
  Bytes plain;
  REQUIRE(r.receive.open(body(wire), {}, plain).has_value());
  CHECK(plain == c["transport_plain_i2r_0"].get<std::string>());
  wire.clear();
  noise_seal_frames(i.send, c["transport_plain_i2r_1"].get<std::string>(), wire);
  CHECK(wire == test::hex_field(c, "transport_frame_i2r_1_hex"));
  wire.clear();
  noise_seal_frames(r.send, c["transport_plain_r2i_0"].get<std::string>(), wire);
  CHECK(wire == test::hex_field(c, "transport_frame_r2i_0_hex"));
}

TEST_CASE("noise: long data goes in several frames") {
  NoiseHandshake a(PrivateKey::generate(), options(NoiseHandshake::Role::Initiator));
  NoiseHandshake b(PrivateKey::generate(), options(NoiseHandshake::Role::Responder));
  REQUIRE(run(a, b).has_value());
  NoiseSession sender = a.finish();
  NoiseSession receiver = b.finish();
  CHECK(sender.muxer.empty());
  const Bytes plain(kNoiseMaxPlain * 2 + 5, 'x');
  Bytes wire;
  noise_seal_frames(sender.send, plain, wire);
  Bytes read;
  int frames = 0;
  for (size_t at = 0; at < wire.size();) {
    const size_t length = static_cast<size_t>(static_cast<uint8_t>(wire[at])) * 256 +
                          static_cast<uint8_t>(wire[at + 1]);
    REQUIRE(length <= kNoiseMaxMessage);
    REQUIRE(receiver.receive.open(BytesView(wire).substr(at + 2, length), {}, read).has_value());
    at += 2 + length;
    ++frames;
  }
  CHECK(frames == 3);
  CHECK(read == plain);
  wire.clear();
  noise_seal_frames(sender.send, "", wire);
  CHECK(wire.size() == kNoiseLengthBytes + NoiseCipher::kTag);
}

TEST_CASE("noise: the initiator's order of muxers counts, and none in common is no error") {
  const auto agreed = [](std::vector<std::string> first, std::vector<std::string> second) {
    NoiseHandshake a(PrivateKey::generate(), options(NoiseHandshake::Role::Initiator, first));
    NoiseHandshake b(PrivateKey::generate(), options(NoiseHandshake::Role::Responder, second));
    REQUIRE(run(a, b).has_value());
    std::string one = a.finish().muxer;
    CHECK(b.finish().muxer == one);
    return one;
  };
  CHECK(agreed({"a", "b"}, {"b", "a"}) == "a");
  CHECK(agreed({"x", "b"}, {"b", "a"}) == "b");
  CHECK(agreed({"x"}, {"y"}).empty());
  CHECK(agreed({}, {"y"}).empty());
}

TEST_CASE("noise: another peer than expected is refused") {
  auto o = options(NoiseHandshake::Role::Initiator);
  o.expected_peer = PrivateKey::generate().peer_id();
  NoiseHandshake a(PrivateKey::generate(), o);
  NoiseHandshake b(PrivateKey::generate(), options(NoiseHandshake::Role::Responder));
  const Status status = run(a, b);
  REQUIRE_FALSE(status.has_value());
  CHECK(status.error().code() == Code::Protocol);
  CHECK(status.error().message().find("peer id mismatch") != std::string::npos);
}

TEST_CASE("noise: RSA identities") {
  const auto vectors = test::load_vectors("key-kinds.json");
  const auto rsa =
      PrivateKey::from_base64(vectors["keys"][0]["private_base64"].get<std::string>()).value();
  REQUIRE(rsa.type() == KeyType::Rsa);
  NoiseHandshake a(rsa, options(NoiseHandshake::Role::Initiator));
  NoiseHandshake b(PrivateKey::generate(), options(NoiseHandshake::Role::Responder));
  REQUIRE(run(a, b).has_value());
  CHECK(b.finish().remote_peer == rsa.peer_id());
}

TEST_CASE("noise: a changed bit anywhere, or a cut, ends the handshake") {
  for (int step = 0; step < 3; ++step) {
    for (int place = 0; place < 40; ++place) {
      NoiseHandshake a(PrivateKey::generate(), options(NoiseHandshake::Role::Initiator, {kYamux}));
      NoiseHandshake b(PrivateKey::generate(), options(NoiseHandshake::Role::Responder, {kYamux}));
      bool failed = false;
      for (int i = 0; i < 3 && !failed; ++i) {
        NoiseHandshake& writer = a.our_turn() ? a : b;
        NoiseHandshake& reader = a.our_turn() ? b : a;
        auto message = writer.write();
        if (!message.has_value()) {
          failed = true;
          break;
        }
        if (i == step) {
          if (place == 0) {
            message->pop_back();
          } else {
            char& c = (*message)[message->size() * static_cast<size_t>(place) / 40];
            c = static_cast<char>(c ^ 1);
          }
        }
        failed = !reader.read(*message).has_value();
      }
      CAPTURE(step);
      CAPTURE(place);
      CHECK(failed);
    }
  }
}

TEST_CASE("noise: points that give a known secret are refused") {
  NoiseHandshake b(PrivateKey::generate(), options(NoiseHandshake::Role::Responder));
  REQUIRE(b.read(Bytes(32, '\0')).has_value());
  CHECK_FALSE(b.write().has_value());
}

TEST_CASE("noise: frames cannot be changed, repeated or reordered") {
  NoiseKey key{};
  NoiseCipher sender(key);
  NoiseCipher receiver(key);
  Bytes one;
  Bytes two;
  sender.seal("one", {}, one);
  sender.seal("two", {}, two);
  Bytes out;
  CHECK_FALSE(NoiseCipher(receiver).open(two, {}, out).has_value());
  CHECK(out.empty());
  Bytes changed = one;
  changed[0] = static_cast<char>(changed[0] ^ 1);
  CHECK_FALSE(NoiseCipher(receiver).open(changed, {}, out).has_value());
  CHECK_FALSE(NoiseCipher(receiver).open("short", {}, out).has_value());
  CHECK(receiver.open(one, {}, out).has_value());
  CHECK_FALSE(NoiseCipher(receiver).open(one, {}, out).has_value());
  CHECK(receiver.open(two, {}, out).has_value());
  CHECK(out == "onetwo");
}
