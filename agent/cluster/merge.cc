#include "agent/cluster/merge.h"

#include <algorithm>
#include <cstdio>
#include <queue>

#include "common/base/offload.h"
#include "common/base/system_words.h"

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
      return fail(Code::Io, "temporary file: {}", system_words(errno));
    }
    for (const api::PinInfo& info : items) {
      const std::string text = api::to_json(api::to_global(info));
      const auto size = static_cast<uint32_t>(text.size());
      if (std::fwrite(&size, sizeof size, 1, run->file_.get()) != 1 ||
          std::fwrite(text.data(), 1, text.size(), run->file_.get()) != text.size()) {
        return fail(Code::Io, "temporary file: {}", system_words(errno));
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

// One peer's part of a merge: the batch at hand and where the rest comes from.
class Lane {
 public:
  Lane(MergeSource source, size_t run_items)
      : peer_(std::move(source.peer)),
        peer_text_(peer_.text()),
        own_(source.own),
        error_(std::move(source.error)),
        items_(std::move(source.infos.items)),
        briefs_(std::move(source.infos.briefs)) {
    if (items_ && !source.infos.sorted) {
      items_ = sorted(std::move(items_), run_items);
    }
  }

  const PeerId& peer() const { return peer_; }
  const std::string& peer_text() const { return peer_text_; }
  const std::string& error() const { return error_; }
  const std::optional<Error>& damage() const { return damage_; }

  bool empty() const { return position_ >= (in_brief() ? briefs_at_hand() : batch_.size()); }
  bool wants_batch() const { return empty() && (items_ || briefs_); }
  BytesView cid() const {
    return in_brief() ? brief().cid : BytesView(batch_[position_].cid.bytes());
  }
  bool in_brief() const { return briefs_ != nullptr; }

  static Task<bool> refill(Lane& lane) {
    lane.position_ = 0;
    if (lane.briefs_) {
      auto batch = co_await lane.briefs_->next();
      lane.take(std::move(batch), lane.brief_batch_);
    } else {
      auto batch = co_await lane.items_->next();
      lane.take(std::move(batch), lane.batch_);
    }
    co_return true;
  }

  // Adds what stands in front, and moves on.
  void add_to(api::GlobalPinInfo& global) {
    // An answer speaks for the peer that gave it, and for nobody else.
    if (in_brief()) {
      global.peer_map.insert_or_assign(peer_text_, short_info(brief_batch_.front(), brief()));
    } else {
      api::add_peer(global, std::move(batch_[position_]), peer_text_);
    }
    ++position_;
  }

  // The same of an answer in brief, with its pin. One that is no good ends the lane.
  bool add_pin_to(api::GlobalPinInfo& global) {
    auto info = full_info(brief_batch_.front(), brief());
    if (!info) {
      fail_with(info.error());
      return false;
    }
    api::add_peer(global, std::move(*info), peer_text_);
    ++position_;
    return true;
  }

 private:
  size_t briefs_at_hand() const {
    return brief_batch_.empty() ? 0 : brief_batch_.front().items.size();
  }
  const BriefStatus& brief() const { return brief_batch_.front().items[position_]; }

  template <typename T>
  void take(Result<std::vector<T>> batch, std::vector<T>& into) {
    if (!batch) {
      fail_with(batch.error());
    } else if (batch->empty()) {
      end();
    } else {
      into = std::move(*batch);
    }
  }

  void end() {
    items_.reset();
    briefs_.reset();
    batch_.clear();
    position_ = 0;
  }

  void fail_with(const Error& error) {
    end();
    const Code code = error.code();
    if (own_ && (code == Code::Corrupt || code == Code::Io || code == Code::Cancelled)) {
      damage_ = error;
    } else if (code != Code::PermissionDenied) {
      error_ = error.message();
    }
  }

  PeerId peer_;
  std::string peer_text_;
  bool own_;
  std::string error_;
  std::optional<Error> damage_;
  // One of the two, or none at the end.
  StreamPtr<api::PinInfo> items_;
  StreamPtr<BriefBatch> briefs_;
  std::vector<api::PinInfo> batch_;
  std::vector<BriefBatch> brief_batch_;  // one at a time
  size_t position_ = 0;
};

class MergeStream final : public Stream<api::GlobalPinInfo> {
 public:
  MergeStream(std::vector<MergeSource> sources, FailedInfo failed, size_t run_items)
      : failed_(std::move(failed)) {
    for (MergeSource& source : sources) {
      lanes_.push_back(std::make_unique<Lane>(std::move(source), run_items));
    }
    // Answers in brief go last: they need not bring a pin that another one told.
    std::stable_partition(lanes_.begin(), lanes_.end(),
                          [](const auto& lane) { return !lane->in_brief(); });
  }

  Task<Result<std::vector<api::GlobalPinInfo>>> next() override {
    std::vector<api::GlobalPinInfo> out;
    out.reserve(kBatch);
    while (out.size() < kBatch) {
      if (std::any_of(lanes_.begin(), lanes_.end(),
                      [](const auto& lane) { return lane->wants_batch(); })) {
        const Status filled = co_await fill();
        CO_TRY_VOID(filled);
      }
      const Lane* const least = front();
      if (least == nullptr) {
        break;
      }
      join(least->cid(), out);
    }
    co_return out;
  }

 private:
  // No lane is empty before its end; those that are get their next batch side by side.
  Task<Status> fill() {
    std::vector<Task<bool>> tasks;
    for (const auto& lane : lanes_) {
      if (lane->wants_batch()) {
        tasks.push_back(Lane::refill(*lane));
      }
    }
    co_await gather(std::move(tasks));
    for (const auto& lane : lanes_) {
      if (lane->damage()) {
        co_return fail(*lane->damage());
      }
    }
    co_return Status();
  }

  // The lane with the least CID.
  const Lane* front() const {
    const Lane* least = nullptr;
    for (const auto& lane : lanes_) {
      if (!lane->empty() && (least == nullptr || lane->cid() < least->cid())) {
        least = lane.get();
      }
    }
    return least;
  }

  // Adds what all say of `least` to `out`, unless the only one to say anything turns out to be no
  // good.
  void join(BytesView least, std::vector<api::GlobalPinInfo>& out) {
    api::GlobalPinInfo global;
    global.peer_map.reserve(lanes_.size());
    for (const auto& lane : lanes_) {
      // Once the CID is known, `least` may point to what is gone.
      while (!lane->empty() &&
             lane->cid() == (global.cid.defined() ? BytesView(global.cid.bytes()) : least)) {
        if (!lane->in_brief() || global.cid.defined()) {
          lane->add_to(global);
        } else if (!lane->add_pin_to(global)) {
          return;
        }
      }
    }
    for (const auto& lane : lanes_) {
      if (!lane->error().empty()) {
        global.peer_map.emplace(lane->peer_text(), failed_(lane->peer(), lane->error()));
      }
    }
    out.push_back(std::move(global));
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
