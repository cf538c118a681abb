#include "agent/ctl/wait.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace ica::ctl {
namespace {

std::string info(std::initializer_list<const char*> statuses) {
  std::string peers;
  int i = 0;
  for (const char* status : statuses) {
    peers += fmt::format("{}\"p{}\":{{\"status\":\"{}\"}}", peers.empty() ? "" : ",", i++, status);
  }
  return fmt::format("{{\"cid\":\"Qm\",\"peer_map\":{{{}}}}}", peers);
}

}  // namespace

TEST_CASE("every peer must be there; remote ones count for pins") {
  CHECK(progress_of(info({"pinned", "remote"}), "pinned", 0) == Progress::Reached);
  CHECK(progress_of(info({"pinned", "pinning"}), "pinned", -1) == Progress::Waiting);
  CHECK(progress_of(info({"unpinned", "remote"}), "unpinned", 0) == Progress::Waiting);
  CHECK(progress_of(info({}), "pinned", 5) == Progress::Reached);
}

TEST_CASE("a limit counts peers in the target state, never more than there are") {
  CHECK(progress_of(info({"pinned", "pinning"}), "pinned", 1) == Progress::Reached);
  CHECK(progress_of(info({"pinned", "pinned"}), "pinned", 9) == Progress::Reached);
  CHECK(progress_of(info({"pinned", "remote"}), "pinned", 2) == Progress::Waiting);
}

TEST_CASE("any error ends the wait") {
  for (const char* status : {"undefined", "cluster_error", "pin_error", "unpin_error", ""}) {
    CHECK(progress_of(info({"pinned", status}), "pinned", 1) == Progress::Failed);
  }
  CHECK(progress_of(info({"unexpectedly_unpinned"}), "pinned", 0) == Progress::Waiting);
}

}  // namespace ica::ctl
