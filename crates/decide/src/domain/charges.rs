//! Charges by date and exchange, each head to the paisa (N8, F-89, X-19).
//!
//! Per executed order: brokerage, and on its premium turnover the exchange transaction charge, SEBI fee, IPFT, STT
//! (sales), stamp duty (purchases); GST on brokerage + exchange + SEBI + IPFT. Each head is rounded half-up to the
//! paisa on its own; GST is taken on the unrounded heads. Source of the rates: dhan-v2.md 12 and
//! `config/charges.yml`.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::contracts::{Dated, in_force};
use super::instrument::Exchange;
use super::money::{Money, Qty, Rounding, div_round};
use super::order::OrderSide;

/// A rate in parts per billion: 0.03503 % is 350,300.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Rate(i64);

const BILLION: i128 = 1_000_000_000;

impl Rate {
    /// From parts per billion.
    pub const fn from_ppb(ppb: i64) -> Rate {
        Rate(ppb)
    }
    /// In parts per billion.
    pub const fn ppb(self) -> i64 {
        self.0
    }
}

/// Dated rates of one exchange, one list per head.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChargeTable {
    /// Flat brokerage per executed order.
    pub brokerage_per_order: Vec<Dated<Money>>,
    /// Securities transaction tax on option sales, of premium.
    pub stt_option_sale: Vec<Dated<Rate>>,
    /// Securities transaction tax on exercised options, of intrinsic value.
    pub stt_exercise: Vec<Dated<Rate>>,
    /// Exchange transaction charge, of premium.
    pub exchange: Vec<Dated<Rate>>,
    /// SEBI turnover fee, of premium.
    pub sebi: Vec<Dated<Rate>>,
    /// Investor protection fund, of premium.
    pub ipft: Vec<Dated<Rate>>,
    /// Stamp duty on purchases, of premium.
    pub stamp_buy: Vec<Dated<Rate>>,
    /// GST on the services above.
    pub gst: Vec<Dated<Rate>>,
}

/// A head has no rate on that day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("charge {head} of {exchange} for {day} is not in charges.yml; add it there or in an override file")]
pub struct OutsideCharges {
    /// Name of the head.
    pub head: &'static str,
    /// Exchange asked for.
    pub exchange: Exchange,
    /// Trading day asked for.
    pub day: NaiveDate,
}

/// The dated table of charges.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChargeBook {
    /// Tables by exchange.
    pub tables: BTreeMap<Exchange, ChargeTable>,
}

impl ChargeBook {
    /// Rates in force at `exchange` on `day`; every head must have one.
    pub fn on(&self, exchange: Exchange, day: NaiveDate) -> Result<ChargeRates, OutsideCharges> {
        let missing = |head| OutsideCharges { head, exchange, day };
        let table = self.tables.get(&exchange).ok_or_else(|| missing("table"))?;
        let rate = |head, list: &[Dated<Rate>]| in_force(list, day).copied().ok_or_else(|| missing(head));
        Ok(ChargeRates {
            brokerage_per_order: in_force(&table.brokerage_per_order, day)
                .copied()
                .ok_or_else(|| missing("brokerage"))?,
            stt_option_sale: rate("stt_option_sale", &table.stt_option_sale)?,
            stt_exercise: rate("stt_exercise", &table.stt_exercise)?,
            exchange: rate("exchange", &table.exchange)?,
            sebi: rate("sebi", &table.sebi)?,
            ipft: rate("ipft", &table.ipft)?,
            stamp_buy: rate("stamp_buy", &table.stamp_buy)?,
            gst: rate("gst", &table.gst)?,
        })
    }
}

/// Rates of one exchange on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChargeRates {
    /// Flat brokerage per executed order.
    pub brokerage_per_order: Money,
    /// STT on option sales.
    pub stt_option_sale: Rate,
    /// STT on exercise.
    pub stt_exercise: Rate,
    /// Exchange transaction charge.
    pub exchange: Rate,
    /// SEBI turnover fee.
    pub sebi: Rate,
    /// Investor protection fund.
    pub ipft: Rate,
    /// Stamp duty on purchases.
    pub stamp_buy: Rate,
    /// GST.
    pub gst: Rate,
}

impl ChargeRates {
    fn heads(&self, brokerage: Money, turnover: Money, stt: Rate, stamp: Rate) -> ChargeHeads {
        // Unrounded heads in billionths of a paisa.
        let of = |rate: Rate| i128::from(turnover.paise()) * i128::from(rate.ppb());
        let whole = |nano: i128| Money::from_paise(div_round(nano, BILLION, Rounding::HalfUp));
        let brokerage_nano = i128::from(brokerage.paise()) * BILLION;
        let taxed = brokerage_nano + of(self.exchange) + of(self.sebi) + of(self.ipft);
        ChargeHeads {
            brokerage,
            stt: whole(of(stt)),
            exchange: whole(of(self.exchange)),
            sebi: whole(of(self.sebi)),
            ipft: whole(of(self.ipft)),
            stamp: whole(of(stamp)),
            gst: whole(taxed * i128::from(self.gst.ppb()) / BILLION),
        }
    }

