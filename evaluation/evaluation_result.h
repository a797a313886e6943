// What `stride evaluate` found out: the content of results.json and results.csv.
#pragma once

#include "datasets/metrics/intervals.h"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace stride {

/// One metric of one sampler. The interval is explained in datasets/metrics/intervals.h.
struct MetricResult {
  std::string name;                   ///< as in docs/evaluation.md: "rmse", "rmse-p95", "fd", "precision-teacher", …
  Estimate all;                       ///< of all samples together; the interval within what the metric can be
  std::vector<double> blocks;         ///< of each block of seeds by itself; empty where a block has no such value
  std::string quantisation = "none";  ///< what pixels went through before the feature network saw them
  std::string features_sha256 = "";   ///< of the feature network; empty: the metric uses none
};

/// What a set of samples cost.
struct SampleCost {
  int64_t n = 0;
  double nfe_mean = 0;
  double nfe_p95 = 0;
  int64_t nfe_max = 0;
  double model_evals_mean = 0;
  double seconds = 0;  ///< wall time in the sampler for these n samples
  int64_t peak_bytes = 0;
};

/// One sampler on one grid under one policy.
struct SamplerResult {
  std::string sampler;   ///< as make_sampler takes it
  std::string schedule;  ///< empty for a plan, which brings its grid
  std::string final;
  std::string policy = "fixed";
  int64_t steps = 0;  ///< intervals of the grid; 0: the policy chooses
  SampleCost cost;    ///< seconds: n × the median over batches of seconds per sample; peak_bytes: the largest
  std::vector<SampleCost> blocks;
  std::vector<MetricResult> metrics;
  int64_t not_finite = 0;                  ///< samples that ended with NaN or infinity
  int64_t gave_up = 0;                     ///< samples that ran out of steps or of step size, or left a step unsolved
  std::vector<double> sigmas;              ///< the grid, where all samples share one
  std::vector<std::vector<double>> paths;  ///< adaptive policies: the levels that the first samples visited
  std::vector<std::pair<int64_t, int64_t>> nfe_counts;  ///< adaptive policies: (NFE, samples that took it), ascending
  std::string plan_json;                                ///< the plan file, where it is one
  std::string policy_sha256;                            ///< of the file that the policy names; empty: none
  std::string seeds_seen;  ///< seeds of the run that the plan or policy was fitted, trained or chosen on
  std::string tag;         ///< what tells it from rows of the same label (evaluation/labels.h); not kept in files
  std::size_t part = 0;    ///< of a report of several runs: which of EvaluationResult::parts; not kept in files
  std::string strip_png;   ///< the first samples side by side, PNG bytes; empty: not images
  std::string seeds_npz;   ///< what each seed came to (evaluation/seed_values.h); empty: results of earlier versions

  [[nodiscard]] bool is_plan() const { return sampler.rfind("plan", 0) == 0; }
  [[nodiscard]] bool adaptive() const { return policy != "fixed"; }
  /// None: nullptr.
  [[nodiscard]] const MetricResult* metric(const std::string& name) const;
};

/// One of the runs that a report joins: seconds and bytes are of its machine.
struct EvaluationPart {
  std::string name;  ///< its folder
  std::string device, dtype;
  int64_t batch = 0;
  double teacher_seconds = 0;  ///< per sample
};

/// Samplers compared on one model, one set of seeds and one teacher.
struct EvaluationResult {
  std::string model;  ///< name of the card
  std::string model_sha256;
  std::vector<int64_t> shape;
  std::string seeds;  ///< as parse_seeds takes them
  int64_t n = 0;
  std::vector<int64_t> block_sizes;
  std::vector<std::string> block_seeds;  ///< of each block, as parse_seeds takes them
  std::string device, dtype;
  int64_t batch = 0;
  std::map<std::string, std::string> conditions;  ///< class, guidance, bounds and starts by name, where there are any
  std::vector<std::string> warnings;              ///< what a reader should know, a sentence each
  std::string features;                           ///< name of the feature network; empty: none
  std::string features_sha256;
  std::string quantisation = "none";  ///< rule for the pixels that it sees: "none" or "uint8"
  std::string reference;              ///< what FD is measured against; empty: nothing
  int64_t reference_n = 0;
  double reference_floor = 0;  ///< FD of n real samples to all of them; NaN: not known
  int64_t strip_columns = 0;   ///< samples in each strip
  bool complete = false;       ///< false: stopped before the last sampler
  SamplerResult teacher;
  std::vector<SamplerResult> samplers;
  std::vector<EvaluationPart> parts;  ///< of a report of several runs; not kept in files
};

/// The header of results.csv: the contract's columns.
extern const char* const kResultsCsvHeader;

/// results.csv. A row a sampler, metric and block, `block` being "all" or its number from 0; the teacher comes
/// first, without RMSE. Numbers read back bit for bit; unknown ones are empty; fields are quoted as RFC 4180 says.
[[nodiscard]] std::string to_csv(const EvaluationResult& result);

/// results.json without the images.
[[nodiscard]] std::string to_json(const EvaluationResult& result);
/// Throws InputError, naming `where`, on anything malformed.
[[nodiscard]] EvaluationResult evaluation_from_json(const std::string& text, const std::string& where);

/// File names and bytes of a result, images included, to be written into a run folder in this order: strip-teacher.png,
/// strip-000.png, seeds-000.npz, …, results.csv and, last, results.json: a sampler that it names is not measured again.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> evaluation_files(const EvaluationResult& result);
/// Reads them back. Throws InputError when the folder holds no results or something else.
[[nodiscard]] EvaluationResult load_evaluation(const std::string& folder);

}  // namespace stride
