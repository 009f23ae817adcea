//! The tables that are copied, in an order in which every row finds those that it refers to, and rows as bytes.

use crate::base::Sha256;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnKind {
    Bytes,
    Integer,
    Text,
}

use ColumnKind::{Bytes, Integer, Text};

/// One table.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// The order in which rows are read on both sides.
    pub(super) key: &'static str,
    pub(super) columns: &'static [(&'static str, ColumnKind)],
}

impl Table {
    pub(super) fn column_list(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }
}

/// ServerSettings of running servers are left behind: those servers end.
pub(super) const TABLES: [Table; 19] = [
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
            ("revoked_at", Integer),
        ],
    },
    Table { name: "rules_revisions", key: "issuer", columns: &[("issuer", Text), ("revision", Integer)] },
    Table {
        name: "users",
        key: "issuer, name",
        columns: &[
            ("issuer", Text),
            ("name", Text),
            ("revision", Integer),
            ("created_at", Integer),
            ("disabled_at", Integer),
            ("removed_at", Integer),
        ],
    },
    Table {
        name: "oidc_providers",
        key: "issuer, name",
        columns: &[
            ("issuer", Text),
            ("name", Text),
            ("spec", Text),
            ("declared", Integer),
            ("revision", Integer),
            ("created_at", Integer),
            ("removed_at", Integer),
            ("configuration", Text),
            ("jwks", Text),
            ("refreshed_at", Integer),
        ],
    },
    Table {
        name: "entitlements",
        key: "issuer, id",
        columns: &[
            ("issuer", Text),
            ("id", Text),
            ("kind", Text),
            ("name", Text),
            ("user_name", Text),
            ("provider", Text),
            ("spec", Text),
            ("place", Integer),
            ("token", Text),
            ("pinned_owner_id", Text),
            ("pinned_repository_id", Text),
            ("pin_until", Integer),
            ("revision", Integer),
            ("created_at", Integer),
            ("updated_at", Integer),
            ("removed_at", Integer),
        ],
    },
    Table {
        name: "used_tokens",
        key: "issuer, token_issuer, digest",
        columns: &[
            ("issuer", Text),
            ("token_issuer", Text),
            ("digest", Bytes),
            ("kept_until", Integer),
            ("used", Integer),
        ],
    },
    Table {
        name: "oidc_id_tokens",
        key: "issuer, id",
        columns: &[
            ("issuer", Text),
            ("id", Text),
            ("provider", Text),
            ("token_issuer", Text),
            ("digest", Bytes),
            ("entitlement", Text),
            ("user_name", Text),
            ("build_id", Text),
            ("kid", Text),
            ("header", Text),
            ("claims", Text),
            ("received_at", Integer),
            ("expires_at", Integer),
        ],
    },
    Table {
        name: "credentials",
        key: "issuer, id",
        columns: &[
            ("issuer", Text),
            ("id", Text),
            ("kind", Text),
            ("digest", Bytes),
            ("flow", Text),
            ("name", Text),
            ("subject", Text),
            ("owner", Text),
            ("scopes", Text),
            ("packages", Text),
            ("audience", Text),
            ("entitlement", Text),
            ("provider", Text),
            ("user_name", Text),
            ("build_id", Text),
            ("client_id", Text),
            ("outlives_build", Integer),
            ("id_token", Text),
            ("token_kid", Text),
            ("signed_by", Text),
            ("created_at", Integer),
            ("expires_at", Integer),
            ("revoked_at", Integer),
            ("revoked_reason", Text),
        ],
    },
    Table {
        name: "credential_entitlements",
        key: "issuer, entitlement, credential",
        columns: &[("issuer", Text), ("entitlement", Text), ("credential", Text)],
    },
    Table {
        name: "publications",
        key: "issuer, audience, ecosystem, folded, version",
        columns: &[
            ("issuer", Text),
            ("audience", Text),
            ("ecosystem", Text),
            ("folded", Text),
            ("version", Text),
            ("package", Text),
            ("digest", Text),
            ("credential", Text),
            ("client_id", Text),
            ("published_at", Integer),
        ],
    },
    Table {
        name: "events",
        key: "issuer, id",
        columns: &[
            ("issuer", Text),
            ("id", Text),
            ("at", Integer),
            ("kind", Text),
            ("flow", Text),
            ("subject", Text),
            ("detail", Text),
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
