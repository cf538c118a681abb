#pragma once

#include <filesystem>
#include <functional>

#include "agent/config/identity.h"
#include "agent/config/service_json.h"

namespace ica::cmd {

// Puts the database `fresh` into the place of `folder`. The old one is kept until then.
Status swap_in(const std::filesystem::path& fresh, const std::filesystem::path& folder);

struct PeerState;

// Makes a new database with all parts that keep something in it looking on, so that their records
// fit too. `fill` runs on its state executor.
Status fill_database(const std::filesystem::path& fresh, const config::Config& config,
                     const PeerId& self, const std::function<Status(PeerState&)>& fill);

// For a database whose files do not fit together, as after copying, file by file, that of a running
// peer: makes a new one from the pinset's nodes in it, which prove themselves, and puts it into its
// place. What is missing then comes from the other peers.
Status rebuild_database(const std::filesystem::path& folder, const config::Config& config,
                        const PeerId& self);

}  // namespace ica::cmd
