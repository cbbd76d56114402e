#include "libs/telemetry/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <mutex>
#include <set>
#include <sstream>

#include "libs/base/check.h"

namespace telemetry {
namespace {

bool IsSnakeCase(std::string_view name) {
  return !name.empty() && name[0] >= 'a' && name[0] <= 'z' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

enum class Kind { kCounter, kGauge, kHistogram };

// All label sets of one metric name.
struct Entry {
  Kind kind;
  std::string help;
  std::vector<double> bounds;  // histograms only
  void* family;                // prometheus::Family of the kind's type; owned by the prometheus registry
  std::set<prometheus::Labels> label_sets;
};

prometheus::Labels CheckedLabels(const Labels& labels) {
  prometheus::Labels checked;
  for (const auto& [name, value] : labels) {
    CHECK_MSG(IsSnakeCase(name) && name != "le", name);
    CHECK_MSG(checked.emplace(name, value).second, name);
  }
  return checked;
}

// `labels`, or the overflow set when the name already holds its maximum of others.
prometheus::Labels Bounded(Entry& entry, prometheus::Labels labels) {
  if (entry.label_sets.contains(labels)) return labels;
  if (entry.label_sets.size() >= static_cast<std::size_t>(Registry::kLabelSetsMax)) {
    for (auto& [name, value] : labels) value = "other";
    return labels;
  }
  entry.label_sets.insert(labels);
  return labels;
}

}  // namespace

void Counter::Increment(double by) const { static_cast<prometheus::Counter*>(impl_)->Increment(by); }
double Counter::Value() const { return static_cast<prometheus::Counter*>(impl_)->Value(); }
void Gauge::Set(double value) const { static_cast<prometheus::Gauge*>(impl_)->Set(value); }
void Gauge::Add(double by) const { static_cast<prometheus::Gauge*>(impl_)->Increment(by); }
double Gauge::Value() const { return static_cast<prometheus::Gauge*>(impl_)->Value(); }
void Histogram::Observe(double value) const { static_cast<prometheus::Histogram*>(impl_)->Observe(value); }

std::vector<double> LatencyBuckets() {
  return {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
}

struct Registry::Rep {
  mutable std::mutex mutex;
  prometheus::Registry registry;
  std::map<std::string, Entry, std::less<>> entries;  // protected by mutex

  std::mutex refresh_mutex;                      // held while refreshing, so that refreshes run one at a time
  std::vector<std::function<void()>> refreshes;  // protected by refresh_mutex

  template <typename Builder>
  Entry& FindOrBuild(Builder builder, Kind kind, std::string_view name, std::string_view help,
                     std::vector<double> bounds = {}) {
    CHECK_MSG(IsSnakeCase(name), name);
    const auto found = entries.find(name);
    if (found != entries.end()) {
      const Entry& entry = found->second;
      CHECK_MSG(entry.kind == kind && entry.help == help && entry.bounds == bounds, name);
      return found->second;
    }
    auto& family = builder.Name(std::string(name)).Help(std::string(help)).Register(registry);
    return entries.emplace(name, Entry{kind, std::string(help), std::move(bounds), &family, {}}).first->second;
  }
};

Registry::Registry() : rep_(std::make_unique<Rep>()) {}
Registry::~Registry() = default;

Counter Registry::AddCounter(std::string_view name, std::string_view help, const Labels& labels) {
  std::lock_guard lock(rep_->mutex);
  Entry& entry = rep_->FindOrBuild(prometheus::BuildCounter(), Kind::kCounter, name, help);
  auto* const family = static_cast<prometheus::Family<prometheus::Counter>*>(entry.family);
  return Counter(&family->Add(Bounded(entry, CheckedLabels(labels))));
}

Gauge Registry::AddGauge(std::string_view name, std::string_view help, const Labels& labels) {
  std::lock_guard lock(rep_->mutex);
  Entry& entry = rep_->FindOrBuild(prometheus::BuildGauge(), Kind::kGauge, name, help);
  auto* const family = static_cast<prometheus::Family<prometheus::Gauge>*>(entry.family);
  return Gauge(&family->Add(Bounded(entry, CheckedLabels(labels))));
}

Histogram Registry::AddHistogram(std::string_view name, std::string_view help, std::vector<double> bounds,
                                 const Labels& labels) {
  CHECK_MSG(!bounds.empty(), name);
  for (std::size_t i = 1; i < bounds.size(); ++i) CHECK_MSG(bounds[i - 1] < bounds[i], name);
  std::lock_guard lock(rep_->mutex);
  Entry& entry = rep_->FindOrBuild(prometheus::BuildHistogram(), Kind::kHistogram, name, help, std::move(bounds));
  auto* const family = static_cast<prometheus::Family<prometheus::Histogram>*>(entry.family);
  return Histogram(&family->Add(Bounded(entry, CheckedLabels(labels)), entry.bounds));
}

void Registry::AddRefresh(std::function<void()> refresh) {
  std::lock_guard lock(rep_->refresh_mutex);
  rep_->refreshes.push_back(std::move(refresh));
}

std::string Registry::ToPrometheusText() const {
  {
    std::lock_guard lock(rep_->refresh_mutex);
    for (const auto& refresh : rep_->refreshes) refresh();
  }
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, rep_->registry.Collect());
  return std::move(text).str();
}

std::vector<std::string> Registry::MetricNames() const {
  std::lock_guard lock(rep_->mutex);
  std::vector<std::string> names;
  for (const auto& [name, entry] : rep_->entries) names.push_back(name);
  return names;
}

}  // namespace telemetry
