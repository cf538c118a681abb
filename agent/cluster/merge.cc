#include "agent/cluster/merge.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <queue>

#include "common/base/offload.h"

namespace ica::cluster {
namespace {

constexpr size_t kBatch = 256;

// A sorted run in a file that vanishes with its handle. Records are a length and one JSON document.
class Run {
 public:
  static Result<std::unique_ptr<Run>> write(const std::vector<api::PinInfo>& items) {
    auto run = std::make_unique<Run>();
    run->file_.reset(std::tmpfile());
    if (!run->file_) {
      return fail(Code::Io, "temporary file: {}", std::strerror(errno));
    }
    for (const api::PinInfo& info : items) {
      const std::string text = api::to_json(api::to_global(info));
      const auto size = static_cast<uint32_t>(text.size());
      if (std::fwrite(&size, sizeof size, 1, run->file_.get()) != 1 ||
          std::fwrite(text.data(), 1, text.size(), run->file_.get()) != text.size()) {
        return fail(Code::Io, "temporary file: {}", std::strerror(errno));
      }
    }
    std::rewind(run->file_.get());
    TRY_VOID(run->advance());
    return run;
  }

  const Cid& cid() const { return head_.cid; }
  bool at_end() const { return at_end_; }
  api::PinInfo take() { return std::move(head_); }

  Status advance() {
    uint32_t size = 0;
    if (std::fread(&size, sizeof size, 1, file_.get()) != 1) {
      at_end_ = true;
      return {};
    }
    std::string text(size, '\0');
    if (std::fread(text.data(), 1, size, file_.get()) != size) {
      return fail(Code::Io, "temporary file: cut short");
    }
    TRY(auto global, api::global_pin_info_from_json(text));
    if (global.peer_map.size() != 1) {
      return fail(Code::Internal, "temporary file: not one peer");
    }
    auto& [peer, info] = *global.peer_map.begin();
    TRY(head_.peer, PeerId::parse(peer));
    head_.cid = std::move(global.cid);
    head_.name = std::move(global.name);
    head_.allocations = std::move(global.allocations);
    head_.origins = std::move(global.origins);
    head_.created = global.created;
    head_.metadata = std::move(global.metadata);
    head_.info = std::move(info);
    return {};
  }

 private:
  struct Close {
    void operator()(std::FILE* f) const { std::fclose(f); }
  };
  std::unique_ptr<std::FILE, Close> file_;
  api::PinInfo head_;
  bool at_end_ = false;
};

bool by_cid(const api::PinInfo& a, const api::PinInfo& b) {
  return a.cid < b.cid;
}

class SortedStream final : public Stream<api::PinInfo> {
 public:
  SortedStream(StreamPtr<api::PinInfo> items, size_t run_items)
      : items_(std::move(items)), run_items_(run_items) {}

  Task<Result<std::vector<api::PinInfo>>> next() override {
    if (items_) {
      CO_TRY_VOID(co_await read_all());
    }
    std::vector<api::PinInfo> out;
    if (runs_.empty()) {
      const size_t n = std::min(kBatch, memory_.size() - position_);
      const auto from = memory_.begin() + static_cast<ptrdiff_t>(position_);
      out.assign(std::make_move_iterator(from),
                 std::make_move_iterator(from + static_cast<ptrdiff_t>(n)));
      position_ += n;
      co_return out;
    }
    while (out.size() < kBatch) {
      Run* least = nullptr;
      for (const auto& run : runs_) {
        if (!run->at_end() && (least == nullptr || run->cid() < least->cid())) {
          least = run.get();
        }
      }
      if (least == nullptr) {
        break;
      }
      out.push_back(least->take());
      CO_TRY_VOID(least->advance());
    }
    co_return out;
  }

 private:
  Task<Status> read_all() {
    while (true) {
      CO_TRY(auto batch, co_await items_->next());
      if (batch.empty()) {
        break;
      }
      std::move(batch.begin(), batch.end(), std::back_inserter(memory_));
      if (memory_.size() >= run_items_) {
        CO_TRY_VOID(spill());
      }
    }
    items_.reset();
    if (runs_.empty()) {
      std::stable_sort(memory_.begin(), memory_.end(), by_cid);
    } else if (!memory_.empty()) {
      CO_TRY_VOID(spill());
    }
    co_return Status();
  }

  Status spill() {
    std::stable_sort(memory_.begin(), memory_.end(), by_cid);
    TRY(auto run, Run::write(memory_));
    runs_.push_back(std::move(run));
    memory_.clear();
    return {};
  }

