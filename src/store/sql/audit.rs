//! Reads the audit records of ID tokens. This file never writes a record; only the transaction in `issuance.rs` does.

use super::Backend;
use super::driver::DbRow;
use super::fault::unavailable;
use super::fields::Fields;
use crate::base::{ClientId, IssuerId, Jti, Moment};
use crate::store::{Audit, AuditFilter, AuditRow, Issuance, IssuanceRefusal, Outcome, StoreError};
use async_trait::async_trait;

/// Selects the columns of the table `audit` that [`read_row`] reads.
macro_rules! audit_columns {
    () => {
        "select jti, issued_at, expires_at, build_id, client_id, request_token_id, rule, org, repo, number, step, \
         subject, audiences, alg, kid, token_sha256, peer, claims from audit"
    };
}

/// End of each statement that lists records: `$2` is the earliest time, `$3` and `$4` are the time and `jti` of the
/// record to continue after, `$5` is the limit.
macro_rules! page {
    () => {
        " and issued_at >= $2 and (issued_at > $3 or (issued_at = $3 and jti > $4)) order by issued_at, jti limit $5"
    };
}

/// Statements that list records, one for each set of conditions, so that each statement uses the index that fits.
pub(super) const LIST_ALL: &str = concat!(audit_columns!(), " where issuer = $1", page!());
pub(super) const LIST_BUILD: &str = concat!(audit_columns!(), " where issuer = $1 and build_id = $6", page!());
pub(super) const LIST_SUBJECT: &str = concat!(audit_columns!(), " where issuer = $1 and subject = $6", page!());
pub(super) const LIST_BOTH: &str =
    concat!(audit_columns!(), " where issuer = $1 and build_id = $6 and subject = $7", page!());

fn read_row(row: &DbRow) -> Result<AuditRow, StoreError> {
    let fields = Fields::of(row, "audit");
    Ok(AuditRow {
        jti: fields.parsed("jti")?,
        issued_at: fields.moment("issued_at")?,
        expires_at: fields.moment("expires_at")?,
        build_id: fields.parsed("build_id")?,
        client_id: ClientId::from_text(fields.text("client_id")?),
        request_token_id: fields.optional_parsed("request_token_id")?,
        rule: fields.optional_text("rule")?,
        org: fields.text("org")?,
        repo: fields.text("repo")?,
        number: fields.parsed("number")?,
        step: fields.optional_text("step")?,
        subject: fields.text("subject")?,
        audiences: fields.json("audiences")?,
        alg: fields.parsed("alg")?,
        kid: fields.text("kid")?,
        token_sha256: fields.digest("token_sha256")?,
        peer: fields.optional_text("peer")?,
        claims: fields.text("claims")?,
    })
}

#[async_trait]
impl Audit for Backend {
    async fn record(&self, issuer: &IssuerId, issuance: Issuance) -> Outcome<(), IssuanceRefusal> {
        let token = issuance.row.request_token_id;
        let answer = self.records().record(issuer.clone(), issuance).await?;
        if let (Err(IssuanceRefusal::NotActive), Some(token)) = (answer, token) {
            self.request_token_cache.remove_token(token);
        }
        Ok(answer)
    }

    async fn list_audit(
        &self,
        issuer: &IssuerId,
        filter: &AuditFilter,
        after: Option<(Moment, Jti)>,
        limit: u32,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let earliest = Moment::from_unix(i64::MIN);
        let (after_moment, after_jti) = match after {
            Some((moment, jti)) => (moment, jti.to_string()),
            None => (earliest, String::new()),
        };
        let statement = match (&filter.build, &filter.subject) {
            (None, None) => LIST_ALL,
            (Some(_), None) => LIST_BUILD,
            (None, Some(_)) => LIST_SUBJECT,
            (Some(_), Some(_)) => LIST_BOTH,
        };
        let mut query = sqlx::query(statement)
            .bind(issuer.as_str())
            .bind(filter.since.unwrap_or(earliest).max(after_moment).unix())
            .bind(after_moment.unix())
            .bind(after_jti)
            .bind(i64::from(limit));
        if let Some(build) = filter.build {
            query = query.bind(build.to_string());
        }
        if let Some(subject) = &filter.subject {
            query = query.bind(subject);
        }
        let rows = query.fetch_all(&self.readers).await.map_err(unavailable)?;
        rows.iter().map(read_row).collect()
    }

    async fn find_audit(&self, issuer: &IssuerId, jti: Jti) -> Result<Option<AuditRow>, StoreError> {
        let row = sqlx::query(concat!(audit_columns!(), " where issuer = $1 and jti = $2"))
            .bind(issuer.as_str())
            .bind(jti.to_string())
            .fetch_optional(&self.readers)
            .await
            .map_err(unavailable)?;
        row.as_ref().map(read_row).transpose()
    }
}
