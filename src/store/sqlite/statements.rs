//! Statements in SQLite's dialect; those over a whole group receive it as a JSON list.

/// Leaves the statement as it is: the transaction holds the write lock of the whole file.
macro_rules! locked {
    ($statement:expr) => {
        $statement
    };
}
pub(super) use locked;

pub(super) use locked as locked_for_update;

/// Empty: SQLite has no row locks.
pub(super) const LOCK: &[&str] = &[];

/// Version of the keys and latest time seen; the file has no clock of its own.
pub(super) const KEY_POLL: &str = "\
    select coalesce(k.version, 0) as version, k.latest_seen, null as server_millis \
    from (select 1) as one left join key_sets as k on k.issuer = ?1";

/// Finds an enabled client.
pub(super) const CLIENT_ENABLED: &str = "select id from clients where issuer = ?1 and id = ?2 and disabled_at is null";

/// Deadline of a running build of an enabled client.
pub(super) const RUNNING_UNTIL: &str = "\
    select b.deadline from builds as b join clients as c on c.issuer = b.issuer and c.id = b.client_id \
    where b.issuer = ?1 and b.id = ?2 and b.finished_at is null and b.deadline > ?3 and c.disabled_at is null";

/// No-op write of one page, used as a health check.
pub(super) const NO_OP_WRITE: &str = "pragma user_version = 0";

/// `cross join` fixes the order: the group first, then each table by its primary key.
pub(super) const READ: &str = "\
    select g.key as at, b.client_id, b.deadline, b.finished_at, b.tokens_issued, c.disabled_at, c.revision, \
           t.build_id, t.kind, t.expires_at, t.ended_at, t.max_uses, t.uses, r.issued \
    from json_each(?2) as g \
    cross join builds as b on b.issuer = ?1 and b.id = g.value ->> 0 \
    cross join clients as c on c.issuer = ?1 and c.id = b.client_id \
    left join request_tokens as t on t.issuer = ?1 and t.id = g.value ->> 1 \
    left join rule_counts as r on r.issuer = ?1 and r.build_id = b.id and r.rule = g.value ->> 2";

// An upsert onto existing rows instead of `update … from`: there the planner chooses which table to scan, and scans the
// counted one as soon as it estimates it as small; here `cross join` fixes the order.

pub(super) const COUNT_BUILDS: &str = "\
    insert into builds (issuer, id, client_id, deadline, tokens_issued) \
    select b.issuer, b.id, b.client_id, b.deadline, g.value ->> 1 \
    from json_each(?2) as g \
    cross join builds as b on b.issuer = ?1 and b.id = g.value ->> '$[0][0]' \
    where b.finished_at is null and b.deadline > g.value ->> 3 \
      and (g.value ->> 2 is null or b.tokens_issued + (g.value ->> 1) <= g.value ->> 2) \
    on conflict (issuer, id) do update set tokens_issued = tokens_issued + excluded.tokens_issued";

pub(super) const COUNT_TOKENS: &str = "\
    insert into request_tokens (issuer, id, build_id, kind, digest, step, expires_at, uses) \
    select t.issuer, t.id, t.build_id, t.kind, t.digest, t.step, t.expires_at, g.value ->> 1 \
    from json_each(?2) as g \
    cross join request_tokens as t on t.issuer = ?1 and t.id = g.value ->> '$[0][0]' \
    where t.ended_at is null and t.expires_at > g.value ->> 3 \
      and (t.max_uses is null or t.uses + (g.value ->> 1) <= t.max_uses) \
    on conflict (issuer, id) do update set uses = uses + excluded.uses";

/// Inserts a rule's count with its first token.
pub(super) const COUNT_RULES: &str = "\
    insert into rule_counts (issuer, build_id, rule, issued) \
    select ?1, g.value ->> '$[0][0]', g.value ->> '$[0][1]', g.value ->> 1 \
    from json_each(?2) as g \
    left join rule_counts as r \
      on r.issuer = ?1 and r.build_id = g.value ->> '$[0][0]' and r.rule = g.value ->> '$[0][1]' \
    where g.value ->> 2 is null or coalesce(r.issued, 0) + (g.value ->> 1) <= g.value ->> 2 \
    on conflict (issuer, build_id, rule) do update set issued = issued + excluded.issued";
