#include "agent/ctl/web_file.h"

#include <charconv>

#include "agent/ctl/text.h"
#include "common/http/client.h"

namespace ica::ctl {
namespace {

// Keeps the client alive as long as the stream that it serves.
class OwnedStream : public http::ClientStream {
 public:
  OwnedStream(std::unique_ptr<http::Client> client, std::unique_ptr<http::ClientStream> stream)
      : client_(std::move(client)), stream_(std::move(stream)) {}
  Task<Result<int>> status() override { return stream_->status(); }
  const http::Headers& headers() const override { return stream_->headers(); }
  Task<Result<std::optional<Bytes>>> read() override { return stream_->read(); }
  const http::Headers& trailers() const override { return stream_->trailers(); }
  Task<Status> write(Bytes piece) override { return stream_->write(std::move(piece)); }
  Task<Status> finish() override { return stream_->finish(); }

 private:
  std::unique_ptr<http::Client> client_;
  std::unique_ptr<http::ClientStream> stream_;  // goes first
};

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// Where a Location leads from `url`.
std::string follow(const std::string& url, std::string_view location) {
  if (location.find("://") != std::string_view::npos) {
    return std::string(location);
  }
  const size_t authority = url.find("://") + 3;
  const size_t path = std::min(url.find_first_of("/?#", authority), url.size());
  if (location.starts_with("//")) {
    return url.substr(0, authority - 2) + std::string(location);
  }
  if (location.starts_with('/')) {
    return url.substr(0, path) + std::string(location);
  }
  const std::string bare = url.substr(0, std::min(url.find_first_of("?#", path), url.size()));
  const size_t slash = bare.rfind('/');
  return (slash < authority ? bare + "/" : bare.substr(0, slash + 1)) + std::string(location);
}

}  // namespace

Task<Result<std::unique_ptr<http::ClientStream>>> open_web_file(std::string url) {
  constexpr int kMaxRedirects = 10;
  const std::string first = url;
  http::ClientOptions options;
  options.user_agent = "ipfs-cluster-ctl";
  auto client = std::make_unique<http::Client>(std::move(options));
  for (int hops = 0; hops <= kMaxRedirects; ++hops) {
    http::ClientRequest request;
    request.url = url;
    auto stream = co_await client->open(std::move(request));
    if (!stream) {
      co_return fail(stream.error().code(), "Get \"{}\": {}", url, stream.error().message());
    }
    const auto status = co_await (*stream)->status();
    if (!status) {
      co_return fail(status.error().code(), "Get \"{}\": {}", url, status.error().message());
    }
    const std::string_view location = http::find_header((*stream)->headers(), "Location");
    if (is_redirect(*status) && !location.empty()) {
      url = follow(url, location);
      continue;
    }
    if (*status < 200 || *status > 299) {
      co_return fail(Code::Protocol, "got non-2XX status code {}: {}", *status, first);
    }
    co_return std::unique_ptr<http::ClientStream>(
        std::make_unique<OwnedStream>(std::move(client), std::move(*stream)));
  }
  co_return fail(Code::Protocol, "Get \"{}\": stopped after {} redirects", url, kMaxRedirects);
}

std::string url_base_name(std::string_view url) {
  const size_t authority = url.find("://") + 3;
  const size_t path = std::min(url.find_first_of("/?#", authority), url.size());
  const std::string_view raw =
      url.substr(path, std::min(url.find_first_of("?#", path), url.size()) - path);
  std::string decoded;
  for (size_t i = 0; i < raw.size(); ++i) {
    uint8_t byte = 0;
    const char* digits = raw.data() + i + 1;
    if (raw[i] == '%' && i + 2 < raw.size() &&
        std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
      decoded += static_cast<char>(byte);
      i += 2;
    } else {
      decoded += raw[i];
    }
  }
  return base_name(decoded);
}

}  // namespace ica::ctl
