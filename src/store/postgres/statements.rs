//! SQL statements in PostgreSQL's dialect. A statement over a group of issued tokens receives the group as a JSON list.

/// Locks the rows that a statement reads. Until the transaction ends, no other transaction can change the rows.
macro_rules! locked {
    ($statement:expr) => {
        concat!($statement, " for share")
    };
}
pub(super) use locked;

/// Locks the rows that a statement reads and that the transaction then changes.
macro_rules! locked_for_update {
    ($statement:expr) => {
        concat!($statement, " for no key update")
    };
}
pub(super) use locked_for_update;

/// Statements that lock the rows that a group of issued tokens depends on, before the rows are read: clients, then
/// builds, then request tokens, each in the order of ids, so that two groups cannot deadlock. An insert that only
/// refers to a locked row does not wait.
pub(super) const LOCK: &[&str] = &[
    "select c.id from clients as c where c.issuer = $1 and c.id in ( \
         select b.client_id from jsonb_array_elements(cast($2 as jsonb)) as g (value) \
         join builds as b on b.issuer = $1 and b.id = g.value ->> 0) \
     order by c.id for share",
    "select b.id from builds as b where b.issuer = $1 and b.id in ( \
         select g.value ->> 0 from jsonb_array_elements(cast($2 as jsonb)) as g (value)) \
     order by b.id for no key update",
    "select t.id from request_tokens as t where t.issuer = $1 and t.id in ( \
         select g.value ->> 1 from jsonb_array_elements(cast($2 as jsonb)) as g (value)) \
     order by t.id for no key update",
];

/// Reads the version of the keys, the latest time that a server has stored, and the PostgreSQL server's clock. A
/// read-only PostgreSQL server returns no row, since its data may be old.
pub(super) const KEY_POLL: &str = "\
    select coalesce(k.version, 0) as version, k.latest_seen, \
           cast(extract(epoch from clock_timestamp()) * 1000 as bigint) as server_millis \
    from (select 1) as one left join key_sets as k on k.issuer = $1 \
    where current_setting('transaction_read_only') = 'off'";

/// Finds a client by id if the client is enabled, and locks the client until the end of the transaction.
pub(super) const CLIENT_ENABLED: &str =
    "select id from clients where issuer = $1 and id = $2 and disabled_at is null for share";

/// Finds the deadline of a build if the build runs and its client is enabled. Locks build and client until the end of
/// the transaction.
pub(super) const RUNNING_UNTIL: &str = "\
    select b.deadline from builds as b join clients as c on c.issuer = b.issuer and c.id = b.client_id \
    where b.issuer = $1 and b.id = $2 and b.finished_at is null and b.deadline > $3 and c.disabled_at is null \
    for share of c, b";

/// Writes without changing anything, to check that the database can be written.
pub(super) const NO_OP_WRITE: &str = "update key_sets set version = version where issuer = ''";

pub(super) const READ: &str = "\
    select g.at - 1 as at, b.client_id, b.deadline, b.finished_at, b.tokens_issued, c.disabled_at, c.revision, \
           t.build_id, t.kind, t.expires_at, t.ended_at, t.max_uses, t.uses, r.issued \
    from jsonb_array_elements(cast($2 as jsonb)) with ordinality as g (value, at) \
    join builds as b on b.issuer = $1 and b.id = g.value ->> 0 \
    join clients as c on c.issuer = $1 and c.id = b.client_id \
    left join request_tokens as t on t.issuer = $1 and t.id = g.value ->> 1 \
    left join rule_counts as r on r.issuer = $1 and r.build_id = b.id and r.rule = g.value ->> 2";

pub(super) const COUNT_BUILDS: &str = "\
    update builds as b set tokens_issued = b.tokens_issued + cast(g.value ->> 1 as bigint) \
    from jsonb_array_elements(cast($2 as jsonb)) as g (value) \
    where b.issuer = $1 and b.id = g.value -> 0 ->> 0 \
      and b.finished_at is null and b.deadline > cast(g.value ->> 3 as bigint) \
      and (g.value ->> 2 is null \
           or b.tokens_issued + cast(g.value ->> 1 as bigint) <= cast(g.value ->> 2 as bigint))";

pub(super) const COUNT_TOKENS: &str = "\
    update request_tokens as t set uses = t.uses + cast(g.value ->> 1 as bigint) \
    from jsonb_array_elements(cast($2 as jsonb)) as g (value) \
    where t.issuer = $1 and t.id = g.value -> 0 ->> 0 \
      and t.ended_at is null and t.expires_at > cast(g.value ->> 3 as bigint) \
      and (t.max_uses is null or t.uses + cast(g.value ->> 1 as bigint) <= t.max_uses)";

/// Adds issued tokens to the counts, of which each pair of build and rule has one. The first token of a pair inserts
/// its count.
pub(super) const COUNT_RULES: &str = "\
    insert into rule_counts (issuer, build_id, rule, issued) \
    select $1, g.value -> 0 ->> 0, g.value -> 0 ->> 1, cast(g.value ->> 1 as bigint) \
    from jsonb_array_elements(cast($2 as jsonb)) as g (value) \
    left join rule_counts as r \
      on r.issuer = $1 and r.build_id = g.value -> 0 ->> 0 and r.rule = g.value -> 0 ->> 1 \
    where g.value ->> 2 is null \
       or coalesce(r.issued, 0) + cast(g.value ->> 1 as bigint) <= cast(g.value ->> 2 as bigint) \
    on conflict (issuer, build_id, rule) do update set issued = rule_counts.issued + excluded.issued";
