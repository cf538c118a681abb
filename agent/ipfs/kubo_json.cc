#include "agent/ipfs/kubo_json.h"

#include <nlohmann/json.hpp>

namespace ica::ipfs {

namespace {

using Json = nlohmann::json;

Result<Json> parse_object(std::string_view text, const char* what) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_object()) {
    return fail(Code::Protocol, "{}: IPFS answered something that is not a JSON object", what);
  }
  return json;
}

// A Kubo that fails in the middle of a stream writes its error as one more document.
Status check_error(const Json& json) {
  const auto message = json.find("Message");
  if (message != json.end() && message->is_string() && json.value("Type", "") == "error") {
    return fail(Code::Internal, "{}", message->get_ref<const std::string&>());
  }
  return Status();
}

Result<std::string> string_field(const Json& json, const char* name, const char* what) {
  const auto field = json.find(name);
  if (field == json.end() || !field->is_string()) {
    return fail(Code::Protocol, "{}: IPFS answered without {}", what, name);
  }
  return field->get<std::string>();
}

// Kubo writes its unsigned counters as plain numbers; anything else counts as absent.
uint64_t number_field(const Json& json, const char* name) {
  const auto field = json.find(name);
  if (field == json.end() || !field->is_number()) {
    return 0;
  }
  if (field->is_number_unsigned()) {
    return field->get<uint64_t>();
  }
  if (field->is_number_integer()) {
    const auto value = field->get<int64_t>();
    return value < 0 ? 0 : static_cast<uint64_t>(value);
  }
  const auto value = field->get<double>();
  return value > 0 && value < 1.8e19 ? static_cast<uint64_t>(value) : 0;
}

}  // namespace

Status LineSplitter::feed(BytesView piece) {
  if (start_ > 0) {
    buffer_.erase(0, start_);
    start_ = 0;
  }
  const size_t last = buffer_.rfind('\n');
  const size_t open = last == std::string::npos ? buffer_.size() : buffer_.size() - last - 1;
  const size_t newline = piece.find('\n');
  const size_t tail =
      newline == BytesView::npos ? open + piece.size() : piece.size() - piece.rfind('\n') - 1;
  if (tail > max_line_ || (newline != BytesView::npos && open + newline > max_line_)) {
    return fail(Code::TooLarge, "IPFS sent a line of more than {} bytes", max_line_);
  }
  buffer_.append(piece);
  return Status();
}

std::optional<std::string> LineSplitter::next() {
  while (true) {
    const size_t end = buffer_.find('\n', start_);
    if (end == std::string::npos) {
      return std::nullopt;
    }
    std::string line = buffer_.substr(start_, end - start_);
    start_ = end + 1;
    if (line.find_first_not_of(" \t\r") != std::string::npos) {
      return line;
    }
  }
}

std::string LineSplitter::rest() {
  std::string line = buffer_.substr(start_);
  buffer_.clear();
  start_ = 0;
  return line.find_first_not_of(" \t\r\n") == std::string::npos ? std::string() : line;
}

std::optional<std::string> error_message(std::string_view body) {
  const Json json = Json::parse(body, nullptr, false);
  if (json.is_discarded() || !json.is_object()) {
    return std::nullopt;
  }
  const auto message = json.find("Message");
  if (message == json.end() || !message->is_string()) {
    return std::string();
  }
  return message->get<std::string>();
}

Result<api::IpfsId> parse_id(std::string_view body) {
  TRY(const Json json, parse_object(body, "id"));
  TRY(const std::string text, string_field(json, "ID", "id"));
  api::IpfsId id;
  TRY(id.id, PeerId::parse(text));
  id.addresses.present = true;
  const auto addresses = json.find("Addresses");
  if (addresses != json.end() && addresses->is_array()) {
    for (const Json& address : *addresses) {
      if (!address.is_string() || id.addresses.items.size() >= 1024) {
        continue;
      }
      if (auto parsed = Multiaddr::parse(address.get_ref<const std::string&>()); parsed) {
        id.addresses.items.push_back(*std::move(parsed));
      }
    }
  }
  return id;
}

Result<std::string> parse_version(std::string_view body) {
  TRY(const Json json, parse_object(body, "version"));
  return string_field(json, "Version", "version");
}

Result<RepoStat> parse_repo_stat(std::string_view body) {
  TRY(const Json json, parse_object(body, "repo/stat"));
  return RepoStat{number_field(json, "RepoSize"), number_field(json, "StorageMax")};
}

Result<uint64_t> parse_repo_objects(std::string_view body) {
  TRY(const Json json, parse_object(body, "repo/stat"));
  return number_field(json, "NumObjects");
}

