//! order_updates
