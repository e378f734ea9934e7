//! Reading the account: orders, executions, positions, holdings, money, profile, brakes.

use chrono::NaiveDate;
use futures_util::future::BoxFuture;
use scalper_decide::domain::broker::{BrokerOrderId, OrderRow, PositionRow, TradeRow};
use scalper_decide::domain::{ClientOrderId, Instant, Money};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::account::{IpState, NewToken, Profile};
use super::budget::CallClass;
use super::client::{Client, unreadable};
use super::controls::{KillSwitchAnswer, PnlExitState};
use super::funds::{self, Funds, Margin, MarginBody, MultiMargin, MultiMarginBody};
use super::order_book::OrderObject;
use super::positions::{Holding, PositionObject};
use super::rows::{self, Row, one_or_many};
use super::super_orders::SuperOrder;
use super::trades::{HistoryTrade, TradeObject};
use crate::broker::fault::Fault;
use crate::broker::ports::{BrokerBooks, Rows, Unread};

const BOOK: CallClass = CallClass::NonTrading;

fn typed<T: DeserializeOwned>(body: Value) -> Option<T> {
    serde_json::from_value(body).ok()
}

fn list<T: DeserializeOwned>(body: Value) -> Option<Vec<T>> {
    one_or_many(body)?.into_iter().map(typed).collect()
}

impl<M> Client<M> {
    async fn rows<W: Row<T>, T>(&self, path: &str, segments: &[&str]) -> Result<Rows<T>, Fault> {
        self.shared.read_as(self.get(path, segments, BOOK), rows::read::<W, T>).await
    }

    /// Every order of the day.
    pub async fn order_book(&self) -> Result<Rows<OrderRow>, Fault> {
        self.rows::<OrderObject, _>(&self.shared.endpoints.paths.orders, &[]).await
    }

    /// One order by the broker's number; none when the broker does not know it.
    pub async fn order(&self, id: &BrokerOrderId) -> Result<Rows<OrderRow>, Fault> {
        self.rows::<OrderObject, _>(&self.shared.endpoints.paths.orders, &[&id.0]).await
    }

    /// The orders that carry our id. A row with another tag or none counts as unread: a broker that ignores the
    /// question must not make a foreign order ours, and such an answer proves no absence.
    pub async fn by_tag(&self, id: ClientOrderId) -> Result<Rows<OrderRow>, Fault> {
        let path = &self.shared.endpoints.paths.external;
        let Rows { rows, mut unread } = self.rows::<OrderObject, OrderRow>(path, &[id.as_str()]).await?;
        let (rows, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.tag == Some(id));
        unread.extend(others.into_iter().map(|row| Unread {
            broker_id: Some(row.broker_id),
            tag: row.tag,
            why: format!("not the order that was asked for, {id}"),
        }));
        Ok(Rows { rows, unread })
    }

    /// Every execution of the day.
    pub async fn trade_book(&self) -> Result<Rows<TradeRow>, Fault> {
        self.rows::<TradeObject, _>(&self.shared.endpoints.paths.trades, &[]).await
    }

    /// The executions of one order.
    pub async fn trades_of(&self, id: &BrokerOrderId) -> Result<Rows<TradeRow>, Fault> {
        self.rows::<TradeObject, _>(&self.shared.endpoints.paths.trades, &[&id.0]).await
    }

    /// Executions of past days with their charges; pages start at 0 and end with an empty one.
    pub async fn trade_history(&self, from: NaiveDate, to: NaiveDate, page: u32) -> Result<Vec<HistoryTrade>, Fault> {
        let (from, to, page) = (from.to_string(), to.to_string(), page.to_string());
        let call = self.get(&self.shared.endpoints.paths.trades, &[&from, &to, &page], BOOK);
        self.shared.read_as(call, list).await
    }

    /// Super orders with their legs.
    pub async fn super_order_book(&self) -> Result<Vec<SuperOrder>, Fault> {
        self.shared.read_as(self.get(&self.shared.endpoints.paths.super_orders, &[], BOOK), list).await
    }

