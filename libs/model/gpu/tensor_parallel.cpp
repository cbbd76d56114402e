#include "libs/model/gpu/tensor_parallel.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kernels/primitives/gpu/collectives.h"
#include "libs/base/check.h"
#include "libs/model/gpu/rank_threads.h"
#include "libs/model/gpu/shard.h"

namespace model {

namespace gpu = kernels::gpu;
using Wait = RankThreads::Wait;

namespace {

// How long the ranks may take to give back what they hold; after a failure a rank may never come back.
constexpr base::Duration kEndWithin = std::chrono::minutes(10), kEndAfterFailureWithin = std::chrono::seconds(10);

using OwnedCommunicator = DeviceOwned<gpu::Communicator*, gpu::DestroyCommunicator>;

}  // namespace

struct TensorParallelModel::Group {
  struct Rank {
    OwnedCommunicator communicator;  // after the model's graphs, which hold sums over it
    std::unique_ptr<LlamaGpuModel> model;
    std::int32_t blocks = 0;  // that fit beside everything else
    std::span<const std::int32_t> picks;
  };

  Group(std::int32_t count, std::int32_t first_ordinal)
      : ordinal(first_ordinal), ranks(static_cast<std::size_t>(count)), threads(count) {}

  // job(rank number, rank) on each rank's thread; an error names the card.
  absl::Status Run(std::function<absl::Status(std::int32_t, Rank&)> job, Wait wait) {
    return threads.Run(
        [this, job = std::move(job)](std::int32_t number) {
          const absl::Status status = job(number, ranks[static_cast<std::size_t>(number)]);
          if (status.ok()) return status;
          return absl::Status(status.code(), absl::StrCat("card ", ordinal + number, ": ", status.message()));
        },
        wait);
  }

  bool End(base::Duration within) {
    return threads.End(
        [this](std::int32_t number) {
          Rank& rank = ranks[static_cast<std::size_t>(number)];
          rank.model.reset();
          rank.communicator = OwnedCommunicator();
        },
        within);
  }

  // Copies, because a rank may still read the step when Enqueue has returned with another rank's error.
  void KeepStep(const kvcache::StepBatch& step_batch, std::span<const StepSample> step_samples) {
    batch = step_batch;
    samples.assign(step_samples.begin(), step_samples.end());
    seen.clear();
    for (const StepSample& sample : samples) seen.insert(seen.end(), sample.seen.begin(), sample.seen.end());
    std::size_t begin = 0;
    for (StepSample& sample : samples) {
      sample.seen = std::span(seen).subspan(begin, sample.seen.size());
      begin += sample.seen.size();
    }
  }

