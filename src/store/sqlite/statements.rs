//! SQL statements in SQLite's dialect. A statement over a group of issued tokens receives the group as a JSON list.

/// Locks the rows that a statement reads, in PostgreSQL. In SQLite leaves the statement as it is, since the transaction
/// holds the write lock of the whole file.
macro_rules! locked {
    ($statement:expr) => {
        $statement
    };
}
pub(super) use locked;

pub(super) use locked as locked_for_update;

/// Statements that lock a group's rows before the rows are read: none, since SQLite has no row locks.
pub(super) const LOCK: &[&str] = &[];

/// Reads the version of the keys and the latest time that a server has stored; the clock is null, since a file has
/// none.
pub(super) const KEY_POLL: &str = "\
    select coalesce(k.version, 0) as version, k.latest_seen, null as server_millis \
    from (select 1) as one left join key_sets as k on k.issuer = ?1";

/// Finds a client by id if the client is enabled.
pub(super) const CLIENT_ENABLED: &str = "select id from clients where issuer = ?1 and id = ?2 and disabled_at is null";

/// Finds the deadline of a build if the build runs and its client is enabled.
pub(super) const RUNNING_UNTIL: &str = "\
    select b.deadline from builds as b join clients as c on c.issuer = b.issuer and c.id = b.client_id \
    where b.issuer = ?1 and b.id = ?2 and b.finished_at is null and b.deadline > ?3 and c.disabled_at is null";

/// Writes one page without changing anything, to check that the file can be written.
pub(super) const NO_OP_WRITE: &str = "pragma user_version = 0";

/// Reads the state that each token of a group depends on. `cross join` fixes the order of the plan: the group first,
/// then each table by its primary key.
pub(super) const READ: &str = "\
    select g.key as at, b.client_id, b.deadline, b.finished_at, b.tokens_issued, c.disabled_at, c.revision, \
           t.build_id, t.kind, t.expires_at, t.ended_at, t.max_uses, t.uses, r.issued \
    from json_each(?2) as g \
    cross join builds as b on b.issuer = ?1 and b.id = g.value ->> 0 \
    cross join clients as c on c.issuer = ?1 and c.id = b.client_id \
    left join request_tokens as t on t.issuer = ?1 and t.id = g.value ->> 1 \
    left join rule_counts as r on r.issuer = ?1 and r.build_id = b.id and r.rule = g.value ->> 2";

// The counting statements below are upserts onto existing rows, since `cross join` fixes the order of their plans. In
// an `update … from` the planner chooses the table to scan, and would scan the counted table if it took it for small.

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

/// Adds issued tokens to the counts, of which each pair of build and rule has one. The first token of a pair inserts
/// its count.
pub(super) const COUNT_RULES: &str = "\
    insert into rule_counts (issuer, build_id, rule, issued) \
    select ?1, g.value ->> '$[0][0]', g.value ->> '$[0][1]', g.value ->> 1 \
    from json_each(?2) as g \
    left join rule_counts as r \
      on r.issuer = ?1 and r.build_id = g.value ->> '$[0][0]' and r.rule = g.value ->> '$[0][1]' \
    where g.value ->> 2 is null or coalesce(r.issued, 0) + (g.value ->> 1) <= g.value ->> 2 \
    on conflict (issuer, build_id, rule) do update set issued = issued + excluded.issued";
