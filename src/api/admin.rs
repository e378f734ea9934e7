//! Tokens and the audit trail.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::carry::write_act;
use super::pages::{Page, Window};
use super::problem::{Answer, Problem};
use super::records::damaged;
use super::reply;
use super::route::{Role, group};
use super::state::ApiState;
use super::tokens::{self, Caller, Token, TokensError};
use super::views::Time;
use crate::store::audit;

group! {
    Admin Look tokens_list,
    Admin Change token_create,
    Admin Change token_revoke,
    Admin Look audit_trail,
}

/// A token, without its secret: that is kept nowhere.
#[derive(Debug, Serialize, ToSchema)]
struct TokenView {
    /// What it is called; acts are audited under this name.
    name: String,
    role: Role,
    created_at: Time,
    /// When it was used last, to the minute.
    used_at: Option<Time>,
    /// When it stopped working.
    revoked_at: Option<Time>,
}

impl From<&Token> for TokenView {
    fn from(token: &Token) -> TokenView {
        TokenView {
            name: token.name.clone(),
            role: token.role,
            created_at: Time(token.created_at),
            used_at: token.used_at.map(Time),
            revoked_at: token.revoked_at.map(Time),
        }
    }
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewToken {
    /// 1 to 40 letters, digits, dots, dashes, underscores; never used before.
    #[schema(min_length = 1, max_length = 40, pattern = "^[A-Za-z0-9._-]{1,40}$")]
    name: String,
    role: Role,
}

/// A token that was made.
#[derive(Debug, Serialize, ToSchema)]
struct MadeToken {
    name: String,
    role: Role,
    /// The secret, shown this once.
    secret: String,
    /// Whether the act is in the audit trail.
    audited: bool,
}

/// A token that works no more.
#[derive(Debug, Serialize, ToSchema)]
struct RevokedToken {
    name: String,
    /// It worked until now.
    worked: bool,
    /// Whether the act is in the audit trail.
    audited: bool,
}

/// One act of the audit trail.
#[derive(Debug, Serialize, ToSchema)]
struct ActView {
    /// Its number; there are no gaps.
    id: i64,
    at: Time,
    /// Who.
    actor: String,
    /// From where.
    source: String,
    /// What.
    action: String,
    /// Arguments, reason and outcome, as JSON text.
    detail: String,
}

fn refused(e: TokensError) -> Problem {
    let status = match &e {
        TokensError::Name(_) => StatusCode::BAD_REQUEST,
        TokensError::Unknown(_) => return Problem::not_found(e.to_string()),
        TokensError::Taken(_) | TokensError::TooMany => StatusCode::CONFLICT,
        TokensError::Io { .. } | TokensError::Malformed { .. } | TokensError::Open { .. } | TokensError::Read(_) => {
            tracing::error!(target: "api", error = %e, "the tokens cannot be changed");
            return Problem::unavailable("TOKENS", "the file of tokens does not work; the log says why", 1);
        }
    };
    Problem::new(status, "TOKEN", e.to_string())
}

/// Runs what waits for the disk beside the server's thread.
async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TokensError> + Send + 'static,
) -> Result<T, Problem> {
    let gone = |e| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "BUG", format!("it did not end: {e}"));
    web::block(work).await.map_err(gone)?.map_err(refused)
}

/// Every token ever made, oldest first
#[utoipa::path(get, path = "/api/v2/admin/tokens", tag = "admin", params(Window),
    responses((status = 200, body = Page<TokenView>), (status = 304, description = "As the ETag says.")))]
async fn tokens_list(request: HttpRequest, window: web::Query<Window>, state: web::Data<ApiState>) -> Answer {
    let part = window.part()?;
    let dir = state.tokens.dir().to_owned();
    let all = beside(move || tokens::list(&dir)).await?;
    reply::read(&request, &part.cut(all.iter().map(TokenView::from)))
}

/// Make a token
///
/// Its secret is in this answer and nowhere else. A name is used once, so a repeated request makes no second token.
#[utoipa::path(post, path = "/api/v2/admin/tokens", tag = "admin", request_body = NewToken,
    responses((status = 201, body = MadeToken)))]
async fn token_create(state: web::Data<ApiState>, caller: Caller, body: web::Json<NewToken>) -> Answer {
    let (dir, now) = (state.tokens.dir().to_owned(), state.clock.now());
    let NewToken { name, role } = body.into_inner();
    let wanted = name.clone();
    let secret = beside(move || tokens::create(&dir, &wanted, role, now)).await?;
    let detail = json!({ "name": name, "role": role });
    let audited = write_act(&state, actor(&caller), "token-create", detail).await;
    let made = MadeToken { name, role, secret: secret.expose_secret().to_owned(), audited };
    Ok(HttpResponse::Created().json(made))
}

/// End a token at once
///
/// Done twice it changes nothing more. A token cannot end itself.
#[utoipa::path(post, path = "/api/v2/admin/tokens/{name}/revoke", tag = "admin",
    params(("name" = String, Path, description = "Name of the token.", min_length = 1, max_length = 40,
        pattern = "^[A-Za-z0-9._-]{1,40}$")),
    responses((status = 200, body = RevokedToken),
        (status = 404, description = "There is no such token.", body = Problem,
            content_type = "application/problem+json")))]
async fn token_revoke(state: web::Data<ApiState>, caller: Caller, name: web::Path<String>) -> Answer {
    let name = name.into_inner();
    if caller.name == name {
        let text = "a token cannot end itself: use another, or `scalper api-token revoke`";
        return Err(Problem::new(StatusCode::CONFLICT, "TOKEN", text));
    }
    let (dir, now) = (state.tokens.dir().to_owned(), state.clock.now());
    let wanted = name.clone();
    let worked = beside(move || tokens::revoke(&dir, &wanted, now)).await?;
    let audited = write_act(&state, actor(&caller), "token-revoke", json!({ "name": name })).await;
    Ok(HttpResponse::Ok().json(RevokedToken { name, worked, audited }))
}

fn actor(caller: &Caller) -> String {
    format!("api:{}", caller.name)
}

/// The audit trail, newest first
#[utoipa::path(get, path = "/api/v2/admin/audit", tag = "admin", params(Window),
    responses((status = 200, body = Page<ActView>), (status = 304, description = "As the ETag says.")))]
async fn audit_trail(request: HttpRequest, window: web::Query<Window>, state: web::Data<ApiState>) -> Answer {
    let part = window.part()?;
    let shelf = state.shelf()?;
    let readers = &shelf.readers;
    let (acts, total) = audit::list(readers, part.offset, u64::from(part.limit)).await.map_err(damaged)?;
    let view = |(id, act): (i64, audit::Act)| ActView {
        id,
        at: Time(act.at),
        actor: act.actor,
        source: act.source,
        action: act.action,
        detail: act.detail,
    };
    reply::read(&request, &part.page(acts.into_iter().map(view).collect(), total))
}
