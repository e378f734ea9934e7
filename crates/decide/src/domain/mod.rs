//! The words every other room uses: money, time, contracts, orders, events and commands.

pub mod adoption;
pub mod alarm;
pub mod broker;
pub mod calendar;
pub mod charges;
pub mod command;
pub mod contracts;
pub mod event;
pub mod exit_reason;
pub mod ids;
pub mod instrument;
pub mod money;
pub mod operator;
pub mod order;
pub mod position;
pub mod tick;
pub mod time;

pub use calendar::{Cutoffs, DayKind, SessionCalendar, SessionHours};
pub use charges::{ChargeBook, ChargeHeads, ChargeRates};
pub use command::Command;
pub use contracts::ContractBook;
pub use event::{Event, OrderEvent, OrderReport, VenueRefusal};
pub use exit_reason::ExitReason;
pub use ids::{ClientOrderId, HoldId, PositionId, Seq, SignalId, TradeId};
pub use instrument::{
    Direction, Exchange, Instrument, InstrumentId, InstrumentKind, OptionContract, Right, Segment, Strike, Underlying,
    Universe,
};
pub use money::{Bps, IndexPrice, LotSize, Lots, Money, Premium, Qty};
pub use order::{Order, OrderPurpose, OrderSide, OrderSpec, OrderState, OrderType};
pub use position::{Position, PositionPhase, Protection};
pub use tick::{BookLevel, Tick, TickFlags, TickSource};
pub use time::{Age, Instant, Stamp, TimeOfDay};
