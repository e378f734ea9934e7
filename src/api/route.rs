//! The table of endpoints: each names its role and its share of the rate limits, and everything else (method, path) is
//! read from its description, so that the table, the server and the OpenAPI document cannot disagree.

use actix_web::http::Method;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who may call: each role may do what the ones before it may (S20).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look.
    Read,
    /// Look, and tell the engine what to do with what it holds.
    Operate,
    /// Everything: arm, lift breakers, read settings again, stop, tokens, the audit trail.
    Admin,
}

impl Role {
    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Read => "read",
            Role::Operate => "operate",
            Role::Admin => "admin",
        }
    }
}

/// Which share of the rate limits a call uses (S10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Looks at something.
    Look,
    /// Changes something.
    Change,
    /// Takes risk away. It has a share of its own, so that no flood of other calls keeps it waiting.
    Stop,
}

/// A handler, and what it takes to be let in.
#[derive(Debug, Clone, Copy)]
pub struct Handler {
    /// Name of the function, which is the operation's id in the document.
    pub name: &'static str,
    /// Who may call.
    pub role: Role,
    /// Which share it uses.
    pub lane: Lane,
    /// The handler itself, for any method.
    pub route: fn() -> actix_web::Route,
}

/// Endpoints that belong together: one file each.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// Its part of the document.
    pub spec: fn() -> utoipa::openapi::OpenApi,
    /// Its handlers.
    pub handlers: fn() -> Vec<Handler>,
}

/// An endpoint as it is served.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Method.
    pub method: Method,
    /// Path with its parameters in braces.
    pub path: String,
    /// The handler.
    pub handler: Handler,
}

/// Makes the group of a file: `group! { Operate Stop halt, Read Look status }`.
macro_rules! group {
    ($($role:ident $lane:ident $handler:ident),* $(,)?) => {
        #[derive(utoipa::OpenApi)]
        #[openapi(paths($($handler),*))]
        struct Spec;

        /// The endpoints of this file.
        pub(super) fn group() -> $crate::api::route::Group {
            use $crate::api::route::{Group, Handler, Lane, Role};
            Group {
                spec: <Spec as utoipa::OpenApi>::openapi,
                handlers: || vec![$(Handler {
                    name: stringify!($handler),
                    role: Role::$role,
                    lane: Lane::$lane,
                    route: || actix_web::web::route().to($handler),
                }),*],
            }
        }
    };
}
pub(super) use group;

/// The endpoints of a group, in the order of the document.
///
/// # Panics
/// When an operation of the document has no handler of its name.
pub fn endpoints(group: &Group) -> Vec<Endpoint> {
    let spec = serde_json::to_value((group.spec)()).expect("a document is plain values");
    let handlers = (group.handlers)();
    let mut all = Vec::new();
    for (path, item) in spec["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let name = operation["operationId"].as_str().unwrap_or_default();
            let handler = handlers.iter().find(|handler| handler.name == name);
            let handler = *handler.unwrap_or_else(|| panic!("{method} {path} ({name}) has no handler"));
            let method = method.to_uppercase().parse().expect("a method of the document");
            all.push(Endpoint { method, path: path.clone(), handler });
        }
    }
    all
}
