#include "agent/crdt/overlay.h"

namespace ica::crdt {

using store::Family;

Result<std::optional<Bytes>> Overlay::get(Family family, BytesView key) const {
  const auto& changes = changes_[static_cast<size_t>(family)];
  if (const auto it = changes.find(key); it != changes.end()) {
    return it->second;
  }
  return store_.get(family, key);
}

Result<bool> Overlay::has(Family family, BytesView key) const {
  TRY(const auto value, get(family, key));
  return value.has_value();
}

Result<std::vector<std::pair<Bytes, Bytes>>> Overlay::scan(Family family, BytesView prefix) {
  auto& cursor = cursors_[static_cast<size_t>(family)];
  if (!cursor) {
    // One for all scans: making one costs more than a seek. A one-byte prefix keeps what it reads
    // in the cache, and every family that is scanned starts its keys with a letter.
    cursor = store_.cursor(family, prefix.substr(0, 1));
  }
  std::map<Bytes, Bytes> found;
  for (cursor->seek(prefix); cursor->valid() && cursor->key().starts_with(prefix); cursor->next()) {
    found.emplace(cursor->key(), cursor->value());
  }
  TRY_VOID(cursor->status());
  const auto& changes = changes_[static_cast<size_t>(family)];
  for (auto it = changes.lower_bound(prefix); it != changes.end() && it->first.starts_with(prefix);
       ++it) {
    if (it->second) {
      found[it->first] = *it->second;
    } else {
      found.erase(it->first);
    }
  }
  return std::vector<std::pair<Bytes, Bytes>>(found.begin(), found.end());
}

void Overlay::put(Family family, BytesView key, BytesView value) {
  changes_[static_cast<size_t>(family)].insert_or_assign(Bytes(key), Bytes(value));
  batch_.put(family, key, value);
}

void Overlay::del(Family family, BytesView key) {
  changes_[static_cast<size_t>(family)].insert_or_assign(Bytes(key), std::nullopt);
  batch_.del(family, key);
}

}  // namespace ica::crdt
