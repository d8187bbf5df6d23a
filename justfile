# List what there is to do.
default:
    @just --list

# Play the suites: `just check --engine 12 verify-ca`.
check *ARGS:
    ci/setup cargo run --bin rds-tls -- check {{ARGS}}

# Check which statements of the RDS document hold: `just claims --engine all`.
claims *ARGS:
    ci/setup cargo run --bin rds-tls -- claims {{ARGS}}

# Build container images from Debian's packages, where no registry is reached.
images *VERSIONS:
    ci/docker ci/offline-image {{VERSIONS}}

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
