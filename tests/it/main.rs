//! The one integration-test binary; each module is a group of scenarios.

mod tidy;
