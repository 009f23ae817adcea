# One-liners over cargo; .ci/run uses the cargo commands themselves.
test:
    cargo test
lint:
    cargo fmt --check && cargo clippy --all-targets --locked -- -D warnings
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked
book:
    mdbook build