    /// Every position.
    pub async fn position_book(&self) -> Result<Rows<PositionRow>, Fault> {
        self.rows::<PositionObject, _>(&self.shared.endpoints.paths.positions, &[]).await
    }

    /// Holdings; DH-1111, "no holdings", is an empty list.
    pub async fn holdings(&self) -> Result<Vec<Holding>, Fault> {
        let call = self.get(&self.shared.endpoints.paths.holdings, &[], BOOK);
        match self.shared.read_as(call, list).await {
            Err(Fault::NoData(said)) if said.code.as_deref() == Some("DH-1111") => Ok(Vec::new()),
            outcome => outcome,
        }
    }

    /// Funds.
    pub async fn funds(&self) -> Result<Funds, Fault> {
        self.shared.read_as(self.get(&self.shared.endpoints.paths.funds, &[], BOOK), funds::read_funds).await
    }

    /// Margin of one order.
    pub async fn margin(&self, body: &MarginBody) -> Result<Margin, Fault> {
        self.shared.read_as(self.ask(&self.shared.endpoints.paths.margin, body, BOOK), typed).await
    }

    /// Margin of several orders together.
    pub async fn margin_multi(&self, body: &MultiMarginBody) -> Result<MultiMargin, Fault> {
        let parse = |body: Value| typed(body.get("data").cloned().unwrap_or(body));
        self.shared.read_as(self.ask(&self.shared.endpoints.paths.margin_multi, body, BOOK), parse).await
    }

    /// State of the kill switch.
    pub async fn kill_switch(&self) -> Result<KillSwitchAnswer, Fault> {
        self.shared.read_as(self.get(&self.shared.endpoints.paths.kill_switch, &[], BOOK), typed).await
    }

    /// State of the profit-and-loss exit.
    pub async fn pnl_exit(&self) -> Result<PnlExitState, Fault> {
        self.shared.read_as(self.get(&self.shared.endpoints.paths.pnl_exit, &[], BOOK), typed).await
    }

    /// Account, token validity, segments, data plan.
    pub async fn profile(&self) -> Result<Profile, Fault> {
        self.shared.read_as(self.get(&self.shared.endpoints.paths.profile, &[], BOOK), typed).await
    }

    /// The broker's clock by the `Date` of an answer, whatever the answer is; `None` when it carries none.
    pub async fn server_date(&self) -> Result<Option<Instant>, Fault> {
        self.shared.grant(BOOK).await?;
        let call = self.get(&self.shared.endpoints.paths.profile, &[], BOOK);
        Ok(self.transport().exchange(call.request, &self.shared.who()).await?.date)
    }

    /// Static addresses.
    pub async fn ip(&self) -> Result<IpState, Fault> {
        self.shared.read_as(self.get(&self.shared.endpoints.paths.ip_get, &[], BOOK), typed).await
    }

    /// A new token, which ends the old one. One attempt: after an answer that was lost nobody knows which of the two
    /// lives.
    pub async fn renew_token(&self) -> Result<NewToken, Fault> {
        let call = self.get(&self.shared.endpoints.paths.renew_token, &[], BOOK);
        self.shared.once(call).await?.as_ref().and_then(NewToken::read).ok_or_else(|| unreadable("RenewToken"))
    }
}

impl<M: 'static> BrokerBooks for Client<M> {
    fn orders(&self) -> BoxFuture<'_, Result<Rows<OrderRow>, Fault>> {
        Box::pin(self.order_book())
    }
    fn orders_tagged(&self, id: ClientOrderId) -> BoxFuture<'_, Result<Rows<OrderRow>, Fault>> {
        Box::pin(self.by_tag(id))
    }
    fn trades(&self) -> BoxFuture<'_, Result<Rows<TradeRow>, Fault>> {
        Box::pin(self.trade_book())
    }
    fn positions(&self) -> BoxFuture<'_, Result<Rows<PositionRow>, Fault>> {
        Box::pin(self.position_book())
    }
    fn available_balance(&self) -> BoxFuture<'_, Result<Money, Fault>> {
        Box::pin(async { Ok(Money::from_paise(self.funds().await?.available_balance.paise())) })
    }
}
