#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "agent/config/identity.h"
#include "agent/config/service_json.h"

namespace ica::cmd {

// A peer: all parts, built from the settings and connected with each other.
// Thread-safety: one thread.
class Daemon {
 public:
  // Returns when the APIs listen; Kubo may come later. Errors name what failed ("creating
  // datastore:
  // ...").
  static Result<std::unique_ptr<Daemon>> start(config::Config config, config::Identity identity);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // New credentials, certificates and trusted peers; the rest of `settings` is not looked at.
  Status reload(const config::Config& settings);

  // Why this process can do no more and another has to take over: its database has to be opened
  // anew. Nothing acknowledged is lost.
  std::optional<Error> failure() const;

  // Stops accepting, ends requests, lets the tracker put its work back, writes what waits, closes
  // the store. False when that takes longer than kStopLimit: then nothing acknowledged is lost, but
  // only the end of the process frees the rest.
  static constexpr std::chrono::milliseconds kStopLimit{1500};
  bool stop();

 private:
  struct Parts;
  explicit Daemon(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace ica::cmd
