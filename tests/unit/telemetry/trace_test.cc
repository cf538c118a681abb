#include <boost/asio/use_future.hpp>
#include <doctest/doctest.h>
#include <future>
#include <map>

#include "agent/telemetry/trace_exporter.h"
#include "common/base/async.h"
#include "common/codec/pbwire.h"
#include "common/http/server.h"

using namespace ica;
using namespace ica::telemetry;

namespace {

Environment environment(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const std::string& name) -> std::optional<std::string> {
    const auto found = values.find(name);
    return found != values.end() ? std::optional(found->second) : std::nullopt;
  };
}

TraceSettings read(std::map<std::string, std::string> values, bool enabled = false) {
  auto settings = read_trace_settings(environment(std::move(values)), enabled);
  REQUIRE(settings);
  REQUIRE(*settings);
  return **settings;
}

std::string error(std::map<std::string, std::string> values) {
  values.emplace("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318");
  const auto settings = read_trace_settings(environment(std::move(values)), false);
  REQUIRE_FALSE(settings);
  return settings.error().message();
}

// A collector that keeps what it is sent.
struct Collector {
  std::vector<Bytes> bodies;
  std::vector<http::Headers> headers;
  int answer = 200;
};

Task<void> collect(Collector* to, http::Request& request, http::ResponseWriter& response) {
  Bytes body;
  while (true) {
    auto piece = co_await request.body->read();
    if (!piece || !*piece) {
      break;
    }
    body += **piece;
  }
  to->bodies.push_back(std::move(body));
  to->headers.push_back(request.headers);
  const Status sent = co_await response.send(to->answer, {}, Bytes());
  static_cast<void>(sent);
}

// The spans' names in an ExportTraceServiceRequest, in order; "!" behind those that failed.
std::vector<std::string> names(BytesView body) {
  std::vector<std::string> out;
  PbReader request(body);
  while (request.next()) {
    PbReader resource_spans(request.bytes());
    while (resource_spans.next()) {
      if (resource_spans.field() != 2) {
        continue;
      }
      PbReader scope_spans(resource_spans.bytes());
      while (scope_spans.next()) {
        if (scope_spans.field() != 2) {
          continue;
        }
        PbReader span(scope_spans.bytes());
        std::string name;
        while (span.next()) {
          if (span.field() == 5) {
            name = span.bytes();
          } else if (span.field() == 15) {
            name += "!";
          }
        }
        REQUIRE(span.ok());
        out.push_back(name);
      }
      REQUIRE(scope_spans.ok());
    }
    REQUIRE(resource_spans.ok());
  }
  REQUIRE(request.ok());
  return out;
}

Task<trace::Context> context_after_hops(Executor other) {
  const Executor home = co_await asio::this_coro::executor;
  const Status slept = co_await sleep_for(std::chrono::milliseconds(1));
  static_cast<void>(slept);
  co_await resume_on(other);
  co_await resume_on(home);
  co_return trace::current();
}

struct Uninstall {
  ~Uninstall() { trace::install(nullptr); }
};

}  // namespace

