//! The client: whom it speaks to and for what ([`Client`] with its mode), and how a read is asked.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tokio::sync::{Notify, watch};

use super::budget::{BudgetPort, CallClass};
use super::desk::OrderDesk;
use super::endpoints::{Endpoints, NotLoopback};
use super::error::{Body, judge};
use super::transport::{Limits, Request, Transport};
use crate::broker::dhan::credentials::Credentials;
use crate::broker::fault::{Fault, Said};
use crate::broker::mode::{Live, LiveConsent, Paper, Sim};

/// The token in force, as published by its keeper.
pub type CurrentCredentials = watch::Receiver<Arc<Credentials>>;

/// Credentials that never change.
pub fn fixed(credentials: Credentials) -> CurrentCredentials {
    watch::channel(Arc::new(credentials)).1
}

/// Why a client could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A simulator client for another machine.
    #[error(transparent)]
    NotLoopback(#[from] NotLoopback),
    /// A token would travel in the clear.
    #[error("{0}")]
    Transport(String),
}

/// Consent was given for another account than the token's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the consent names account {consent:?}, the token is of {token:?}")]
pub struct WrongAccount {
    /// Account of the consent.
    pub consent: String,
    /// Account of the token.
    pub token: String,
}

/// What clients and order desks share.
pub(super) struct Shared {
    transport: Transport,
    pub(super) endpoints: Endpoints,
    credentials: CurrentCredentials,
    budget: Arc<dyn BudgetPort>,
    token_dead: Arc<Notify>,
}

/// One call.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) request: Request,
    pub(super) class: CallClass,
}

impl Shared {
    /// Who we are now.
    pub(super) fn who(&self) -> Arc<Credentials> {
        self.credentials.borrow().clone()
    }

    pub(super) async fn grant(&self, class: CallClass) -> Result<(), Fault> {
        self.budget.acquire(class).await.map_err(|no| Fault::NotSent(no.to_string()))
    }

    /// One attempt, granted before by the budget.
    async fn attempt(&self, call: Call, who: &Credentials) -> Result<Body, Fault> {
        let outcome = match self.transport.exchange(call.request, who).await {
            Ok(reply) => judge(reply.http, &reply.body),
            Err(fault) => Err(fault),
        };
        if let Err(Fault::RateLimited(_)) = outcome {
            self.budget.refused_for_rate(call.class);
        }
        if let Err(Fault::TokenDead(_)) = outcome {
            self.token_dead.notify_one();
        }
        outcome.map_err(|fault| fault.map_text(|text| without(text, who)))
    }

    /// A call that changes something: one grant, one attempt, never another (B11).
    pub(super) async fn once(&self, call: Call) -> Result<Body, Fault> {
        self.grant(call.class).await?;
        self.attempt(call, &self.who()).await
    }

    /// A read: asked again at most twice when no usable answer came, and once more when the token was replaced while
    /// it was under way (B1). Every attempt has its own grant.
    async fn read(&self, call: Call) -> Result<Body, Fault> {
        let mut waits = ExponentialBuilder::default()
            .with_min_delay(self.transport.first_wait())
            .with_max_delay(Duration::from_secs(2))
            .with_max_times(2)
            .with_jitter()
            .build();
        let mut renewed = false;
        loop {
            self.grant(call.class).await?;
            let who = self.who();
            match self.attempt(call.clone(), &who).await {
                Err(Fault::TokenDead(_)) if !renewed && !Arc::ptr_eq(&who, &self.who()) => renewed = true,
                Err(fault) if fault.is_retryable_read() => match waits.next() {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => return Err(fault),
                },
                outcome => return outcome,
            }
        }
    }

    /// A read whose answer is JSON that `parse` understands; anything else proves nothing (B15).
    pub(super) async fn read_as<T>(&self, call: Call, parse: impl FnOnce(Value) -> Option<T>) -> Result<T, Fault> {
        let what = call.request.url.path().to_owned();
        self.read(call).await?.and_then(parse).ok_or_else(|| unreadable(&what))
    }
}

/// A text without any part of our token, should the broker repeat one (S28).
fn without(text: &str, who: &Credentials) -> String {
    let parts = who.token.expose_secret().split('.').filter(|part| part.len() >= 8);
    parts.fold(text.to_owned(), |text, part| text.replace(part, "[token]"))
}

/// A 2xx answer that is not what the endpoint answers.
pub(super) fn unreadable(what: &str) -> Fault {
    Fault::Unknown(Said { http: Some(200), code: None, text: format!("{what} answered something unreadable") })
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("rest", &self.endpoints.rest.as_str()).finish_non_exhaustive()
    }
}

