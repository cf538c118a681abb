#include <doctest/doctest.h>

#include "common/web/auth.h"
#include "common/web/cors.h"
#include "common/web/router.h"

namespace ica::web {
namespace {

const Credentials kUsers = {{"alice", "wonder"}, {"bob", "builder"}, {"none", ""}};
const Time kNow = Time::from_unix(1'800'000'000);

// Made with other programs: {"iss":"alice","exp":1900000000} and so on, signed with "wonder".
std::string accepted(std::string_view token) {
  auto user = verify_token(kUsers, token, kNow);
  return user ? *user : std::string();
}

TEST_CASE("tokens: made and read back") {
  const std::string token = make_token("alice", "wonder");
  CHECK(token ==
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJhbGljZSJ9."
        "8B9KKTJxyuCMtKU-fIH1JDvVYZ6eahn2nyvKFWx6Big");
  CHECK(accepted(token) == "alice");
  CHECK(accepted(make_token("bob", "builder")) == "bob");
  CHECK(accepted(make_token("alice", "builder")).empty());
  CHECK(accepted(make_token("eve", "wonder")).empty());
  CHECK(accepted(make_token("none", "")).empty());
}

TEST_CASE("tokens: damage anywhere is refused") {
  const std::string token = make_token("alice", "wonder");
  for (size_t i = 0; i < token.size(); ++i) {
    CHECK(accepted(token.substr(0, i)).empty());
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    // The last character carries two bits that belong to nothing.
    if (i + 1 < token.size()) {
      CHECK_MESSAGE(accepted(changed).empty(), i);
    }
  }
  CHECK(accepted(token + ".x").empty());
  CHECK(accepted(token + "=").empty());
  // {"alg":"none","typ":"JWT"}, no signature
  CHECK(accepted("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJpc3MiOiJhbGljZSJ9.").empty());
}

TEST_CASE("who may pass") {
  Authenticator open(std::nullopt);
  CHECK(!open.check("", kNow));
  CHECK(!open.token("", kNow));
  Authenticator closed(kUsers);
  CHECK(closed.check("", kNow)->message == "unauthorized: no auth provided");
  CHECK(!closed.check("BASIC YWxpY2U6d29uZGVy", kNow));
  CHECK(closed.check("Basic YWxpY2U6d29uZGVyMQ==", kNow)->message == "unauthorized: access denied");
  CHECK(closed.check("Basic bm9uZTo=", kNow)->message == "unauthorized: access denied");
  CHECK(closed.check("Basic !!!", kNow)->message == "unauthorized: no auth provided");
  CHECK(closed.check("Digest x", kNow)->message == "unauthorized: no auth provided");
  CHECK(closed.check("Bearer", kNow)->message == "unauthorized: no auth provided");
  CHECK(closed.check("Bearer x", kNow)->message == "unauthorized: invalid token");
  CHECK(!closed.check("bearer " + make_token("bob", "builder"), kNow));
}

TEST_CASE("routes") {
  Router router;
  router.add("GET", "/pins/{cid}");
  router.add("POST", "/pins/{kind:ipfs|ipns}/{path...}");
  router.add("DELETE", "/pins/{cid}");
  auto match = router.match("POST", "/pins/ipns/a/b/c");
  CHECK(match.outcome == Router::Outcome::Found);
  CHECK(match.route == 1);
  CHECK(match.vars.at("path") == "a/b/c");
  CHECK(router.match("GET", "/pins/x").vars.at("cid") == "x");
  CHECK(router.match("GET", "/pins").outcome == Router::Outcome::NotFound);
  CHECK(router.match("GET", "").outcome == Router::Outcome::NotFound);
  CHECK(router.match("GET", "/pins/ipfs/a").outcome == Router::Outcome::MethodNotAllowed);
  CHECK(router.match("DELETE", "/pins/ipfs/a").outcome == Router::Outcome::NotFound);
  CHECK(router.match("HEAD", "/pins/x").outcome == Router::Outcome::MethodNotAllowed);
}

TEST_CASE("origins with a wildcard inside") {
  Cors cors;
  cors.origins = {"https://*.example.org", "http://good.example"};
  cors.methods = {"GET"};
  const auto allowed = [&cors](const std::string& origin) {
    http::Request request;
    request.method = "GET";
    request.headers.emplace_back("Origin", origin);
    const http::Headers headers = cors.response_headers(request);
    return std::string(http::find_header(headers, "Access-Control-Allow-Origin"));
  };
  CHECK(allowed("https://a.example.org") == "https://a.example.org");
  CHECK(allowed("HTTP://GOOD.example") == "HTTP://GOOD.example");
  CHECK(allowed("https://example.org").empty());
  CHECK(allowed("http://bad.example").empty());
}

}  // namespace
}  // namespace ica::web
