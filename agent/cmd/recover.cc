#include "agent/cmd/recover.h"

#include <future>

#include "agent/cmd/peer_state.h"
#include "agent/crdt/rebuild.h"
#include "common/base/log.h"

namespace ica::cmd {
namespace {

constexpr std::string_view kComponent = "service";

// With the tracker looking on, so that its records fit too.
Result<crdt::RebuildReport> rebuild_into(const store::Store& from,
                                         const std::filesystem::path& fresh,
                                         const config::Config& config, const PeerId& self) {
  const SystemClock clock;
  Runtime runtime;
  PeerState state;
  Status opened = state.open(fresh, config, self, runtime, clock);
  Result<crdt::RebuildReport> report = fail(Code::Internal, "not rebuilt");
  if (opened) {
    std::promise<void> done;
    asio::post(runtime.state(), [&] {
      report = crdt::rebuild(from, *state.replica);
      done.set_value();
    });
    done.get_future().wait();
    if (report) {
      opened = state.store->flush();
    }
  }
  runtime.stop();
  if (!opened) {
    return fail(opened.error());
  }
  return report;
}

}  // namespace

Status swap_in(const std::filesystem::path& fresh, const std::filesystem::path& folder) {
  const std::filesystem::path old = folder.string() + ".old";
  std::error_code error;
  std::filesystem::remove_all(old, error);
  if (std::filesystem::exists(folder, error)) {
    std::filesystem::rename(folder, old, error);
  }
  if (!error) {
    std::filesystem::rename(fresh, folder, error);
  }
  if (error) {
    return fail(Code::Io, "putting the new state into its place: {}", error.message());
  }
  std::filesystem::remove_all(old, error);
  return {};
}

Status rebuild_database(const std::filesystem::path& folder, const config::Config& config,
                        const PeerId& self) {
  const std::filesystem::path fresh = folder.string() + ".rebuilding";
  std::error_code error;
  std::filesystem::remove_all(fresh, error);
  TRY_VOID(store::salvage(folder).context("rebuilding the state"));
  {
    TRY(const auto from,
        store::Store::open({.path = folder, .memory_budget = config.agent.memory_budget}));
    TRY(const auto report, rebuild_into(*from, fresh, config, self));
    log_warn(kComponent,
             "the state was rebuilt from the {} changes in the data folder; {} damaged ones were "
             "left out, {} missing ones are asked for at the other peers",
             report.found, report.damaged, report.missing);
  }
  return swap_in(fresh, folder);
}

}  // namespace ica::cmd
