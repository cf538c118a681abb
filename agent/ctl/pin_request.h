#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/ctl/commands.h"
#include "common/base/result.h"
#include "common/codec/cid.h"

namespace ica::ctl {

// Keys and values of a query in the order of the keys, as Go's url.Values writes them.
class Query {
 public:
  void set(std::string key, std::string value) { values_[std::move(key)] = std::move(value); }
  std::string text() const;

 private:
  std::map<std::string, std::string> values_;
};

// A CID given as an argument. The error has go-cid's words: "invalid cid: cid too short".
Result<Cid> parse_cid(std::string_view text);

// An argument such as <cid>, <cid>/a/b, /ipfs/<cid>/a, /ipns/<name>, as a clean content path. The
// error is the reference's: `invalid path "/ipfs/x": ...`.
Result<std::string> content_path(std::string_view argument);

// The options that `pin add` and `add` share. The errors read on after "error ".
struct PinParameters {
  int64_t replication_min = 0;
  int64_t replication_max = 0;
  std::string name;
  std::string mode = "recursive";
  uint64_t shard_size = 0;
  std::vector<std::string> allocations;
  Time expire_at;
  std::map<std::string, std::string> metadata;
  std::string pin_update;

  void write_to(Query& query) const;
};
// --expire-in, --metadata.
Status read_expiry(const FlagValues& flags, PinParameters& out);
Status read_metadata(const FlagValues& flags, PinParameters& out);
// --allocations; a name that is no peer ID is an error, or left out when `lenient`.
Status read_allocations(const FlagValues& flags, bool lenient, PinParameters& out);

}  // namespace ica::ctl
