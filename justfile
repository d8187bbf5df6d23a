# List what there is to do.
default:
    @just --list

# Play the suites on an embedded PostgreSQL: `just check --engine 12 verify-ca`.
check *ARGS:
    ci/setup cargo run --bin rds-tls -- check {{ARGS}}

# Run all tests, the suites among them: `just test prefer`.
test *ARGS:
    ci/setup cargo test {{ARGS}}

# Measure: attempts a second beside pgbench, policy switch, start, memory.
bench:
    ci/setup cargo bench --package suites

# What a change must pass.
ci:
    .ci/run

# Write the throwaway certificates into a folder.
certs FOLDER:
    ci/setup cargo run --bin certs-gen -- --out {{FOLDER}}
