//! The broker's own brakes: kill switch and profit-and-loss exit (dhan-v2.md 7.3).

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::scalar::{self, Number};

/// State of the kill switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KillSwitch {
    /// Trading is blocked for the day.
    On,
    /// Trading is possible.
    Off,
    /// Words that say neither.
    Other(String),
}

impl KillSwitch {
    /// From a word or a sentence: `ACTIVATE`, `Kill Switch has been successfully deactivated`.
    pub fn from_text(text: &str) -> KillSwitch {
        let upper = text.to_ascii_uppercase();
        if upper.contains("DEACTIV") || upper.contains("INACTIV") {
            KillSwitch::Off
        } else if upper.contains("ACTIV") {
            KillSwitch::On
        } else {
            KillSwitch::Other(text.trim().to_owned())
        }
    }

    /// The wire word.
    pub fn word(&self) -> &str {
        match self {
            KillSwitch::On => "ACTIVATE",
            KillSwitch::Off => "DEACTIVATE",
            KillSwitch::Other(text) => text,
        }
    }
}

impl Serialize for KillSwitch {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.word())
    }
}

impl<'de> Deserialize<'de> for KillSwitch {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d).map(|text| KillSwitch::from_text(&text))
    }
}

/// Answer of GET and POST /killswitch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KillSwitchAnswer {
    /// Account.
    #[serde(default)]
    pub dhan_client_id: String,
    /// State.
    pub kill_switch_status: KillSwitch,
}

/// Body of POST /pnlExit. It acts at once when a limit is already passed, on every position of the account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PnlExitBody {
    /// Close everything at this profit, rupees.
    pub profit_value: Number,
    /// Close everything at this loss, rupees.
    pub loss_value: Number,
    /// INTRADAY, DELIVERY.
    pub product_type: Vec<String>,
    /// Block trading afterwards.
    #[serde(with = "scalar::flag")]
    pub enable_kill_switch: bool,
}

/// Answer of GET /pnlExit, whose names differ from those of the POST; both spellings of the last field are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PnlExitState {
    /// `ACTIVE`, `DISABLED`, ...
    #[serde(default, with = "scalar::na")]
    pub pnl_exit_status: Option<String>,
    /// Profit, rupees.
    #[serde(default, alias = "profitValue", with = "scalar::maybe")]
    pub profit: Option<Number>,
    /// Loss, rupees.
    #[serde(default, alias = "lossValue", with = "scalar::maybe")]
    pub loss: Option<Number>,
    /// INTRADAY, DELIVERY.
    #[serde(default)]
    pub product_type: Vec<String>,
    /// Block trading afterwards.
    #[serde(default, alias = "enable_kill_switch", with = "scalar::flag")]
    pub enable_kill_switch: bool,
}

/// Answer of POST and DELETE /pnlExit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PnlExitAnswer {
    /// `ACTIVE`, `DISABLED`, ...
    #[serde(default, with = "scalar::na")]
    pub pnl_exit_status: Option<String>,
    /// The broker's words.
    #[serde(default)]
    pub message: String,
}
