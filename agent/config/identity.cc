#include "agent/config/identity.h"

#include <nlohmann/json.hpp>

#include "agent/config/go_indent.h"
#include "agent/config/service_json.h"
#include "common/base/file.h"
#include "common/base/json_writer.h"
#include "common/crypto/hash.h"

namespace ica::config {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxIdentityBytes = 64 << 10;

Result<Identity> make(std::string_view id_text, std::string_view key_text) {
  TRY(auto id, PeerId::parse(id_text).context("error decoding cluster ID"));
  TRY(auto key, PrivateKey::from_base64(key_text).context("error decoding private_key"));
  if (key.peer_id() != id) {
    return fail(Code::InvalidArgument, "identity ID does not match the private_key");
  }
  return Identity{std::move(id), std::move(key)};
}

std::string member(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<Identity> from_object(const Json& object) {
  if (!object.is_object()) {
    return fail(Code::InvalidArgument, "not a JSON object");
  }
  return make(member(object, "id"), member(object, "private_key"));
}

// identity.json came with version 0.11; before, both values were in the cluster section.
Result<Identity> from_old_service_json(const std::filesystem::path& folder) {
  TRY(const auto text, read_file(folder / kServiceFile, kMaxServiceBytes));
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto cluster = json.is_object() ? json.find("cluster") : json.end();
  if (!json.is_object() || cluster == json.end() || !cluster->is_object() ||
      !cluster->contains("private_key")) {
    return fail(Code::NotFound,
                "{} is missing: it holds the identity of this peer; bring it back, or make a new "
                "one with init",
                (folder / kIdentityFile).string());
  }
  return from_object(*cluster).context("error loading identity");
}

}  // namespace

Identity Identity::generate() {
  PrivateKey key = PrivateKey::generate();
  PeerId id = key.peer_id();
  return {std::move(id), std::move(key)};
}

Identity Identity::derive(BytesView seed, BytesView salt, uint32_t ordinal) {
  // RFC 5869; an Ed25519 seed is as long as one block of SHA-256.
  const Bytes extracted = hmac_sha256(salt, seed);
  const Bytes info = "ipfs-cluster-agent identity " + std::to_string(ordinal) + '\x01';
  PrivateKey key = PrivateKey::from_seed(hmac_sha256(extracted, info));
  PeerId id = key.peer_id();
  return {std::move(id), std::move(key)};
}

Result<Identity> Identity::parse(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) {
    return fail(Code::InvalidArgument, "not valid JSON");
  }
  return from_object(json);
}

std::string to_json(const Identity& identity) {
  std::string compact;
  JsonWriter writer(compact);
  writer.begin_object();
  writer.key("id").string(identity.id.text());
  writer.key("private_key").string(identity.key.base64());
  writer.end_object();
  return go_indent(compact, "    ");
}

Result<Identity> apply_environment(const Environment& environment, const Identity& identity) {
  const auto id = environment.find("CLUSTER_ID");
  TRY(const auto key, secret_from_environment(environment, "CLUSTER_PRIVATEKEY"));
  if (id == environment.end() && !key) {
    return identity;
  }
  return make(id == environment.end() ? identity.id.text() : id->second,
              key ? *key : identity.key.base64());
}

Result<Identity> load_identity(const std::filesystem::path& folder, const Environment& environment,
                               std::string& notice) {
  const auto path = folder / kIdentityFile;
  std::optional<Identity> identity;
  const auto text = read_file(path, kMaxIdentityBytes);
  if (text) {
    TRY(identity, Identity::parse(*text).context("error loading identity from {}", path.string()));
  } else if (text.error().code() != Code::NotFound) {
    return fail(text.error());
  } else {
    TRY(identity, from_old_service_json(folder));
    TRY_VOID(save_identity(folder, *identity).context("error saving identity"));
    notice = fmt::format("\nNOTICE: identity information extracted from {} and saved as {}.\n\n",
                         (folder / kServiceFile).string(), path.string());
  }
  return apply_environment(environment, *identity)
      .context("error applying environment variables to the identity");
}

Status save_identity(const std::filesystem::path& folder, const Identity& identity) {
  return write_file(folder / kIdentityFile, to_json(identity), 0600);
}

}  // namespace ica::config
