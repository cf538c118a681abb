#include "agent/adder/car_import.h"

#include "agent/adder/unixfs.h"
#include "common/base/async.h"
#include "common/codec/car.h"
#include "common/codec/multihash.h"
#include "common/crypto/hash.h"

namespace ica::adder {

namespace {

constexpr size_t kBatchBytes = 1 << 20;

struct CarTotals {
  uint64_t bytes = 0;
  uint64_t root_size = 0;
};

// As check_block, in the words of the reference's CAR reader.
Status check_car_block(const CarBlock& block) {
  const Status good = check_block(block.cid, block.data);
  if (good || good.error().code() != Code::Corrupt) {
    return good;
  }
  TRY(const Multihash wanted, decode_multihash(block.cid.multihash()));
  TRY(const Bytes actual, make_multihash(wanted.code, block.data));
  const Cid cid =
      block.cid.version() == 0 ? Cid::make_v0(actual) : Cid::make_v1(block.cid.codec(), actual);
  return fail(Code::Corrupt, "mismatch in content integrity, name: {}, data: {}", block.cid, cid);
}

// Takes the blocks that are complete out of the reader, checked. The CPU's part of the work.
Status take_blocks(CarReader& car, std::vector<Block>& out, CarTotals& totals) {
  for (;;) {
    auto next = car.next();
    if (!next) {
      return fail(std::move(next).error());
    }
    if (car.roots() != nullptr && car.roots()->empty()) {
      return fail(Code::InvalidArgument, "empty car, no roots");
    }
    if (car.roots() != nullptr && car.roots()->size() != 1) {
      return fail(Code::InvalidArgument, "only CAR files with a single root are supported");
    }
    if (!*next) {
      return {};
    }
    CarBlock& block = **next;
    TRY_VOID(check_car_block(block));
    totals.bytes += block.data.size();
    if (block.cid == car.roots()->front() && block.cid.codec() == multicodec::kDagPb) {
      totals.root_size = unixfs_file_size(block.data).value_or(0);
    }
    out.push_back({std::move(block.cid), std::move(block.data)});
  }
}

}  // namespace

Task<Result<Cid>> import_car(AddOptions options, PartSource& parts, OutputSink& output,
                             Destination& destination, Executor cpu, StopToken stop) {
  const Executor home = co_await asio::this_coro::executor;
  auto part = co_await parts.next();
  if (!part) {
    co_return fail(std::move(part).error());
  }
  if (!*part) {
    co_return Cid();
  }
  if (options.wrap_with_directory) {
    co_return fail(Code::InvalidArgument, "cannot wrap a CAR file upload");
  }
  if ((*part)->kind != PartKind::File || (*part)->path.find('/') != std::string::npos) {
    co_return fail(Code::InvalidArgument, "expected CAR file is not of type file");
  }

  CarReader car;
  CarTotals totals;
  std::vector<Block> pending;
  size_t handed = 0;  // bytes of totals that have been handed on
  for (;;) {
    auto piece = co_await parts.read();
    if (!piece) {
      co_return fail(std::move(piece).error());
    }
    if (stop.stop_requested()) {
      co_return fail(Code::Cancelled, "context canceled");
    }
    const bool end = !piece->has_value();
    co_await resume_on(cpu);
    Status taken;
    if (end) {
      taken = car.finish();
    } else {
      car.push(**piece);
      taken = take_blocks(car, pending, totals);
    }
    co_await resume_on(home);
    if (!taken) {
      co_return fail(std::move(taken).error());
    }
    if ((end || totals.bytes - handed >= kBatchBytes) && !pending.empty()) {
      handed = totals.bytes;
      std::vector<Block> batch = std::move(pending);
      pending.clear();
      auto put = co_await destination.put(std::move(batch));
      if (!put) {
        co_return fail(std::move(put).error());
      }
    }
    if (end) {
      break;
    }
  }

  const Cid root = car.roots()->front();
  api::AddedOutput line;
  line.name = (*part)->path;
  line.cid = root;
  line.bytes = totals.bytes;
  line.size = totals.root_size;
  line.allocations = destination.allocations();
  auto told = co_await output.put(std::move(line));
  if (!told) {
    co_return fail(std::move(told).error());
  }
  co_return root;
}

}  // namespace ica::adder