  const std::int32_t ordinal;  // of rank 0's card
  std::vector<Rank> ranks;
  kvcache::StepBatch batch;  // of the step being enqueued
  std::vector<StepSample> samples;
  std::vector<std::uint32_t> seen;
  RankThreads threads;  // last: they use the rest
};

absl::StatusOr<std::unique_ptr<GpuModel>> LoadGpuModel(const tensor::GgufFile& file, const GpuModelOptions& options) {
  if (options.tensor_parallel == 1) return LlamaGpuModel::Load(file, options);
  return TensorParallelModel::Load(file, options);
}

absl::StatusOr<std::unique_ptr<TensorParallelModel>> TensorParallelModel::Load(const tensor::GgufFile& file,
                                                                               const GpuModelOptions& options) {
  const std::int32_t ranks = options.tensor_parallel;
  if (ranks < 1 || ranks > gpu::kRanksMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor_parallel is ", ranks, ", must be in [1, ", gpu::kRanksMax, "]"));
  }
  const absl::StatusOr<DecoderConfig> config = DecoderConfig::FromGguf(file);
  if (!config.ok()) return config.status();
  const absl::StatusOr<DecoderWeights> weights = DecoderWeights::FromGguf(file, *config);
  if (!weights.ok()) return weights.status();
  if (absl::Status status = CheckSplit(*config, *weights, ranks); !status.ok()) return status;
  for (std::int32_t rank = 0; rank < ranks; ++rank) {
    const absl::Status found = LlamaGpuModel::FindDevice(options.ordinal + rank).status();
    if (!found.ok()) {
      return absl::Status(found.code(), absl::StrCat("tensor_parallel is ", ranks, ", which takes the cards ",
                                                     options.ordinal, " to ", options.ordinal + ranks - 1, "; card ",
                                                     options.ordinal + rank, ": ", found.message()));
    }
  }
  std::unique_ptr<TensorParallelModel> model(new TensorParallelModel(*config, options));
  if (absl::Status status = model->LoadRanks(file, options); !status.ok()) {
    model->lost_ = true;  // some ranks may wait for others
    return status;
  }
  return model;
}

TensorParallelModel::TensorParallelModel(const DecoderConfig& config, const GpuModelOptions& options)
    : config_(config),
      ranks_(options.tensor_parallel),
      group_(std::make_unique<Group>(options.tensor_parallel, options.ordinal)) {}

TensorParallelModel::~TensorParallelModel() {
  if (!group_->End(lost_ ? kEndAfterFailureWithin : kEndWithin)) static_cast<void>(group_.release());
}

absl::Status TensorParallelModel::LoadRanks(const tensor::GgufFile& file, const GpuModelOptions& options) {
  gpu::CommunicatorId id;
  RETURN_IF_DEVICE_ERROR(gpu::MakeCommunicatorId(&id), "joining the cards");
  Group& group = *group_;
  const std::int32_t ranks = ranks_;
  absl::Status status = group.Run(
      [id, ranks, &group](std::int32_t number, Group::Rank& rank) -> absl::Status {
        RETURN_IF_DEVICE_ERROR(gpu::SetDevice(group.ordinal + number), "choosing the device");
        gpu::Communicator* made = nullptr;
        RETURN_IF_DEVICE_ERROR(gpu::MakeCommunicator(id, number, ranks, &made), "joining the cards");
        rank.communicator = OwnedCommunicator(made);
        return absl::OkStatus();
      },
      Wait::kFirstFailure);
  if (!status.ok()) return status;

  // No rank waits for another here, and all read the file, which is the caller's: so until every one is done.
  status = group.Run(
      [&](std::int32_t number, Group::Rank& rank) {
        GpuModelOptions own = options;
        own.ordinal += number;
        own.load_threads = std::max(1, options.load_threads / ranks);
        if (number > 0) own.progress = nullptr;
        const Shard shard{.rank = number, .ranks = ranks, .communicator = rank.communicator.get()};
        auto model = LlamaGpuModel::Prepare(file, std::move(own), shard);
        if (model.ok()) rank.model = *std::move(model);
        return model.status();
      },
      Wait::kAll);
  if (!status.ok()) return status;

  status =
      group.Run([](std::int32_t, Group::Rank& rank) { return rank.model->WarmUpCollectives(); }, Wait::kFirstFailure);
  if (!status.ok()) return status;
  status = group.Run(
      [](std::int32_t, Group::Rank& rank) {
        const absl::StatusOr<std::int32_t> blocks = rank.model->ChooseBlocks();
        if (blocks.ok()) rank.blocks = *blocks;
        return blocks.status();
      },
      Wait::kAll);
  if (!status.ok()) return status;

  // A block has the same number on every card: the fullest card decides.
  std::int32_t blocks = group.ranks[0].blocks;
  for (const Group::Rank& rank : group.ranks) blocks = std::min(blocks, rank.blocks);
  status = group.Run([blocks](std::int32_t, Group::Rank& rank) { return rank.model->TakeKvPool(blocks); }, Wait::kAll);
  if (!status.ok()) return status;
  return group.Run([](std::int32_t, Group::Rank& rank) { return rank.model->WarmUp(); }, Wait::kFirstFailure);
}

const LlamaGpuModel& TensorParallelModel::first() const { return *group_->ranks[0].model; }

absl::Status TensorParallelModel::Enqueue(const kvcache::StepBatch& batch, std::span<const StepSample> samples) {
  if (lost_) return absl::InternalError("a step after the cards were lost");
  Group& group = *group_;
  group.KeepStep(batch, samples);
  const absl::Status status =
      group.Run([&group](std::int32_t, Group::Rank& rank) { return rank.model->Enqueue(group.batch, group.samples); },
                Wait::kFirstFailure);
  lost_ = !status.ok();
  return status;
}

absl::StatusOr<std::span<const std::int32_t>> TensorParallelModel::Collect() {
  if (lost_) return absl::InternalError("a step after the cards were lost");
  Group& group = *group_;
  absl::Status status = group.Run(
      [](std::int32_t, Group::Rank& rank) {
        const auto picks = rank.model->Collect();
        if (picks.ok()) rank.picks = *picks;
        return picks.status();
      },
      Wait::kFirstFailure);
  const std::span<const std::int32_t> picks = group.ranks[0].picks;
  for (std::int32_t rank = 1; rank < ranks_ && status.ok(); ++rank) {
    const std::span<const std::int32_t> others = group.ranks[static_cast<std::size_t>(rank)].picks;
    if (!std::equal(picks.begin(), picks.end(), others.begin(), others.end())) {
      status = absl::InternalError(absl::StrCat("card ", group.ordinal + rank, " picked other tokens than card ",
                                                group.ordinal, ": the cards are not alike, or one computes wrongly"));
    }
  }
  lost_ = !status.ok();
  if (lost_) return status;
  return picks;
}

absl::StatusOr<std::vector<float>> TensorParallelModel::ReadLogits(std::int32_t samples) {
  CHECK(!lost_);
  absl::StatusOr<std::vector<float>> logits;
  const absl::Status status = group_->Run(
      [&](std::int32_t number, Group::Rank& rank) {
        if (number > 0) return absl::OkStatus();
        logits = rank.model->ReadLogits(samples);
        return logits.status();
      },
      Wait::kAll);
  if (!status.ok()) return status;
  return logits;
}

}  // namespace model
