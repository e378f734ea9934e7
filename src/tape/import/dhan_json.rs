//! Answers of the Dhan API: the bare body, or a recorded exchange with the body as text inside.

use scalper_decide::domain::Instant;
use serde_json::Value;

use super::error::{Fault, ImportError};
use super::input::Input;
use super::options::ImportOptions;
use super::text;

/// An answer with what is known about its question.
#[derive(Debug)]
pub(super) struct Exchange {
    /// The answer.
    pub(super) body: Value,
    /// The question, when recorded.
    pub(super) request: Option<Value>,
    /// When it was recorded.
    pub(super) recorded_at: Option<Instant>,
}

impl Exchange {
    /// Reads a file; an answer that is an error is an error.
    pub(super) fn read(input: &Input) -> Result<Exchange, ImportError> {
        let whole = input.json()?;
        let inner = |text: &str, what: &str| {
            serde_json::from_str::<Value>(text)
                .map_err(|e| ImportError::Unreadable { place: input.at(0), detail: format!("{what}: {e}") })
        };
        let exchange = match whole.get("body") {
            Some(Value::String(body)) => Exchange {
                body: inner(body, "the recorded body is no JSON")?,
                request: match whole.get("request_body") {
                    Some(Value::String(text)) if !text.is_empty() => {
                        Some(inner(text, "the recorded request is no JSON")?)
                    }
                    _ => None,
                },
                recorded_at: whole.get("recorded_at").and_then(Value::as_str).and_then(|text| {
                    let at = chrono::DateTime::parse_from_rfc2822(text).ok()?;
                    Some(Instant::from_nanos(at.timestamp_nanos_opt()?))
                }),
            },
            _ => Exchange { body: whole.clone(), request: None, recorded_at: None },
        };
        let status = match whole.get("status") {
            Some(Value::Number(n)) => n.to_string(),
            Some(Value::String(s)) => s.clone(),
            _ => "200".to_owned(),
        };
        exchange.refuse_errors(input, &status)?;
        Ok(exchange)
    }

    fn refuse_errors(&self, input: &Input, status: &str) -> Result<(), ImportError> {
        let field = |names: &[&str]| {
            names.iter().find_map(|n| self.body.get(n)).map(|v| match v {
                Value::String(s) => s.clone(),
                other => other.to_string(),
            })
        };
        let code = field(&["errorCode", "internalErrorCode"]);
        let fine = status == "200" || status == "success";
        if fine && code.is_none() {
            return Ok(());
        }
        Err(ImportError::ServerError {
            file: input.shown(),
            status: status.to_owned(),
            code: code.unwrap_or_default(),
            message: field(&["errorMessage", "internalErrorMessage"]).unwrap_or_default(),
        })
    }

    /// A field of the question as text, whatever its capitals and type.
    pub(super) fn asked(&self, name: &str) -> Option<String> {
        let request = self.request.as_ref()?.as_object()?;
        request.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| match v {
            Value::String(s) => s.clone(),
            other => other.to_string(),
        })
    }

    /// When the picture was taken: --at, else the recording time.
    pub(super) fn taken_at(&self, input: &Input, options: &ImportOptions) -> Result<Instant, ImportError> {
        options.at.or(self.recorded_at).ok_or_else(|| ImportError::Needs {
            file: input.shown(),
            option: "--at \"YYYY-MM-DD HH:MM:SS\"",
            why: "the file carries no time".to_owned(),
        })
    }
}

/// Reads numbers out of one JSON object, naming the field in errors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    /// The file.
    pub(super) input: &'a Input,
    /// Row for messages.
    pub(super) row: u64,
    /// Path of the object, for messages.
    pub(super) path: &'a str,
    /// The object.
    pub(super) object: &'a Value,
}

impl Fields<'_> {
    fn refuse(&self, name: &str, fault: Fault) -> ImportError {
        ImportError::Cell {
            place: self.input.at(self.row),
            column: format!("{}{name}", self.path),
            value: self.object.get(name).map_or_else(String::new, Value::to_string),
            fault,
        }
    }
    fn number(&self, name: &str) -> Result<Option<f64>, ImportError> {
        match self.object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(v) => v.as_f64().map(Some).ok_or_else(|| self.refuse(name, Fault::NotANumber)),
        }
    }
    /// A price in rupees as paise; 0 when missing or zero ("no data" on this wire).
    pub(super) fn price_or_zero(&self, name: &str) -> Result<i64, ImportError> {
        let rupees = self.number(name)?.unwrap_or(0.0);
        if rupees < 0.0 {
            return Err(self.refuse(name, Fault::NotPositive));
        }
        text::rupees_to_paise(rupees).map_err(|fault| self.refuse(name, fault))
    }
    /// A price above zero.
    pub(super) fn price(&self, name: &str) -> Result<i64, ImportError> {
        match self.price_or_zero(name)? {
            0 => Err(self.refuse(name, Fault::NotPositive)),
            paise => Ok(paise),
        }
    }
    /// A count, 0 when missing.
    pub(super) fn count(&self, name: &str) -> Result<i64, ImportError> {
        text::whole(self.number(name)?.unwrap_or(0.0)).map_err(|fault| self.refuse(name, fault))
    }
    /// A book level; empty when price or quantity is 0.
    pub(super) fn level(&self, price: &str, qty: &str) -> Result<scalper_decide::domain::BookLevel, ImportError> {
        let (paise, units) = (self.price_or_zero(price)?, self.count(qty)?);
        if paise == 0 || units == 0 {
            return Ok(scalper_decide::domain::BookLevel::default());
        }
        Ok(scalper_decide::domain::BookLevel {
            price: i32::try_from(paise).map_err(|_| self.refuse(price, Fault::TooLarge))?,
            qty: u32::try_from(units).map_err(|_| self.refuse(qty, Fault::TooLarge))?,
        })
    }
}
