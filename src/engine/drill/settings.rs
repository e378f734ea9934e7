//! Settings that trade all the time: a signal every minute and index, quick exits, small sizes.

use std::collections::{BTreeMap, BTreeSet};

use scalper_decide::domain::ids::InstanceTag;
use scalper_decide::domain::{Age, Bps, Lots, Money, Qty, Underlying};
use scalper_decide::params::*;

/// First two letters of our order ids.
pub(super) fn instance() -> InstanceTag {
    InstanceTag::new("D1").expect("two letters")
}

/// `day_loss` is the breaker.
pub(super) fn params(day_loss: Option<Bps>) -> StrategyParams {
    let ages = QuoteAgeLimits { feed: Age::from_secs(5), snapshot: Age::from_secs(5), bar: Age::from_secs(60) };
    let half = Bps::from_percent(50);
    StrategyParams {
        indices: vec![Underlying::Nifty, Underlying::Sensex],
        signal: SignalParams {
            primary: Timeframe::M1,
            confirmation: None,
            supertrend: SupertrendParams::Classic { period: 7, multiplier: 1.0 },
            adx_period: 7,
            adx_min_primary: 0.0,
            adx_min_confirmation: 0.0,
            trigger: SignalTrigger::State,
            flip_valid_bars: 3,
            warmup_bars: 20,
            iv_rank: IvRankParams {
                enabled: false,
                min: 0.0,
                max: 1.0,
                lookback_days: 20,
                min_days: 2,
                on_no_history: NoHistory::Pass,
            },
            theta_cutoff: None,
            min_minutes_to_expiry: 30,
            trend_bars: None,
            bar_close_grace: Age::ZERO,
            opening_no_trade_minutes: 0,
            blackout_dates: BTreeSet::new(),
        },
        signal_by_index: BTreeMap::new(),
        chain: ChainParams {
            max_offset: 2,
            preferred_offset: None,
            atm_nearest_quoted: true,
            iv_min_pct: 1.0,
            iv_max_pct: 90.0,
            min_oi: Qty::ZERO,
            max_spread: Bps::from_percent(5),
            min_abs_delta: 0.05,
            max_abs_delta: 0.95,
            premium_band: BTreeMap::new(),
            quote_age: ages,
            min_score: 0,
            interest_rate: 0.06,
            min_minutes_to_expiry: 30,
        },
        capital: CapitalParams {
            opening_balance: Some(Money::from_rupees(1_000_000)),
            bands: vec![CapitalBand {
                up_to: None,
                allocation: Bps::from_percent(12),
                risk_per_trade: Bps::from_percent(2),
                day_loss: half,
            }],
            index_allocation: BTreeMap::from([(Underlying::Nifty, half), (Underlying::Sensex, half)]),
            sizing: Sizing::RiskPercent,
            max_lots: Lots::new(4),
            max_trade_cost: None,
        },
        entry_guard: EntryGuardParams {
            max_positions_per_contract: 9,
            max_positions_per_index: 9,
            max_positions_total: 9,
            pyramid_only_in_profit: false,
            cooldown_direction: Age::ZERO,
            cooldown_strike: Age::ZERO,
            index_age: ages,
            option_age: ages,
            max_spread: Bps::from_percent(5),
            slippage_cap: Bps::from_percent(2),
            max_trades_per_index: 999,
            max_trades_per_day: 999,
        },
        risk: RiskParams {
            stop: StopDistance::Percent { pct: Bps::from_percent(4) },
            stop_limit_gap: Bps::from_percent(5),
            target: Some(Bps::from_percent(8)),
            break_even_after: Some(Bps::from_percent(2)),
            trail: Some(TrailParams { arm_after: Bps::from_percent(1), drop: Bps::from_percent(2) }),
            profit_lock: None,
            time_stop: Some(Age::from_secs(45)),
            day_loss,
            index_day_loss: BTreeMap::new(),
            day_profit: None,
            loss_streak: None,
            expiry_limits: Vec::new(),
            cutoffs: None,
        },
        orders: OrderParams {
            instance: instance(),
            entry_offset: Bps::new(50),
            entry_timeout: Age::from_secs(5),
            exit_offset: Bps::new(100),
            exit_chase: Age::from_secs(1),
            max_modifications: 25,
            modifications_for_exit: 10,
            stop_move_min: Bps::new(50),
            answer_timeout: Age::from_secs(2),
        },
    }
}
