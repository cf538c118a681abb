#include <utility>

#include "agent/adder/adder.h"
#include "agent/adder/car_import.h"
#include "agent/adder/chunker.h"
#include "agent/adder/destination.h"
#include "agent/adder/directory.h"
#include "agent/adder/file_builder.h"
#include "common/base/async.h"
#include "common/base/offload.h"

namespace ica::adder {

namespace {

// Bytes between two progress lines.
constexpr uint64_t kProgressStep = 256 * 1024;
// What is hashed in one go, while the next is being read.
constexpr size_t kBatchBytes = 1024 * 1024;
// A symlink's target.
constexpr size_t kMaxSymlink = 64 * 1024;

// One add. Every part belongs to an entry, the first component of its path (with wrapping there is
// one entry for all); an entry's directories are built when the next one begins.
class Import {
 public:
  Import(AddOptions options, CidBuilder cids, PartSource& parts, OutputSink& output,
         Destination& destination, Executor cpu, StopToken stop)
      : options_(std::move(options)),
        cids_(cids),
        parts_(parts),
        output_(output),
        destination_(destination),
        cpu_(std::move(cpu)),
        stop_(std::move(stop)),
        sink_([this](Block block) { collect(std::move(block)); }),
        builder_(cids_, options_.layout, options_.raw_leaves, sink_) {}

  Task<Result<Cid>> run() {
    home_ = co_await asio::this_coro::executor;
    for (;;) {
      auto part = co_await parts_.next();
      if (!part) {
        co_return fail(std::move(part).error());
      }
      if (!*part) {
        break;
      }
      Part present = std::move(**part);
      auto added = co_await add_part(std::move(present));
      if (!added) {
        co_return fail(std::move(added).error());
      }
    }
    if (options_.wrap_with_directory && !entry_open_) {
      // The directory that wraps exists also when there is nothing to put into it.
      CO_TRY_VOID(prepare_for(PartKind::Directory));
      entry_open_ = true;
      entry_is_directory_ = true;
    }
    auto finished = co_await finish_entry();
    if (!finished) {
      co_return fail(std::move(finished).error());
    }
    co_return root_;
  }

 private:
  void collect(Block block) { pending_.push_back(std::move(block)); }

  Task<Status> hand_on() {
    if (pending_.empty()) {
      co_return Status();
    }
    co_return co_await destination_.put(std::exchange(pending_, {}));
  }

  Task<Status> tell(std::string name, Node node) {
    // The blocks go first: where they are allocated is part of the line.
    auto handed = co_await hand_on();
    if (!handed) {
      co_return handed;
    }
    api::AddedOutput line;
    line.name = std::move(name);
    line.cid = std::move(node.cid);
    line.size = node.size;
    line.allocations = destination_.allocations();
    co_return co_await output_.put(std::move(line));
  }

  // Options that cannot be had are told with the first part that needs them, as in the reference.
  Status prepare_for(PartKind kind) {
    if (kind == PartKind::File && !chunker_) {
      TRY(chunker_, make_chunker(options_.chunker, FileBuilder::chunk_room(options_.raw_leaves)));
    }
    return cids_.check();
  }

