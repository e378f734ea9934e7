//! Every refusal of the API is one of these (RFC 9457).

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

/// Media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What is wrong, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// `urn:scalper:problem:` and the code in lower case.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status in words.
    pub title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// Short code for programs, e.g. `WRONG_ROLE`.
    pub code: String,
    /// What happened here, for people.
    pub detail: String,
    /// Seconds after which another try may succeed; also the `Retry-After` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub retry_after_secs: Option<u64>,
}

impl Problem {
    /// A problem.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Problem {
        Problem {
            kind: format!("urn:scalper:problem:{}", code.to_lowercase().replace('_', "-")),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            code: code.to_owned(),
            detail: detail.into(),
            retry_after_secs: None,
        }
    }

    /// Nothing is there.
    pub fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "NOT_FOUND", detail)
    }

    /// The request cannot be understood.
    pub fn malformed(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "MALFORMED", detail)
    }

    /// It may work later.
    pub fn unavailable(code: &str, detail: impl Into<String>, retry_after_secs: u64) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(retry_after_secs)
    }

    /// Says when another try may succeed.
    #[must_use]
    pub fn retry_after(self, secs: u64) -> Problem {
        Problem { retry_after_secs: Some(secs), ..self }
    }

    /// The answer.
    pub fn response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status_code());
        answer.content_type(MEDIA_TYPE);
        if let Some(secs) = self.retry_after_secs {
            answer.insert_header((header::RETRY_AFTER, secs.to_string()));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            answer.insert_header((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        answer.body(serde_json::to_string(self).expect("a problem is plain values"))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.status, self.code, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).expect("made of a status")
    }
    fn error_response(&self) -> HttpResponse {
        self.response()
    }
}

/// What a handler gives back.
pub type Answer = Result<HttpResponse, Problem>;
