// Package config is quell's configuration file: plain structs with defaults, and a loader that
// reports everything that is wrong with a file at once, each problem with line, column, path, the
// value and what to write instead.
//
// # From bytes to Config
//
//  1. The YAML is parsed into nodes, which know their positions. Aliases and merge keys (<<) are
//     expanded under a bound, so that a small file cannot become a large one.
//  2. Environment variables are put into scalar values. This happens after parsing: a value cannot
//     bring in YAML, and positions stay those of the file. A plain scalar takes its type from what
//     was put in, so numbers and booleans may come from the environment; a quoted one stays text.
//  3. The nodes are decoded into structs that hold the defaults. Unknown and repeated keys and
//     wrong types are problems. A key without a value (null) is as good as absent.
//  4. The sections are checked, rules and mappings compiled.
//
// # Environment
//
// ${NAME} is the variable's value and must be set; ${NAME:-default} is the default where the
// variable is unset or empty. Names are upper case ([A-Z_][A-Z0-9_]*), and anything else, such as
// the ${service} of a runbook, is left as it is. $${ stands for a literal ${. Keys are never
// touched, and neither is anything below a key named mapping: there ${...} are templates, and
// fields of an event may well have upper-case names.
//
// # Secrets
//
// Passwords and keys have the type [Secret], which every way of printing shows as <redacted>.
// Credentials inside the ClickHouse address are moved out of it.
//
// # The sample
//
// [Sample] is the complete configuration with every key and its default, checked by tests against
// the structs. Load of the sample without environment equals [Default].
package config
