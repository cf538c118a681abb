#include "agent/adder/directory.h"

#include "agent/adder/hamt.h"

namespace ica::adder {

namespace {

// Above this a directory is sharded: sum of the lengths of names and CIDs.
constexpr size_t kShardingSize = 256 * 1024;
// Deeper paths are refused: each level is one recursion.
constexpr size_t kMaxDepth = 256;

std::pair<std::string_view, std::string_view> split_last(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) {
    return {{}, path};
  }
  return {path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace

Result<Directory*> Directory::descend(std::string_view path) {
  Directory* at = this;
  size_t depth = 0;
  while (!path.empty()) {
    if (++depth > kMaxDepth) {
      return fail(Code::InvalidArgument, "directories are nested deeper than {}", kMaxDepth);
    }
    const size_t slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    auto it = at->entries_.find(name);
    if (it == at->entries_.end()) {
      it = at->entries_.emplace(std::string(name), Entry()).first;
    }
    if (!it->second.directory) {
      it->second.directory = std::make_unique<Directory>();
    }
    at = it->second.directory.get();
  }
  return at;
}

Status Directory::put(std::string_view path, Node node) {
  const auto [parent, name] = split_last(path);
  TRY(Directory * directory, descend(parent));
  auto [it, fresh] = directory->entries_.try_emplace(std::string(name));
  if (!fresh && it->second.directory) {
    return fail(Code::Internal, "directory already has entry by that name");
  }
  it->second.node = std::move(node);
  return {};
}

Status Directory::make_directory(std::string_view path) {
  TRY(Directory * made, descend(path));
  static_cast<void>(made);
  return {};
}

Node Directory::build(const CidBuilder& cids, const BlockSink& sink,
                      const OnDirectory& on_directory) {
  return build_at(cids, sink, on_directory, "");
}

Node Directory::build_at(const CidBuilder& cids, const BlockSink& sink,
                         const OnDirectory& on_directory, const std::string& path) {
  size_t size = 0;
  DagPbNode node;
  for (auto& [name, entry] : entries_) {
    if (entry.directory) {
      entry.node = entry.directory->build_at(cids, sink, on_directory,
                                             path.empty() ? name : path + "/" + name);
    }
    size += name.size() + entry.node.cid.bytes().size();
    node.links.push_back({entry.node.cid, name, entry.node.size});
  }
  Node built;
  if (size > kShardingSize) {
    built = build_hamt(cids, std::move(node.links), sink);
  } else {
    node.data = unixfs_directory();
    built = emit_dag_pb(cids, std::move(node), 0, sink);
  }
  on_directory(path, built);
  return built;
}

void Directory::seal() {
  for (auto& [name, entry] : entries_) {
    entry.directory.reset();
  }
}

}  // namespace ica::adder
