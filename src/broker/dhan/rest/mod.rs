//! Dhan's REST API: wire types in both directions, every error classified once, a client that reads again but never
//! writes twice.
//!
//! | files | what |
//! |---|---|
//! | `scalar`, `words`, `times`, `rows` | how Dhan writes numbers, closed sets, times and lists |
//! | `orders`, `order_book`, `trades`, `super_orders`, `positions`, `funds`, `controls`, `account` | the account |
//! | `quotes`, `candles`, `option_chain`, `instruments` | the market |
//! | `error` | every way of saying no |
//! | `endpoints`, `transport`, `budget`, `budget_log`, `client`, `books`, `data`, `desk` | the client: reads in `books` and `data`, writes in `desk` |
//! | `token` | where the token comes from, when it ends, how it is replaced |

pub mod account;
pub mod books;
pub mod budget;
pub mod budget_log;
pub mod candles;
pub mod client;
pub mod controls;
pub mod data;
pub mod desk;
pub mod endpoints;
pub mod error;
pub mod funds;
pub mod instruments;
pub mod option_chain;
pub mod order_book;
pub mod orders;
pub mod positions;
pub mod quotes;
pub mod rows;
pub mod scalar;
pub mod super_orders;
pub mod times;
pub mod token;
pub mod trades;
pub mod transport;
pub mod words;

/// `../shared/data/NAME` beside the repository, when it is there; says so when it is not.
#[cfg(test)]
fn test_data(name: &str) -> Option<std::path::PathBuf> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: ../shared/data/{name} not present");
    None
}

#[cfg(test)]
mod answers_tests;
#[cfg(test)]
mod fuzz_tests;
#[cfg(test)]
mod samples_tests;
