#include "agent/cluster/core.h"

namespace ica::cluster {
namespace {

constexpr int kMaxDepth = 16;

// Just enough CBOR to walk a dag-cbor block: definite lengths, links as tag 42.
class CborWalk {
 public:
  explicit CborWalk(BytesView in) : in_(in) {}

  Status value(int depth) {
    if (depth > kMaxDepth) {
      return fail(Code::Corrupt, "dag-cbor: nested too deep");
    }
    TRY(auto head, read_head());
    switch (head.major) {
      case 0:
      case 1:
        return {};
      case 2:
      case 3: {
        TRY(auto text, bytes(head.argument));
        (void)text;
        return {};
      }
      case 4:
      case 5: {
        const uint64_t n = head.major == 5 ? head.argument * 2 : head.argument;
        if (head.argument > in_.size()) {
          return fail(Code::Corrupt, "dag-cbor: list is cut short");
        }
        for (uint64_t i = 0; i < n; ++i) {
          TRY_VOID(value(depth + 1));
        }
        return {};
      }
      case 6:
        return head.argument == 42 ? link() : value(depth + 1);
      default:
        return {};  // simple values and floats: their bytes are the argument
    }
  }

  bool at_end() const { return in_.empty(); }
  std::vector<Cid> links;

 private:
  struct Head {
    int major = 0;
    uint64_t argument = 0;
  };

  Result<BytesView> bytes(uint64_t n) {
    if (n > in_.size()) {
      return fail(Code::Corrupt, "dag-cbor: cut short");
    }
    const BytesView out = in_.substr(0, n);
    in_.remove_prefix(n);
    return out;
  }

  Result<Head> read_head() {
    TRY(auto first, bytes(1));
    const auto byte = static_cast<unsigned char>(first[0]);
    Head head{byte >> 5, static_cast<uint64_t>(byte & 31)};
    if (head.argument < 24) {
      return head;
    }
    if (head.argument > 27) {
      return fail(Code::Corrupt, "dag-cbor: indefinite length");
    }
    TRY(auto rest, bytes(uint64_t{1} << (head.argument - 24)));
    head.argument = 0;
    for (const char c : rest) {
      head.argument = head.argument << 8 | static_cast<unsigned char>(c);
    }
    return head;
  }

  Status link() {
    TRY(auto head, read_head());
    TRY(auto data, bytes(head.argument));
    if (head.major != 2 || data.empty() || data[0] != '\0') {
      return fail(Code::Corrupt, "dag-cbor: malformed link");
    }
    TRY(auto cid, Cid::from_bytes(data.substr(1)));
    links.push_back(std::move(cid));
    return {};
  }

  BytesView in_;
};

}  // namespace

Result<std::vector<Cid>> cbor_links(BytesView block) {
  CborWalk walk(block);
  TRY_VOID(walk.value(0));
  if (!walk.at_end()) {
    return fail(Code::Corrupt, "dag-cbor: more than one value");
  }
  return std::move(walk.links);
}

Task<Result<std::vector<Cid>>> shards_of(CorePtr core, api::Pin meta, StopToken stop) {
  if (!meta.reference.defined()) {
    co_return fail(Code::Corrupt, "metaPin.Reference is unset");
  }
  CO_TRY(auto block, co_await core->parts.connector.block_get(meta.reference, stop));
  std::vector<Cid> out{meta.reference};
  CO_TRY(auto links, cbor_links(block));
  out.insert(out.end(), links.begin(), links.end());
  co_return out;
}

}  // namespace ica::cluster