  StreamPtr<api::PinInfo> items_;  // null once everything is read
  const size_t run_items_;
  std::vector<api::PinInfo> memory_;
  size_t position_ = 0;
  std::vector<std::unique_ptr<Run>> runs_;
};

class MergeStream final : public Stream<api::GlobalPinInfo> {
 public:
  MergeStream(std::vector<MergeSource> sources, FailedInfo failed, size_t run_items)
      : failed_(std::move(failed)) {
    for (MergeSource& source : sources) {
      auto lane = std::make_unique<Lane>();
      lane->peer = std::move(source.peer);
      lane->peer_text = lane->peer.text();
      lane->error = std::move(source.error);
      lane->own = source.own;
      lane->items = std::move(source.infos.items);
      if (lane->items && !source.infos.sorted) {
        lane->items = sorted(std::move(lane->items), run_items);
      }
      lanes_.push_back(std::move(lane));
    }
  }

  Task<Result<std::vector<api::GlobalPinInfo>>> next() override {
    std::vector<api::GlobalPinInfo> out;
    out.reserve(kBatch);
    while (out.size() < kBatch) {
      if (std::any_of(lanes_.begin(), lanes_.end(), wants_batch)) {
        const Status filled = co_await fill();
        CO_TRY_VOID(filled);
      }
      const Cid* least = nullptr;
      for (const auto& lane : lanes_) {
        if (!lane->empty() && (least == nullptr || lane->front().cid < *least)) {
          least = &lane->front().cid;
        }
      }
      if (least == nullptr) {
        break;
      }
      out.push_back(join(Cid(*least)));
    }
    co_return out;
  }

 private:
  struct Lane {
    PeerId peer;
    std::string peer_text;
    StreamPtr<api::PinInfo> items;  // null when it has ended
    std::vector<api::PinInfo> batch;
    size_t position = 0;
    std::string error;
    bool own = false;
    std::optional<Error> damage;
    bool empty() const { return position >= batch.size(); }
    api::PinInfo& front() { return batch[position]; }
  };

  static bool wants_batch(const std::unique_ptr<Lane>& lane) {
    return lane->empty() && lane->items;
  }

  static Task<bool> refill(Lane& lane) {
    auto batch = co_await lane.items->next();
    lane.position = 0;
    if (!batch) {
      lane.batch.clear();
      lane.items.reset();
      const Code code = batch.error().code();
      if (lane.own && (code == Code::Corrupt || code == Code::Io || code == Code::Cancelled)) {
        lane.damage = batch.error();
      } else if (code != Code::PermissionDenied) {
        lane.error = batch.error().message();
      }
    } else {
      lane.batch = std::move(*batch);
      if (lane.batch.empty()) {
        lane.items.reset();
      }
    }
    co_return true;
  }

  // No lane is empty before its end; those that are get their next batch side by side.
  Task<Status> fill() {
    std::vector<Task<bool>> tasks;
    for (const auto& lane : lanes_) {
      if (wants_batch(lane)) {
        tasks.push_back(refill(*lane));
      }
    }
    if (!tasks.empty()) {
      co_await gather(std::move(tasks));
    }
    for (const auto& lane : lanes_) {
      if (lane->damage) {
        co_return fail(*lane->damage);
      }
    }
    co_return Status();
  }

  api::GlobalPinInfo join(const Cid& cid) {
    api::GlobalPinInfo global;
    global.peer_map.reserve(lanes_.size());
    for (const auto& lane : lanes_) {
      while (!lane->empty() && lane->front().cid == cid) {
        // An answer speaks for the peer that gave it, and for nobody else.
        api::add_peer(global, std::move(lane->front()), lane->peer_text);
        ++lane->position;
      }
    }
    for (const auto& lane : lanes_) {
      if (!lane->error.empty()) {
        global.peer_map.emplace(lane->peer_text, failed_(lane->peer, lane->error));
      }
    }
    return global;
  }

  const FailedInfo failed_;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace

StreamPtr<api::PinInfo> sorted(StreamPtr<api::PinInfo> items, size_t run_items) {
  return std::make_unique<SortedStream>(std::move(items), run_items);
}

StreamPtr<api::GlobalPinInfo> merge(std::vector<MergeSource> sources, FailedInfo failed,
                                    size_t run_items) {
  return std::make_unique<MergeStream>(std::move(sources), std::move(failed), run_items);
}

}  // namespace ica::cluster
