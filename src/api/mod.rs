//! The daemon over HTTP: `/api/v2` with its tokens, the OpenAPI document and its page, and beside them health and
//! metrics. What a call does is one function of [`crate::engine::handle::EngineHandle`] or one query of the store; this
//! room lets people in, writes down what they did and finds the words.
//!
//! A new group of endpoints is a file with a `group!` and one line in [`GROUPS`].

mod admin;
mod carry;
mod control;
mod engine;
mod gate;
mod health;
pub mod limits;
mod orders;
mod pages;
mod positions;
pub mod problem;
pub mod read_token;
mod records;
mod reply;
pub mod route;
pub mod server;
pub mod spec;
pub mod state;
mod subscriptions;
pub mod tokens;
mod views;

use route::{Endpoint, Group};

/// Where the API begins.
pub const PREFIX: &str = "/api/v2";

/// Every group, in the order of the document.
pub const GROUPS: [fn() -> Group; 7] = [
    engine::group,
    control::group,
    positions::group,
    orders::group,
    subscriptions::group,
    records::group,
    admin::group,
];

/// Every endpoint under [`PREFIX`].
pub fn endpoints() -> Vec<Endpoint> {
    GROUPS.iter().flat_map(|group| route::endpoints(&group())).collect()
}
