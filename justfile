# One-liners over cargo; .ci/run uses the cargo commands themselves.
test:
    cargo test
lint:
    cargo fmt --check && cargo clippy --all-targets --locked -- -D warnings
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked
book:
    mdbook build
# The first step of a release: no clock can be before the date that this writes. Commit the change, then tag.
release-date:
    sed -i "s/^const RELEASED_AT: i64 = .*;/const RELEASED_AT: i64 = $(date -u -d 'today 00:00' +%s | sed ':a; s/\([0-9]\)\([0-9]\{3\}\)\($\|_\)/\1_\2\3/; ta');/" src/base/release.rs
# A table of what strangers can do to others; half an hour, on a machine that does nothing else. NAME picks cases.
hostile *NAME:
    cargo test --profile dist --test hostile -- measure {{NAME}}
