//! What attackers try, a sentence each; the manual's list of threats follows the same order.

mod doors;
mod exchange;
pub(crate) mod forged;
mod house_itself;
mod identity;
mod keys_and_time;
mod moved;
mod other_servers;
mod replicas;
mod rows;
mod wrong_hands;
