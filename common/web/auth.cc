#include "common/web/auth.h"

#include <nlohmann/json.hpp>
#include <openssl/crypto.h>

#include "common/base/bytes.h"
#include "common/base/json_writer.h"
#include "common/codec/multibase.h"
#include "common/crypto/hash.h"
#include "common/http/headers.h"

namespace ica::web {
namespace {

constexpr std::string_view kBasicChallenge = "Basic realm=\"Restricted IPFS Cluster API\"";
constexpr std::string_view kBearerChallenge = "Bearer realm=\"Restricted IPFS Cluster API\"";
constexpr size_t kMaxToken = 8192;

// Equal in time that depends on nothing but the first argument's length.
bool same(std::string_view a, std::string_view b) {
  const std::string da = hmac_sha256("compare", a);
  const std::string db = hmac_sha256("compare", b);
  return CRYPTO_memcmp(da.data(), db.data(), da.size()) == 0;
}

using Hmac = Bytes (*)(BytesView key, BytesView data);

Hmac hmac_of(std::string_view algorithm) {
  if (algorithm == "HS256") {
    return hmac_sha256;
  }
  if (algorithm == "HS384") {
    return hmac_sha384;
  }
  if (algorithm == "HS512") {
    return hmac_sha512;
  }
  return nullptr;
}

// What follows the scheme, when it is this one.
std::optional<std::string_view> after_scheme(std::string_view header, std::string_view scheme) {
  if (header.size() <= scheme.size() || header[scheme.size()] != ' ' ||
      !iequals(header.substr(0, scheme.size()), scheme)) {
    return std::nullopt;
  }
  return header.substr(scheme.size() + 1);
}

std::optional<std::pair<std::string, std::string>> basic(std::string_view header) {
  const auto encoded = after_scheme(header, "Basic");
  if (!encoded) {
    return std::nullopt;
  }
  const auto decoded = base64_decode(*encoded);
  if (!decoded) {
    return std::nullopt;
  }
  const size_t colon = decoded->find(':');
  if (colon == std::string::npos) {
    return std::nullopt;
  }
  return std::pair(decoded->substr(0, colon), decoded->substr(colon + 1));
}

bool good(const Credentials& credentials, const std::string& user, const std::string& password) {
  if (user.empty() || password.empty()) {
    return false;
  }
  const auto found = credentials.find(user);
  // An unknown user costs the same as a wrong password.
  const bool equal = same(password, found == credentials.end() ? password + "x" : found->second);
  return equal && found != credentials.end();
}

Result<double> claim(const nlohmann::json& claims, const char* name, double otherwise) {
  const auto found = claims.find(name);
  if (found == claims.end() || found->is_null()) {
    return otherwise;
  }
  if (!found->is_number()) {
    return fail(Code::Unauthorized, "token: {} is not a number", name);
  }
  return found->get<double>();
}

}  // namespace

std::string make_token(std::string_view user, std::string_view password) {
  std::string claims;
  JsonWriter json(claims);
  json.begin_object();
  json.key("iss").string(user);
  json.end_object();
  const std::string text = base64_url(R"({"alg":"HS256","typ":"JWT"})") + "." + base64_url(claims);
  return text + "." + base64_url(hmac_sha256(password, text));
}

Result<std::string> verify_token(const Credentials& credentials, std::string_view token, Time now) {
  const auto bad = [](std::string_view why) { return fail(Code::Unauthorized, "token: {}", why); };
  const size_t last = token.rfind('.');
  const size_t first = token.find('.');
  if (token.size() > kMaxToken || first == std::string_view::npos || first == last ||
      token.find('.', first + 1) != last) {
    return bad("not three parts");
  }
  const auto header = base64_url_decode(token.substr(0, first));
  const auto payload = base64_url_decode(token.substr(first + 1, last - first - 1));
  const auto signature = base64_url_decode(token.substr(last + 1));
  if (!header || !payload || !signature) {
    return bad("not base64");
  }
  const auto head = nlohmann::json::parse(*header, nullptr, false);
  const auto claims = nlohmann::json::parse(*payload, nullptr, false);
  if (!head.is_object() || !claims.is_object() || !head.contains("alg") ||
      !head["alg"].is_string() || !claims.contains("iss") || !claims["iss"].is_string()) {
    return bad("not readable");
  }
  const Hmac hmac = hmac_of(head["alg"].get_ref<const std::string&>());
  if (hmac == nullptr) {
    return bad("algorithm is not accepted");
  }
  const std::string user = claims["iss"].get<std::string>();
  const auto found = credentials.find(user);
  const bool known = found != credentials.end() && !found->second.empty();
  // An unknown issuer costs the same as a wrong signature.
  const std::string wanted =
      hmac(known ? std::string_view(found->second) : "-", token.substr(0, last));
  const bool equal = wanted.size() == signature->size() &&
                     CRYPTO_memcmp(wanted.data(), signature->data(), wanted.size()) == 0;
  if (!known || !equal) {
    return bad("unknown issuer or wrong signature");
  }
  const auto seconds = static_cast<double>(now.unix_seconds());
  TRY(const double expires, claim(claims, "exp", seconds + 1));
  TRY(const double not_before, claim(claims, "nbf", 0));
  TRY(const double issued, claim(claims, "iat", 0));
  if (seconds >= expires || seconds < not_before || seconds < issued) {
    return bad("not valid at this time");
  }
  return user;
}

Authenticator::Authenticator(std::optional<Credentials> credentials) {
  reload(std::move(credentials));
}

void Authenticator::reload(std::optional<Credentials> credentials) {
  auto fresh = credentials ? std::make_shared<const Credentials>(std::move(*credentials)) : nullptr;
  const std::lock_guard lock(mutex_);
  credentials_ = std::move(fresh);
}

std::shared_ptr<const Credentials> Authenticator::snapshot() const {
  const std::lock_guard lock(mutex_);
  return credentials_;
}

bool Authenticator::required() const {
  return snapshot() != nullptr;
}

std::optional<Authenticator::Denied> Authenticator::check(std::string_view authorization,
                                                          Time now) const {
  const auto credentials = snapshot();
  if (!credentials) {
    return std::nullopt;
  }
  if (const auto pair = basic(authorization)) {
    if (good(*credentials, pair->first, pair->second)) {
      return std::nullopt;
    }
    return Denied{"unauthorized: access denied", {std::string(kBasicChallenge)}};
  }
  if (const auto token = after_scheme(authorization, "Bearer")) {
    if (verify_token(*credentials, *token, now)) {
      return std::nullopt;
    }
    return Denied{"unauthorized: invalid token",
                  {std::string(kBearerChallenge) + ", error=\"invalid_token\""}};
  }
  return Denied{"unauthorized: no auth provided",
                {std::string(kBearerChallenge), std::string(kBasicChallenge)}};
}

Result<std::string> Authenticator::token(std::string_view authorization, Time now) const {
  const auto credentials = snapshot();
  std::string user;
  if (credentials) {
    if (auto pair = basic(authorization)) {
      // Asked again although the server has: the credentials may have been exchanged since.
      if (good(*credentials, pair->first, pair->second)) {
        user = std::move(pair->first);
      }
    } else if (const auto token = after_scheme(authorization, "Bearer")) {
      if (auto issuer = verify_token(*credentials, *token, now)) {
        user = std::move(*issuer);
      }
    }
    if (const auto found = credentials->find(user); found != credentials->end()) {
      return make_token(user, found->second);
    }
  }
  return fail(Code::Unauthorized, "unauthorized");
}

}  // namespace ica::web
