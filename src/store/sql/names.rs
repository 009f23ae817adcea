//! Lists, deletes and binds names of organisations and repositories; names are bound within the transaction of a
//! registration. An id moves to another name only for a client that may act for every name that the id had.

use super::Backend;
use super::driver::DbConnection;
use super::fault::unavailable;
use super::fields::Fields;
use crate::base::{IssuerId, Moment};
use crate::claims::fold_name;
use crate::policy::Client;
use crate::store::{BoundName, NameKind, Names, Outcome, RegistrationRefusal, Rename, StoreError};
use async_trait::async_trait;

#[async_trait]
impl Names for Backend {
    async fn list_names(&self, issuer: &IssuerId) -> Result<Vec<BoundName>, StoreError> {
        let rows =
            sqlx::query("select kind, name, id, bound_at, current from names where issuer = $1 order by kind, folded")
                .bind(issuer.as_str())
                .fetch_all(&self.readers)
                .await
                .map_err(unavailable)?;
        rows.iter()
            .map(|row| {
                let fields = Fields::of(row, "names");
                Ok(BoundName {
                    kind: fields.parsed("kind")?,
                    name: fields.text("name")?,
                    id: fields.optional_text("id")?,
                    bound_at: fields.moment("bound_at")?,
                    current: fields.count("current")? != 0,
                })
            })
            .collect()
    }

    async fn release_name(&self, issuer: &IssuerId, kind: NameKind, name: &str) -> Result<bool, StoreError> {
        self.writer()
            .change((issuer.clone(), fold_name(name)), move |connection, (issuer, folded)| {
                Box::pin(async move {
                    let done = sqlx::query("delete from names where issuer = $1 and kind = $2 and folded = $3")
                        .bind(issuer.as_str())
                        .bind(<&str>::from(kind))
                        .bind(folded)
                        .execute(connection)
                        .await
                        .map_err(unavailable)?;
                    Ok(done.rows_affected() == 1)
                })
            })
            .await
    }
}

/// Changes caused by binding the names of a registration: renames, and known names that got an id.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) renames: Vec<Rename>,
    pub(super) ids_taken: Vec<(NameKind, String)>,
}

/// Name of an organisation or repository in a registration, with the id if the registration gives one.
#[derive(Debug, Clone, Copy)]
pub(super) struct RegisteredName<'a> {
    pub(super) kind: NameKind,
    pub(super) name: &'a str,
    pub(super) id: Option<&'a str>,
}

/// Binds the names of one registration to their ids, on behalf of a client.
pub(super) struct Binder<'a> {
    pub(super) connection: &'a mut DbConnection,
    pub(super) issuer: &'a IssuerId,
    pub(super) client: &'a Client,
    pub(super) now: Moment,
    pub(super) changes: Changes,
}

/// Stored binding of a name to an id.
struct Binding {
    id: Option<String>,
    current: bool,
}

