//! Whole days, judged from outside.

mod buyer;
mod tables;
mod ticks;
