#include "agent/crdt/rebuild.h"

#include <unordered_set>

#include "agent/crdt/delta.h"

namespace ica::crdt {

using store::Family;

namespace {

constexpr size_t kHeadsAtOnce = 256;
constexpr size_t kPage = 256;
constexpr size_t kCommitBytes = 4 << 20;

Result<std::vector<Bytes>> tips_of(const store::Store& from, RebuildReport& report) {
  std::unordered_set<Bytes> present;
  std::unordered_set<Bytes> linked;
  auto cursor = from.cursor(Family::Blocks);
  for (cursor->seek_first(); cursor->valid(); cursor->next()) {
    if (block_digest(cursor->value()) != cursor->key()) {
      ++report.damaged;
      continue;
    }
    ++report.found;
    present.emplace(cursor->key());
    if (const auto node = decode_node(cursor->value())) {
      linked.insert(node->links.begin(), node->links.end());
    }
  }
  TRY_VOID(cursor->status());
  std::vector<Bytes> tips;
  for (const auto& digest : present) {
    if (!linked.contains(digest)) {
      tips.push_back(digest);
    }
  }
  std::sort(tips.begin(), tips.end());
  return tips;
}

// Merges what is wanted and present, until a whole round over the work finds nothing.
Status merge_present(const store::Store& from, Replica& to) {
  for (bool progress = true; progress;) {
    progress = false;
    Bytes after;
    for (;;) {
      TRY(const auto wanted, to.work(after, kPage));
      if (wanted.empty()) {
        break;
      }
      after = wanted.back();
      std::vector<Fetched> fetched;
      size_t bytes = 0;
      const auto merge = [&]() -> Status {
        TRY_VOID(to.merge(std::exchange(fetched, {})));
        bytes = 0;
        return {};
      };
      for (const auto& digest : wanted) {
        TRY(auto block, from.get(Family::Blocks, digest));
        if (block && block_digest(*block) == digest) {
          bytes += block->size();
          fetched.push_back({digest, *std::move(block)});
          progress = true;
        }
        if (bytes >= kCommitBytes) {
          TRY_VOID(merge());
        }
      }
      TRY_VOID(merge());
    }
  }
  return {};
}

}  // namespace

Result<RebuildReport> rebuild(const store::Store& from, Replica& to) {
  RebuildReport report;
  if (const auto epoch = load_epoch(from); epoch && epoch->number > 0) {
    TRY_VOID(to.set_epoch(*epoch));
  }
  TRY(const auto tips, tips_of(from, report));
  for (size_t i = 0; i < tips.size(); i += kHeadsAtOnce) {
    const auto begin = tips.begin() + static_cast<ptrdiff_t>(i);
    const auto end = tips.begin() + static_cast<ptrdiff_t>(std::min(i + kHeadsAtOnce, tips.size()));
    TRY_VOID(to.receive_heads({begin, end}));
    TRY_VOID(merge_present(from, to));
  }
  report.missing = to.info().work;
  return report;
}

}  // namespace ica::crdt
