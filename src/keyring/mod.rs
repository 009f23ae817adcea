//! Signing keys of our issuer, and the states that each key passes through: announced, signing, retiring, forgotten. A
//! private key is stored only sealed.

mod acts;
mod advance;
mod clock_watch;
mod error;
mod fair_queue;
mod kek;
mod key_pool;
#[expect(clippy::module_inception, reason = "the keyring is what the floor is named for")]
mod keyring;
mod own_keys;
mod plan;
mod schedule;
mod seal;
mod settings;
mod signer;
mod takeover;
mod view;

pub use self::acts::{Revocation, Switch, change_algorithms, rotate};
pub use self::clock_watch::ClockFault;
pub use self::error::{ActError, AdoptionError, KeyRefusal, KeyringError};
pub(crate) use self::kek::make_kek_file;
pub use self::kek::{KekPlace, KekSource};
pub use self::keyring::Keyring;
pub(crate) use self::own_keys::OwnKeys;
pub use self::plan::{NewKey, PlanStep, is_covered, plan};
pub use self::schedule::{KeyState, Schedule, ScheduleSettings, schedules};
pub use self::settings::{KeyringParts, KeyringSettings};
pub use self::signer::{QueueLimits, SigningError, SigningPool, WorkOf};
pub use self::takeover::{Takeover, read_former_keys};
pub use self::view::{KeyListing, KeyView};