/// A connection to Dhan's REST API for one purpose. Every client reads; [`Client::orders`] and
/// [`Client::orders_at_simulator`] are the ways to an order port, and [`Paper`] has neither.
///
/// ```compile_fail,E0599
/// use scalper::broker::dhan::rest::client::Client;
/// use scalper::broker::{LiveConsent, Paper};
/// fn paper(client: &Client<Paper>, consent: &LiveConsent) {
///     client.orders(consent);
/// }
/// ```
#[derive(Debug)]
pub struct Client<M> {
    pub(super) shared: Arc<Shared>,
    mode: PhantomData<fn() -> M>,
}

impl<M> Clone for Client<M> {
    fn clone(&self) -> Self {
        Client { shared: Arc::clone(&self.shared), mode: PhantomData }
    }
}

fn build<M>(
    endpoints: Endpoints,
    credentials: CurrentCredentials,
    budget: Arc<dyn BudgetPort>,
    limits: Limits,
) -> Result<Client<M>, BuildError> {
    endpoints.check_transport().map_err(BuildError::Transport)?;
    let transport = Transport::new(limits).map_err(BuildError::Transport)?;
    Ok(over(transport, endpoints, credentials, budget))
}

fn over<M>(
    transport: Transport,
    endpoints: Endpoints,
    credentials: CurrentCredentials,
    budget: Arc<dyn BudgetPort>,
) -> Client<M> {
    let token_dead = Arc::new(Notify::new());
    Client { shared: Arc::new(Shared { transport, endpoints, credentials, budget, token_dead }), mode: PhantomData }
}

impl Client<Paper> {
    /// Reads only.
    pub fn for_paper(
        endpoints: Endpoints,
        credentials: CurrentCredentials,
        budget: Arc<dyn BudgetPort>,
        limits: Limits,
    ) -> Result<Client<Paper>, BuildError> {
        build(endpoints, credentials, budget, limits)
    }
}

impl Client<Live> {
    /// Reads; orders after [`Client::orders`].
    pub fn for_live(
        endpoints: Endpoints,
        credentials: CurrentCredentials,
        budget: Arc<dyn BudgetPort>,
        limits: Limits,
    ) -> Result<Client<Live>, BuildError> {
        build(endpoints, credentials, budget, limits)
    }

    /// The order port, for the account that consent was given for and no other.
    pub fn orders(&self, consent: &LiveConsent) -> Result<OrderDesk<Live>, WrongAccount> {
        let token = self.shared.who().client_id.clone();
        if consent.account() == token {
            Ok(OrderDesk::new(Arc::clone(&self.shared)))
        } else {
            Err(WrongAccount { consent: consent.account().to_owned(), token })
        }
    }
}

impl Client<Sim> {
    /// The simulator at a loopback address, and nothing else (N17).
    pub fn for_simulator(
        base: &str,
        credentials: CurrentCredentials,
        budget: Arc<dyn BudgetPort>,
        limits: Limits,
    ) -> Result<Client<Sim>, BuildError> {
        build(Endpoints::at_simulator(base)?, credentials, budget, limits)
    }

    /// The simulator in this process, without HTTP between.
    #[cfg(test)]
    pub(crate) fn by_hand(
        credentials: CurrentCredentials,
        budget: Arc<dyn BudgetPort>,
        limits: Limits,
        hand: super::transport::Hand,
    ) -> Client<Sim> {
        let endpoints = Endpoints::at_simulator("http://127.0.0.1:1/v2").expect("a loopback address");
        let transport = Transport::by_hand(limits, hand).expect("a client can be made");
        over(transport, endpoints, credentials, budget)
    }

    /// The order port.
    pub fn orders_at_simulator(&self) -> OrderDesk<Sim> {
        OrderDesk::new(Arc::clone(&self.shared))
    }
}

impl<M> Client<M> {
    /// Wakes one waiter each time the broker turned the token away.
    pub fn token_dead(&self) -> Arc<Notify> {
        Arc::clone(&self.shared.token_dead)
    }

    pub(super) fn get(&self, path: &str, segments: &[&str], class: CallClass) -> Call {
        let request = Request { method: Method::GET, url: self.shared.endpoints.at(path, segments), body: None };
        Call { request, class }
    }

    /// A POST that only reads.
    pub(super) fn ask(&self, path: &str, body: &impl serde::Serialize, class: CallClass) -> Call {
        let body = Some(serde_json::to_vec(body).expect("a request body is plain data"));
        let request = Request { method: Method::POST, url: self.shared.endpoints.at(path, &[]), body };
        Call { request, class }
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.shared.transport
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
