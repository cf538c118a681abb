#include "agent/rest/find.h"

#include <algorithm>
#include <charconv>

#include "common/base/offload.h"

namespace ica::rest {
namespace {

constexpr std::string_view kMeta = "meta.";
// Statuses asked for side by side.
constexpr size_t kAtOnce = 16;

Result<std::optional<Time>> read_time(const http::Query& query, std::string_view key) {
  const auto text = query.get(key);
  if (text.empty()) {
    return std::optional<Time>();
  }
  auto parsed = Time::parse(text);
  if (!parsed) {
    return fail(Code::InvalidArgument, "{} cannot be parsed: {}", key, parsed.error().message());
  }
  return std::optional<Time>(*parsed);
}

Result<api::NameMatch> read_match(std::string_view text) {
  const auto match = text.empty() ? api::NameMatch::Exact : api::name_match_from(text);
  if (!match) {
    return fail(Code::InvalidArgument,
                "parameter name-match invalid: exact, iexact, partial or ipartial");
  }
  return *match;
}

class FoundPins final : public cluster::Stream<api::Pin> {
 public:
  FoundPins(cluster::StreamPtr<api::Pin> pins, Find find)
      : pins_(std::move(pins)), find_(std::move(find)), left_(find_.limit) {}

  Task<Result<std::vector<api::Pin>>> next() override {
    std::vector<api::Pin> out;
    while (out.empty() && !done_) {
      Result<std::vector<api::Pin>> page = co_await pins_->next();
      CO_TRY(auto pins, std::move(page));
      done_ = pins.empty();
      for (api::Pin& pin : pins) {
        if (done_ || !find_.matches(pin.options.name, pin.options.metadata, pin.timestamp)) {
          continue;
        }
        out.push_back(std::move(pin));
        done_ = find_.limit > 0 && --left_ == 0;
      }
    }
    co_return out;
  }

 private:
  cluster::StreamPtr<api::Pin> pins_;
  const Find find_;
  uint64_t left_;
  bool done_ = false;
};

// Drops the peers in other states; false when none is left.
bool keep_matching(api::GlobalPinInfo& info, api::StatusFilter filter) {
  for (auto it = info.peer_map.begin(); it != info.peer_map.end();) {
    it = api::matches(filter, it->second.status) ? std::next(it) : info.peer_map.erase(it);
  }
  return !info.peer_map.empty();
}

// The statuses of pins that were found, a few at a time.
class FoundStatuses final : public cluster::Stream<api::GlobalPinInfo> {
 public:
  FoundStatuses(cluster::Cluster& cluster, cluster::StreamPtr<api::Pin> pins,
                api::StatusFilter filter, bool local, uint64_t limit, StopToken stop)
      : cluster_(cluster),
        pins_(std::move(pins)),
        filter_(filter),
        local_(local),
        limit_(limit),
        left_(limit),
        stop_(std::move(stop)) {}

  Task<Result<std::vector<api::GlobalPinInfo>>> next() override {
    std::vector<api::GlobalPinInfo> out;
    while (out.empty() && !done_) {
      if (position_ >= page_.size()) {
        Result<std::vector<api::Pin>> page = co_await pins_->next();
        CO_TRY(page_, std::move(page));
        position_ = 0;
        done_ = page_.empty();
      }
      std::vector<Task<Result<api::GlobalPinInfo>>> tasks;
      for (; position_ < page_.size() && tasks.size() < kAtOnce; ++position_) {
        const Cid& cid = page_[position_].cid;
        tasks.push_back(local_ ? cluster_.status_local(cid, stop_) : cluster_.status(cid, stop_));
      }
      std::vector<Result<api::GlobalPinInfo>> answers = co_await gather(std::move(tasks));
      for (auto& answer : answers) {
        if (!answer) {
          co_return fail(std::move(answer.error()));
        }
        if (!done_ && keep_matching(*answer, filter_)) {
          out.push_back(std::move(*answer));
          done_ = limit_ > 0 && --left_ == 0;
        }
      }
    }
    co_return out;
  }

