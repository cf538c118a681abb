#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"

namespace ica::web {

using Credentials = std::map<std::string, std::string>;  // user to password

// Who may use an HTTP API: basic credentials, or a JSON web token signed with a user's password
// (HS256, HS384, HS512). Comparisons take the same time whatever the difference.
// Thread-safety: all methods from any thread; reload() takes effect with the next request.
class Authenticator {
 public:
  // Without credentials everybody may.
  explicit Authenticator(std::optional<Credentials> credentials);

  void reload(std::optional<Credentials> credentials);
  bool required() const;

  struct Denied {
    std::string message;                  // "unauthorized: no auth provided", ...
    std::vector<std::string> challenges;  // values of Www-Authenticate
  };
  // Nothing when the Authorization header's value is good, or nobody needs one.
  std::optional<Denied> check(std::string_view authorization, Time now) const;

  // A token for the user whom the header names; always the same one for a user and password.
  // Unauthorized "unauthorized" when there are no credentials at all or the header names nobody.
  Result<std::string> token(std::string_view authorization, Time now) const;

 private:
  std::shared_ptr<const Credentials> snapshot() const;

  mutable std::mutex mutex_;
  std::shared_ptr<const Credentials> credentials_;  // null: none needed
};

// A token with the single claim iss.
std::string make_token(std::string_view user, std::string_view password);
// The user of a good token. `now` is held against exp, nbf and iat.
Result<std::string> verify_token(const Credentials& credentials, std::string_view token, Time now);

}  // namespace ica::web
