// A Host with the protocols of the lab, as tests/tools/p2p is in Go:
//   p2p_peer serve SECRET SEED [LISTEN]
//   p2p_peer run SECRET SEED TARGET BYTES STREAMS
// serve prints its address and runs until its standard input ends. run prints one JSON object with
// what it measured against the target.
#include <boost/asio/use_future.hpp>
#include <cstdio>
#include <future>
#include <thread>
#include <unistd.h>

#include "agent/p2p/host.h"
#include "common/base/async.h"
#include "common/crypto/hash.h"
#include "common/crypto/psk.h"

using namespace ica;
using namespace ica::p2p;

namespace {

constexpr const char* kEcho = "/lab/echo/1";      // answers with what it was sent
constexpr const char* kSink = "/lab/sink/1";      // answers with the count of bytes (8 bytes)
constexpr const char* kSource = "/lab/source/1";  // is sent a count, answers with so many bytes
constexpr size_t kChunk = 256 * 1024;
constexpr auto kLimit = std::chrono::minutes(10);

Bytes big_endian(uint64_t value) {
  Bytes out(8, '\0');
  for (size_t i = 0; i < 8; ++i) {
    out[i] = static_cast<char>(value >> (56 - 8 * i));
  }
  return out;
}

uint64_t from_big_endian(BytesView bytes) {
  uint64_t value = 0;
  for (const char c : bytes.substr(0, 8)) {
    value = value << 8 | static_cast<uint8_t>(c);
  }
  return value;
}

Task<Status> send(StreamPtr stream, uint64_t count) {
  while (count > 0) {
    const auto size = static_cast<size_t>(std::min<uint64_t>(count, kChunk));
    Bytes chunk(size, '\0');
    auto written = co_await stream->write(std::move(chunk));
    if (!written) {
      co_return written;
    }
    count -= size;
  }
  auto closed = co_await stream->close_write();
  co_return closed;
}

Task<Result<uint64_t>> count_to_end(StreamPtr stream) {
  uint64_t count = 0;
  for (;;) {
    auto piece = co_await stream->read_some(kChunk);
    if (!piece) {
      co_return fail(std::move(piece).error());
    }
    if (piece->empty()) {
      co_return count;
    }
    count += piece->size();
  }
}

Task<Result<Bytes>> read_all(StreamPtr stream) {
  Bytes all;
  for (;;) {
    auto piece = co_await stream->read_some(kChunk);
    if (!piece) {
      co_return fail(std::move(piece).error());
    }
    if (piece->empty()) {
      co_return all;
    }
    all += *piece;
  }
}

Task<void> echo(StreamPtr stream) {
  for (;;) {
    auto piece = co_await stream->read_some(kChunk);
    if (!piece || piece->empty()) {
      break;
    }
    auto written = co_await stream->write(*std::move(piece));
    if (!written) {
      co_return;
    }
  }
  auto closed = co_await stream->close_write();
  static_cast<void>(closed);
}

Task<void> sink(StreamPtr stream) {
  auto count = co_await count_to_end(stream);
  if (count) {
    Bytes answer = big_endian(*count);
    auto written = co_await stream->write(std::move(answer));
    static_cast<void>(written);
    auto closed = co_await stream->close_write();
    static_cast<void>(closed);
  }
}

Task<void> source(StreamPtr stream) {
  Bytes wanted;
  while (wanted.size() < 8) {
    auto piece = co_await stream->read_some(8 - wanted.size());
    if (!piece || piece->empty()) {
      co_return;
    }
    wanted += *piece;
  }
  auto sent = co_await send(stream, from_big_endian(wanted));
  static_cast<void>(sent);
}

Task<Result<StreamPtr>> open(Host* host, PeerId peer, const char* protocol) {
  std::vector<std::string> protocols;
  protocols.emplace_back(protocol);
  co_return co_await host->open_stream(std::move(peer), std::move(protocols), kLimit, {});
}

double rate(uint64_t bytes, SteadyTime start) {
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  return static_cast<double>(bytes) / (1 << 20) / took.count();
}

Task<Result<uint64_t>> upload_on(StreamPtr stream, uint64_t bytes) {
  auto sent = co_await send(stream, bytes);
  if (!sent) {
    co_return fail(std::move(sent).error());
  }
  auto answer = co_await read_all(stream);
  if (!answer) {
    co_return fail(std::move(answer).error());
  }
  co_return from_big_endian(*answer);
}

Task<Result<uint64_t>> download_on(StreamPtr stream, uint64_t bytes) {
  Bytes wanted = big_endian(bytes);
  auto sent = co_await stream->write(std::move(wanted));
  if (!sent) {
    co_return fail(std::move(sent).error());
  }
  auto count = co_await count_to_end(stream);
  co_return count;
}

Task<Result<double>> transfer(Host* host, PeerId peer, uint64_t bytes, bool up) {
  auto stream = co_await open(host, peer, up ? kSink : kSource);
  if (!stream) {
    co_return fail(std::move(stream).error());
  }
  const auto start = std::chrono::steady_clock::now();
  const Executor strand = (*stream)->executor();
  Task<Result<uint64_t>> work = up ? upload_on(*stream, bytes) : download_on(*stream, bytes);
  auto count = co_await asio::co_spawn(strand, std::move(work), asio::use_awaitable);
  if (!count) {
    co_return fail(std::move(count).error());
  }
  if (*count != bytes) {
    co_return fail(Code::Corrupt, "{} bytes arrived of {}", *count, bytes);
  }
  co_return rate(bytes, start);
}

// Shared by the streams that are all opened before the first one is used.
struct Crowd {
  explicit Crowd(Executor strand) : changed(std::move(strand)) {}
  Event changed;
  int to_open = 0;
  int running = 0;
  int good = 0;
};

Task<void> one_of_many(Host* host, PeerId peer, std::shared_ptr<Crowd> crowd, int number) {
  auto stream = co_await open(host, peer, kEcho);
  --crowd->to_open;
  crowd->changed.notify_all();
  while (crowd->to_open > 0) {
    co_await crowd->changed.wait();
  }
  if (stream) {
    const Bytes text = fmt::format("stream {}", number);
    auto written = co_await (*stream)->write(text);
    auto closed = co_await (*stream)->close_write();
    auto back = co_await read_all(*stream);
    crowd->good += written && closed && back && *back == text ? 1 : 0;
  }
  --crowd->running;
  crowd->changed.notify_all();
}

Task<int> many(Host* host, PeerId peer, int count) {
  const Executor strand = co_await asio::this_coro::executor;
  auto crowd = std::make_shared<Crowd>(strand);
  crowd->to_open = count;
  crowd->running = count;
  for (int i = 0; i < count; ++i) {
    spawn(strand, one_of_many(host, peer, crowd, i), "stream");
  }
  while (crowd->running > 0) {
    co_await crowd->changed.wait();
  }
  co_return crowd->good;
}

Task<int> run(Host* host, Multiaddr target, uint64_t bytes, int streams) {
  const auto peer = target.peer_id();
  auto added = host->add_address(target);
  if (!peer || !added) {
    fmt::print(stderr, "the target has no peer ID\n");
    co_return 2;
  }
  auto start = std::chrono::steady_clock::now();
  auto connected = co_await host->connect(*peer, std::chrono::seconds(20), {});
  if (!connected) {
    fmt::print(stderr, "{}\n", connected.error().message());
    co_return 1;
  }
  const std::chrono::duration<double, std::milli> connecting =
      std::chrono::steady_clock::now() - start;
  std::string out = fmt::format("{{\"connect_ms\":{:.3f}", connecting.count());
  if (bytes > 0) {
    for (const bool up : {true, false}) {
      auto speed = co_await transfer(host, *peer, bytes, up);
      if (!speed) {
        fmt::print(stderr, "{}\n", speed.error().message());
        co_return 1;
      }
      out += fmt::format(",\"{}_mib_s\":{:.1f}", up ? "up" : "down", *speed);
    }
  }
  if (streams > 0) {
    start = std::chrono::steady_clock::now();
    const int good = co_await many(host, *peer, streams);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    out += fmt::format(",\"streams_ok\":{},\"streams_ms\":{:.3f}", good, took.count());
  }
  auto rtt = co_await host->ping(*peer, std::chrono::seconds(10), {});
  if (!rtt) {
    fmt::print(stderr, "{}\n", rtt.error().message());
    co_return 1;
  }
  fmt::print("{},\"ping_us\":{},\"agent\":\"{}\",\"connections\":{}}}\n", out, rtt->count() / 1000,
             host->agent_version(*peer), host->connections(*peer));
  co_return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  const bool serving = args.size() >= 3 && args[0] == "serve";
  if (!serving && (args.size() != 6 || args[0] != "run")) {
    fmt::print(
        stderr,
        "usage: p2p_peer serve SECRET SEED [LISTEN] | run SECRET SEED TARGET BYTES STREAMS\n");
    return 2;
  }
  auto secret = parse_psk(args[1]);
  auto listen = Multiaddr::parse(args.size() > 3 && serving ? args[3] : "/ip4/127.0.0.1/tcp/0");
  if (!secret || !listen) {
    fmt::print(stderr, "bad secret or address\n");
    return 2;
  }
  HostOptions options(PrivateKey::from_seed(sha256("p2p_peer " + args[2])));
  options.secrets.push_back(*secret);
  options.yamux.max_inbound_streams = 4096;
  options.yamux.max_streams = 8192;
  if (serving) {
    options.listen.push_back(*listen);
  }

  asio::io_context context(2);
  auto work = asio::make_work_guard(context);
  Host host(context.get_executor(), std::move(options));
  host.handle(kEcho, echo);
  host.handle(kSink, sink);
  host.handle(kSource, source);
  if (auto started = host.start(); !started) {
    fmt::print(stderr, "{}\n", started.error().message());
    return 1;
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&context] { context.run(); });
  }
  int code = 0;
  if (serving) {
    fmt::print("{}\n", host.own_addresses().front());
    std::fflush(stdout);
    char buffer[256];
    while (::read(STDIN_FILENO, buffer, sizeof buffer) > 0) {
    }
  } else {
    const auto target = Multiaddr::parse(args[3]);
    Task<int> running =
        run(&host, target ? *target : Multiaddr(), std::stoull(args[4]), std::stoi(args[5]));
    code = asio::co_spawn(asio::make_strand(context), std::move(running), asio::use_future).get();
  }
  asio::co_spawn(context, host.stop(), asio::use_future).get();
  work.reset();
  context.stop();
  for (auto& thread : threads) {
    thread.join();
  }
  return code;
}
