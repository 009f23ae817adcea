//! Queue whose keys take turns, so that many items of one key do not delay another key's items. A key says whose item
//! it is, such as a build. Holds no thread, lock or clock. The queue must never grow beyond its bounds.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Waiting items, each with a key that says whose item it is. The keys take turns; the items of one key stay in order.
#[derive(Debug)]
pub(super) struct FairQueue<K, T> {
    waiting: HashMap<K, VecDeque<T>>,
    /// The keys of `waiting`, in the order of their next turns.
    turns: VecDeque<K>,
    count: usize,
    most: usize,
    most_of_key: usize,
}

impl<K: Hash + Eq + Clone, T> FairQueue<K, T> {
    /// Creates a queue of at most `most` items in all and `most_of_key` items of one key.
    pub(super) fn new(most: usize, most_of_key: usize) -> Self {
        Self { waiting: HashMap::new(), turns: VecDeque::new(), count: 0, most, most_of_key }
    }

    /// Adds an item behind the other items of its key. Returns whether there was room.
    pub(super) fn push(&mut self, key: &K, item: T) -> bool {
        if self.is_full_for(key) {
            return false;
        }
        self.waiting.entry(key.clone()).or_insert_with(|| {
            self.turns.push_back(key.clone());
            VecDeque::new()
        });
        if let Some(items) = self.waiting.get_mut(key) {
            items.push_back(item);
            self.count += 1;
        }
        true
    }

    /// Returns whether there is no room for an item of this key.
    pub(super) fn is_full_for(&self, key: &K) -> bool {
        self.count >= self.most || self.waiting.get(key).is_some_and(|items| items.len() >= self.most_of_key)
    }

    /// Removes and returns the next item: the oldest item of the key whose turn it is.
    pub(super) fn pop(&mut self) -> Option<T> {
        let key = self.turns.pop_front()?;
        let items = self.waiting.get_mut(&key)?;
        let item = items.pop_front();
        self.count -= usize::from(item.is_some());
        if items.is_empty() {
            self.waiting.remove(&key);
        } else {
            self.turns.push_back(key);
        }
        item
    }

    /// Drops every item for which `keep` returns false.
    pub(super) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        self.waiting.retain(|_, items| {
            items.retain(&keep);
            !items.is_empty()
        });
        self.turns.retain(|key| self.waiting.contains_key(key));
        self.count = self.waiting.values().map(VecDeque::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a test does with the queue: push an item of a key, pop, or drop the items that a divisor divides.
    #[derive(Debug, Clone)]
    enum Act {
        Push(u8),
        Pop,
        Drop(usize),
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let act =
            prop_oneof![6 => (0..5_u8).prop_map(Act::Push), 4 => Just(Act::Pop), 1 => (2..5_usize).prop_map(Act::Drop)];
        prop::collection::vec(act, 0..120)
    }

    const MOST: usize = 20;
    const MOST_OF_KEY: usize = 8;

    proptest! {
        #[test]
        fn items_leave_in_order_within_their_key_and_none_is_lost(acts in acts()) {
            let mut queue = FairQueue::new(MOST, MOST_OF_KEY);
            let mut model: HashMap<u8, VecDeque<usize>> = HashMap::new();
            for (n, act) in acts.into_iter().enumerate() {
                match act {
                    Act::Push(key) => {
                        let count: usize = model.values().map(VecDeque::len).sum();
                        let items = model.entry(key).or_default();
                        let has_room = count < MOST && items.len() < MOST_OF_KEY;
                        prop_assert_eq!(queue.push(&key, (key, n)), has_room);
                        if has_room {
                            items.push_back(n);
                        }
                    }
                    Act::Pop => match queue.pop() {
                        Some((key, n)) => prop_assert_eq!(model.get_mut(&key).and_then(VecDeque::pop_front), Some(n)),
                        None => prop_assert!(model.values().all(VecDeque::is_empty)),
                    },
                    Act::Drop(divisor) => {
                        queue.retain(|(_, n)| n % divisor != 0);
                        model.values_mut().for_each(|items| items.retain(|n| n % divisor != 0));
                    }
                }
                prop_assert_eq!(queue.turns.len(), queue.waiting.len());
            }
        }

        #[test]
        fn no_key_waits_for_more_than_one_item_of_each_other_key(acts in acts(), key in 0..5_u8) {
            let mut queue = FairQueue::new(usize::MAX, usize::MAX);
            for act in acts {
                match act {
                    Act::Push(other) => prop_assert!(queue.push(&other, other)),
                    Act::Pop | Act::Drop(_) => drop(queue.pop()),
                }
            }
            // Whatever the others have queued, an item of an idle key is served within one round.
            queue.retain(|other| *other != key);
            let others = queue.waiting.len();
            prop_assert!(queue.push(&key, key));
            let before = std::iter::from_fn(|| queue.pop()).take_while(|popped| *popped != key).count();
            prop_assert!(before <= others, "{before} items of {others} other keys");
        }
    }
}
