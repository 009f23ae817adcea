//! Whole roads: a lost answer, a restart, a fork, a foreign judge, a kill.

mod failing_commit;
mod foreign_judge;
mod fork;
mod key_making;
mod kill_nine;
mod lost_answer;
mod replicas;
mod restart;
mod takeover;
