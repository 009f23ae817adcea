//! Persistent storage: one trait for each kind of object, implemented for SQLite and PostgreSQL. Each method runs one
//! transaction.
//!
//! A client that disconnects never cancels a write. After a time-out a write may or may not have happened.

/// Declares the modules of `sql/`, which hold the statements that SQLite and PostgreSQL share. Each of the two stores
/// compiles these modules with its own types (`super::driver`), so that no statement is chosen at run time.
macro_rules! sql_modules {
    () => {
        #[path = "../sql/audit.rs"]
        mod audit;
        #[path = "../sql/builds.rs"]
        mod builds;
        #[path = "../sql/clients.rs"]
        mod clients;
        #[path = "../sql/credential_revocation.rs"]
        mod credential_revocation;
        #[path = "../sql/credentials.rs"]
        mod credentials;
        #[path = "../sql/declared.rs"]
        mod declared;
        #[path = "../sql/events.rs"]
        mod events;
        #[path = "../sql/fields.rs"]
        mod fields;
        #[path = "../sql/issuance.rs"]
        mod issuance;
        #[path = "../sql/keys.rs"]
        mod keys;
        #[path = "../sql/names.rs"]
        mod names;
        #[path = "../sql/publications.rs"]
        mod publications;
        #[path = "../sql/redeem.rs"]
        mod redeem;
        #[path = "../sql/redemptions.rs"]
        mod redemptions;
        #[path = "../sql/registration.rs"]
        mod registration;
        #[path = "../sql/request_tokens.rs"]
        mod request_tokens;
        #[path = "../sql/rows.rs"]
        mod rows;
        #[path = "../sql/rules.rs"]
        mod rules;
        #[path = "../sql/writer.rs"]
        mod writer;
    };
}
pub(crate) use sql_modules;

mod audit;
mod builds;
mod clients;
pub mod copy;
mod error;
mod events;
mod in_flight;
mod interned;
mod issuance_decision;
mod keys;
mod migrations;
mod names;
#[allow(clippy::duplicate_mod, reason = "compiled once for each backend, with its own types")]
pub mod postgres;
mod progress;
mod publications;
mod redemptions;
mod request_token_cache;
mod request_tokens;
mod revocation_reason;
mod rules;
pub mod sqlite;
mod stored_build;
mod url;
mod waits;

pub use self::audit::{Audit, AuditFilter, AuditRow, Issuance, IssuanceRefusal};
pub use self::builds::{BuildRegistration, Builds, NewBuild, REPEAT_WITHIN, RegistrationRefusal, Rename};
pub use self::clients::{
    ClientChange, ClientChangeKind, ClientExists, ClientSecret, Clients, DeclaredClient, Disabled, NameTaken,
    StoredClient,
};
pub use self::error::{Outcome, StoreError};
pub use self::events::{EventRow, Events};
pub use self::in_flight::InFlight;
pub use self::keys::{
    AdoptedRow, KeyChange, KeyPoll, KeyRow, KeyRows, KeyTimes, Keys, SealedText, ServerSettings, Still, TimeNote,
};
pub use self::migrations::MigrationReport;
pub use self::names::{BoundName, NameKind, Names};
pub use self::publications::{Ecosystem, Publication, PublicationRefusal, Publications};
pub(crate) use self::redemptions::USED_TOKEN_KEPT_FOR;
pub use self::redemptions::{
    CredentialFilter, CredentialKind, IdTokenRecord, NewCredential, NewIdToken, OwnToken, Redemption,
    RedemptionRefusal, Redemptions, RevokedToken, StoredCredential, StoredIdToken, TokenKey,
};
pub use self::request_tokens::{
    NewRequestToken, RequestTokens, StoredRequestToken, TokenBearer, TokenKind, TokenNotCreated,
};
pub use self::revocation_reason::RevocationReason;
pub use self::rules::{
    EntitlementFilter, EntitlementKind, EntitlementRow, FetchedDocuments, ProviderRow, RuleChange, RuleRows, Rules,
    UserRow, Write,
};
pub use self::stored_build::{BuildState, Finish, StoredBuild};
pub use self::url::StoreUrl;
pub use self::waits::StoreWaits;

/// Database of one installation, with all objects of its issuers.
#[async_trait::async_trait]
pub trait Store:
    Audit
    + Builds
    + Clients
    + Events
    + Keys
    + Names
    + Publications
    + RequestTokens
    + Rules
    + Redemptions
    + Send
    + Sync
    + 'static
{
    /// Checks that the store can be read and written.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read or written.
    async fn check(&self) -> Result<(), StoreError>;

    /// Returns whether several servers may use the store at once.
    fn is_shared(&self) -> bool;

    /// Returns the location of the store for display, without a password.
    fn describe(&self) -> String;

    /// Waits until all accepted writes are done, then closes the connections, the writing connection last.
    async fn close(&self);
}
