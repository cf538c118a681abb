#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "agent/adder/unixfs.h"

namespace ica::adder {

// The directory tree of an upload. Files are links, directories are built when an upload's entry is
// complete. Memory: names and CIDs. Thread-safety: none.
class Directory {
 public:
  // Told of each directory, children before parents: path relative to the root ("" for the root).
  using OnDirectory = std::function<void(const std::string& path, const Node& node)>;

  Directory() = default;
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  // Puts a finished node at `path`; directories on the way are made. Replaces a file of that name;
  // "directory already has entry by that name" when a directory is in the way.
  Status put(std::string_view path, Node node);
  Status make_directory(std::string_view path);
  // Builds all blocks. Directories whose names and CIDs take more than 256 KiB become HAMT shards,
  // as in boxo.
  Node build(const CidBuilder& cids, const BlockSink& sink, const OnDirectory& on_directory);
  // Afterwards the sub-directories are links as files are; as in the reference a later entry cannot
  // look into them any more and replaces them.
  void seal();

 private:
  struct Entry {
    Node node;
    std::unique_ptr<Directory> directory;  // when it is one
  };

  Result<Directory*> descend(std::string_view path);
  Node build_at(const CidBuilder& cids, const BlockSink& sink, const OnDirectory& on_directory,
                const std::string& path);

  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace ica::adder
