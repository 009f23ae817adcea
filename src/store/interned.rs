//! Shares equal values between cache entries, so that each is in memory once. A value is dropped with the last entry
//! that uses it. The number of keys must not grow with dropped values.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Weak};

/// The map drops the keys of dropped values only when it holds more keys than this.
const FEW: usize = 64;

/// Values by key, each shared by several cache entries.
#[derive(Debug)]
pub(super) struct Interned<K, V> {
    values: HashMap<K, Weak<V>>,
    /// Number of keys at which the keys of dropped values are removed.
    tidy_at: usize,
}

impl<K, V> Default for Interned<K, V> {
    fn default() -> Self {
        Self { values: HashMap::new(), tidy_at: FEW }
    }
}

impl<K: Hash + Eq + Clone, V> Interned<K, V> {
    /// Returns the shared value of the key if it is the same as `value`. Otherwise returns `value`, and shares it from
    /// now on.
    pub(super) fn share(&mut self, key: &K, value: &Arc<V>, is_same: impl Fn(&V, &V) -> bool) -> Arc<V> {
        if let Some(shared) = self.values.get(key).and_then(Weak::upgrade).filter(|shared| is_same(shared, value)) {
            return shared;
        }
        if self.values.len() >= self.tidy_at {
            self.values.retain(|_, value| value.strong_count() > 0);
            self.tidy_at = FEW.max(2 * self.values.len());
        }
        self.values.insert(key.clone(), Arc::downgrade(value));
        Arc::clone(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_value_is_held_once_and_a_changed_one_replaces_it() {
        let mut interned = Interned::default();
        let share = |interned: &mut Interned<u8, String>, text: &str| {
            interned.share(&1, &Arc::new(text.to_owned()), |one, other| one == other)
        };
        let first = share(&mut interned, "a");
        assert!(Arc::ptr_eq(&first, &share(&mut interned, "a")));
        let changed = share(&mut interned, "b");
        assert_eq!((first.as_str(), changed.as_str()), ("a", "b"));
        assert!(Arc::ptr_eq(&changed, &share(&mut interned, "b")));
    }

    #[test]
    fn values_that_are_gone_take_no_place() {
        let mut interned = Interned::default();
        let kept = interned.share(&0, &Arc::new(0), |one, other| one == other);
        for n in 1..10_000 {
            drop(interned.share(&n, &Arc::new(n), |one, other| one == other));
            assert!(interned.values.len() <= FEW + 1, "{}", interned.values.len());
        }
        assert!(Arc::ptr_eq(&kept, &interned.share(&0, &Arc::new(0), |one, other| one == other)));
    }
}
