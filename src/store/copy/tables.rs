//! The tables that are copied, in an order in which every row finds those that it refers to, and rows as bytes.

use crate::base::Sha256;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bytes,
    Integer,
    Text,
}

use Kind::{Bytes, Integer, Text};

/// One table.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// The order in which rows are read on both sides.
    pub(super) key: &'static str,
    pub(super) columns: &'static [(&'static str, Kind)],
}

impl Table {
    pub(super) fn column_list(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }
}

/// Promises of running servers are left behind: those servers end.
pub(super) const TABLES: [Table; 9] = [
    Table {
        name: "clients",
        key: "issuer, id",
        columns: &[
            ("issuer", Text),
            ("id", Text),
            ("name", Text),
            ("scopes", Text),
            ("organizations", Text),
            ("audiences", Text),
            ("ids", Text),
            ("secret", Bytes),
            ("previous_secret", Bytes),
            ("previous_until", Integer),
            ("created_at", Integer),
            ("disabled_at", Integer),
            ("declared", Integer),
            ("revision", Integer),
            ("provider", Text),
            ("subject", Text),
        ],
    },
    Table {
        name: "registrations",
        key: "issuer, build_id",
        columns: &[
            ("issuer", Text),
            ("build_id", Text),
            ("client_id", Text),
            ("key", Text),
            ("body", Bytes),
            ("build", Text),
            ("audiences", Text),
            ("registered_at", Integer),
        ],
    },
    Table {
        name: "builds",
        key: "issuer, id",
        columns: &[
            ("issuer", Text),
            ("id", Text),
            ("client_id", Text),
            ("deadline", Integer),
            ("finished_at", Integer),
            ("status", Text),
            ("tokens_issued", Integer),
        ],
    },
    Table {
        name: "request_tokens",
        key: "issuer, id",
        columns: &[
            ("issuer", Text),
            ("id", Text),
            ("build_id", Text),
            ("kind", Text),
            ("digest", Bytes),
            ("step", Text),
            ("audiences", Text),
            ("expires_at", Integer),
            ("ended_at", Integer),
            ("max_uses", Integer),
            ("uses", Integer),
        ],
    },
    Table {
        name: "rule_counts",
        key: "issuer, build_id, rule",
        columns: &[("issuer", Text), ("build_id", Text), ("rule", Text), ("issued", Integer)],
    },
    Table {
        name: "names",
        key: "issuer, kind, folded",
        columns: &[
            ("issuer", Text),
            ("kind", Text),
            ("folded", Text),
            ("name", Text),
            ("id", Text),
            ("bound_at", Integer),
            ("current", Integer),
        ],
    },
    Table {
        name: "key_sets",
        key: "issuer",
        columns: &[
            ("issuer", Text),
            ("version", Integer),
            ("algorithms", Text),
            ("latest_seen", Integer),
            ("erasable_before", Integer),
            ("takeover", Bytes),
            ("takeover_kek", Text),
        ],
    },
    Table {
        name: "signing_keys",
        key: "issuer, kid",
        columns: &[
            ("issuer", Text),
            ("kid", Text),
            ("alg", Text),
            ("sealed", Bytes),
            ("kek", Text),
            ("announced_at", Integer),
            ("signs_from", Integer),
            ("ends_at", Integer),
            ("revoked_at", Integer),
            ("revoked_reason", Text),
            ("jwks_max_age", Integer),
            ("max_lifetime", Integer),
        ],
    },
    Table {
        name: "audit",
        key: "issuer, jti",
        columns: &[
            ("issuer", Text),
            ("jti", Text),
            ("issued_at", Integer),
            ("expires_at", Integer),
            ("build_id", Text),
            ("client_id", Text),
            ("request_token_id", Text),
            ("rule", Text),
            ("org", Text),
            ("repo", Text),
            ("number", Text),
            ("step", Text),
            ("subject", Text),
            ("audiences", Text),
            ("alg", Text),
            ("kid", Text),
            ("token_sha256", Bytes),
            ("peer", Text),
            ("claims", Text),
        ],
    },
];

/// A value as either side gave it.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Bytes(Option<Vec<u8>>),
    Integer(Option<i64>),
    Text(Option<String>),
}

impl Value {
    /// Length first, so that no two rows have one reading.
    fn encode(&self, into: &mut Vec<u8>) {
        let bytes = match self {
            Self::Bytes(value) => value.clone(),
            Self::Integer(value) => value.map(|value| value.to_be_bytes().to_vec()),
            Self::Text(value) => value.as_ref().map(|value| value.as_bytes().to_vec()),
        };
        match bytes {
            None => into.extend((-1_i64).to_be_bytes()),
            Some(bytes) => {
                into.extend(i64::try_from(bytes.len()).unwrap_or(i64::MAX).to_be_bytes());
                into.extend(bytes);
            }
        }
    }
}

/// Counts rows, and makes one digest of them in their order.
#[derive(Default)]
pub(super) struct Tally {
    rows: u64,
    /// Of all rows so far.
    chain: Vec<u8>,
}

impl Tally {
    pub(super) fn take(&mut self, row: &[Value]) {
        self.rows += 1;
        let mut bytes = std::mem::take(&mut self.chain);
        row.iter().for_each(|value| value.encode(&mut bytes));
        self.chain = Sha256::of(&bytes).as_bytes().to_vec();
    }

    pub(super) fn finish(self) -> (u64, Sha256) {
        (self.rows, Sha256::of(&self.chain))
    }
}
