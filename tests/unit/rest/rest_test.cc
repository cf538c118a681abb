#include "agent/rest/rest.h"

#include "tests/unit/rest/served.h"

namespace ica::rest {
namespace {

using test::Answer;
using test::cid_number;
using test::peer_id;
using test::Served;

const std::string kF0 = "QmfJQ4QDf4suppgtQKZcyrBb6aA8YU4DSv3hsBwiYdsFNr";
const std::string kNotFoundBody = "{\"code\":404,\"message\":\"not found\"}\n";

TEST_CASE("routes: wrong paths and methods") {
  Served served;
  for (const auto& [method, target] :
       std::vector<std::pair<std::string, std::string>>{{"GET", "/nope"},
                                                        {"GET", "/pins/a/b/c"},
                                                        {"GET", "/ID"},
                                                        {"POST", "/id"},
                                                        {"GET", "/add"},
                                                        {"GET", "/ipfs/gc"},
                                                        {"DELETE", "/pins"},
                                                        {"POST", "/pins"},
                                                        {"POST", "/monitor/metrics"},
                                                        {"DELETE", "/pins/" + kF0 + "/recover"},
                                                        {"DELETE", "/allocations/" + kF0},
                                                        {"DELETE", "/peers"},
                                                        {"OPTIONS", "/nope"},
                                                        {"GET", "/pins/ipfs/" + kF0},
                                                        {"POST", "/pins/ipxs/" + kF0},
                                                        {"GET", "/health/bogus"}}) {
    CAPTURE(method);
    CAPTURE(target);
    const Answer answer = served.ask(method, target);
    CHECK(answer.status == 404);
    CHECK(answer.body == kNotFoundBody);
    CHECK(answer.header("Content-Type") == "application/json");
    CHECK(answer.header("Vary") == "Origin");
  }
  for (const auto& [method, target] :
       std::vector<std::pair<std::string, std::string>>{{"PATCH", "/pins/" + kF0},
                                                        {"DELETE", "/token"},
                                                        {"DELETE", "/ipfs/gc"},
                                                        {"POST", "/health"},
                                                        {"HEAD", "/health"},
                                                        {"PUT", "/id"},
                                                        {"OPTIONS", "/id"}}) {
    CAPTURE(method);
    CAPTURE(target);
    const Answer answer = served.ask(method, target);
    CHECK(answer.status == 405);
    CHECK(answer.body.empty());
    CHECK(answer.header("Content-Type").empty());
    CHECK(answer.header("Vary") == "Origin");
  }
}

TEST_CASE("slashes and clean paths") {
  Served served;
  Answer answer = served.ask("GET", "/id/");
  CHECK(answer.status == 307);
  CHECK(answer.header("Location") == "/id");
  CHECK(answer.header("Content-Type") == "text/html; charset=utf-8");
  CHECK(answer.body == "<a href=\"/id\">Temporary Redirect</a>.\n\n");
  answer = served.ask("POST", "/pins/" + kF0 + "/?name=x&replication-min=1");
  CHECK(answer.status == 307);
  CHECK(answer.header("Location") == "/pins/" + kF0 + "?name=x&replication-min=1");
  CHECK(answer.body.empty());
  CHECK(answer.header("Content-Type").empty());
  CHECK(served.ask("GET", "/").header("Location") == "/");
  CHECK(served.ask("GET", "/id//").header("Location") == "/id/");
  CHECK(served.ask("POST", "/pins/ipld///").header("Location") == "/pins/ipld/");
  CHECK(served.ask("GET", "/id/?").header("Location") == "/id?");
  answer = served.ask("GET", "//id");
  CHECK(answer.status == 301);
  CHECK(answer.header("Location") == "/id");
  CHECK(answer.body.empty());
  CHECK(served.ask("GET", "/%69%64").status == 200);
  CHECK(served.ask("GET", "/version").body == "{\"version\":\"1.1.6\"}\n");
}

TEST_CASE("empty answers") {
  Served served;
  Answer answer = served.ask("GET", "/health");
  CHECK(answer.status == 204);
  CHECK(answer.header("Content-Type") == "application/json");
  for (const std::string target : {"/pins", "/allocations", "/pins?filter=%zz",
                                   "/pins?filter=bogus;x=1", "/pins?filter=bogus,pinned"}) {
    CAPTURE(target);
    answer = served.ask("GET", target);
    CHECK(answer.status == 204);
    CHECK(answer.header("Trailer") == "X-Stream-Error");
    CHECK(answer.body.empty());
  }
  CHECK(served.ask("POST", "/pins/recover").status == 204);
  CHECK(served.ask("GET", "/health/alerts").body == "[]\n");
  CHECK(served.ask("GET", "/health/bandwidth").body == "{}\n");
  CHECK(served.ask("GET", "/monitor/metrics").body == "[]\n");
  CHECK(served.ask("GET", "/monitor/metrics/bogus").body == "[]\n");
}

TEST_CASE("bad input: one clean document") {
  Served served;
  const auto message = [&served](const std::string& method, const std::string& target,
                                 const std::string& body = {}) {
    const Answer answer = served.ask(method, target, {}, body);
    CHECK(answer.status == 400);
    const std::string head = "{\"code\":400,\"message\":\"";
    REQUIRE(answer.body.starts_with(head));
    return answer.body.substr(head.size(), answer.body.size() - head.size() - 3);
  };
  CHECK(message("GET", "/pins?filter=bogus") == "invalid filter value");
  CHECK(message("GET", "/pins?filter=PINNED") == "invalid filter value");
  CHECK(message("GET", "/allocations?filter=%20pin") == "invalid filter value");
  CHECK(message("GET", "/pins/recover") ==
        "error decoding Cid: invalid cid: selected encoding not supported");
  CHECK(message("GET", "/allocations/a") == "error decoding Cid: invalid cid: cid too short");
  CHECK(message("GET", "/pins?cids=" + kF0 + ",") ==
        "error decoding Cid: invalid cid: cid too short");
  CHECK(
      message("POST", "/pins/ipfs/bogus") ==
      "error parsing path: invalid path \\\"/ipfs/bogus\\\": invalid cid: invalid cid: expected 1 "
      "as the cid version number, got: 113");
  CHECK(message("POST", "/peers", "hello") == "error decoding request body");
  CHECK(message("POST", "/peers", "{}") == "error decoding peer_id");
  CHECK(message("POST", "/peers", "null") == "error decoding peer_id");
  CHECK(message("POST", "/peers", "{\"peer_id\":null}") == "error decoding peer_id");
  CHECK(message("POST", "/peers", "{\"peer_id\":\"x\"} and more") == "error decoding peer_id");
  CHECK(message("POST", "/peers", "[]") == "error decoding request body");
  CHECK(message("POST", "/peers", "") == "error decoding request body");
  CHECK(message("POST", "/peers", "{\"peer_id\":5}") == "error decoding request body");
  CHECK(message("DELETE", "/peers/notapeer") ==
        "error decoding Peer ID: failed to parse peer ID: invalid cid: selected encoding not "
        "supported");
}

TEST_CASE("a bad option is told, and the pin happens") {
  Served served;
  const auto documents = [&served](const std::string& query) {
    const Answer answer = served.ask("POST", "/pins/" + kF0 + "?" + query);
    CHECK(answer.status == 400);
    const size_t end = answer.body.find('\n');
    CHECK(answer.body.substr(end + 1).starts_with("{\"replication_factor_min\":-1"));
    return answer.body.substr(23, end - 23 - 2);
  };
  CHECK(documents("replication-min=abc") == "parameter replication-min invalid");
  CHECK(documents("replication-max=1.5") == "parameter replication-max invalid");
  CHECK(documents("expire-at=tomorrow") ==
        "expire-at cannot be parsed: parsing time \\\"tomorrow\\\" as "
        "\\\"2006-01-02T15:04:05Z07:00\\\": cannot parse \\\"tomorrow\\\" as \\\"2006\\\"");
  CHECK(documents("expire-in=500ms") == "expire-in duration too short");
  CHECK(documents("expire-in=10") ==
        "expire-in cannot be parsed: time: missing unit in duration \\\"10\\\"");
  CHECK(documents("shard-size=-1") == "parameter shard_size is invalid");
  CHECK(documents("origins=bogus") ==
        "error decoding multiaddress: failed to parse multiaddr \\\"bogus\\\": must begin with /");
  CHECK(documents("name=kept&pin-update=bogus")
            .starts_with("error decoding update option parameter: "));
  CHECK(served.peer.pinset.pins.at(Cid::parse(kF0).value()).options.name == "kept");
  const Answer removed = served.ask("DELETE", "/pins/" + kF0 + "?replication=x");
  CHECK(removed.status == 400);
  CHECK(served.peer.pinset.pins.empty());
}

TEST_CASE("pin, look, list, unpin") {
  Served served;
  const std::string pin =
      served.ask("POST", "/pins/" + kF0 + "?name=a%20%26%20b&meta-k=v&meta-=dropped&mode=direct")
          .body;
  CHECK(pin.starts_with(
      "{\"replication_factor_min\":-1,\"replication_factor_max\":-1,\"name\":\"a \\u0026 b\","
      "\"mode\":\"direct\",\"shard_size\":0,\"user_allocations\":null,"
      "\"expire_at\":\"0001-01-01T00:00:00Z\",\"metadata\":{\"k\":\"v\"},\"pin_update\":null,"
      "\"origins\":null,\"cid\":\"" +
      kF0 + "\",\"type\":\"pin\",\"allocations\":[],\"max_depth\":-1,\"reference\":null,"));
  Answer answer = served.ask("GET", "/allocations/" + kF0);
  CHECK(answer.status == 200);
  CHECK(answer.body.find("\"mode\":\"recursive\"") != std::string::npos);
  CHECK(answer.body.find("\"origins\":[]") != std::string::npos);
  const std::string stored = answer.body;

  answer = served.ask("GET", "/allocations");
  CHECK(answer.status == 200);
  CHECK(answer.body == stored);
  CHECK(answer.header("Transfer-Encoding") == "chunked");
  REQUIRE(answer.trailers.size() == 1);
  CHECK(answer.trailers[0].first == "X-Stream-Error");
  CHECK(answer.trailers[0].second.empty());

  answer = served.ask("GET", "/pins/" + kF0);
  CHECK(answer.body.find("\"peer_map\":{\"" + peer_id(0).text() +
                         "\":{\"peername\":\"peer0\",\"status\":\"pinned\"") != std::string::npos);
  CHECK(served.ask("GET", "/pins").body == answer.body);
  CHECK(served.ask("GET", "/pins?local=true&filter=pinned").body == answer.body);
  CHECK(served.ask("GET", "/pins?filter=error").status == 204);
  const std::string both = served.ask("GET", "/pins?cids=" + kF0 + "," + kF0).body;
  CHECK(both == answer.body + answer.body);

  answer = served.ask("DELETE", "/pins/" + kF0);
  CHECK(answer.status == 200);
  CHECK(answer.body == stored);
  answer = served.ask("DELETE", "/pins/" + kF0);
  CHECK(answer.status == 404);
  CHECK(answer.body == "{\"code\":404,\"message\":\"pin is not part of the pinset\"}\n");
  CHECK(served.ask("POST", "/pins/" + kF0 + "/recover").status == 200);
  CHECK(served.ask("POST", "/pins/" + kF0 + "/recover?local=true").status == 404);
  CHECK(served.ask("POST", "/pins/" + kF0 + "?replication-min=3&replication-max=2").body ==
        "{\"code\":500,\"message\":\"cluster.replication_factor_min is larger than max\"}\n");
}

TEST_CASE("lost peers and orders") {
  Served served([](test::FakePeer& peer) {
    peer.announce(0);
    peer.announce(1);
    api::Pin pin;
    pin.cid = cid_number(2);
    pin.allocations.items = {peer_id(0), peer_id(2)};
    pin.options.replication_factor_min = pin.options.replication_factor_max = 2;
    peer.pinset.pins.emplace(pin.cid, pin);
  });
  Answer answer = served.ask("GET", "/repin/plan");
  CHECK(answer.status == 200);
  CHECK(answer.body == "{\"cid\":\"" + cid_number(2).text() + "\",\"from\":[\"" +
                           peer_id(0).text() + "\",\"" + peer_id(2).text() + "\"],\"to\":[\"" +
                           peer_id(0).text() + "\",\"" + peer_id(1).text() +
                           "\"],\"error\":\"\"}\n");
  answer = served.ask("GET", "/repin");
  CHECK(answer.status == 200);
  CHECK(answer.body.find("\"grace\":\"5m0s\"") != std::string::npos);
  answer = served.ask("POST", "/peers/" + peer_id(2).text() + "/drain");
  CHECK(answer.status == 200);
  CHECK(answer.body.find("\"mode\":\"draining\",\"alive\":false,\"remaining\":1") !=
        std::string::npos);
  CHECK(answer.body.find("\"safe\":false") != std::string::npos);
  answer = served.ask("POST", "/peers/" + peer_id(2).text() + "/uncordon");
  CHECK(answer.body.find("\"mode\":\"active\"") != std::string::npos);
  answer = served.ask("POST", "/peers/" + peer_id(1).text() + "/cordon");
  CHECK(answer.body.find("\"mode\":\"cordoned\"") != std::string::npos);
  CHECK(served.ask("GET", "/peers/" + peer_id(1).text() + "/drain").status == 200);
  CHECK(served.ask("GET", "/peers/nobody/drain").status == 400);
}

TEST_CASE("a full queue is 429") {
  Served served([](test::FakePeer& peer) {
    peer.pinset.fail_writes = Error(Code::Busy, "too many operations wait");
  });
  const Answer answer = served.ask("POST", "/pins/" + kF0);
  CHECK(answer.status == 429);
  CHECK(answer.header("Retry-After") == "1");
  CHECK(answer.body == "{\"code\":429,\"message\":\"too many operations wait\"}\n");
}

TEST_CASE("a list that fails says so") {
  Served served([](test::FakePeer& peer) {
    for (int i = 0; i < 2000; ++i) {
      api::Pin pin;
      pin.cid = cid_number(i);
      pin.options.replication_factor_min = pin.options.replication_factor_max = -1;
      REQUIRE(peer.await(peer.pinset.put(pin)));
    }
  });
  Answer answer = served.ask("GET", "/allocations");
  CHECK(std::count(answer.body.begin(), answer.body.end(), '\n') == 2000);
  served.peer.pinset.fail_page_at = cid_number(1999);  // the last one of its page
  answer = served.ask("GET", "/allocations");
  CHECK(answer.status == 200);
  REQUIRE(answer.trailers.size() == 1);
  CHECK(answer.trailers[0].second.find("is damaged") != std::string::npos);
  served.peer.pinset.fail_page_at = served.peer.pinset.pins.begin()->first;
  answer = served.ask("GET", "/allocations");
  CHECK(answer.status == 500);
  CHECK(answer.header("Transfer-Encoding") == "chunked");
  CHECK(answer.trailers.empty());
  CHECK(answer.body.starts_with("{\"code\":500,"));
}

TEST_CASE("long answers are chunked") {
  Served served([](test::FakePeer& peer) { peer.kubo.garbage = 100; });
  const Answer answer = served.ask("POST", "/ipfs/gc?local=true");
  CHECK(answer.status == 200);
  CHECK(answer.header("Transfer-Encoding") == "chunked");
  CHECK(answer.header("Content-Length").empty());
  CHECK(served.ask("GET", "/id").header("Transfer-Encoding").empty());
}

TEST_CASE("credentials") {
  Served served([](test::FakePeer& peer) {
    peer.config.rest_api.basic_auth_credentials =
        config::StringMap{{"alice", "wonder"}, {"bob", "builder"}};
    peer.config.rest_api.headers = {{"x-custom", {"one", "two"}}};
  });
  const std::string alice = "Authorization: Basic YWxpY2U6d29uZGVy\r\n";
  Answer answer = served.ask("GET", "/nope");
  CHECK(answer.status == 401);
  CHECK(answer.body == "{\"code\":401,\"message\":\"unauthorized: no auth provided\"}\n");
  CHECK(
      answer.header("Www-Authenticate") ==
      "Bearer realm=\"Restricted IPFS Cluster API\" | Basic realm=\"Restricted IPFS Cluster API\"");
  CHECK(answer.header("X-Custom") == "one | two");
  CHECK(answer.header("Vary").empty());
  CHECK(served.ask("GET", "/health").status == 204);
  CHECK(served.ask("GET", "/health/").status == 401);
  CHECK(served.ask("POST", "/health").status == 401);
  CHECK(served.ask("OPTIONS", "/id").status == 405);
  answer = served.ask("GET", "/version", alice);
  CHECK(answer.status == 200);
  CHECK(answer.header("X-Custom") == "one | two");
  CHECK(served.ask("GET", "/version", "Authorization: basic YWxpY2U6d29uZGVy\r\n").status == 200);
  answer = served.ask("GET", "/version", "Authorization: Basic YWxpY2U6YnVpbGRlcg==\r\n");
  CHECK(answer.body == "{\"code\":401,\"message\":\"unauthorized: access denied\"}\n");
  CHECK(answer.header("Www-Authenticate") == "Basic realm=\"Restricted IPFS Cluster API\"");
  const std::string token =
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJhbGljZSJ9."
      "8B9KKTJxyuCMtKU-fIH1JDvVYZ6eahn2nyvKFWx6Big";
  CHECK(served.ask("POST", "/token", alice).body == "{\"token\":\"" + token + "\"}\n");
  const std::string bearer = "Authorization: Bearer " + token + "\r\n";
  CHECK(served.ask("POST", "/token", bearer).body == "{\"token\":\"" + token + "\"}\n");
  answer = served.ask("GET", "/version", "Authorization: Bearer garbage\r\n");
  CHECK(answer.header("Www-Authenticate") ==
        "Bearer realm=\"Restricted IPFS Cluster API\", error=\"invalid_token\"");
  config::HttpApi changed = served.peer.config.rest_api;
  changed.basic_auth_credentials = config::StringMap{{"alice", "changed"}};
  REQUIRE(served.api->reload(changed));
  CHECK(served.ask("GET", "/version", alice).status == 401);
  CHECK(served.ask("GET", "/version", bearer).status == 401);
}

TEST_CASE("without credentials there is no token") {
  Served served;
  const Answer answer = served.ask("POST", "/token");
  CHECK(answer.status == 401);
  CHECK(answer.body == "{\"code\":401,\"message\":\"unauthorized\"}\n");
}

TEST_CASE("cross-origin") {
  Served served;
  const std::string origin = "Origin: http://app.example\r\n";
  Answer answer = served.ask("GET", "/version", origin);
  CHECK(answer.header("Access-Control-Allow-Origin") == "*");
  CHECK(answer.header("Access-Control-Allow-Credentials") == "true");
  CHECK(answer.header("Access-Control-Expose-Headers") ==
        "Content-Type, X-Stream-Output, X-Chunked-Output, X-Content-Length");
  CHECK(served.ask("POST", "/id", origin).header("Access-Control-Allow-Origin").empty());
  const auto preflight = [&](const std::string& method, const std::string& more = {}) {
    return served.ask("OPTIONS", "/nope/",
                      origin + "Access-Control-Request-Method: " + method + "\r\n" + more);
  };
  answer = preflight("GET");
  CHECK(answer.status == 204);
  CHECK(answer.header("Access-Control-Allow-Methods") == "GET");
  CHECK(answer.header("Vary") ==
        "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
  CHECK(preflight("POST").header("Access-Control-Allow-Origin").empty());
  CHECK(preflight("GET", "Access-Control-Request-Headers: content-type\r\n")
            .header("Access-Control-Allow-Headers") == "content-type");
  CHECK(preflight("GET", "Access-Control-Request-Headers: authorization\r\n")
            .header("Access-Control-Allow-Origin")
            .empty());
}

// Stands for the importer: a line and a block per part, the last one pinned.
Task<Result<Cid>> import(adder::AddOptions options, adder::PartSource& parts,
                         adder::AddTarget& target, adder::OutputSink& output, Executor, StopToken) {
  if (options.chunker == "bogus") {
    co_return fail(Code::InvalidArgument, "unrecognized chunker option: bogus");
  }
  Cid root;
  int n = 0;
  while (true) {
    CO_TRY(auto part, co_await parts.next());
    if (!part) {
      break;
    }
    Bytes content;
    while (true) {
      CO_TRY(auto piece, co_await parts.read());
      if (!piece) {
        break;
      }
      content += *piece;
    }
    CO_TRY(auto peers, co_await target.allocate(options.pin));
    root = cid_number(n++);
    adder::Block block{root, content};
    std::vector<adder::Block> blocks;
    blocks.push_back(std::move(block));
    CO_TRY_VOID(co_await target.put_blocks(peers, std::move(blocks)));
    api::AddedOutput line;
    line.name = part->path;
    line.cid = root;
    line.size = content.size();
    line.allocations = peers;
    CO_TRY_VOID(co_await output.put(std::move(line)));
  }
  if (!options.no_pin && root.defined()) {
    api::Pin pin;
    pin.cid = root;
    pin.options = options.pin;
    CO_TRY_VOID(co_await target.pin(std::move(pin)));
  }
  co_return root;
}

TEST_CASE("adding") {
  Served served([](test::FakePeer& peer) { peer.importer = &import; });
  const std::string type = "Content-Type: multipart/form-data; boundary=b1\r\n";
  const std::string body =
      "--b1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"hello.txt\"\r\n"
      "Content-Type: application/octet-stream\r\n\r\nhello\n\r\n--b1--\r\n";
  const std::string line = "{\"name\":\"hello.txt\",\"cid\":\"" + cid_number(0).text() +
                           "\",\"size\":6,\"allocations\":[\"" + peer_id(0).text() + "\"]}";
  Answer answer = served.ask("POST", "/add?name=x", type, body);
  CHECK(answer.status == 200);
  CHECK(answer.body == line + "\n");
  CHECK(answer.trailers.empty());
  CHECK(answer.header("Trailer") == "X-Stream-Error");
  CHECK(answer.header("X-Chunked-Output") == "1");
  CHECK(answer.header("Cache-Control") == "no-cache");
  CHECK(answer.header("Connection") == "close");
  CHECK(served.peer.kubo.blocks.at(cid_number(0)) == "hello\n");
  CHECK(served.peer.pinset.pins.at(cid_number(0)).options.name == "x");

  answer = served.ask("POST", "/add?stream-channels=false", type, body);
  CHECK(answer.body == "[" + line + "]\n");
  CHECK(answer.header("Connection") == "close");
  CHECK(answer.header("Trailer").empty());

  answer = served.ask("POST", "/add?chunker=bogus", type, body);
  CHECK(answer.status == 200);
  CHECK(answer.body.empty());
  REQUIRE(answer.trailers.size() == 1);
  CHECK(answer.trailers[0].second == "unrecognized chunker option: bogus");
  answer = served.ask("POST", "/add?chunker=bogus&stream-channels=false", type, body);
  CHECK(answer.status == 500);
  CHECK(answer.body == "{\"code\":500,\"message\":\"unrecognized chunker option: bogus\"}\n");
  CHECK(answer.header("Cache-Control") == "no-cache");

  CHECK(served.ask("POST", "/add", type, "--b1--\r\n").status == 0);
  answer = served.ask("POST", "/add?stream-channels=false", type, "hello");
  CHECK(answer.status == 500);
  CHECK(answer.body == "{\"code\":500,\"message\":\"multipart: NextPart: EOF\"}\n");
  const auto refused = [&](const std::string& query, const std::string& headers) {
    const Answer bad = served.ask("POST", "/add?" + query, headers, body);
    CHECK(bad.status == 400);
    CHECK(bad.header("Connection") != "close");
    return bad.body;
  };
  CHECK(refused("", "Content-Type: text/plain\r\n") ==
        "{\"code\":400,\"message\":\"request Content-Type isn't multipart/form-data\"}\n");
  CHECK(refused("cid-version=x", type) ==
        "{\"code\":400,\"message\":\"parameter cid-version invalid\"}\n");
  CHECK(refused("format=x", type) ==
        "{\"code\":400,\"message\":\"format parameter is invalid\"}\n");
  CHECK(refused("layout=x", type) ==
        "{\"code\":400,\"message\":\"layout parameter is invalid\"}\n");
  CHECK(refused("shard=maybe", type) == "{\"code\":400,\"message\":\"parameter shard invalid\"}\n");
  CHECK(refused("replication-min=abc", type) ==
        "{\"code\":400,\"message\":\"parameter replication-min invalid\"}\n");

  served.peer.kubo.down = true;
  answer = served.ask("POST", "/add?stream-channels=false", type, body);
  CHECK(answer.body == "{\"code\":500,\"message\":\"failed to put block on all destinations\"}\n");
}

TEST_CASE("the access log") {
  char path[] = "/tmp/ica-rest-log-XXXXXX";
  const int fd = ::mkstemp(path);
  REQUIRE(fd >= 0);
  {
    Served served([&path](test::FakePeer& peer) { peer.config.rest_api.http_log_file = path; });
    served.ask("GET", "/version");
    served.ask("GET", "/nope");
  }
  std::string text(4096, '\0');
  text.resize(static_cast<size_t>(::pread(fd, text.data(), text.size(), 0)));
  ::close(fd);
  ::unlink(path);
  CHECK(text.find("\"GET /version HTTP/1.1\" 200 20\n") != std::string::npos);
  CHECK(text.find("\"GET /nope HTTP/1.1\" 404 35\n") != std::string::npos);
}

}  // namespace
}  // namespace ica::rest
