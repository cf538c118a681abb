#include "tests/sim/go_peers.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/crdt/delta.h"
#include "common/codec/multibase.h"
#include "tests/sim/check.h"

namespace ica::sim {

namespace {

Bytes unhex(const nlohmann::json& text) {
  return must(base16_decode(text.get<std::string>()), "an answer of the Go program");
}

}  // namespace

GoPeers::GoPeers(const std::string& program) {
  int to[2];
  int from[2];
  require(::pipe2(to, O_CLOEXEC) == 0 && ::pipe2(from, O_CLOEXEC) == 0, "no pipes");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
  std::string name = program;
  char* arguments[] = {name.data(), nullptr};
  const int error = ::posix_spawn(&child_, program.c_str(), &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(to[0]);
  ::close(from[1]);
  require(error == 0, "cannot start {}", program);
  in_ = ::fdopen(to[1], "w");
  out_ = ::fdopen(from[0], "r");
}

GoPeers::~GoPeers() {
  std::fclose(in_);  // its end
  std::fclose(out_);
  ::waitpid(child_, nullptr, 0);
}

nlohmann::json GoPeers::call(const nlohmann::json& request) {
  const std::string line = request.dump() + '\n';
  require(std::fwrite(line.data(), 1, line.size(), in_) == line.size() && std::fflush(in_) == 0,
          "the Go program takes no requests");
  char* text = nullptr;
  size_t capacity = 0;
  const ssize_t length = ::getline(&text, &capacity, out_);
  const std::string answer(text == nullptr ? "" : text, length < 0 ? 0 : size_t(length));
  std::free(text);
  require(!answer.empty(), "the Go program ended");
  auto parsed = nlohmann::json::parse(answer, nullptr, false);
  require(parsed.is_object() && !parsed.contains("error"), "{} -> {}", line, answer);
  return parsed;
}

void GoPeers::reset(size_t peers) {
  call({{"op", "reset"}, {"peers", peers}});
}

void GoPeers::add_block(const Bytes& block) {
  const auto answer = call({{"op", "block"}, {"data", base16(block)}});
  const Bytes cid = crdt::block_cid(crdt::block_digest(block)).bytes();
  require(unhex(answer["cid"]) == cid, "one block, two names");
}

std::vector<Bytes> GoPeers::write(size_t peer, const std::vector<KeyOp>& ops, bool batch) {
  auto list = nlohmann::json::array();
  for (const auto& op : ops) {
    list.push_back({{"k", op.key}});
    if (op.value) {
      list.back()["v"] = base16(*op.value);
    }
  }
  const auto answer = call({{"op", "write"}, {"peer", peer}, {"ops", list}, {"batch", batch}});
  std::vector<Bytes> blocks;
  if (answer.contains("blocks")) {
    for (const auto& block : answer["blocks"]) {
      blocks.push_back(unhex(block));
    }
  }
  return blocks;
}

void GoPeers::deliver(size_t peer, const Bytes& message, const std::vector<Bytes>& missing) {
  auto list = nlohmann::json::array();
  for (const auto& digest : missing) {
    list.push_back(base16(crdt::block_cid(digest).bytes()));
  }
  call({{"op", "deliver"}, {"peer", peer}, {"message", base16(message)}, {"missing", list}});
}

void GoPeers::restart(size_t peer) {
  call({{"op", "restart"}, {"peer", peer}});
}

void GoPeers::repair(size_t peer) {
  call({{"op", "repair"}, {"peer", peer}});
}

GoPeers::State GoPeers::state(size_t peer) {
  const auto answer = call({{"op", "state"}, {"peer", peer}});
  State state;
  if (answer.contains("values")) {
    for (const auto& [key, value] : answer["values"].items()) {
      state.values[key] = {unhex(value[0]), value[1].get<uint64_t>()};
    }
  }
  state.heads = answer.contains("heads") ? answer["heads"].size() : 0;
  return state;
}

}  // namespace ica::sim
