#include "agent/rpc/types.h"

#include "agent/rpc/frames.h"
#include "tests/unit/api/peer_readers.h"
#include "tests/unit/vectors.h"

using namespace ica;
using nlohmann::json;

namespace {

// Reads Go's bytes and writes them again; what was read is returned.
template <typename T>
T check_bytes(const Bytes& bytes) {
  auto value = rpc::decode<T>(bytes);
  REQUIRE(value.has_value());
  CHECK(base16(rpc::encode(*value)) == base16(bytes));
  // Cut anywhere it is no value; followed by anything it is not one value.
  for (size_t size = 0; size < bytes.size(); ++size) {
    CHECK(!rpc::decode<T>(BytesView(bytes).substr(0, size)).has_value());
  }
  CHECK(!rpc::decode<T>(bytes + '\0').has_value());
  return std::move(*value);
}

template <typename T>
json as_json(const T& value) {
  std::string text;
  JsonWriter out(text);
  api::write_json(out, value);
  return json::parse(text);
}

// The parts that PinInfo and GlobalPinInfo share have the same names in JSON.
json as_json(const api::PinInfo& info) {
  json out = json::parse(api::to_json(api::to_global(info)));
  json own = out["peer_map"].begin().value();
  out["peer"] = out["peer_map"].begin().key();
  out.erase("peer_map");
  out.update(own);
  return out;
}

void check_type(const std::string& type, const Bytes& bytes, const json& expected) {
  if (type == "struct{}") {
    check_bytes<rpc::Empty>(bytes);
  } else if (type == "peer.ID") {
    CHECK(check_bytes<PeerId>(bytes).text() == expected.get<std::string>());
  } else if (type == "[]peer.ID" && !expected.is_null()) {
    const auto peers = check_bytes<std::vector<PeerId>>(bytes);
    REQUIRE(peers.size() == expected.size());
    for (size_t i = 0; i < peers.size(); ++i) {
      CHECK(peers[i].text() == expected[i].get<std::string>());
    }
  } else if (type == "[]peer.ID") {
    CHECK(rpc::decode<std::vector<PeerId>>(bytes).value().empty());
  } else if (type == "api.Cid" && !expected.is_null()) {
    CHECK(check_bytes<Cid>(bytes).text() == expected.get<std::string>());
  } else if (type == "api.Cid") {
    CHECK(!check_bytes<Cid>(bytes).defined());
  } else if (type == "api.TrackerStatus") {
    const auto text = std::string(expected);
    const auto filter = text == "undefined" ? 0U : api::parse_status_filter(text).value();
    CHECK(check_bytes<rpc::Filter>(bytes).mask == filter);
  } else if (type == "api.Version") {
    CHECK(check_bytes<rpc::Version>(bytes).version == expected["version"].get<std::string>());
  } else if (type == "api.ID") {
    CHECK(as_json(check_bytes<api::Id>(bytes)) == expected);
  } else if (type == "api.IPFSID") {
    CHECK(check_bytes<api::IpfsId>(bytes).id.text() == expected["id"].get<std::string>());
  } else if (type == "api.PinInfo") {
    CHECK(as_json(check_bytes<api::PinInfo>(bytes)) == expected);
  } else if (type == "api.GlobalPinInfo") {
    CHECK(as_json(check_bytes<api::GlobalPinInfo>(bytes)) == expected);
  } else if (type == "api.IPFSRepoStat") {
    const auto stat = check_bytes<ipfs::RepoStat>(bytes);
    CHECK(stat.repo_size == expected["RepoSize"]);
    CHECK(stat.storage_max == expected["StorageMax"]);
  } else if (type == "api.RepoGC") {
    const auto gc = check_bytes<api::RepoGc>(bytes);
    CHECK(gc.peername == expected["peername"].get<std::string>());
    CHECK(gc.keys.size() == expected["keys"].size());
  } else if (type == "api.NodeWithMeta") {
    const auto node = check_bytes<rpc::NodeWithMeta>(bytes);
    CHECK(node.data == "hello");
    CHECK(node.cid.text() == expected["Cid"].get<std::string>());
    CHECK(node.cumulative_size == expected["CumSize"]);
  } else if (type == "api.Alert") {
    CHECK(as_json(check_bytes<api::Alert>(bytes)) == expected);
  } else {
    // Parts of the types above, tested with the codec.
    CHECK((type == "api.Multiaddr" || type == "string" || type == "nil" || type == "time.Time" ||
           type == "int64" || type == "[]byte"));
  }
}

}  // namespace

TEST_CASE("rpc: every type as Go writes it") {
  size_t count = 0;
  const json all_cases = test::load_vectors("gorpc-types-msgpack.json")["cases"];
  for (const auto& item : all_cases) {
    const std::string name = item["name"];
    CAPTURE(name);
    check_type(item["go_type"], test::hex_field(item, "msgpack_hex"), item["json"]);
    ++count;
  }
  CHECK(count > 25);
}

TEST_CASE("rpc: pins") {
  const json all_cases = test::load_vectors("pin-msgpack.json")["cases"];
  for (const auto& item : all_cases) {
    const std::string name = item["name"];
    CAPTURE(name);
    const Bytes bytes = test::hex_field(item, "msgpack_hex");
    const auto from_json = api::pin_from_json(item["pin_json"].dump()).value();
    if (from_json.options.metadata.size() > 1) {
      // Go writes a map in an order of its own each time; ours is by key.
      const auto pin = rpc::decode<api::Pin>(bytes).value();
      CHECK(json::parse(api::to_json(pin)) == item["pin_json"]);
      CHECK(base16(rpc::encode(from_json)) == base16(rpc::encode(pin)));
      CHECK(rpc::encode(pin).size() == bytes.size());
      continue;
    }
    const auto pin = check_bytes<api::Pin>(bytes);
    CHECK(json::parse(api::to_json(pin)) == item["pin_json"]);
    CHECK(base16(rpc::encode(from_json)) == base16(bytes));
  }
}

