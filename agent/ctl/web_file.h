#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/base/asio.h"

namespace ica::http {
class ClientStream;
}

namespace ica::ctl {

// Opens a web address for reading; follows up to ten redirects. Errors have Go's words: `Get
// "http://x": dial tcp ...`, "got non-2XX status code 404: http://x".
Task<Result<std::unique_ptr<http::ClientStream>>> open_web_file(std::string url);

// The last element of a URL's path, decoded: "name.txt"; "." when there is none.
std::string url_base_name(std::string_view url);

}  // namespace ica::ctl
