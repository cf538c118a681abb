#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/ipfs/connector.h"

// What Kubo's answers mean. Pure functions over single documents; all input is bounded by the
// callers. Errors: Protocol when a document is not what its call promises.
namespace ica::ipfs {

// Cuts a byte stream into lines without ever holding more than `max_line` bytes of an unfinished
// one. Thread-safety: none.
class LineSplitter {
 public:
  explicit LineSplitter(size_t max_line) : max_line_(max_line) {}
  // TooLarge when a line does not end within max_line bytes.
  Status feed(BytesView piece);
  // The next complete line that is not blank; nothing when more input is needed.
  std::optional<std::string> next();
  // What is left after the last newline; call at the end of the input.
  std::string rest();

 private:
  const size_t max_line_;
  std::string buffer_;
  size_t start_ = 0;
};

// Kubo's {"Message":...} of an error answer; nothing when the body is something else.
std::optional<std::string> error_message(std::string_view body);

Result<api::IpfsId> parse_id(std::string_view body);
Result<std::string> parse_version(std::string_view body);
Result<RepoStat> parse_repo_stat(std::string_view body);
Result<uint64_t> parse_repo_objects(std::string_view body);
Result<std::vector<PeerId>> parse_swarm_peers(std::string_view body);
// The Path of an answer to `resolve`, and the CID in it.
Result<Cid> parse_resolve(std::string_view body);
// Looks `key` ("Datastore/StorageMax" or with dots) up in a `config/show` answer.
Result<std::string> find_config_key(std::string_view body, std::string_view key);

// {"Cid":...,"Type":...}; the older {"Keys":{cid:{"Type":...}}} gives its first entry.
Result<ListedPin> parse_listed_pin(std::string_view line);
Result<PinKind> parse_pin_kind(std::string_view type);

struct PinAddLine {
  bool pinned = false;  // the last document, {"Pins":[...]}
  PinProgress progress;
};
Result<PinAddLine> parse_pin_add(std::string_view line);

Result<api::RepoGcKey> parse_repo_gc(std::string_view line);
// The {"Key"} of a block that was put.
Result<Cid> parse_block_put(std::string_view line);
// How many blocks dag/import stored: {"Stats":{"BlockCount":...}}.
Result<uint64_t> parse_dag_import(std::string_view line);

}  // namespace ica::ipfs
