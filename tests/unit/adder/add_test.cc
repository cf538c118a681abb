// Adds through adder::add with everything around it in memory, against roots that Kubo gives and
// lines that the reference was recorded with.
#include <doctest/doctest.h>
#include <openssl/sha.h>
#include <set>

#include "agent/adder/adder.h"
#include "agent/adder/hamt.h"
#include "agent/adder/shard_dag.h"
#include "common/base/async.h"
#include "common/codec/car.h"
#include "common/crypto/hash.h"
#include "tests/unit/vectors.h"

using namespace ica;
using namespace ica::adder;

namespace {

Bytes content(std::string_view seed, size_t size) {
  Bytes out;
  for (size_t i = 0; out.size() < size; ++i) {
    const std::string text = fmt::format("{}-{}", seed, i);
    unsigned char digest[32];
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
    out.append(reinterpret_cast<const char*>(digest), 32);
  }
  out.resize(size);
  return out;
}

struct FakePart {
  Part part;
  Bytes data;
};

class FakeParts final : public PartSource {
 public:
  FakeParts(std::vector<FakePart> parts, size_t piece) : parts_(std::move(parts)), piece_(piece) {}
  Task<Result<std::optional<Part>>> next() override {
    if (next_ == parts_.size()) {
      co_return std::optional<Part>();
    }
    at_ = 0;
    co_return std::optional<Part>(parts_[next_++].part);
  }
  Task<Result<std::optional<Bytes>>> read() override {
    const Bytes& data = parts_[next_ - 1].data;
    if (at_ == data.size()) {
      co_return std::optional<Bytes>();
    }
    Bytes piece = data.substr(at_, piece_);
    at_ += piece.size();
    co_return std::optional<Bytes>(std::move(piece));
  }

 private:
  std::vector<FakePart> parts_;
  size_t piece_;
  size_t next_ = 0;
  size_t at_ = 0;
};

PeerId peer(char c) {
  return *PeerId::from_bytes(Bytes("\x12\x20", 2) + Bytes(32, c));
}

class FakeTarget final : public AddTarget {
 public:
  PeerId self() const override { return peer('a'); }
  Task<Result<std::vector<PeerId>>> allocate(api::PinOptions) override {
    ++allocations;
    std::vector<PeerId> peers{peer('b'), peer('c')};
    co_return peers;
  }
  Task<Status> put_blocks(std::vector<PeerId> destinations, std::vector<Block> put) override {
    for (Block& b : put) {
      largest = std::max(largest, b.data.size());
      stored.insert(b.cid);
      order.push_back(b.cid);
      bytes += b.data.size();
    }
    last_destinations = destinations;
    if (fail_puts) {
      co_return fail(Code::Internal, "failed to put block on all destinations");
    }
    co_return Status();
  }
  Task<Status> finish_blocks() override {
    ++finished;
    co_return Status();
  }
  Task<Status> pin(api::Pin p) override {
    pins.push_back(std::move(p));
    co_return Status();
  }
  int allocations = 0;
  int finished = 0;
  bool fail_puts = false;
  size_t largest = 0;
  uint64_t bytes = 0;
  std::set<Cid> stored;
  std::vector<Cid> order;
  std::vector<PeerId> last_destinations;
  std::vector<api::Pin> pins;
};

class Lines final : public OutputSink {
 public:
  Task<Status> put(api::AddedOutput line) override {
    lines.push_back(std::move(line));
    co_return Status();
  }
  std::vector<api::AddedOutput> lines;
};

struct Outcome {
  Result<Cid> root = Cid();
  FakeTarget target;
  Lines output;
};

Task<void> run_add(Outcome* out, AddOptions options, PartSource* parts, Executor cpu) {
  out->root = co_await add(std::move(options), *parts, out->target, out->output, cpu, {});
}

void add_all(Outcome& out, AddOptions options, std::vector<FakePart> parts, size_t piece = 50'000) {
  asio::io_context context;
  FakeParts source(std::move(parts), piece);
  spawn(context.get_executor(), run_add(&out, std::move(options), &source, context.get_executor()),
        "add");
  context.run();
}

FakePart file(std::string path, Bytes data) {
  return {{PartKind::File, std::move(path)}, std::move(data)};
}

AddOptions options_of(const nlohmann::json& arguments) {
  AddOptions o;
  bool raw_set = false;
  for (const auto& a : arguments) {
    const std::string text = a;
    const size_t eq = text.find('=');
    const std::string key = text.substr(0, eq);
    const std::string value = eq == std::string::npos ? "" : text.substr(eq + 1);
    if (key == "--raw-leaves") {
      o.raw_leaves = true;
      raw_set = true;
    } else if (key == "--cid-version") {
      o.cid_version = std::stoi(value);
    } else if (key == "--trickle") {
      o.layout = Layout::Trickle;
    } else if (key == "--chunker") {
      o.chunker = value;
    } else if (key == "--hash") {
      o.hash = value;
    } else {
      FAIL("unknown argument " << text);
    }
  }
  if (o.cid_version > 0 && !raw_set) {
    o.raw_leaves = true;
  }
  return o;
}

}  // namespace

