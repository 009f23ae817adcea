//! Whole journeys through a server: a lost answer, a restart, a fork, a foreign client, a kill.

mod doubted_clock;
mod failing_commit;
mod foreign_client;
mod fork;
mod key_making;
mod kill_nine;
mod lost_answer;
mod replicas;
mod restart;
mod sick_database;
mod sick_file;
mod sickness;
mod takeover;
