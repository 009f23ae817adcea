//! Records and finds publications. A package version is never recorded twice, and never with an API key that is not
//! active at that time.

use async_trait::async_trait;

use super::Backend;
use super::driver::{DbConnection, DbRow};
use super::fault::unavailable;
use super::fields::Fields;
use super::rows::insert_event;
use super::statements::locked;
use crate::base::{ClientId, IssuerId};
use crate::store::{Ecosystem, EventRow, Outcome, Publication, PublicationRefusal, Publications, StoreError};

async fn insert(
    connection: &mut DbConnection,
    issuer: &IssuerId,
    publication: &Publication,
    event: &EventRow,
) -> Outcome<(), PublicationRefusal> {
    let active: Option<i64> = sqlx::query_scalar(locked!(
        "select created_at from credentials where issuer = $1 and id = $2 and revoked_at is null and expires_at > $3"
    ))
    .bind(issuer.as_str())
    .bind(publication.credential.to_string())
    .bind(publication.published_at.unix())
    .fetch_optional(&mut *connection)
    .await
    .map_err(unavailable)?;
    if active.is_none() {
        return Ok(Err(PublicationRefusal::KeyNotActive));
    }
    let done = sqlx::query(
        "insert into publications (issuer, audience, ecosystem, folded, version, package, digest, credential, \
         client_id, published_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing",
    )
    .bind(issuer.as_str())
    .bind(&publication.audience)
    .bind(<&str>::from(publication.ecosystem))
    .bind(Publication::folded(publication.ecosystem, &publication.package))
    .bind(&publication.version)
    .bind(&publication.package)
    .bind(&publication.digest)
    .bind(publication.credential.to_string())
    .bind(publication.client.as_str())
    .bind(publication.published_at.unix())
    .execute(&mut *connection)
    .await
    .map_err(unavailable)?;
    if done.rows_affected() == 0 {
        return Ok(Err(PublicationRefusal::Exists));
    }
    insert_event(connection, issuer, event).await?;
    Ok(Ok(()))
}

fn read_publication(row: &DbRow) -> Result<Publication, StoreError> {
    let fields = Fields::of(row, "publications");
    Ok(Publication {
        audience: fields.text("audience")?,
        ecosystem: fields.parsed("ecosystem")?,
        package: fields.text("package")?,
        version: fields.text("version")?,
        digest: fields.text("digest")?,
        credential: fields.parsed("credential")?,
        client: ClientId::from_text(fields.text("client_id")?),
        published_at: fields.moment("published_at")?,
    })
}

#[async_trait]
impl Publications for Backend {
    async fn record_publication(
        &self,
        issuer: &IssuerId,
        publication: &Publication,
        event: &EventRow,
    ) -> Outcome<(), PublicationRefusal> {
        self.writer()
            .act(
                (issuer.clone(), publication.clone(), event.clone()),
                move |connection, (issuer, publication, event)| {
                    Box::pin(insert(connection, issuer, publication, event))
                },
            )
            .await
    }

    async fn find_publications(
        &self,
        issuer: &IssuerId,
        package: &str,
        version: &str,
        ecosystem: Option<Ecosystem>,
    ) -> Result<Vec<Publication>, StoreError> {
        let rows = sqlx::query(
            "select audience, ecosystem, package, version, digest, credential, client_id, published_at \
             from publications where issuer = $1 and folded in ($2, $3) and version = $4 \
             order by ecosystem, audience",
        )
        .bind(issuer.as_str())
        .bind(package)
        .bind(package.to_lowercase())
        .bind(version)
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        let all = rows.iter().map(read_publication).collect::<Result<Vec<_>, _>>()?;
        let matches = |found: &Publication| {
            ecosystem.is_none_or(|ecosystem| ecosystem == found.ecosystem)
                && Publication::folded(found.ecosystem, &found.package) == Publication::folded(found.ecosystem, package)
        };
        Ok(all.into_iter().filter(matches).collect())
    }
}
