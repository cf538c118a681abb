#pragma once

#include <string>
#include <vector>

#include "agent/p2p/host_core.h"

namespace ica::p2p {

// A Stream on a connection of a Host. Its methods may be called from coroutines anywhere: off the
// connection's strand they cross over and back.
class HostStream final : public Stream, public std::enable_shared_from_this<HostStream> {
 public:
  HostStream(CorePtr core, ConnectionPtr connection, yamux::YamuxStreamPtr raw, bool inbound);
  ~HostStream() override;

  Task<Result<Bytes>> read_some(size_t limit) override;
  Task<Status> write(Bytes data) override;
  Task<Status> close_write() override;
  void reset() override;
  void set_deadline(std::chrono::steady_clock::time_point at) override;
  const PeerId& peer() const override { return connection_->peer; }
  const std::string& protocol() const override { return protocol_; }
  Executor executor() const override { return connection_->strand; }

  const ConnectionPtr& connection() const { return connection_; }
  // For negotiation, before the stream is handed out. On the strand.
  BufferedChannel& channel() { return channel_; }
  const yamux::YamuxStreamPtr& raw() const { return raw_; }
  void agreed(std::string protocol);
  // The protocol has been proposed and its answer not been read: that happens with the first read.
  void proposed(std::string protocol);

 private:
  std::atomic<int64_t>& open_streams() const;  // of our direction
  Task<bool> elsewhere() const;
  static Task<Result<Bytes>> read_here(std::shared_ptr<HostStream> self, size_t limit);
  static Task<Status> write_here(std::shared_ptr<HostStream> self, Bytes data);
  static Task<Status> close_here(std::shared_ptr<HostStream> self);

  CorePtr core_;
  ConnectionPtr connection_;
  yamux::YamuxStreamPtr raw_;
  BufferedChannel channel_;
  std::string protocol_;
  std::shared_ptr<Traffic> traffic_;
  const bool inbound_;
  bool answer_pending_ = false;
};

}  // namespace ica::p2p
