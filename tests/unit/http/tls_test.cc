#include <doctest/doctest.h>
#include <filesystem>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "harness.h"

using namespace ica;
using namespace ica::http;
using namespace ica::http::testing;

namespace {

// A certificate for "localhost" that signs itself, in two files of a folder of its own.
class TestCertificate {
 public:
  TestCertificate() {
    static std::atomic<int> counter{0};
    folder_ = std::filesystem::temp_directory_path() /
              fmt::format("ica_tls_{}_{}", ::getpid(), counter++);
    std::filesystem::create_directories(folder_);
    make(1);
  }
  ~TestCertificate() { std::filesystem::remove_all(folder_); }

  TlsOptions options() const { return {folder_ / "cert.pem", folder_ / "key.pem"}; }

  void make(long serial) const {
    EVP_PKEY* key = EVP_RSA_gen(2048);
    X509* certificate = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_sign(certificate, key, EVP_sha256());
    write("key.pem", [&](FILE* file) {
      PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    });
    write("cert.pem", [&](FILE* file) { PEM_write_X509(file, certificate); });
    X509_free(certificate);
    EVP_PKEY_free(key);
  }

 private:
  template <typename Function>
  void write(const char* name, Function function) const {
    FILE* file = std::fopen((folder_ / name).c_str(), "w");
    function(file);
    std::fclose(file);
  }
  std::filesystem::path folder_;
};

// Makes a TLS connection and tells what was agreed on; empty when it failed.
struct Agreed {
  std::string version, cipher;
  long serial = 0;
};
Agreed agree(uint16_t port, int min_version, int max_version, const char* ciphers = nullptr) {
  Agreed agreed;
  RawClient client(port);
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_security_level(context, 0);
  SSL_CTX_set_min_proto_version(context, min_version);
  SSL_CTX_set_max_proto_version(context, max_version);
  if (ciphers != nullptr) {
    SSL_CTX_set_cipher_list(context, ciphers);
  }
  SSL* ssl = SSL_new(context);
  SSL_set_fd(ssl, client.fd());
  if (SSL_connect(ssl) == 1) {
    agreed.version = SSL_get_version(ssl);
    agreed.cipher = SSL_get_cipher_name(ssl);
    X509* certificate = SSL_get1_peer_certificate(ssl);
    agreed.serial = ASN1_INTEGER_get(X509_get0_serialNumber(certificate));
    X509_free(certificate);
  }
  SSL_free(ssl);
  SSL_CTX_free(context);
  ERR_clear_error();
  return agreed;
}

Task<void> echo(Request& request, ResponseWriter& writer) {
  Bytes body;
  while (true) {
    auto piece = co_await request.body->read();
    if (!piece || !*piece) {
      break;
    }
    body += **piece;
  }
  (void)co_await writer.send(200, {}, std::move(body));
}

ClientRequest post(uint16_t port, Bytes body) {
  ClientRequest request;
  request.method = "POST";
  request.url = fmt::format("https://127.0.0.1:{}/", port);
  request.body = std::move(body);
  return request;
}

}  // namespace

TEST_CASE("tls: requests, large bodies, keep-alive") {
  const TestCertificate certificate;
  TestServer server(echo, {.tls = certificate.options()});
  Client client({.verify_tls = false});
  const Bytes large(20 << 20, 'z');
  for (const Bytes& body : {Bytes("small"), large, Bytes()}) {
    const auto answer = server.loop().run(client.fetch([&] {
      ClientRequest request = post(server.port(), body);
      request.max_body = 64 << 20;
      return request;
    }()));
    REQUIRE(answer);
    CHECK(answer->body == body);
  }
  CHECK(server.server().stats().accepted == 1);
}

TEST_CASE("tls: an unknown certificate is refused unless told otherwise") {
  const TestCertificate certificate;
  TestServer server(echo, {.tls = certificate.options()});
  Client client({});
  const auto answer = server.loop().run(client.fetch(post(server.port(), "x")));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code() == Code::Unavailable);
  CHECK(answer.error().message() == "tls: failed to verify certificate");
}

TEST_CASE("tls: versions and suites are the reference's") {
  const TestCertificate certificate;
  TestServer server(echo, {.tls = certificate.options()});
  CHECK(agree(server.port(), TLS1_VERSION, TLS1_1_VERSION).version.empty());
  const Agreed v12 = agree(server.port(), TLS1_2_VERSION, TLS1_2_VERSION);
  CHECK(v12.version == "TLSv1.2");
  CHECK(v12.cipher == "ECDHE-RSA-AES256-GCM-SHA384");
  CHECK(agree(server.port(), TLS1_2_VERSION, TLS1_2_VERSION, "AES256-GCM-SHA384").cipher ==
        "AES256-GCM-SHA384");
  CHECK(agree(server.port(), TLS1_2_VERSION, TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256")
            .version.empty());
  CHECK(agree(server.port(), TLS1_2_VERSION, TLS1_3_VERSION).version == "TLSv1.3");
}

TEST_CASE("tls: certificates are read again on demand, and a broken file changes nothing") {
  const TestCertificate certificate;
  TestServer server(echo, {.tls = certificate.options()});
  CHECK(agree(server.port(), TLS1_2_VERSION, TLS1_3_VERSION).serial == 1);
  Client client({.verify_tls = false});
  REQUIRE(server.loop().run(client.fetch(post(server.port(), "kept"))));
  certificate.make(2);
  REQUIRE(server.server().reload_tls());
  CHECK(agree(server.port(), TLS1_2_VERSION, TLS1_3_VERSION).serial == 2);
  REQUIRE(server.loop().run(client.fetch(post(server.port(), "kept"))));
  std::filesystem::remove(certificate.options().key_pem_file);
  const auto reloaded = server.server().reload_tls();
  REQUIRE_FALSE(reloaded);
  CHECK(reloaded.error().message().find("key.pem") != std::string::npos);
  CHECK(agree(server.port(), TLS1_2_VERSION, TLS1_3_VERSION).serial == 2);
}

TEST_CASE("tls: plain HTTP on the port gets Go's sentence") {
  const TestCertificate certificate;
  TestServer server(echo, {.tls = certificate.options()});
  RawClient client(server.port());
  REQUIRE(client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  CHECK(client.all() ==
        "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n");
  RawClient garbage(server.port());
  REQUIRE(garbage.send(std::string(100, '\x01')));
  CHECK(garbage.closed());
}

TEST_CASE("tls: a handshake that does not come is cut") {
  const TestCertificate certificate;
  TestServer server(echo, {.read_header_timeout = 200ms, .tls = certificate.options()});
  RawClient client(server.port());
  CHECK(client.closed());
}

TEST_CASE("tls: missing files are an error that names them") {
  Loop loop;
  Server server(loop.context(),
                {.tls = TlsOptions{"/nonexistent/cert.pem", "/nonexistent/key.pem"}}, echo);
  const auto bound = server.listen("127.0.0.1", 0);
  REQUIRE_FALSE(bound);
  CHECK(bound.error().message().find("/nonexistent/cert.pem") != std::string::npos);
}
