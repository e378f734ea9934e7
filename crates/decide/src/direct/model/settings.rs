//! Day, contract, settings and tables of the model.

use super::*;

pub(super) fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 12).unwrap()
}

pub(super) fn ms(millis: i64) -> Instant {
    Instant::from_ist(day(), TimeOfDay::hm(10, 0).unwrap()) + Age::from_millis(millis)
}

pub(super) fn hours() -> SessionHours {
    let hm = |h, m| TimeOfDay::hm(h, m).unwrap();
    SessionHours {
        day: day(),
        windows: vec![Window { open: hm(9, 15), close: hm(15, 30) }],
        index_continuous_close: hm(15, 30),
        cutoffs: Cutoffs {
            no_new_entry: hm(14, 45),
            expiry_force_exit: hm(15, 0),
            square_off_start: hm(15, 5),
            square_off_deadline: hm(15, 12),
            broker_square_off: hm(15, 20),
        },
    }
}

pub(super) fn contract() -> OptionContract {
    OptionContract {
        underlying: Underlying::Nifty,
        expiry: day().succ_opt().unwrap(),
        strike: Strike::from_points(25_650),
        right: Right::Call,
        lot: LotSize::new(LOT).unwrap(),
        tick: Premium::from_paise(5),
        max_order_qty: Qty::new(3 * LOT),
    }
}

pub(super) fn params() -> StrategyParams {
    let ages = QuoteAgeLimits { feed: Age::from_secs(5), snapshot: Age::from_secs(5), bar: Age::from_secs(60) };
    StrategyParams {
        indices: vec![Underlying::Nifty],
        signal: SignalParams {
            primary: Timeframe::M1,
            confirmation: None,
            supertrend: SupertrendParams::Classic { period: 10, multiplier: 3.0 },
            adx_period: 14,
            adx_min_primary: 18.0,
            adx_min_confirmation: 20.0,
            trigger: SignalTrigger::State,
            flip_valid_bars: 3,
            warmup_bars: 30,
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
            opening_no_trade_minutes: 5,
            blackout_dates: BTreeSet::new(),
        },
        signal_by_index: BTreeMap::new(),
        chain: ChainParams {
            max_offset: 2,
            preferred_offset: None,
            atm_nearest_quoted: false,
            iv_min_pct: 10.0,
            iv_max_pct: 60.0,
            min_oi: Qty::ZERO,
            max_spread: Bps::from_percent(3),
            min_abs_delta: 0.1,
            max_abs_delta: 0.7,
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
                allocation: Bps::from_percent(10),
                risk_per_trade: Bps::from_percent(5),
                day_loss: Bps::from_percent(50),
            }],
            index_allocation: BTreeMap::from([(Underlying::Nifty, Bps::from_percent(100))]),
            sizing: Sizing::RiskPercent,
            max_lots: Lots::new(6),
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
            max_spread: Bps::from_percent(3),
            slippage_cap: Bps::from_percent(1),
            max_trades_per_index: 99,
            max_trades_per_day: 99,
        },
        risk: RiskParams {
            stop: StopDistance::Percent { pct: Bps::from_percent(4) },
            stop_limit_gap: Bps::from_percent(5),
            target: Some(Bps::from_percent(6)),
            break_even_after: Some(Bps::from_percent(3)),
            trail: Some(TrailParams { arm_after: Bps::from_percent(2), drop: Bps::from_percent(2) }),
            profit_lock: None,
            time_stop: Some(Age::from_secs(50)),
            day_loss: None,
            index_day_loss: BTreeMap::new(),
            day_profit: None,
            loss_streak: None,
            expiry_limits: Vec::new(),
            cutoffs: None,
        },
        orders: OrderParams {
            instance: InstanceTag::new("A1").unwrap(),
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

pub(super) fn tables() -> CoreTables {
    pub(super) fn always<T>(value: T) -> Vec<Dated<T>> {
        vec![Dated { from: NaiveDate::from_ymd_opt(2025, 1, 1).unwrap(), to: None, value }]
    }
    let rate = |ppb| always(Rate::from_ppb(ppb));
    let table = ChargeTable {
        brokerage_per_order: always(Money::from_rupees(20)),
        stt_option_sale: rate(1_000_000),
        stt_exercise: rate(1_250_000),
        exchange: rate(350_300),
        sebi: rate(1_000),
        ipft: rate(5_000),
        stamp_buy: rate(30_000),
        gst: rate(180_000_000),
    };
    let tables = BTreeMap::from([(Underlying::Nifty.exchange(), table)]);
    let (hours, from) = (hours(), NaiveDate::from_ymd_opt(2025, 1, 1).unwrap());
    let regime = HoursRegime {
        from,
        window: hours.windows[0],
        index_continuous_close: hours.index_continuous_close,
        cutoffs: hours.cutoffs,
    };
    let to = NaiveDate::from_ymd_opt(2026, 12, 31).unwrap();
    let calendar = SessionCalendar::new(from, to, vec![regime], BTreeMap::new()).unwrap();
    CoreTables { calendar: Arc::new(calendar), charges: Arc::new(ChargeBook { tables }) }
}
