//! A key set is parsed key by key, or refused. Every accepted key has a unique `kid`.

use buildpass::jose::{JwkSet, KeySet};

pub(crate) fn run(data: &[u8]) {
    let (foreign, published) = (KeySet::read(data), JwkSet::read(data));
    assert_eq!(foreign.is_ok(), published.is_ok(), "both read the same documents");
    let (Ok(foreign), Ok((published, unusable))) = (foreign, published) else { return };
    assert!(foreign.kids().all(|kid| foreign.find(kid).is_some_and(|key| !key.algorithms().is_empty())));
    assert_eq!(foreign.len() + foreign.unusable().len(), published.keys.len() + unusable.len());
    // Keys that we publish again must parse again.
    let again = serde_json::to_vec(&published).unwrap();
    assert_eq!(JwkSet::read(&again).unwrap().0, published);
}
