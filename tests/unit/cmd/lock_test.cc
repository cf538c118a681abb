#include "agent/cmd/lock.h"

#include <doctest/doctest.h>
#include <sys/wait.h>

#include "support.h"

using namespace ica;
using namespace ica::cmd;
using namespace ica::cmd::test;

TEST_CASE("folder lock: a second process is kept out, with a sentence") {
  const ScratchDir folder;
  auto lock = FolderLock::take(folder.path(), "ipfs-cluster-agent");
  REQUIRE(lock);
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {  // fcntl locks are between processes
    const auto second = FolderLock::take(folder.path(), "ipfs-cluster-agent");
    const std::string text = second ? "taken" : second.error().message();
    (void)!write(ends[1], text.data(), text.size());
    _exit(0);
  }
  close(ends[1]);
  std::string answer;
  char buffer[1024];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) {
    answer.append(buffer, static_cast<size_t>(n));
  }
  close(ends[0]);
  waitpid(child, nullptr, 0);
  const std::string path = (folder.path() / "cluster.lock").string();
  CHECK(answer ==
        "lock " + path + ": someone else has the lock. If no other ipfs-cluster-agent process is " +
            "running, remove " + path + ", or make sure that the config folder is writable for " +
            "the user running ipfs-cluster-agent.");
}
