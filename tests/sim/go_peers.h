#pragma once

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "tests/sim/values.h"

namespace ica::sim {

struct KeyOp {
  std::string key;
  std::optional<Bytes> value;  // nothing: delete
};

// Replicas of go-ds-crdt in a process of their own (tests/tools/crdt). Violation when it answers
// with an error or not at all. Thread-safety: none.
class GoPeers {
 public:
  explicit GoPeers(const std::string& program);
  ~GoPeers();
  GoPeers(const GoPeers&) = delete;
  GoPeers& operator=(const GoPeers&) = delete;

  void reset(size_t peers);
  void add_block(const Bytes& block);
  // The blocks that were made.
  std::vector<Bytes> write(size_t peer, const std::vector<KeyOp>& ops, bool batch);
  void deliver(size_t peer, const Bytes& message, const std::vector<Bytes>& missing_digests);
  void restart(size_t peer);
  void repair(size_t peer);
  struct State {
    Values values;
    size_t heads = 0;
  };
  State state(size_t peer);

 private:
  nlohmann::json call(const nlohmann::json& request);

  pid_t child_ = -1;
  std::FILE* in_ = nullptr;
  std::FILE* out_ = nullptr;
};

}  // namespace ica::sim
