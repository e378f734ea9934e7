//! Answers to reads: JSON with an ETag, or 304 for whoever has it already.

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::problem::Answer;

/// The ETag of a body.
fn tag_of(body: &[u8]) -> String {
    format!("\"{}\"", &blake3::hash(body).to_hex().as_str()[..32])
}

/// Whether a list of ETags (`If-None-Match`, `If-Match`) names `tag`. Weak and strong ones are alike here: equal tags
/// mean equal bytes.
pub(super) fn names(list: &str, tag: &str) -> bool {
    list.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

/// `value` with the ETag of its bytes.
pub(super) fn read(request: &HttpRequest, value: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(value).expect("views are plain values");
    let tag = tag_of(&body);
    read_tagged(request, body, &tag)
}

/// A body whose version is known under `tag`, quotes included.
pub(super) fn read_tagged(request: &HttpRequest, body: Vec<u8>, tag: &str) -> Answer {
    let known = request.headers().get_all(header::IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    let etag = HeaderValue::from_str(tag).expect("hex in quotes");
    if known.into_iter().any(|list| names(list, tag)) {
        return Ok(HttpResponse::NotModified().insert_header((header::ETAG, etag)).finish());
    }
    Ok(HttpResponse::Ok().insert_header((header::ETAG, etag)).content_type("application/json").body(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_in_a_list_weak_or_not_and_a_star_is_any() {
        let tag = tag_of(b"body");
        assert_eq!(tag.len(), 34);
        assert!(names(&tag, &tag) && names(&format!("\"x\", W/{tag}"), &tag) && names("*", &tag));
        assert!(!names("", &tag) && !names("\"x\"", &tag) && !names(tag.trim_matches('"'), &tag));
        assert_ne!(tag_of(b"other"), tag);
    }
}
