#include "common/http/client_poller.h"

#include <algorithm>
#include <array>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/result.h"

namespace ica::http {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kEvents = 64;  // taken at once

uint32_t to_epoll(int what) {
  return (what & CURL_POLL_IN ? static_cast<uint32_t>(EPOLLIN) : 0U) |
         (what & CURL_POLL_OUT ? static_cast<uint32_t>(EPOLLOUT) : 0U);
}

int to_curl(uint32_t events) {
  return (events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
         (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
}

}  // namespace

ClientPoller::ClientPoller(CURLM* multi)
    : multi_(multi),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wakeup_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  ICA_ASSERT(epoll_ >= 0 && wakeup_ >= 0);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = wakeup_;
  ICA_ASSERT(epoll_ctl(epoll_, EPOLL_CTL_ADD, wakeup_, &event) == 0);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
}

ClientPoller::~ClientPoller() {
  close(epoll_);
  close(wakeup_);
}

int ClientPoller::on_socket(CURL* /*easy*/, curl_socket_t socket, int what, void* self,
                            void* known) {
  auto* poller = static_cast<ClientPoller*>(self);
  if (what == CURL_POLL_REMOVE || what == CURL_POLL_NONE) {
    epoll_ctl(poller->epoll_, EPOLL_CTL_DEL, socket, nullptr);
    curl_multi_assign(poller->multi_, socket, nullptr);
    return 0;
  }
  epoll_event event{};
  event.events = to_epoll(what);
  event.data.fd = socket;
  epoll_ctl(poller->epoll_, known != nullptr ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event);
  curl_multi_assign(poller->multi_, socket, poller);  // anything but null: it is watched
  return 0;
}

int ClientPoller::on_timer(CURLM* /*multi*/, long milliseconds, void* self) {
  auto* poller = static_cast<ClientPoller*>(self);
  poller->timer_.reset();
  if (milliseconds >= 0) {
    poller->timer_ = SteadyClock::now() + std::chrono::milliseconds(milliseconds);
  }
  return 0;
}

void ClientPoller::act_on_timer() {
  if (timer_ && *timer_ <= SteadyClock::now()) {
    timer_.reset();  // libcurl sets it anew when it wants another
    int running = 0;
    curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
  }
}

void ClientPoller::wait(std::chrono::milliseconds limit) {
  if (timer_) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*timer_ - SteadyClock::now());
    limit = std::clamp(left, std::chrono::milliseconds(0), limit);
  }
  std::array<epoll_event, kEvents> events;
  const int count = epoll_wait(epoll_, events.data(), kEvents, static_cast<int>(limit.count()));
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<size_t>(i)];
    if (event.data.fd == wakeup_) {
      uint64_t ignored = 0;
      (void)!read(wakeup_, &ignored, sizeof ignored);
      continue;
    }
    int running = 0;
    curl_multi_socket_action(multi_, event.data.fd, to_curl(event.events), &running);
  }
}

void ClientPoller::wake() {
  const uint64_t one = 1;
  (void)!write(wakeup_, &one, sizeof one);
}

}  // namespace ica::http
