#pragma once

#include "agent/config/environment.h"
#include "common/crypto/key.h"

namespace ica::config {

inline constexpr std::string_view kIdentityFile = "identity.json";

// Who this peer is: its key and the ID made from it. Thread-safety: a value.
struct Identity {
  PeerId id;
  PrivateKey key;

  static Identity generate();
  // The identity number `ordinal` of a seed: HKDF-SHA256 with the salt. The same three give the
  // same identity everywhere and at any time, so who has the seed has all of them.
  static Identity derive(BytesView seed, BytesView salt, uint32_t ordinal);
  // As identity.json has it. Errors: InvalidArgument, in the reference's words.
  static Result<Identity> parse(std::string_view json);
};

std::string to_json(const Identity& identity);

// CLUSTER_ID and CLUSTER_PRIVATEKEY (or its _FILE) over `identity`.
Result<Identity> apply_environment(const Environment& environment, const Identity& identity);

// The folder's identity.json with the environment over it. Folders of old peers have the identity
// in service.json: it is then written to identity.json, and `notice` says so for the user.
Result<Identity> load_identity(const std::filesystem::path& folder, const Environment& environment,
                               std::string& notice);

// Only the owner may read the file.
Status save_identity(const std::filesystem::path& folder, const Identity& identity);

}  // namespace ica::config