TEST_CASE("trace settings: nothing without an endpoint, and the standard variables") {
  CHECK_FALSE(*read_trace_settings(environment({}), false));
  CHECK(read({}, true).url == "http://localhost:4318/v1/traces");
  CHECK_FALSE(*read_trace_settings(environment({{"OTEL_SDK_DISABLED", "True"}}), true));
  CHECK_FALSE(*read_trace_settings(environment({{"OTEL_TRACES_EXPORTER", "none"}}), true));

  const auto all = read({{"OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4318/base/"},
                         {"OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x, b = c"},
                         {"OTEL_EXPORTER_OTLP_TIMEOUT", "1500"},
                         {"OTEL_SERVICE_NAME", "cluster"},
                         {"OTEL_RESOURCE_ATTRIBUTES", "service.name=other,zone=eu%2Cwest"},
                         {"OTEL_TRACES_SAMPLER", "traceidratio"},
                         {"OTEL_TRACES_SAMPLER_ARG", "0.25"},
                         {"OTEL_BSP_MAX_QUEUE_SIZE", "10"}});
  CHECK(all.url == "https://collector:4318/base/v1/traces");
  REQUIRE(all.headers.size() == 2);
  CHECK(all.headers[0] == std::pair<std::string, std::string>("authorization", "Bearer x"));
  CHECK(all.headers[1].second == "c");
  CHECK(all.timeout == std::chrono::milliseconds(1500));
  CHECK(all.service_name == "cluster");
  REQUIRE(all.resource.size() == 1);
  CHECK(all.resource[0].second == "eu,west");
  CHECK_FALSE(all.sampler.parent_based);
  CHECK(all.sampler.ratio == 0.25);
  CHECK(all.max_queue == 10);
  CHECK(all.max_batch == 10);
  CHECK(read({{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c/as-is"},
              {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://unused"}})
            .url == "http://c/as-is");
}

TEST_CASE("trace settings: errors name the variable") {
  CHECK(error({{"OTEL_TRACES_SAMPLER", "sometimes"}}).find("OTEL_TRACES_SAMPLER") == 0);
  CHECK(error({{"OTEL_TRACES_SAMPLER", "traceidratio"}, {"OTEL_TRACES_SAMPLER_ARG", "2"}})
            .find("OTEL_TRACES_SAMPLER_ARG") == 0);
  CHECK(error({{"OTEL_EXPORTER_OTLP_HEADERS", "novalue"}}).find("OTEL_EXPORTER_OTLP_HEADERS") == 0);
  CHECK(error({{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}}).find("http/protobuf") !=
        std::string::npos);
  CHECK(error({{"OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"}}).find("URL") !=
        std::string::npos);
  CHECK(error({{"OTEL_BSP_MAX_QUEUE_SIZE", "-1"}}).find("OTEL_BSP_MAX_QUEUE_SIZE") == 0);
}

TEST_CASE("traceparent is read and written as W3C has it") {
  const std::string text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const auto context = trace::parse_headers(text, "vendor=x");
  REQUIRE(context.valid());
  CHECK(context.sampled);
  CHECK(context.state == "vendor=x");
  CHECK(trace::traceparent(context) == text);
  CHECK(trace::hex(context.span_id) == "00f067aa0ba902b7");
  const std::string later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-extra";
  CHECK(trace::parse_headers(later, "").valid());
  for (std::string bad : {"", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
                          "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                          "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                          "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                          "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                          "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-zz"}) {
    CAPTURE(bad);
    CHECK_FALSE(trace::parse_headers(bad, "").valid());
  }
}

TEST_CASE("a context follows its coroutine over timers and threads, and no other") {
  asio::io_context context, other;
  auto guard = asio::make_work_guard(other);
  std::thread thread([&] { other.run(); });
  trace::Context mine;
  mine.trace_id[0] = 1;
  mine.span_id[0] = 2;
  const auto strand = asio::make_strand(context);
  auto traced = asio::co_spawn(trace::with(strand, mine), context_after_hops(other.get_executor()),
                               asio::use_future);
  auto plain = asio::co_spawn(strand, context_after_hops(other.get_executor()), asio::use_future);
  context.run();
  CHECK(traced.get().trace_id == mine.trace_id);
  CHECK_FALSE(plain.get().valid());
  CHECK_FALSE(trace::current().valid());
  guard.reset();
  thread.join();
}

TEST_CASE("spans reach the collector in batches, and a collector that is away costs a bound only") {
  const Uninstall uninstall;
  asio::io_context context;
  Collector collector;
  http::Server server(context, {}, [&](http::Request& q, http::ResponseWriter& r) {
    return collect(&collector, q, r);
  });
  const uint16_t port = *server.listen("127.0.0.1", 0);
  auto settings = read({{"OTEL_EXPORTER_OTLP_ENDPOINT", fmt::format("http://127.0.0.1:{}", port)},
                        {"OTEL_EXPORTER_OTLP_HEADERS", "x-key=secret"},
                        {"OTEL_BSP_SCHEDULE_DELAY", "10"},
                        {"OTEL_BSP_MAX_QUEUE_SIZE", "8"}});
  auto exporter = std::make_shared<TraceExporter>(
      settings, std::vector<std::pair<std::string, std::string>>{{"service.version", "1"}});
  CHECK_FALSE(trace::enabled());
  trace::install(exporter);
  CHECK(trace::enabled());

  trace::Context child_context;
  {
    trace::Span root("root", trace::Kind::Server, trace::Context());
    REQUIRE(root.recording());
    trace::Span child("child", trace::Kind::Client, root.context());
    child.set("a", "b");
    child.set("n", int64_t{-1});
    child.fail("why");
    CHECK(child.context().trace_id == root.context().trace_id);
    child_context = child.context();
  }
  trace::Context unsampled = child_context;
  unsampled.sampled = false;
  CHECK_FALSE(trace::Span("not", trace::Kind::Internal, unsampled).recording());

  StopSource stop;
  auto done =
      asio::co_spawn(context, TraceExporter::run(exporter, stop.get_token()), asio::use_future);
  const auto until = [&](auto condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition() && std::chrono::steady_clock::now() < deadline) {
      context.restart();
      context.run_one_for(std::chrono::milliseconds(5));
    }
    return condition();
  };
  REQUIRE(until([&] { return exporter->counts().exported == 2; }));
  REQUIRE(collector.bodies.size() == 1);
  CHECK(names(collector.bodies[0]) == std::vector<std::string>{"child!", "root"});
  CHECK(http::find_header(collector.headers[0], "X-Key") == "secret");
  CHECK(http::find_header(collector.headers[0], "Content-Type") == "application/x-protobuf");

  // More than the queue takes is dropped at once.
  for (int i = 0; i < 20; ++i) {
    trace::Span("many", trace::Kind::Internal, trace::Context()).end();
  }
  CHECK(exporter->counts().dropped == 12);
  collector.answer = 503;
  REQUIRE(until([&] { return exporter->counts().dropped == 20; }));
  CHECK(exporter->counts().exported == 2);

  // What is left at the end of the process is sent while the collector takes it.
  stop.request_stop();
  REQUIRE(
      until([&] { return done.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }));
  asio::co_spawn(context, server.shutdown(std::chrono::seconds(0)), asio::detached);
  context.restart();
  context.run_for(std::chrono::milliseconds(50));
}

TEST_CASE("the ratio decides by the trace's own number, and a parent's decision counts") {
  auto settings = read(
      {{"OTEL_TRACES_SAMPLER", "parentbased_traceidratio"}, {"OTEL_TRACES_SAMPLER_ARG", "0.5"}},
      true);
  TraceExporter exporter(settings, {});
  trace::TraceId low{}, high{};
  high.fill(0xff);
  CHECK(exporter.sample({}, low));
  CHECK_FALSE(exporter.sample({}, high));
  trace::Context parent;
  parent.trace_id[0] = parent.span_id[0] = 1;
  CHECK_FALSE(exporter.sample(parent, low));
  parent.sampled = true;
  CHECK(exporter.sample(parent, high));
}
