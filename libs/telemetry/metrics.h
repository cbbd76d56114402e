#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace telemetry {

// Counters, gauges and histograms of one process, exported in the Prometheus text format at /metrics.
// Naming: <service>_<noun>_<unit>[_total]; base units; labels have a bounded set of values, never a user's id.
//
// A service declares its metrics once, in a plain struct in its metrics.h, built from a Registry; handles are cheap
// references that live as long as the registry.
// Threading: everything is safe from any thread. Counters and gauges are lock-free; a histogram takes a mutex of its
// own
//            for tens of nanoseconds.
class Counter {
 public:
  void Increment(double by = 1) const;
  double Value() const;
  explicit Counter(void* impl) : impl_(impl) {}

 private:
  void* impl_;
};

class Gauge {
 public:
  void Set(double value) const;
  void Add(double by) const;
  double Value() const;
  explicit Gauge(void* impl) : impl_(impl) {}

 private:
  void* impl_;
};

class Histogram {
 public:
  void Observe(double value) const;
  explicit Histogram(void* impl) : impl_(impl) {}

 private:
  void* impl_;
};

using Labels = std::vector<std::pair<std::string, std::string>>;

// Bucket bounds in seconds: 1 ms to 60 s, for anything a user waits for. Steps of 2 to 2.5.
std::vector<double> LatencyBuckets();

class Registry {
 public:
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // The same (name, labels) gives the same metric. A bug (CHECK): a name or label name that is not snake_case, a name
  // that was used for another type or with another help, bounds that do not rise.
  //
  // A name holds at most kLabelSetsMax label sets. Further ones all give one metric whose label values are "other":
  // a label whose values turn out not to be bounded then costs accuracy, never memory.
  Counter AddCounter(std::string_view name, std::string_view help, const Labels& labels = {});
  Gauge AddGauge(std::string_view name, std::string_view help, const Labels& labels = {});
  Histogram AddHistogram(std::string_view name, std::string_view help, std::vector<double> bounds,
                         const Labels& labels = {});

  // `refresh` runs before each export, on the exporting thread, one export at a time: for values that are read, not
  // pushed. It must not export.
  void AddRefresh(std::function<void()> refresh);

  std::string ToPrometheusText() const;          // content type: text/plain; version=0.0.4
  std::vector<std::string> MetricNames() const;  // sorted; compared with tests/golden/metrics/<service>.txt

  static constexpr int kLabelSetsMax = 256;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace telemetry