TEST_CASE("files get the roots that Kubo gives them, however the content arrives") {
  const auto vectors = test::load_vectors("unixfs-kubo.json");
  REQUIRE(!vectors["files"].empty());
  const Bytes longest = content("unixfs", 3'000'000);
  for (const auto& c : vectors["files"]) {
    CAPTURE(c.dump());
    const size_t size = c["size"];
    REQUIRE(size <= longest.size());
    // Trees of tens of thousands of tiny blocks are slow without optimisation: once is enough.
    const bool tiny_chunks = c["args"].dump().find("size-8") != std::string::npos ||
                             c["args"].dump().find("size-13") != std::string::npos;
    for (const size_t piece : {size_t{1} << 20, size_t{4099}}) {
      if (tiny_chunks && piece == 4099) {
        continue;
      }
      Outcome out;
      add_all(out, options_of(c["args"]), {file("f", longest.substr(0, size))}, piece);
      REQUIRE(out.root.has_value());
      CHECK(out.root->text() == c["cid"].get<std::string>());
      CHECK(out.target.stored.contains(*out.root));
    }
  }
}

TEST_CASE("directories get the roots that Kubo gives them, sharded ones too") {
  const auto vectors = test::load_vectors("unixfs-kubo.json");
  REQUIRE(!vectors["directories"].empty());
  for (const auto& c : vectors["directories"]) {
    CAPTURE(c.dump());
    const int count = c["count"];
    const std::string format = c["format"];
    std::vector<FakePart> parts;
    parts.push_back({{PartKind::Directory, "d"}, ""});
    for (int i = 0; i < count; ++i) {
      parts.push_back(file("d/" + fmt::format(fmt::runtime(format), i), std::to_string(i % 50)));
    }
    Outcome out;
    add_all(out, options_of(c["args"]), std::move(parts));
    REQUIRE(out.root.has_value());
    CHECK(out.root->text() == c["cid"].get<std::string>());
    CHECK(out.output.lines.size() == static_cast<size_t>(count) + 1);
    CHECK(out.output.lines.back().name == "d");
  }
}

TEST_CASE("a tree: lines in the recorded order with the recorded sizes") {
  const auto tree = [] {
    std::vector<FakePart> parts;
    parts.push_back({{PartKind::Directory, "tree"}, ""});
    parts.push_back(file("tree/a.txt", "alpha\n"));
    parts.push_back(file("tree/b.txt", "beta\n"));
    parts.push_back({{PartKind::Directory, "tree/sub"}, ""});
    parts.push_back(file("tree/sub/c.txt", "gamma\n"));
    return parts;
  };
  Outcome out;
  add_all(out, {}, tree());
  REQUIRE(out.root.has_value());
  std::string seen;
  for (const auto& line : out.output.lines) {
    seen += fmt::format("{} {} {}\n", line.name, line.cid, line.size);
    CHECK(line.allocations.size() == 2);
  }
  CHECK(seen ==
        "tree/a.txt QmV4STRyo1dygxGhZcr877TQ1M9AZuXhfm6HrXjxW1TYNP 14\n"
        "tree/b.txt QmRLgkLoSRyoLjkECGqdDhv2Uvxtv5tnVF2M8ZTigqwhxk 13\n"
        "tree/sub/c.txt QmQdhrHbCWGfqod5SVjqPkW9vtknS7azYXEAH3FRzGstpU 14\n"
        "tree/sub QmXGGpx3M8E9QjVq7BZMRVHxNQ93YAd84XyXngq1ULR7TK 65\n"
        "tree QmWiXFfJTZ6g9zMqXsZZtqTrykB4nZhhKYzrYLQxZ2q3XL 235\n");
  REQUIRE(out.target.pins.size() == 1);
  CHECK(out.target.pins[0].cid == *out.root);
  CHECK(out.target.pins[0].allocations.items.size() == 2);

  AddOptions wrapped;
  wrapped.wrap_with_directory = true;
  Outcome with;
  add_all(with, wrapped, tree());
  CHECK(with.output.lines.back().name.empty());
  CHECK(with.output.lines[4].name == "tree");
  CHECK(with.output.lines[4].cid == *out.root);
}