  Task<Status> add_part(Part part) {
    CO_TRY_VOID(prepare_for(part.kind));
    std::string entry;
    std::string path = part.path;  // inside of the entry
    bool is_directory = true;
    if (!options_.wrap_with_directory) {
      const size_t slash = part.path.find('/');
      entry = part.path.substr(0, slash);
      path = slash == std::string::npos ? "" : part.path.substr(slash + 1);
      is_directory = slash != std::string::npos || part.kind == PartKind::Directory;
    }
    // A file that is an entry by itself never continues one.
    if (!entry_open_ || entry != entry_ || !is_directory || !entry_is_directory_) {
      auto finished = co_await finish_entry();
      if (!finished) {
        co_return finished;
      }
      entry_open_ = true;
      entry_ = entry;
      entry_is_directory_ = is_directory;
    }
    if (part.kind == PartKind::Directory) {
      if (!path.empty()) {
        co_return root_directory_.make_directory(path);
      }
      co_return Status();
    }
    Result<Node> node = Node();
    if (part.kind == PartKind::Symlink) {
      node = co_await read_symlink();
    } else if (options_.no_copy && !part.has_origin) {
      node =
          fail(Code::InvalidArgument, "missing file path or URL, can't create filestore reference");
    } else {
      node = co_await read_file(path);
    }
    if (!node) {
      co_return fail(std::move(node).error());
    }
    make_root();
    // A part without a name, or an entry that is a file, stands in the root under its CID.
    Status put = root_directory_.put(path.empty() ? node->cid.text() : path, *node);
    if (!put) {
      co_return put;
    }
    if (!entry_is_directory_) {
      last_file_ = *node;
    }
    std::string name = entry_;
    if (!path.empty()) {
      name += name.empty() ? path : "/" + path;
    }
    Node told = *std::move(node);
    co_return co_await tell(std::move(name), std::move(told));
  }

  // The reference stores an empty root as soon as there is something to put into it; with shards
  // that block counts.
  void make_root() {
    if (!root_made_) {
      root_made_ = true;
      DagPbNode empty;
      empty.data = unixfs_directory();
      static_cast<void>(emit_dag_pb(cids_, std::move(empty), 0, sink_));
    }
  }

  Task<Result<Node>> read_symlink() {
    Bytes target;
    for (;;) {
      auto piece = co_await parts_.read();
      if (!piece) {
        co_return fail(std::move(piece).error());
      }
      if (!*piece) {
        break;
      }
      target += **piece;
      if (target.size() > kMaxSymlink) {
        co_return fail(Code::TooLarge, "symlink target over {} bytes", kMaxSymlink);
      }
    }
    DagPbNode node;
    node.data = unixfs_symlink(target);
    co_return emit_dag_pb(cids_, std::move(node), 0, sink_);
  }

  Task<Status> tell_progress(std::string path, uint64_t bytes) {
    api::AddedOutput line;
    line.name = std::move(path);
    line.bytes = bytes;
    co_return co_await output_.put(std::move(line));
  }

  // A stretch of a file's content.
  struct Batch {
    std::vector<Bytes> pieces;
    uint64_t bytes = 0;
    bool last = false;
  };

  Task<Result<Batch>> read_batch() {
    Batch batch;
    while (batch.bytes < kBatchBytes) {
      auto piece = co_await parts_.read();
      if (!piece) {
        co_return fail(std::move(piece).error());
      }
      if (!*piece) {
        batch.last = true;
        break;
      }
      batch.bytes += (*piece)->size();
      batch.pieces.push_back(std::move(**piece));
    }
    co_return batch;
  }

  // Cuts and hashes on the other executor. The result is empty; it has the type that gather wants.
  Task<Result<Batch>> hash_batch(std::shared_ptr<Batch> batch) {
    Hash hash{this, std::move(batch)};
    const bool done = co_await run_on(cpu_, std::move(hash));
    static_cast<void>(done);
    co_return Batch();
  }
  struct Hash {
    Import* self;
    std::shared_ptr<Batch> batch;
    bool operator()() const {
      const Chunker::OnChunk on_chunk = [this](Bytes chunk) {
        self->builder_.add_chunk(std::move(chunk));
      };
      for (Bytes& piece : batch->pieces) {
        self->chunker_->feed(piece, on_chunk);
        Bytes().swap(piece);
      }
      if (batch->last) {
        self->chunker_->finish(on_chunk);
      }
      return true;
    }
  };

