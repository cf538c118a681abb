#include "agent/config/field.h"

namespace ica::config {
namespace {

// restapi and pinsvcapi have the same fields; S names the section in texts, M the member of Config.
#define ICA_HTTP_FIELDS(S, M)                                                                   \
  {.key = "http_listen_multiaddress",                                                           \
   .ref = ICA_REF(M.http_listen_multiaddress),                                                  \
   .meaning =                                                                                   \
       "Where the API listens, a string or a list; /unix/ paths work too. Containers need "     \
       "/ip4/0.0.0.0."},                                                                        \
      {.key = "ssl_cert_file",                                                                  \
       .ref = ICA_REF(M.ssl_cert_file),                                                         \
       .write = Write::UnlessDefault,                                                           \
       .meaning =                                                                               \
           "PEM certificate, relative to the configuration folder. With ssl_key_file it turns " \
           "TLS on. Read again on SIGHUP."},                                                    \
      {.key = "ssl_key_file",                                                                   \
       .ref = ICA_REF(M.ssl_key_file),                                                          \
       .write = Write::UnlessDefault,                                                           \
       .meaning = "PEM key of the certificate."},                                               \
      {.key = "read_timeout",                                                                   \
       .ref = ICA_REF(M.read_timeout),                                                          \
       .check = Check::NotNegative,                                                             \
       .complaint = S ".read_timeout is invalid",                                               \
       .meaning = "Limit for reading a whole request; 0: none."},                               \
      {.key = "read_header_timeout",                                                            \
       .ref = ICA_REF(M.read_header_timeout),                                                   \
       .check = Check::NotNegative,                                                             \
       .complaint = S ".read_header_timeout is invalid",                                        \
       .meaning = "Limit for reading a request's headers; the connection is closed after it."}, \
      {.key = "write_timeout",                                                                  \
       .ref = ICA_REF(M.write_timeout),                                                         \
       .check = Check::NotNegative,                                                             \
       .complaint = S ".write_timeout is invalid",                                              \
       .meaning = "Limit for a whole answer; 0: none. Cuts long listings: leave it at 0."},     \
      {.key = "idle_timeout",                                                                   \
       .ref = ICA_REF(M.idle_timeout),                                                          \
       .check = Check::NotNegative,                                                             \
       .complaint = S ".idle_timeout invalid",                                                  \
       .meaning = "A kept-alive connection is closed after this long without a request."},      \
      {.key = "max_header_bytes",                                                               \
       .ref = ICA_REF(M.max_header_bytes),                                                      \
       .check = Check::AtLeast4096,                                                             \
       .complaint = S ".max_header_bytes must be not less then 4096",                           \
       .meaning = "Bytes of a request's headers; 4096 more are tolerated."},                    \
      {.key = "libp2p_listen_multiaddress",                                                     \
       .ref = ICA_REF(M.libp2p_listen_multiaddress),                                            \
       .absent = Absent::Zero,                                                                  \
       .write = Write::UnlessDefault,                                                           \
       .meaning =                                                                               \
           "The API over libp2p, with its own id and private_key. Read and kept, not served."}, \
      {.key = "id",                                                                             \
       .ref = ICA_REF(M.id),                                                                    \
       .absent = Absent::Zero,                                                                  \
       .write = Write::UnlessDefault,                                                           \
       .meaning = "Peer ID for libp2p_listen_multiaddress."},                                   \
      {.key = "private_key",                                                                    \
       .ref = ICA_REF_AS(Base64Key, M.private_key),                                             \
       .absent = Absent::Zero,                                                                  \
       .write = Write::UnlessDefault,                                                           \
       .meaning = "Key for libp2p_listen_multiaddress.",                                        \
       .secret = true},                                                                         \
      {.key = "basic_auth_credentials",                                                         \
       .ref = ICA_REF_AS(Credentials, M.basic_auth_credentials),                                \
       .absent = Absent::Zero,                                                                  \
       .meaning =                                                                               \
           "User names and passwords; null: no authentication. In the environment "             \
           "`user:password,user2:password2`, in a file one `user:password` a line. Read "       \
           "again on SIGHUP.",                                                                  \
       .secret = true},                                                                         \
      {.key = "http_log_file",                                                                  \
       .ref = ICA_REF(M.http_log_file),                                                         \
       .absent = Absent::Zero,                                                                  \
       .meaning = "Access log; empty: the ordinary log."},                                      \
      {.key = "headers",                                                                        \
       .ref = ICA_REF(M.headers),                                                               \
       .absent = Absent::Zero,                                                                  \
       .meaning = "Further headers of every answer, a list of values each."},                   \
      {.key = "cors_allowed_origins",                                                           \
       .ref = ICA_REF(M.cors_allowed_origins),                                                  \
       .absent = Absent::Zero,                                                                  \
       .meaning = "Origins whose pages may call the API from a browser."},                      \
      {.key = "cors_allowed_methods",                                                           \
       .ref = ICA_REF(M.cors_allowed_methods),                                                  \
       .absent = Absent::Zero,                                                                  \
       .meaning = "Methods such pages may use."},                                               \
      {.key = "cors_allowed_headers",                                                           \
       .ref = ICA_REF(M.cors_allowed_headers),                                                  \
       .absent = Absent::Zero,                                                                  \
       .meaning = "Headers such pages may send; empty: the usual ones."},                       \
      {.key = "cors_exposed_headers",                                                           \
       .ref = ICA_REF(M.cors_exposed_headers),                                                  \
       .absent = Absent::Zero,                                                                  \
       .meaning = "Headers such pages may read."},                                              \
      {.key = "cors_allow_credentials",                                                         \
       .ref = ICA_REF(M.cors_allow_credentials),                                                \
       .absent = Absent::Zero,                                                                  \
       .meaning = "Whether such pages may send cookies and passwords."},                        \
  {                                                                                             \
    .key = "cors_max_age", .ref = ICA_REF(M.cors_max_age), .check = Check::NotNegative,         \
    .complaint = S ".cors_max_age is invalid",                                                  \
    .meaning =                                                                                  \
        "How long a browser may remember the permission, in whole seconds; 0: its own choice."  \
  }

constexpr Field kRest[] = {ICA_HTTP_FIELDS("restapi", rest_api)};
constexpr Field kPinSvc[] = {ICA_HTTP_FIELDS("pinsvcapi", pinsvc_api)};

Status check_http(const HttpApi& api, std::string_view section) {
  if (api.ssl_cert_file.empty() != api.ssl_key_file.empty()) {
    return fail(Code::InvalidArgument, "{}: missing TLS configuration", section);
  }
  if (api.basic_auth_credentials && api.basic_auth_credentials->empty()) {
    return fail(Code::InvalidArgument,
                "{}.basic_auth_creds should be null or have at least one entry", section);
  }
  const int parts = int{!api.id.empty()} + int{!api.private_key.empty()} +
                    int{!api.libp2p_listen_multiaddress.empty()};
  if (parts != 0 && parts != 3) {
    return fail(Code::InvalidArgument,
                "all ID, private_key and libp2p_listen_multiaddress should be set");
  }
  return {};
}

constexpr Field kProxy[] = {
    {.key = "listen_multiaddress",
     .ref = ICA_REF(ipfs_proxy.listen_multiaddress),
     .meaning = "Where the proxy listens, a string or a list."},
    {.key = "node_multiaddress",
     .ref = ICA_REF(ipfs_proxy.node_multiaddress),
     .meaning = "The Kubo behind the proxy."},
    {.key = "node_https",
     .ref = ICA_REF(ipfs_proxy.node_https),
     .write = Write::UnlessDefault,
     .meaning = "Talk TLS to Kubo."},
    {.key = "log_file",
     .ref = ICA_REF(ipfs_proxy.log_file),
     .meaning = "Access log; empty: the ordinary log."},
    {.key = "read_timeout",
     .ref = ICA_REF(ipfs_proxy.read_timeout),
     .check = Check::NotNegative,
     .complaint = "ipfsproxy.read_timeout is invalid",
     .meaning = "Limit for reading a whole request; 0: none."},
    {.key = "read_header_timeout",
     .ref = ICA_REF(ipfs_proxy.read_header_timeout),
     .check = Check::NotNegative,
     .complaint = "ipfsproxy.read_header_timeout is invalid",
     .meaning = "Limit for reading a request's headers."},
    {.key = "write_timeout",
     .ref = ICA_REF(ipfs_proxy.write_timeout),
     .check = Check::NotNegative,
     .complaint = "ipfsproxy.write_timeout is invalid",
     .meaning = "Limit for a whole answer; 0: none."},
    {.key = "idle_timeout",
     .ref = ICA_REF(ipfs_proxy.idle_timeout),
     .check = Check::NotNegative,
     .complaint = "ipfsproxy.idle_timeout invalid",
     .meaning = "A kept-alive connection is closed after this long without a request."},
    {.key = "max_header_bytes",
     .ref = ICA_REF(ipfs_proxy.max_header_bytes),
     .check = Check::AtLeast4096,
     .complaint = "ipfsproxy.max_header_size must be greater or equal to 4096",
     .meaning = "Bytes of a request's headers."},
    {.key = "extract_headers_extra",
     .ref = ICA_REF(ipfs_proxy.extract_headers_extra),
     .write = Write::UnlessDefault,
     .meaning = "Further headers of Kubo to repeat on the answers that the proxy gives itself."},
    {.key = "extract_headers_path",
     .ref = ICA_REF(ipfs_proxy.extract_headers_path),
     .write = Write::UnlessDefault,
     .check = Check::NotEmpty,
     .complaint = "ipfsproxy.extract_headers_path should not be empty",
     .meaning = "The path of Kubo's API from which the headers are learnt."},
    {.key = "extract_headers_ttl",
     .ref = ICA_REF(ipfs_proxy.extract_headers_ttl),
     .write = Write::UnlessDefault,
     .check = Check::NotNegative,
     .complaint = "ipfsproxy.extract_headers_ttl is invalid",
     .meaning = "How long they are remembered; 0: always."},
};

// As Go prints a map, the sections of a group are in the order of their names.
constexpr Section kSections[] = {
    {.group = "api",
     .key = "ipfsproxy",
     .title = "The proxy in front of Kubo's API, port 9095. Left out of the file: no proxy",
     .fields = kProxy,
     .enabled = [](Config& c) { return &c.ipfs_proxy.enabled; }},
    {.group = "api",
     .key = "pinsvcapi",
     .title = "The Pinning Services API, port 9097. Left out of the file: no such API",
     .fields = kPinSvc,
     .enabled = [](Config& c) { return &c.pinsvc_api.enabled; },
     .check = [](const Config& c) { return check_http(c.pinsvc_api, "pinsvcapi"); }},
    {.group = "api",
     .key = "restapi",
     .title = "The REST API, port 9094. Left out of the file: no REST API",
     .fields = kRest,
     .enabled = [](Config& c) { return &c.rest_api.enabled; },
     .check = [](const Config& c) { return check_http(c.rest_api, "restapi"); }},
};

}  // namespace

std::span<const Section> api_sections() {
  return kSections;
}

}  // namespace ica::config