TEST_CASE("two files without wrapping: two roots, the last one is pinned") {
  Outcome out;
  AddOptions options;
  options.pin.name = "two";
  add_all(out, options, {file("one.txt", "one\n"), file("two.txt", "two\n")});
  REQUIRE(out.output.lines.size() == 2);
  CHECK(out.output.lines[0].cid.text() == "QmUB9Nr7RpqNYQpyh4W9r3RQNttiPQ6BQ9iQLkw9LztJFz");
  CHECK(out.output.lines[1].cid.text() == "QmapoNeQhJxjMDWstx27etyxMNLU4MtkDk8BMfyHRao8P8");
  CHECK(out.root->text() == "QmapoNeQhJxjMDWstx27etyxMNLU4MtkDk8BMfyHRao8P8");
  REQUIRE(out.target.pins.size() == 1);
  CHECK(out.target.pins[0].options.name == "two");

  AddOptions wrapped;
  wrapped.wrap_with_directory = true;
  Outcome with;
  add_all(with, wrapped, {file("one.txt", "one\n"), file("two.txt", "two\n")});
  CHECK(with.root->text() == "QmXW9CKrjK22UpQTrPrE9zKdRf9EigvoQZgCXGYi5zQbwu");
  CHECK(with.output.lines.back().size == 126);
}

TEST_CASE("a part without a name and an empty file") {
  Outcome anonymous;
  add_all(anonymous, {}, {file("", "anonymous\n")});
  CHECK(anonymous.root->text() == "QmWibptD3Nr95J7gixXyW3jNhDGy6ZBNzpveyWC9E92j4m");
  CHECK(anonymous.output.lines[0].name.empty());
  Outcome empty;
  add_all(empty, {}, {file("empty", "")});
  CHECK(empty.root->text() == "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH");
  CHECK(empty.output.lines[0].size == 6);
}

TEST_CASE("an upload without parts: nothing, but a directory that wraps, and no shards") {
  Outcome nothing;
  add_all(nothing, {}, {});
  CHECK_FALSE(nothing.root->defined());
  CHECK(nothing.target.pins.empty());
  AddOptions wrapped;
  wrapped.wrap_with_directory = true;
  Outcome with;
  add_all(with, wrapped, {});
  CHECK(with.root->text() == "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn");
  REQUIRE(with.output.lines.size() == 1);
  CHECK(with.output.lines[0].size == 4);
  CHECK(with.target.pins.size() == 1);
  AddOptions sharded;
  sharded.shard = true;
  Outcome shards;
  add_all(shards, sharded, {});
  REQUIRE_FALSE(shards.root.has_value());
  CHECK(shards.root.error().message() == "cannot flush a nil shard");
}

