//! Creates the key source of a provider from the provider's configuration. No code in this file fetches a key set.

use std::sync::Arc;

use super::{FetchError, FixedKeys, KeyOrigin, KeySource, Provider, RemoteKeys, Resolver};
use crate::base::Clock;

impl Provider {
    /// Creates the source of the provider's keys. Fetches nothing yet.
    ///
    /// # Errors
    /// [`FetchError`] if the configured key set is unusable, if a file for the connection cannot be read, or if the
    /// provider is our own issuer.
    pub fn source(
        &self,
        clock: &Arc<dyn Clock>,
        resolver: &Arc<dyn Resolver>,
    ) -> Result<Arc<dyn KeySource>, FetchError> {
        match &self.keys {
            KeyOrigin::Inline(document) => Ok(Arc::new(FixedKeys::read(document.as_bytes())?)),
            KeyOrigin::Own => Err(FetchError::Client("the keys of our own issuer are not fetched".to_owned())),
            KeyOrigin::Discovery | KeyOrigin::Uri(_) | KeyOrigin::File(_) => {
                Ok(Arc::new(RemoteKeys::new(self, Arc::clone(clock), Arc::clone(resolver))?))
            }
        }
    }
}
