//! Kill switch and P&L exit (dhan-v2.md 7.3).

use scalper_decide::domain::Money;

use super::call::{Call, Outcome, Reply, Room};
use super::{refusal, rows};
use crate::broker::dhan::rest::controls::{KillSwitch, KillSwitchAnswer, PnlExitAnswer, PnlExitBody, PnlExitState};
use crate::broker::dhan::rest::scalar::Number;
use crate::simulator::oms::controls::{PnlExit, Products};

/// GET /killswitch.
pub(super) fn kill_switch(room: &Room<'_>) -> Reply {
    let is_on = room.sim.oms().controls().is_killed();
    Reply::ok(&KillSwitchAnswer {
        dhan_client_id: room.account.client_id().to_owned(),
        kill_switch_status: if is_on { KillSwitch::On } else { KillSwitch::Off },
    })
}

/// POST /killswitch?killSwitchStatus=ACTIVATE; the prose has a header instead.
pub(super) fn set_kill_switch(room: &mut Room<'_>, call: &Call) -> Outcome {
    let on = match call.query("killSwitchStatus").or(call.kill_switch.as_deref()) {
        Some("ACTIVATE") => true,
        Some("DEACTIVATE") => false,
        _ => return Err(refusal::bad_input()),
    };
    room.sim.kill_switch(on).map_err(|e| refusal::api(&e))?;
    Ok(kill_switch(room))
}

const DELIVERY: &str = "DELIVERY";
const INTRADAY: &str = "INTRADAY";

/// POST /pnlExit. A value of 0 is no threshold.
pub(super) fn set_pnl_exit(room: &mut Room<'_>, call: &Call) -> Outcome {
    let body: PnlExitBody = call.read()?;
    if body.product_type.iter().any(|p| p != INTRADAY && p != DELIVERY) {
        return Err(refusal::bad_input());
    }
    let threshold = |value: Number| Some(Money::from_paise(value.paise())).filter(|m| *m != Money::ZERO);
    let has = |word: &str| body.product_type.iter().any(|p| p == word);
    let exit = PnlExit {
        profit: threshold(body.profit_value),
        loss: threshold(body.loss_value),
        products: Products { intraday: has(INTRADAY), delivery: has(DELIVERY) },
        kill_switch: body.enable_kill_switch,
    };
    room.sim.set_pnl_exit(exit).map_err(|e| refusal::api(&e))?;
    Ok(said("ACTIVE", "P&L based exit configured successfully"))
}

/// DELETE /pnlExit.
pub(super) fn clear_pnl_exit(room: &mut Room<'_>) -> Reply {
    room.sim.clear_pnl_exit();
    said("DISABLED", "P&L based exit stopped successfully")
}

fn said(status: &str, message: &str) -> Reply {
    Reply::ok(&PnlExitAnswer { pnl_exit_status: Some(status.to_owned()), message: message.to_owned() })
}

/// GET /pnlExit.
pub(super) fn pnl_exit(room: &Room<'_>) -> Reply {
    let exit = room.sim.oms().controls().pnl_exit();
    let words = |p: Products| {
        let named = [(p.intraday, INTRADAY), (p.delivery, DELIVERY)].into_iter().filter(|(is_in, _)| *is_in);
        named.map(|(_, word)| word.to_owned()).collect()
    };
    Reply::ok(&PnlExitState {
        pnl_exit_status: Some(if exit.is_some() { "ACTIVE" } else { "DISABLED" }.to_owned()),
        profit: exit.and_then(|e| e.profit).map(rows::money),
        loss: exit.and_then(|e| e.loss).map(rows::money),
        product_type: exit.map(|e| words(e.products)).unwrap_or_default(),
        enable_kill_switch: exit.is_some_and(|e| e.kill_switch),
    })
}