 private:
  cluster::Cluster& cluster_;
  cluster::StreamPtr<api::Pin> pins_;
  const api::StatusFilter filter_;
  const bool local_;
  const uint64_t limit_;
  uint64_t left_;
  const StopToken stop_;
  std::vector<api::Pin> page_;
  size_t position_ = 0;
  bool done_ = false;
};

class FilteredStatuses final : public cluster::Stream<api::GlobalPinInfo> {
 public:
  FilteredStatuses(cluster::StreamPtr<api::GlobalPinInfo> items, Find find)
      : items_(std::move(items)), find_(std::move(find)) {}

  Task<Result<std::vector<api::GlobalPinInfo>>> next() override {
    while (true) {
      auto page = co_await items_->next();
      if (!page || page->empty()) {
        co_return page;
      }
      std::erase_if(*page, [this](const api::GlobalPinInfo& info) {
        return !find_.matches(info.name, info.metadata, info.created);
      });
      if (!page->empty()) {
        co_return page;
      }
    }
  }

 private:
  cluster::StreamPtr<api::GlobalPinInfo> items_;
  const Find find_;
};

}  // namespace

bool Find::matches(std::string_view pin_name, const std::map<std::string, std::string>& metadata,
                   Time created) const {
  if (name && !api::name_matches(pin_name, *name, match)) {
    return false;
  }
  for (const auto& [key, value] : meta) {
    const auto found = metadata.find(key);
    if (found == metadata.end() || found->second != value) {
      return false;
    }
  }
  return (!created_before || created < *created_before) &&
         (!created_after || created > *created_after);
}

Result<Find> read_find(const http::Query& query) {
  Find find;
  if (const auto text = query.get("limit"); !text.empty()) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), find.limit);
    if (error != std::errc() || end != text.data() + text.size() || find.limit == 0) {
      return fail(Code::InvalidArgument, "parameter limit invalid");
    }
  }
  if (const auto text = query.get("after"); !text.empty()) {
    auto cid = Cid::parse(text);
    if (!cid) {
      return fail(Code::InvalidArgument, "parameter after invalid: {}", cid.error().message());
    }
    find.after = std::move(*cid);
  }
  if (const auto text = query.get("name"); !text.empty()) {
    find.name = std::string(text);
  }
  TRY(find.match, read_match(query.get("name-match")));
  if (find.name) {
    find.name = api::name_to_match(*find.name, find.match);
  }
  TRY(find.created_before, read_time(query, "created-before"));
  TRY(find.created_after, read_time(query, "created-after"));
  for (const auto& [key, value] : query.pairs()) {
    if (key.size() > kMeta.size() && key.starts_with(kMeta)) {
      find.meta.emplace_back(key.substr(kMeta.size()), value);
    }
  }
  return find;
}

cluster::StreamPtr<api::Pin> find_pins(cluster::Cluster& cluster, uint64_t types, Find find,
                                       StopToken stop) {
  cluster::PinRange range;
  range.types = types;
  range.after = find.after;
  if (find.name && find.match == api::NameMatch::Exact) {
    range.name = *find.name;
  }
  auto pins = cluster.pins(std::move(range), std::move(stop));
  return std::make_unique<FoundPins>(std::move(pins), std::move(find));
}

cluster::StreamPtr<api::GlobalPinInfo> find_statuses(cluster::Cluster& cluster,
                                                     api::StatusFilter filter, bool local,
                                                     Find find, StopToken stop) {
  if (!find.few()) {
    auto all = local ? cluster.status_all_local(filter, stop) : cluster.status_all(filter, stop);
    return std::make_unique<FilteredStatuses>(std::move(all), std::move(find));
  }
  const uint64_t limit = find.limit;
  find.limit = 0;  // counts what matches the status as well
  auto pins = find_pins(cluster, ~uint64_t{0}, std::move(find), stop);
  return std::make_unique<FoundStatuses>(cluster, std::move(pins), filter, local, limit,
                                         std::move(stop));
}

}  // namespace ica::rest
