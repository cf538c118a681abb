#include "agent/proxy/calls.h"

#include "common/codec/go_quote.h"
#include "common/http/url.h"

namespace ica::proxy {
namespace {

constexpr std::string_view kPrefix = "/api/v0/";

struct Named {
  std::string_view name;
  Call call;
  bool takes_slash = false;
};
constexpr Named kCalls[] = {
    {"pin/add", Call::PinAdd, true},
    {"pin/rm", Call::PinRm, true},
    {"pin/ls", Call::PinLs, true},
    {"pin/update", Call::PinUpdate},
    {"add", Call::Add},
    {"repo/stat", Call::RepoStat},
    {"repo/gc", Call::RepoGc},
    {"block/put", Call::BlockPut},
    {"dag/put", Call::DagPut},
};

Result<std::string> parse_path(std::string_view text) {
  std::string clean = text.starts_with('/') ? http::clean_path(text) : std::string();
  const size_t second = clean.empty() ? std::string::npos : clean.find('/', 1);
  if (second == std::string::npos || second + 1 == clean.size()) {
    return fail(Code::InvalidArgument, "invalid path {}: path does not have enough components",
                go_quote(text));
  }
  const std::string_view space = std::string_view(clean).substr(1, second - 1);
  const std::string_view rest = std::string_view(clean).substr(second + 1);
  if (space == "ipfs" || space == "ipld") {
    auto cid = Cid::parse(rest.substr(0, rest.find('/')));
    if (!cid) {
      return fail(Code::InvalidArgument, "invalid path {}: {}", go_quote(text),
                  cid.error().message());
    }
  } else if (space != "ipns") {
    return fail(Code::InvalidArgument, "invalid path {}: unknown namespace: {}", go_quote(text),
                go_quote(space));
  }
  return clean;
}

}  // namespace

Route route_of(std::string_view method, std::string_view path) {
  Route out;
  if ((method != "POST" && method != "GET" && method != "PUT") || !path.starts_with(kPrefix)) {
    return out;
  }
  path.remove_prefix(kPrefix.size());
  for (const Named& known : kCalls) {
    if (!path.starts_with(known.name)) {
      continue;
    }
    const std::string_view rest = path.substr(known.name.size());
    if (rest.empty()) {
      out.call = known.call;
      return out;
    }
    if (known.takes_slash && rest.starts_with('/') && rest.size() > 1 &&
        rest.find('/', 1) == std::string_view::npos) {
      out.call = known.call;
      out.arg = rest.substr(1);
      return out;
    }
  }
  return out;
}

Result<std::string> read_path(std::string_view arg) {
  auto path = parse_path(arg);
  if (path) {
    return path;
  }
  auto below = parse_path("/ipfs/" + std::string(arg));
  return below ? std::move(below) : std::move(path);
}

void write_link(JsonWriter& json, const Cid& cid) {
  if (!cid.defined()) {
    json.null();
    return;
  }
  json.begin_object();
  json.key("/").string(cid.text());
  json.end_object();
}

std::string error_json(std::string_view message) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("Message").string(message);
  json.key("Code").number(0);
  json.key("Type").string("error");
  json.end_object();
  return out;
}

}  // namespace ica::proxy
