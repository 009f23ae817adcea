//! Our signing keys through their life: made, sealed, announced, signing, retiring, forgotten.

mod error;
mod kek;
#[expect(clippy::module_inception, reason = "the keyring is what the floor is named for")]
mod keyring;
mod schedule;
mod seal;
mod signer;
mod view;

pub use self::error::KeyringError;
pub use self::kek::{KekPlace, KekSource, make_kek_file, new_kek};
pub use self::keyring::{Keyring, KeyringSettings};
pub use self::schedule::{KeyState, Schedule, ScheduleSettings};
pub use self::seal::KeyEncryptionKeys;
pub use self::signer::{SigningError, SigningPool};
pub use self::view::{KeyListing, KeyView};
