//! The order desk: everything that changes something at the broker. Every call is one attempt on the wire.

use std::marker::PhantomData;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use reqwest::{Method, Url};
use scalper_decide::domain::broker::{Answer, BrokerOrderId};
use serde::Serialize;
use serde_json::Value;

use super::account::{IpAnswer, IpBody};
use super::budget::CallClass;
use super::client::{Call, Shared, unreadable};
use super::controls::{KillSwitch, KillSwitchAnswer, PnlExitAnswer, PnlExitBody};
use super::error::Body;
use super::orders::{ModifyBody, OrderAck, PlaceBody};
use super::positions::{ConvertBody, ExitAllAnswer};
use super::super_orders::{SuperModifyBody, SuperPlaceBody};
use super::transport::Request;
use super::words::Leg;
use crate::broker::fault::{Fault, Said};
use crate::broker::mode::MayTrade;
use crate::broker::ports::{NewOrder, OrderChange, OrderPort};

/// Said aloud by a person before a call that acts on every position of the account, foreign ones included. Nothing
/// in the engine makes one (I19).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WholeAccount(());

impl WholeAccount {
    /// Only for a verb that a person typed.
    pub const fn a_person_asked_for_it() -> WholeAccount {
        WholeAccount(())
    }
}

/// Writes orders in modes that have them.
#[derive(Debug)]
pub struct OrderDesk<M: MayTrade> {
    shared: Arc<Shared>,
    mode: PhantomData<fn() -> M>,
}

impl<M: MayTrade> Clone for OrderDesk<M> {
    fn clone(&self) -> Self {
        OrderDesk::new(Arc::clone(&self.shared))
    }
}

impl<M: MayTrade> OrderDesk<M> {
    pub(super) const fn new(shared: Arc<Shared>) -> OrderDesk<M> {
        OrderDesk { shared, mode: PhantomData }
    }

    async fn send(&self, method: Method, url: Url, body: Option<Vec<u8>>, class: CallClass) -> Result<Body, Fault> {
        self.shared.once(Call { request: Request { method, url, body }, class }).await
    }

    fn at(&self, path: &str, segments: &[&str]) -> Url {
        self.shared.endpoints.at(path, segments)
    }

    /// Places an order.
    pub async fn place_order(&self, order: &NewOrder) -> Answer {
        let body = json(&PlaceBody::of(&self.shared.who().client_id, order));
        let url = self.at(&self.shared.endpoints.paths.orders, &[]);
        answer(self.send(Method::POST, url, Some(body), CallClass::Order { exit: order.exit }).await, None)
    }

    /// Changes an order to absolute values.
    pub async fn modify_order(&self, change: &OrderChange) -> Answer {
        let body = json(&ModifyBody::of(&self.shared.who().client_id, change));
        let url = self.at(&self.shared.endpoints.paths.orders, &[&change.broker_id.0]);
        let class = CallClass::Change { id: change.id, purpose: change.purpose };
        let outcome = self.send(Method::PUT, url, Some(body), class).await;
        answer(outcome, Some(&change.broker_id))
    }

    /// Takes an order back.
    pub async fn cancel_order(&self, id: &BrokerOrderId, exit: bool) -> Answer {
        let url = self.at(&self.shared.endpoints.paths.orders, &[&id.0]);
        answer(self.send(Method::DELETE, url, None, CallClass::Order { exit }).await, Some(id))
    }

    /// Places above the freeze quantity; the broker splits. The engine slices by itself (C9): this gives many
    /// orders one tag, and its answer is disputed.
    pub async fn place_sliced(&self, body: &PlaceBody) -> Result<Vec<OrderAck>, Fault> {
        let url = self.at(&self.shared.endpoints.paths.slicing, &[]);
        let said = self.send(Method::POST, url, Some(json(body)), CallClass::Order { exit: false }).await?;
        said.and_then(OrderAck::read_many).ok_or_else(|| unreadable("slicing"))
    }

    /// Places a super order.
    pub async fn place_super(&self, body: &SuperPlaceBody, exit: bool) -> Answer {
        let url = self.at(&self.shared.endpoints.paths.super_orders, &[]);
        answer(self.send(Method::POST, url, Some(json(body)), CallClass::Order { exit }).await, None)
    }

    /// Changes one leg of a super order.
    pub async fn modify_super(&self, body: &SuperModifyBody, exit: bool) -> Answer {
        let url = self.at(&self.shared.endpoints.paths.super_orders, &[body.order_id()]);
        let outcome = self.send(Method::PUT, url, Some(json(body)), CallClass::Order { exit }).await;
        answer(outcome, Some(&BrokerOrderId(body.order_id().into())))
    }

