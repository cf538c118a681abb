#pragma once

#include <prometheus/metric_family.h>
#include <vector>

#include "agent/telemetry/process.h"
#include "agent/telemetry/sources.h"

// Between the .cc files of agent/telemetry only.
namespace ica::telemetry {

using Families = std::vector<prometheus::MetricFamily>;
using Labels = std::vector<prometheus::ClientMetric::Label>;

// What one scrape shows; read once, so that the numbers fit together.
struct Values {
  explicit Values(const Sources& sources);
  crdt::PinsetInfo pinset;
  tracker::TrackerCounts tracker;
  std::vector<ipfs::CallStats> calls;
  bool kubo_reachable = false;
  RepoValues repo;
  BlockValues blocks;
  store::Stats store;
  size_t peers = 0;
  size_t alerts = 0;
  int64_t disk_weight = 0;
  ProcessValues process;
};

// Builds families one after the other; `add` adds a sample to the last one.
class Writer {
 public:
  explicit Writer(Families& out) : out_(out) {}
  Writer& gauge(const char* name, const char* help);
  Writer& counter(const char* name, const char* help);
  Writer& histogram(const char* name, const char* help);
  void add(double value, Labels labels = {});
  void add(const ipfs::CallStats& calls, Labels labels = {});

 private:
  Writer& family(const char* name, const char* help, prometheus::MetricType type);
  Families& out_;
};

template <typename T>
double number(T value) {
  return static_cast<double>(value);
}

void add_reference_families(const Values& values, Writer& out);
void add_operator_families(const Values& values, const Sources& sources, Writer& out);
void add_network_families(const Sources& sources, Writer& out);
void add_agent_families(const Values& values, const Sources& sources, Writer& out);

}  // namespace ica::telemetry
