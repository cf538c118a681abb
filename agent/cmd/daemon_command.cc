#include <algorithm>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdlib>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "agent/cmd/command.h"
#include "agent/cmd/daemon.h"
#include "agent/cmd/lock.h"
#include "agent/cmd/notify.h"
#include "common/base/asio.h"
#include "common/base/log.h"

namespace ica::cmd {
namespace {

constexpr std::string_view kComponent = "service";
// How often the settings' files are looked at.
constexpr std::chrono::seconds kWatch{5};
constexpr std::chrono::seconds kLookAfterDaemon{1};

constexpr cli::FlagSpec kFlags[] = {
    {.names = "upgrade, u", .usage = "run state migrations before starting (deprecated/unused)"},
    {.names = "bootstrap, j",
     .kind = cli::FlagKind::String,
     .usage = "join a cluster providing a comma-separated list of existing peers multiaddress(es)"},
    {.names = "leave, x",
     .usage = "remove peer from cluster on exit. Overrides \"leave_on_shutdown\"",
     .extra = true},
    {.names = "stats", .usage = "enable stats collection"},
    {.names = "tracing", .usage = "enable tracing collection"},
    {.names = "no-trust", .usage = "do not trust bootstrap peers"},
};

constexpr std::string_view kDescription = R"(
   Runs until it gets SIGTERM or SIGINT; a second one ends it at once, which loses nothing
   that was acknowledged. SIGHUP reads log level, credentials, certificates and trusted
   peers again; called as ipfs-cluster-service it ends the peer, as it does there.
)";

// The memory that threads keep for themselves is most of an idle peer: few pools. A pool keeps what
// one page of a listing needs, or each page would have the kernel clear it anew; after a burst
// release_pages() gives that back, too. Blocks of an upload (256 KiB) come from there as well:
// mapped one by one, each would be cleared page by page.
void tune_memory() {
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_TRIM_THRESHOLD, 2 << 20);
  mallopt(M_MMAP_THRESHOLD, 320 << 10);
  mallopt(M_TOP_PAD, 64 << 10);
}

void raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