    /// Cancels one leg; the entry leg cancels everything. May be answered 202 with nothing, which is `Ok(None)`.
    pub async fn cancel_super(&self, id: &BrokerOrderId, leg: Leg, exit: bool) -> Result<Option<OrderAck>, Fault> {
        let url = self.at(&self.shared.endpoints.paths.super_orders, &[&id.0, leg.word()]);
        match self.send(Method::DELETE, url, None, CallClass::Order { exit }).await? {
            None => Ok(None),
            Some(body) => OrderAck::read(body).map(Some).ok_or_else(|| unreadable("super order cancel")),
        }
    }

    /// Converts a position to another product.
    pub async fn convert_position(&self, body: &ConvertBody) -> Result<(), Fault> {
        let url = self.at(&self.shared.endpoints.paths.convert, &[]);
        self.send(Method::POST, url, Some(json(body)), CallClass::Order { exit: false }).await.map(drop)
    }

    /// Closes every position of the account at market and cancels its orders, whoever opened them.
    pub async fn exit_all(&self, _: WholeAccount) -> Result<ExitAllAnswer, Fault> {
        let url = self.at(&self.shared.endpoints.paths.positions, &[]);
        typed(self.send(Method::DELETE, url, None, CallClass::Order { exit: true }).await?, "exit-all")
    }

    /// Turns the kill switch; it needs no open positions and no open orders.
    pub async fn set_kill_switch(&self, state: &KillSwitch, _: WholeAccount) -> Result<KillSwitchAnswer, Fault> {
        let mut url = self.at(&self.shared.endpoints.paths.kill_switch, &[]);
        url.query_pairs_mut().append_pair("killSwitchStatus", state.word());
        typed(self.send(Method::POST, url, None, CallClass::NonTrading).await?, "killswitch")
    }

    /// Arms the broker's profit-and-loss exit, for the whole account.
    pub async fn set_pnl_exit(&self, body: &PnlExitBody, _: WholeAccount) -> Result<PnlExitAnswer, Fault> {
        let url = self.at(&self.shared.endpoints.paths.pnl_exit, &[]);
        typed(self.send(Method::POST, url, Some(json(body)), CallClass::NonTrading).await?, "pnlExit")
    }

    /// Disarms it.
    pub async fn clear_pnl_exit(&self) -> Result<PnlExitAnswer, Fault> {
        let url = self.at(&self.shared.endpoints.paths.pnl_exit, &[]);
        typed(self.send(Method::DELETE, url, None, CallClass::NonTrading).await?, "pnlExit")
    }

    /// Sets a static address; a person's decision, never automatic.
    pub async fn set_ip(&self, body: &IpBody, _: WholeAccount) -> Result<IpAnswer, Fault> {
        let url = self.at(&self.shared.endpoints.paths.ip_set, &[]);
        typed(self.send(Method::POST, url, Some(json(body)), CallClass::NonTrading).await?, "setIP")
    }

    /// Changes a static address, which locks it for seven days; a person's decision, never automatic.
    pub async fn modify_ip(&self, body: &IpBody, _: WholeAccount) -> Result<IpAnswer, Fault> {
        let url = self.at(&self.shared.endpoints.paths.ip_modify, &[]);
        typed(self.send(Method::PUT, url, Some(json(body)), CallClass::NonTrading).await?, "modifyIP")
    }
}

impl<M: MayTrade> OrderPort for OrderDesk<M> {
    fn place(&self, order: NewOrder) -> BoxFuture<'_, Answer> {
        Box::pin(async move { self.place_order(&order).await })
    }
    fn modify(&self, change: OrderChange) -> BoxFuture<'_, Answer> {
        Box::pin(async move { self.modify_order(&change).await })
    }
    fn cancel(&self, broker_id: BrokerOrderId, exit: bool) -> BoxFuture<'_, Answer> {
        Box::pin(async move { self.cancel_order(&broker_id, exit).await })
    }
}

fn json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("a request body is plain data")
}

fn typed<T: serde::de::DeserializeOwned>(body: Body, what: &str) -> Result<T, Fault> {
    body.and_then(|body: Value| serde_json::from_value(body).ok()).ok_or_else(|| unreadable(what))
}

/// What became of an order call. Acceptance needs an order number; for a known order, that very number.
fn answer(outcome: Result<Body, Fault>, of: Option<&BrokerOrderId>) -> Answer {
    let nothing =
        |text: &str| Fault::Unknown(Said { http: Some(200), code: None, text: text.to_owned() }).into_answer();
    match outcome {
        Err(fault) => fault.into_answer(),
        Ok(None) => nothing("an empty answer"),
        Ok(Some(body)) => match OrderAck::read(body) {
            None => nothing("an answer without an order number"),
            Some(ack) if of.is_some_and(|id| *id != ack.broker_id()) => nothing("an answer about another order"),
            Some(ack) => Answer::Accepted { broker_id: ack.broker_id(), status: ack.order_status },
        },
    }
}
