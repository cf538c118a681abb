#include <fmt/format.h>

#include "agent/ctl/commands.h"
#include "agent/ctl/form_body.h"
#include "agent/ctl/format.h"
#include "agent/ctl/json_scanner.h"
#include "agent/ctl/pin_request.h"
#include "agent/ctl/progress_bar.h"
#include "agent/ctl/session.h"
#include "agent/ctl/wait.h"

namespace ica::ctl {
namespace {

constexpr std::string_view kDefaultHash = "sha2-256";
constexpr uint64_t kDefaultShardSize = 100U << 20;  // sent, as by the reference; nothing is sharded

std::string bool_text(bool value) {
  return value ? "true" : "false";
}

Status read_pin_options(const FlagValues& flags, PinParameters& out) {
  out.replication_min = flags.number("replication-min");
  out.replication_max = flags.number("replication-max");
  out.name = flags.text("name");
  out.shard_size = kDefaultShardSize;
  TRY_VOID(read_expiry(flags, out));
  TRY_VOID(read_metadata(flags, out));
  return read_allocations(flags, true, out);
}

std::string add_path(const FlagValues& flags, const PinParameters& pin, bool wrap) {
  Query query;
  pin.write_to(query);
  const bool other_hash = flags.text("hash") != kDefaultHash;
  const int64_t cid_version = other_hash ? 1 : flags.number("cid-version");
  const bool raw_leaves = flags.on("raw-leaves") || cid_version > 0 || flags.on("nocopy");
  query.set("shard", "false");
  query.set("local", bool_text(flags.on("local")));
  query.set("recursive", bool_text(flags.on("recursive")));
  query.set("layout", flags.text("layout"));
  query.set("chunker", flags.text("chunker"));
  query.set("raw-leaves", bool_text(raw_leaves));
  query.set("hidden", bool_text(flags.on("hidden")));
  query.set("wrap-with-directory", bool_text(wrap));
  query.set("progress", "false");
  query.set("cid-version", std::to_string(cid_version));
  query.set("hash", flags.text("hash"));
  query.set("stream-channels", "true");
  query.set("nocopy", bool_text(flags.on("nocopy")));
  query.set("format", flags.text("format"));
  query.set("no-pin", bool_text(flags.on("no-pin")));
  return "/add?" + query.text();
}

// What the peer tells about added files, shown as the flags ask for.
class AddedFiles {
 public:
  AddedFiles(Session& session, const FlagValues& flags)
      : session_(session),
        only_last_(flags.on("quieter")),
        buffered_(flags.on("no-stream")),
        format_(only_last_ || flags.on("quiet") ? format_added_quiet : format_added) {}

  void take(std::string_view document) {
    last_ = document;
    if (buffered_) {
      all_.emplace_back(document);
    } else if (!only_last_) {
      session_.show(document, format_);
    }
  }
  void finish() {
    if (last_cid().empty()) {
      return;
    }
    if (!buffered_) {
      if (only_last_) {
        session_.show(last_, format_);
      }
      return;
    }
    if (only_last_) {
      all_ = {last_};
    }
    if (session_.json()) {
      session_.console().out(indent_json(fmt::format("[{}]", fmt::join(all_, ","))) + "\n");
      return;
    }
    for (const std::string& document : all_) {
      session_.show(document, format_);
    }
  }
  std::string last_cid() const { return last_.empty() ? std::string() : json_text(last_, "cid"); }

 private:
  Session& session_;
  bool only_last_;
  bool buffered_;
  Session::TextFormat format_;
  std::string last_;
  std::vector<std::string> all_;
};

Task<int> wait_for_pin(Session& session, const FlagValues& flags, std::string cid) {
  int64_t limit = flags.number("replication-min");
  if (const auto pin = co_await session.api().call("GET", "/allocations/" + cid)) {
    limit = json_number(*pin, "replication_factor_min");
  }
  const WaitOutcome waited =
      co_await wait_for(session, cid, "pinned", flags.duration("wait-timeout"), limit);
  co_return waited.exit;
}

}  // namespace

Task<int> run_add(Session& session, const Invocation& line) {
  const FlagValues& flags = line.flags;
  if (line.args.empty()) {
    co_return session.fail("", "need at least one path");
  }
  PinParameters pin;
  if (const Status read = read_pin_options(flags, pin); !read) {
    session.console().err(fmt::format("error {}\n", read.error().message()));
    co_return kExitFailed;
  }
  const bool wrap = flags.on("wrap-with-directory") || line.args.size() > 1;
  if (wrap && flags.text("format") == "car") {
    co_return session.fail(
        "", "only a single CAR file can be added and wrap-with-directory is not supported");
  }
  const FormOptions options{.recursive = flags.on("recursive"),
                            .hidden = flags.on("hidden"),
                            .no_copy = flags.on("nocopy")};
  auto body = FormBody::make(line.args, options);
  if (!body) {
    co_return session.fail("", body.error().message());
  }
  ProgressBar bar(session.console());
  if (session.console().err_is_terminal() && !session.json() && !flags.on("quiet") &&
      !flags.on("quieter") && !flags.on("no-progress")) {
    bar.start((*body)->has_urls() ? 0 : (*body)->total_bytes());
    (*body)->on_progress([&bar](uint64_t sent) { bar.update(sent); });
  }
  AddedFiles added(session, flags);
  const ApiResult<void> result =
      co_await session.api().upload(add_path(flags, pin, wrap), *body,
                                    [&added](std::string_view document) { added.take(document); });
  bar.finish();
  added.finish();
  if (result && flags.on("wait") && !added.last_cid().empty()) {
    if (const int code = co_await wait_for_pin(session, flags, added.last_cid()); code != kExitOk) {
      co_return code;
    }
  }
  co_return session.finish(result);
}

}  // namespace ica::ctl
