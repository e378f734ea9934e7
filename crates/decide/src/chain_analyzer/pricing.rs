//! The models applied to a snapshot: time to expiry, forward, and volatility, Greeks and confidence of a leg.

use super::CandidateRefusal;
use super::observe::{Observed, observe};
use crate::domain::{Age, IndexPrice, Instant, OptionContract, Right, TickFlags, TickSource};
use crate::greeks::{
    Confidence, Evidence, Forward, ForwardInputs, Model, OptionGreeks, ParityPair, PriceBasis, Pricer, PricingRefusal,
    TwoSided, forward, normal, years_to,
};
use crate::params::ChainParams;
use crate::tick_cache::{ChainLeg, ChainSnapshot, Quote};

/// Farthest believable distance of an observed forward from spot with carry, as share of it. An index future has never
/// been that far away within the months its options live; a bad quote has.
const BELIEVABLE: f64 = 0.02;

/// Last trades at most this far apart are of one moment.
const ONE_MOMENT: Age = Age::from_secs(1);

/// One expiry at one moment, ready to price its contracts.
pub(super) struct Pricing {
    forward: Forward,
    pricer: Pricer,
}

/// What the models say about a leg.
pub(super) struct Reading {
    /// Volatility and Greeks at the observed price.
    pub greeks: OptionGreeks,
    /// How far to trust them.
    pub confidence: Confidence,
    /// Price above the discounted intrinsic value, points.
    pub time_value: f64,
    /// Mean of undiscounted |delta| and the chance to end in the money.
    pub balance_of_chances: f64,
}

impl Pricing {
    /// Finds the forward and prepares the model; refuses when no time is left.
    pub(super) fn new(
        params: &ChainParams,
        now: Instant,
        snapshot: &ChainSnapshot,
        spot: IndexPrice,
    ) -> Result<Pricing, PricingRefusal> {
        let t_years = years_to(now, snapshot.expires_at);
        let forward = forward_of(params, now, snapshot, spot.as_rupees_f64(), t_years);
        let pricer = Pricer::new(Model::Black76, forward.value, t_years, params.interest_rate, 0.0)?;
        Ok(Pricing { forward, pricer })
    }

    /// The forward in use.
    pub(super) const fn forward(&self) -> &Forward {
        &self.forward
    }

    /// Volatility, Greeks and confidence of a contract at an observed price.
    pub(super) fn read(
        &self,
        contract: &OptionContract,
        quote: &Quote,
        seen: &Observed,
        params: &ChainParams,
        now: Instant,
    ) -> Result<Reading, CandidateRefusal> {
        let (right, strike, price) = (contract.right, contract.strike.as_points_f64(), seen.price());
        let greeks = self
            .pricer
            .solve(right, strike, price)
            .map_err(|why| CandidateRefusal::NoIv { price: seen.premium(), why })?;
        let time_value = self.pricer.time_value(right, strike, price);
        let evidence = Evidence {
            forward: self.forward.source,
            basis: seen.spread().map_or(PriceBasis::LastTrade, |spread| PriceBasis::Mid { spread }),
            price,
            age: quote.age(now),
            age_limit: quote.age_limit(&params.quote_age),
            time_value,
            tick: contract.tick.as_rupees_f64(),
            refusal: None,
        };
        let deviation = greeks.iv * self.pricer.t_years().sqrt();
        let d1 = (self.forward.value / strike).ln() / deviation + 0.5 * deviation;
        let side = match right {
            Right::Call => 1.0,
            Right::Put => -1.0,
        };
        let balance_of_chances = 0.5 * (normal::cdf(side * d1) + normal::cdf(side * (d1 - deviation)));
        Ok(Reading { greeks, confidence: evidence.confidence(), time_value, balance_of_chances })
    }
}

/// The forward from the best source at hand whose level can be believed.
fn forward_of(params: &ChainParams, now: Instant, snapshot: &ChainSnapshot, spot: f64, t_years: f64) -> Forward {
    let pairs = parity_pairs(params, now, snapshot);
    let derived = snapshot.spot.is_some_and(|quote| quote.source == TickSource::Derived);
    let rate = params.interest_rate;
    let inputs = ForwardInputs {
        future: same_expiry_future(params, now, snapshot),
        pairs: &pairs,
        spot: Some(spot),
        t_years,
        rate,
        // A spot derived from parity is the forward already: it must not carry twice.
        dividend_yield: if derived { rate } else { 0.0 },
    };
    let carried = ForwardInputs { future: None, pairs: &[], ..inputs };
    let by_spot = forward(&carried).expect("a positive spot has a forward");
    [inputs, ForwardInputs { future: None, ..inputs }]
        .iter()
        .filter_map(forward)
        .find(|f| ((f.value - by_spot.value) / by_spot.value).abs() <= BELIEVABLE)
        .unwrap_or(by_spot)
}

fn same_expiry_future(params: &ChainParams, now: Instant, snapshot: &ChainSnapshot) -> Option<f64> {
    let (_, quote) = snapshot.future.as_ref().filter(|(expiry, _)| *expiry == snapshot.expiry)?;
    Some(observe(Some(quote), now, &params.quote_age).ok()?.price())
}

/// Call and put of every strike, as far as both were seen at one moment. Books always were, because they stand until
/// changed; where a source carries no books, last trades serve when they are of the same second and neither is a high
/// or low drawn through a bar, whose true times nobody knows. (On recorded NIFTY minutes the parity of closes moves by
/// 3-4 points from minute to minute, while its level strays 10 points and more from any assumed carry.)
fn parity_pairs(params: &ChainParams, now: Instant, snapshot: &ChainSnapshot) -> Vec<ParityPair> {
    let side = |leg: &ChainLeg| {
        let quote = leg.quote?;
        Some((quote, observe(Some(&quote), now, &params.quote_age).ok()?))
    };
    let quoted =
        |quote: &Quote, bid: f64, ask: f64| TwoSided::new(bid, ask, quote.age(now), quote.age_limit(&params.quote_age));
    let mut pairs = Vec::with_capacity(snapshot.legs.len() / 2);
    for legs in snapshot.legs.windows(2) {
        let (call, put) = (&legs[0].contract, &legs[1].contract);
        if call.strike != put.strike || call.right != Right::Call || put.right != Right::Put {
            continue;
        }
        let (Some((call_quote, call)), Some((put_quote, put))) = (side(&legs[0]), side(&legs[1])) else { continue };
        let pair = match (call.book, put.book) {
            (Some(c), Some(p)) => (
                quoted(&call_quote, c.0.as_rupees_f64(), c.1.as_rupees_f64()),
                quoted(&put_quote, p.0.as_rupees_f64(), p.1.as_rupees_f64()),
            ),
            (None, None) if of_one_moment(&call_quote, &put_quote) => {
                (quoted(&call_quote, call.price(), call.price()), quoted(&put_quote, put.price(), put.price()))
            }
            _ => continue,
        };
        pairs.push(ParityPair { strike: legs[0].contract.strike.as_points_f64(), call: pair.0, put: pair.1 });
    }
    pairs
}

/// Whether two last trades can be set against each other.
fn of_one_moment(a: &Quote, b: &Quote) -> bool {
    let known_time = |q: &Quote| {
        q.source != TickSource::Bar || q.flags.has(TickFlags::BAR_OPEN) || q.flags.has(TickFlags::BAR_CLOSE)
    };
    let apart = (a.exchange_at.nanos() - b.exchange_at.nanos()).abs();
    known_time(a) && known_time(b) && apart <= ONE_MOMENT.nanos()
}
