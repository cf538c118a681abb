#include <fmt/format.h>
#include <httplib.h>

#include "agent/cmd/command.h"
#include "agent/config/service_json.h"

namespace ica::cmd {
namespace {

constexpr cli::FlagSpec kFlags[] = {
    {.names = "ready", .usage = "whether the store is open and the IPFS daemon answers"},
    {.names = "api", .usage = "whether the REST API answers"},
    {.names = "metrics", .usage = "whether /metrics is served"},
    {.names = "timeout",
     .kind = cli::FlagKind::Duration,
     .usage = "how long to wait for an answer",
     .default_value = "5s"},
};

constexpr std::string_view kDescription = R"(
   Asks the peer that runs with this configuration folder and environment. Without a flag:
   whether it is alive. Several flags are all asked.

   Exit codes: 0 yes, 1 no or no answer, 2 wrong usage.
)";

struct Question {
  Multiaddr where;
  bool tls = false;
  std::string path;
  std::string_view what;
};

// We ask from the same machine, so an address that means "all" means this one.
std::string reachable_host(const DialTarget& target) {
  if (target.host == "0.0.0.0") {
    return "127.0.0.1";
  }
  return target.host == "::" ? "::1" : target.host;
}

std::unique_ptr<httplib::ClientImpl> client_for(const DialTarget& target, bool tls) {
  if (target.kind == DialTarget::Kind::Unix) {
    auto client = std::make_unique<httplib::ClientImpl>(target.host);
    client->set_address_family(AF_UNIX);
    return client;
  }
  if (tls) {
    auto client = std::make_unique<httplib::SSLClient>(reachable_host(target), target.port);
    client->enable_server_certificate_verification(false);  // its name is not ours to know
    return client;
  }
  return std::make_unique<httplib::ClientImpl>(reachable_host(target), target.port);
}

int ask(const Question& question, std::chrono::nanoseconds timeout) {
  const auto target = dial_target(question.where);
  if (!target) {
    return report("reading the address", target.error());
  }
  const auto client = client_for(*target, question.tls);
  const auto limit = std::chrono::duration_cast<std::chrono::microseconds>(timeout);
  client->set_connection_timeout(limit);
  client->set_read_timeout(limit);
  const auto answer = client->Get(question.path);
  if (!answer) {
    fmt::print(stderr, "{}: no answer from {}: {}\n", question.what, question.where.text(),
               httplib::to_string(answer.error()));
    return kFailed;
  }
  // Asked without a password, an API that wants one is alive too.
  const bool good = answer->status / 100 == 2 || answer->status == 401;
  std::string body = answer->body;
  while (!body.empty() && body.back() == '\n') {
    body.pop_back();
  }
  fmt::print(good ? stdout : stderr, "{}: {}{}{}\n", question.what, good ? "ok" : "no",
             body.empty() || question.path == "/metrics" ? "" : " ",
             question.path == "/metrics" ? "" : body);
  return good ? kOk : kFailed;
}

int run_health(const Invocation& in) {
  const auto loaded = config::load_config(in.folder, in.environment);
  if (!loaded) {
    return report("loading configurations", loaded.error());
  }
  const auto& config = loaded->config;
  const Multiaddr& health = config.metrics.prometheus_endpoint;
  std::vector<Question> questions;
  if (in.flags.on("ready")) {
    questions.push_back({.where = health, .path = "/readyz", .what = "ready"});
  }
  if (in.flags.on("metrics")) {
    questions.push_back({.where = health, .path = "/metrics", .what = "metrics"});
  }
  if (in.flags.on("api")) {
    const auto& rest = config.rest_api;
    if (!rest.enabled || rest.http_listen_multiaddress.empty()) {
      fmt::print(stderr, "api: there is no REST API in the configuration\n");
      return kFailed;
    }
    questions.push_back({.where = rest.http_listen_multiaddress.front(),
                         .tls = !rest.ssl_cert_file.empty(),
                         .path = "/health",
                         .what = "api"});
  }
  if (questions.empty()) {
    questions.push_back({.where = health, .path = "/healthz", .what = "alive"});
  }
  int result = kOk;
  for (const auto& question : questions) {
    result = std::max(result, ask(question, in.flags.duration("timeout")));
  }
  return result;
}

constexpr Command kCommands[] = {
    {.name = "health",
     .usage = "Asks the running peer how it is, for probes",
     .description = kDescription,
     .args_usage = {},
     .flags = kFlags,
     .run = run_health},
};

}  // namespace

std::span<const Command> health_commands() {
  return kCommands;
}

}  // namespace ica::cmd
