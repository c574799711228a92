//! A program for each peer, by `listen --exec` and by a relay to `exec:`, side by side with the programs that people
//! have for that.

mod ends;
mod environment;
mod messages;
mod newcomers;
mod servers;
mod side_by_side;
