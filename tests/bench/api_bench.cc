// How fast pins and statuses are decoded and written as JSON: CPU time of one thread, steady state.
//   scripts/build release bench_api && build/release/bin/bench_api
#include <cstdio>
#include <ctime>
#include <string>

#include "common/api/pin.h"
#include "common/api/status.h"
#include "common/codec/base58.h"

using namespace ica;
using namespace ica::api;

namespace {

size_t sink = 0;  // keeps the work from being optimised away

double cpu_seconds() {
  timespec ts{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
  return static_cast<double>(ts.tv_sec) + static_cast<double>(ts.tv_nsec) * 1e-9;
}

template <typename Work>
void measure(const char* name, Work work) {
  constexpr int kRounds = 1'000'000;
  for (int i = 0; i < kRounds / 10; ++i) {
    work();
  }
  const double start = cpu_seconds();
  for (int i = 0; i < kRounds; ++i) {
    work();
  }
  const double seconds = cpu_seconds() - start;
  std::printf("%-36s %7.0f ns %11.0f /s\n", name, seconds / kRounds * 1e9, kRounds / seconds);
}

template <typename T>
void measure_json(const char* name, const T& value) {
  std::string out;
  out.reserve(1 << 20);
  measure(name, [&] {
    if (out.size() > 900'000) {
      out.clear();
    }
    JsonWriter w(out);
    write_json(w, value);
    out.push_back('\n');
  });
  sink += out.size();
}

PeerId peer(const char* text) {
  return PeerId::parse(text).value();
}

}  // namespace

int main() {
  const PeerId peers[] = {peer("12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"),
                          peer("12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq"),
                          peer("12D3KooWRndVhVZPCiQwHBBBdg769GyrPUW13zxwqQyf9r3ANaba")};
  Pin allocated;
  allocated.cid = Cid::parse("QmP63DkAFEnDYNjDYBpyNDfttu1fvUw99x1brscPzpqmmq").value();
  allocated.options.replication_factor_min = 2;
  allocated.options.replication_factor_max = 3;
  allocated.options.name = "some-name-of-a-pin";
  allocated.allocations.items.assign(std::begin(peers), std::end(peers));
  allocated.timestamp = Time::from_unix(1'700'000'000);
  Pin everywhere = allocated;
  everywhere.cid =
      Cid::parse("bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi").value();
  everywhere.allocations = {{}, true};
  everywhere.options.replication_factor_min = everywhere.options.replication_factor_max = -1;
  const Bytes stored_allocated = encode_pin(allocated);
  const Bytes stored_everywhere = encode_pin(everywhere);

  PinInfo info;
  info.cid = allocated.cid;
  info.name = allocated.options.name;
  info.allocations = allocated.allocations;
  info.created = allocated.timestamp;
  info.info.peername = "peer";
  info.info.status = TrackerStatus::Pinned;
  info.info.timestamp = allocated.timestamp;
  GlobalPinInfo global;
  for (const PeerId& id : peers) {
    info.peer = info.info.ipfs_peer_id = id;
    add_peer(global, info);
  }

  measure_json("write Pin, 3 allocations, CIDv0", allocated);
  measure_json("write Pin, everywhere, CIDv1", everywhere);
  measure_json("write GlobalPinInfo, 1 peer", to_global(info));
  measure_json("write GlobalPinInfo, 3 peers", global);
  measure("decode_pin, 3 allocations", [&] {
    sink += decode_pin(allocated.cid, stored_allocated).value().allocations.items.size();
  });
  measure("decode_pin, everywhere", [&] {
    sink += decode_pin(everywhere.cid, stored_everywhere).value().options.name.size();
  });
  measure("encode_pin, 3 allocations", [&] { sink += encode_pin(allocated).size(); });
  std::string text;
  measure("base58 of a peer ID", [&] {
    text.clear();
    append_base58(text, peers[0].bytes());
  });
  measure("text of a peer ID, cached", [&] {
    text.clear();
    peers[0].append_text(text);
  });
  std::printf("(%zu)\n", sink + text.size());
  return 0;
}
