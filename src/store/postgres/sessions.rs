//! Asks PostgreSQL which sessions hold a lock that others wait for, so that the log can name them. Ends no session.

use sqlx::PgConnection;

/// Selects the texts by which the log names sessions: process id, application, user, address and times. `unknown`
/// stands for a column that our database user may not see.
macro_rules! described {
    ($from:literal) => {
        concat!(
            "select format('pid %s (application %s, user %s, from %s, connected since %s%s)', b.pid, \
                coalesce(nullif(a.application_name, ''), 'unknown'), coalesce(a.usename, 'unknown'), \
                coalesce(host(a.client_addr), case when a.backend_start is null then 'unknown' else 'a local socket' end), \
                coalesce(to_char(a.backend_start at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), 'unknown'), \
                coalesce(to_char(a.xact_start at time zone 'UTC', '\", in a transaction since \"YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), '')) ",
            $from,
            " left join pg_stat_activity as a on a.pid = b.pid order by b.pid limit 5"
        )
    };
}

/// Returns the id of the server's process that serves this connection.
pub(super) async fn session_id(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar("select pg_backend_pid()").fetch_one(connection).await
}

/// Describes the sessions that hold the advisory lock `key` of this database.
pub(super) async fn holding(connection: &mut PgConnection, key: i64) -> Result<Vec<String>, sqlx::Error> {
    let holding = described!(
        "from (select pid from pg_locks where locktype = 'advisory' and granted and objsubid = 1 \
             and database = (select oid from pg_database where datname = current_database()) \
             and (cast(classid as bigint) << 32) | cast(objid as bigint) = $1) as b"
    );
    sqlx::query_scalar(holding).bind(key).fetch_all(connection).await
}

/// Describes the sessions that hold a lock for which `session` waits. Returns `None` if `session` itself has ended.
pub(super) async fn blocking(connection: &mut PgConnection, session: i32) -> Result<Option<Vec<String>>, sqlx::Error> {
    let lives = sqlx::query_scalar("select exists (select 1 from pg_stat_activity where pid = $1)").bind(session);
    if !lives.fetch_one(&mut *connection).await? {
        return Ok(None);
    }
    let blocking = described!("from unnest(pg_blocking_pids($1)) as b (pid)");
    sqlx::query_scalar(blocking).bind(session).fetch_all(connection).await.map(Some)
}
