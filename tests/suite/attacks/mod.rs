//! Attacks, one test each, in the order of the manual's list of threats.

mod exchange;
mod flows;
pub(crate) mod forged;
mod house_itself;
mod identity;
mod keys_and_time;
mod moved;
mod other_servers;
mod replicas;
mod rows;
mod wrong_hands;
