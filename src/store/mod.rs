//! What we remember: contracts by noun, backends below. One method is one transaction and one business act.
//!
//! A client that hangs up cancels nothing that writes. A time-out means *unknown*, never *not written*.

/// What both databases are told in the same words stands in `sql/`, and is compiled once for each, with that backend's
/// own types: `super::DbRow` there is SQLite's or PostgreSQL's, and no statement chooses at run time.
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
mod issuance_decision;
mod keys;
mod migrations;
mod names;
#[allow(clippy::duplicate_mod, reason = "compiled once for each backend, with its own types")]
pub mod postgres;
mod publications;
mod redemptions;
mod request_token_cache;
mod request_tokens;
mod rules;
pub mod sqlite;
mod stored_build;
mod url;

pub use self::audit::{Audit, AuditFilter, AuditRow, Issuance, IssuanceRefusal};
pub use self::builds::{Builds, NewBuild, REPEAT_WITHIN, Registered, RegistrationRefusal, Rename};
pub use self::clients::{
    ClientChange, ClientChangeKind, ClientExists, ClientSecret, Clients, DeclaredClient, Disabled, NameTaken,
    StoredClient,
};
pub use self::error::StoreError;
pub use self::events::{EventRow, Events};
pub use self::in_flight::InFlight;
pub use self::keys::{
    AdoptedRow, KeyChange, KeyPoll, KeyRow, KeyRows, KeyTimes, Keys, SealedText, ServerSettings, Still, TimeNote,
};
pub use self::migrations::MigrationReport;
pub use self::names::{BoundName, NameKind, Names};
pub use self::publications::{Ecosystem, Publication, PublicationRefusal, Publications};
pub use self::redemptions::{
    CredentialFilter, CredentialKind, IssuedStanding, NewCredential, NewIdToken, OwnToken, Redemption,
    RedemptionRefusal, Redemptions, SPENT_FOR, StoredCredential, StoredIdToken, TokenKey,
};
pub use self::request_tokens::{
    BuildNotRunning, NewRequestToken, RequestTokens, StoredRequestToken, TokenBearer, TokenKind,
};
pub use self::rules::{
    EntitlementKind, EntitlementRow, FetchedDocuments, ProviderRow, RuleChange, RuleRows, Rules, UserRow, Write,
};
pub use self::stored_build::{BuildState, Finish, StoredBuild};
pub use self::url::StoreUrl;

/// Everything that one installation remembers, whichever backend keeps it.
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
    /// Answers whether the store can be read and written now.
    ///
    /// # Errors
    /// [`StoreError`] when it can't.
    async fn check(&self) -> Result<(), StoreError>;

    /// May several servers use it at once?
    fn is_shared(&self) -> bool;

    /// Where the store is, for people: never holds a password.
    fn describe(&self) -> String;

    /// Waits for what was accepted, then closes the connections, the writer's last.
    async fn close(&self);
}
