#include "agent/cmd/recover.h"

#include <future>

#include "agent/cmd/peer_state.h"
#include "agent/crdt/rebuild.h"
#include "common/base/log.h"

namespace ica::cmd {
namespace {

constexpr std::string_view kComponent = "service";

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

Status fill_database(const std::filesystem::path& fresh, const config::Config& config,
                     const PeerId& self, const std::function<Status(PeerState&)>& fill) {
  const SystemClock clock;
  Runtime runtime;
  PeerState state;
  Status status = state.open(fresh, config, self, runtime, clock);
  if (status) {
    std::promise<void> done;
    asio::post(runtime.state(), [&] {
      status = fill(state);
      done.set_value();
    });
    done.get_future().wait();
  }
  if (status) {
    status = state.store->flush();
  }
  runtime.stop();
  return status;
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
    crdt::RebuildReport report;
    TRY_VOID(fill_database(fresh, config, self, [&](PeerState& state) -> Status {
      TRY(report, crdt::rebuild(*from, *state.replica));
      return {};
    }));
    log_warn(kComponent,
             "the state was rebuilt from the {} changes in the data folder; {} damaged ones were "
             "left out, {} missing ones are asked for at the other peers",
             report.found, report.damaged, report.missing);
  }
  return swap_in(fresh, folder);
}

}  // namespace ica::cmd
