#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "agent/store/store.h"

namespace ica::crdt {

// Changes that are not committed yet, over the store: reads see them. Ends as one batch.
// Thread-safety: none.
class Overlay {
 public:
  explicit Overlay(const store::Store& store) : store_(store) {}

  Result<std::optional<Bytes>> get(store::Family family, BytesView key) const;
  Result<bool> has(store::Family family, BytesView key) const;
  // All records whose key starts with `prefix`, in key order.
  Result<std::vector<std::pair<Bytes, Bytes>>> scan(store::Family family, BytesView prefix);
  void put(store::Family family, BytesView key, BytesView value);
  void del(store::Family family, BytesView key);

  // For records that are not read again here.
  store::Batch& batch() { return batch_; }

 private:
  using Changes = std::map<Bytes, std::optional<Bytes>, std::less<>>;

  const store::Store& store_;
  std::array<Changes, store::kFamilies> changes_;
  std::array<std::unique_ptr<store::Cursor>, store::kFamilies> cursors_;
  store::Batch batch_;
};

}  // namespace ica::crdt
