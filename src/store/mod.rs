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
        #[path = "../sql/declared.rs"]
        mod declared;
        #[path = "../sql/fields.rs"]
        mod fields;
        #[path = "../sql/issuance.rs"]
        mod issuance;
        #[path = "../sql/keys.rs"]
        mod keys;
        #[path = "../sql/names.rs"]
        mod names;
        #[path = "../sql/registration.rs"]
        mod registration;
        #[path = "../sql/request_tokens.rs"]
        mod request_tokens;
        #[path = "../sql/writer.rs"]
        mod writer;
    };
}
pub(crate) use sql_modules;

mod audit;
mod bearers;
mod builds;
mod clients;
pub mod copy;
mod decision;
mod error;
mod keys;
mod migrations;
mod names;
mod pending;
mod place;
#[allow(clippy::duplicate_mod, reason = "compiled once for each backend, with its own types")]
pub mod postgres;
mod request_tokens;
pub mod sqlite;

pub use self::audit::{Audit, AuditFilter, AuditRow, Issuance, IssuanceRefusal};
pub use self::builds::{
    BuildState, Builds, Finish, NewBuild, REPEAT_WITHIN, Registered, RegistrationRefusal, Rename, StoredBuild,
};
pub use self::clients::{
    ClientChange, ClientChangeKind, ClientExists, ClientSecret, Clients, DeclaredClient, Disabled, NameTaken,
    StoredClient,
};
pub use self::error::StoreError;
pub use self::keys::{
    AdoptedRow, KeyChange, KeyPulse, KeyRow, KeyRows, KeyTimes, Keys, Promise, SealedText, Still, TimeNote,
};
pub use self::migrations::MigrationReport;
pub use self::names::{BoundName, NameKind, Names};
pub use self::pending::Pending;
pub use self::place::StorePlace;
pub use self::request_tokens::{
    BuildNotRunning, NewRequestToken, RequestTokens, StoredRequestToken, TokenBearer, TokenKind,
};

/// Everything that one installation remembers, whichever backend keeps it.
#[async_trait::async_trait]
pub trait Store: Audit + Builds + Clients + Keys + Names + RequestTokens + Send + Sync + 'static {
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
