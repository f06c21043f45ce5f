#include "program/instruction.h"

#include "core/aligned.h"
#include "core/checks.h"
#include "core/table.h"

namespace dlnative {

namespace {

const Attribute* find(const Spec& spec, const std::string& name) {
  const auto it = spec.attributes.find(name);
  if (it == spec.attributes.end() || std::holds_alternative<std::monostate>(it->second))
    return nullptr;
  return &it->second;
}

[[noreturn]] void wrong_type(const Spec& spec, const std::string& name, const char* expected) {
  throw std::invalid_argument(spec.op + ": expected " + expected + " for '" + name + "'");
}

}  // namespace

bool Spec::has(const std::string& name) const {
  return find(*this, name) != nullptr;
}

bool Spec::flag(const std::string& name, bool fallback) const {
  const Attribute* a = find(*this, name);
  if (a == nullptr) return fallback;
  if (const bool* v = std::get_if<bool>(a)) return *v;
  wrong_type(*this, name, "a bool");
}

std::int64_t Spec::integer(const std::string& name, std::int64_t fallback) const {
  const Attribute* a = find(*this, name);
  if (a == nullptr) return fallback;
  if (const std::int64_t* v = std::get_if<std::int64_t>(a)) return *v;
  wrong_type(*this, name, "an integer");
}

std::uint64_t Spec::bits(const std::string& name) const {
  const Attribute* a = find(*this, name);
  if (a == nullptr) return 0;
  if (const std::uint64_t* v = std::get_if<std::uint64_t>(a)) return *v;
  if (const std::int64_t* v = std::get_if<std::int64_t>(a)) return static_cast<std::uint64_t>(*v);
  wrong_type(*this, name, "an integer of 64 bits");
}

double Spec::real(const std::string& name, double fallback) const {
  const Attribute* a = find(*this, name);
  if (a == nullptr) return fallback;
  if (const double* v = std::get_if<double>(a)) return *v;
  if (const std::int64_t* v = std::get_if<std::int64_t>(a)) return static_cast<double>(*v);
  if (const std::uint64_t* v = std::get_if<std::uint64_t>(a)) return static_cast<double>(*v);
  wrong_type(*this, name, "a number");
}

std::string Spec::text(const std::string& name, const std::string& fallback) const {
  const Attribute* a = find(*this, name);
  if (a == nullptr) return fallback;
  if (const std::string* v = std::get_if<std::string>(a)) return *v;
  wrong_type(*this, name, "a string");
}

std::vector<std::int64_t> Spec::integers(const std::string& name) const {
  const Attribute* a = find(*this, name);
  if (a == nullptr) return {};
  if (const auto* v = std::get_if<std::vector<std::int64_t>>(a)) return *v;
  if (const std::int64_t* v = std::get_if<std::int64_t>(a)) return {*v};
  wrong_type(*this, name, "a list of integers");
}

std::vector<double> Spec::reals(const std::string& name) const {
  const Attribute* a = find(*this, name);
  if (a == nullptr) return {};
  if (const auto* v = std::get_if<std::vector<double>>(a)) return *v;
  if (const auto* v = std::get_if<std::vector<std::int64_t>>(a)) return {v->begin(), v->end()};
  wrong_type(*this, name, "a list of numbers");
}

const Buffer* Spec::input(std::size_t index) const {
  if (index >= inputs.size() || inputs[index].data == nullptr) return nullptr;
  return &inputs[index];
}

void* Spec::scratch(std::size_t bytes) const {
  if (workspace.asked != nullptr) {
    *workspace.asked = bytes;
    return nullptr;
  }
  if (workspace.of_thread) return bytes > 0 ? workspace_of_thread(bytes) : nullptr;
  if (bytes > workspace.bytes)
    throw std::logic_error(op + ": the workspace is smaller than what the instruction needs");
  return bytes > 0 ? workspace.data : nullptr;
}

void Registry::add(const std::string& name, Factory factory, WorkspaceRule workspace) {
  entries_[name] = {factory, workspace};
}

const Registry::Entry& Registry::entry(const std::string& name) const {
  const auto it = entries_.find(name);
  if (it == entries_.end()) throw std::invalid_argument("no native kernel for op '" + name + "'");
  return it->second;
}

std::unique_ptr<Instruction> Registry::make(const Spec& spec) const {
  const std::int64_t before = table_bytes_of_thread();
  auto instruction = entry(spec.op).factory(spec);
  instruction->table_bytes = static_cast<std::size_t>(table_bytes_of_thread() - before);
  return instruction;
}

std::size_t Registry::workspace_bytes(const Spec& spec) const {
  const WorkspaceRule rule = entry(spec.op).workspace;
  return rule != nullptr ? rule(spec) : 0;
}

std::vector<std::string> Registry::names() const {
  std::vector<std::string> names;
  for (const auto& named : entries_) names.push_back(named.first);
  return names;
}

std::vector<std::string> Registry::names_with_workspace() const {
  std::vector<std::string> names;
  for (const auto& named : entries_) {
    if (named.second.workspace != nullptr) names.push_back(named.first);
  }
  return names;
}

std::unique_ptr<Instruction> only_where(const Buffer& condition,
                                        std::unique_ptr<Instruction> instruction) {
  struct Conditional final : Instruction {
    void run(const StepContext& context) override {
      if (*when != 0) inner->run(context);
    }
    void pack(std::int64_t version) override { inner->pack(version); }
    std::size_t packed_bytes() const override { return inner->packed_bytes(); }
    const std::uint8_t* when = nullptr;
    std::unique_ptr<Instruction> inner;
  };
  check(condition.dtype == DType::kBool && condition.size() == 1 && condition.data != nullptr,
        "expected a condition of one bool, received shape ", condition.shape, " of ",
        dtype_name(condition.dtype));
  auto result = std::make_unique<Conditional>();
  result->algorithm = instruction->algorithm;
  result->table_bytes = instruction->table_bytes;
  result->calls_python = instruction->calls_python;
  result->when = condition.as<std::uint8_t>();
  result->inner = std::move(instruction);
  return result;
}

}  // namespace dlnative