  Task<Result<Node>> read_file(std::string path) {
    uint64_t total = 0;
    uint64_t told = 0;
    Result<Batch> next = co_await read_batch();
    for (bool last = false; !last;) {
      if (!next) {
        co_return fail(std::move(next).error());
      }
      const auto batch = std::make_shared<Batch>(*std::move(next));
      next = Batch();
      last = batch->last;
      total += batch->bytes;
      std::vector<Task<Result<Batch>>> tasks;
      tasks.push_back(hash_batch(batch));
      if (!last) {
        tasks.push_back(read_batch());
      }
      auto done = co_await gather(std::move(tasks));
      if (stop_.stop_requested()) {
        co_return fail(Code::Cancelled, "context canceled");
      }
      while (options_.progress && total - told >= kProgressStep) {
        told += kProgressStep;
        auto sent = co_await tell_progress(path, told);
        if (!sent) {
          co_return fail(std::move(sent).error());
        }
      }
      if (!last) {
        auto handed = co_await hand_on();
        if (!handed) {
          co_return fail(std::move(handed).error());
        }
        next = std::move(done.back());
      }
    }
    Node node = builder_.finish();
    if (options_.progress) {
      auto sent = co_await tell_progress(path, total);
      if (!sent) {
        co_return fail(std::move(sent).error());
      }
    }
    co_return node;
  }

  // The directories of the present entry: blocks and lines, children before parents.
  Task<Status> finish_entry() {
    if (!entry_open_) {
      co_return Status();
    }
    entry_open_ = false;
    if (!entry_is_directory_ && !options_.shard) {
      // The reference stores a root directory here as well, which nothing refers to.
      root_ = last_file_.cid;
      co_return co_await hand_on();
    }
    make_root();
    std::vector<std::pair<std::string, Node>> lines;
    const Directory::OnDirectory on_directory =
        [&lines](const std::string& path, const Node& node) { lines.emplace_back(path, node); };
    co_await resume_on(cpu_);
    const Node root = root_directory_.build(cids_, sink_, on_directory);
    co_await resume_on(home_);
    root_directory_.seal();
    root_ = entry_is_directory_ ? root.cid : last_file_.cid;
    if (!entry_is_directory_) {
      co_return co_await hand_on();
    }
    for (auto& [path, node] : lines) {
      std::string name = entry_;
      if (!path.empty()) {
        name += name.empty() ? path : "/" + path;
      }
      auto told = co_await tell(std::move(name), std::move(node));
      if (!told) {
        co_return told;
      }
    }
    co_return Status();
  }

  const AddOptions options_;
  const CidBuilder cids_;
  std::unique_ptr<Chunker> chunker_;
  PartSource& parts_;
  OutputSink& output_;
  Destination& destination_;
  const Executor cpu_;
  const StopToken stop_;
  const BlockSink sink_;
  FileBuilder builder_;
  Executor home_;

  std::vector<Block> pending_;

  Directory root_directory_;
  bool root_made_ = false;
  bool entry_open_ = false;
  bool entry_is_directory_ = false;
  std::string entry_;
  Node last_file_;
  Cid root_;
};

}  // namespace

Task<Result<Cid>> add(AddOptions options, PartSource& parts, AddTarget& target, OutputSink& output,
                      Executor cpu, StopToken stop) {
  const std::unique_ptr<Destination> destination =
      options.shard ? make_sharding_destination(options, target, output)
                    : make_single_destination(options, target);
  Result<Cid> root = Cid();
  if (options.format == Format::Car) {
    root = co_await import_car(options, parts, output, *destination, cpu, stop);
  } else {
    auto cids = CidBuilder::create(options.cid_version, options.hash);
    if (!cids) {
      co_return fail(std::move(cids).error());
    }
    Import import(options, *std::move(cids), parts, output, *destination, cpu, stop);
    root = co_await import.run();
  }
  const bool nothing = root && !root->defined() && !options.shard;
  if (!root || nothing) {
    co_return root;
  }
  const auto finished = co_await destination->finish(*root);
  if (!finished) {
    co_return fail(finished.error());
  }
  co_return root;
}

}  // namespace ica::adder
