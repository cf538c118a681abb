#pragma once

#include "agent/config/config.h"
#include "common/web/api_server.h"

namespace ica::config {

// What a server of api.restapi or api.pinsvcapi needs; files are found relative to `config.folder`.
// Settings that this program does not offer (the API over libp2p) are warned of in the log.
web::ApiOptions api_options(const Config& config, const HttpApi& settings, std::string name,
                            std::string title);

}  // namespace ica::config
