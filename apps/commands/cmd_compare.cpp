// stride compare: rows of run folders, paired seed by seed.
#include "apps/cli/command.h"
#include "apps/cli/outputs.h"
#include "apps/cli/sampling_options.h"
#include "evaluation/comparison/bibliography.h"
#include "evaluation/comparison/comparison_files.h"
#include "evaluation/comparison/comparison_text.h"
#include "evaluation/comparison/methods_text.h"
#include "framework/files/file.h"
#include "framework/files/printable.h"
#include "framework/stopped.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

class CompareCommand final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    const OptionValues& options = context.options();
    const std::vector<std::string>& words = context.arguments();
    if (words.empty()) throw UsageError("stride compare: name runs of `stride evaluate`, and rows of them as RUN:ROW");
    for (const auto& [option, endings] :
         {std::pair{"out", Endings{".tex", ".md", ".csv"}}, std::pair{"bibtex", Endings{".bib"}},
          std::pair{"methods", Endings{".tex", ".md"}}})
      require_ending(options, option, endings);
    ComparisonSettings settings;
    settings.metric = options.text("metric");
    if (options.has("blocks") && (settings.blocks = options.integer("blocks")) < 1)
      throw UsageError(fmt::format("--blocks {}: give a positive number", settings.blocks));
    settings.resamples = options.integer("resamples");
    settings.seed = static_cast<uint64_t>(options.integer("resampling-seed"));
    settings.training_seeds = options.flag("training-seeds");
    const RowPool pool = load_rows(words);
    const RowChoice choice = choose_rows(pool, words, options.text_or("against", ""));
    if (context.dry_run()) return context.plan(plan_of(pool, choice));
    const Comparison comparison = compare_rows(pool, choice, settings);
    warn(context, comparison.notes);
    if (context.stop()) throw Stopped();
    write(options, "out", [&](const std::string& path) {
      return path.ends_with(".tex")  ? comparison_latex(comparison)
             : path.ends_with(".md") ? comparison_markdown(comparison)
                                     : comparison_csv(comparison);
    });
    write(options, "bibtex", [&](const std::string&) { return bibtex(works_cited(pool, comparison)); });
    write(options, "methods", [&](const std::string& path) {
      return methods_text(pool, comparison, path.ends_with(".tex") ? Citing::latex : Citing::markdown);
    });
    context.print(printable(comparison_table(comparison) + "\n" + statement(comparison), Lines::kept) + "\n");
    return context.done(comparison_json(comparison));
  }

 private:
  using Endings = std::vector<std::string>;

  static void require_ending(const OptionValues& options, const std::string& option, const Endings& endings) {
    if (!options.has(option)) return;
    const std::string& path = options.text(option);
    std::string all;
    for (const std::string& ending : endings) {
      if (path.ends_with(ending)) return;
      all += (all.empty() ? "" : ", ") + ending;
    }
    throw UsageError(fmt::format("--{} {}: its name's end says what is written; give one of {}", option, path, all));
  }

  template <class Text>
  static void write(const OptionValues& options, const std::string& option, const Text& text) {
    if (!options.has(option)) return;
    const std::string& path = options.text(option);
    make_folder_of(path);
    write_file_atomic(path, text(path));
  }

  static std::vector<std::pair<std::string, std::string>> plan_of(const RowPool& pool, const RowChoice& choice) {
    std::vector<std::pair<std::string, std::string>> out;
    for (const std::size_t row : choice.baseline) out.emplace_back("baseline", row_label(pool.rows.samplers[row]));
    for (const std::size_t row : choice.rows) out.emplace_back("row", row_label(pool.rows.samplers[row]));
    return out;
  }

  CommandInfo info_{
      .name = "compare",
      .summary = "compare rows of evaluations in pairs: differences, tests, evaluations saved",
      .description =
          "Pairs rows of `stride evaluate` by their seeds and compares each with a baseline: difference with "
          "intervals, "
          "sign and permutation tests adjusted for their number, network evaluations saved at equal error. A RUN is "
          "all "
          "its rows; ROW is a row's number or words of its label. The baseline is the first row; or all that the first "
          "RUN:ROW names, of which each row meets the best of its NFE.",
      .arguments = "RUN[:ROW]...",
      .example =
          "stride compare runs/a:ipndm runs/a:dpmpp_2m --out table.tex --bibtex used.bib\n"
          "compares dpmpp_2m with ipndm at each NFE, and writes the table and BibTeX",
      .options = {{.name = "against", .value = "ROW", .help = "the baseline: ROW or RUN:ROW", .group = "Comparison"},
                  {.name = "metric",
                   .fallback = "rmse",
                   .value = "NAME",
                   .help = "what is compared; all but rmse are paired by blocks of seeds",
                   .group = "Comparison"},
                  {.name = "training-seeds",
                   .kind = ValueKind::flag,
                   .help = "rows that differ in the file of their plan or policy alone are one recipe, trained several "
                           "times",
                   .group = "Comparison"},
                  {.name = "blocks",
                   .kind = ValueKind::integer,
                   .value = "N",
                   .help = "blocks of seeds behind the jackknife (default: the first run's)",
                   .group = "Comparison"},
                  {.name = "resamples",
                   .kind = ValueKind::integer,
                   .fallback = "9999",
                   .value = "N",
                   .help = "of the bootstrap, and random ways of the permutation test",
                   .group = "Comparison"},
                  {.name = "resampling-seed",
                   .kind = ValueKind::integer,
                   .fallback = "0",
                   .value = "N",
                   .help = "of both: the same seed gives the same figures",
                   .group = "Comparison"},
                  {.name = "out",
                   .value = "FILE",
                   .help = "the table: .tex (booktabs, siunitx), .md or .csv",
                   .group = "Output",
                   .letter = 'o',
                   .writes = Writes::file},
                  {.name = "bibtex",
                   .value = "FILE.bib",
                   .help = "BibTeX of the methods used",
                   .group = "Output",
                   .writes = Writes::file},
                  {.name = "methods",
                   .value = "FILE",
                   .help = "a paragraph on how it was done: .tex or .md",
                   .group = "Output",
                   .writes = Writes::file}}};
};

}  // namespace

std::unique_ptr<Command> make_cmd_compare() { return std::make_unique<CompareCommand>(); }

}  // namespace stride
