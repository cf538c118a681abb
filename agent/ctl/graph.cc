#include "agent/ctl/graph.h"

#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace ica::ctl {
namespace {

using Json = nlohmann::json;
using Edges = std::map<std::string, std::vector<std::string>>;
using Nodes = std::map<std::string, std::string>;  // peer -> name of its node

Json member(const Json& object, const char* key) {
  const Json found = object.is_object() ? object.value(key, Json::object()) : Json::object();
  return found.is_object() ? found : Json::object();
}

std::string text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : "";
}

Edges edges(const Json& object) {
  Edges out;
  for (const auto& [from, list] : object.items()) {
    auto& to = out[from];
    for (const Json& id : list.is_array() ? list : Json::array()) {
      to.push_back(text(id));
    }
  }
  return out;
}

// Two characters, a star and the last six.
std::string shorten(std::string_view id) {
  return id.size() < 6 ? std::string(id)
                       : fmt::format("{}*{}", id.substr(0, 2), id.substr(id.size() - 6));
}

std::string node(std::string_view name, std::string_view title, std::string_view id,
                 std::string_view group, std::string_view color, std::string_view shape,
                 bool self = false) {
  return fmt::format(
      "{} [label=< <B> {} </B> <BR/> <B> {} </B> > group=\"{}\" color=\"{}\" style=\"filled\" "
      "colorscheme=\"x11\" fontcolor=\"black\" fontname=\"Arial\" shape=\"{}\" {}]\n",
      name, title, id, group, color, shape, self ? "peripheries=\"2\" " : "");
}

// The swarm's edges between the Kubos of the cluster, or all of them.
Edges swarm_edges(const Json& links, bool all) {
  const Edges given = edges(links);
  Edges out;
  for (const auto& [from, list] : given) {
    auto& to = out[from];
    for (const std::string& id : list) {
      if (all || given.contains(id)) {
        to.push_back(id);
      }
      if (all) {
        out.try_emplace(id);
      }
    }
  }
  return out;
}

std::string draw_edges(const Edges& all, const Nodes& nodes) {
  std::string out;
  for (const auto& [from, list] : all) {
    for (const std::string& to : list) {
      if (const auto found = nodes.find(to); found != nodes.end()) {
        out += fmt::format("{} -> {}\n", nodes.at(from), found->second);
      }
    }
  }
  return out;
}

}  // namespace

std::string make_dot(std::string_view json, bool all_ipfs) {
  const Json graph = Json::parse(json, nullptr, false);
  const std::string self = graph.is_object() ? text(graph.value("cluster_id", Json())) : "";
  const Json names = member(graph, "id_to_peername");
  const Json trust = member(graph, "cluster_trust_links");
  const Json to_ipfs = member(graph, "cluster_to_ipfs");
  const Edges cluster = edges(member(graph, "cluster_links"));
  const Edges swarm = swarm_edges(member(graph, "ipfs_links"), all_ipfs);

  Nodes cluster_nodes;
  Nodes ipfs_nodes;
  std::string out =
      "digraph cluster {\n/* The nodes of the connectivity graph */\n"
      "/* The cluster-service peers */\nsubgraph  {\nrank=\"min\"\n";
  for (const auto& [peer, unused] : cluster) {
    const bool trusted = peer != self && trust.value(peer, false);
    std::string& name = cluster_nodes[peer];
    name = fmt::format("{}{}", trusted ? 'T' : 'C', cluster_nodes.size() - 1);
    out += node(name, text(names.value(peer, Json())), shorten(peer), peer,
                trusted || peer == self ? "orange" : "darkorange3", "box3d", peer == self);
  }
  out += "}\n\n/* The ipfs peers */\nsubgraph  {\nrank=\"max\"\n";
  const auto add_ipfs = [&](const std::string& id, std::string_view label, std::string_view color) {
    std::string& name = ipfs_nodes[id];
    name = fmt::format("I{}", ipfs_nodes.size() - 1);
    out += node(name, "IPFS", label, id, color, "cylinder");
  };
  for (const auto& [id, unused] : swarm) {
    add_ipfs(id, shorten(id), "turquoise3");
  }
  for (const auto& [peer, unused] : cluster) {
    if (!to_ipfs.contains(peer)) {
      add_ipfs(peer, "Errored", "firebrick1");
    }
  }
  out +=
      "}\n\n/* Edges representing active connections in the cluster */\n"
      "/* The connections among cluster-service peers */\n";
  out += draw_edges(cluster, cluster_nodes);
  out += "\n/* The connections between cluster peers and their ipfs daemons */\n";
  for (const auto& [peer, name] : cluster_nodes) {
    const bool known = to_ipfs.contains(peer);
    const auto found = ipfs_nodes.find(known ? text(to_ipfs[peer]) : peer);
    if (found != ipfs_nodes.end()) {
      out += fmt::format("{} -> {}{}\n", name, found->second, known ? "" : " [ style=\"dotted\" ]");
    }
  }
  out += "\n/* The swarm peer connections among ipfs daemons in the cluster */\n";
  out += draw_edges(swarm, ipfs_nodes);
  return out + "}";
}

}  // namespace ica::ctl