TEST_CASE("progress lines come every 256 KiB and at the end") {
  Outcome out;
  AddOptions options;
  options.progress = true;
  add_all(out, options, {file("big.bin", content("golden", 700'000))});
  REQUIRE(out.output.lines.size() == 4);
  CHECK(out.output.lines[0].bytes == 262'144);
  CHECK(!out.output.lines[0].cid.defined());
  CHECK(out.output.lines[0].name.empty());
  CHECK(out.output.lines[1].bytes == 524'288);
  CHECK(out.output.lines[2].bytes == 700'000);
  CHECK(out.output.lines[3].cid.text() == "QmaDqRYRNK2Wi9t99pMgmGJdr3SmE1XSTM5u15sGqMiGod");
  CHECK(out.output.lines[3].size == 700'194);
}

TEST_CASE("sharding: the recorded shards, cluster DAG and pins") {
  Outcome out;
  AddOptions options;
  options.shard = true;
  options.pin.shard_size = 300'000;
  options.pin.name = "sharded";
  options.pin.replication_factor_min = 1;
  options.pin.replication_factor_max = 1;
  add_all(out, options, {file("big2.bin", content("shardme", 700'000))});
  REQUIRE(out.root.has_value());
  std::string seen;
  for (const auto& line : out.output.lines) {
    seen += fmt::format("{} {} {}\n", line.name, line.cid, line.size);
  }
  CHECK(seen ==
        "shard-0 bafyreicpsxi5q24y5ixyqyw6zal6ndiamro7szwsus4by42vbn5q6jc4fe 262158\n"
        "shard-1 bafyreihh6g76o4kqqf7p7xbubiyrpb2jupskdxtwuos4bmkxuwcg2t6s4e 262158\n"
        "big2.bin QmQSBDWEgmXt5Ln1ez8qY1zyK2321WU8cThaziGRhQ2wot 700194\n"
        "shard-2 bafyreiajdi2mwvtdcewygffytcbvdfrbhz3mto2wkv5jiapotrmhbbdtam 175976\n"
        "sharded-clusterDAG bafyreiddmfbzcimmeds2762tymraoyw4c47vrf54nde3wsuhpa4yyva724 700292\n");
  REQUIRE(out.target.pins.size() == 5);
  CHECK(out.target.pins[0].type == api::PinType::Shard);
  CHECK(out.target.pins[0].options.name == "sharded-shard-0");
  CHECK(out.target.pins[0].max_depth == 1);
  CHECK(out.target.pins[3].type == api::PinType::ClusterDag);
  CHECK(out.target.pins[3].reference == *out.root);
  CHECK(out.target.pins[4].type == api::PinType::Meta);
  CHECK(out.target.pins[4].cid == *out.root);
  CHECK(out.target.allocations == 3);

  options.pin.shard_size = 100;
  Outcome small;
  add_all(small, options, {file("hello.txt", Bytes(100, 'x'))});
  REQUIRE(!small.root.has_value());
  CHECK(small.root.error().message() == "block doesn't fit in empty shard: shard size too small?");
}

TEST_CASE("local puts here, no-pin pins nothing, failures are told") {
  AddOptions local;
  local.local = true;
  Outcome out;
  add_all(out, local, {file("f", "x")});
  CHECK(out.target.last_destinations == std::vector<PeerId>{peer('a')});
  CHECK(out.target.pins[0].allocations.items == std::vector<PeerId>{peer('b'), peer('a')});

  AddOptions no_pin;
  no_pin.no_pin = true;
  Outcome none;
  add_all(none, no_pin, {file("f", "x")});
  CHECK(none.root.has_value());
  CHECK(none.target.pins.empty());

  const auto error_of = [](AddOptions o) {
    Outcome bad;
    add_all(bad, std::move(o), {file("f", "x")});
    CHECK(bad.target.pins.empty() != bad.root.has_value());
    return bad.root ? std::string() : bad.root.error().message();
  };
  AddOptions o;
  o.chunker = "bogus";
  CHECK(error_of(o) == "unrecognized chunker option: bogus");
  o.chunker = "size-0";
  CHECK(error_of(o) == "chunker size must be greater than 0");
  o.chunker = "size-x";
  CHECK(error_of(o) == "strconv.Atoi: parsing \"x\": invalid syntax");
  o.chunker = "rabin-1-2-3";
  CHECK(error_of(o) == "rabin min must be greater than 16");
  o = {};
  o.cid_version = 2;
  CHECK(error_of(o) == "bad CID Version: unknown CID version: 2");
  o = {};
  o.hash = "sha2-512";
  CHECK(error_of(o) == "invalid cid: invalid v0 prefix");
  o.hash = "nonsense";
  CHECK(error_of(o) == "hash function name not known");
  o.hash = "blake3";
  CHECK(error_of(o) == "invalid cid: invalid v0 prefix");
  o.cid_version = 1;
  CHECK(error_of(o).empty());
  o.hash = "identity";
  CHECK(error_of(o).empty());
  o.hash = "keccak-384";
  CHECK(error_of(o) == "invalid cid: unknown multihash code 28 (0x1c): no such hash registered");
  o = {};
  o.no_copy = true;
  CHECK(error_of(o) == "missing file path or URL, can't create filestore reference");

  Outcome referred;
  FakePart from_url = file("f", "x");
  from_url.part.has_origin = true;
  add_all(referred, o, {from_url});
  CHECK(referred.root.has_value());

  Outcome failing;
  failing.target.fail_puts = true;
  add_all(failing, {}, {file("f", "x")});
  CHECK(failing.root.error().message() == "failed to put block on all destinations");
  CHECK(failing.target.pins.empty());
}

TEST_CASE("a file where a directory is refused, nesting is bounded") {
  AddOptions wrapped;
  wrapped.wrap_with_directory = true;
  Outcome out;
  add_all(out, wrapped, {file("a/b", "x"), file("a", "y")});
  REQUIRE(!out.root.has_value());
  CHECK(out.root.error().message() == "directory already has entry by that name");
  std::string deep;
  for (int i = 0; i < 5000; ++i) {
    deep += "d/";
  }
  Outcome nested;
  add_all(nested, wrapped, {file(deep + "f", "x")});
  CHECK(!nested.root.has_value());
}

TEST_CASE("blocks are handed on while the content arrives, not collected") {
  Outcome out;
  add_all(out, {}, {file("f", content("unixfs", 20'000'000))}, 1 << 20);
  CHECK(out.root.has_value());
  CHECK(out.target.largest <= 262'158);
  CHECK(out.target.allocations == 1);
}

TEST_CASE("shard DAGs with more links than one node holds") {
  std::vector<Cid> links(6000, *Cid::parse("QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH"));
  const auto nodes = make_shard_dag(links);
  CHECK(nodes.size() == 3);
  CHECK(make_shard_dag({links[0]}).size() == 1);
}

TEST_CASE("a CAR: its blocks, its root, its size; and what is no CAR") {
  AddOptions options;
  options.format = Format::Car;
  const Bytes leaf = "some raw block";
  const Cid leaf_cid = Cid::make_v1(multicodec::kRaw, *make_multihash(multicodec::kSha2_256, leaf));
  Bytes car;
  append_car_header(car, {leaf_cid});
  append_car_block(car, leaf_cid, leaf);

  Outcome out;
  add_all(out, options, {file("x.car", car)}, 7);
  REQUIRE(out.root.has_value());
  CHECK(*out.root == leaf_cid);
  REQUIRE(out.output.lines.size() == 1);
  CHECK(out.output.lines[0].bytes == leaf.size());
  CHECK(out.output.lines[0].size == 0);  // the reference asks only UnixFS nodes for theirs
  CHECK(out.target.stored.contains(leaf_cid));
  CHECK(out.target.pins.size() == 1);

  const auto error_of = [&](Bytes data) {
    Outcome bad;
    add_all(bad, options, {file("x.car", std::move(data))});
    CHECK(bad.target.pins.empty());
    return bad.root ? std::string() : bad.root.error().message();
  };
  CHECK(error_of("hello golden\n") == "unexpected EOF");
  CHECK(error_of(car.substr(0, car.size() - 1)) == "unexpected EOF");
  CHECK(error_of("") == "EOF");
  CHECK(error_of("1") == "EOF");
  Bytes none;
  append_car_header(none, {});
  CHECK(error_of(none) == "empty car, no roots");
  Bytes two;
  append_car_header(two, {leaf_cid, leaf_cid});
  CHECK(error_of(two) == "only CAR files with a single root are supported");
  Bytes forged;
  append_car_header(forged, {leaf_cid});
  append_car_block(forged, leaf_cid, "something else");
  CHECK(error_of(forged) ==
        "mismatch in content integrity, name: " + leaf_cid.text() + ", data: " +
            Cid::make_v1(multicodec::kRaw, *make_multihash(multicodec::kSha2_256, "something else"))
                .text());
  options.wrap_with_directory = true;
  CHECK(error_of(car) == "cannot wrap a CAR file upload");
}
