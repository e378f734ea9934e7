//! What a person's command means to the risk manager.

use crate::domain::event::OperatorCommand;
use crate::risk_manager::{RiskActions, RiskManager};

/// Carries a command out; returns the exits it asks for.
pub fn obey(risk: &mut RiskManager, command: OperatorCommand) -> RiskActions {
    match command {
        OperatorCommand::Pause => risk.operator_pause(true),
        OperatorCommand::Resume => risk.operator_pause(false),
        OperatorCommand::FlattenAll => return risk.operator_exit(None),
        OperatorCommand::Close { position } => return risk.operator_exit(Some(position)),
    }
    RiskActions::new()
}