Result<std::vector<PeerId>> parse_swarm_peers(std::string_view body) {
  TRY(const Json json, parse_object(body, "swarm/peers"));
  std::vector<PeerId> peers;
  const auto list = json.find("Peers");
  if (list == json.end() || !list->is_array()) {
    return peers;  // null when there are none
  }
  for (const Json& entry : *list) {
    if (!entry.is_object()) {
      continue;
    }
    const auto text = entry.find("Peer");
    if (text == entry.end() || !text->is_string()) {
      continue;
    }
    if (auto peer = PeerId::parse(text->get_ref<const std::string&>()); peer) {
      peers.push_back(*std::move(peer));
    }
  }
  return peers;
}

Result<Cid> parse_resolve(std::string_view body) {
  TRY(const Json json, parse_object(body, "resolve"));
  TRY(const std::string path, string_field(json, "Path", "resolve"));
  std::string_view rest = path;
  for (const std::string_view prefix : {"/ipfs/", "/ipld/"}) {
    if (rest.starts_with(prefix)) {
      rest.remove_prefix(prefix.size());
      // A path that ends inside a node names the block that encloses it.
      return Cid::parse(rest.substr(0, rest.find('/'))).context("resolved path {}", path);
    }
  }
  return fail(Code::Protocol, "resolve: IPFS answered the path {}, which holds no CID", path);
}

Result<std::string> find_config_key(std::string_view body, std::string_view key) {
  TRY(const Json json, parse_object(body, "config/show"));
  const Json* at = &json;
  std::string_view rest = key;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find_first_of("./"), rest.size());
    const std::string name(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (name.empty()) {
      continue;
    }
    if (!at->is_object() || !at->contains(name)) {
      return fail(Code::NotFound, "IPFS has no configuration value {}", key);
    }
    at = &(*at)[name];
  }
  return at->dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<PinKind> parse_pin_kind(std::string_view type) {
  // Kubo writes "indirect through <CID>" in some answers.
  if (type.starts_with("indirect")) {
    return PinKind::Indirect;
  }
  if (type == "recursive") {
    return PinKind::Recursive;
  }
  if (type == "direct") {
    return PinKind::Direct;
  }
  return fail(Code::Protocol, "pin/ls: IPFS answered the unknown pin type \"{}\"", type);
}

Result<ListedPin> parse_listed_pin(std::string_view line) {
  TRY(const Json json, parse_object(line, "pin/ls"));
  TRY_VOID(check_error(json));
  std::string cid_text;
  std::string type;
  if (const auto keys = json.find("Keys");
      keys != json.end() && keys->is_object() && !keys->empty() && keys->begin()->is_object()) {
    cid_text = keys->begin().key();
    TRY(type, string_field(*keys->begin(), "Type", "pin/ls"));
  } else {
    TRY(cid_text, string_field(json, "Cid", "pin/ls"));
    TRY(type, string_field(json, "Type", "pin/ls"));
  }
  ListedPin pin;
  TRY(pin.cid, Cid::parse(cid_text).context("pin/ls"));
  TRY(pin.kind, parse_pin_kind(type));
  return pin;
}

Result<PinAddLine> parse_pin_add(std::string_view line) {
  TRY(const Json json, parse_object(line, "pin/add"));
  TRY_VOID(check_error(json));
  PinAddLine result;
  const auto pins = json.find("Pins");
  result.pinned = pins != json.end() && pins->is_array() && !pins->empty();
  result.progress = {number_field(json, "Progress"), number_field(json, "Bytes")};
  return result;
}

Result<api::RepoGcKey> parse_repo_gc(std::string_view line) {
  TRY(const Json json, parse_object(line, "repo/gc"));
  TRY_VOID(check_error(json));
  api::RepoGcKey result;
  if (const auto error = json.find("Error");
      error != json.end() && error->is_string() && !error->get_ref<const std::string&>().empty()) {
    result.error = error->get<std::string>();
    return result;
  }
  const auto key = json.find("Key");
  if (key == json.end() || !key->is_object()) {
    return fail(Code::Protocol, "repo/gc: IPFS answered without Key");
  }
  TRY(const std::string text, string_field(*key, "/", "repo/gc"));
  TRY(result.key, Cid::parse(text).context("repo/gc"));
  return result;
}

Result<Cid> parse_block_put(std::string_view line) {
  TRY(const Json json, parse_object(line, "block/put"));
  TRY_VOID(check_error(json));
  TRY(const std::string text, string_field(json, "Key", "block/put"));
  return Cid::parse(text).context("block/put");
}

Result<uint64_t> parse_dag_import(std::string_view line) {
  TRY(const Json json, parse_object(line, "dag/import"));
  TRY_VOID(check_error(json));
  const auto stats = json.find("Stats");
  if (stats == json.end() || !stats->is_object()) {
    return fail(Code::Protocol, "dag/import: IPFS answered without Stats");
  }
  const auto count = stats->find("BlockCount");
  if (count == stats->end() || !count->is_number_unsigned()) {
    return fail(Code::Protocol, "dag/import: IPFS answered without BlockCount");
  }
  return count->get<uint64_t>();
}

}  // namespace ica::ipfs