// "a.example,b.example:9096" of CLUSTER_BOOTSTRAP_DNS.
void apply_bootstrap_names(const Invocation& in, config::Config& config) {
  const auto found = in.environment.find("CLUSTER_BOOTSTRAP_DNS");
  std::string_view rest = found == in.environment.end() ? std::string_view() : found->second;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find_first_of(", "), rest.size());
    if (end > 0) {
      config.agent.bootstrap_dns.emplace_back(rest.substr(0, end));
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

Status apply_bootstrap(const Invocation& in, config::Config& config) {
  std::string rest = in.flags.text("bootstrap");
  config::Addresses addresses;
  while (!rest.empty()) {
    const size_t comma = std::min(rest.find(','), rest.size());
    std::string text = rest.substr(0, comma);
    text.erase(0, text.find_first_not_of(' '));
    text.erase(text.find_last_not_of(' ') + 1);
    rest.erase(0, std::min(comma + 1, rest.size()));
    TRY(auto address,
        Multiaddr::parse(text).context("error parsing bootstrap multiaddress ({})", text));
    addresses.push_back(std::move(address));
  }
  if (!in.flags.on("no-trust") && !config.crdt.trusted_peers.all) {
    for (const auto& address : addresses) {
      if (const auto peer = address.peer_id()) {
        config.crdt.trusted_peers.peers.push_back(*peer);
      }
    }
  }
  auto& known = config.cluster.peer_addresses;
  known.insert(known.begin(), addresses.begin(), addresses.end());
  return {};
}

Status apply_flags(const Invocation& in, config::Config& config) {
  if (in.flags.on("stats")) {
    config.metrics.enable_stats = true;
  }
  if (in.flags.on("tracing")) {
    config.tracing.enable_tracing = true;
  }
  if (in.flags.on("leave")) {
    config.cluster.leave_on_shutdown = true;
  }
  apply_bootstrap_names(in, config);
  return apply_bootstrap(in, config);
}

Status apply_log_settings(const Invocation& in, const config::Config& config) {
  Invocation effective = in;
  if (effective.log_levels.empty()) {
    effective.log_levels = config.agent.log_level;
  }
  return setup_log(effective, config.agent.log_format);
}

// Signals on the main thread, so that the second one is heard whatever the others do.
class Signals {
 public:
  // `watched`: files besides service.json and the secrets' that are read again when they change.
  Signals(const Invocation& in, Daemon& daemon, std::vector<std::filesystem::path> watched)
      : in_(in), daemon_(daemon), watched_(std::move(watched)), seen_(fingerprint()) {}

  // Returns when the first signal to end came, or the daemon cannot go on.
  void wait() {
    listen();
    watch();
    look_after_daemon();
    context_.run();
  }
  // From now on a signal ends the process.
  static void quit_on_next() {
    std::signal(SIGTERM, quit);
    std::signal(SIGINT, quit);
    std::signal(SIGHUP, SIG_IGN);
  }

 private:
  static void quit(int) { std::_Exit(kFailed); }

  void listen() {
    signals_.async_wait([this](const boost::system::error_code& error, int signal) {
      if (error) {
        return;
      }
      if (signal == SIGHUP && !in_.stands_in()) {
        reload();
        listen();
        return;
      }
      log_info(kComponent, "received signal {}",
               signal == SIGHUP ? "SIGHUP" : (signal == SIGINT ? "SIGINT" : "SIGTERM"));
      context_.stop();
    });
  }

  void look_after_daemon() {
    daemon_timer_.expires_after(kLookAfterDaemon);
    daemon_timer_.async_wait([this](const boost::system::error_code&) {
      if (daemon_.failure()) {
        context_.stop();
        return;
      }
      look_after_daemon();
    });
  }

  // Files that are changed in place, as Kubernetes does with secrets, are as good as a signal.
  void watch() {
    timer_.expires_after(kWatch);
    timer_.async_wait([this](const boost::system::error_code&) {
      if (std::string now = fingerprint(); now != seen_) {
        seen_ = std::move(now);
        log_info(kComponent, "the settings' files have changed");
        reload();
      }
      watch();
    });
  }

  // Time, size and inode of every file that settings come from; links are followed.
  std::string fingerprint() const {
    std::vector<std::filesystem::path> files = {in_.folder / "service.json"};
    for (const auto& [name, value] : in_.environment) {
      if (name.starts_with("CLUSTER_") && name.ends_with("_FILE")) {
        files.emplace_back(value);
      }
    }
    for (const auto& file : watched_) {
      files.push_back(file);
    }
    std::string out;
    for (const auto& file : files) {
      struct stat info {};
      if (::stat(file.c_str(), &info) == 0) {
        out += fmt::format("{}.{}:{}:{};", info.st_mtim.tv_sec, info.st_mtim.tv_nsec,
                           static_cast<int64_t>(info.st_size), info.st_ino);
      } else {
        out += "-;";
      }
    }
    return out;
  }

  void reload() {
    auto loaded = config::load_config(in_.folder, in_.environment);
    Status status = loaded ? apply_log_settings(in_, loaded->config) : fail(loaded.error());
    if (status) {
      status = apply_flags(in_, loaded->config);
    }
    if (status) {
      status = daemon_.reload(loaded->config);
    }
    if (status) {
      log_info(kComponent,
               "log level, credentials, certificates and trusted peers were read again");
    } else {
      log_error(kComponent, "reading the settings again: {}; the old ones stay",
                status.error().message());
    }
  }

  const Invocation& in_;
  Daemon& daemon_;
  const std::vector<std::filesystem::path> watched_;
  std::string seen_;
  asio::io_context context_{1};
  asio::steady_timer timer_{context_};
  asio::steady_timer daemon_timer_{context_};
  asio::signal_set signals_{context_, SIGINT, SIGTERM, SIGHUP};
};

int run_daemon(const Invocation& in) {
  tune_memory();
  raise_file_limit();
  std::signal(SIGPIPE, SIG_IGN);
  auto lock = FolderLock::take(in.folder, in.program);
  if (!lock) {
    return report("obtaining execution lock", lock.error());
  }
  auto loaded = config::load_config(in.folder, in.environment);
  Status status = loaded ? apply_flags(in, loaded->config) : fail(loaded.error());
  if (status) {
    status = apply_log_settings(in, loaded->config);
  }
  if (!status) {
    return report("loading configurations", status.error());
  }
  // Not before the log has its format.
  log_info(kComponent, "Initializing. For verbose output run with \"-l debug\". Please wait...");
  std::string notice;
  auto identity = config::load_identity(in.folder, in.environment, notice);
  if (!identity) {
    return report("loading configurations", identity.error());
  }
  fmt::print(stderr, "{}", notice);
  for (const auto& warning : loaded->warnings) {
    log_warn("config", "{}", warning);
  }
  log_info(kComponent, "{}: folder {}, peer ID {}", in.program, in.folder.string(), identity->id);

  std::vector<std::filesystem::path> watched;
  for (const auto* api : {&loaded->config.rest_api, &loaded->config.pinsvc_api}) {
    for (const std::string& file : {api->ssl_cert_file, api->ssl_key_file}) {
      if (!file.empty()) {
        watched.push_back(loaded->config.resolve(file));
      }
    }
  }
  auto daemon = Daemon::start(std::move(loaded->config), std::move(*identity));
  if (!daemon) {
    return report("starting cluster", daemon.error());
  }
  Signals(in, **daemon, std::move(watched)).wait();
  Signals::quit_on_next();
  log_info("cluster", "shutting down Cluster");
  notify_service_manager("STOPPING=1");
  const auto failure = (*daemon)->failure();
  const bool in_time = (*daemon)->stop();
  if (!in_time) {
    // Everything acknowledged is on disk; what hangs here would only hold up the restart.
    log_warn(kComponent, "not everything ended in time; leaving without it");
  }
  if (in_time) {
    daemon->reset();
  }
  const int code = failure ? report("keeping the pinset", *failure) : kOk;
  if (!in_time) {
    log_flush();
    std::_Exit(code);
  }
  return code;
}

constexpr Command kCommands[] = {
    {.name = "daemon",
     .usage = "Runs the IPFS Cluster peer",
     .description = kDescription,
     .args_usage = {},
     .flags = kFlags,
     .run = run_daemon},
};

}  // namespace

std::span<const Command> daemon_commands() {
  return kCommands;
}

}  // namespace ica::cmd
