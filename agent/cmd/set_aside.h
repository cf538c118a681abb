#pragma once

#include <filesystem>
#include <vector>

#include "agent/config/identity.h"
#include "agent/config/service_json.h"
#include "agent/crdt/epoch.h"
#include "common/codec/cid.h"

namespace ica::cmd {

// For a peer that was away while the others began the history of the pinset anew, and that has
// changes which they do not know: its database cannot be used any more, and is kept for people.

// Notes it in the database's folder, for the next start. `own`: what only this peer has written.
Status mark_left_behind(const std::filesystem::path& folder, const crdt::Epoch& theirs,
                        const std::vector<Cid>& own);

// Before a start: a database with that mark goes to "<folder>.before-N", with an export of its
// pinset beside it (".json"), and a new one takes its place. In it are only the pins that nobody
// else has written; the rest comes from the others. Errors: Io, Corrupt.
Status set_aside_if_left_behind(const std::filesystem::path& folder, const config::Config& config,
                                const PeerId& self);

}  // namespace ica::cmd
