#include "agent/telemetry/metrics.h"

#include <limits>
#include <prometheus/text_serializer.h>

#include "agent/telemetry/families.h"

namespace ica::telemetry {
namespace {

template <typename T, typename F>
T ask(const F& source) {
  return source ? source() : T{};
}

}  // namespace

Values::Values(const Sources& sources)
    : pinset(ask<crdt::PinsetInfo>(sources.pinset)),
      tracker(ask<tracker::TrackerCounts>(sources.tracker)),
      calls(ask<std::vector<ipfs::CallStats>>(sources.kubo_calls)),
      kubo_reachable(ask<bool>(sources.kubo_reachable)),
      repo(ask<RepoValues>(sources.repo)),
      blocks(ask<BlockValues>(sources.blocks)),
      store(ask<store::Stats>(sources.store)),
      network(ask<NetworkValues>(sources.network)),
      peers(ask<size_t>(sources.peers)),
      alerts(ask<size_t>(sources.alerts)),
      disk_weight(ask<int64_t>(sources.disk_weight)),
      process(read_process()) {}

Writer& Writer::family(const char* name, const char* help, prometheus::MetricType type) {
  out_.push_back({.name = name, .help = help, .type = type, .metric = {}});
  return *this;
}

Writer& Writer::gauge(const char* name, const char* help) {
  return family(name, help, prometheus::MetricType::Gauge);
}

Writer& Writer::counter(const char* name, const char* help) {
  return family(name, help, prometheus::MetricType::Counter);
}

Writer& Writer::histogram(const char* name, const char* help) {
  return family(name, help, prometheus::MetricType::Histogram);
}

void Writer::add(double value, Labels labels) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  if (out_.back().type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  out_.back().metric.push_back(std::move(metric));
}

void Writer::add(const ipfs::CallStats& calls, Labels labels) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  metric.histogram.sample_count = calls.count;
  metric.histogram.sample_sum = calls.seconds;
  uint64_t cumulative = 0;
  for (size_t i = 0; i < calls.buckets.size(); ++i) {
    cumulative += calls.buckets[i];
    metric.histogram.bucket.push_back(
        {.cumulative_count = cumulative,
         .upper_bound = i < ipfs::kCallBuckets.size() ? ipfs::kCallBuckets[i]
                                                      : std::numeric_limits<double>::infinity()});
  }
  out_.back().metric.push_back(std::move(metric));
}

std::string metrics_text(const Sources& sources) {
  const Values values(sources);
  Families families;
  Writer out(families);
  add_reference_families(values, out);
  add_operator_families(values, sources, out);
  add_agent_families(values, sources, out);
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace ica::telemetry
