#pragma once

#include <string>
#include <vector>

#include "agent/cluster/cluster.h"
#include "agent/proxy/kubo.h"
#include "common/web/exchange.h"

namespace ica::proxy {

// A call that the proxy answers itself. Lives as long as the request; same thread-safety.
struct Hijacked : web::Exchange {
  cluster::Cluster& cluster;
  Kubo& kubo;
  std::vector<std::string> args;  // of the query, or the one of the path

  std::string_view arg() const { return args.empty() ? std::string_view() : args.front(); }
  // JSON without a newline, as the reference's proxy answers.
  Task<void> send_ok(std::string json) { return send_text(200, std::move(json)); }
  // In Kubo's form.
  Task<void> send_error(int status, std::string_view message);
  Task<void> send_error(const Error& error);
};

// pin_calls.cc
Task<void> pin_add(Hijacked& call);
Task<void> pin_rm(Hijacked& call);
Task<void> pin_ls(Hijacked& call);
Task<void> pin_update(Hijacked& call);
// content_calls.cc: what brings content in
Task<void> add(Hijacked& call);
Task<void> block_put(Hijacked& call);  // with pin=true
Task<void> dag_put(Hijacked& call);    // with pin=true
// repo_calls.cc
Task<void> repo_stat(Hijacked& call);
Task<void> repo_gc(Hijacked& call);

}  // namespace ica::proxy
