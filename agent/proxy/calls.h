#pragma once

#include <string>
#include <string_view>

#include "common/base/json_writer.h"
#include "common/base/result.h"
#include "common/codec/cid.h"

namespace ica::proxy {

// What the proxy answers itself; everything else is Kubo's.
enum class Call { Other, PinAdd, PinRm, PinLs, PinUpdate, Add, RepoStat, RepoGc, BlockPut, DagPut };

struct Route {
  Call call = Call::Other;
  std::string arg;  // of /pin/add/<arg> and the like, which the reference takes too
};
// `path` is decoded. Only GET, POST and PUT are ever taken over.
Route route_of(std::string_view method, std::string_view path);

// An argument as a path: "/ipfs/<cid>/a" cleaned, or a CID alone. Errors: InvalidArgument in the
// reference's words (`invalid path "bogus": path does not have enough components`).
Result<std::string> read_path(std::string_view arg);

// A CID as Kubo links to it, {"/":"<cid>"}; null when it is not defined.
void write_link(JsonWriter& json, const Cid& cid);

// Kubo's error document.
std::string error_json(std::string_view message);

}  // namespace ica::proxy
