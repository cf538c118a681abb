#include "agent/telemetry/trace_settings.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "common/base/ascii.h"
#include "common/codec/url_escape.h"
#include "common/http/url.h"

namespace ica::telemetry {

namespace {

constexpr size_t kMaxQueue = 1 << 16;

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

// "a=1,b=two%20words"
Result<std::vector<std::pair<std::string, std::string>>> parse_pairs(const std::string& name,
                                                                     std::string_view text) {
  std::vector<std::pair<std::string, std::string>> out;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    const std::string_view entry = trim(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
    if (entry.empty()) {
      continue;
    }
    const size_t equals = entry.find('=');
    const std::string_view key = trim(entry.substr(0, equals));
    if (equals == std::string_view::npos || key.empty()) {
      return fail(Code::InvalidArgument, "{}: \"{}\" is not key=value", name, entry);
    }
    auto value = path_unescape(trim(entry.substr(equals + 1)));
    if (!value) {
      return fail(Code::InvalidArgument, "{}: bad percent-encoding in \"{}\"", name, entry);
    }
    out.emplace_back(std::string(key), *std::move(value));
  }
  return out;
}

template <typename T>
Result<T> parse_number(const std::string& name, std::string_view text, T low, T high) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= low) ||
      !(value <= high)) {
    return fail(Code::InvalidArgument, "{}: \"{}\" is not a number from {} to {}", name, text, low,
                high);
  }
  return value;
}

// One reader of variables; the first error stays.
class Reader {
 public:
  explicit Reader(const Environment& environment) : environment_(environment) {}

  // An empty variable is one that is not set, as OpenTelemetry has it.
  std::optional<std::string> text(const std::string& name) const {
    auto value = environment_(name);
    return value && !value->empty() ? value : std::nullopt;
  }
  // OTEL_EXPORTER_OTLP_TRACES_<name> before OTEL_EXPORTER_OTLP_<name>; with the name it came from.
  std::optional<std::pair<std::string, std::string>> exporter(const std::string& name) const {
    for (const char* prefix : {"OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_"}) {
      if (auto value = text(prefix + name)) {
        return std::pair(prefix + name, *std::move(value));
      }
    }
    return std::nullopt;
  }
  bool on(const std::string& name) const { return ascii_lower(text(name).value_or("")) == "true"; }
  Result<size_t> number(const std::string& name, size_t otherwise, size_t high) const {
    const auto value = text(name);
    return value ? parse_number<size_t>(name, *value, 1, high) : Result<size_t>(otherwise);
  }

 private:
  const Environment& environment_;
};

Result<TraceSettings::Sampler> read_sampler(const Reader& in) {
  TraceSettings::Sampler sampler;
  const std::string name = in.text("OTEL_TRACES_SAMPLER").value_or("parentbased_always_on");
  const bool parent = name.starts_with("parentbased_");
  const std::string_view root = std::string_view(name).substr(parent ? 12 : 0);
  sampler.parent_based = parent;
  if (root == "always_on") {
    sampler.ratio = 1;
  } else if (root == "always_off") {
    sampler.ratio = 0;
  } else if (root == "traceidratio") {
    if (const auto ratio = in.text("OTEL_TRACES_SAMPLER_ARG")) {
      TRY(sampler.ratio, parse_number<double>("OTEL_TRACES_SAMPLER_ARG", *ratio, 0, 1));
    }
  } else {
    return fail(Code::InvalidArgument,
                "OTEL_TRACES_SAMPLER: \"{}\" is none of always_on, always_off, traceidratio, "
                "parentbased_always_on, parentbased_always_off, parentbased_traceidratio",
                name);
  }
  return sampler;
}

Status read_export(const Reader& in, TraceSettings& out) {
  if (const auto protocol = in.exporter("PROTOCOL");
      protocol && protocol->second != "http/protobuf") {
    return fail(Code::InvalidArgument, "{}: \"{}\" is not offered, only http/protobuf",
                protocol->first, protocol->second);
  }
  if (!out.url.starts_with("http://") && !out.url.starts_with("https://")) {
    return fail(Code::InvalidArgument, "OTEL_EXPORTER_OTLP_ENDPOINT: \"{}\" is not an http(s) URL",
                out.url);
  }
  if (const auto headers = in.exporter("HEADERS")) {
    TRY(out.headers, parse_pairs(headers->first, headers->second));
  }
  if (const auto timeout = in.exporter("TIMEOUT")) {
    TRY(const auto ms, parse_number<uint32_t>(timeout->first, timeout->second, 1, 600'000));
    out.timeout = std::chrono::milliseconds(ms);
  }
  return {};
}

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
  };
}

Result<std::optional<TraceSettings>> read_trace_settings(const Environment& environment,
                                                         bool enabled) {
  const Reader in(environment);
  const std::string exporter = in.text("OTEL_TRACES_EXPORTER").value_or("otlp");
  if (in.on("OTEL_SDK_DISABLED") || exporter == "none") {
    return std::nullopt;
  }
  const auto own = in.text("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
  const auto common = in.text("OTEL_EXPORTER_OTLP_ENDPOINT");
  if (!own && !common && !enabled) {
    return std::nullopt;
  }
  if (exporter != "otlp") {
    return fail(Code::InvalidArgument, "OTEL_TRACES_EXPORTER: \"{}\" is none of otlp, none",
                exporter);
  }
  TraceSettings out;
  if (own) {
    out.url = *own;  // as it is
  } else {
    out.url = common.value_or("http://localhost:4318");
    while (out.url.ends_with('/')) {
      out.url.pop_back();
    }
    out.url += "/v1/traces";
  }
  TRY_VOID(read_export(in, out));
  if (const auto attributes = in.text("OTEL_RESOURCE_ATTRIBUTES")) {
    TRY(out.resource, parse_pairs("OTEL_RESOURCE_ATTRIBUTES", *attributes));
  }
  for (auto it = out.resource.begin(); it != out.resource.end();) {
    if (it->first == "service.name") {
      out.service_name = it->second;
      it = out.resource.erase(it);
    } else {
      ++it;
    }
  }
  out.service_name = in.text("OTEL_SERVICE_NAME").value_or(out.service_name);
  TRY(out.sampler, read_sampler(in));
  TRY(out.max_queue, in.number("OTEL_BSP_MAX_QUEUE_SIZE", out.max_queue, kMaxQueue));
  TRY(out.max_batch, in.number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", out.max_batch, kMaxQueue));
  TRY(const size_t delay, in.number("OTEL_BSP_SCHEDULE_DELAY", 5000, 3'600'000));
  out.delay = std::chrono::milliseconds(delay);
  out.max_batch = std::min(out.max_batch, out.max_queue);
  return std::optional(std::move(out));
}

}  // namespace ica::telemetry
