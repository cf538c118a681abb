#pragma once

#include <optional>
#include <vector>

#include "agent/p2p/channel.h"
#include "common/crypto/psk.h"

namespace ica::p2p {

// The private network around a connection (facts wire.md 2.1): each side sends a nonce with its
// first bytes, in clear, and XORs everything after it with the keystream of the shared secret.
//
// What follows the nonce is always the header of multistream-select, so that both sides can tell
// a wrong secret at once: the first read fails with PermissionDenied. A listener may accept several
// secrets while they are being exchanged; it reads before it writes, and answers with the one that
// the other side uses.
class PnetChannel final : public Channel {
 public:
  enum class Role { Dialler, Listener };

  // `secrets`: kPskBytes each. A dialler uses the first one; a listener accepts any.
  PnetChannel(ChannelPtr inner, std::vector<Bytes> secrets, Role role);

  Task<Result<Bytes>> read_some(size_t limit) override;
  // As listener only after the first read.
  Task<Status> write(Bytes data) override;
  void close() override { inner_->close(); }

  // Whether the other side has proved to hold a secret of ours; and which one it uses.
  bool proven() const { return receive_.has_value(); }
  size_t secret() const { return secret_; }

 private:
  Task<Status> recognise();

  ChannelPtr inner_;
  std::vector<Bytes> secrets_;
  size_t secret_ = 0;
  std::optional<PskStream> send_;
  std::optional<PskStream> receive_;
  Bytes pending_;  // clear text that recognise() has read
};

}  // namespace ica::p2p