impl Binder<'_> {
    /// Binds a name to an id, unless the two are bound to each other already.
    pub(super) async fn bind(&mut self, registered: RegisteredName<'_>) -> Outcome<(), RegistrationRefusal> {
        let folded = fold_name(registered.name);
        let known = self.find(registered.kind, &folded).await?;
        match (known, registered.id) {
            (Some(Binding { id: None, .. }), None) => Ok(Ok(())),
            (Some(Binding { id: Some(bound), current: true }), Some(id)) if bound == id => Ok(Ok(())),
            // The id was moved to another name in the meantime: moving the id back is a rename like any other.
            (Some(Binding { id: Some(bound), .. }), Some(id)) if bound == id => {
                self.move_id(registered, id, &folded).await
            }
            (Some(Binding { id: Some(_), .. }), _) => {
                Ok(Err(RegistrationRefusal::NameBound { kind: registered.kind, name: registered.name.to_owned() }))
            }
            (Some(Binding { id: None, .. }), Some(id)) => {
                self.changes.ids_taken.push((registered.kind, registered.name.to_owned()));
                self.move_id(registered, id, &folded).await
            }
            (None, Some(id)) => self.move_id(registered, id, &folded).await,
            (None, None) => {
                self.write(registered, &folded).await?;
                Ok(Ok(()))
            }
        }
    }

    async fn find(&mut self, kind: NameKind, folded: &str) -> Result<Option<Binding>, StoreError> {
        let row = sqlx::query("select id, current from names where issuer = $1 and kind = $2 and folded = $3")
            .bind(self.issuer.as_str())
            .bind(<&str>::from(kind))
            .bind(folded)
            .fetch_optional(&mut *self.connection)
            .await
            .map_err(unavailable)?;
        row.map(|row| {
            let fields = Fields::of(&row, "names");
            Ok(Binding { id: fields.optional_text("id")?, current: fields.count("current")? != 0 })
        })
        .transpose()
    }

    /// Makes the registered name the current name of the id, if the client may act for every other name that the id
    /// had.
    async fn move_id(
        &mut self,
        registered: RegisteredName<'_>,
        id: &str,
        folded: &str,
    ) -> Outcome<(), RegistrationRefusal> {
        let others = self.other_names(registered.kind, id, folded).await?;
        if !others.iter().all(|name| self.client.may_act_for(organization(registered.kind, name))) {
            return Ok(Err(RegistrationRefusal::IdBound { kind: registered.kind }));
        }
        if let Some(from) = others.into_iter().next() {
            sqlx::query("update names set current = 0 where issuer = $1 and kind = $2 and id = $3 and current = 1")
                .bind(self.issuer.as_str())
                .bind(<&str>::from(registered.kind))
                .bind(id)
                .execute(&mut *self.connection)
                .await
                .map_err(unavailable)?;
            let rename = Rename { kind: registered.kind, id: id.to_owned(), from, to: registered.name.to_owned() };
            self.changes.renames.push(rename);
        }
        self.write(registered, folded).await?;
        Ok(Ok(()))
    }

    /// Returns the other names of the id, the current one first.
    async fn other_names(&mut self, kind: NameKind, id: &str, folded: &str) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar(
            "select name from names where issuer = $1 and kind = $2 and id = $3 and folded <> $4 \
             order by current desc, bound_at desc, folded",
        )
        .bind(self.issuer.as_str())
        .bind(<&str>::from(kind))
        .bind(id)
        .bind(folded)
        .fetch_all(&mut *self.connection)
        .await
        .map_err(unavailable)
    }

    /// Makes the name the current name of the id. If the name is already stored for the id, its spelling and the time of
    /// its first registration stay as they are.
    async fn write(&mut self, registered: RegisteredName<'_>, folded: &str) -> Result<(), StoreError> {
        sqlx::query(
            "insert into names (issuer, kind, folded, name, id, bound_at, current) values ($1, $2, $3, $4, $5, $6, 1) \
             on conflict (issuer, kind, folded) do update set current = 1, id = excluded.id, \
             bound_at = case when names.id is not distinct from excluded.id then names.bound_at else excluded.bound_at end",
        )
        .bind(self.issuer.as_str())
        .bind(<&str>::from(registered.kind))
        .bind(folded)
        .bind(registered.name)
        .bind(registered.id)
        .bind(self.now.unix())
        .execute(&mut *self.connection)
        .await
        .map_err(unavailable)?;
        Ok(())
    }
}

/// Returns the organisation of a name. The last slash of `org/name` ends the organisation, since an organisation's name
/// may have slashes and a repository's name without the organisation has none.
fn organization(kind: NameKind, name: &str) -> &str {
    match kind {
        NameKind::Org => name,
        NameKind::Repo => name.rsplit_once('/').map_or(name, |(organization, _)| organization),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_only_in_case_are_the_same() {
        for (one, other) in [("Acme", "aCME"), ("STRASSE", "straße"), ("ΟΔΟΣ", "οδοσ"), ("ÄÖ", "äö"), ("\u{212a}", "k")]
        {
            assert_eq!(fold_name(one), fold_name(other), "{one}");
        }
        assert_ne!(fold_name("acme"), fold_name("acme-2"));
    }

    #[test]
    fn a_repository_belongs_to_everything_before_its_own_name() {
        assert_eq!(organization(NameKind::Repo, "acme/team/app"), "acme/team");
        assert_eq!(organization(NameKind::Org, "acme/team"), "acme/team");
    }
}
