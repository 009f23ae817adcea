//! From a provider to the source of its keys. Fetches nothing.

use std::sync::Arc;

use super::{FetchError, FixedKeys, KeyOrigin, KeySource, Provider, RemoteKeys, Resolver};
use crate::base::Clock;

impl Provider {
    /// A source of its keys, from where it says that they are. Fetches nothing yet.
    ///
    /// # Errors
    /// [`FetchError`] where keys that are written down can't be used, or a connection can't be made.
    pub fn source(
        &self,
        clock: &Arc<dyn Clock>,
        resolver: &Arc<dyn Resolver>,
    ) -> Result<Arc<dyn KeySource>, FetchError> {
        match &self.keys {
            KeyOrigin::Inline(document) => Ok(Arc::new(FixedKeys::read(document.as_bytes())?)),
            KeyOrigin::Own => Err(FetchError::Client("our own keys are not fetched".to_owned())),
            KeyOrigin::Discovery | KeyOrigin::Uri(_) | KeyOrigin::File(_) => {
                Ok(Arc::new(RemoteKeys::new(self, Arc::clone(clock), Arc::clone(resolver))?))
            }
        }
    }
}