TEST_CASE("rpc: metrics of the monitor topic") {
  const json all_cases = test::load_vectors("metrics-msgpack.json")["cases"];
  for (const auto& item : all_cases) {
    const std::string name = item["name"];
    CAPTURE(name);
    const Bytes bytes = test::hex_field(item, "msgpack_hex");
    CHECK(as_json(check_bytes<api::Metric>(bytes)) == item["metric_json"]);
    const auto metric = api::metric_from_json(item["metric_json"].dump()).value();
    CHECK(base16(rpc::encode_metric(metric)) == base16(bytes));
    CHECK(rpc::decode_metric(bytes).value().name == metric.name);
  }
  // From the wire.
  size_t live = 0;
  const json live_cases = test::load_vectors("live-capture.json")["cases"];
  for (const auto& item : live_cases) {
    const std::string name = item["name"];
    if (name.starts_with("metric ")) {
      CAPTURE(name);
      const auto metric = check_bytes<api::Metric>(test::hex_field(item, "data_hex"));
      CHECK(as_json(metric) == item["decoded"]);
      ++live;
    }
  }
  CHECK(live >= 4);
  api::Metric large;
  large.value = std::string(70000, 'x');
  CHECK(rpc::decode_metric(rpc::encode_metric(large)).error().code() == Code::TooLarge);
}

TEST_CASE("rpc: frames") {
  const json all_cases = test::load_vectors("gorpc-frames.json")["cases"];
  for (const auto& item : all_cases) {
    const std::string name = item["name"];
    CAPTURE(name);
    const Bytes bytes = test::hex_field(item, "bytes_hex");
    MsgpackReader in(bytes);
    Bytes again;
    if (name.find("request") != std::string::npos) {
      rpc::ServiceId id;
      rpc::read(in, id);
      CHECK(name.find(id.service + "." + id.method) != std::string::npos);
      rpc::write(again, id);
    } else {
      rpc::ResponseHeader header;
      rpc::read(in, header);
      CHECK(header.error.empty() ==
            (name.find("error") == std::string::npos && name.find("unknown") == std::string::npos));
      rpc::write(again, header);
      if (name.find("authorization") != std::string::npos) {
        CHECK(header.type == rpc::ErrorType::Authorization);
        CHECK(rpc::to_error(std::move(header)).code() == Code::PermissionDenied);
      }
    }
    CHECK(in.ok());
    CHECK(base16(again) == base16(BytesView(bytes).substr(0, bytes.size() - in.left())));
  }
}

TEST_CASE("rpc: answers of a real peer are read to their ends") {
  size_t answers = 0;
  const json all_cases = test::load_vectors("live-capture.json")["cases"];
  for (const auto& item : all_cases) {
    const std::string name = item["name"];
    if (!name.starts_with("gorpc call")) {
      continue;
    }
    CAPTURE(name);
    const Bytes bytes = test::hex_field(item, "response_hex");
    MsgpackReader in(bytes);
    while (!in.at_end()) {
      rpc::ResponseHeader header;
      rpc::read(in, header);
      REQUIRE(in.ok());
      const std::string& method = header.service.method;
      if (!header.error.empty() || method == "SwarmPeers") {
        in.skip();
      } else if (method == "ID" || method == "IDStream" || method == "Peers" ||
                 method == "PeerAdd") {
        api::Id id;
        rpc::read(in, id);
        CHECK(!id.id.empty());
        CHECK(id.rpc_protocol_version == api::kRpcProtocol);
      } else if (method.starts_with("Status") || method == "Recover") {
        api::PinInfo info;
        rpc::read(in, info);
        CHECK(info.cid.defined());
        CHECK(!info.peer.empty());
        CHECK(info.info.status != api::TrackerStatus::Undefined);
      } else if (method == "RepoStat") {
        ipfs::RepoStat stat;
        rpc::read(in, stat);
        CHECK(stat.storage_max == 10000000000);
      } else {
        CHECK(method == "Version");
        in.skip();
      }
      CHECK(in.ok());
      ++answers;
    }
  }
  CHECK(answers > 20);
}

TEST_CASE("rpc: values that fit no type") {
  // A list with an empty peer ID, a CID that is none, a depth beyond an int.
  CHECK(!rpc::decode<std::vector<PeerId>>("\x91\xa0").has_value());
  CHECK(!rpc::decode<Cid>("\xa1x").has_value());
  CHECK(!rpc::decode<api::Pin>("\x81\xa1"
                               "d\xcf\x01\x00\x00\x00\x00\x00\x00\x00")
             .has_value());
  CHECK(!rpc::decode<rpc::Filter>("\xff").has_value());
  // A garbage key without anything would cost more memory than it has bytes.
  CHECK(!rpc::decode<api::RepoGc>("\x81\xa1k\x91\x80").has_value());
  // A pin whose type or mode is of a later version is kept.
  CHECK(rpc::decode<api::Pin>("\x81\xa1t\x40").value().type == static_cast<api::PinType>(64));
}
