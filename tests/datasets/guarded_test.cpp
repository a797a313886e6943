// Work at arm's length: what a child process sends, and what becomes of one that does not end well.
#include "datasets/files/guarded.h"

#include "datasets/files/hdf5_handle.h"
#include "framework/error.h"
#include "framework/stopped.h"
#include "tests/catch_torch.h"

#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

namespace stride {

TEST_CASE("guarded: texts of any length arrive, and so does an error that the work throws") {
  const GuardOptions options{.damaged = "it is damaged"};
  const std::string large(std::size_t{1} << 20, 'x');
  for (const std::string& text : {std::string(), std::string("+!"), std::string(1 << 16, 'y'), large})
    CHECK((guarded([&] { return text; }, options) == text));
  CHECK_THROWS_WITH(guarded([]() -> std::string { throw InputError("a.h5: no such name"); }, options),
                    "a.h5: no such name");
}

TEST_CASE("guarded: a crash, another exception and an answer that is cut are damage") {
  const GuardOptions options{.damaged = "it is damaged"};
  const auto nothing = [](const GuardReceive&) {};
  CHECK_THROWS_WITH(guarded(
                        []() -> std::string {
                          ::raise(SIGSEGV);
                          return "";
                        },
                        options),
                    "it is damaged");
  CHECK_THROWS_WITH(guarded([]() -> std::string { throw std::bad_alloc(); }, options), "it is damaged");
  const auto cut = [](const GuardSend& send) {
    send("abc", 3);
    ::raise(SIGBUS);
  };
  CHECK_THROWS_WITH(guarded_stream(cut, nothing, options), "it is damaged");
  const auto late = [](const GuardSend& send) {
    send("abc", 3);
    throw InputError("too late to be told apart from data");
  };
  CHECK_THROWS_WITH(guarded_stream(late, nothing, options), "it is damaged");
  std::string got(5, '-');
  std::size_t size = 0;
  guarded_stream([](const GuardSend& send) { send("abc", 3); },
                 [&](const GuardReceive& receive) { size = receive(got.data(), got.size()); }, options);
  CHECK(size == 3);
  CHECK(got == "abc--");
}

TEST_CASE("guarded: a signal to the group is no damage, nor is memory that runs out") {
  const GuardOptions options{.damaged = "it is damaged"};
  for (const int signal : {SIGINT, SIGTERM}) {
    const auto told = [&]() -> std::string {
      ::raise(signal);
      return "";
    };
    CHECK_THROWS_AS(guarded(told, options), Stopped);
    const auto later = [&](const GuardSend& send) {
      send("abc", 3);
      ::raise(signal);
    };
    const auto take = [](const GuardReceive& receive) {
      char all[8];
      if (receive(all, sizeof all) != sizeof all) throw InputError("too little");
    };
    CHECK_THROWS_AS(guarded_stream(later, take, options), Stopped);
  }
  // The kernel's way to end a process where memory is short.
  CHECK_THROWS_AS(guarded(
                      []() -> std::string {
                        ::raise(SIGKILL);
                        return "";
                      },
                      options),
                  ResourceError);
  // One allocation that fails is tried again, and what asks for more than anybody has is damage.
  const auto once = [tries = 0]() mutable -> std::string {
    if (tries++ == 0) throw std::bad_alloc();
    return "read";
  };
  CHECK(guarded(once, options) == "read");
  CHECK_THROWS_WITH(guarded([]() -> std::string { throw ResourceError("no memory"); }, options), "it is damaged");
  // No memory for a file of this size: 5, not damage.
  const GuardOptions large{.file_size = std::size_t{1} << 62, .damaged = "it is damaged"};
  CHECK_THROWS_AS(guarded([]() -> std::string { throw std::bad_alloc(); }, large), ResourceError);
}

TEST_CASE("guarded: a library that another thread is using is free in the child") {
  std::atomic<bool> held = false;
  std::thread other([&] {
    const std::lock_guard alone(hdf5::library_lock());
    held = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  });
  while (!held) std::this_thread::yield();
  const auto work = [] { return std::string(hdf5::library_lock().try_lock() ? "free" : "locked for ever"); };
  const std::string found = guarded(work, {.damaged = "it is damaged", .library = &hdf5::library_lock()});
  other.join();
  CHECK(found == "free");
  CHECK(hdf5::library_lock().try_lock());
  hdf5::library_lock().unlock();
}

}  // namespace stride