    /// Charges of one executed order with `turnover` of premium; zero turnover costs nothing.
    pub fn for_order(&self, side: OrderSide, turnover: Money) -> ChargeHeads {
        if turnover == Money::ZERO {
            return ChargeHeads::default();
        }
        let (stt, stamp) = match side {
            OrderSide::Buy => (Rate::default(), self.stamp_buy),
            OrderSide::Sell => (self.stt_option_sale, Rate::default()),
        };
        self.heads(self.brokerage_per_order, turnover, stt, stamp)
    }

    /// Charges of a long option settled in the money with `intrinsic_value` of payout: the exercise tax only.
    pub fn for_exercise(&self, intrinsic_value: Money) -> ChargeHeads {
        let nano = i128::from(intrinsic_value.paise()) * i128::from(self.stt_exercise.ppb());
        ChargeHeads { stt: Money::from_paise(div_round(nano, BILLION, Rounding::HalfUp)), ..ChargeHeads::default() }
    }
}

/// Charges by head, in paise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChargeHeads {
    /// Broker's fee.
    pub brokerage: Money,
    /// Securities transaction tax.
    pub stt: Money,
    /// Exchange transaction charge.
    pub exchange: Money,
    /// SEBI turnover fee.
    pub sebi: Money,
    /// Investor protection fund.
    pub ipft: Money,
    /// Stamp duty.
    pub stamp: Money,
    /// GST.
    pub gst: Money,
}

impl ChargeHeads {
    /// Sum of all heads.
    pub fn total(&self) -> Money {
        self.brokerage + self.stt + self.exchange + self.sebi + self.ipft + self.stamp + self.gst
    }

    /// The part of these charges that belongs to `part` of `whole` units, each head rounded half-up; all of them for
    /// the whole.
    #[must_use]
    pub fn share(&self, part: Qty, whole: Qty) -> ChargeHeads {
        let of = |head: Money| {
            let share = i128::from(head.paise()) * i128::from(part.get());
            Money::from_paise(div_round(share, i128::from(whole.get()), Rounding::HalfUp))
        };
        ChargeHeads {
            brokerage: of(self.brokerage),
            stt: of(self.stt),
            exchange: of(self.exchange),
            sebi: of(self.sebi),
            ipft: of(self.ipft),
            stamp: of(self.stamp),
            gst: of(self.gst),
        }
    }

    /// Head names and amounts, in report order.
    pub fn named(&self) -> [(&'static str, Money); 7] {
        [
            ("brokerage", self.brokerage),
            ("stt", self.stt),
            ("exchange", self.exchange),
            ("sebi", self.sebi),
            ("ipft", self.ipft),
            ("stamp", self.stamp),
            ("gst", self.gst),
        ]
    }
}

impl std::ops::Add for ChargeHeads {
    type Output = ChargeHeads;
    fn add(self, o: ChargeHeads) -> ChargeHeads {
        ChargeHeads {
            brokerage: self.brokerage + o.brokerage,
            stt: self.stt + o.stt,
            exchange: self.exchange + o.exchange,
            sebi: self.sebi + o.sebi,
            ipft: self.ipft + o.ipft,
            stamp: self.stamp + o.stamp,
            gst: self.gst + o.gst,
        }
    }
}
impl std::ops::Sub for ChargeHeads {
    type Output = ChargeHeads;
    fn sub(self, o: ChargeHeads) -> ChargeHeads {
        ChargeHeads {
            brokerage: self.brokerage - o.brokerage,
            stt: self.stt - o.stt,
            exchange: self.exchange - o.exchange,
            sebi: self.sebi - o.sebi,
            ipft: self.ipft - o.ipft,
            stamp: self.stamp - o.stamp,
            gst: self.gst - o.gst,
        }
    }
}
impl std::ops::AddAssign for ChargeHeads {
    fn add_assign(&mut self, o: ChargeHeads) {
        *self = *self + o;
    }
}
impl std::iter::Sum for ChargeHeads {
    fn sum<I: Iterator<Item = ChargeHeads>>(iter: I) -> ChargeHeads {
        iter.fold(ChargeHeads::default(), std::ops::Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates_2025() -> ChargeRates {
        ChargeRates {
            brokerage_per_order: Money::from_rupees(20),
            stt_option_sale: Rate::from_ppb(1_000_000),
            stt_exercise: Rate::from_ppb(1_250_000),
            exchange: Rate::from_ppb(350_300),
            sebi: Rate::from_ppb(1_000),
            ipft: Rate::from_ppb(5_000),
            stamp_buy: Rate::from_ppb(30_000),
            gst: Rate::from_ppb(180_000_000),
        }
    }

    #[test]
    fn the_worked_nifty_round_trip_costs_67_rupees_30() {
        // dhan-v2.md 12: 65 units, buy 150, sell 170, FY 2025-26: 67.29 unrounded, one paisa more with each head of
        // each order rounded on its own.
        let buy = rates_2025().for_order(OrderSide::Buy, Money::from_rupees(9_750));
        let sell = rates_2025().for_order(OrderSide::Sell, Money::from_rupees(11_050));
        assert_eq!((buy + sell).total(), Money::from_paise(6_730));
        assert_eq!(sell.stt, Money::from_paise(1_105));
        assert_eq!(buy.stamp, Money::from_paise(29));
    }

    #[test]
    fn an_order_without_a_fill_costs_nothing() {
        assert_eq!(rates_2025().for_order(OrderSide::Sell, Money::ZERO).total(), Money::ZERO);
    }
}
